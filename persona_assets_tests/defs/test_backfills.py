"""Backfills as the UI launches them, on a real webserver and daemon."""

from collections.abc import Iterator, Sequence

import dagster as dg
import pytest

from persona_assets.crawl.arrival import plan_shards
from persona_assets.defs.partitions import register
from persona_assets.engines.offline import OfflineEngine
from persona_assets.lake.schemas import ASSET_TABLES, SHARD_FILES
from persona_assets.state import LakeState, State
from persona_assets.steps.model import Context
from persona_assets_tests.defs.servers import Backfilled, Servers, running

TWO, ONE, LATER, SINGLE = "d-two", "d-one", "e-later", "f-single"  # dumps of 2, 1, 2 and 1 shards


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with running(tmp_path_factory.mktemp("backfills")) as servers:
        for page, (dump, name) in enumerate(
            [(TWO, "a"), (TWO, "b"), (ONE, "a"), (LATER, "a"), (LATER, "b"), (SINGLE, "a")]
        ):
            servers.drop(dump, f"{name}.jsonl", page)
        plan_shards(servers.lake, servers.settings, 2e10)
        with dg.DagsterInstance.from_config(str(servers.place / "home")) as instance:
            register(instance, servers.lake.keys(SHARD_FILES))
        state = LakeState(servers.lake, servers.settings)
        context = Context(servers.lake, servers.settings, OfflineEngine(servers.settings), "run", keeper=state)
        for name in set(state.sets) & state.chosen:  # what they read is there
            for key in state.keys(name):
                assert list(state.assets[name].run(context, key))
        yield servers


def names_of(servers: Servers) -> list[str]:
    """The assets that a run makes of itself, without data files."""
    state = LakeState(servers.lake, servers.settings)
    return [name for name in state.assets if name in state.chosen and name not in state.sets]


def box(dumps: Sequence[str], parts: int) -> list[str]:
    return [f"{dump}|{part:04d}" for dump in dumps for part in range(parts)]


def succeeded(servers: Servers, backfill: str) -> Backfilled:
    """The backfill, which has made all that it was to make, in runs that all succeeded."""
    found = servers.backfilled(backfill)
    runs = [run for run in servers.runs() if run.tags.get("dagster/backfill") == backfill]
    assert found.status == "COMPLETED_SUCCESS", (found, servers.told())
    assert {run.status for run in runs} == {"SUCCESS"}, servers.told()
    assert found.targeted == found.materialised
    assert not any(found.failed.values())
    return found


def test_each_asset_alone_over_a_box_of_two_dumps_with_unequal_numbers_of_shards(servers: Servers) -> None:
    names = names_of(servers)
    tasks = [name for name in names if name not in ASSET_TABLES]
    for name in [name for name in names if name in ASSET_TABLES]:
        found = succeeded(
            servers, servers.backfill([name], [TWO, ONE] if name == "persona_survivors" else box([TWO, ONE], 2))
        )
        assert found.targeted == {name: 2 if name == "persona_survivors" else 4}
    for backfill in [servers.backfill([name], box([TWO, ONE], 2)) for name in tasks]:
        succeeded(servers, backfill)
    assert servers.done(TWO, ONE)
    # The combination without a shard is a materialisation that wrote nothing.
    assert not any(f"{ONE}.0001" in servers.lake.records.all(name) for name in names)


def test_a_shard_then_its_dump_in_combinations_that_cross_the_barrier(servers: Servers) -> None:
    to_personas = ["raw_documents", "extracted_personas", "expanded_personas"]
    succeeded(servers, servers.backfill(to_personas, [f"{LATER}|0001"]))
    assert servers.states(LATER)["expanded_personas", f"{LATER}.0000"] is State.WAITING
    succeeded(servers, servers.backfill(to_personas, [f"{LATER}|0000"]))
    found = succeeded(servers, servers.backfill(["filtered_personas", "persona_survivors"], box([LATER], 2)))
    assert found.targeted == {"filtered_personas": 2, "persona_survivors": 1}
    [survivors] = [run for run in servers.runs() if run.assets == {"persona_survivors"} and run.at == LATER]
    assert survivors.status == "SUCCESS"
    record = servers.lake.require(ASSET_TABLES["persona_survivors"], LATER)
    assert {f"filtered_personas/{LATER}.000{part}" for part in range(2)} <= set(record.made_from)
    succeeded(servers, servers.backfill(["persona_survivors", "deduped_personas"], [LATER]))
    assert servers.states(LATER)["deduped_personas", f"{LATER}.0001"] is State.DONE


def test_all_assets_over_the_one_shard_of_a_dump(servers: Servers) -> None:
    found = succeeded(servers, servers.backfill(names_of(servers), box([SINGLE], 1)))
    assert set(found.targeted) == set(names_of(servers))
    # What follows the dump is all of its combinations, the one that is no shard too.
    assert (found.targeted["filtered_personas"], found.targeted["deduped_personas"]) == (1, 2)
    assert servers.done(SINGLE)


def test_all_assets_over_all_partitions(servers: Servers) -> None:
    found = succeeded(servers, servers.backfill(names_of(servers)))
    assert set(found.targeted.values()) == {4, 8}  # dumps, and combinations of 4 dumps and 2 parts
    assert servers.done()


def test_the_servers_warned_of_nothing(servers: Servers) -> None:
    logs = servers.logs()
    assert "non-existent partition" not in logs
    assert "Non-built-in PartitionMappings" not in logs
