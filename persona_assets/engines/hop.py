"""The one runner of every generating hop: ask, keep the answer, repair once, parse out of the ledger.

A hop is three passes over its questions, each a stream: make the calls that the ledger lacks, make one repair call for
each answer that does not fit its schema, parse. Only the last pass builds rows, and it reads nothing but the ledger, so
a crash costs the calls in flight, a second run makes none, and a mended parser costs nothing.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

import orjson
import polars as pl

from persona_assets.engines.base import (
    Completion,
    Failure,
    Request,
    Sampling,
    call_key,
)
from persona_assets.engines.ledger import Call
from persona_assets.engines.words import Ask, Context, Hop, Json, Outcome, Parsed, Progress, Reject, Report
from persona_assets.lake.schemas import REJECTED
from persona_assets.prompts import Message, Template, load_template
from persona_assets.prompts.template import PROMPTS

__all__ = [
    "Ask",
    "Context",
    "Hop",
    "HopRunner",
    "Json",
    "Outcome",
    "Parsed",
    "Progress",
    "Reject",
    "Report",
    "batched",
    "call_columns",
    "outcome_rows",
    "read_answer",
    "repair_messages",
    "write_outcomes",
]

BATCH = 2048  # questions rendered, looked up and parsed at once: bounds memory, amortises look-ups
REPAIR = load_template(PROMPTS / "repair.yaml")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Question:
    ask: Ask
    messages: list[Message]
    call_id: str


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` items."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def read_answer(text: str, template: Template) -> tuple[Json, str]:
    """The JSON value in an answer and "", or None and what is wrong with it; code fences around it are removed."""
    body = text.strip()
    if body.startswith("```"):
        body = body.split("\n", 1)[-1].rsplit("```", 1)[0]
    try:
        # Not the json module: it lets lone surrogates and NaN through, which no Parquet file and no JSON can hold.
        value = orjson.loads(body)
    except ValueError as error:
        return None, f"not JSON: {error}"
    try:
        errors = sorted(template.validator.iter_errors(value), key=lambda error: str(error.json_path))
    except RecursionError:
        return None, "nested too deeply"
    if errors:
        return None, f"{errors[0].json_path}: {errors[0].message[:200]}"
    return value, ""


class HopRunner:
    """Runs one hop over one partition."""

    def __init__(self, hop: Hop, context: Context, shard: str) -> None:
        """Bind a hop to a partition; nothing is asked yet."""
        self.hop, self.context, self.shard = hop, context, shard
        self.ledger = context.ledger
        self.identity = context.engine.identity(hop.template)
        self.sampling = Sampling.of(context.settings, hop.template)
        self.report = Report()
        self.failures: dict[str, Failure] = {}

    def run(self, asks: Callable[[], Iterable[Ask]], expected: int | None = None) -> Iterator[Outcome]:
        """Answer all questions of `asks` (called once per pass, the same each time) and yield what became of each.

        `expected` is their number where it is known beforehand, for the time left.

        Raises:
            EngineUnavailable: no answer can be had; what was answered is kept.

        """
        started = time.monotonic()
        if self.context.progress and expected is not None:
            self.context.progress(0, total=expected)
        self.ledger.keep_template(self.hop.template)
        self.ledger.keep_template(REPAIR)
        self._make(lambda: self._questions(asks()))
        self._make(lambda: self._repairs(asks()))
        for batch in batched(self._questions(asks()), BATCH):
            yield from self._outcomes(batch)
        self.ledger.compact(self.hop.template.name, self.shard)
        self.report.seconds += time.monotonic() - started

    # Questions

    def _questions(self, asks: Iterable[Ask]) -> Iterator[_Question]:
        for ask in asks:
            messages = self.hop.template.render(self.hop.variables(ask))
            yield _Question(ask, messages, self._key(messages, ask.attempt))

    def _key(self, messages: list[Message], attempt: int) -> str:
        return call_key(messages, self.hop.template.response_schema, self.identity, self.sampling, attempt)

    def _repair_of(self, question: _Question, call: Call) -> _Question | None:
        """The follow-up that shows a model its answer and what is wrong with it; None where nothing is."""
        _, problem = read_answer(call.answer, self.hop.template)
        if not problem:
            return None
        fill = {"repair_of": call.call_id, "problem": problem}
        messages = [*question.messages, *repair_messages(call.answer, problem)]
        return _Question(
            Ask(question.ask.row, fill, question.ask.attempt),
            messages,
            self._key(messages, question.ask.attempt),
        )

    def _repairs(self, asks: Iterable[Ask]) -> Iterator[_Question]:
        for batch in batched(self._questions(asks), BATCH):
            calls = self._lookup(batch)
            for question in batch:
                if call := calls.get(question.call_id):
                    repair = self._repair_of(question, call)
                    if repair:
                        yield repair

    # Calls

    def _lookup(self, questions: Sequence[_Question]) -> dict[str, Call]:
        return self.ledger.lookup(self.hop.template.name, [question.call_id for question in questions])

    def _make(self, questions: Callable[[], Iterator[_Question]]) -> None:
        """Make the calls that the ledger lacks; each answer is stored before anything reads it."""
        asked: dict[str, _Question] = {}
        seen: set[str] = set()

        def missing() -> Iterator[Request]:
            for batch in batched(questions(), BATCH):
                known = self._lookup(batch)
                reused = 0
                for question in batch:
                    if question.call_id in known or question.call_id in seen:
                        reused += 1
                        continue
                    seen.add(question.call_id)
                    asked[question.call_id] = question
                    yield self._request(question)
                self.report.calls_reused += reused
                self._tick(reused)

        for results in self.context.engine.stream(missing()):
            calls = []
            for result in results:
                question = asked.pop(result.call_id)
                if isinstance(result, Failure):
                    self.failures[result.call_id] = result
                else:
                    calls.append(self._call(question, result))
            self.ledger.store(self.hop.template.name, self.shard, calls)
            self._count(calls)
            self._tick(len(results))

    def _request(self, question: _Question) -> Request:
        # A further try must be able to differ from the first one on a server that keeps to its seed.
        sampling = replace(self.sampling, seed=self.sampling.seed + question.ask.attempt)
        template = self.hop.template
        return Request(question.call_id, question.messages, template.response_schema, sampling, template)

    def _call(self, question: _Question, completion: Completion) -> Call:
        settings = self.context.settings
        template = REPAIR if "repair_of" in question.ask.fill else self.hop.template
        return Call(
            call_id=question.call_id,
            hop=self.hop.table.name,
            shard=self.shard,
            template=template.name,
            template_version=template.version,
            template_digest=template.digest,
            fill=json.dumps(dict(question.ask.fill), ensure_ascii=False, sort_keys=True),
            model=self.identity.model,
            model_revision=self.identity.revision,
            sampling=json.dumps(self.sampling.as_dict(), sort_keys=True),
            attempt=question.ask.attempt,
            answer=completion.text,
            finish_reason=completion.finish_reason,
            tokens_in=completion.tokens_in,
            tokens_out=completion.tokens_out,
            latency_s=completion.latency_s,
            cost=(completion.tokens_in * settings.price_in + completion.tokens_out * settings.price_out) / 1e6,
            retries=completion.retries,
            faults=",".join(completion.faults),
            run_id=self.context.run_id,
            created_at=datetime.now(UTC),
        )

    def _count(self, calls: Sequence[Call]) -> None:
        self.report.calls_made += len(calls)
        self.report.tokens_in += sum(call.tokens_in for call in calls)
        self.report.tokens_out += sum(call.tokens_out for call in calls)
        self.report.cost += sum(call.cost for call in calls)

    def _tick(self, done: int) -> None:
        if self.context.progress:
            self.context.progress(done)

    # Rows

    def _outcomes(self, batch: Sequence[_Question]) -> Iterator[Outcome]:
        calls = self._lookup(batch)
        repairs = {
            question.call_id: repair
            for question in batch
            if (call := calls.get(question.call_id)) and (repair := self._repair_of(question, call))
        }
        repaired = self._lookup(list(repairs.values())) if repairs else {}
        for question in batch:
            repair = repairs.get(question.call_id)
            call = calls.get(question.call_id)
            if repair:
                call = repaired.get(repair.call_id) or call
            yield Outcome(question.ask, call, self._parse(question, call))

    def _parse(self, question: _Question, call: Call | None) -> Parsed:
        if call is None:
            failure = self.failures.get(question.call_id)
            reason, detail = (failure.reason, failure.detail) if failure else ("no_answer", "the engine gave no result")
            return Parsed(rejects=[Reject(f"engine_{reason}", detail)])
        return parse_call(self.hop, question.ask, call)


def parse_call(hop: Hop, ask: Ask, call: Call) -> Parsed:
    """What a stored answer holds: rows and rejects, or one reject of the question where it cannot be read."""
    value, problem = read_answer(call.answer, hop.template)
    if not problem:
        return hop.parse(ask, value)
    if call.finish_reason == "length":
        return Parsed(rejects=[Reject("truncated", f"cut at {call.tokens_out} tokens; {problem}")])
    return Parsed(rejects=[Reject("parse_failure", problem)])


def repair_messages(answer: str, problem: str) -> list[Message]:
    """The two messages that a repair call adds to the original ones."""
    return REPAIR.render({"answer": answer, "problem": problem})


def write_outcomes(runner: HopRunner, outcomes: Iterable[Outcome]) -> Report:
    """Write a partition and its rejects from a hop's outcomes, every question accounted for (data contract 5)."""
    hop, context, shard, report = runner.hop, runner.context, runner.shard, runner.report
    with (
        context.lake.writer(hop.table, shard, context.run_id) as kept,
        context.lake.rejects_writer(hop.table, shard, context.run_id) as rejected,
    ):
        for batch in batched(outcomes, BATCH):
            rows, rejects = outcome_rows(hop, batch, shard, context.run_id)
            report.inputs += len(batch)
            report.kept += len(rows)
            report.rejected.update(reject["reason"] for reject in rejects)
            kept.append(pl.DataFrame(rows, schema=hop.table.polars))
            rejected.append(pl.DataFrame(rejects, schema=REJECTED.polars))
    return report


def outcome_rows(
    hop: Hop, outcomes: Iterable[Outcome], shard: str, run_id: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows and rejects of a hop with their call and run columns."""
    now = datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    rejects: list[dict[str, Any]] = []
    for outcome in outcomes:
        run = {"shard": shard, "run_id": run_id, "created_at": now}
        if outcome.call:
            rows.extend({**row, **call_columns(hop, outcome.call), **run} for row in outcome.parsed.rows)
        found = list(outcome.parsed.rejects)
        if not outcome.parsed.rows and all(reject.row_id for reject in found):
            found.append(Reject("nothing_left", f"none of {len(found)} parts of the answer was kept"))
        call_id = outcome.call.call_id if outcome.call else None
        rejects.extend(
            {
                "hop": hop.table.name,
                "row_id": reject.row_id or outcome.ask.parent_id,
                "parent_id": outcome.ask.parent_id,
                "reason": reject.reason,
                "detail": reject.detail,
                "file": None,
                "record_offset": None,
                "call_id": call_id,
                **run,
            }
            for reject in found
        )
    return rows, rejects


def call_columns(hop: Hop, call: Call) -> dict[str, Any]:
    """The columns that tie a row to the call it came from."""
    return {
        "call_id": call.call_id,
        "template": hop.template.name,
        "template_version": hop.template.version,
        "model": call.model,
    }
