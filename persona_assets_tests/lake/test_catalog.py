from pathlib import Path

import duckdb
import pytest

from persona_assets.checks.gates import run_gates
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Lake
from persona_assets.lake.catalog import query, write_catalog
from persona_assets.lake.schemas import EXTRACTED_PERSONAS, PERSONA_SURVIVORS, RAW_DOCUMENTS
from persona_assets.settings import load_settings
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
    run_gates(lake, EXTRACTED_PERSONAS, SHARD, load_settings(), "run")
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


def test_a_query_reads_no_file_outside_the_lake(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(UsageError, match="Cannot access file"):
        query(lake, f"SELECT * FROM read_text('{tmp_path / 'secret.txt'}')")


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


def test_a_damaged_file_is_named_in_the_error(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("a"))
    Path(lake.path(RAW_DOCUMENTS, SHARD)).write_bytes(b"PAR1 no more")
    with pytest.raises(PersonaAssetsError, match=r"raw_documents cannot be read: .*data\.parquet"):
        query(lake, "SELECT 1")
