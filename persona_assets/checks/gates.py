"""Runs the checks of `sql/checks/` on one partition; each file is a query that returns the failing rows."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec

import duckdb
import orjson
import polars as pl
import pyarrow as pa

from persona_assets.lake.catalog import duckdb_types, meant_by, no_rows, scratch
from persona_assets.lake.records import GateOutcome
from persona_assets.lake.schemas import (
    ASSET_TABLES,
    DEDUPED_PERSONAS,
    FAMILIES,
    FILTERED_PERSONAS,
    PERSONA_SURVIVORS,
    RAW_DOCUMENTS,
    REJECTED,
    OwnGate,
    Parent,
    Table,
)
from persona_assets.lake.sqlfiles import fill_sql, identifier, literal, literals, sql_text
from persona_assets.lake.store import Draft, Judge, Lake, dump_of
from persona_assets.ledger.index import CallIndex
from persona_assets.settings import Settings

HEAD = 10  # failing rows shown
_COUNTED = 10_000  # failing rows held at a time, to be counted
LOOKS = 4  # tries to read files that other runs may replace meanwhile
P = ParamSpec("P")
AGAINST_UPSTREAM = ("parents_exist", "accounted", "verdicts_followed")
GIVEN_AS_READ = "given_as_read"
DRIFT_CHECKS = ("volume_drift", "length_drift")


def description(check: str, table: Table | None = None) -> str:
    """What a check holds to be true: the first line of its file, or what its function says of itself."""
    own = next((gate for gate in table.own_gates if gate.name == check), None) if table else None
    return own.description if own else sql_text(f"checks/{check}").splitlines()[0].removeprefix("-- ")


def gate_names(table: Table) -> list[str]:
    """The checks that a partition of this table must pass before anything downstream runs."""
    return [*sql_gates(table), *(gate.name for gate in table.own_gates)]


def sql_gates(table: Table) -> list[str]:
    """Those of them that are SQL."""
    columns = table.polars
    names = ["ids_unique", "no_nulls"]
    if table.parents:
        names.append("parents_exist")
    if table.accounts_for:
        names.append("accounted")
    if table.generated:
        names.append("calls_exist")
        if "call_id" not in table.required:
            names.append(GIVEN_AS_READ)
    if "call_ids" in columns:
        names.append("turns_exist")
    if table.asks:
        names += ["reject_rate", "parse_failure_rate"]
    if "text" in columns and "language" in columns:  # data files have no language, and set empty rows aside
        names.append("no_empty_text")
    if "hop" in columns:
        names.append("hops_valid")
    names += table.gates
    return names


@dataclass(frozen=True)
class Around:
    """What gates look at beside the partition: the tables that it may refer to, and what it has to account for.

    `questions` gives the ids of a partition's questions, in lists, for tables that account for these.
    """

    tables: Mapping[str, Table] = field(default_factory=lambda: ASSET_TABLES)
    questions: Callable[[Lake, str], Iterable[list[str]]] | None = None


def _looks_again(check: Callable[P, list[GateOutcome]]) -> Callable[P, list[GateOutcome]]:
    """Run checks again where a file went that they were about to read: another run has put a new one in its place."""

    @wraps(check)
    def checked(*args: P.args, **kwargs: P.kwargs) -> list[GateOutcome]:
        for _ in range(LOOKS - 1):
            try:
                return check(*args, **kwargs)
            except duckdb.IOException:
                continue
        return check(*args, **kwargs)

    return checked


@_looks_again
def run_gates(lake: Lake, draft: Draft, settings: Settings, around: Around | None = None) -> list[GateOutcome]:
    """Run the gates of a partition that is about to be committed."""
    table = draft.table
    with _connect(lake) as connection:
        if table is DEDUPED_PERSONAS:
            _published(connection, lake, draft)
        if FAMILIES in table.gates:
            _families(connection, lake, draft, settings)
        there = _prepare(connection, lake, draft, around or Around())
        connection.register("held", _held(connection, lake, table))
        _set_variables(connection, table, settings, there)
        outcomes = [_run(connection, name) for name in sql_gates(table)]
    return outcomes + [_run_own(gate, draft) for gate in table.own_gates]


@_looks_again
def run_gates_against_upstream(lake: Lake, draft: Draft, around: Around | None = None) -> list[GateOutcome]:
    """Run those gates whose outcome depends on what stands upstream: what passed them may fail when that changes."""
    with _connect(lake) as connection:
        _prepare(connection, lake, draft, around or Around())
        return [_run(connection, name) for name in sql_gates(draft.table) if name in AGAINST_UPSTREAM]


def gates_of(lake: Lake, settings: Settings, around: Around | None = None) -> Judge:
    """The gates, for `Lake.partition`."""
    return lambda draft: run_gates(lake, draft, settings, around)


@_looks_again
def run_drift(lake: Lake, table: Table) -> list[GateOutcome]:
    """Compare the partitions of a table with one another (advisory)."""
    characters = "length(text)" if "text" in table.polars else _content_length(table)
    with _connect(lake) as connection:
        paths = lake.paths(table)
        if not paths:
            return [GateOutcome(name, 0, []) for name in DRIFT_CHECKS]
        connection.execute(
            fill_sql(
                "history_view",
                partition=identifier("shard" if "shard" in table.polars else table.partition),
                characters=characters,
                files=literals([lake.url(path) for path in paths]),
                keys=literals(lake.keys(table)),
            )
        )
        return [_run(connection, name) for name in DRIFT_CHECKS]


def _content_length(table: Table) -> str:
    own = [column for column in table.columns if isinstance(column.dtype, pl.String)]
    skip = {"sample_id", "task", "document_id", "language", "call_id", "template", "model", "shard", "run_id"}
    names = [identifier(column.name) for column in own if column.name not in skip]
    return "length(concat(" + ", ".join(names or ["''"]) + "))"


def _connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """A connection that has looked at nothing of the lake yet; all that is made on it is temporary, and its own."""
    if lake.is_local:
        return scratch().cursor()
    connection = duckdb.connect()
    connection.register_filesystem(lake.fs)
    return connection


def _held(connection: duckdb.DuckDBPyConnection, lake: Lake, table: Table) -> pa.Table:
    """Those calls of the partition's rows that are in the ledger, under the template that the row names."""
    held = [pl.Series("call_id", [], pl.String())]
    if table.generated:
        calls = connection.sql(
            "SELECT DISTINCT template, call_id FROM called WHERE template || call_id IS NOT NULL"
        ).pl()
        for (template,), asked in calls.group_by("template"):
            ids = asked["call_id"]
            held.append(ids.filter(pl.Series(CallIndex(lake, str(template)).held(ids))))
    return pl.concat(held).to_frame().to_arrow()


def _prepare(connection: duckdb.DuckDBPyConnection, lake: Lake, draft: Draft, around: Around) -> set[str]:
    """Make what the checks see; returns the columns that the partition's file has."""
    table, read = draft.table, f"read_parquet({literals([draft.rows])}, hive_partitioning = false)"
    there = {name for name, *_ in connection.execute(f"DESCRIBE FROM {read}").fetchall()}
    if around.questions and table.accounts_for and not _parent_of(table, table.accounts_for):
        connection.register("questions", _questions(around.questions(lake, draft.key)))
    connection.execute(
        fill_sql(
            "check_views",
            key=identifier(table.key),
            source=_source(table, read, there),
            rejected_source=_rejected(draft),
            links=_links(table),
            parent_ids=_parent_ids(lake, draft, around),
            given=_given(lake, draft, around),
            called=_called(table),
            kept=_kept(table),
            verdicts=_verdicts(lake, draft),
            given_documents=_given_documents(lake, draft),
        )
    )
    return there


def _source(table: Table, read: str, there: Collection[str]) -> str:
    """The rows of a partition; what the table had no column for when they were written stands there as it was meant."""
    types = duckdb_types(table)
    added = [f"{_as_it_was(table, name, types[name])} AS {identifier(name)}" for name in types if name not in there]
    return f"(SELECT {', '.join(['*', *added])} FROM {read})" if added else read


def _as_it_was(table: Table, name: str, kind: str) -> str:
    """A column that was added later: what is meant by its absence, else no rows or nothing."""
    return f"{meant_by(table, name) or ('[]' if kind.endswith('[]') else 'NULL')}::{kind}"


def _rejected(draft: Draft) -> str:
    if draft.rejects is None:
        return f"({no_rows(REJECTED)})"
    return f"read_parquet({literals([draft.rejects])}, hive_partitioning = false)"


_NO_LINKS = "SELECT NULL::VARCHAR, NULL::VARCHAR, NULL::VARCHAR WHERE false"


def _links(table: Table) -> str:
    selects = [
        f"SELECT row_id, {literal(parent.column)}, parent_id FROM "
        f"(SELECT row_id, {_each(table, parent.column)} AS parent_id FROM rows) WHERE parent_id IS NOT NULL"
        for parent in table.parents
    ]
    return " UNION ALL ".join(selects) or _NO_LINKS


def _each(table: Table, column: str) -> str:
    name = identifier(column)
    return f"unnest({name})" if isinstance(table.polars[column], pl.List) else name


def _parent_of(table: Table, column: str) -> Parent | None:
    """The reference in a column; the last one where it refers to several tables' rows in turn."""
    return next((parent for parent in reversed(table.parents) if parent.column == column), None)


def _questions(ids: Iterable[list[str]]) -> pa.Table:
    """The ids of questions as a table; 40 bytes each."""
    return (
        pl.concat([pl.Series("row_id", [], pl.String()), *(pl.Series(some, dtype=pl.String()) for some in ids)])
        .to_frame()
        .to_arrow()
    )


def _called(table: Table) -> str:
    """The calls that each row came from, with their template."""
    if not table.generated:
        return "SELECT NULL::VARCHAR, NULL::VARCHAR, NULL::VARCHAR WHERE false"
    calls = "unnest(call_ids)" if "call_ids" in table.polars else "call_id"
    return f"SELECT row_id, template, {calls} FROM rows"


def _parent_ids(lake: Lake, draft: Draft, around: Around) -> str:
    """The ids that a partition's rows may refer to."""
    selects = [
        f"SELECT {literal(parent.column)}, {identifier(parent.key)} FROM "
        + _rows_of(_parent_paths(lake, draft, parent, around), parent.key)
        for parent in draft.table.parents
    ]
    return " UNION ALL ".join(selects) or "SELECT NULL::VARCHAR, NULL::VARCHAR WHERE false"


def _parent_paths(lake: Lake, draft: Draft, parent: Parent, around: Around) -> list[str]:
    """Where a reference leads: to the partition of the same key, or of a table that is partitioned otherwise to any.

    Of a dump to its own shards, and those of its survivors' dumps.
    """
    table, key = draft.table, draft.key
    if table.partition != "dump":
        shards = [key]
    elif parent.column == table.key:
        shards = _shards(lake, key)
    else:
        shards = [shard for dump in _named_dumps(draft) for shard in _shards(lake, dump)]
    others: dict[str, list[str] | None] = {}
    for name in parent.tables:
        alike = around.tables[name].partition == table.partition or table.partition == "dump"
        others[name] = [one for one in shards if (name, one) != (table.name, key)] if alike else None
    paths = {lake.url(path) for name, keys in others.items() for path in lake.paths(around.tables[name], keys)}
    return sorted(paths | ({draft.rows} if table.name in parent.tables else set()))


def _shards(lake: Lake, dump: str) -> list[str]:
    """The shards that the dump was sealed with; all that it has where there is no seal."""
    found = (orjson.loads(lake.fs.cat_file(path)) for path in lake.fs.glob(f"{lake.root}/seals/*.json"))
    sealed = next((list(seal["shards"]) for seal in found if seal["dump"] == dump), None)
    return [key for key in lake.keys(FILTERED_PERSONAS) if dump_of(key) == dump] if sealed is None else sealed


def _named_dumps(draft: Draft) -> list[str]:
    """The dumps in which the survivors of a dump's personas are."""
    dumps = pl.scan_parquet(draft.rows).select(pl.col("survivor_dump").unique().sort()).collect()
    return dumps["survivor_dump"].to_list()


def _verdicts(lake: Lake, draft: Draft) -> str:
    """The verdicts that a partition's rows have to agree with: of the shard's dump, or of the survivors' dumps."""
    if draft.table is DEDUPED_PERSONAS:
        paths = lake.paths(PERSONA_SURVIVORS, [dump_of(draft.key)])
    elif draft.table is PERSONA_SURVIVORS:
        others = [dump for dump in _named_dumps(draft) if dump != draft.key]
        paths = [*lake.paths(PERSONA_SURVIVORS, others), draft.rows]
    else:
        paths = []
    if not paths:
        return "SELECT NULL::VARCHAR, NULL::VARCHAR, false, NULL::VARCHAR WHERE false"
    files = literals([path if path == draft.rows else lake.url(path) for path in paths])
    of_shard = f" WHERE persona_shard = {literal(draft.key)}" if draft.table.partition == "shard" else ""
    return f"SELECT persona_id, dump, kept, survivor_id FROM read_parquet({files}, hive_partitioning = false){of_shard}"


def _given(lake: Lake, draft: Draft, around: Around) -> str:
    table = draft.table
    parent = _parent_of(table, table.accounts_for) if table.accounts_for else None
    if parent is None:
        return "FROM questions" if table.accounts_for and around.questions else "SELECT NULL::VARCHAR WHERE false"
    rows = _rows_of(_parent_paths(lake, draft, parent, around), parent.key)
    return f"SELECT {identifier(parent.key)} FROM {rows}"


def _given_documents(lake: Lake, draft: Draft) -> str:
    """The documents of the shard that came as personas; files of earlier versions have none."""
    paths = lake.paths(RAW_DOCUMENTS, [draft.key]) if GIVEN_AS_READ in sql_gates(draft.table) else []
    if not paths:
        return "SELECT NULL::VARCHAR, NULL::VARCHAR WHERE false"
    read = f"read_parquet({literals([lake.url(path) for path in paths])}, hive_partitioning = false)"
    rows = f"(FROM {read} UNION ALL BY NAME SELECT NULL::VARCHAR AS kind WHERE false)"
    return f"SELECT document_id, text FROM {rows} WHERE kind = 'persona'"


def _published(connection: duckdb.DuckDBPyConnection, lake: Lake, draft: Draft) -> None:
    """The view of all published personas as it will be: the draft in place of what stands of its partition."""
    others = [key for key in lake.keys(draft.table) if key != draft.key]
    files = literals([*(lake.url(path) for path in lake.paths(draft.table, others)), draft.rows])
    connection.execute(
        f"CREATE TEMP VIEW {identifier(draft.table.name)} AS "
        f"SELECT persona_id, text FROM read_parquet({files}, hive_partitioning = false)"
    )


def _families(connection: duckdb.DuckDBPyConnection, lake: Lake, draft: Draft, settings: Settings) -> None:
    """The sides on which all pages are, in the draft and what stands beside it.

    Partitions that were parted by another share are left out: they are stale, and will be made anew.
    """
    table, share = draft.table, settings.held_out_share
    alike = [
        key
        for key in lake.keys(table)
        if key != draft.key
        and (record := lake.record(table, key))
        and record.recipe.get("settings", {}).get("held_out_share", share) == share
    ]
    files = literals([*(lake.url(path) for path in lake.paths(table, alike)), draft.rows])
    connection.execute(
        f"CREATE TEMP VIEW families AS SELECT document_id, split FROM read_parquet({files}, hive_partitioning = false)"
    )


def _rows_of(paths: Sequence[str], key: str) -> str:
    if not paths:
        return f"(SELECT NULL::VARCHAR AS {identifier(key)} WHERE false)"
    return f"read_parquet({literals(list(paths))}, hive_partitioning = false)"


def _kept(table: Table) -> str:
    if table.accounts_for is None:
        return "SELECT NULL::VARCHAR WHERE false"
    return f"SELECT {_each(table, table.accounts_for)} FROM rows"


def _set_variables(
    connection: duckdb.DuckDBPyConnection, table: Table, settings: Settings, there: Collection[str]
) -> None:
    values: dict[str, Any] = {
        "required": [name for name in table.required if name in there],  # nobody could fill a column of later
        "max_reject_rate": settings.max_reject_rate,
        "max_parse_failure_rate": settings.max_parse_failure_rate,
        "min_language_share": settings.min_language_share,
        "lexical_threshold": settings.lexical_threshold,
        **orjson.loads(table.gate_arguments),
    }
    for name, value in values.items():
        connection.execute(f"SET VARIABLE {name} = $value", {"value": value})


def _run_own(gate: OwnGate, draft: Draft) -> GateOutcome:
    rows = pl.scan_parquet(draft.rows, hive_partitioning=False, glob=False)
    failing = gate.failing(rows)
    return GateOutcome(gate.name, failing.height, failing.head(HEAD).to_dicts())


def _run(connection: duckdb.DuckDBPyConnection, name: str) -> GateOutcome:
    connection.execute(sql_text(f"checks/{name}"))
    columns = [column[0] for column in connection.description]
    head = [dict(zip(columns, row, strict=True)) for row in connection.fetchmany(HEAD)]
    failing = len(head)
    while more := len(connection.fetchmany(_COUNTED)):
        failing += more
    return GateOutcome(name, failing, head)
