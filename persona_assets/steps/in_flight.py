"""The calls that are on their way, so that none is made twice."""

from collections import deque
from collections.abc import Iterable

from persona_assets.engines.base import Failure
from persona_assets.steps.questions import Question


class Flight:
    """Requests leave on the thread that an engine pulls on, results land on the caller's.

    Holds what is in flight, what landed since the last look at the ledger, and what failed: not what was answered.
    """

    def __init__(self) -> None:
        """Nothing is on its way."""
        self.asked: dict[str, Question] = {}
        self.failed: dict[str, Failure] = {}
        self.repairs: deque[Question] = deque()  # to be asked
        self._landed: set[str] = set()

    def look(self) -> None:
        """The ledger is about to be looked at: it has all that landed before."""
        self._landed = set()

    def needs(self, call_id: str) -> bool:
        """Whether a call that the last look did not find has to be made."""
        # In this order: a call is among the landed before it is no longer among those asked.
        return call_id not in self.asked and call_id not in self._landed and call_id not in self.failed

    def land(self, call_ids: Iterable[str]) -> None:
        """These have ended, and what was answered is stored."""
        self._landed.update(call_ids)
        for call_id in call_ids:
            del self.asked[call_id]
