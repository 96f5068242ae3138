"""The questions of a step, rendered and looked up as its run would, but not asked."""

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from persona_assets.plan.figures import Amount, Basis, PartitionPlan
from persona_assets.plan.tokens import prompt_bytes
from persona_assets.prompts import Message
from persona_assets.steps.answers import mended, read_answer
from persona_assets.steps.questions import Answer, Question
from persona_assets.steps.runner import BATCH, Answered, Ask, Context, Outcome, Parsed, Step, StepRunner, parse_call

SAMPLE = 200  # prompts whose tokens are counted
_COLUMNS = (*Answered._fields, "tokens_in")


class Prompts:
    """A deterministic sample of prompts, and what the prompts of stored calls say of bytes and tokens."""

    def __init__(self) -> None:
        """Nothing has been seen."""
        self.seen = self.seen_bytes = 0
        self.held_bytes = self.held_tokens = 0
        self._sample: list[tuple[int, int, list[Message]]] = []

    @property
    def sample(self) -> list[list[Message]]:
        """At most `SAMPLE` of the new prompts: those whose call ids, digests, are the highest."""
        return [messages for _, _, messages in self._sample]

    def see(self, size: int) -> None:
        """Count a prompt of any question."""
        self.seen += 1
        self.seen_bytes += size

    def add(self, call_id: str, messages: list[Message]) -> None:
        """Take a new prompt into account."""
        entry = (int(call_id[5:], 16), len(self._sample), messages)
        if len(self._sample) < SAMPLE:
            heapq.heappush(self._sample, entry)
        elif entry[0] > self._sample[0][0]:
            heapq.heapreplace(self._sample, (entry[0], self._sample[0][1], messages))


class _Distinct:
    """Counts calls once that several partitions would make; 8 bytes for each of earlier partitions."""

    def __init__(self) -> None:
        self._earlier: list[NDArray[np.uint64]] = []  # sorted, each over twice as long as the next
        self._here: set[int] = set()

    def is_new(self, call_id: str) -> bool:
        key = int(call_id[5:21], 16)
        if key in self._here:
            return False
        for keys in self._earlier:
            place = int(np.searchsorted(keys, np.uint64(key)))
            if place < len(keys) and int(keys[place]) == key:
                return False
        self._here.add(key)
        return True

    def end_partition(self) -> None:
        here = np.sort(np.fromiter(self._here, np.uint64, len(self._here)))
        while self._earlier and len(self._earlier[-1]) <= 2 * len(here):
            here = np.sort(np.concatenate([self._earlier.pop(), here]))
        if len(here):
            self._earlier.append(here)
        self._here.clear()


class Walk:
    """Walks the questions of one step, partition by partition."""

    def __init__(self, step: Step, context: Context) -> None:
        """Bind to a step and its model, which is only named.

        Raises:
            UsageError: the settings of its model are incomplete or malformed.
        """
        self.step = step
        self.runner = StepRunner(step, context, "plan")
        self.prompts = Prompts()
        self._distinct = _Distinct()

    @property
    def model(self) -> str:
        """The model that would answer."""
        return self.runner.identity.model

    def outcomes(
        self, asks: Iterable[Ask], plan: PartitionPlan, judged: dict[str, int] | None = None
    ) -> Iterator[Outcome]:
        """What becomes of each question as far as that is known, else an outcome without call; counted in `plan`.

        Stored answers are parsed. Where `judged` is given, rows by call id, they are not: their rows are as many as it
        says (and empty), and of a call that it lacks nothing is known, though it need not be made. Those of a call
        that several questions share come with the first of them.
        """
        iterator = map(self.runner.questions.of, asks)
        while batch := list(islice(iterator, BATCH)):
            plan.questions += Amount(len(batch))
            yield from self._looked_up(batch, plan, judged)
        self._distinct.end_partition()

    def stand_in(self, asks: Iterable[Ask]) -> None:
        """Let prompts of other rows stand for those that nobody can render yet."""
        for ask in islice(asks, SAMPLE):
            question = self.runner.questions.of(ask)
            messages = self.runner.questions.messages(question)
            self.prompts.see(prompt_bytes(messages))
            self.prompts.add(question.call_id, messages)

    def _looked_up(
        self, batch: list[Question], plan: PartitionPlan, judged: dict[str, int] | None
    ) -> Iterator[Outcome]:
        """The outcomes of first questions, in order; their further turns are looked up one after the other."""
        ended: dict[int, Outcome] = {}
        waiting = list(enumerate(batch))
        while waiting:
            ids = [question.call_id for _, question in waiting]
            found = self.runner.ledger.answers(self.step.template.name, ids, _COLUMNS)
            answers = {row[0]: row for row in found.iter_rows()}
            following = []
            for place, question in waiting:
                outcome = self._seen(question, answers.get(question.call_id), plan, judged)
                if isinstance(outcome, Question):
                    following.append((place, outcome))
                else:
                    ended[place] = outcome
            waiting = following
        yield from map(ended.__getitem__, range(len(batch)))

    def _seen(
        self, question: Question, row: tuple[Any, ...] | None, plan: PartitionPlan, judged: dict[str, int] | None
    ) -> Outcome | Question:
        """What is known of a question, or the next turn's question that follows from its answer."""
        messages = self.runner.questions.messages(question)
        size = prompt_bytes(messages)
        self.prompts.see(size)
        if row is not None:
            plan.reused += 1
            self.prompts.held_bytes += size
            self.prompts.held_tokens += row[-1]
            return self._answered(question, Answered._make(row[:-1]), plan, judged)
        if self._distinct.is_new(question.call_id):
            further = len(self.step.turns) - 1 - question.turn
            plan.new += Amount(1) + Amount(further, Basis.FUNNEL)
            plan.known += 1
            plan.known_bytes += size
            self.prompts.add(question.call_id, messages)
        else:
            plan.reused += 1
        return Outcome(question.ask, None, Parsed())

    def _answered(
        self, question: Question, call: Answered, plan: PartitionPlan, judged: dict[str, int] | None
    ) -> Outcome | Question:
        """What becomes of a stored answer; of one that has to be repaired, of its repair."""
        template = self.step.turns[question.turn]
        value, problem = read_answer(call.answer, template)
        parsed = None if problem else self.runner.questions.judged(question, value)
        repair = self.runner.questions.repair_of(question, call.answer, call.finish_reason, problem, parsed)
        if repair:
            found = self.runner.ledger.answers(self.step.template.name, [repair.call_id], Answered._fields)
            if found.is_empty():
                plan.repairs += Amount(1)
                plan.repair_bytes += prompt_bytes(self.runner.questions.messages(repair))
                return Outcome(question.ask, None, Parsed())
            call = mended(call, problem, Answered._make(found.row(0)), template)
            value, problem = read_answer(call.answer, template)
        if not problem and (further := self.runner.questions.next(question, Answer(call, value))):
            return further
        if judged is None:
            before = [answer.value for answer in question.before]
            return Outcome(question.ask, call, parse_call(self.step, question.ask, call, before))
        if call.call_id not in judged:
            return Outcome(question.ask, None, Parsed())
        rows, judged[call.call_id] = judged[call.call_id], 0  # those of all questions that share the call, once
        return Outcome(question.ask, call, Parsed(rows=[{}] * rows))
