"""A damaged part of the ledger is named where a user looks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import DagsterInstance

from persona_assets.defs.partitions import register
from persona_assets.lake import Lake
from persona_assets.ledger.ledger import Ledger
from persona_assets_tests.defs.running import planned, run_job

Drop = Callable[..., Path]
SOUND = dg.AssetCheckKey(dg.AssetKey("extracted_personas"), "ledger_parts_sound")
SHARD = "crawl-1.0000"


def extract(instance: DagsterInstance, definitions: dg.Definitions) -> dg.ExecuteInProcessResult:
    return run_job(instance, definitions, "crawl_to_personas", SHARD, "", "raw_documents", "extracted_personas")


def verdict(instance: DagsterInstance) -> tuple[bool, dict[str, Any]]:
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([SOUND])[SOUND]
    assert record.event is not None
    assert record.event.dagster_event is not None
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    assert (evaluation.severity, evaluation.blocking) == (dg.AssetCheckSeverity.WARN, False)
    return evaluation.passed, {name: value.value for name, value in evaluation.metadata.items()}


def test_a_damaged_part_is_named_with_its_calls_and_a_remedy(
    instance: DagsterInstance, definitions: dg.Definitions, drop: Drop, workplace: Path
) -> None:
    drop("crawl-1", "a.jsonl", 1, 2, 3)
    register(instance, planned())
    assert extract(instance, definitions).success
    assert verdict(instance) == (True, {"parts": 0, "calls": 0})

    ledger = Ledger(Lake(workplace / "lake"))
    [part] = ledger.paths("text_to_persona")
    whole = Path(part).read_bytes()
    Path(part).write_bytes(whole[:4] + bytes(byte ^ 1 for byte in whole[4:-2000]) + whole[-2000:])
    assert extract(instance, definitions).success
    passed, said = verdict(instance)
    assert not passed
    aside = part.removeprefix(f"{ledger.root}/")
    assert said.keys() == {"parts", "calls", f"calls_corrupt/{aside}"}
    assert f"backup as calls/{aside}." in said[f"calls_corrupt/{aside}"]

    Path(part).write_bytes(whole)
    assert extract(instance, definitions).success
    assert verdict(instance) == (True, {"parts": 0, "calls": 0})
