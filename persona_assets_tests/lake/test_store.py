import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from persona_assets.checks.gates import run_gates
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import EXTRACTED_PERSONAS, RAW_DOCUMENTS
from persona_assets.lake.store import check_key
from persona_assets.settings import Settings
from persona_assets_tests.rows import document, persona, put


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def documents(*names: str) -> pl.DataFrame:
    return pl.DataFrame([document(name) for name in names], schema=RAW_DOCUMENTS.polars)


def test_a_partition_reads_back_as_it_was_written(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("a"), document("b"))
    assert lake.read(RAW_DOCUMENTS, "d.0000").equals(documents("a", "b"))


def test_a_partition_appears_only_when_the_writer_ends(lake: Lake) -> None:
    with lake.writer(RAW_DOCUMENTS, "d.0000", "run") as writer:
        writer.append(documents("a"))
        writer.flush()
        assert not lake.exists(RAW_DOCUMENTS, "d.0000")
    assert lake.exists(RAW_DOCUMENTS, "d.0000")


def test_a_writer_that_fails_leaves_the_old_partition_and_no_litter(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("old"))
    with pytest.raises(RuntimeError), lake.writer(RAW_DOCUMENTS, "d.0000", "run") as writer:
        writer.append(documents("new"))
        raise RuntimeError
    assert lake.read(RAW_DOCUMENTS, "d.0000")["document_id"].to_list() == ["doc_old"]
    assert list(Path(lake.root, "_tmp").iterdir()) == []


def test_writing_again_replaces_the_partition(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("old"))
    put(lake, RAW_DOCUMENTS, document("new"))
    assert lake.read(RAW_DOCUMENTS, "d.0000")["document_id"].to_list() == ["doc_new"]


def test_a_process_killed_while_writing_leaves_no_partition(lake: Lake) -> None:
    code = f"""
import sys, time
from persona_assets.lake import Lake
from persona_assets.checks.gates import run_gates
from persona_assets.lake.schemas import RAW_DOCUMENTS
from persona_assets_tests.lake.test_store import documents
with Lake({lake.root!r}).writer(RAW_DOCUMENTS, "d.0000", "run") as writer:
    writer.append(documents("a"))
    writer.flush()
    print("half", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        os.kill(process.pid, signal.SIGKILL)
    assert not lake.exists(RAW_DOCUMENTS, "d.0000")
    assert lake.keys(RAW_DOCUMENTS) == []


def test_a_missing_column_is_refused_by_name(lake: Lake) -> None:
    with (
        pytest.raises(ValueError, match=r"raw_documents: missing columns \['url'\]"),
        lake.writer(RAW_DOCUMENTS, "d.0000", "run") as writer,
    ):
        writer.append(documents("a").drop("url"))


def test_a_column_of_another_type_is_refused_by_name(lake: Lake) -> None:
    wrong = documents("a").with_columns(pl.col("characters").cast(pl.String))
    with (
        pytest.raises(ValueError, match="characters is String, declared Int32"),
        lake.writer(RAW_DOCUMENTS, "d.0000", "run") as writer,
    ):
        writer.append(wrong)


def test_batches_are_bounded_and_complete(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, *(document(str(number)) for number in range(25)))
    batches = list(lake.batches(RAW_DOCUMENTS, "d.0000", rows=10))
    assert [batch.height for batch in batches] == [10, 10, 5]
    assert pl.concat(batches).equals(lake.read(RAW_DOCUMENTS, "d.0000"))


def test_an_empty_partition_keeps_its_types(lake: Lake) -> None:
    put(lake, EXTRACTED_PERSONAS)
    assert lake.read(EXTRACTED_PERSONAS, "d.0000").schema == EXTRACTED_PERSONAS.polars


def test_a_missing_partition_says_what_to_do(lake: Lake) -> None:
    with pytest.raises(PersonaAssetsError, match=r"raw_documents has no partition d\.0000: materialise it"):
        lake.read(RAW_DOCUMENTS, "d.0000")


@pytest.mark.parametrize("key", ["../x", "a/b", "", ".hidden", "a..b", "a b", "ü", "x" * 300])
def test_a_key_that_is_no_path_segment_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="no partition key"):
        check_key(key)


def test_the_commit_record_holds_the_digest_of_the_file(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("a"))
    path = lake.path(RAW_DOCUMENTS, "d.0000")
    record = lake.commit_record(path)
    assert record is not None
    assert (record.rows, record.sha256, record.run_id) == (1, lake.sha256(path), "run")


def test_an_exclusive_commit_does_not_overwrite(lake: Lake) -> None:
    path = f"{lake.root}/seals/1.json"
    lake.write_bytes(path, b"first", exclusive=True)
    with pytest.raises(FileExistsError):
        lake.write_bytes(path, b"second", exclusive=True)
    assert lake.fs.cat_file(path) == b"first"


def test_the_same_code_serves_a_store_without_renames() -> None:
    lake = Lake("memory://lake-of-the-store-test")
    put(lake, EXTRACTED_PERSONAS, persona("a", "a"))
    assert lake.keys(EXTRACTED_PERSONAS) == ["d.0000"]
    assert next(lake.batches(EXTRACTED_PERSONAS, "d.0000"))["persona_id"].to_list() == ["per_a"]
    outcomes = {
        outcome.name: outcome.failing for outcome in run_gates(lake, EXTRACTED_PERSONAS, "d.0000", Settings(), "r")
    }
    assert (outcomes["ids_unique"], outcomes["parents_exist"]) == (0, 1)


@pytest.mark.parametrize("url", ["", " ", "a*b", "lake [1]", "nosuchstore://x"])
def test_a_place_that_cannot_hold_a_lake_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="PERSONA_LAKE"):
        Lake(url)
