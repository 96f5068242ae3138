"""The one runner of every generating step: ask, keep the answer, repair once, parse out of the ledger.

As far as the ledger answers them, questions are parsed as they are read. From the first one on that it lacks there are
two passes: one makes the missing calls, without a pause, and a repair call for each answer that does not fit its
schema; the other parses. Rows are made of nothing but the ledger, so a crash costs the calls in flight, a second run
makes none, and a mended parser costs nothing.
"""

import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, islice
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar

import orjson
import polars as pl

from persona_assets.engines.base import FINAL_FAULTS, NO_ANSWER, Completion, Failure, Request, Sampling, fault_reject
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake.schemas import CALLS
from persona_assets.steps.answers import REPAIR, UNUSABLE, parse_call, read_answer, refused, repair_messages
from persona_assets.steps.budget import BudgetReached
from persona_assets.steps.in_flight import Flight
from persona_assets.steps.model import Answered, Ask, Context, Json, Outcome, Parsed, Progress, Reject, Report, Step
from persona_assets.steps.outcomes import outcome_frames
from persona_assets.steps.questions import Question, Questions
from persona_assets.steps.turns import Turns

__all__ = [
    "REPAIR",
    "Answered",
    "Ask",
    "Context",
    "Json",
    "Outcome",
    "Parsed",
    "Progress",
    "Reject",
    "Report",
    "Step",
    "StepRunner",
    "outcome_frames",
    "parse_call",
    "read_answer",
    "repair_messages",
    "write_outcomes",
]

BATCH = 2048  # questions looked up, parsed and written at once: bounds memory, amortises look-ups
T = TypeVar("T")
SPOOLED = 1 << 20  # bytes of notes kept in memory; the rest of a pass goes to a temporary file
_NOTE = 24  # bytes noted of a question: its call's id and a hash of its parent's


class StepRunner:
    """Runs one step over one partition."""

    def __init__(self, step: Step, context: Context, shard: str) -> None:
        """Bind a step to a partition; nothing is asked yet."""
        self.step, self.context, self.shard = step, context, shard
        self.settings = context.settings.for_asset(step.table.name)
        self.engine = context.engine_for(self.settings)
        self.ledger = context.ledger
        self.identity = self.engine.identity(step.template)
        self.sampling = Sampling.of(self.settings, step.template)
        self.questions = Questions(step, self.identity, self.sampling)
        self.budget = context.budget()
        self.flight = Flight()
        self.turns = Turns(context.lake, context.run_id, step.template.name, self.ledger, self.flight, self.budget)
        self.report = Report()
        self._repaired: set[str] = set()  # repair calls made by this run
        self._has_more = False  # questions that the last stream has left unread
        self._began = time.monotonic()

    def run(self, asks: Callable[[], Iterable[Ask]], expected: int | None = None) -> Iterator[Outcome]:
        """Answer all questions of `asks` (called once or twice, the same each time), and yield what became of each.

        `expected` is their number where it is known beforehand, for the time left.

        Raises:
            EngineUnavailable: no answer can be had; what was answered is kept.
            BudgetReached: a cap was reached; what was answered is kept.
            PersonaAssetsError: the rows asked about were written anew meanwhile; what was answered is kept.
        """
        started = time.monotonic()
        if self.context.progress and expected is not None:
            self.context.progress(0, total=expected)
        self.ledger.keep_template(self.step.template)
        self.ledger.keep_template(REPAIR)
        batches = _batched(map(self.questions.of, asks()), BATCH)
        done = 0
        for batch in batches:
            answers = self._answers([question.call_id for question in batch])
            if len(answers) < len({question.call_id for question in batch}):
                yield from self._asked(asks, done, chain([batch], batches))
                break
            yield from self._outcomes(batch, answers)
            done += len(batch)
            self.report.calls_reused += len(batch)
            self._tick(len(batch))
        self.ledger.compact(self._template, self.shard)
        self.report.seconds += time.monotonic() - started

    def _asked(
        self, asks: Callable[[], Iterable[Ask]], done: int, batches: Iterable[list[Question]]
    ) -> Iterator[Outcome]:
        """Outcomes of the questions in `batches`, which are those of `asks` but for the first `done`."""
        with SpooledTemporaryFile(SPOOLED) as ids:  # so that nothing is rendered a second time
            self._make(batches, ids.write)
            ids.seek(0)
            for batch in _batched(islice(asks(), done, None), BATCH):
                keys = self._same(batch, ids.read(_NOTE * len(batch)))
                asked = [Question(ask, key) for ask, key in zip(batch, keys, strict=True)]
                yield from self._outcomes(asked, self._answers(keys))
                done += len(batch)
                if self.context.progress:
                    self.context.progress(0, note=f"answers read of {done:,}")
            self._same((), ids.read(1))

    def _same(self, asks: Sequence[Ask], noted: bytes) -> list[str]:
        """The ids of the calls of these asks, as they were noted when the calls were made.

        Raises:
            PersonaAssetsError: other rows were asked about, as what the step reads was written anew meanwhile.
        """
        ids, parents = noted[: len(noted) // _NOTE * 16], noted[len(noted) // _NOTE * 16 :]
        if len(noted) != _NOTE * len(asks) or parents != _parents(asks):
            raise PersonaAssetsError(
                f"{self.step.table.name} {self.shard}: what it is made from was written anew while it was asked about; "
                "run it again, what was answered is kept"
            )
        digits = ids.hex()
        return [f"call_{digits[at : at + 32]}" for at in range(0, len(digits), 32)]

    @property
    def _template(self) -> str:
        return self.step.template.name

    # Calls

    def _make(self, batches: Iterable[Sequence[Question]], note: Callable[[bytes], object]) -> None:
        """Make the calls that the ledger lacks, each stored before it is read; `note` is given every batch's ids."""
        self.turns.begin()
        try:
            for requests in self._streams(iter(batches), note):
                self._stream(requests)
                self.turns.claims.release()
        finally:
            self.turns.end()
        if self.budget.reached:
            raise BudgetReached(
                f"{self.step.table.name} {self.shard}: budget reached, {self.budget.reached}; what was answered is "
                "kept: raise the cap, or wait for the next day, and run it again"
            )

    def _streams(
        self, batches: Iterator[Sequence[Question]], note: Callable[[bytes], object]
    ) -> Iterator[Iterator[Request]]:
        """What has to be asked, one stream after the other. Between two of them nothing of this run is on its way."""
        yield self._missing(batches, note)
        while not self.budget.reached:
            if self.flight.repairs:  # those of the last answers
                yield self._repairs()
            elif self.turns.deferred:
                if mine := self._others():
                    yield self._ask(mine)
                elif self.turns.deferred and not self.budget.reached:
                    self.turns.claims.wait()
            elif self._has_more:
                yield self._missing(batches, note)
            else:
                return

    def _missing(self, batches: Iterator[Sequence[Question]], note: Callable[[bytes], object]) -> Iterator[Request]:
        """What has to be asked; may be pulled on a thread of the engine's."""
        self._has_more = True
        for batch in batches:
            ids = [question.call_id for question in batch]
            note(bytes.fromhex("".join([call_id[5:] for call_id in ids])) + _parents([q.ask for q in batch]))
            for some in _batched(batch, self.budget.at_once):
                yield from self._ask(self._mine(some))
                if self.budget.reached:
                    return
            if self.turns.is_full:
                return
        self._has_more = False
        yield from self._repairs()

    def _mine(self, questions: Sequence[Question]) -> list[Question]:
        """Those that this run has to ask."""
        before = [*self.turns.deferred.values(), *questions]
        return self._counted(before, self.turns.mine(questions))

    def _others(self) -> list[Question]:
        """Those that were left to other runs and have become this run's to ask."""
        before = [*self.turns.deferred.values()]
        return self._counted(before, self.turns.others())

    def _counted(self, before: Sequence[Question], mine: list[Question]) -> list[Question]:
        reused = _first(before) - _first(mine) - _first(self.turns.deferred.values())
        self.report.calls_reused += reused
        self._tick(reused)
        return mine

    def _ask(self, questions: Sequence[Question]) -> Iterator[Request]:
        for at, question in enumerate(questions):
            if question.repair is None:
                yield from self._repairs()
            if not self.turns.claims.intact():
                yield from self._ask(self._mine(questions[at:]))
                return
            if not self.budget.take():
                return
            yield self._request(question)

    def _repairs(self) -> Iterator[Request]:
        while self.flight.repairs and not self.budget.reached:
            repairs = [self.flight.repairs.popleft() for _ in range(len(self.flight.repairs))]
            # An earlier run may have made them, where only the answers that they repair were lost.
            yield from self._ask(self.turns.mine(repairs))

    def _request(self, question: Question) -> Request:
        self.flight.asked[question.call_id] = question
        # A further try must be able to differ from the first one on a server that keeps to its seed.
        attempt = question.ask.attempt
        sampling = replace(self.sampling, seed=self.sampling.seed + attempt) if attempt else self.sampling
        template = self.step.template
        if question.repair:
            self._repaired.add(question.call_id)
        return Request(
            question.call_id, self.questions.messages(question), template.response_schema, sampling, template
        )

    def _stream(self, requests: Iterator[Request]) -> None:
        for results in self.engine.stream(requests):
            answered: list[tuple[Question, Completion]] = []
            asked = 0
            for result in results:
                question = self.flight.asked[result.call_id]
                asked += question.repair is None
                self.report.faults.update(result.faults)
                if isinstance(result, Failure):
                    self.report.faults[result.reason] += 1
                    self.flight.failed[result.call_id] = result
                else:
                    answered.append((question, result))
            self._store(answered, len(results))
            landed = [self.flight.asked[result.call_id] for result in results]
            self.flight.land([question.call_id for question in landed])
            self.turns.landed(landed)
            for question, completion in answered:
                self._judge(question, completion)
            self._tick(asked)

    def _judge(self, question: Question, completion: Completion) -> None:
        """Have an answer that cannot be used repaired, while the engine is at it."""
        if question.repair is None and completion.finish_reason not in UNUSABLE:
            _, problem = read_answer(completion.text, self.step.template)
            if problem:
                self.flight.repairs.append(self.questions.repair_of(question, completion.text, problem))

    def _store(self, answered: Sequence[tuple[Question, Completion]], ended: int) -> None:
        """Keep the answers; `ended` calls have ended in all."""
        if not answered:
            self.budget.settle(ended, 0, 0, 0.0)
            return
        asks = [question.ask for question, _ in answered]
        given = [completion for _, completion in answered]
        tokens_in = pl.Series([completion.tokens_in for completion in given], dtype=pl.Int64)
        tokens_out = pl.Series([completion.tokens_out for completion in given], dtype=pl.Int64)
        cost = (tokens_in * self.settings.price_in + tokens_out * self.settings.price_out) / 1e6
        templates = [REPAIR if question.repair else self.step.template for question, _ in answered]
        cells: dict[str, Any] = {
            "call_id": [question.call_id for question, _ in answered],
            "template": [template.name for template in templates],
            "template_version": [template.version for template in templates],
            "template_digest": [template.digest for template in templates],
            "fill": [orjson.dumps(ask.fill, option=orjson.OPT_SORT_KEYS).decode() for ask in asks],
            "attempt": [ask.attempt for ask in asks],
            "answer": [completion.text for completion in given],
            "finish_reason": [completion.finish_reason for completion in given],
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "latency_s": [completion.latency_s for completion in given],
            "cost": cost,
            "retries": [completion.retries for completion in given],
            "faults": [",".join(completion.faults) for completion in given],
        }
        same = {
            "asset": self.step.table.name,
            "shard": self.shard,
            "model": self.identity.model,
            "model_revision": self.identity.revision,
            "sampling": orjson.dumps(self.sampling.as_dict(), option=orjson.OPT_SORT_KEYS).decode(),
            "run_id": self.context.run_id,
            "created_at": datetime.now(UTC),
        }
        dtypes = CALLS.polars
        frame = pl.DataFrame([pl.Series(name, values, dtypes[name]) for name, values in cells.items()])
        frame = frame.with_columns(pl.lit(value, dtypes[name]).alias(name) for name, value in same.items())
        self.ledger.store_frame(self._template, self.shard, frame.select(dtypes.names()))
        self._count(frame, ended)

    def _count(self, stored: pl.DataFrame, ended: int) -> None:
        tokens_in, tokens_out = int(stored["tokens_in"].sum()), int(stored["tokens_out"].sum())
        cost = float(stored["cost"].sum())
        report = self.report
        report.calls_made += stored.height
        report.tokens_in += tokens_in
        report.tokens_out += tokens_out
        report.cost += cost
        report.latency.add(stored["latency_s"])
        self.budget.settle(ended, stored.height, tokens_in + tokens_out, cost)

    def _tick(self, done: int) -> None:
        if self.context.progress:
            self.context.progress(done, note=self._note())

    def _note(self) -> str:
        """Such as `212 in flight, 1,200 reused, 1,840 tokens/s, cost 0.0123, rate_limited 3`."""
        report = self.report
        waiting = [f"{len(self.turns.deferred):,} left to other runs"] if self.turns.deferred else []
        if not (report.calls_made or report.faults):
            return ", ".join([f"{report.calls_reused:,} reused"] * bool(report.calls_reused) + waiting)
        rate = (report.tokens_in + report.tokens_out) / max(time.monotonic() - self._began, 1e-3)
        parts = [f"{len(self.flight.asked):,} in flight", f"{report.calls_reused:,} reused", f"{rate:,.0f} tokens/s"]
        parts += [f"cost {report.cost:,.4f}"] if report.cost else []
        return ", ".join(parts + waiting + [f"{reason} {count:,}" for reason, count in report.faults.most_common()])

    # Rows

    def _outcomes(self, questions: Sequence[Question], answers: Mapping[str, Answered]) -> Iterator[Outcome]:
        read: list[tuple[Question, Answered | None, Json, str]] = []
        repairs: dict[str, Question] = {}
        for question in questions:
            call = answers.get(question.call_id)
            value, problem = read_answer(call.answer, self.step.template) if call else (None, "")
            if call and problem and call.finish_reason not in UNUSABLE:
                repairs[question.call_id] = self.questions.repair_of(question, call.answer, problem)
            read.append((question, call, value, problem))
        mended = self._mended(list(repairs.values())) if repairs else {}
        for question, call, value, problem in read:
            repair = repairs.get(question.call_id)
            if repair and (better := mended.get(repair.call_id)):
                yield Outcome(question.ask, better, parse_call(self.step, question.ask, better))
            elif repair and self._may_pass(repair):
                yield Outcome(question.ask, call, self._unanswered(repair))
            elif call is None:
                yield Outcome(question.ask, None, self._unanswered(question))
            else:
                parsed = refused(call, problem) if problem else self.step.parse(question.ask, value)
                yield Outcome(question.ask, call, parsed)

    def _answers(self, call_ids: Sequence[str]) -> dict[str, Answered]:
        found = self.ledger.answers(self._template, call_ids, Answered._fields)
        return {row[0]: Answered._make(row) for row in found.iter_rows()}

    def _mended(self, repairs: Sequence[Question]) -> dict[str, Answered]:
        """The answers to repair calls; made now where an earlier run ended before them."""
        held = self.ledger.held(self._template, [repair.call_id for repair in repairs]).tolist()
        for repair, known in zip(repairs, held, strict=True):
            if not known and repair.call_id not in self.flight.failed:
                self.flight.repairs.append(repair)
            self.report.calls_reused += known and repair.call_id not in self._repaired
        if self.flight.repairs:
            self._make((), _forget)
        return self._answers([repair.call_id for repair in repairs])

    def _may_pass(self, repair: Question) -> bool:
        """Whether a repair call failed for a reason that may be gone the next time."""
        failure = self.flight.failed.get(repair.call_id)
        return failure is not None and failure.reason not in FINAL_FAULTS

    def _unanswered(self, question: Question) -> Parsed:
        failure = self.flight.failed.get(question.call_id)
        reason, detail = (failure.reason, failure.detail) if failure else (NO_ANSWER, "the engine gave no result")
        return Parsed(rejects=[Reject(fault_reject(reason), detail)])


def write_outcomes(runner: StepRunner, outcomes: Iterable[Outcome]) -> Report:
    """Write a partition and its rejects from a step's outcomes, every question accounted for (data contract 5)."""
    step, context, shard, report = runner.step, runner.context, runner.shard, runner.report
    with context.partition(step.table, shard) as part:
        for batch in _batched(outcomes, BATCH):
            rows, rejects = outcome_frames(step, batch, shard, context.run_id)
            report.inputs += len(batch)
            report.kept += rows.height
            report.rejected.update(rejects["reason"].to_list())
            part.rows.append(rows)
            part.rejects.append(rejects)
    return report


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _first(questions: Iterable[Question]) -> int:
    """How many of these are not repairs."""
    return sum(question.repair is None for question in questions)


def _parents(asks: Sequence[Ask]) -> bytes:
    """Eight bytes for each ask that tell the row it is about, in this process."""
    return array("q", [hash(ask.parent_id) for ask in asks]).tobytes()


def _forget(_: bytes) -> None:
    """Takes notes that nobody asks for."""
