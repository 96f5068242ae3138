"""The catalogue: DuckDB views over the lake's Parquet files; nothing is stored in DuckDB (data contract 7)."""

import os
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake.records import FOLDER
from persona_assets.lake.schemas import ASSET_TABLES, CALLS, REJECTED, SAMPLE_COLUMNS, SUPPORT_TABLES, Parent, Table
from persona_assets.lake.sqlfiles import fill_sql, identifier, literal, literals, sql_text
from persona_assets.lake.store import Lake

_SHARED_SAMPLE_COLUMNS = [*(column.name for column in SAMPLE_COLUMNS), "mode", "call_id", "shard"]

# The parser's names for what a query is made of. Others, such as COPY_QUERY_NODE, write.
_READING = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})


def view_names() -> frozenset[str]:
    """Every view that the SQL files create beside the tables' own, for the catalogue and for the checks."""
    files = ("views", "lineage_view", "fate_view", "samples_view", "check_views", "history_view", "records_view")
    return frozenset(
        name for file in files for name in re.findall(r"CREATE OR REPLACE (?:TEMP )?VIEW (\w+)", sql_text(file))
    )


def glob_of(lake: Lake, table: Table) -> str:
    """The glob that matches all files of a table."""
    if table is CALLS:
        return f"{lake.root}/calls/template=*/shard=*/part-*.parquet"
    if table is REJECTED:
        return f"{lake.root}/rejected/asset=*/*/*.parquet"
    return lake.path_glob(table)


def files_of(lake: Lake, table: Table) -> list[str]:
    """The files of a table that count: those that a record names, and the parts of the ledger."""
    if table is CALLS:
        return sorted(lake.fs.glob(glob_of(lake, table)))
    return lake.rejects_paths() if table is REJECTED else lake.paths(table)


def connect(
    lake: Lake, task_tables: Iterable[Table] = (), database: str = ":memory:", *, live: bool = False
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with one view per table and the views of `sql/`.

    The views name the files that count now; with `live` they look each time which files these are, which takes longer.
    """
    connection = duckdb.connect(database)
    if not lake.is_local:
        connection.register_filesystem(lake.fs)
    tasks = list(task_tables)
    connection.execute(_records_view(lake))
    for table in [*ASSET_TABLES.values(), *SUPPORT_TABLES.values(), *tasks]:
        add_view(connection, lake, table, live=live)
    connection.execute(_samples_view([table for table in tasks if table.key == "sample_id"]))
    connection.execute(sql_text("views"))
    assets = [*ASSET_TABLES.values(), *tasks]
    connection.execute(fill_sql("lineage_view", links=_links(assets), ids=_ids(assets)))
    connection.execute(fill_sql("fate_view", kept=_kept(assets), offered=_offered(assets)))
    return connection


def _records_view(lake: Lake) -> str:
    if not lake.records.assets():
        return sql_text("no_records_view")
    return fill_sql("records_view", files=literal(lake.url(f"{lake.root}/{FOLDER}/*/*/*.json")))


def add_view(connection: duckdb.DuckDBPyConnection, lake: Lake, table: Table, *, live: bool = False) -> None:
    """The view of one table, whichever versions of it wrote the files; typed and empty where it has no partition."""
    paths = files_of(lake, table)
    if paths:
        types = duckdb_types(table)
        files = literal(lake.url(glob_of(lake, table))) if live else literals([lake.url(path) for path in paths])
        sql = fill_sql(
            "table_view",
            name=identifier(table.name),
            columns=", ".join(_typed(table, name, kind) for name, kind in types.items()),
            files=files,
            counting="SEMI JOIN files ON files.name = parse_filename(filename)" if live and table is not CALLS else "",
            nulls=", ".join(f"NULL::{kind} AS {identifier(name)}" for name, kind in types.items()),
        )
    else:
        sql = empty_view(table)
    try:
        connection.execute(sql)
    except duckdb.Error as error:
        raise PersonaAssetsError(f"{table.name} cannot be read: {str(error).splitlines()[0]}") from error


def _typed(table: Table, name: str, kind: str) -> str:
    """A column as declared now; where an older file has another type for it, as far as its values are of this one."""
    column = f"TRY_CAST({identifier(name)} AS {kind})"
    if meant := meant_by(table, name):
        column = f"coalesce({column}, {meant})"
    return f"{column} AS {identifier(name)}"


def meant_by(table: Table, name: str) -> str:
    """SQL of what is meant where files lack a column that was added later; "" where nothing is.

    A question that a task asks of each row once has the id of that row.
    """
    if name in table.later:
        default = table.later[name]
        return str(default) if isinstance(default, int) else literal(default)
    if name == "question_id" and table.parents:
        column = table.parents[0].column
        return f"{identifier(column)}[1]" if isinstance(table.polars[column], pl.List) else identifier(column)
    return ""


def empty_view(table: Table) -> str:
    """SQL of a table's view without rows."""
    return fill_sql("empty_view", name=identifier(table.name), no_rows=no_rows(table))


def no_rows(table: Table) -> str:
    """A query that gives a table's columns and no row."""
    nulls = ", ".join(f"NULL::{kind} AS {identifier(name)}" for name, kind in duckdb_types(table).items())
    return f"SELECT {nulls} WHERE false"


@cache
def scratch() -> duckdb.DuckDBPyConnection:
    """A database without tables for this process, to take cursors of: to make one takes twenty times as long."""
    return duckdb.connect()


@cache  # asked for every table without partitions, on every connection
def duckdb_types(table: Table) -> dict[str, str]:
    """Column name to DuckDB type."""
    with scratch().cursor() as connection:
        connection.register("empty", pl.DataFrame(schema=table.polars).to_arrow())
        described = connection.execute("DESCRIBE empty").fetchall()
    return {row[0]: row[1] for row in described}


def _each(table: Table, column: str) -> str:
    return f"unnest({identifier(column)})" if isinstance(table.polars[column], pl.List) else identifier(column)


def _union(selects: Iterable[str]) -> str:
    return "\nUNION ALL ".join(selects)


def _links(assets: Sequence[Table]) -> str:
    """Each row with what it was made from, and its call where that gave it."""
    keys = {table.name: table.key for table in assets}
    return _union(
        _link(table, origin) if not origin.whole else _links_to_all(table, origin, keys)
        for table in assets
        for origin in table.origins
    )


def _link(table: Table, origin: Parent) -> str:
    return (
        f"SELECT {literal(table.name)} AS asset, {identifier(table.key)} AS id, "
        f"{_each(table, origin.column)} AS parent_id, "
        f"{_call_of(table, origin)} FROM {identifier(table.name)}"
    )


def _links_to_all(table: Table, origin: Parent, keys: Mapping[str, str]) -> str:
    """A row with each row of the partition that it was made from."""
    return _union(
        f"SELECT {literal(table.name)} AS asset, child.{identifier(table.key)} AS id, "
        f"parent.{identifier(keys[name])} AS parent_id, NULL AS call_id, NULL::VARCHAR[] AS call_ids "
        f"FROM {identifier(table.name)} AS child JOIN {identifier(name)} AS parent "
        f"ON parent.shard = child.{identifier(origin.column)}"
        for name in origin.tables
    )


def _call_of(table: Table, origin: Parent) -> str:
    """The call that gave a row, and those of all its turns."""
    if not table.generated or origin.column == table.key:
        return "NULL AS call_id, NULL::VARCHAR[] AS call_ids"
    if "call_ids" in table.polars:
        return "call_id, call_ids"
    return "call_id, CASE WHEN call_id IS NOT NULL THEN [call_id] END AS call_ids"  # a given persona has none


def _ids(assets: Sequence[Table]) -> str:
    return _union(f"SELECT {identifier(table.key)} AS id FROM {identifier(table.name)}" for table in assets)


def _accounted(table: Table) -> tuple[Parent, ...]:
    """The references that a table accounts for row by row; none where it accounts for questions, or for a dump."""
    if table.partition == "dump":
        return ()
    return tuple(parent for parent in table.origins if parent.column == table.accounts_for)


def _kept(assets: Sequence[Table]) -> str:
    """What each asset keeps of what it was given. The first one reads files."""
    selects = []
    for table in assets:
        if not table.parents:
            selects.append(
                f"SELECT {literal(table.name)} AS asset, {identifier(table.key)} AS row_id FROM {table.name}"
            )
        elif table.partition != "dump" and table.accounts_for:
            column = _each(table, table.accounts_for)
            selects.append(f"SELECT DISTINCT {literal(table.name)}, {column} FROM {identifier(table.name)}")
    return _union(selects)


def _offered(assets: Sequence[Table]) -> str:
    """What each asset is given: the rows that it reads, or questions about them."""
    selects = []
    for table in assets:
        asset, name = literal(table.name), identifier(table.name)
        if not table.parents:  # all that it met is in one of its two outputs
            selects.append(f"SELECT {asset} AS asset, {identifier(table.key)} AS row_id, shard FROM {name}")
            selects.append(f"SELECT asset, row_id, shard FROM rejected WHERE asset = {asset}")
        for parent in _accounted(table):
            for read in parent.tables:
                selects.append(f"SELECT {asset}, {identifier(parent.key)}, shard FROM {identifier(read)}")
        if table.accounts_for == "question_id":  # and rows about which no question was asked
            selects.append(f"SELECT {asset}, question_id, shard FROM {name}")
            selects.append(
                f"SELECT asset, row_id, shard FROM rejected WHERE asset = {asset} AND "
                "(row_id LIKE 'qst\\_%' ESCAPE '\\' OR row_id = parent_id)"  # that of a first attempt, or of a row
            )
            for parent in table.origins[:1] if not table.grouped else ():
                for read in parent.tables:
                    selects.append(
                        f"SELECT {asset}, {identifier(parent.key)}, shard FROM {identifier(read)} WHERE "
                        f"{identifier(parent.key)} NOT IN (SELECT {_each(table, parent.column)} FROM {name}) AND "
                        f"{identifier(parent.key)} NOT IN (SELECT parent_id FROM rejected WHERE asset = {asset} "
                        "AND parent_id IS NOT NULL)"
                    )
    return _union(selects)


def _samples_view(tasks: list[Table]) -> str:
    if tasks:
        selects = "\nUNION ALL\n".join(
            "SELECT "
            + ", ".join(
                identifier(name) if name in table.polars else f"NULL AS {identifier(name)}"
                for name in _SHARED_SAMPLE_COLUMNS
            )
            + f" FROM {identifier(table.name)}"
            for table in tasks
        )
    else:
        shared = duckdb_types(Table("samples", "sample_id", SAMPLE_COLUMNS)) | {
            "mode": "VARCHAR",
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
    with TemporaryDirectory(prefix="persona-assets-sql-") as scratch, connect(lake, task_tables) as connection:
        try:
            statements = connection.extract_statements(text)
        except duckdb.Error as error:
            raise UsageError(f"SQL: {error}") from error
        # Not EXPLAIN: with ANALYZE it carries out the statement that it explains, COPY ... TO among them.
        reads = len(statements) == 1 and statements[0].type == duckdb.StatementType.SELECT
        if not (reads and _only_reads(connection, text)):
            raise UsageError("SQL: one SELECT, DESCRIBE or SHOW statement at a time; the catalogue is read-only")
        _confine(connection, lake, scratch)
        try:
            frame: pl.DataFrame = connection.sql(text).pl()
        except duckdb.Error as error:
            raise UsageError(f"SQL: {error}") from error
    return frame


def _only_reads(connection: duckdb.DuckDBPyConnection, text: str) -> bool:
    """Whether a SELECT has no clause that writes: WITH t AS (COPY ... TO ...) is one that may."""
    [(tree,)] = connection.execute("SELECT json_serialize_sql($text)", {"text": text}).fetchall()
    # Constants of the query stand under other names than `type`.
    kinds = set(re.findall(r'"type":"(\w+_NODE)"', tree))
    return bool(kinds) and kinds <= _READING


def _confine(connection: duckdb.DuckDBPyConnection, lake: Lake, scratch: str) -> None:
    """Let a query read the lake's files and nothing else, wherever the lake is; it may spill to `scratch`.

    Without access to the outside, DuckDB reads no other file or address, keeps no secret, and installs and loads no
    extension. Its own folder for spilling is always open to a query: it must not be one where other files lie.
    """
    settings = {
        "temp_directory": literal(scratch),
        "allowed_directories": literals([lake.url(lake.root)]),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",  # a name in a query is a table's, never that of a variable here
        "enable_external_access": "false",
        "lock_configuration": "true",
    }
    for name, value in settings.items():
        connection.execute(f"SET {name} = {value}")


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
        connect(lake, task_tables, str(temporary), live=True).close()
        os.replace(temporary, path)  # noqa: PTH105 - atomic on one file system
    except duckdb.IOException as error:
        raise PersonaAssetsError(f"{path} cannot be written: {str(error).splitlines()[0]}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path
