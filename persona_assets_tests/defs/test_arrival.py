from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from persona_assets.defs.arrival import daily_crawl_scan, new_crawl_dumps
from persona_assets.defs.pipeline import Pipeline

Drop = Callable[..., Path]


def tick(instance: DagsterInstance) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, resources={"pipeline": Pipeline()})
    result = new_crawl_dumps(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def settle(instance: DagsterInstance, result: dg.SensorResult | dg.SkipReason) -> list[str]:
    """Apply a tick's requests as the daemon would; returns the partitions asked for."""
    assert isinstance(result, dg.SensorResult)
    for addition in result.dynamic_partitions_requests or []:
        assert isinstance(addition, dg.AddDynamicPartitionsRequest)
        instance.add_dynamic_partitions(addition.partitions_def_name, list(addition.partition_keys))
    return [str(request.partition_key) for request in result.run_requests or []]


def test_an_empty_folder_is_skipped(workplace: Path, instance: DagsterInstance) -> None:
    assert isinstance(tick(instance), dg.SkipReason)


def test_new_files_become_shards_once(drop: Drop, instance: DagsterInstance) -> None:
    drop("crawl-1", "a.jsonl", 1)
    drop("crawl-1", "b.jsonl", 2)
    assert settle(instance, tick(instance)) == ["crawl-1.0000", "crawl-1.0001"]
    assert instance.get_dynamic_partitions("dumps") == ["crawl-1"]
    assert isinstance(tick(instance), dg.SkipReason)


def test_a_later_file_becomes_the_next_shard(drop: Drop, instance: DagsterInstance) -> None:
    drop("crawl-1", "b.jsonl", 1)
    settle(instance, tick(instance))
    drop("crawl-1", "a.jsonl", 2)
    assert settle(instance, tick(instance)) == ["crawl-1.0001"]


def test_a_dump_whose_name_sorts_earlier_is_still_seen(drop: Drop, instance: DagsterInstance) -> None:
    drop("crawl-9", "a.jsonl", 1)
    settle(instance, tick(instance))
    drop("crawl-1", "a.jsonl", 2)
    assert settle(instance, tick(instance)) == ["crawl-1.0000"]


def test_a_file_that_still_grows_is_left_for_later(
    drop: Drop, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONA_SETTLE_S", "3600")
    drop("crawl-1", "a.jsonl", 1)
    assert isinstance(tick(instance), dg.SkipReason)
    monkeypatch.setenv("PERSONA_SETTLE_S", "0")
    assert settle(instance, tick(instance)) == ["crawl-1.0000"]


def test_a_tick_that_was_lost_after_the_manifests_loses_nothing(drop: Drop, instance: DagsterInstance) -> None:
    drop("crawl-1", "a.jsonl", 1)
    tick(instance)  # the daemon dies before it applies the result
    assert settle(instance, tick(instance)) == ["crawl-1.0000"]


def test_a_tick_adds_no_more_than_the_cap(
    drop: Drop, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONA_MAX_SHARDS_PER_TICK", "2")
    for number in range(3):
        drop("crawl-1", f"{number}.jsonl", number)
    assert len(settle(instance, tick(instance))) == 2
    assert len(settle(instance, tick(instance))) == 1


def test_files_that_come_after_the_seal_become_a_late_dump(
    drop: Drop, instance: DagsterInstance, definitions: dg.Definitions
) -> None:
    from persona_assets.defs.launch import materialise_shards

    drop("crawl-1", "a.jsonl", 1, 2)
    shards = settle(instance, tick(instance))
    failures: list[str] = []
    list(materialise_shards(instance, definitions, shards, lambda *_: lambda done, total=None, note="": None, failures))
    assert failures == []
    drop("crawl-1", "late.jsonl", 3)
    assert settle(instance, tick(instance)) == ["crawl-1_late1.0000"]


def test_the_daily_scan_registers_and_asks(drop: Drop, tmp_path: Path) -> None:
    drop("crawl-1", "a.jsonl", 1)
    with (
        DagsterInstance.local_temp(str(tmp_path)) as instance,
        dg.build_schedule_context(instance=instance, resources={"pipeline": Pipeline()}) as context,
    ):
        requests = daily_crawl_scan(context)
        assert isinstance(requests, list)
        assert [request.partition_key for request in requests] == ["crawl-1.0000"]
        assert instance.get_dynamic_partitions("shards") == ["crawl-1.0000"]
