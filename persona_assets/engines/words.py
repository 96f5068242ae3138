"""The words of a generating hop: what it asks and is given, what became of each question, what its run did."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from persona_assets.engines.base import Engine
from persona_assets.engines.ledger import Call, Ledger
from persona_assets.lake import Lake, Table
from persona_assets.prompts import Template
from persona_assets.settings import Settings

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
    """Told how many more questions are done, maybe from a thread of the engine; `total`, where given, starts anew."""

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
