"""Assets that a Python function computes from other assets' rows: a vote, a join, a program that is run.

```python
from persona_assets.tasks.derived import derived

@derived(reads="math_solutions", columns={"answer": pl.String, "votes": pl.Int64}, description="The usual answer.")
def math_votes(solutions: pl.LazyFrame) -> pl.LazyFrame:
    ...
```

The asset has the partitions of the first table that it reads. The function is given the rows of one partition of each
table that is partitioned alike, of other tables all rows, and must depend on nothing else. It gives a frame with
`parent_ids` (ids of rows of the first table, a list) and the declared columns, one row for each row of the asset. A row
with a text in `reason` (and `detail`) is set aside: its parents are rejected under that reason. Each row of the first
table has to be a parent of a row that is kept, or set aside. `cites` says which columns hold ids, or lists of ids, of
which other tables' rows; `persona_ids` may be one. `data_files` names data files in place of a table. `settings` names
settings, which the function is given by their names.
"""

import inspect
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import polars as pl

from persona_assets.errors import PersonaAssetsError, UsageError, did_you_mean
from persona_assets.ids import Json, digest, make_id
from persona_assets.lake import Column, Lake, Parent, Table
from persona_assets.lake.schemas import FAMILIES, REJECTED, RUN_COLUMNS, SAMPLE_COLUMNS
from persona_assets.progress import Progress, untold
from persona_assets.prompts.template import Reads
from persona_assets.settings import Settings
from persona_assets.steps.model import Context, Report
from persona_assets.tasks.data_files import DataRow
from persona_assets.tasks.rows import Scan, partition_of
from persona_assets.tasks.set_checks import OwnCheck, set_check
from persona_assets.view.blocks import Block

__all__ = ["Derived", "DerivedStep", "data_files", "derived", "set_check"]

Frame = pl.LazyFrame | pl.DataFrame
DataRows = Callable[[str], Iterable[DataRow]]  # what stands in the data files of a table, by its name
Given = Literal["lake", "tables", "told"]
Cited = str | tuple[str, ...] | Callable[[DataRows], tuple[str, ...]]  # a table, several, or what data files say
Told = float | Mapping[str, float]  # rows that are made of one row: of the first table, or of each that is named
_ROWS = 8192  # rows made and written at once
_REASON = ("reason", "detail")
_INHERITED = ("persona_ids", "document_id", "language")


@dataclass(frozen=True, eq=False)
class Derived:
    """A function declared as an asset, by the name of the function."""

    function: Callable[..., Frame]
    read: tuple[Reads, ...]
    columns: Mapping[str, Any]
    description: str
    version: int = 1
    cites: Mapping[str, Cited] = field(default_factory=dict)
    set_checks: tuple[OwnCheck | str, ...] = ()
    settings: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    packaged: Mapping[str, Callable[[], Json]] = field(default_factory=dict)
    nullable: tuple[str, ...] = ()
    declared_in: Path | None = None  # where a file of its own says what it does
    check: Callable[[Mapping[str, Table], DataRows], None] | None = None  # of tables, and of the rows of data files
    expected: Callable[[float], float] | None = None  # rows that it selects, of so many of the second table
    per_row: Callable[..., Told] | None = None  # rows of one that it reads, by data files and named settings
    given: tuple[Given, ...] = ()  # what else it is given, by these names
    shows: Callable[[pl.DataFrame], Sequence[Block]] | None = None  # what there is to look at in a partition's rows
    also: tuple[str, ...] = ()  # tables that it reads too where there are such
    looks: Callable[[DataRows], tuple[str, ...]] | None = None  # tables that it reads too, as its data files say
    means: Mapping[str, Callable[..., float]] = field(default_factory=dict)  # of its columns of numbers, as `per_row`
    whole: Mapping[str, str] = field(default_factory=dict)  # columns that name a partition, and the table of that
    files: tuple[Reads, ...] = ()  # data files that it may look at
    trains: Callable[..., int] | None = None  # how many models it would train, of what it is given
    looked: int = 0  # how many of those that it reads it looks at, the last ones

    @property
    def name(self) -> str:
        """The asset's name."""
        return self.function.__name__

    @property
    def reads(self) -> tuple[str, ...]:
        """The tables that it reads."""
        return tuple(one.name for one in self.read)

    def beside(self, names: Collection[str]) -> "Derived":
        """It, reading what it also reads as far as that is among these names."""
        there = tuple(Reads(table=name) for name in self.also if name in names)
        return replace(self, read=(*self.read, *there), also=()) if there else self

    def looking(self, rows: DataRows) -> "Derived":
        """It, reading what its data files make it look at, and citing rows of what it reads alone."""
        if not self.looks:
            return self
        told = {column: tables(rows) if callable(tables) else tables for column, tables in self.cites.items()}
        looked = tuple(Reads(table=name) for name in self.looks(rows))
        names = {one.name for one in (*self.read, *looked)}
        cites = {column: tuple(one for one in tables if one in names) for column, tables in _cited(told)}
        return replace(self, read=(*self.read, *looked), cites=cites, looked=len(looked))

    @property
    def cited(self) -> list[tuple[str, tuple[str, ...]]]:
        """The columns that hold ids of rows that it reads, with the tables of these."""
        return [(column, tables) for column, tables in _cited(self.cites) if tables]

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The columns of the frame that it may give, with why rows are set aside."""
        own = {name: _dtype(kind) for name, kind in self.columns.items()}
        return {"parent_ids": pl.List(pl.String()), **own, **dict.fromkeys(_REASON, pl.String())}

    @property
    def file(self) -> Path:
        """The file that holds the function, or says what it does."""
        return self.declared_in or Path(inspect.getsourcefile(self.function) or "")

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return 1 if self.declared_in else self.function.__code__.co_firstlineno


def _cited(cites: Mapping[str, Cited]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The columns that hold ids, with the tables that these are of, where that is known."""
    for column, tables in cites.items():
        if not callable(tables):
            yield column, (tables,) if isinstance(tables, str) else tables


def derived(
    *,
    reads: str | Reads | tuple[str | Reads, ...],
    columns: Mapping[str, Any],
    description: str,
    version: int = 1,
    cites: Mapping[str, Cited] | None = None,
    set_checks: tuple[OwnCheck | str, ...] = (),
    settings: tuple[str, ...] = (),
    modules: tuple[str, ...] = (),
    packaged: Mapping[str, Callable[[], Json]] | None = None,
    nullable: tuple[str, ...] = (),
    declared_in: Path | None = None,
    check: Callable[[Mapping[str, Table], DataRows], None] | None = None,
    expected: Callable[[float], float] | None = None,
    per_row: Callable[..., Told] | None = None,
    given: tuple[Given, ...] = (),
    shows: Callable[[pl.DataFrame], Sequence[Block]] | None = None,
    also: tuple[str, ...] = (),
    looks: Callable[[DataRows], tuple[str, ...]] | None = None,
    means: Mapping[str, Callable[..., float]] | None = None,
    whole: Mapping[str, str] | None = None,
    files: tuple[Reads, ...] = (),
    trains: Callable[..., int] | None = None,
) -> Callable[[Callable[..., Frame]], Derived]:
    """Declare a function as an asset.

    `columns` gives each column of its own a Polars type; those that `cites` names, with a table or several, hold ids of
    rows of these; those of `nullable` may be null. `set_checks` are gates that functions do (`set_check`), or the name
    `no_family_parted`. `settings` that it names are its arguments. Its file is part of the recipe: when it changes,
    what it gave is computed anew. Raise `version` where something changes that the file does not show; for functions of
    this package `modules` names the files for which a test holds that. `packaged` gives digests of data that it uses.
    `declared_in` is the file that says what it does, where that is not its own; `check` looks first, before anything is
    asked, at all tables, and at the rows of data files. `expected` says for a plan how many rows it selects of so many
    of the second table, `per_row` how many it makes of one of the first, or of one of each that it names, where data
    files and the named settings tell; `means` gives likewise the mean of columns by which others ask several times.
    `given` names what it is given beside: `lake`, to keep vectors of texts or models there, of which it reads nothing
    else; `tables`, the declarations of what it reads, by name; `told`, what its progress goes to, None in an audit.
    `shows` draws a partition's rows for the UI. `also` names tables that settings may add, such as what judges said:
    where they are there, the function is given them after the others. `looks` names, by the rows of data files, tables
    that it is given after those too; of `cites` those count that it then reads. `whole` names columns that hold
    the key of a partition, with the table of that: the row was made from all rows of it. `files` are data files, read
    where `looks` names their table. `trains` says of the same frames, and the lake, how many models the function would
    train: what takes a training is made anew only where that is allowed, like what takes calls.

    Raises:
        ValueError: there is no such setting.
    """
    for name in settings:
        if name not in Settings.model_fields:
            raise ValueError(f"there is no setting {name}; {did_you_mean(name, Settings.model_fields)}")
    tables = reads if isinstance(reads, tuple) else (reads,)
    read = tuple(Reads(table=one) if isinstance(one, str) else one for one in tables)

    def declare(function: Callable[..., Frame]) -> Derived:
        own = (set_checks, settings, modules, dict(packaged or {}), nullable, declared_in, check, expected)
        drawn = (per_row, given, shows, also, looks, dict(means or {}))
        further: dict[str, Any] = {"whole": dict(whole or {}), "files": files, "trains": trains}
        return Derived(function, read, dict(columns), description, version, dict(cites or {}), *own, *drawn, **further)

    return declare


def data_files(
    file: str,
    *,
    rows: str = "",
    table: str = "",
    partitions: Literal["files", "rows", "over"] = "files",
    texts: tuple[str, ...] = (),
) -> Reads:
    """Data files that a function reads; the words are those of `reads` in a task file.

    Raises:
        ValueError: the table has no usable name.
    """
    given = {"partitions": partitions} if partitions != "files" else {}
    return Reads.model_validate({"file": file, "rows": rows, "table": table, "texts": texts, **given})


class DerivedStep:
    """A declared function with the tables that it reads."""

    def __init__(self, declared: Derived, tables: Mapping[str, Table], rows: DataRows = lambda _: ()) -> None:
        """`tables` holds what it reads, `rows` gives what stands in data files.

        Raises:
            UsageError: it reads what is not there, or a column cannot be declared.
        """
        self.declared, self._tables, self._rows = declared, tables, rows
        if declared.check:
            declared.check(tables, rows)
        for name in declared.reads:
            if name not in tables:
                raise self.wrong(f"reads {name}, which is not an asset; {did_you_mean(name, tables)}")
            if tables[name].partition == "dump":
                raise self.wrong(f"reads {name}, which is partitioned by dumps: no function can")
        if not declared.reads:
            raise self.wrong("reads nothing")
        taken = {column.name for column in (*SAMPLE_COLUMNS, *RUN_COLUMNS)} - {"language"} | {"parent_ids", *_REASON}
        if clash := sorted((taken - set(declared.cites)) & set(declared.columns)):
            raise self.wrong(f"the column {clash[0]} is one that every dataset has; name it otherwise")
        self._check_cites()
        self._check_named()

    def _check_named(self) -> None:
        declared = self.declared
        named = [check for check in declared.set_checks if isinstance(check, str)]
        if other := [name for name in named if name != FAMILIES]:
            raise self.wrong(f"there is no check {other[0]} of functions; {did_you_mean(other[0], [FAMILIES])}")
        if stray := [name for name in declared.nullable if name not in declared.columns]:
            raise self.wrong(f"nullable {stray[0]} is no column; {did_you_mean(stray[0], declared.columns)}")
        if named and "split" not in declared.columns:
            raise self.wrong(f"{FAMILIES} looks at the column split, which is not there")

    def _check_cites(self) -> None:
        declared = self.declared
        for column, tables in self.declared.cited:
            for table in tables:
                if table not in declared.reads:
                    raise self.wrong(f"cites {table}, which it does not read; {did_you_mean(table, declared.reads)}")
            if column not in declared.columns:
                raise self.wrong(
                    f"cites rows in {column}, which is no column; {did_you_mean(column, declared.columns)}"
                )
            if _dtype(declared.columns[column]) not in (pl.String(), pl.List(pl.String())):
                raise self.wrong(f"the column {column} holds ids: it is a text or a list of texts")
            if column == "persona_ids" and self._tables[tables[0]].key != "persona_id":
                raise self.wrong(f"persona_ids are of personas, and {tables[0]} has none")
            if len({self._tables[table].key for table in tables}) > 1:
                raise self.wrong(f"the column {column} holds ids of one kind, and {' and '.join(tables)} have others")

    def wrong(self, said: str) -> UsageError:
        """What is wrong with it, with file and line."""
        return UsageError(f"{self.declared.file}:{self.declared.line}: {self.declared.name}: {said}")

    @property
    def read(self) -> Table:
        """The table whose rows are the parents."""
        return self._tables[self.declared.reads[0]]

    @property
    def tables_read(self) -> tuple[str, ...]:
        """Every table that it is given rows of."""
        return self.declared.reads

    @cached_property
    def table(self) -> Table:
        """The table it writes."""
        own = [
            Column(name, _dtype(kind), f"{name}, computed", nullable=name in self.declared.nullable)
            for name, kind in self.declared.columns.items()
        ]
        names = {column.name for column in own}
        shared = [column for column in SAMPLE_COLUMNS if column.name not in names]
        # Nobody can tell them of the rows of data files, and of what is made of these.
        known = {column.name for column in self.read.columns if not column.nullable}
        unknown = {"document_id", "language"} - known
        shared = [replace(column, nullable=True) if column.name in unknown else column for column in shared]
        parents = Column("parent_ids", pl.List(pl.String()), f"Rows of {self.read.name} that it was computed from")
        above = {parent.column: parent for parent in self.read.parents}
        further = [replace(above[name], direct=False) for name in ("persona_ids", "document_id") if name in above]
        further = [parent for parent in further if parent.column not in self.declared.cites]
        cited = [
            Parent(column, tables, self._tables[tables[0]].key, direct=True) for column, tables in self.declared.cited
        ]
        whole = [Parent(column, (table,), "shard", direct=True) for column, table in self.declared.whole.items()]
        return Table(
            self.declared.name,
            "sample_id",
            (*shared, parents, *own, *RUN_COLUMNS),
            (Parent("parent_ids", (self.read.name,), self.read.key, direct=True), *cited, *whole, *further),
            partition=self.read.partition,
            accounts_for="parent_ids",
            gates=tuple(check for check in self.declared.set_checks if isinstance(check, str)),
            own_gates=tuple(check.gate for check in self.declared.set_checks if isinstance(check, OwnCheck)),
        )

    def reads_of(self, key: str) -> tuple[str, ...]:
        """The tables that a partition is made from: of those that data files make it look at, what its own do."""
        declared = self.declared
        if declared.looks is None:
            return declared.reads
        kind = self.read.partition
        own = {one.name for one in declared.read if one.file and one.name == kind}
        rows = cache(lambda name: [row for row in self._rows(name) if name not in own or row.key == key])
        return (*declared.reads[: len(declared.reads) - declared.looked], *declared.looks(rows))

    def per_row(self, settings: Settings) -> Mapping[str, float] | None:
        """How many rows it makes of one row, by the table of that; None where nobody can tell before."""
        if self.declared.per_row is None:
            return None
        found = self.declared.per_row(self._rows, **self._told(settings))
        return found if isinstance(found, Mapping) else {self.read.name: found}

    def trainings(self, key: str, lake: Lake) -> int:
        """How many models it would train for a partition, as what it reads is now."""
        if self.declared.trains is None:
            return 0
        scan = partition_of(lake, self.table, key)
        return self.declared.trains(*(scan(self._tables[name]) for name in self.reads_of(key)), lake=lake)

    def mean(self, column: str, settings: Settings) -> float | None:
        """The mean of a column of its rows; None where nobody can tell before."""
        told = self.declared.means.get(column)
        return told(self._rows, **self._told(settings)) if told else None

    def _told(self, settings: Settings) -> dict[str, Any]:
        return {name: getattr(settings, name) for name in self.declared.settings}

    def settings_of(self, settings: Settings) -> dict[str, Any]:
        """The values of the settings that the function names, as a recipe holds them."""
        return settings.model_dump(mode="json", include=set(self.declared.settings))

    def source_digest(self) -> str:
        """The digest of the file that holds the function."""
        return digest(self.declared.file.read_bytes())

    def compute(
        self, key: str, scan: Scan, settings: Mapping[str, Any], lake: Lake, told: Progress | None = None
    ) -> pl.DataFrame:
        """What the function gives for a partition, by parents; `reason` is null in rows that are kept.

        `scan` gives a table's rows in the partition, `settings` the values of those named; `lake` and `told` are what
        the function may be `given`.

        Raises:
            UsageError: it fails, or gives something else than it declares; the message names file and line.
        """
        frames = [scan(self._tables[name]) for name in self.reads_of(key)]
        named = {name: settings[name] for name in self.declared.settings}
        beside = {"lake": lake, "tables": self._tables, "told": told}
        named |= {name: beside[name] for name in self.declared.given}
        try:
            given = self.declared.function(*frames, **named)
            frame = given.lazy().collect() if isinstance(given, pl.LazyFrame | pl.DataFrame) else None
        except PersonaAssetsError:  # it says itself what is wrong, and where
            raise
        except Exception as error:
            raise self.wrong(f"failed: {type(error).__name__}: {error}") from error
        if frame is None:
            raise self.wrong(f"gives {type(given).__name__}, not a frame of Polars")
        wanted = {
            "parent_ids": pl.List(pl.String()),
            **{name: self.table.polars[name] for name in self.declared.columns},
        }
        missing = [name for name in wanted if name not in frame.columns]
        extra = [name for name in frame.columns if name not in (*wanted, *_REASON)]
        if missing or extra:
            raise self.wrong(f"gives a frame without {missing or 'nothing'}, with {extra or 'nothing'} beside")
        nothing = [pl.lit(None, pl.String()).alias(name) for name in _REASON if name not in frame.columns]
        try:
            frame = frame.with_columns(nothing).select(
                *(pl.col(name).cast(dtype) for name, dtype in wanted.items()), *map(pl.col, _REASON)
            )
        except pl.exceptions.PolarsError as error:
            raise self.wrong(f"a column is of another type: {str(error).splitlines()[0]}") from error
        if frame.filter(pl.col("parent_ids").list.len().fill_null(0) == 0).height:
            raise self.wrong("a row has no parent_ids")
        return frame.sort(pl.col("parent_ids").list.join(","), maintain_order=True)

    def rows(self, scan: Scan, computed: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """The rows that are kept, in frames, without the columns of the run.

        Raises:
            UsageError: a row names a parent that the table does not have.
        """
        kept = computed.filter(pl.col("reason").is_null()).drop(_REASON)
        inherited = [name for name in _INHERITED if name in self.read.polars and name not in self.declared.columns]
        above = scan(self.read).select(pl.col(self.read.key).alias("_first"), *inherited).collect()
        if stray := self._stray(kept, above["_first"]):
            raise self.wrong(f"parent_ids names {stray}, which is not in its partition of {self.read.name}")
        own = list(self.declared.columns)
        for some in kept.iter_slices(_ROWS):
            ids = [
                make_id("smp", self.declared.name, parents, content)
                for parents, content in zip(some["parent_ids"].to_list(), some.select(own).to_dicts(), strict=True)
            ]
            joined = some.with_columns(
                _first=pl.col("parent_ids").list.first(), sample_id=pl.Series(ids, dtype=pl.String)
            )
            joined = joined.join(above, on="_first", how="left", maintain_order="left").with_columns(
                task=pl.lit(self.declared.name)
            )
            if self.read.key == "persona_id" and "persona_ids" not in own:
                joined = joined.with_columns(persona_ids="parent_ids")
            lacking = [column for column in self.table.columns if column.name not in joined.columns]
            empty = [_empty(column) for column in lacking if column not in RUN_COLUMNS]
            yield joined.with_columns(empty).drop("_first")

    def _stray(self, kept: pl.DataFrame, known: pl.Series) -> str:
        ids = kept["parent_ids"].explode()
        return next(iter(ids.filter(~ids.is_in(known.implode())).head(1)), "")

    def run(self, context: Context, key: str) -> Report:
        """Write a partition; `inputs` are rows of the table that the parents are in."""
        began, lake = time.monotonic(), context.lake
        report = Report(inputs=lake.row_count(self.read, key))
        run = {"shard": pl.lit(key), "run_id": pl.lit(context.run_id), "created_at": pl.lit(datetime.now(UTC))}
        with context.partition(self.table, key) as part:
            scan = partition_of(lake, self.table, key, part.made_from)
            computed = self.compute(key, scan, self.settings_of(context.settings), lake, context.progress or untold)
            for rows in self.rows(scan, computed):
                part.rows.append(rows.with_columns(**run).select(self.table.polars.names()))
                report.kept += rows.height
            aside = computed.filter(pl.col("reason").is_not_null()).explode("parent_ids")
            if aside.height:
                part.rejects.append(self._rejects(aside, run))
                report.rejected.update(aside["reason"].to_list())
        report.seconds = time.monotonic() - began
        return report

    def _rejects(self, aside: pl.DataFrame, run: Mapping[str, pl.Expr]) -> pl.DataFrame:
        return aside.select(
            row_id="parent_ids",
            parent_id="parent_ids",
            reason="reason",
            detail=pl.col("detail").fill_null(""),
            asset=pl.lit(self.declared.name),
            file=pl.lit(None, pl.String()),
            record_offset=pl.lit(None, pl.Int64()),
            call_id=pl.lit(None, pl.String()),
            **run,
        ).select(REJECTED.polars.names())


def _dtype(kind: Any) -> pl.DataType:  # noqa: ANN401 - a Polars type, as class or instance
    dtype: pl.DataType = kind() if isinstance(kind, type) else kind
    return dtype


def _empty(column: Column) -> pl.Expr:
    """What stands for a column that there is nothing to take from."""
    if column.name == "persona_ids":
        return pl.lit([], column.dtype).alias(column.name)
    return pl.lit(None, column.dtype).alias(column.name)
