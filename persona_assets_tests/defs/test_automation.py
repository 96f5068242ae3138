"""What `follow_new_data` asks for, tick by tick, on the real graph over a lake whose partitions are only written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance

from persona_assets.dedup.seals import seal_waiting
from persona_assets.defs.partitions import lake_key, register
from persona_assets.lake.skipped import let_in, skip_shard
from persona_assets.settings import load_settings
from persona_assets.state import LakeState
from persona_assets_tests.defs.running import lake, planned
from persona_assets_tests.defs.standing import stand
from persona_assets_tests.rows import document, persona

Drop = Callable[..., Path]
A0, A1, B0 = "crawl-1.0000", "crawl-1.0001", "crawl-2.0000"
TO_PERSONAS = ["extracted_personas", "expanded_personas", "filtered_personas"]
UP_TO_FILTERED = ["raw_documents", *TO_PERSONAS]


class Daemon:
    """Evaluates the conditions tick by tick, each seeing what has happened since the one before."""

    def __init__(self, definitions: dg.Definitions, instance: DagsterInstance) -> None:
        self.definitions, self.instance = definitions, instance
        self.names = list(LakeState(lake(), load_settings()).assets)
        self.cursor: Any = None

    def tick(self) -> dict[str, list[str]]:
        """The assets that the next tick asks for, by the lake's key."""
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, asset_selection=dg.AssetSelection.all(), cursor=self.cursor
        )
        self.cursor = result.cursor
        asked: dict[str, list[str]] = {}
        for name in self.names:
            for key in result.get_requested_partitions(dg.AssetKey(name)):
                asked.setdefault(lake_key(str(key)), []).append(name)
        return asked


@pytest.fixture
def daemon(drop: Drop, definitions: dg.Definitions, instance: DagsterInstance) -> Daemon:
    """Has ticked once, with three shards of two dumps registered and nothing made of them."""
    drop("crawl-1", "a.jsonl", 1)
    drop("crawl-1", "b.jsonl", 2)
    drop("crawl-2", "a.jsonl", 3)
    register(instance, planned())
    daemon = Daemon(definitions, instance)
    assert daemon.tick() == {}
    return daemon


@pytest.fixture
def state(daemon: Daemon) -> LakeState:
    return LakeState(lake(), load_settings())


def filtered(state: LakeState, *shards: str) -> None:
    """Everything up to the filtered personas stands."""
    for shard in shards:
        for asset in UP_TO_FILTERED:
            stand(state, asset, shard)


def decided(state: LakeState, dump: str) -> None:
    """The dump is sealed and its survivors stand."""
    seal_waiting(state.lake, dump, "run")
    state.refresh()
    stand(state, "persona_survivors", dump)


def test_personas_follow_a_new_shard_in_one_run_and_once(daemon: Daemon, state: LakeState) -> None:
    stand(state, "raw_documents", A0)
    assert daemon.tick() == {A0: TO_PERSONAS}
    assert daemon.tick() == {}


def test_what_is_there_before_the_first_tick_is_followed_too(
    daemon: Daemon, state: LakeState, definitions: dg.Definitions, instance: DagsterInstance
) -> None:
    stand(state, "raw_documents", A0)
    assert Daemon(definitions, instance).tick() == {A0: TO_PERSONAS}


def test_nothing_follows_a_shard_whose_gates_failed(daemon: Daemon, state: LakeState) -> None:
    stand(state, "raw_documents", A0, passed=False)
    assert daemon.tick() == {}


def test_a_dump_is_decided_when_all_its_shards_are_filtered(daemon: Daemon, state: LakeState) -> None:
    filtered(state, A0, B0)
    assert daemon.tick() == {"crawl-2": ["persona_survivors"]}
    filtered(state, A1)
    assert daemon.tick() == {"crawl-1": ["persona_survivors"]}


def test_a_shard_that_is_left_out_frees_its_dump_and_is_asked_for_when_it_is_let_in(
    daemon: Daemon, state: LakeState
) -> None:
    filtered(state, A0)
    stand(state, "raw_documents", A1, passed=False)
    assert daemon.tick() == {}
    skip_shard(state.lake, A1, "junk")
    assert daemon.tick() == {"crawl-1": ["persona_survivors"]}
    state.refresh()
    let_in(state.lake, A1)
    state.refresh()
    stand(state, "raw_documents", A1)
    assert daemon.tick() == {A1: TO_PERSONAS}


def test_shards_are_published_and_their_tasks_run_when_their_dump_is_decided(daemon: Daemon, state: LakeState) -> None:
    filtered(state, A0, A1, B0)
    decided(state, "crawl-1")
    asked = daemon.tick()
    assert asked.pop("crawl-2") == ["persona_survivors"]
    assert set(asked) == {A0, A1}
    assert all(names[0] == "deduped_personas" and "math_problems" in names for names in asked.values())


def test_what_fails_beside_its_inputs_is_tried_once_alone_and_again_when_these_change(
    daemon: Daemon, state: LakeState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONA_STALE", "calls")
    stand(state, "raw_documents", A0)
    assert daemon.tick() == {A0: TO_PERSONAS}
    stand(state, "extracted_personas", A0)  # and the run fails at the next step
    assert daemon.tick() == {A0: TO_PERSONAS[1:]}
    assert [daemon.tick(), daemon.tick()] == [{}, {}]
    stand(state, "raw_documents", A0, [document("a", shard=A0, dump="crawl-1")])
    assert daemon.tick() == {A0: TO_PERSONAS}
    stand(state, "extracted_personas", A0, [persona("a", "a", shard=A0)])
    assert daemon.tick() == {A0: TO_PERSONAS[1:]}
    assert daemon.tick() == {}


def test_the_same_rows_anew_make_nothing_follow(daemon: Daemon, state: LakeState) -> None:
    filtered(state, A0, A1)
    decided(state, "crawl-1")
    daemon.tick()
    stand(state, "raw_documents", A0)
    stand(state, "filtered_personas", A1)
    assert daemon.tick() == {}


def test_other_personas_of_a_shard_have_its_dump_decided_again(daemon: Daemon, state: LakeState) -> None:
    filtered(state, A0, A1)
    decided(state, "crawl-1")
    daemon.tick()
    stand(state, "filtered_personas", A1, [persona("a", "a", shard=A1)])
    assert daemon.tick() == {"crawl-1": ["persona_survivors"]}
    stand(state, "persona_survivors", "crawl-1")
    [(shard, names)] = daemon.tick().items()  # of the other shard nothing has changed
    assert (shard, names[0]) == (A1, "deduped_personas")


def test_what_is_stale_and_takes_calls_is_asked_for_where_settings_allow_it(
    daemon: Daemon, state: LakeState, monkeypatch: pytest.MonkeyPatch
) -> None:
    filtered(state, A0)
    stand(state, "raw_documents", A0, [document("a", shard=A0, dump="crawl-1", text="Bees. " * 50)])
    assert daemon.tick() == {}
    monkeypatch.setenv("PERSONA_STALE", "calls")
    assert daemon.tick() == {A0: TO_PERSONAS[:1]}
    assert daemon.tick() == {}


def test_a_damaged_partition_is_asked_for_alone(daemon: Daemon, state: LakeState) -> None:
    filtered(state, A0, A1, B0)
    decided(state, "crawl-1")
    decided(state, "crawl-2")
    daemon.tick()
    Path(state.lake.path(state.assets["filtered_personas"].table, A1)).unlink()
    assert daemon.tick() == {A1: ["filtered_personas"]}
    stand(state, "filtered_personas", A1)
    assert daemon.tick() == {}


def test_ingestion_is_never_asked_for(daemon: Daemon) -> None:
    assert [daemon.tick(), daemon.tick()] == [{}, {}]


def test_shards_that_the_instance_does_not_know_wait_until_it_does(
    daemon: Daemon, state: LakeState, instance: DagsterInstance
) -> None:
    instance.delete_dynamic_partition("dumps", "crawl-2")
    stand(state, "raw_documents", B0)
    assert daemon.tick() == {}
    register(instance, [B0])
    assert daemon.tick() == {B0: TO_PERSONAS}
