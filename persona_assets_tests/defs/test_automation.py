"""What `follow_new_data` asks for, evaluated on the real graph."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from persona_assets.checks.gates import gate_names
from persona_assets.crawl.arrival import plan_shards
from persona_assets.defs.partitions import register
from persona_assets.lake import Lake
from persona_assets.lake.schemas import ASSET_TABLES
from persona_assets.settings import load_settings

Drop = Callable[..., Path]
UPSTREAM = ("raw_documents", "extracted_personas", "expanded_personas", "filtered_personas")


class Daemon:
    """Evaluates the conditions tick by tick, each seeing what has happened since the one before."""

    def __init__(self, definitions: dg.Definitions, instance: DagsterInstance) -> None:
        self.definitions, self.instance = definitions, instance
        self.last = self.tick()

    def tick(self) -> dg.EvaluateAutomationConditionsResult:
        cursor = self.last.cursor if hasattr(self, "last") else None
        self.last = dg.evaluate_automation_conditions(
            self.definitions, self.instance, asset_selection=dg.AssetSelection.all(), cursor=cursor
        )
        return self.last

    def asks_for(self, asset: str) -> set[str]:
        """The partitions of an asset that the next tick runs."""
        return set(self.tick().get_requested_partitions(dg.AssetKey(asset)))


def report(instance: DagsterInstance, assets: tuple[str, ...], *partitions: str, passed: bool = True) -> None:
    """Materialisations as their runs would report them, with the verdict of the gates."""
    for asset in assets:
        for partition in partitions:
            instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=partition))
            wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition])
            [record] = instance.fetch_materializations(wanted, limit=1).records
            target = AssetCheckEvaluationTargetMaterializationData(
                storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
            )
            for gate in gate_names(ASSET_TABLES[asset]):
                evaluation = dg.AssetCheckEvaluation(
                    dg.AssetKey(asset), gate, passed, {}, target, blocking=True, partition=partition
                )
                instance.report_runless_asset_event(evaluation)


@pytest.fixture
def shards(drop: Drop, instance: DagsterInstance) -> list[str]:
    drop("crawl-1", "a.jsonl", 1)
    drop("crawl-1", "b.jsonl", 2)
    drop("crawl-2", "a.jsonl", 3)
    settings = load_settings()
    shards = [shard.shard for shard in plan_shards(Lake(settings.lake), settings, 2e9).shards]
    register(instance, shards)
    return shards


@pytest.fixture
def daemon(definitions: dg.Definitions, instance: DagsterInstance, shards: list[str]) -> Daemon:
    """Has ticked once, with three shards of two dumps registered and nothing made of them."""
    return Daemon(definitions, instance)


def test_personas_follow_a_new_shard(daemon: Daemon, instance: DagsterInstance) -> None:
    report(instance, ("raw_documents",), "crawl-1.0000")
    assert daemon.asks_for("extracted_personas") == {"crawl-1.0000"}


def test_nothing_follows_a_shard_whose_gates_failed(daemon: Daemon, instance: DagsterInstance) -> None:
    report(instance, ("raw_documents",), "crawl-1.0000", passed=False)
    assert daemon.asks_for("extracted_personas") == set()


def test_a_dump_is_deduplicated_when_all_its_shards_are_filtered(daemon: Daemon, instance: DagsterInstance) -> None:
    report(instance, UPSTREAM, "crawl-1.0000")
    assert daemon.asks_for("persona_survivors") == set()
    report(instance, UPSTREAM, "crawl-1.0001")
    assert daemon.asks_for("persona_survivors") == {"crawl-1"}


def test_shards_are_published_when_their_dump_is_deduplicated(daemon: Daemon, instance: DagsterInstance) -> None:
    report(instance, UPSTREAM, "crawl-1.0000", "crawl-1.0001", "crawl-2.0000")
    report(instance, ("persona_survivors",), "crawl-1")
    assert daemon.asks_for("deduped_personas") >= {"crawl-1.0000", "crawl-1.0001"}


def test_ingestion_is_never_asked_for(daemon: Daemon) -> None:
    assert daemon.asks_for("raw_documents") == set()
