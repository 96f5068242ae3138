import re
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster import DagsterInstance

from persona_assets.crawl.arrival import plan_shards
from persona_assets.defs.factory import partitioned_asset
from persona_assets.defs.launch import Materialised, materialise_shards
from persona_assets.defs.pipeline import Pipeline, progress_line
from persona_assets.lake import Lake
from persona_assets.lake.schemas import ASSET_TABLES, DEDUPED_PERSONAS, EXTRACTED_PERSONAS, RAW_DOCUMENTS
from persona_assets.settings import load_settings
from persona_assets.steps.runner import Context, Report
from persona_assets_tests.rows import document, put

Drop = Callable[..., Path]
TASKS = {"math_problems", "logic_problems", "instructions", "knowledge_texts", "game_npcs", "tool_definitions"}


def silent(asset: str, partition: str) -> Callable[..., None]:
    return lambda done, total=None, note="": None


def materialise(instance: DagsterInstance, definitions: dg.Definitions, shards: list[str]) -> list[Materialised]:
    failures: list[str] = []
    steps = list(materialise_shards(instance, definitions, shards, silent, failures))
    assert failures == []
    return steps


@pytest.fixture
def shards(drop: Drop) -> list[str]:
    drop("crawl-1", "a.jsonl", 1, 2)
    drop("crawl-1", "b.jsonl", 2, 3)
    settings = load_settings()
    return [shard.shard for shard in plan_shards(Lake(settings.lake), settings, 2e9).shards]


def test_every_table_is_an_asset_and_every_task_file_too(definitions: dg.Definitions) -> None:
    names = {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    assert names == set(ASSET_TABLES) | TASKS


def test_everything_materialises_and_the_gates_pass(
    instance: DagsterInstance, definitions: dg.Definitions, shards: list[str]
) -> None:
    steps = materialise(instance, definitions, shards)
    assert {step.asset for step in steps} == set(ASSET_TABLES) | TASKS
    assert [step for step in steps if step.failed_checks] == []
    assert sum(step.kept for step in steps if step.asset == "math_problems") > 0


def test_a_second_run_makes_no_call(instance: DagsterInstance, definitions: dg.Definitions, shards: list[str]) -> None:
    assert sum(step.calls_made for step in materialise(instance, definitions, shards)) > 0
    assert sum(step.calls_made for step in materialise(instance, definitions, shards)) == 0


def test_shards_in_another_order_give_the_same_personas(
    instance: DagsterInstance, definitions: dg.Definitions, shards: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def published() -> pl.DataFrame:
        frame = Lake(load_settings().lake).scan(DEDUPED_PERSONAS).drop(DEDUPED_PERSONAS.volatile).collect()
        return frame.sort("persona_id")

    materialise(instance, definitions, shards)
    forwards = published()
    monkeypatch.setenv("PERSONA_LAKE", load_settings().lake + "-backwards")
    plan_shards(Lake(load_settings().lake), load_settings(), 2e9)
    materialise(DagsterInstance.ephemeral(), definitions, shards[::-1])
    assert published().equals(forwards)


def test_a_ranged_run_writes_each_partition_with_its_own_metadata_and_checks(
    instance: DagsterInstance, definitions: dg.Definitions, shards: list[str]
) -> None:
    instance.add_dynamic_partitions("shards", shards)
    job = definitions.resolve_job_def("crawl_to_personas")
    tags = {"dagster/asset_partition_range_start": shards[0], "dagster/asset_partition_range_end": shards[-1]}
    result = job.execute_in_process(instance=instance, tags=tags, asset_selection=[dg.AssetKey("raw_documents")])
    events = result.get_asset_materialization_events()
    rows = {e.partition: e.materialization.metadata["dagster/partition_row_count"].value for e in events}
    assert rows == {shards[0]: 2, shards[1]: 1}  # the page that both files hold is kept once
    checked = {evaluation.partition for evaluation in result.get_asset_check_evaluations() if evaluation.passed}
    assert checked >= set(shards)


def _broken(table_rows: list[dict[str, object]]) -> dg.AssetsDefinition:
    def run(context: Context, key: str) -> Report:
        put(context.lake, RAW_DOCUMENTS, *table_rows, shard=key)
        return Report(inputs=len(table_rows), kept=len(table_rows))

    return partitioned_asset(
        RAW_DOCUMENTS, lambda context, key: iter([(key, run(context, key))]), group="corpus", text="", follows=False
    )


def test_a_failing_gate_blocks_what_is_downstream(workplace: Path, instance: DagsterInstance) -> None:
    bad = _broken([document("a"), document("a")])
    ran: list[str] = []

    @dg.asset(deps=[bad], partitions_def=bad.partitions_def)
    def downstream() -> None:
        ran.append("downstream")

    instance.add_dynamic_partitions("shards", ["d.0000"])
    result = dg.materialize(
        [bad, downstream],
        instance=instance,
        partition_key="d.0000",
        resources={"pipeline": Pipeline()},
        raise_on_error=False,
    )
    [failed] = [e for e in result.get_asset_check_evaluations() if not e.passed]
    assert (failed.check_name, failed.partition) == ("ids_unique", "d.0000")
    assert "doc_a" in str(failed.metadata["head d.0000"])
    assert ran == []


def test_the_error_of_a_failed_run_names_asset_partition_and_cause(
    instance: DagsterInstance, definitions: dg.Definitions, shards: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONA_ENGINE", "openai")
    failures: list[str] = []
    steps = list(materialise_shards(instance, definitions, shards, silent, failures))
    assert {step.asset for step in steps} == {"raw_documents"}
    assert len(failures) == 2
    assert re.match(r"extracted_personas crawl-1\.0000: .*PERSONA_MODEL", failures[0])


def test_a_bad_shard_stops_its_own_dump_and_no_other(
    instance: DagsterInstance, definitions: dg.Definitions, drop: Drop, workplace: Path
) -> None:
    drop("bad", "a.jsonl").write_text('{"text": "too short"}\n')
    drop("good", "a.jsonl", 1)
    settings = load_settings()
    shards = [shard.shard for shard in plan_shards(Lake(settings.lake), settings, 2e9).shards]
    failures: list[str] = []
    steps = list(materialise_shards(instance, definitions, shards, silent, failures))
    assert [line.split(":")[:2] for line in failures] == [["gate not passed", " raw_documents bad.0000"]]
    assert {step.partition for step in steps if step.asset == "math_problems"} == {"good.0000"}


def test_web_text_cannot_become_markup_in_the_preview(workplace: Path, instance: DagsterInstance) -> None:
    bad = _broken([document("a", text="![x](https://evil.example/x.png) | <script>alert(1)</script> `code`")])
    instance.add_dynamic_partitions("shards", ["d.0000"])
    result = dg.materialize(
        [bad], instance=instance, partition_key="d.0000", resources={"pipeline": Pipeline()}, raise_on_error=False
    )
    [event] = result.get_asset_materialization_events()
    cells = str(event.materialization.metadata["preview"].value).splitlines()[2].strip("| ").split(" | ")
    assert "`![x](https://evil.example/x.png) ¦ <script>alert(1)</script> 'code'`" in cells


def test_a_folder_of_task_files_adds_assets_without_python(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    from persona_assets.defs import datasets

    folder = workplace / "tasks"
    folder.mkdir()
    (folder / "haiku.yaml").write_text(
        """
name: haiku
version: 1
title: Haiku
description: A haiku in the persona's voice.
messages:
  - role: user
    content: |-
      <persona>
      {{ persona }}
      </persona>
      <language>
      {{ language_name }}
      </language>
      Write a haiku.
response_schema:
  type: object
  properties: {haiku: {type: string}}
  required: [haiku]
  additionalProperties: false
"""
    )
    monkeypatch.setenv("PERSONA_TASKS", str(folder))
    try:
        names = {asset.key.to_user_string() for asset in importlib.reload(datasets).tasks}
    finally:
        monkeypatch.delenv("PERSONA_TASKS")
        importlib.reload(datasets)
    assert names == TASKS | {"haiku"}


def test_sensors_and_the_schedule_start_stopped(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {sensor.name for sensor in repository.sensor_defs} == {"new_crawl_dumps", "follow_new_data"}
    assert all(sensor.default_status == dg.DefaultSensorStatus.STOPPED for sensor in repository.sensor_defs)
    assert all(s.default_status == dg.DefaultScheduleStatus.STOPPED for s in repository.schedule_defs)


def test_a_progress_line_tells_rate_and_time_left() -> None:
    assert progress_line(1200, 5200, 30.0) == "1,200 of 5,200 questions, 40.0/s, 100 s left"


def test_the_table_of_every_asset_declares_its_schema_in_the_ui(definitions: dg.Definitions) -> None:
    spec = definitions.resolve_assets_def("extracted_personas").metadata_by_key[dg.AssetKey("extracted_personas")]
    columns = [column.name for column in spec["dagster/column_schema"].columns]
    assert columns == EXTRACTED_PERSONAS.polars.names()
