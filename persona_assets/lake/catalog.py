"""The catalogue: DuckDB views over the lake's Parquet files; nothing is stored in DuckDB (data contract 7)."""

import os
import re
import uuid
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import duckdb
import polars as pl

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake.schemas import ASSET_TABLES, CALLS, REJECTED, SAMPLE_COLUMNS, SUPPORT_TABLES, Table
from persona_assets.lake.sqlfiles import fill_sql, identifier, literal, literals, sql_text
from persona_assets.lake.store import Lake

_SHARED_SAMPLE_COLUMNS = [*(column.name for column in SAMPLE_COLUMNS), "call_id", "shard"]


def view_names() -> frozenset[str]:
    """Every view that the SQL files create beside the tables' own, for the catalogue and for the checks."""
    files = ("views", "samples_view", "check_views", "history_view")
    return frozenset(name for file in files for name in re.findall(r"CREATE OR REPLACE VIEW (\w+)", sql_text(file)))


def glob_of(lake: Lake, table: Table) -> str:
    """The glob that matches all files of a table."""
    if table is CALLS:
        return f"{lake.root}/calls/template=*/shard=*/part-*.parquet"
    if table is REJECTED:
        return f"{lake.root}/rejected/asset=*/*/data.parquet"
    return lake.path_glob(table)


def connect(lake: Lake, task_tables: Iterable[Table] = (), database: str = ":memory:") -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with one view per table and the views of `sql/views.sql`."""
    connection = duckdb.connect(database)
    if not lake.is_local:
        connection.register_filesystem(lake.fs)
    tasks = list(task_tables)
    for table in [*ASSET_TABLES.values(), *SUPPORT_TABLES.values(), *tasks]:
        add_view(connection, lake, table)
    connection.execute(_samples_view(tasks))
    connection.execute(sql_text("views"))
    return connection


def add_view(connection: duckdb.DuckDBPyConnection, lake: Lake, table: Table) -> None:
    """The view of one table; typed and empty where it has no partition."""
    glob = glob_of(lake, table)
    if lake.fs.glob(glob):
        later = {name: f"coalesce({identifier(name)}, {literal(value)}) AS " for name, value in table.later.items()}
        columns = ", ".join(later.get(name, "") + identifier(name) for name in table.polars)
        typed = ", ".join(f"NULL::{duckdb_types(table)[name]} AS {identifier(name)}" for name in later)
        sql = fill_sql(
            "table_view",
            name=identifier(table.name),
            columns=columns,
            files=literal(lake.url(glob)),
            later=f"UNION ALL BY NAME SELECT {typed} WHERE false" if later else "",
        )
    else:
        sql = empty_view(table)
    try:
        connection.execute(sql)
    except duckdb.Error as error:
        raise PersonaAssetsError(f"{table.name} cannot be read: {str(error).splitlines()[0]}") from error


def empty_view(table: Table) -> str:
    """SQL of a table's view without rows."""
    nulls = ", ".join(f"NULL::{kind} AS {identifier(name)}" for name, kind in duckdb_types(table).items())
    return fill_sql("empty_view", name=identifier(table.name), typed_nulls=nulls)


@cache  # asked for every table without partitions, on every connection
def duckdb_types(table: Table) -> dict[str, str]:
    """Column name to DuckDB type."""
    with duckdb.connect() as connection:
        connection.register("empty", pl.DataFrame(schema=table.polars).to_arrow())
        described = connection.execute("DESCRIBE empty").fetchall()
    return {row[0]: row[1] for row in described}


def _samples_view(tasks: list[Table]) -> str:
    columns = ", ".join(identifier(name) for name in _SHARED_SAMPLE_COLUMNS)
    if tasks:
        selects = "\nUNION ALL\n".join(f"SELECT {columns} FROM {identifier(table.name)}" for table in tasks)
    else:
        shared = duckdb_types(Table("samples", "sample_id", SAMPLE_COLUMNS)) | {
            "call_id": "VARCHAR",
            "shard": "VARCHAR",
        }
        selects = (
            "SELECT "
            + ", ".join(f"NULL::{kind} AS {identifier(name)}" for name, kind in shared.items())
            + " WHERE false"
        )
    return fill_sql("samples_view", selects=selects)


def query(lake: Lake, text: str, task_tables: Iterable[Table] = ()) -> pl.DataFrame:
    """The rows of one read-only query on the catalogue.

    Raises:
        UsageError: it is not one SELECT (or DESCRIBE, SHOW, ...), or DuckDB refuses it.
    """
    with connect(lake, task_tables) as connection:
        try:
            statements = connection.extract_statements(text)
        except duckdb.Error as error:
            raise UsageError(f"SQL: {error}") from error
        # Not EXPLAIN: with ANALYZE it carries out the statement that it explains, COPY ... TO among them.
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UsageError("SQL: one SELECT, DESCRIBE or SHOW statement at a time; the catalogue is read-only")
        _confine(connection, lake)
        try:
            frame: pl.DataFrame = connection.sql(text).pl()
        except duckdb.Error as error:
            raise UsageError(f"SQL: {error}") from error
    return frame


def _confine(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Let a query read the lake's files and nothing else."""
    if lake.is_local:
        connection.execute(f"SET allowed_directories = {literals([lake.root])}")
        connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def write_catalog(lake: Lake, path: Path, task_tables: Iterable[Table] = ()) -> Path:
    """Write the views as a `.duckdb` file, aside and then renamed, for notebooks and BI tools.

    Raises:
        PersonaAssetsError: the lake is not a local folder, whose paths alone a file can refer to.
    """
    if not lake.is_local:
        raise PersonaAssetsError(f"a catalogue file needs a lake in a local folder, not {lake.root}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        connect(lake, task_tables, str(temporary)).close()
        os.replace(temporary, path)  # noqa: PTH105 - atomic on one file system
    except duckdb.IOException as error:
        raise PersonaAssetsError(f"{path} cannot be written: {str(error).splitlines()[0]}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path
