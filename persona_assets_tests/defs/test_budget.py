from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.ledger.ledger import Ledger
from persona_assets_tests.defs.running import lake, planned, run, run_all

Drop = Callable[..., Path]


def test_the_definitions_load_as_the_web_server_loads_them(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_one_budget_holds_for_all_runs_of_the_command_and_the_next_one_goes_on(
    instance: DagsterInstance, definitions: dg.Definitions, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop("crawl-1", "a.jsonl", 1, 2)
    drop("crawl-1", "b.jsonl", 2, 3)
    shards = planned()
    monkeypatch.setenv("PERSONA_MAX_CALLS_PER_RUN", "5")
    _, outcome = run(instance, definitions)
    assert Ledger(lake()).scan().collect().height == 5
    assert len(outcome.failures) == 1
    assert "5 of 5 calls a run (PERSONA_MAX_CALLS_PER_RUN)" in outcome.failures[0]
    monkeypatch.delenv("PERSONA_MAX_CALLS_PER_RUN")
    run_all(instance, definitions)
    assert all(lake().exists(EXTRACTED_PERSONAS, shard) for shard in shards)


def test_the_partition_that_a_budget_stopped_says_so_in_the_catalogue(
    instance: DagsterInstance, definitions: dg.Definitions, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop("crawl-1", "a.jsonl", 1, 2, 3)
    planned()
    monkeypatch.setenv("PERSONA_MAX_CALLS_PER_RUN", "1")
    run(instance, definitions)
    [record] = instance.fetch_observations(dg.AssetKey("extracted_personas"), limit=5).records
    assert record.partition_key == "crawl-1|0000"
    assert record.asset_observation is not None
    metadata = record.asset_observation.metadata
    assert metadata["stopped by"].value == "budget"
    assert "budget reached" in str(metadata["detail"].value)
