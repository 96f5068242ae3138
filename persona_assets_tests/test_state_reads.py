"""Looking at a lake reads each record once, however many shards there are."""

from pathlib import Path

import pytest

from benchmarks.finished_lake import build
from persona_assets.lake import Lake
from persona_assets.settings import Settings
from persona_assets.state import LakeState, State


def built(folder: Path, **dumps: int) -> LakeState:
    """A lake of finished shards, looked at afresh."""
    settings = Settings(lake=str(folder / "lake"), dumps=str(folder / "dumps"), tasks=None, models=None)
    build(settings, dumps)
    return LakeState(Lake(settings.lake), settings)


def records(state: LakeState, shards: int) -> int:
    """The records of a lake of one dump: with the manifests, the dump's survivors, and the keys of named sets."""
    by_shard = sum(asset.table.partition == "shard" for asset in state.assets.values())
    of_sets = sum(len(state.keys(name)) for name, one in state.assets.items() if one.table.partition in state.sets)
    return shards * (by_shard + 1) + 1 + of_sets


@pytest.mark.parametrize("shards", [5, 10, 20])
def test_the_records_read_are_as_many_as_there_are(tmp_path: Path, shards: int) -> None:
    state = built(tmp_path, a=shards)
    assert {one.state for one in state.all()} == {State.DONE}
    assert state.lake.records.read == records(state, shards)


@pytest.mark.parametrize("shards", [5, 10, 20])
def test_steps_of_one_process_read_no_record_twice(tmp_path: Path, shards: int) -> None:
    state = built(tmp_path, a=shards)
    for asset in state.assets.values():
        for key in state.keys(asset.name):
            fresh = LakeState(state.lake, state.settings)
            assert fresh.now().of(asset.name, key).state is State.DONE
            fresh.making(asset.table, key)
    assert state.lake.records.read == records(state, shards)


def test_a_refresh_reads_what_is_new_alone(tmp_path: Path) -> None:
    state = built(tmp_path, a=3)
    before = list(state.all())
    read = state.lake.records.read
    state.refresh()
    assert [one.state for one in state.all()] == [one.state for one in before]
    assert state.lake.records.read == read


def test_a_dump_that_is_registered_later_is_seen_after_a_refresh(tmp_path: Path) -> None:
    state = built(tmp_path, a=1)
    assert state.dumps == ["a"]
    build(state.settings, {"b": 1})
    state.refresh()
    assert state.dumps == ["a", "b"]
