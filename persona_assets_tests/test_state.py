"""What "done" means: a partition stands as long as nothing that it was made of, and nothing that shaped it, changed."""

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson
import polars as pl
import pytest

from persona_assets.crawl.ingest import ingest_shard
from persona_assets.engines.base import Completion, Failure, Request, Result
from persona_assets.engines.offline import OfflineEngine
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.lake.records import GateOutcome, record_path
from persona_assets.lake.schemas import DEDUPED_PERSONAS, EXTRACTED_PERSONAS, FILTERED_PERSONAS, RAW_DOCUMENTS
from persona_assets.lake.skipped import let_in, skip_shard
from persona_assets.lake.store import DamagedPartition, Making
from persona_assets.making import make
from persona_assets.personas.extract import extract_personas
from persona_assets.plan.needs import Needs
from persona_assets.settings import Settings
from persona_assets.state import NOT_CHOSEN, LakeState, State
from persona_assets.steps.model import Context
from persona_assets_tests.plan.work import Work

SHARD, OTHER = "a.0000", "a.0001"


def _at(folder: Path) -> Work:
    settings = Settings(
        lake=str(folder / "lake"), dumps=str(folder / "dumps"), settle_s=0, files_per_shard=1, hops=1, fanout=(1,)
    )
    return Work(folder, settings)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake made whole of two shards, by the offline engine."""
    work = _at(tmp_path_factory.mktemp("whole"))
    with work.drop("a", "one.jsonl", 0).open("a") as file:
        file.write('{"text": "Too short.", "url": "https://short.example/"}\n')
    work.drop("a", "two.jsonl", 1)
    work.run()
    return work.folder


@pytest.fixture
def work(made: Path, tmp_path: Path) -> Work:
    """A copy of it."""
    return _at(Path(shutil.copytree(made, tmp_path / "copy")))


def state(work: Work) -> LakeState:
    return LakeState(work.lake, work.settings)


def not_done(work: Work) -> dict[tuple[str, str], str]:
    """What is not done, and how it stands; without the datasets that nobody has chosen."""
    wanted = (one for one in state(work).all() if one.why != NOT_CHOSEN)
    return {(one.asset, one.key): str(one.state) for one in wanted if one.state is not State.DONE}


def assets_not_done(work: Work) -> dict[str, str]:
    return {asset: how for (asset, _), how in not_done(work).items()}


def why(work: Work, asset: str, key: str = SHARD) -> str:
    return state(work).of(asset, key).why


def context(work: Work) -> Context:
    engine = OfflineEngine(work.settings)
    return Context(work.lake, work.settings, engine, "again", keeper=LakeState(work.lake, work.settings))


def files(work: Work) -> dict[str, tuple[int, int]]:
    """Every file of the lake, with size and time of change."""
    found = {}
    for folder, _, names in os.walk(work.settings.lake):
        for name in names:
            status = Path(folder, name).stat()
            found[f"{folder}/{name}"] = status.st_size, status.st_mtime_ns
    return found


def rewrite(work: Work, *gates: GateOutcome) -> None:
    """Write a shard's documents anew with another text, and the outcome of its gates."""
    now = LakeState(work.lake, work.settings).making(RAW_DOCUMENTS, SHARD)
    rows = work.lake.read(RAW_DOCUMENTS, SHARD).with_columns(text=pl.col("text") + " And so on.")
    making = Making(now.made_from, now.recipe, now.judged_by, lambda draft: gates)
    with work.lake.partition(RAW_DOCUMENTS, SHARD, "run", making) as part:
        part.rows.append(rows)


def test_a_whole_lake_is_done(work: Work) -> None:
    assert not_done(work) == {}


def test_the_same_rows_made_again_upstream_make_nothing_stale(work: Work) -> None:
    before = work.lake.require(RAW_DOCUMENTS, SHARD)
    ingest_shard(context(work), SHARD)
    after = work.lake.require(RAW_DOCUMENTS, SHARD)
    assert (after.generation, after.run_id, after.rows.content) == (2, "again", before.rows.content)
    assert after.rows.name != before.rows.name, "the times in it differ"
    assert not_done(work) == {}


def test_other_rows_upstream_make_what_was_made_of_them_stale_and_nothing_else(work: Work) -> None:
    rewrite(work)
    reading = {name for name in state(work).chosen if "raw_documents" in assets(work.settings)[name].reads}
    assert not_done(work) == {(name, SHARD): "stale" for name in reading}
    assert "extracted_personas" in reading
    assert why(work, "extracted_personas") == f"made from another raw_documents/{SHARD}"


def test_a_time_of_commit_decides_nothing(work: Work) -> None:
    """As where a clock went back, or another machine's is ahead."""
    record = work.lake.require(RAW_DOCUMENTS, SHARD)
    path = Path(record_path(work.lake.root, RAW_DOCUMENTS.name, SHARD, record.generation))
    path.write_bytes(path.read_bytes().replace(record.committed_at.encode(), b"2999-01-01T00:00:00+00:00"))
    assert state(work).of("raw_documents", SHARD).record != record
    assert not_done(work) == {}


def test_a_changed_setting_makes_stale_what_it_shapes(work: Work) -> None:
    changed = work.having(hops=2)
    assert set(assets_not_done(changed)) == {"expanded_personas"}
    assert why(changed, "expanded_personas") == "setting hops: 1, now 2"


def test_another_model_makes_stale_what_asks_one(work: Work) -> None:
    changed = work.having(engine="openai", model="m")
    stale = assets_not_done(changed)
    assert {"extracted_personas", "expanded_personas", "math_problems"} <= set(stale)
    assert {"raw_documents", "filtered_personas", "persona_survivors", "deduped_personas"}.isdisjoint(stale)
    assert why(changed, "extracted_personas").startswith("model: offline, now m")


def test_a_changed_threshold_of_a_gate_has_its_partitions_judged_again(work: Work) -> None:
    changed = work.having(max_parse_failure_rate=0.05)
    assert why(changed, "extracted_personas") == "its gates, or their thresholds, have changed"
    assert "raw_documents" not in assets_not_done(changed)


def test_a_new_task_is_missing_and_nothing_else_is(work: Work) -> None:
    folder = work.folder / "tasks"
    folder.mkdir()
    (folder / "haiku.yaml").write_text(HAIKU)
    assert not_done(work.having(tasks=str(folder))) == {("haiku", SHARD): "missing", ("haiku", OTHER): "missing"}


HAIKU = """
name: haiku
version: 1
title: Haiku
description: A haiku.
messages: [{role: user, content: "<persona>{{ persona }}</persona> Write a haiku in {{ language_name }}."}]
response_schema: {type: object, properties: {haiku: {type: string}}, required: [haiku], additionalProperties: false}
"""


# Damage


def test_deleted_rejects_are_noticed(work: Work) -> None:
    found = work.lake.rejects_path(RAW_DOCUMENTS, SHARD)
    assert found is not None
    path = Path(found)
    path.unlink()
    assert not_done(work)["raw_documents", SHARD] == "damaged"
    assert why(work, "raw_documents").endswith(f"{path.name} is missing")
    assert not work.lake.exists(RAW_DOCUMENTS, SHARD)


def test_cut_rows_are_noticed_and_made_again(work: Work) -> None:
    path = Path(work.lake.path(EXTRACTED_PERSONAS, SHARD))
    path.write_bytes(path.read_bytes()[:-7])
    assert not_done(work)[EXTRACTED_PERSONAS.name, SHARD] == "damaged"
    extract_personas(context(work), SHARD)
    assert not_done(work) == {}


@pytest.mark.parametrize("left", [b"", b'{"asset": "raw_docu', b"[1]", b"\xff\xfe", b"{}"])
def test_a_damaged_record_is_named_with_the_remedy_and_the_partition_is_made_again(work: Work, left: bytes) -> None:
    path = Path(record_path(work.lake.root, EXTRACTED_PERSONAS.name, SHARD, 1))
    path.write_bytes(left)
    assert not_done(work)[EXTRACTED_PERSONAS.name, SHARD] == "damaged"
    assert f"{path} is damaged" in why(work, EXTRACTED_PERSONAS.name)
    assert "persona-assets run" in why(work, EXTRACTED_PERSONAS.name)
    extract_personas(context(work), SHARD)
    assert not_done(work) == {}


def test_changed_bytes_are_found_by_whoever_reads_them_and_set_aside(work: Work) -> None:
    path = Path(work.lake.path(FILTERED_PERSONAS, SHARD))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert not_done(work) == {}, "a listing looks at names and sizes"
    with pytest.raises(DamagedPartition, match=r"filtered_personas a\.0000: the bytes .*persona-assets run"):
        list(Lake(work.settings.lake).batches(FILTERED_PERSONAS, SHARD))
    assert not_done(work)[FILTERED_PERSONAS.name, SHARD] == "damaged"


def test_a_key_that_a_later_version_added_to_a_record_is_no_error(work: Work) -> None:
    path = Path(record_path(work.lake.root, EXTRACTED_PERSONAS.name, SHARD, 1))
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {"weather": "fair"}))
    assert not_done(work) == {}


# Gates, faults, shards that are left out


def fail_gates(work: Work) -> None:
    rewrite(work, GateOutcome("reject_rate", 1, []))


def test_what_did_not_pass_its_gates_is_not_read_and_what_is_below_waits_for_it(work: Work) -> None:
    fail_gates(work)
    found = not_done(work)
    assert found["raw_documents", SHARD] == "failed"
    assert found["extracted_personas", SHARD] == "waiting"
    assert ("extracted_personas", OTHER) not in found
    assert why(work, "extracted_personas") == f"raw_documents {SHARD} is failed"
    assert why(work, "raw_documents") == "gates not passed: reject_rate"
    with pytest.raises(Exception, match=r"raw_documents a\.0000 did not pass its gates \(reject_rate\)"):
        extract_personas(context(work), SHARD)


class Faulty(OfflineEngine):
    """Fails one question for a reason."""

    reason = ""

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        for request in requests:
            yield [Failure(request.call_id, self.reason, "no")] if self.reason else self._answered(request)

    def _answered(self, request: Request) -> list[Result]:
        [found] = super().stream([request])
        assert isinstance(found[0], Completion)
        return found


@pytest.mark.parametrize(("reason", "stands"), [("timeout", "unanswered"), ("bad_request", None)])
def test_a_passing_fault_leaves_work_and_a_final_one_none(work: Work, reason: str, stands: str | None) -> None:
    rewrite(work)
    engine = Faulty(work.settings)
    engine.reason = reason
    keeper = LakeState(work.lake, work.settings.model_copy(update={"max_reject_rate": 1.0}))
    extract_personas(Context(work.lake, keeper.settings, engine, "run", keeper=keeper), SHARD)
    loose = work.having(max_reject_rate=1.0)
    assert not_done(loose).get(("extracted_personas", SHARD)) == stands


def test_a_shard_that_is_left_out_keeps_nothing_waiting(work: Work) -> None:
    work.drop("b", "junk.jsonl", 3)
    work.drop("b", "good.jsonl", 2)
    shards = work.shards()
    assert shards[-2:] == ["b.0000", "b.0001"]
    skip_shard(work.lake, "b.0001", "nothing but menus")
    now = state(work)
    assert now.of("raw_documents", "b.0001").state is State.LEFT_OUT
    assert now.of("raw_documents", "b.0001").why == "nothing but menus"
    assert now.shards_of("b") == ["b.0000"]
    let_in(work.lake, "b.0001")
    assert state(work).shards_of("b") == ["b.0000", "b.0001"]


# What costs money


def test_what_is_stale_and_would_take_calls_is_held_back_until_it_is_allowed(work: Work) -> None:
    changed = work.having(granularity="coarse")
    standing = state(changed).of("extracted_personas", SHARD)
    assert standing.state is State.STALE
    held = Needs(context(changed), state(changed)).held_back(standing)
    assert held is not None
    assert held.calls.value == 1
    allowed = changed.having(stale="calls")
    assert Needs(context(allowed), state(allowed)).held_back(standing) is None


def test_what_is_stale_and_answered_in_the_ledger_is_not_held_back(work: Work) -> None:
    changed = work.having(max_reject_rate=0.5)
    standing = state(changed).of("extracted_personas", SHARD)
    assert standing.state is State.STALE
    assert Needs(context(changed), state(changed)).held_back(standing) is None


def test_making_what_is_done_writes_nothing(work: Work) -> None:
    before, now = files(work), state(work)
    for asset in now.assets.values():
        for key in now.keys(asset.name) if asset.name in now.chosen else ():
            [made] = make(context(work), now, asset, key, again=False)
            assert made.report is None
            assert made.note == "as it would be made now; nothing was written"
    assert files(work) == before


def test_making_again_replaces_a_partition_by_the_next_generation_and_leaves_one_file(work: Work) -> None:
    now = state(work)
    [made] = make(context(work), now, now.assets["deduped_personas"], SHARD, again=True)
    assert (made.record.generation, made.report is None) == (2, False)
    folder = Path(work.lake.folder(DEDUPED_PERSONAS, SHARD))
    assert [path.name for path in folder.iterdir()] == [made.record.rows.name]
