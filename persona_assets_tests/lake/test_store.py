import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from persona_assets.checks.gates import run_gates
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Lake, store
from persona_assets.lake.content import content_of
from persona_assets.lake.durable import create_once
from persona_assets.lake.records import record_path
from persona_assets.lake.schemas import EXTRACTED_PERSONAS, RAW_DOCUMENTS, REJECTED
from persona_assets.lake.store import NOTHING, Making, check_key
from persona_assets.lake.verified import file_digest
from persona_assets.settings import Settings
from persona_assets_tests.rows import document, draft, persona, put, reject


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def documents(*names: str) -> pl.DataFrame:
    return pl.DataFrame([document(name) for name in names], schema=RAW_DOCUMENTS.polars)


def test_a_partition_reads_back_as_it_was_written(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("a"), document("b"))
    assert lake.read(RAW_DOCUMENTS, "d.0000").equals(documents("a", "b"))


def test_a_partition_appears_only_when_the_writer_ends(lake: Lake) -> None:
    with lake.partition(RAW_DOCUMENTS, "d.0000", "run") as part:
        part.rows.append(documents("a"))
        part.rows.flush()
        assert not lake.exists(RAW_DOCUMENTS, "d.0000")
    assert lake.exists(RAW_DOCUMENTS, "d.0000")


def test_a_writer_that_fails_leaves_the_old_partition_and_no_litter(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("old"))
    with pytest.raises(RuntimeError), lake.partition(RAW_DOCUMENTS, "d.0000", "run") as part:
        part.rows.append(documents("new"))
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
from persona_assets.lake.schemas import RAW_DOCUMENTS
from persona_assets_tests.lake.test_store import documents
with Lake({lake.root!r}).partition(RAW_DOCUMENTS, "d.0000", "run") as part:
    part.rows.append(documents("a"))
    part.rows.flush()
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
        lake.partition(RAW_DOCUMENTS, "d.0000", "run") as part,
    ):
        part.rows.append(documents("a").drop("url"))


def test_a_column_of_another_type_is_refused_by_name(lake: Lake) -> None:
    wrong = documents("a").with_columns(pl.col("characters").cast(pl.String))
    with (
        pytest.raises(ValueError, match="characters is String, declared Int32"),
        lake.partition(RAW_DOCUMENTS, "d.0000", "run") as part,
    ):
        part.rows.append(wrong)


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
    with pytest.raises(UsageError, match="not a partition key"):
        check_key(key)


def rejected(*names: str) -> pl.DataFrame:
    return pl.DataFrame([reject(RAW_DOCUMENTS, f"doc_{name}", "empty") for name in names], schema=REJECTED.polars)


def write(lake: Lake, name: str, making: Making = NOTHING) -> None:
    """A partition with one row and one reject, both of this name."""
    with lake.partition(RAW_DOCUMENTS, "d.0000", name, making) as part:
        part.rows.append(documents(name))
        part.rejects.append(rejected(name))


def stands(lake: Lake) -> tuple[list[str], list[str]]:
    """The rows and rejects that readers see."""
    kept = lake.scan(RAW_DOCUMENTS).collect()["document_id"].to_list()
    return kept, lake.rejects(RAW_DOCUMENTS).collect()["row_id"].to_list()


def plain_files(lake: Lake) -> list[str]:
    """What a plain glob gives to any reader of Parquet."""
    found = [*Path(lake.root).glob("raw_documents/*/*.parquet"), *Path(lake.root).glob("rejected/*/*/*.parquet")]
    return sorted(path.name for path in found)


def test_the_record_holds_what_the_partition_is(lake: Lake) -> None:
    write(lake, "a", Making({"shard_files/d.0000": "1"}, {"code": 1}, "gates"))
    record = lake.require(RAW_DOCUMENTS, "d.0000")
    assert record.rows.name == f"{file_digest(lake.fs, lake.path(RAW_DOCUMENTS, 'd.0000'))}.parquet"
    assert (record.rows.rows, record.rows.content) == (1, content_of(documents("a"), RAW_DOCUMENTS))
    assert (record.made_from, record.recipe, record.judged_by) == ({"shard_files/d.0000": "1"}, {"code": 1}, "gates")
    assert (record.generation, record.run_id, record.reasons) == (1, "a", {"empty": 1})
    assert "polars" in record.versions


@pytest.mark.parametrize("moment", ["place", "create_once"])
def test_a_crash_before_the_record_leaves_what_stood(lake: Lake, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    write(lake, "old")
    owner = store if moment == "create_once" else Lake

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(owner, moment, crash)
        write(lake, "new")
    assert stands(lake) == (["doc_old"], ["doc_old"])
    assert len(plain_files(lake)) == 2


def test_a_kill_between_the_files_and_the_record_is_seen_by_nobody(lake: Lake) -> None:
    write(lake, "old")
    killed(
        lake,
        "from persona_assets.lake import store\n"
        "store.create_once = lambda *_: (print('half', flush=True), time.sleep(60))\n"
        "write(lake, 'new')",
    )
    assert stands(lake) == (["doc_old"], ["doc_old"])
    write(lake, "newer")
    assert stands(lake) == (["doc_newer"], ["doc_newer"])
    assert len(plain_files(lake)) == 2, "what the killed run left is gone"


def test_a_kill_between_the_record_and_the_removal_of_what_was_counts_once(lake: Lake) -> None:
    write(lake, "old")
    killed(lake, "Lake.tidy = lambda *_: (print('half', flush=True), time.sleep(60))\nwrite(lake, 'new')")
    assert stands(lake) == (["doc_new"], ["doc_new"])
    assert lake.records.crowded("raw_documents") == {"d.0000"}
    lake.tidy(RAW_DOCUMENTS, "d.0000")
    assert (len(plain_files(lake)), lake.records.crowded("raw_documents")) == (2, set())


def killed(lake: Lake, code: str) -> None:
    """Run code in a process that is killed once it has printed a line."""
    head = (
        "import time\n"
        "from persona_assets.lake import Lake\n"
        "from persona_assets_tests.lake.test_store import write\n"
        f"lake = Lake({lake.root!r})\n"
    )
    with subprocess.Popen([sys.executable, "-c", head + code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        os.kill(process.pid, signal.SIGKILL)


def test_two_writers_at_one_time_cannot_mix(lake: Lake) -> None:
    with lake.partition(RAW_DOCUMENTS, "d.0000", "one") as one:
        one.rows.append(documents("one"))
        with lake.partition(RAW_DOCUMENTS, "d.0000", "two") as two:
            two.rows.append(documents("two"))
            one.rejects.append(rejected("one"))
            two.rejects.append(rejected("two"))
    assert stands(lake) == (["doc_one"], ["doc_one"])
    assert len(plain_files(lake)) == 2


def test_of_two_writers_of_one_generation_the_second_is_refused_and_leaves_nothing(lake: Lake) -> None:
    write(lake, "one", Making(new=True))
    with pytest.raises(FileExistsError):
        write(lake, "two", Making(new=True))
    assert stands(lake) == (["doc_one"], ["doc_one"])
    assert len(plain_files(lake)) == 2


def test_a_void_closes_a_generation_and_what_stood_goes_on_standing(lake: Lake) -> None:
    write(lake, "old")
    create_once(lake, record_path(lake.root, "raw_documents", "d.0000", 2), b'{"void": true}')
    assert stands(lake) == (["doc_old"], ["doc_old"])
    write(lake, "new")
    assert lake.require(RAW_DOCUMENTS, "d.0000").generation == 3


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
        outcome.name: outcome.failing for outcome in run_gates(lake, draft(lake, EXTRACTED_PERSONAS), Settings())
    }
    assert (outcomes["ids_unique"], outcomes["parents_exist"]) == (0, 1)


@pytest.mark.parametrize("url", ["", " ", "a*b", "lake [1]", "nosuchstore://x"])
def test_a_place_that_cannot_hold_a_lake_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="PERSONA_LAKE"):
        Lake(url)
