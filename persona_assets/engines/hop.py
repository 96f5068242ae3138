"""The one runner of every generating hop: ask, keep the answer, repair once, parse out of the ledger.

A hop is three passes over its questions, each a stream: make the calls that the ledger lacks, make one repair call for
each answer that does not fit its schema, parse. Only the last pass builds rows, and it reads nothing but the ledger, so
a crash costs the calls in flight, a second run makes none, and a mended parser costs nothing.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Protocol, TypeVar

import polars as pl

from persona_assets.engines.base import (
    Completion,
    Engine,
    Failure,
    Request,
    Sampling,
    call_key,
)
from persona_assets.engines.ledger import Call, Ledger
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import REJECTED
from persona_assets.prompts import Message, Template, load_template
from persona_assets.prompts.template import PROMPTS
from persona_assets.settings import Settings

BATCH = 2048  # questions rendered, looked up and parsed at once: bounds memory, amortises look-ups
REPAIR = load_template(PROMPTS / "repair.yaml")
T = TypeVar("T")
Json = Any


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: the row it is about, and the plain values that go into the prompt beside it.

    `fill` holds the parent's id under `document_id` or `persona_id` and JSON values; with the parent row it determines
    the prompt, which is how an audit renders it again.
    """

    row: Mapping[str, Any]
    fill: Mapping[str, Json]
    attempt: int = 0

    @property
    def parent_id(self) -> str:
        """Id of the row the question is about."""
        return str(self.fill["persona_id"] if "persona_id" in self.fill else self.fill["document_id"])


@dataclass(frozen=True, slots=True)
class Reject:
    """A row set aside: its id (None: the question as a whole), a short reason code and what was seen."""

    reason: str
    detail: str
    row_id: str | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one answer holds: rows without call and run columns, and what was refused."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


class Hop(Protocol):
    """A generating hop: how a question is filled in, and what rows its answer holds. Both are pure."""

    @property
    def table(self) -> Table:
        """The table it writes."""
        ...

    @property
    def template(self) -> Template:
        """What it asks."""
        ...

    def variables(self, ask: Ask) -> dict[str, Json]:
        """The template's variables, from the row and the fill alone."""
        ...

    def parse(self, ask: Ask, answer: Json) -> Parsed:
        """Rows out of an answer that fits the schema, from the row, the fill and the answer alone."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question."""

    ask: Ask
    call: Call | None
    parsed: Parsed


@dataclass
class Report:
    """What a partition's run did; shown as metadata and summed into the funnel."""

    inputs: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    calls_made: int = 0
    calls_reused: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)


class Progress(Protocol):
    """Told how many more questions are done; `total`, where given, starts a new count."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """Count `done` more."""
        ...


@dataclass(frozen=True)
class Context:
    """What every hop needs to run: where it writes, who answers, under which settings and run."""

    lake: Lake
    settings: Settings
    engine: Engine
    run_id: str
    progress: Progress | None = None

    @property
    def ledger(self) -> Ledger:
        """The ledger of this lake."""
        return Ledger(self.lake)


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
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        return None, f"not JSON: {error}"
    errors = sorted(template.validator.iter_errors(value), key=lambda error: str(error.json_path))
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
                for question in batch:
                    if question.call_id in known or question.call_id in seen:
                        self.report.calls_reused += 1
                        self._tick(1)
                        continue
                    seen.add(question.call_id)
                    asked[question.call_id] = question
                    yield Request(
                        question.call_id,
                        question.messages,
                        self.hop.template.response_schema,
                        self.sampling,
                        self.hop.template,
                    )

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
        value, problem = read_answer(call.answer, self.hop.template)
        if problem:
            if call.finish_reason == "length":
                return Parsed(rejects=[Reject("truncated", f"cut at {call.tokens_out} tokens; {problem}")])
            return Parsed(rejects=[Reject("parse_failure", problem)])
        return self.hop.parse(question.ask, value)


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
