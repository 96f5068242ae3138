"""Runs the checks of `sql/checks/` on one partition; each file is a query that returns the failing rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import orjson
import polars as pl
import pyarrow as pa

from persona_assets.lake.catalog import add_view, empty_view
from persona_assets.lake.schemas import (
    CHECK_RESULTS,
    DEDUPED_PERSONAS,
    PERSONA_SURVIVORS,
    RAW_DOCUMENTS,
    REJECTED,
    Parent,
    Table,
)
from persona_assets.lake.sqlfiles import fill_sql, identifier, literal, literals, sql_text
from persona_assets.lake.store import Lake, dump_of
from persona_assets.ledger.index import CallIndex
from persona_assets.settings import Settings

HEAD = 10  # failing rows shown
# The gates whose outcome hangs on what stands upstream: what passed them may fail when that is written anew.
AGAINST_UPSTREAM = ("parents_exist", "accounted", "verdicts_followed")
DRIFT_CHECKS = ("volume_drift", "length_drift")


@dataclass(frozen=True)
class CheckOutcome:
    """The verdict of one check on one partition."""

    name: str
    failing: int
    head: list[dict[str, Any]]

    @property
    def passed(self) -> bool:
        """Whether no row failed."""
        return self.failing == 0


def description(check: str) -> str:
    """What a check holds to be true: the first line of its file."""
    return sql_text(f"checks/{check}").splitlines()[0].removeprefix("-- ")


def gate_names(table: Table) -> list[str]:
    """The checks that a partition of this table must pass before anything downstream runs."""
    columns = table.polars
    names = ["ids_unique", "no_nulls"]
    if table.parents:
        names.append("parents_exist")
    if table.accounts_for:
        names.append("accounted")
    if table.generated:
        names.append("calls_exist")
    if table.asks:
        names += ["reject_rate", "parse_failure_rate"]
    if table.name == "filtered_personas":
        names.append("reject_rate")
    if table.name == RAW_DOCUMENTS.name:
        names += ["language_share", "reject_rate"]
    if "text" in columns:
        names.append("no_empty_text")
    if "hop" in columns:
        names.append("hops_valid")
    if table.name == "deduped_personas":
        names += ["verdicts_followed", "no_exact_duplicates", "no_near_duplicates"]
    if table.name == "persona_survivors":
        names.append("survivors_named")
    return names


def run_gates(lake: Lake, table: Table, key: str, settings: Settings, run_id: str) -> list[CheckOutcome]:
    """Run a partition's gates and record the results in the lake, where an audit finds them."""
    with _connect(lake) as connection:
        if table is DEDUPED_PERSONAS:
            add_view(connection, lake, table)
        _prepare(connection, lake, table, key)
        connection.register("held", _held(connection, lake, table))
        _set_variables(connection, table, settings)
        outcomes = [_run(connection, name) for name in gate_names(table)]
    _record(lake, table, key, outcomes, run_id)
    return outcomes


def is_complete(lake: Lake, table: Table, key: str) -> bool:
    """Whether a partition needs no further run: committed whole, its gates passed on these very rows, no model fault,
    and what it was made from has not become something else.

    Rows that an engine's passing fault (rejects `engine_...`) kept from being asked are asked in the next run. Where
    something upstream was written later, those gates that look there have to pass again.
    """
    record = lake.commit_record(lake.path(table, key))
    if record is None or not lake.exists(table, key) or not lake.exists(CHECK_RESULTS, f"{table.name}.{key}"):
        return False
    results = lake.read(CHECK_RESULTS, f"{table.name}.{key}")
    passed = results.filter("passed", run_id=record.run_id)["check"].to_list()
    faults = lake.rejects(table, key).filter(pl.col("reason").str.starts_with("engine_")).limit(1).collect()
    if not (set(gate_names(table)) <= set(passed) and faults.is_empty()):
        return False
    return not _upstream_is_newer(lake, table, key, record.committed_at) or _fits_upstream(lake, table, key)


def _upstream_is_newer(lake: Lake, table: Table, key: str, committed_at: str) -> bool:
    paths = {path for parent in table.parents for path in _parent_paths(lake, table, key, parent)}
    paths.update(_verdict_paths(lake, table, key) if table is DEDUPED_PERSONAS else ())
    records = (lake.commit_record(path) for path in paths)
    moment = datetime.fromisoformat(committed_at)
    return any(record is None or datetime.fromisoformat(record.committed_at) > moment for record in records)


def _fits_upstream(lake: Lake, table: Table, key: str) -> bool:
    with _connect(lake) as connection:
        _prepare(connection, lake, table, key)
        return all(_run(connection, name).passed for name in gate_names(table) if name in AGAINST_UPSTREAM)


def run_drift(lake: Lake, table: Table) -> list[CheckOutcome]:
    """Compare the partitions of a table with one another (advisory)."""
    characters = "length(text)" if "text" in table.polars else _content_length(table)
    with _connect(lake) as connection:
        paths = lake.paths(table)
        if not paths:
            return [CheckOutcome(name, 0, []) for name in DRIFT_CHECKS]
        connection.execute(
            fill_sql(
                "history_view",
                partition=identifier(table.partition),
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
    """A connection that has looked at nothing of the lake yet."""
    connection = duckdb.connect()
    if not lake.is_local:
        connection.register_filesystem(lake.fs)
    connection.execute(empty_view(REJECTED))
    return connection


def _held(connection: duckdb.DuckDBPyConnection, lake: Lake, table: Table) -> pa.Table:
    """Those calls of the partition's rows that are in the ledger, under the template that the row names."""
    held = [pl.Series("call_id", [], pl.String())]
    if table.generated:
        calls = connection.sql("SELECT DISTINCT template, call_id FROM rows WHERE template || call_id IS NOT NULL").pl()
        for (template,), asked in calls.group_by("template"):
            ids = asked["call_id"]
            held.append(ids.filter(pl.Series(CallIndex(lake, str(template)).held(ids))))
    return pl.concat(held).to_frame().to_arrow()


def _prepare(connection: duckdb.DuckDBPyConnection, lake: Lake, table: Table, key: str) -> None:
    files = literals([lake.url(lake.path(table, key))])
    rejects = lake.rejects_path(table, key)
    source = (
        f"read_parquet({literals([lake.url(rejects)])}, hive_partitioning = false)"
        if lake.fs.exists(rejects)
        else "(FROM rejected LIMIT 0)"
    )
    connection.execute(
        fill_sql(
            "check_views",
            key=identifier(table.key),
            data=files,
            rejected_source=source,
            links=_links(table),
            parent_ids=_parent_ids(lake, table, key),
            given=_given(lake, table, key),
            kept=_kept(table),
            verdicts=_verdicts(lake, table, key),
        )
    )


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


def _parent_ids(lake: Lake, table: Table, key: str) -> str:
    """The ids that a partition's rows may refer to."""
    selects = [
        f"SELECT {literal(parent.column)}, {identifier(parent.key)} FROM "
        + _rows_of(lake, _parent_paths(lake, table, key, parent), parent.key)
        for parent in table.parents
    ]
    return " UNION ALL ".join(selects) or "SELECT NULL::VARCHAR, NULL::VARCHAR WHERE false"


def _parent_paths(lake: Lake, table: Table, key: str, parent: Parent) -> list[str]:
    """Where a reference leads: within the shard, or for a dump to its own shards and those of its survivors' dumps."""
    if table.partition == "shard":
        shards = [key]
    elif parent.column == table.key:
        shards = _shards(lake, key)
    else:
        shards = [shard for dump in _named_dumps(lake, key) for shard in _shards(lake, dump)]
    globs = [f"{lake.root}/{name}/shard={shard}/data.parquet" for name in parent.tables for shard in shards]
    return sorted({path for glob in globs for path in lake.fs.glob(glob)})


def _shards(lake: Lake, dump: str) -> list[str]:
    """The shards that the dump was sealed with; a glob of all that it has where there is no seal."""
    found = (orjson.loads(lake.fs.cat_file(path)) for path in lake.fs.glob(f"{lake.root}/seals/*.json"))
    return next((list(seal["shards"]) for seal in found if seal["dump"] == dump), [f"{dump}.*"])


def _named_dumps(lake: Lake, key: str) -> list[str]:
    """The dumps in which the survivors of a dump's personas are."""
    dumps = lake.scan(PERSONA_SURVIVORS, [key]).select(pl.col("survivor_dump").unique().sort()).collect()
    return dumps["survivor_dump"].to_list()


def _verdict_paths(lake: Lake, table: Table, key: str) -> list[str]:
    """The verdicts that a partition's rows have to agree with: of the shard's dump, or of the survivors' dumps."""
    if table is DEDUPED_PERSONAS:
        return lake.paths(PERSONA_SURVIVORS, [dump_of(key)])
    return lake.paths(PERSONA_SURVIVORS, _named_dumps(lake, key)) if table is PERSONA_SURVIVORS else []


def _verdicts(lake: Lake, table: Table, key: str) -> str:
    paths = _verdict_paths(lake, table, key)
    if not paths:
        return "SELECT NULL::VARCHAR, NULL::VARCHAR, false, NULL::VARCHAR WHERE false"
    files = literals([lake.url(path) for path in paths])
    of_shard = f" WHERE persona_shard = {literal(key)}" if table.partition == "shard" else ""
    return f"SELECT persona_id, dump, kept, survivor_id FROM read_parquet({files}, hive_partitioning = false){of_shard}"


def _given(lake: Lake, table: Table, key: str) -> str:
    parent = next((parent for parent in reversed(table.parents) if parent.column == table.accounts_for), None)
    if parent is None:
        return "SELECT NULL::VARCHAR WHERE false"
    rows = _rows_of(lake, _parent_paths(lake, table, key, parent), parent.key)
    return f"SELECT {identifier(parent.key)} FROM {rows}"


def _rows_of(lake: Lake, paths: Sequence[str], key: str) -> str:
    if not paths:
        return f"(SELECT NULL::VARCHAR AS {identifier(key)} WHERE false)"
    return f"read_parquet({literals([lake.url(path) for path in paths])}, hive_partitioning = false)"


def _kept(table: Table) -> str:
    if table.accounts_for is None:
        return "SELECT NULL::VARCHAR WHERE false"
    return f"SELECT {_each(table, table.accounts_for)} FROM rows"


def _set_variables(connection: duckdb.DuckDBPyConnection, table: Table, settings: Settings) -> None:
    values: dict[str, Any] = {
        "required": table.required,
        "max_reject_rate": settings.max_reject_rate,
        "max_parse_failure_rate": settings.max_parse_failure_rate,
        "min_language_share": settings.min_language_share,
        "lexical_threshold": settings.lexical_threshold,
    }
    for name, value in values.items():
        connection.execute(f"SET VARIABLE {name} = $value", {"value": value})


def _run(connection: duckdb.DuckDBPyConnection, name: str) -> CheckOutcome:
    failing = connection.sql(sql_text(f"checks/{name}")).pl()
    return CheckOutcome(name, failing.height, failing.head(HEAD).to_dicts())


def _record(lake: Lake, table: Table, key: str, outcomes: Sequence[CheckOutcome], run_id: str) -> None:
    now = datetime.now(UTC)
    rows = [
        {
            "asset": table.name,
            "partition": key,
            "check": outcome.name,
            "passed": outcome.passed,
            "failing": outcome.failing,
            "head": orjson.dumps(outcome.head, default=str).decode(),
            "run_id": run_id,
            "created_at": now,
        }
        for outcome in outcomes
    ]
    lake.write(CHECK_RESULTS, f"{table.name}.{key}", pl.DataFrame(rows, schema=CHECK_RESULTS.polars), run_id)
