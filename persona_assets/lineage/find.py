"""Where a row is: the tables, partitions and rejects that hold an id."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NoReturn

import polars as pl

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Lake, Parent, Table
from persona_assets.lake.schemas import (
    ASSET_TABLES,
    CALL_COLUMNS,
    CALLS,
    PERSONA_SURVIVORS,
    RAW_DOCUMENTS,
    REJECTED,
    RUN_COLUMNS,
    SAMPLE_COLUMNS,
)
from persona_assets.ledger.index import CallIndex
from persona_assets.ledger.ledger import Ledger

_ID = re.compile(r"(doc|per|smp|call|rec|qst|row)_[0-9a-f]{32}")
_SAMPLE = frozenset(("row_id", "file", *(one.name for one in (*SAMPLE_COLUMNS, *CALL_COLUMNS, *RUN_COLUMNS))))
_PERSONAS = tuple(one for one in ASSET_TABLES.values() if one.key == "persona_id" and one.partition != "dump")
BORN = tuple(table for table in _PERSONAS if table.asks)  # where a persona is made
PASSED_ON = tuple(table for table in _PERSONAS if not table.asks)  # tables that pass it on unchanged


def id_prefix(row_id: str) -> str:
    """`doc`, `per`, `smp`, `row`, `call`, `rec` or `qst`.

    Raises:
        UsageError: it is of none of these forms.
    """
    match = _ID.fullmatch(row_id)
    if not match:
        raise UsageError(
            f"{row_id!r} is not an id: give a document (doc_...), persona (per_...), sample (smp_...), row of a data "
            "file (row_...), call (call_...), rejected record (rec_...) or question (qst_...), each followed by 32 "
            "hexadecimal digits"
        )
    return match.group(1)


@dataclass(frozen=True, slots=True)
class Found:
    """A stored row and the file it stands in."""

    table: Table
    partition: str
    path: str
    row: dict[str, Any]

    @property
    def asset(self) -> str:
        """The asset that wrote the row; a rejected row belongs to the step that set it aside."""
        return str(self.row["asset"]) if self.table is REJECTED else self.table.name


@dataclass
class Finder:
    """Finds rows by id in one lake; reads and never writes, so that a damaged file stays where it is.

    `tasks` are the tables of the task assets.
    """

    lake: Lake
    tasks: Sequence[Table]
    _paths: dict[str, list[str]] = field(default_factory=dict)
    _indexes: dict[str, CallIndex] = field(default_factory=dict)

    def rows(self, table: Table, where: pl.Expr, hint: str = "") -> list[Found]:
        """Rows that `where` holds for: those of the partition `hint` if it has any, else of all, in partition order.

        Raises:
            PersonaAssetsError: a file cannot be read; the message names it.
        """
        near = self.near(table, where, hint) if hint else []
        return near or self._scan(self._paths_of(table), table, where)

    def near(self, table: Table, where: pl.Expr, partition: str) -> list[Found]:
        """Rows of one partition that `where` holds for; none where the partition is not there."""
        return self._scan(self._paths_of(table, partition), table, where)

    def has(self, table: Table, partition: str) -> bool:
        """Whether the partition has been materialised."""
        return bool(self.files(table, partition))

    def files(self, table: Table, partition: str) -> list[str]:
        """The file of a partition's rows, sound or not; none where it has not been materialised."""
        return self._paths_of(table, partition)

    def first(self, table: Table, row_id: str, hint: str = "") -> Found | None:
        """The first row with this key, or None; the partition `hint` is looked at first."""
        return self._first_of([table], row_id, hint)

    def born(self, persona_id: str, hint: str = "") -> Found | None:
        """The persona where it was made."""
        return self._first_of(BORN, persona_id, hint)

    def persona(self, persona_id: str, hint: str = "") -> Found | None:
        """The persona where it was made, or, where it is gone from there, in a later table."""
        return self._first_of(self._with_key("persona_id"), persona_id, hint)

    def _with_key(self, key: str) -> list[Table]:
        """The tables whose rows have such ids, in the order of the graph, those of dumps last."""
        tables = [table for table in (*ASSET_TABLES.values(), *self.tasks) if table.key == key]
        return sorted(tables, key=lambda table: table.partition == "dump")

    def _first_of(self, tables: Sequence[Table], row_id: str, hint: str = "") -> Found | None:
        near = (self.near(table, pl.col(table.key) == row_id, hint) for table in tables if hint)
        far = (self.rows(table, pl.col(table.key) == row_id) for table in tables)
        return next((found[0] for found in chain(near, far) if found), None)

    def document(self, document_id: str, hint: str = "") -> Found | None:
        """The document."""
        return self.first(RAW_DOCUMENTS, document_id, hint)

    def sample(self, row_id: str, hint: str = "") -> Found | None:
        """The sample, of whichever task, or the row of a data file."""
        return self._first_of(self._with_key("row_id" if row_id.startswith("row_") else "sample_id"), row_id, hint)

    def referred(self, parent: Parent, row_id: str, hint: str = "") -> Found | None:
        """The row that a reference names, in one of the tables that it may be in."""
        return self._first_of([table for name in parent.tables if (table := self.table(name))], row_id, hint)

    def some_of(self, parent: Parent, partition: str, most: int) -> tuple[list[Found], int]:
        """The first rows of a partition that a reference names, by their keys, and how many it has."""
        table = next(found for name in parent.tables if (found := self.table(name)))
        keys = self.lake.scan_paths(self.files(table, partition), table).select(table.key).collect()[table.key]
        first = keys.sort().head(most)
        rows = self.near(table, pl.col(table.key).is_in(first.implode()), partition)
        return sorted(rows, key=lambda one: str(one.row[table.key])), len(keys)

    def made(self, found: Found) -> Found:
        """A row where it was made: not where a later table passes it on, nor, where it is gone from there, at all."""
        while passed := next((one for one in found.table.origins if one.column == found.table.key), None):
            before = self.referred(passed, str(found.row[found.table.key]), found.partition)
            if before is None:
                return found
            found = before
        return found

    def by_id(self, row_id: str, hint: str = "", table: str = "") -> Found | None:
        """A document, persona, sample or row of a data file; the partition and table that are named come first."""
        known = self.table(table)
        if known and (found := self.first(known, row_id, hint)):
            return self.made(found)
        if row_id.startswith("doc_"):
            return self.document(row_id, hint)
        return self.sample(row_id, hint) if row_id.startswith(("smp_", "row_")) else self.persona(row_id, hint)

    def mark(self, persona_id: str, dump: str) -> Found | None:
        """What dedup made of a persona; its dump is looked at first."""
        return self.first(PERSONA_SURVIVORS, persona_id, dump)

    def rejects(self, where: pl.Expr, shard: str = "") -> list[Found]:
        """Rejected rows that `where` holds for, of every step: those of one shard, or all."""
        paths = self._listed("rejected", self.lake.rejects_paths)
        return self._scan([path for path in paths if not shard or _partition_of(path) == shard], REJECTED, where)

    def call(self, call_id: str, template: str = "") -> Found | None:
        """The call; of copies that raced, the one that every reader of `template` takes (all templates if empty)."""
        where = pl.col("call_id") == call_id
        templates = Ledger(self.lake).templates()
        asked = [template] if template in templates else []
        found = self._scan(self._parts_with(call_id, asked), CALLS, where) or self._scan(
            self._parts_with(call_id, templates), CALLS, where
        )
        return min(found, key=lambda one: (one.row["created_at"], one.row["run_id"], one.row["shard"]), default=None)

    def _parts_with(self, call_id: str, templates: Sequence[str]) -> list[str]:
        """The ledger's parts of these templates that hold a call."""
        paths = []
        for template in templates:
            index = self._indexes.setdefault(template, CallIndex(self.lake, template, _cannot_be_read))
            paths += [index.path(part) for part in index.find(pl.Series([call_id])).part.tolist()]
        return sorted(set(paths))

    def table(self, name: str) -> Table | None:
        """A table by name."""
        return ASSET_TABLES.get(name) or next((table for table in self.tasks if table.name == name), None)

    def _paths_of(self, table: Table, partition: str = "") -> list[str]:
        paths = self._listed(table.name, lambda: self.lake.recorded_paths(table))
        # Picked from the listing: a partition named by a stored row is not a path to trust.
        return [path for path in paths if _partition_of(path) == partition] if partition else paths

    def _listed(self, name: str, listing: Callable[[], list[str]]) -> list[str]:
        if name not in self._paths:
            self._paths[name] = listing()
        return self._paths[name]

    def _scan(self, paths: Sequence[str], table: Table, where: pl.Expr) -> list[Found]:
        found = []
        for path in self._holding(paths, table, where):
            with _naming(path):
                _require_columns(pl.read_parquet_schema(self.lake.url(path)), path, table)
                frame = self.lake.scan_paths([path], table).filter(where).collect()
            found += [Found(table, _partition_of(path), path, row) for row in frame.to_dicts()]
        return found

    def _holding(self, paths: Sequence[str], table: Table, where: pl.Expr) -> list[str]:
        """The files in which `where` holds for some row, in order; only the columns that it names are read.

        Partitions of a task whose file changed may differ in their other columns.
        """
        if not paths:
            return []
        sources = [self.lake.url(path) for path in paths]
        named = {name: table.polars[name] for name in where.meta.root_names()}
        scan = pl.scan_parquet(
            sources,
            schema=named,
            extra_columns="ignore",
            hive_partitioning=False,
            glob=False,
            include_file_paths="_path",
        )
        try:
            holding = set(scan.filter(where).select("_path").unique().collect().to_series())
        except (pl.exceptions.PolarsError, OSError) as error:
            for path in paths:  # which one it is
                with _naming(path):
                    self.lake.scan_paths([path], table).select(*named).collect()
            raise PersonaAssetsError(f"table {table.name} cannot be read: {_first_line(error)}") from error
        return [path for path, source in zip(paths, sources, strict=True) if source in holding]


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Turn what Polars raises on a damaged file into an error that names it."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, _first_line(error)) from error


def _cannot_be_read(path: str, why: str) -> NoReturn:
    raise _unreadable(path, why.split("\n", 1)[0])


def _unreadable(path: str, why: str) -> PersonaAssetsError:
    return PersonaAssetsError(f"{path} cannot be read: {why}; restore it, or materialise the partition again")


def _require_columns(schema: Mapping[str, pl.DataType], path: str, table: Table) -> None:
    """Raise PersonaAssetsError where a file lacks a column that every version of its table has, or has another type."""
    names = table.polars.names()
    # Those of a task or data file follow from the file, which may have changed.
    shared = [name for name in names if name in _SAMPLE] if table.key in ("sample_id", "row_id") else names
    optional = set(table.later) | set(table.polars) - set(table.required)  # may have come later
    wrong = [
        name for name in shared if schema.get(name) != table.polars[name] and (name in schema or name not in optional)
    ]
    if wrong:
        raise PersonaAssetsError(
            f"{path} is not what this program writes: column {wrong[0]} is missing or of another type; restore it, or "
            "materialise the partition again"
        )


def _partition_of(path: str) -> str:
    return path.rsplit("/", 2)[1].split("=", 1)[1]


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]


def locate(finder: Finder, row_id: str) -> Found:
    """The row with this id: where it was made, or, if it is in no table, where it was rejected.

    Raises:
        UsageError: malformed id.
        PersonaAssetsError: it is nowhere in the lake.
    """
    prefix = id_prefix(row_id)
    found: Found | None = None
    if prefix == "doc":
        found = finder.document(row_id)
    elif prefix == "per":
        found = finder.persona(row_id)
    elif prefix in ("smp", "row"):
        found = finder.sample(row_id)
    elif prefix == "call":
        found = finder.call(row_id)
    if found is None and prefix != "call":
        found = next(iter(finder.rejects(pl.col("row_id") == row_id)), None)
    if found is None:
        raise PersonaAssetsError(
            f"{row_id} is in no table, no ledger part and no rejects of the lake {finder.lake.root}"
        )
    return found
