from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from persona_assets.defs.automation import daily_crawl_scan, new_crawl_dumps
from persona_assets.defs.launch import Wanted
from persona_assets.defs.pipeline import Pipeline
from persona_assets.lake.schemas import RAW_DOCUMENTS
from persona_assets_tests.defs.running import lake, run_all

Drop = Callable[..., Path]


class Daemon:
    """Ticks as the daemon does: what a tick asks for is applied, and its cursor given to the next one."""

    def __init__(self, instance: DagsterInstance) -> None:
        self.instance, self.cursor = instance, None

    def evaluate(self) -> dg.SensorResult | dg.SkipReason:
        """A tick whose result is lost."""
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"pipeline": Pipeline()}
        )
        result = new_crawl_dumps(context)
        assert isinstance(result, dg.SensorResult | dg.SkipReason)
        self.skipped_cursor = context.cursor
        return result

    def tick(self) -> list[str]:
        """The partitions asked for; [] where the tick was skipped."""
        result = self.evaluate()
        if isinstance(result, dg.SkipReason):
            self.cursor = self.skipped_cursor
            return []
        self.cursor = result.cursor
        for addition in result.dynamic_partitions_requests or []:
            assert isinstance(addition, dg.AddDynamicPartitionsRequest)
            self.instance.add_dynamic_partitions(addition.partitions_def_name, list(addition.partition_keys))
        return [str(request.partition_key) for request in result.run_requests or []]


@pytest.fixture
def daemon(instance: DagsterInstance) -> Daemon:
    return Daemon(instance)


def test_an_empty_folder_is_skipped(workplace: Path, daemon: Daemon) -> None:
    assert isinstance(daemon.evaluate(), dg.SkipReason)


def test_new_files_become_shards_once(drop: Drop, daemon: Daemon, instance: DagsterInstance) -> None:
    drop("crawl-1", "a.jsonl", 1)
    drop("crawl-1", "b.jsonl", 2)
    assert daemon.tick() == ["crawl-1|0000", "crawl-1|0001"]
    assert instance.get_dynamic_partitions("dumps") == ["crawl-1"]
    assert sorted(instance.get_dynamic_partitions("parts")) == ["0000", "0001"]
    assert isinstance(daemon.evaluate(), dg.SkipReason)


def test_the_first_shard_brings_the_packages_own_data_files_that_chosen_datasets_read(
    drop: Drop, daemon: Daemon, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop("crawl-1", "a.jsonl", 1)
    daemon.tick()
    assert sorted(instance.get_dynamic_partitions("worlds")) == ["lantern-reach", "tally-nine", "the-hollow-court"]
    assert instance.get_dynamic_partitions("demonstrations") == []
    monkeypatch.setenv("PERSONA_MODES", "math_problems=few_shot")
    daemon.tick()
    assert "math_problems" in instance.get_dynamic_partitions("demonstrations")


def test_a_later_file_becomes_the_next_shard(drop: Drop, daemon: Daemon) -> None:
    drop("crawl-1", "b.jsonl", 1)
    daemon.tick()
    drop("crawl-1", "a.jsonl", 2)
    assert daemon.tick() == ["crawl-1|0001"]


def test_a_dump_whose_name_sorts_earlier_is_still_seen(drop: Drop, daemon: Daemon) -> None:
    drop("crawl-9", "a.jsonl", 1)
    daemon.tick()
    drop("crawl-1", "a.jsonl", 2)
    assert daemon.tick() == ["crawl-1|0000"]


def test_a_file_that_still_grows_is_left_for_later(drop: Drop, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_SETTLE_S", "3600")
    drop("crawl-1", "a.jsonl", 1)
    assert isinstance(daemon.evaluate(), dg.SkipReason)
    monkeypatch.setenv("PERSONA_SETTLE_S", "0")
    assert daemon.tick() == ["crawl-1|0000"]


def test_a_tick_that_was_lost_after_the_manifests_loses_nothing(drop: Drop, daemon: Daemon) -> None:
    drop("crawl-1", "a.jsonl", 1)
    daemon.evaluate()  # the daemon dies before it applies the result
    assert daemon.tick() == ["crawl-1|0000"]


def test_a_tick_adds_no_more_than_the_cap(drop: Drop, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_MAX_SHARDS_PER_TICK", "2")
    for number in range(3):
        drop("crawl-1", f"{number}.jsonl", number)
    assert len(daemon.tick()) == 2
    assert len(daemon.tick()) == 1


def test_shards_that_fail_do_not_keep_the_others_from_being_asked_for(
    drop: Drop, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONA_MAX_SHARDS_PER_TICK", "1")
    drop("crawl-1", "a.jsonl", 1)
    assert daemon.tick() == ["crawl-1|0000"]  # whose run writes nothing
    drop("crawl-2", "a.jsonl", 2)
    assert [daemon.tick(), daemon.tick()] == [["crawl-2|0000"], []]


def test_a_partition_that_is_lost_is_asked_for_again(
    drop: Drop, daemon: Daemon, instance: DagsterInstance, definitions: dg.Definitions
) -> None:
    drop("crawl-1", "a.jsonl", 1)
    daemon.tick()
    run_all(instance, definitions, Wanted(assets=(RAW_DOCUMENTS.name,)))
    assert daemon.tick() == []
    Path(lake().path(RAW_DOCUMENTS, "crawl-1.0000")).unlink()
    assert [daemon.tick(), daemon.tick()] == [["crawl-1|0000"], []]


def test_files_that_come_after_the_seal_become_a_late_dump(
    drop: Drop, daemon: Daemon, instance: DagsterInstance, definitions: dg.Definitions
) -> None:
    drop("crawl-1", "a.jsonl", 1, 2)
    daemon.tick()
    run_all(instance, definitions)
    drop("crawl-1", "late.jsonl", 3)
    assert daemon.tick() == ["crawl-1_late1|0000"]


def test_the_daily_scan_registers_and_asks(drop: Drop, tmp_path: Path) -> None:
    drop("crawl-1", "a.jsonl", 1)
    with (
        DagsterInstance.local_temp(str(tmp_path)) as instance,
        dg.build_schedule_context(instance=instance, resources={"pipeline": Pipeline()}) as context,
    ):
        requests = daily_crawl_scan(context)
        assert isinstance(requests, list)
        assert [request.partition_key for request in requests] == ["crawl-1|0000"]
        assert instance.get_dynamic_partitions("dumps") == ["crawl-1"]
        assert instance.get_dynamic_partitions("parts") == ["0000"]
