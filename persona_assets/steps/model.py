"""The words of a generating step: what it asks and is given, what became of each question, what its run did."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from persona_assets.engines.base import Engine
from persona_assets.engines.select import Engines
from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import Json
from persona_assets.lake import Lake, Table
from persona_assets.lake.heartbeat import Holder
from persona_assets.lake.leases import Lease, hold
from persona_assets.lake.store import Making, PartitionWriter, Turn
from persona_assets.ledger.ledger import Ledger
from persona_assets.progress import Progress
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.steps.budget import Budget, Spent, today_of
from persona_assets.steps.latency import Latency

Ref = tuple[str, str]  # a row: its table and its id


@dataclass(slots=True)  # not frozen: that takes twice as long, for each of millions
class Ask:
    """One question: the row it is about, and the plain values that go into the prompt beside it.

    `about` names the rows that it is about, by table and id; `row` has their columns. With the row `fill`, JSON values,
    determines the prompt, which is how an audit renders it again. `question` is its id where a row is asked about more
    than once; else the row's. `items` are ids where each of several rows gets an answer of its own.
    """

    row: Mapping[str, Any]
    fill: Mapping[str, Json]
    attempt: int = 0
    about: tuple[Ref, ...] = ()
    question: str = ""
    items: tuple[str, ...] = ()  # in the order of `about`

    @property
    def parent_id(self) -> str:
        """Id of the row the question is about, or of the first of several."""
        if self.about:
            return self.about[0][1]
        # As lakes of earlier versions name it.
        return str(self.fill["persona_id"] if "persona_id" in self.fill else self.fill["document_id"])

    @property
    def question_id(self) -> str:
        """Id of the question: what a reject of it as a whole is named by."""
        return self.question or self.parent_id

    def stored_fill(self) -> dict[str, Json]:
        """What a call keeps of it: its values, and the rows that it is about by table."""
        if len(self.about) == 1:
            [(table, row_id)] = self.about
            return {**self.fill, "about": {table: [row_id]}}
        if not self.about:
            return dict(self.fill)
        about: dict[str, list[str]] = {}
        for table, row_id in self.about:
            about.setdefault(table, []).append(row_id)
        return {**self.fill, "about": about}


def refs_of(fill: Mapping[str, Json]) -> tuple[Ref, ...]:
    """The rows that a stored fill names, by table and id; earlier versions did not name the table of a persona.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it names none, or is malformed.
    """
    if "about" in fill:
        return tuple((str(table), str(one)) for table, ids in fill["about"].items() for one in ids)
    return (("", str(fill["persona_id"])),) if "persona_id" in fill else (("raw_documents", str(fill["document_id"])),)


@dataclass(frozen=True, slots=True)
class Reject:
    """A row set aside: its id (None: the question as a whole), a short reason code and what was seen.

    `parent_id` is the row it came from, where that is not the first one that the question is about.
    """

    reason: str
    detail: str
    row_id: str | None = None
    parent_id: str | None = None
    may_mend: bool = False  # whether a repair may mend what was seen


@dataclass(slots=True)
class Parsed:
    """What one answer holds: rows without call and run columns, and what was refused."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def mends(self) -> str:
        """What a repair is to mend, in words: "" where a row was kept, or nothing that a repair may mend was seen."""
        if self.rows:
            return ""
        return next((f"{one.reason}: {one.detail}" for one in self.rejects if one.may_mend), "")


class Step(Protocol):
    """A generating step: how a question is filled in, and what rows its answers hold. All of it is pure.

    A question has one turn, or several: `turns` holds the prompt of each. The answers to the turns before are JSON
    values that fit the schemas of their turns.
    """

    @property
    def table(self) -> Table:
        """The table it writes."""
        ...

    @property
    def template(self) -> Template:
        """What it asks first."""
        ...

    @property
    def turns(self) -> tuple[Template, ...]:
        """The prompts of all turns; the first is `template`."""
        ...

    @property
    def mends(self) -> bool:
        """Whether it has rules whose faults a repair may mend."""
        ...

    def variables(self, ask: Ask, before: Sequence[Json] = ()) -> dict[str, Json]:
        """The variables of a turn's prompt, from the row, the fill and the answers to the turns before it alone."""
        ...

    def parse(self, ask: Ask, answer: Json, before: Sequence[Json] = ()) -> Parsed:
        """Rows out of the last turn's answer, from the row, the fill and the answers alone."""
        ...


class Answered(NamedTuple):
    """The part of a stored call that rows are made of; `ledger.Call` has it too."""

    call_id: str
    answer: str
    finish_reason: str
    tokens_out: int
    model: str


@dataclass(slots=True)
class Outcome:
    """What became of one question."""

    ask: Ask
    call: Answered | None
    parsed: Parsed
    before: tuple[Answered, ...] = ()  # the calls of the turns before


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
    faults: Counter[str] = field(default_factory=Counter)  # tries that failed, by reason, whatever came after
    latency: Latency = field(default_factory=Latency)
    extra: dict[str, Any] = field(default_factory=dict)


class AlreadyMade(PersonaAssetsError):
    """Another run has made a partition that this one waited for."""


class Keeper(Protocol):
    """Knows the graph: what partitions are made from, what shapes them, and which gates they have to pass."""

    def making(self, table: Table, key: str, turn: Turn) -> Making:
        """What goes into the record of a partition that is begun now."""
        ...

    def recipe(self, asset: str) -> dict[str, Any]:
        """What would shape an asset's rows now."""
        ...

    def is_done(self, table: Table, key: str) -> bool:
        """Whether a partition is as it would be made now; looks anew."""
        ...


@dataclass(frozen=True)
class Context:
    """What every step needs to run: where it writes, who answers, under which settings and run.

    `spent` is what the run has spent so far: one object for all its steps.
    """

    lake: Lake
    settings: Settings
    engine: Engine | Engines
    run_id: str
    progress: Progress | None = None
    spent: Spent = field(default_factory=Spent)
    keeper: Keeper | None = None
    leases: dict[tuple[str, str], Lease] = field(default_factory=dict)  # of the partitions that are being written

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of this lake."""
        return Ledger(self.lake)

    @contextmanager
    def partition(self, table: Table, key: str) -> Iterator[PartitionWriter]:
        """Write a partition as the keeper says; other runs that want it wait meanwhile.

        Raises:
            AlreadyMade: another run has made it, so there is nothing to do.
            LeaseLost: another run took it over, as this one stood still; nothing was committed.
        """
        if self.keeper is None:
            with self.lake.partition(table, key, self.run_id) as part:
                yield part
            return
        with hold(self.lake, table.name, key, run_id=self.run_id, on_wait=self._tell) as lease:
            if lease.waited and self.keeper.is_done(table, key):
                raise AlreadyMade(f"{table.name} {key}: another run has made it meanwhile")
            self.leases[table.name, key] = lease
            try:
                with self.lake.partition(table, key, self.run_id, self.keeper.making(table, key, lease)) as part:
                    yield part
            finally:
                del self.leases[table.name, key]

    def check_lease(self, table: Table, key: str, *, stood_still: bool = False) -> None:
        """See that no other run has taken over a partition that is being written: no further call is worth its money.

        Raises:
            LeaseLost: one has, as far as is known; where this process `stood_still`, that is looked up.
        """
        if lease := self.leases.get((table.name, key)):
            if stood_still:
                lease.look()
            lease.check()

    def recipe(self, table: Table) -> dict[str, Any]:
        """What would shape a table's rows now; nothing where nobody keeps the graph."""
        return self.keeper.recipe(table.name) if self.keeper else {}

    def _tell(self, holder: Holder, seconds: float) -> None:
        if self.progress:
            self.progress(0, note=f"waiting for {holder} ({seconds:,.0f} s)")

    def budget(self) -> Budget:
        """What may still be spent."""
        return Budget(self.settings, self.spent, today_of(self.ledger))

    def engine_for(self, settings: Settings) -> Engine:
        """Who answers under these settings, which are those of a step."""
        return self.engine.of(settings) if isinstance(self.engine, Engines) else self.engine
