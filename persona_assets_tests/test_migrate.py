import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from persona_assets.engines.offline import OfflineEngine
from persona_assets.ids import digest
from persona_assets.lake import Lake
from persona_assets.lake.catalog import query
from persona_assets.lake.format import open_lake
from persona_assets.lake.records import AS_MADE_BY, Record
from persona_assets.lake.schemas import PERSONA_SURVIVORS, SUPPORT_TABLES
from persona_assets.ledger.ledger import Ledger
from persona_assets.lineage.audit import audit
from persona_assets.making import make
from persona_assets.migrate import Migration, migrate
from persona_assets.settings import Settings
from persona_assets.state import LakeState, State
from persona_assets.steps.model import Context
from persona_assets_tests.old_lake import SETTINGS, SHARDS, tasks_of_then, under_first_prompts, unpack

A, B, C, D = SHARDS


@pytest.fixture(autouse=True)
def no_other_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundled tasks that came later are missing everywhere, which is nothing that a migration changes."""
    tasks_of_then(monkeypatch)


@dataclass(frozen=True)
class Place:
    """A folder with a lake, its crawl files and tasks."""

    folder: Path

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake")

    def settings(self, **values: object) -> Settings:
        known: dict[str, Any] = {name: str(self.folder / name) for name in ("lake", "dumps", "tasks")}
        return Settings(**(known | SETTINGS | values))

    def state(self) -> LakeState:
        return LakeState(self.lake, self.settings())

    def migrate(self) -> Migration:
        return migrate(self.lake, self.settings())

    def path(self, name: str) -> Path:
        return self.folder / "lake" / name

    def files(self) -> dict[str, bytes]:
        root = self.folder / "lake"
        found = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in found.items() if not name.startswith("_tmp")}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """As version 0.1 left it; never changed."""
    return Place(unpack(tmp_path_factory.mktemp("old")))


@pytest.fixture(scope="module")
def new(old: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Migrated; never changed after that."""
    place = Place(tmp_path_factory.mktemp("new") / "place")
    shutil.copytree(old.folder, place.folder)
    done = place.migrate()
    assert (done.not_done, done.notes) == ([], [])
    return place


@pytest.fixture
def copy(old: Place, tmp_path: Path) -> Place:
    """An old lake to change."""
    shutil.copytree(old.folder, tmp_path / "place")
    return Place(tmp_path / "place")


def tables(place: Place) -> Iterator[str]:
    yield from (*place.state().assets, "shard_files", "content_digests")


def old_rows(place: Place, pattern: str) -> pl.DataFrame:
    return pl.read_parquet(str(place.path(pattern)), hive_partitioning=False)


# What it keeps


def test_every_partition_is_done(new: Place) -> None:
    state = new.state()
    standings = [one for one in state.all() if one.asset not in state.sets]  # which there were none of
    assert len(standings) == 50
    assert {one.state for one in standings} == {State.DONE}


def test_rows_are_those_of_the_old_tables_byte_for_byte(old: Place, new: Place) -> None:
    for asset in tables(new):
        for path in old.path(asset).glob("*/data.parquet"):
            data = path.read_bytes()
            assert new.path(f"{asset}/{path.parent.name}/{digest(data)}.parquet").read_bytes() == data
    assert not list(new.path("").rglob("data.parquet"))


def test_the_catalogue_shows_the_same_rows_rejects_and_calls(old: Place, new: Place) -> None:
    tasks = [asset.table for asset in new.state().assets.values() if asset.is_task]
    for asset in set(tables(new)) - set(new.state().sets):
        before, now = old_rows(old, f"{asset}/*/data.parquet"), query(new.lake, f"SELECT * FROM {asset}", tasks)
        first = before.columns[:2]
        assert before.sort(first).to_dicts() == now.select(before.columns).sort(first).to_dicts(), asset
    for table, pattern, key in (
        ("rejected", "rejected/*/*/data.parquet", ("row_id", "asset", "reason")),
        ("calls", "calls/*/*/*.parquet", ("call_id",)),
    ):
        before = old_rows(old, pattern).rename({"hop": "asset"}).sort(key)
        now = query(new.lake, f"SELECT * FROM {table}", tasks).select(before.columns).sort(key)
        assert (before.height, now.to_dicts()) == (11 if table == "rejected" else 273, before.to_dicts()), table
    assert query(new.lake, "SELECT * FROM fate WHERE kept + rejected != 1", tasks).is_empty()


def test_a_record_says_who_made_the_partition_and_which_gates_it_passed(old: Place, new: Place) -> None:
    for asset in new.state().assets.values():
        for key, record in new.lake.records.all(asset.name).items():
            assert isinstance(record, Record)
            path = old.path(f"_commits/{asset.name}/{asset.table.partition}={key}/data.json")
            commit = json.loads(path.read_bytes())
            assert (record.run_id, record.committed_at) == (commit["run_id"], commit["committed_at"])
            assert (record.generation, record.recipe) == (1, {AS_MADE_BY: "0.1.0"})
            assert {gate.name for gate in record.gates} >= {"ids_unique", "no_nulls"}
            assert record.failed == []


def test_the_ledger_is_whole(new: Place) -> None:
    ledger = Ledger(new.lake)
    assert (ledger.verify(), ledger.damaged()) == ([], [])
    ids = ledger.scan().select("call_id", "template").collect()
    for (template,), some in ids.group_by("template"):
        assert ledger.held(str(template), some["call_id"].to_list()).all()


def test_samples_of_every_task_are_audited_whole(new: Place) -> None:
    tasks = [asset.table for asset in new.state().assets.values() if asset.is_task]
    assert len(tasks) == 7
    for table in tasks:
        for sample in new.lake.scan(table).select("sample_id").sort("sample_id").head(1).collect()["sample_id"]:
            result = audit(new.lake, new.settings(), sample)
            wrong = [check for check in result.verifications if check.status != "ok"]
            assert (wrong, len(result.verifications) > 10) == ([], True), table.name


def test_nothing_is_made_again(new: Place) -> None:
    before, state = new.files(), new.state()
    context = Context(new.lake, new.settings(), OfflineEngine(new.settings()), "run")
    for asset in state.assets.values():
        for key in state.keys(asset.name) if asset.name not in state.sets else ():
            [made] = make(context, state, asset, key, again=False)
            assert made.report is None
    assert new.files() == before


def test_a_second_migration_changes_nothing(new: Place) -> None:
    before = new.files()
    done = new.migrate()
    assert (done.partitions, done.parts) == ({}, 0)
    assert new.files() == before


# What comes after it


def test_a_page_that_comes_later_is_compared_with_the_migrated_survivors(
    new: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_first_prompts(monkeypatch)
    from persona_assets.crawl.arrival import plan_shards
    from persona_assets.dedup.seals import seals

    shutil.copytree(new.folder, tmp_path / "place")
    place = Place(tmp_path / "place")
    shutil.copytree(place.folder / "dumps/old-2026-10", place.folder / "dumps/old-2026-11")
    settings = place.settings(hops=0, files_per_shard=2)
    sealed = {seal.dump: seal.shards for seal in seals(place.lake)}
    arrival = plan_shards(place.lake, settings, datetime.now(UTC).timestamp() + 5, sealed)
    assert [shard.shard for shard in arrival.shards] == ["old-2026-11.0000"]
    state, engine = LakeState(place.lake, settings), OfflineEngine(settings)
    context = Context(place.lake, settings, engine, "later")
    calls = 0
    for name in ("raw_documents", "extracted_personas", "expanded_personas", "filtered_personas", "persona_survivors"):
        state.refresh()
        key = "old-2026-11" if name == PERSONA_SURVIVORS.name else "old-2026-11.0000"
        for made in make(context, state, state.assets[name], key, again=False):
            calls += made.report.calls_made if made.report else 0
    verdicts = place.lake.read(PERSONA_SURVIVORS, "old-2026-11")
    assert calls == 0  # the pages, and so the prompts, are those of the dump before
    assert verdicts.height >= 6
    assert set(verdicts.select("kept", "method").iter_rows()) == {(False, "exact")}
    assert set(verdicts["survivor_dump"]) == {"old-2026-09", "old-2026-10"}


# Killed


class Killed(BaseException):
    """In place of SIGKILL: from here on this process changes nothing on the disk, whatever it does to clean up."""


class Steps:
    """Counts what changes the file system, and lets no more of it happen than it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        for name in ("link", "rename", "replace", "remove", "unlink", "mkdir", "rmdir"):
            monkeypatch.setattr(os, name, partial(self._step, getattr(os, name)))

    def _step(self, function: Callable[..., None], *arguments: object, **named: object) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed
        function(*arguments, **named)


def test_killed_at_any_step_and_called_again_it_ends_as_if_it_had_not_been(
    copy: Place, new: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments, kills = random.Random(9), 0
    with monkeypatch.context() as patch:
        steps = Steps(patch)
        while True:
            steps.left = moments.randint(1, 32)
            try:
                copy.migrate()
                break
            except Killed:
                kills += 1
        steps.left = 1 << 20
    assert kills >= 40
    assert copy.files() == new.files()
    state = copy.state()
    assert {one.state for one in state.all() if one.asset not in state.sets} == {State.DONE}


# What did not stand whole


def rewrite(place: Place, path: Path, frame: pl.DataFrame, run_id: str | None = None) -> None:
    """Put other rows in place of a file, and a commit record that fits them."""
    frame.write_parquet(path)
    record = place.path("_commits") / path.relative_to(place.path("")).with_suffix(".json")
    values = json.loads(record.read_bytes())
    values |= {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "rows": frame.height}
    values |= {"run_id": run_id} if run_id else {}
    record.write_bytes(orjson.dumps(values))


def data(place: Place, asset: str, shard: str) -> Path:
    return place.path(f"{asset}/shard={shard}/data.parquet")


def commit(place: Place, name: str) -> Path:
    return place.path(f"_commits/{name}/data.json")


def test_what_did_not_stand_whole_is_named_and_made_again_from_the_ledger(
    copy: Place, new: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_first_prompts(monkeypatch)
    commit(copy, f"game_npcs/shard={A}").unlink()
    path = data(copy, "math_problems", B)
    path.write_bytes(path.read_bytes()[:-9] + b"x" * 9)
    shutil.rmtree(copy.path(f"check_results/partition=logic_problems.{C}"))
    checks = copy.path(f"check_results/partition=instructions.{D}/data.parquet")
    failing = pl.col("check") == "reject_rate"
    pl.read_parquet(checks).with_columns(failing=failing.cast(pl.Int64), passed=~failing).write_parquet(checks)
    rejects = copy.path(f"rejected/hop=tool_definitions/shard={A}/data.parquet")
    of_engine = pl.read_parquet(copy.path(f"rejected/hop=own_problems/shard={A}/data.parquet")).head(1)
    of_engine = of_engine.with_columns(reason=pl.lit("engine_timeout"), hop=pl.lit("tool_definitions"))
    rewrite(copy, rejects, of_engine.select(pl.read_parquet(rejects).columns))
    record = commit(copy, f"rejected/hop=knowledge_texts/shard={A}")
    record.write_bytes(orjson.dumps(json.loads(record.read_bytes()) | {"run_id": "another"}))
    copy.path(f"rejected/hop=knowledge_texts/shard={B}/data.parquet").unlink()
    data(copy, "own_problems", D).unlink()  # its rejects are left without rows
    commit(copy, f"deduped_personas/shard={D}").write_bytes(b"")

    done = copy.migrate()
    assert {(one.asset, one.partition): one.why.split(";")[0].split(" are now")[0] for one in done.not_done} == {
        ("game_npcs", A): "it has no commit record",
        ("math_problems", B): f"the bytes of its file are not those that run {run_of(new, 'math_problems', B)} wrote",
        ("logic_problems", C): "gates without a result: ids_unique, no_nulls, parents_exist, accounted, calls_exist, "
        "reject_rate, parse_failure_rate",
        ("instructions", D): "gates not passed: reject_rate",
        ("tool_definitions", A): "1 questions without an answer",
        ("knowledge_texts", A): "its rows and its rejects are of two runs",
        ("knowledge_texts", B): "its rejects are gone",
        ("own_problems", D): "its rows are missing, so its rejects count for nothing",
        ("deduped_personas", D): "it has no commit record",
    }
    state = copy.state()
    todo = {(one.asset, one.key): one.state for one in state.all() if one.state is not State.DONE}
    tasks = [name for name, asset in state.assets.items() if asset.is_task]
    assert todo.pop(("deduped_personas", D)) is State.FAILED
    assert {key: state for key, state in todo.items() if key[1] == D} == {(task, D): State.WAITING for task in tasks}
    assert {key: state for key, state in todo.items() if key[1] != D} == {
        ("game_npcs", A): State.FAILED,
        ("math_problems", B): State.MISSING,
        ("logic_problems", C): State.FAILED,
        ("tool_definitions", A): State.UNANSWERED,
        ("knowledge_texts", A): State.FAILED,
        ("knowledge_texts", B): State.FAILED,
    }

    context = Context(copy.lake, copy.settings(), OfflineEngine(copy.settings()), "again")
    for name, shard in [("deduped_personas", D), *todo]:
        state.refresh()
        for made in make(context, state, state.assets[name], shard, again=False):
            assert not (made.report and made.report.calls_made)
    assert {one.state for one in copy.state().all()} == {State.DONE}
    for asset in copy.state().assets.values():
        volatile, key = asset.table.volatile, asset.table.key
        rows = [place.lake.scan(asset.table).drop(volatile).sort(key).collect() for place in (copy, new)]
        assert rows[0].equals(rows[1]), asset.name


def run_of(place: Place, asset: str, key: str) -> str:
    record = place.lake.records.latest(asset, key)
    assert record
    return record.run_id


def test_what_no_longer_fits_what_it_was_made_from_is_named(copy: Place) -> None:
    path = data(copy, "raw_documents", D)
    rewrite(copy, path, pl.read_parquet(path).head(1), run_id="later")
    checks = copy.path(f"check_results/partition=raw_documents.{D}/data.parquet")
    pl.read_parquet(checks).with_columns(run_id=pl.lit("later")).write_parquet(checks)
    record = commit(copy, f"rejected/hop=raw_documents/shard={D}")
    record.write_bytes(orjson.dumps(json.loads(record.read_bytes()) | {"run_id": "later"}))
    seal = copy.path("seals/00000001.json")
    values = json.loads(seal.read_bytes())
    values["files"][A], values["digests"][A] = "of another file", "of other personas"
    seal.write_bytes(orjson.dumps(values))
    note = copy.path("seals/compared/old-2026-10.json")
    note.write_bytes(orjson.dumps(json.loads(note.read_bytes()) | {"against": {"old-2026-09": "other survivors"}}))

    done = copy.migrate()
    assert {(one.asset, one.partition): one.why for one in done.not_done} == {
        ("extracted_personas", D): "gates not passed: parents_exist",
        ("deduped_personas", D): "gates not passed: parents_exist",
        ("persona_survivors", "old-2026-09"): f"made from another filtered_personas/{A}",
        ("persona_survivors", "old-2026-10"): "made from another persona_survivors/old-2026-09",
    }
    state = copy.state()
    assert state.of("extracted_personas", D).state is State.FAILED
    assert state.of("persona_survivors", "old-2026-09").state is State.STALE


def test_a_task_whose_file_is_gone_is_brought_up_all_the_same(copy: Place, new: Place) -> None:
    done = migrate(copy.lake, copy.settings(tasks=None))
    assert done.not_done == []
    assert [note.split(" is not")[0] for note in done.notes] == ["own_problems"]
    assert copy.files() == new.files()


def test_parts_that_are_damaged_or_come_from_a_backup(copy: Place, new: Place) -> None:
    part = next(copy.path("calls/template=game_npcs").glob("*/*.parquet"))
    sound = part.read_bytes()
    part.write_bytes(sound[:-20] + b"x" * 20)
    done = copy.migrate()
    assert [f"{part} was damaged" in note for note in done.notes] == [True]
    [lost] = Ledger(copy.lake).damaged()
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(sound)
    again = copy.migrate()
    assert (again.parts, again.partitions) == (1, {})
    assert not part.exists()
    assert not copy.path(lost.path).exists()
    assert copy.files() == new.files()


def test_a_lake_elsewhere_is_brought_up_too(old: Place, new: Place) -> None:
    lake = Lake("memory://migrated/lake")
    lake.fs.put(str(old.path("")), lake.root, recursive=True)
    assert migrate(lake, old.settings(lake="memory://migrated/lake")).not_done == []
    found = {path.removeprefix(f"{lake.root}/"): lake.fs.cat_file(path) for path in lake.fs.find(lake.root)}
    assert {name: data for name, data in found.items() if not name.startswith("_tmp")} == new.files()


def test_segments_without_digests_are_removed(old: Place, new: Place) -> None:
    assert list(old.path("segments").rglob("complete.json"))
    assert not list(new.path("segments").rglob("complete.json"))


def test_its_support_tables_have_records_too(new: Place) -> None:
    for name in ("shard_files", "content_digests"):
        assert len(new.lake.sound(SUPPORT_TABLES[name])) == 4
    open_lake(new.lake.root)
