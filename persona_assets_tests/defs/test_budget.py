from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from persona_assets.crawl.arrival import plan_shards
from persona_assets.defs.launch import materialise_shards
from persona_assets.lake import Lake
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.ledger.ledger import Ledger
from persona_assets.settings import load_settings
from persona_assets_tests.defs.test_graph import silent

Drop = Callable[..., Path]


def test_the_definitions_load_as_the_web_server_loads_them(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_one_budget_holds_for_all_runs_of_the_command_and_the_next_one_goes_on(
    instance: DagsterInstance, definitions: dg.Definitions, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop("crawl-1", "a.jsonl", 1, 2)
    drop("crawl-1", "b.jsonl", 2, 3)
    settings = load_settings()
    lake = Lake(settings.lake)
    shards = [shard.shard for shard in plan_shards(lake, settings, 2e9).shards]
    monkeypatch.setenv("PERSONA_MAX_CALLS_PER_RUN", "5")
    failures: list[str] = []
    list(materialise_shards(instance, definitions, shards, silent, failures))
    assert Ledger(lake).scan().collect().height == 5
    assert all("5 of 5 calls a run (PERSONA_MAX_CALLS_PER_RUN)" in failure for failure in failures)
    monkeypatch.delenv("PERSONA_MAX_CALLS_PER_RUN")
    failures.clear()
    list(materialise_shards(instance, definitions, shards, silent, failures))
    assert failures == []
    assert all(lake.exists(EXTRACTED_PERSONAS, shard) for shard in shards)


def test_the_partition_that_a_budget_stopped_says_so_in_the_catalogue(
    instance: DagsterInstance, definitions: dg.Definitions, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop("crawl-1", "a.jsonl", 1, 2, 3)
    settings = load_settings()
    shards = [shard.shard for shard in plan_shards(Lake(settings.lake), settings, 2e9).shards]
    monkeypatch.setenv("PERSONA_MAX_CALLS_PER_RUN", "1")
    list(materialise_shards(instance, definitions, shards, silent, []))
    [record] = instance.fetch_observations(dg.AssetKey("extracted_personas"), limit=5).records
    assert record.partition_key == shards[0]
    assert record.asset_observation is not None
    metadata = record.asset_observation.metadata
    assert metadata["stopped by"].value == "budget"
    assert "budget reached" in str(metadata["detail"].value)
