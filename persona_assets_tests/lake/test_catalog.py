from pathlib import Path

import duckdb
import polars as pl
import pytest

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Column, Lake, Table
from persona_assets.lake.catalog import add_view, connect, query, write_catalog
from persona_assets.lake.schemas import EXTRACTED_PERSONAS, PERSONA_SURVIVORS, RAW_DOCUMENTS
from persona_assets_tests.rows import SHARD, document, persona, put, put_rejects, reject, verdict


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_an_empty_lake_has_every_view_typed_and_empty(lake: Lake) -> None:
    frame = query(lake, "SELECT * FROM raw_documents")
    assert frame.is_empty()
    assert frame.columns == RAW_DOCUMENTS.polars.names()
    assert query(lake, "SELECT * FROM fate").is_empty()


def test_a_view_spans_all_partitions(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("a"))
    put(lake, RAW_DOCUMENTS, document("b", shard="d.0001"), shard="d.0001")
    frame = query(lake, "SELECT document_id FROM raw_documents ORDER BY 1")
    assert frame["document_id"].to_list() == ["doc_a", "doc_b"]


def test_fate_shows_where_each_document_ended(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("kept"), document("refused"), document("lost"))
    put(lake, EXTRACTED_PERSONAS, persona("p", "kept"))
    put_rejects(lake, EXTRACTED_PERSONAS, reject(EXTRACTED_PERSONAS, "doc_refused", "parse_failure"))
    frame = query(lake, "SELECT row_id, kept, rejected FROM fate WHERE asset = 'extracted_personas' ORDER BY row_id")
    assert frame.rows() == [("doc_kept", 1, 0), ("doc_lost", 0, 0), ("doc_refused", 0, 1)]


def test_the_duplicate_rates_of_each_dump_stand_in_the_order_of_the_seals(lake: Lake) -> None:
    put(lake, PERSONA_SURVIVORS, verdict("1", "b", seal=1), shard="b")
    gone = [verdict(str(n), "a", seal=2, of="1", method=method) for n, method in enumerate(("exact", "lexical"), 2)]
    put(lake, PERSONA_SURVIVORS, *gone, verdict("4", "a", seal=2), shard="a")
    frame = query(lake, "SELECT * FROM duplicate_rates")
    assert frame.columns == ["dump", "seal", "rows", "kept", "exact", "lexical", "semantic", "rate"]
    assert frame.rows() == [("b", 1, 1, 1, 0, 0, 0, 0.0), ("a", 2, 3, 1, 1, 1, 0, 0.6667)]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP VIEW fate",
        "COPY (SELECT 1) TO 'x.csv'",
        "ATTACH 'x.db'",
        "SELECT 1; SELECT 2",
        "CREATE TABLE t AS SELECT 1",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'",
    ],
)
def test_anything_but_one_query_is_refused(lake: Lake, statement: str) -> None:
    with pytest.raises(UsageError, match="read-only"):
        query(lake, statement)


@pytest.fixture(params=["local", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """A lake with one document, in a folder or on a store that is reached by URL, and secrets beside it."""
    lake = Lake(tmp_path / "lake" if request.param == "local" else f"memory://{tmp_path.name}/lake")
    put(lake, RAW_DOCUMENTS, document("a"))
    for beside in ("beside.csv", "lake2/beside.csv"):
        path = f"{lake.root.removesuffix('lake')}{beside}"
        lake.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        lake.fs.pipe(path, b"word\nsecret\n")
    return lake


def test_a_query_reads_the_tables_of_a_lake_anywhere(place: Lake) -> None:
    assert query(place, "SELECT document_id FROM raw_documents").rows() == [("doc_a",)]


def test_a_query_reads_the_files_of_a_lake_anywhere(place: Lake) -> None:
    files = place.url(f"{place.root}/raw_documents/*/*.parquet")
    assert query(place, f"SELECT document_id FROM read_parquet('{files}')").rows() == [("doc_a",)]


@pytest.mark.parametrize(
    "source",
    [
        "read_text('/etc/passwd')",
        "read_blob('/proc/self/environ')",
        "read_text('file:///etc/passwd')",
        "read_csv('/etc/passwd', sep = '|')",
        "sniff_csv('/etc/passwd')",
        "glob('/etc/*')",
        "glob('*')",
        "read_text('.tmp/spilled.txt')",
        "read_csv('{beside}/beside.csv')",
        "read_csv('{beside}/lake2/beside.csv')",
        "glob('{beside}/*')",
        "read_csv('memory://elsewhere/x.csv')",
        "read_csv('http://127.0.0.1:9/x.csv')",
        "read_parquet('s3://elsewhere/x.parquet')",
        "query('FROM read_text(''/etc/passwd'')')",
        "duckdb_secrets()",
    ],
)
def test_a_query_reads_nothing_outside_the_lake(
    place: Lake, source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".tmp").mkdir()  # where DuckDB spills unless it is told otherwise
    (tmp_path / ".tmp" / "spilled.txt").write_text("secret")
    beside = place.url(place.root.removesuffix("/lake"))
    with pytest.raises(UsageError, match=r"Cannot access (file|directory)"):
        query(place, f"SELECT * FROM {source.format(beside=beside)}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("INSTALL httpfs", "read-only"),
        ("LOAD httpfs", "read-only"),
        ("ATTACH 'x.db'", "read-only"),
        ("COPY (SELECT 1) TO 'x.csv'", "read-only"),
        ("SELECT * FROM sqlite_scan('x.db', 't')", "not in the catalog"),  # of an extension, which is not installed
        ("SELECT getenv('HOME')", "does not exist"),
        ("SELECT * FROM text", "does not exist"),  # a variable of `query`
        ("SELECT * FROM enable_logging(storage = 'file')", "locked"),
        ("SELECT * FROM enable_profiling(save_location = 'x.json')", "locked"),
    ],
)
def test_a_query_changes_nothing_and_brings_in_no_extension(place: Lake, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        query(place, text)


def test_a_query_writes_no_file_into_the_lake(place: Lake) -> None:
    path = place.url(f"{place.root}/written.csv")
    with pytest.raises(UsageError, match="read-only"):
        query(place, f"WITH t AS (COPY (SELECT 1) TO '{path}') SELECT 1")
    assert not place.fs.exists(f"{place.root}/written.csv")


@pytest.mark.parametrize(
    "text",
    [
        "FROM raw_documents;  -- all of them",
        "DESCRIBE raw_documents",
        "SHOW TABLES",
        "SUMMARIZE raw_documents",
        "WITH a AS MATERIALIZED (FROM raw_documents) FROM a UNION ALL FROM a",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) FROM r",
        "PIVOT raw_documents ON language IN ('en') USING count(*)",
        """SELECT '"type":"COPY_QUERY_NODE"' AS word""",
    ],
)
def test_every_form_of_a_reading_query_passes(lake: Lake, text: str) -> None:
    put(lake, RAW_DOCUMENTS, document("a"))
    assert query(lake, text).height > 0


def test_a_query_may_spill(place: Lake) -> None:
    assert (
        query(place, "SELECT count(*) FROM (SELECT random() AS r FROM range(3_000_000) ORDER BY r)").item() == 3_000_000
    )


def test_a_syntax_error_is_a_usage_error(lake: Lake) -> None:
    with pytest.raises(UsageError, match="syntax error"):
        query(lake, "SELEC 1")


def test_the_catalogue_file_reads_without_the_package(lake: Lake, tmp_path: Path) -> None:
    put(lake, RAW_DOCUMENTS, document("a"))
    path = write_catalog(lake, tmp_path / "catalog.duckdb")
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM raw_documents").fetchone() == (1,)
    assert [file.name for file in tmp_path.glob("*catalog*")] == ["catalog.duckdb"]


def test_a_quote_in_a_path_stays_a_path(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "o'lake; DROP")
    put(lake, RAW_DOCUMENTS, document("a"))
    assert query(lake, "SELECT count(*) AS n FROM raw_documents")["n"].item() == 1


def test_a_partition_that_is_not_as_its_record_says_is_not_there(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("a"))
    put(lake, RAW_DOCUMENTS, document("b", shard="d.0001"), shard="d.0001")
    Path(lake.path(RAW_DOCUMENTS, SHARD)).write_bytes(b"PAR1 no more")
    assert query(lake, "SELECT document_id FROM raw_documents").rows() == [("doc_b",)]


def test_a_damaged_file_of_the_right_size_is_named_in_the_error(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("a"))
    path = Path(lake.path(RAW_DOCUMENTS, SHARD))
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(PersonaAssetsError, match=rf"raw_documents cannot be read: .*{path.name}"):
        query(lake, "SELECT 1")


def test_a_file_that_no_record_names_is_not_there(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("a"))
    path = Path(lake.path(RAW_DOCUMENTS, SHARD))
    path.with_name(f"{'0' * 32}.parquet").write_bytes(path.read_bytes())
    assert query(lake, "SELECT count(*) AS n FROM raw_documents").item() == 1
    catalogue = duckdb.connect(str(write_catalog(lake, path.with_name("c.duckdb"))), read_only=True)
    assert catalogue.sql("SELECT count(*) FROM raw_documents").fetchall() == [(1,)]


def test_files_of_two_versions_of_a_table_are_read_together(lake: Lake) -> None:
    """A task file got a column, lost one, and gave one another type."""
    own = [Column(name, pl.String(), "") for name in ("sample_id", "shard", "run_id")]
    now = Table("haiku", "sample_id", (*own, Column("lines", pl.Int64(), ""), Column("mood", pl.String(), "")))
    then = Table("haiku", "sample_id", (*own, Column("lines", pl.String(), ""), Column("season", pl.String(), "")))
    base = {"shard": "d", "run_id": "r"}
    lake.write(then, "d.0000", pl.DataFrame([base | {"sample_id": "a", "lines": "3", "season": "spring"}]), "r")
    lake.write(now, "d.0001", pl.DataFrame([base | {"sample_id": "b", "lines": 4, "mood": "glad"}]), "r")
    with connect(lake) as connection:
        add_view(connection, lake, now)
        found = connection.sql("SELECT sample_id, lines, mood FROM haiku ORDER BY 1").fetchall()
    assert found == [("a", 3, None), ("b", 4, "glad")]
