"""The calls that are on their way, so that none is made twice."""

from collections import deque
from collections.abc import Iterable

from persona_assets.engines.base import Failure
from persona_assets.steps.questions import Question

MOST_WAITING = 8192  # follow-ups of one lane: bounds memory


class Flight:
    """Requests leave on the thread that an engine pulls on, results land on the caller's.

    Holds what is in flight, what landed since the last look at the ledger, and what failed: not what was answered.
    """

    def __init__(self, lanes: int = 1) -> None:
        """Nothing is on its way; follow-ups wait in so many lanes."""
        self.asked: dict[str, Question] = {}
        self.failed: dict[str, Failure] = {}
        # Repairs and later turns that are to be asked, by lane: what one engine answers.
        self.follow_ups: list[deque[Question]] = [deque() for _ in range(lanes)]
        self._landed: set[str] = set()

    @property
    def fullest_lane(self) -> int | None:
        """The lane in which the most follow-ups wait; None where none do."""
        lane = max(range(len(self.follow_ups)), key=lambda at: len(self.follow_ups[at]))
        return lane if self.follow_ups[lane] else None

    @property
    def is_full(self) -> bool:
        """Whether so many follow-ups wait for another engine than that of the first turn that it is to be asked now."""
        return any(len(waiting) >= MOST_WAITING for waiting in self.follow_ups[1:])

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
