"""The one runner of every generating step: ask, keep the answer, repair once, parse out of the ledger.

As far as the ledger answers them, questions are parsed as they are read. From the first one on that it lacks there
are two passes: one makes the missing calls, without a pause, with the turns that follow from an answer and a repair
call for each answer that cannot be used and may be mended; the other parses. Rows are made of nothing but the ledger,
so a crash costs the calls in flight, a second run makes none, and a mended parser costs nothing.
"""

import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar

import orjson
import polars as pl

from persona_assets.engines.base import (
    FINAL_FAULTS,
    NO_ANSWER,
    Completion,
    Engine,
    Failure,
    Request,
    Sampling,
    fault_reject,
)
from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import Json
from persona_assets.lake.schemas import CALLS
from persona_assets.ledger.asked_again import AskedAgain
from persona_assets.prompts import Template
from persona_assets.steps.answers import (
    REPAIR,
    Read,
    mended,
    parse_call,
    read,
    read_answer,
    refused,
    repair_templates,
    set_aside,
    settled,
)
from persona_assets.steps.budget import BudgetReached
from persona_assets.steps.in_flight import Flight
from persona_assets.steps.model import Answered, Ask, Context, Outcome, Parsed, Reject, Report, Step
from persona_assets.steps.outcomes import outcome_frames
from persona_assets.steps.questions import Answer, Question, Questions, Voice
from persona_assets.steps.turns import Turns

__all__ = [
    "REPAIR",
    "Answered",
    "Ask",
    "Context",
    "Outcome",
    "Parsed",
    "Reject",
    "Report",
    "Step",
    "StepRunner",
    "outcome_frames",
    "parse_call",
    "read_answer",
    "write_outcomes",
]

COERCED = "answers read as meant"  # of a report: those whose JSON was not quite what was asked for
BATCH = 2048  # questions looked up, parsed and written at once: bounds memory, amortises look-ups
ANOTHER = 1009  # by how much the seed of another asking differs; there are never so many attempts
T = TypeVar("T")
SPOOLED = 1 << 20  # bytes of notes kept in memory; the rest of a pass goes to a temporary file
_NOTE = 24  # bytes noted of a question: its call's id and a hash of its parent's


@dataclass(frozen=True, slots=True)
class _Unread:
    """A question that has no answer which can be read: what its outcome is."""

    call: Answered | None
    parsed: Parsed


class StepRunner:
    """Runs one step over one partition."""

    def __init__(self, step: Step, context: Context, shard: str) -> None:
        """Bind a step to a partition; nothing is asked yet."""
        self.step, self.context, self.shard = step, context, shard
        self.ledger = context.ledger
        name = step.table.name
        self._settings = [context.settings.for_asset(name, turn=turn.voice, by=turn.by) for turn in step.turns]
        # Turns that one engine answers share a lane, named by the first of them.
        self._lanes = [self._settings.index(settings) for settings in self._settings]
        self.questions = Questions(step, self._voice, lambda: AskedAgain(context.lake).of(name, shard))
        self.identity, self.sampling = self.questions.voices[0].identity, self.questions.voices[0].sampling
        self.budget = context.budget()
        self.flight = Flight(len(step.turns))
        self.turns = Turns(context.lake, context.run_id, step.template.name, self.ledger, self.flight, self.budget)
        self.report = Report()
        self._followed: set[str] = set()  # repairs and later turns that were asked by this run
        self._has_more = False  # questions that the last stream has left unread
        self._began = time.monotonic()

    def run(self, asks: Callable[[], Iterable[Ask]], expected: int | None = None) -> Iterator[Outcome]:
        """Answer all questions of `asks` (called once or twice, the same each time), and yield what became of each.

        `expected` is their number where it is known beforehand, for the time left.

        Raises:
            EngineUnavailable: no answer can be had; what was answered is kept.
            BudgetReached: a cap was reached; what was answered is kept.
            LeaseLost: another run has taken the partition over; what was answered is kept.
            PersonaAssetsError: the rows asked about were written anew meanwhile; what was answered is kept.
        """
        started = time.monotonic()
        if self.context.progress and expected is not None:
            self.context.progress(0, total=expected)
        for turn, template in enumerate(self.step.turns):
            for each in (template, *repair_templates(turn)):
                self.ledger.keep_template(each)
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

    def _voice(self, template: Template) -> Voice:
        settings = self._settings[template.turn]
        identity = self.context.engine_for(settings).identity(template)
        return Voice(template, identity, Sampling.of(settings, template))

    @property
    def _template(self) -> str:
        return self.step.template.name

    # Calls

    def _make(self, batches: Iterable[Sequence[Question]], note: Callable[[bytes], object]) -> None:
        """Make the calls that the ledger lacks, each stored before it is read; `note` is given every batch's ids."""
        self.turns.begin()
        try:
            for lane, requests in self._streams(iter(batches), note):
                self._stream(self.context.engine_for(self._settings[lane]), requests)
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
    ) -> Iterator[tuple[int, Iterator[Request]]]:
        """What has to be asked, one stream after the other, each with its lane.

        Between two of them nothing of this run is on its way.
        """
        yield 0, self._missing(batches, note)
        while not self.budget.reached:
            if (lane := self.flight.fullest_lane) is not None:  # follow-ups of the last answers
                yield lane, self._follow_ups(lane)
            elif self.turns.deferred:
                if mine := self._others():
                    lane = self._lanes[mine[0].turn]
                    self.turns.put_back([question for question in mine if self._lanes[question.turn] != lane])
                    yield lane, self._ask([question for question in mine if self._lanes[question.turn] == lane])
                elif self.turns.deferred and not self.budget.reached:
                    self.turns.claims.wait()
            elif self._has_more:
                yield 0, self._missing(batches, note)
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
            if self.turns.is_full or self.flight.is_full:
                return
        self._has_more = False
        yield from self._follow_ups(0)

    def _mine(self, questions: Sequence[Question]) -> list[Question]:
        """Those that this run has to ask."""
        self.context.check_lease(self.step.table, self.shard)
        before = [*self.turns.deferred.values(), *questions]
        return self._counted(before, self.turns.mine(questions))

    def _others(self) -> list[Question]:
        """Those that were left to other runs and have become this run's to ask."""
        self.context.check_lease(self.step.table, self.shard)
        before = [*self.turns.deferred.values()]
        return self._counted(before, self.turns.others())

    def _counted(self, before: Sequence[Question], mine: list[Question]) -> list[Question]:
        reused = _first(before) - _first(mine) - _first(self.turns.deferred.values())
        self.report.calls_reused += reused
        self._tick(reused)
        return mine

    def _ask(self, questions: Sequence[Question]) -> Iterator[Request]:
        for at, question in enumerate(questions):
            if question.given is None:
                yield from self._follow_ups(0)
            if not self.turns.claims.intact():
                self.context.check_lease(self.step.table, self.shard, stood_still=True)
                yield from self._ask(self._mine(questions[at:]))
                return
            if not self.budget.take():
                return
            yield self._request(question)

    def _follow_ups(self, lane: int) -> Iterator[Request]:
        while (waiting := self.flight.follow_ups[lane]) and not self.budget.reached:
            some = [waiting.popleft() for _ in range(len(waiting))]
            # An earlier run may have made them, where only the answers that they follow were lost.
            yield from self._ask(self.turns.mine(some))

    def _request(self, question: Question) -> Request:
        self.flight.asked[question.call_id] = question
        voice = self.questions.voices[question.turn]
        # A further try must be able to differ from the first one on a server that keeps to its seed.
        sampling = self.questions.sampling(question)
        if further := question.ask.attempt + ANOTHER * sampling.asking:
            sampling = replace(sampling, seed=sampling.seed + further)
        if question.given is not None:
            self._followed.add(question.call_id)
        messages, template = self.questions.messages(question), voice.template
        return Request(question.call_id, messages, template.asked_schema, sampling, template, template.scores)

    def _stream(self, engine: Engine, requests: Iterator[Request]) -> None:
        for given in engine.stream(requests):
            results = [settled(result, self._template_of(result.call_id)) for result in given]
            answered: list[tuple[Question, Completion]] = []
            asked = 0
            for result in results:
                question = self.flight.asked[result.call_id]
                asked += question.given is None
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
            self.context.check_lease(self.step.table, self.shard)

    def _template_of(self, call_id: str) -> Template:
        """The template of the turn that a call on its way asks."""
        return self.questions.voices[self.flight.asked[call_id].turn].template

    def _judge(self, question: Question, completion: Completion) -> None:
        """Have an answer that cannot be used repaired, and go on from one that can, while the engine is at it."""
        template = self.questions.voices[question.turn].template
        value, problem = read_answer(completion.text, template)
        parsed = None if problem else self.questions.judged(question, value)
        if repair := self.questions.repair_of(question, completion.text, completion.finish_reason, problem, parsed):
            self._follow(repair)
        elif not problem and len(self._lanes) > 1:
            call = Answered(
                question.call_id,
                completion.text,
                completion.finish_reason,
                completion.tokens_out,
                self.questions.voices[question.turn].identity.model,
            )
            if following := self.questions.next(question, Answer(call, value)):
                self._follow(following)

    def _follow(self, question: Question) -> None:
        self.flight.follow_ups[self._lanes[question.turn]].append(question)

    def _store(self, answered: Sequence[tuple[Question, Completion]], ended: int) -> None:
        """Keep the answers; `ended` calls have ended in all."""
        if not answered:
            self.budget.settle(ended, 0, 0, 0.0)
            return
        by_turn: dict[int, list[tuple[Question, Completion]]] = {}
        for one in answered:
            by_turn.setdefault(len(one[0].before), []).append(one)
        frame = pl.concat([self._calls(turn, some) for turn, some in by_turn.items()])
        self.ledger.store_frame(self._template, self.shard, frame)
        self._count(frame, ended)

    def _calls(self, turn: int, answered: Sequence[tuple[Question, Completion]]) -> pl.DataFrame:
        """Answers of one turn as the ledger keeps them."""
        asked = [question for question, _ in answered]
        given = [completion for _, completion in answered]
        voice, settings = self.questions.voices[turn], self._settings[turn]
        templates = [question.repair or voice.template for question in asked]
        tokens_in = pl.Series([completion.tokens_in for completion in given], dtype=pl.Int64)
        tokens_out = pl.Series([completion.tokens_out for completion in given], dtype=pl.Int64)
        cells: dict[str, Any] = {
            "call_id": [question.call_id for question in asked],
            "template": [template.name for template in templates],
            "template_version": [template.version for template in templates],
            "template_digest": [template.digest for template in templates],
            "fill": [_sorted_json(question.fill()) for question in asked],
            "sampling": [_sorted_json(self.questions.sampling(question).as_dict()) for question in asked],
            "attempt": [question.ask.attempt for question in asked],
            "answer": [completion.text for completion in given],
            "thought": [completion.thought for completion in given],
            "finish_reason": [completion.finish_reason for completion in given],
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "latency_s": [completion.latency_s for completion in given],
            "cost": (tokens_in * settings.price_in + tokens_out * settings.price_out) / 1e6,
            "retries": [completion.retries for completion in given],
            "faults": [",".join(completion.faults) for completion in given],
        }
        same = {
            "asset": self.step.table.name,
            "shard": self.shard,
            "model": voice.identity.model,
            "model_revision": voice.identity.revision,
            "run_id": self.context.run_id,
            "created_at": datetime.now(UTC),
        }
        dtypes = CALLS.polars
        frame = pl.DataFrame([pl.Series(name, values, dtypes[name]) for name, values in cells.items()])
        frame = frame.with_columns(pl.lit(value, dtypes[name]).alias(name) for name, value in same.items())
        return frame.select(dtypes.names())

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
        """What became of these first questions, in order; `answers` are to them. One turn of all after the other."""
        if len(self._lanes) == 1:
            for question, read in zip(questions, self._read(questions, answers), strict=True):
                yield self._ended(question, read)
            return
        ended: dict[int, Outcome] = {}
        waiting = list(enumerate(questions))
        while waiting:
            following = []
            found = self._read([question for _, question in waiting], answers)
            for (place, question), read in zip(waiting, found, strict=True):
                further = self.questions.next(question, read) if isinstance(read, Answer) else None
                if further:
                    following.append((place, further))
                else:
                    ended[place] = self._ended(question, read)
            waiting = following
            answers = self._also([question for _, question in waiting]) if waiting else {}
        yield from map(ended.__getitem__, range(len(questions)))

    def _ended(self, question: Question, read: "Answer | _Unread") -> Outcome:
        before = tuple([answer.call for answer in question.before]) if question.before else ()
        if isinstance(read, _Unread):
            return Outcome(question.ask, read.call, read.parsed, before)
        values = [answer.value for answer in question.before] if question.before else ()
        parsed = read.parsed or self.step.parse(question.ask, read.value, values)
        return Outcome(question.ask, read.call, parsed, before)

    def _read(self, questions: Sequence[Question], answers: Mapping[str, Answered]) -> "Iterator[Answer | _Unread]":
        """The answer to each question of one turn that can be read, maybe repaired, or why there is none."""
        template = self.questions.voices[questions[0].turn].template
        found: list[tuple[Question, Answered | None, Json, str, Parsed | None]] = []
        repairs: dict[str, Question] = {}
        for question in questions:
            call = answers.get(question.call_id)
            value, problem, coerced = read(call.answer, template) if call else Read(None)
            if coerced:
                self.report.extra[COERCED] = self.report.extra.get(COERCED, 0) + 1
            parsed = self.questions.judged(question, value) if call and not problem else None
            if call and (
                repair := self.questions.repair_of(question, call.answer, call.finish_reason, problem, parsed)
            ):
                repairs[question.call_id] = repair
            found.append((question, call, value, problem, parsed))
        repaired = self._also(list(repairs.values())) if repairs else {}
        for question, call, value, problem, parsed in found:
            repair = repairs.get(question.call_id)
            if call and repair and (better := repaired.get(repair.call_id)):
                if (best := mended(call, problem, better, template)) is better:
                    call, parsed = best, None
                    value, problem = read_answer(call.answer, template)
            elif repair and self._may_pass(repair):
                yield _Unread(call, self._unanswered(repair))
                continue
            if call is None:
                yield _Unread(None, self._unanswered(question))
            elif problem:
                yield _Unread(call, refused(template, call, problem))
            else:
                yield Answer(call, value, parsed)

    def _answers(self, call_ids: Sequence[str]) -> dict[str, Answered]:
        found = self.ledger.answers(self._template, call_ids, Answered._fields)
        return {row[0]: Answered._make(row) for row in found.iter_rows()}

    def _also(self, questions: Sequence[Question]) -> dict[str, Answered]:
        """The answers to repairs and later turns; made now where an earlier run ended before them."""
        held = self.ledger.held(self._template, [question.call_id for question in questions]).tolist()
        missing = False
        for question, known in zip(questions, held, strict=True):
            if not known and question.call_id not in self.flight.failed:
                self._follow(question)
                missing = True
            self.report.calls_reused += known and question.call_id not in self._followed
        if missing:
            self._make((), _forget)
        return self._answers([question.call_id for question in questions])

    def _may_pass(self, repair: Question) -> bool:
        """Whether a repair call failed for a reason that may be gone the next time."""
        failure = self.flight.failed.get(repair.call_id)
        return failure is not None and failure.reason not in FINAL_FAULTS

    def _unanswered(self, question: Question) -> Parsed:
        failure = self.flight.failed.get(question.call_id)
        reason, detail = (failure.reason, failure.detail) if failure else (NO_ANSWER, "the engine gave no result")
        return set_aside(self.questions.voices[question.turn].template, fault_reject(reason), detail)


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


def _sorted_json(value: Json) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _first(questions: Iterable[Question]) -> int:
    """How many of these are what an ask begins with."""
    return sum(question.given is None for question in questions)


def _parents(asks: Sequence[Ask]) -> bytes:
    """Eight bytes for each ask that tell the row it is about, in this process."""
    return array("q", [hash(ask.parent_id) for ask in asks]).tobytes()


def _forget(_: bytes) -> None:
    """Discard the ids of calls."""
