"""Which questions a run asks itself, and which it leaves to other runs that are asking them at this moment."""

from collections.abc import Sequence

from persona_assets.lake import Lake
from persona_assets.ledger.claims import Claims
from persona_assets.ledger.ledger import Ledger
from persona_assets.steps.budget import Budget
from persona_assets.steps.in_flight import Flight
from persona_assets.steps.questions import Question

MOST_DEFERRED = 8192  # questions left for later before a run waits for them: bounds memory


class Turns:
    """The questions of one run over one template. What is deferred waits until nothing of the run is on its way."""

    def __init__(self, lake: Lake, run_id: str, template: str, ledger: Ledger, flight: Flight, budget: Budget) -> None:
        """Nothing is claimed yet."""
        self._template, self._ledger, self._flight, self._budget = template, ledger, flight, budget
        self._lake, self._run_id = lake, run_id
        self.claims = Claims(lake, run_id)
        self.deferred: dict[str, Question] = {}
        self._is_short = self._is_behind = False

    def begin(self) -> None:
        """Start anew, after `end`."""
        self.claims, self.deferred, self._is_short = Claims(self._lake, self._run_id), {}, False

    def end(self) -> None:
        """Give up what is claimed and not asked, and leave."""
        self.claims.close()

    @property
    def is_full(self) -> bool:
        """Whether deferred questions have to be settled before others are read."""
        return self._is_short or len(self.deferred) >= MOST_DEFERRED

    def mine(self, questions: Sequence[Question]) -> list[Question]:
        """Those of some questions that this run is to ask, once each.

        What the ledger holds and what is on its way is left out; what other runs are asking, and what a cap leaves no
        room for as long as other calls are on their way, is deferred.
        """
        lacking = self._lacking({question.call_id: question for question in questions})
        if not lacking:
            return []
        taken = self.claims.take(self._template, list(lacking), self._budget.room)
        claimed = dict(zip(lacking, taken.mine.tolist(), strict=True))
        self.deferred |= {call_id: lacking[call_id] for call_id, is_mine in claimed.items() if not is_mine}
        self._is_short |= taken.is_short
        found = {call_id: lacking[call_id] for call_id, is_mine in claimed.items() if is_mine}
        self._is_behind |= taken.changed
        if found and self._is_behind:  # other runs may have stored them since
            self._is_behind = False
            self._ledger.expire(self._template)
            still = self._lacking(found)
            self.claims.landed({taken.number: len(found) - len(still)})
            found = still
        if taken.is_short and not found and not taken.on_their_way:
            # No call can fail any more and leave room. Other runs may have answered these questions all the same.
            self._ledger.expire(self._template)
            waiting, self.deferred = self.deferred, {}
            self.deferred = self._lacking(waiting)
            if self.deferred:
                self._budget.end_day()
        for question in found.values():
            question.claim = taken.number
        return list(found.values())

    def others(self) -> list[Question]:
        """Look at what was deferred: those that have become this run's to ask; what is answered is deferred no more.

        To be called when nothing of this run is on its way, and again after `Claims.wait` as long as anything is
        deferred.
        """
        self._is_short = False
        waiting, self.deferred = list(self.deferred.values()), {}
        for start in range(0, len(waiting), self._budget.at_once):
            if found := self.mine(waiting[start : start + self._budget.at_once]):
                rest = waiting[start + self._budget.at_once :]
                self.deferred |= {question.call_id: question for question in rest}
                return found
        return []

    def put_back(self, questions: Sequence[Question]) -> None:
        """Leave for later what was this run's to ask."""
        self.landed(questions)
        self.deferred |= {question.call_id: question for question in questions}

    def landed(self, questions: Sequence[Question]) -> None:
        """The calls of these have ended, and what was answered is stored."""
        counts: dict[int, int] = {}
        for question in questions:
            counts[question.claim] = counts.get(question.claim, 0) + 1
        self.claims.landed(counts)

    def _lacking(self, questions: dict[str, Question]) -> dict[str, Question]:
        """Those that the ledger lacks and that are not on their way."""
        self._flight.look()
        held = self._ledger.held(self._template, list(questions)).tolist()
        return {
            call_id: question
            for (call_id, question), known in zip(questions.items(), held, strict=True)
            if not known and call_id not in self.deferred and self._flight.needs(call_id)
        }
