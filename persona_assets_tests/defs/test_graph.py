import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster import DagsterInstance

import persona_assets
from persona_assets.defs.assets import ONLY_NEEDED, build_assets
from persona_assets.defs.launch import Wanted
from persona_assets.defs.partitions import partition_key, register
from persona_assets.defs.pipeline import progress_line
from persona_assets.lake.schemas import ASSET_TABLES, DEDUPED_PERSONAS, EXTRACTED_PERSONAS, RAW_DOCUMENTS
from persona_assets.lake.skipped import skip_shard
from persona_assets.making import make
from persona_assets.settings import Settings, load_settings
from persona_assets.state import LakeState
from persona_assets.steps.model import Context
from persona_assets.tasks.load import FILES, datasets
from persona_assets.training.recipe import RECIPES
from persona_assets_tests.defs.conftest import PAGE
from persona_assets_tests.defs.running import lake, planned, run, run_all, run_job
from persona_assets_tests.plan.work import Refuses

Drop = Callable[..., Path]
TASKS = set(datasets(Settings()))  # the bundled ones


@pytest.fixture
def shards(drop: Drop) -> list[str]:
    drop("crawl-1", "a.jsonl", 1, 2)
    drop("crawl-1", "b.jsonl", 2, 3)
    return planned()


def test_every_table_is_an_asset_and_every_task_file_too(definitions: dg.Definitions) -> None:
    names = {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    assert names == set(ASSET_TABLES) | TASKS


def test_everything_materialises_and_the_gates_pass(
    instance: DagsterInstance, definitions: dg.Definitions, shards: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "PERSONA_RELATIONS", "read"
    )  # few personas: what takes long here is how many partitions there are
    monkeypatch.setenv("PERSONA_PERSONAS_PER_RELATION", "1")
    monkeypatch.setenv("PERSONA_DATASETS", "all")
    monkeypatch.setenv("PERSONA_PARAMS", "self_questions.count=2")
    monkeypatch.setenv("PERSONA_SHARES", "self_questions=0.2")
    steps = run_all(instance, definitions)
    by_recipes = {name for name, step in datasets(Settings()).items() if step.table.partition == RECIPES}
    assert {step.asset for step in steps} == (set(ASSET_TABLES) | TASKS) - by_recipes
    assert [step for step in steps if step.failed_checks] == []
    files = [
        one for folder in FILES.iterdir() if folder.is_dir() for one in folder.rglob("*.*") if one.suffix != ".pyc"
    ]
    # Limits that nothing is held to here, values that a task asks with, and recipes, of which none is named.
    beside = ("quality", "provocations", "recipes")
    sets = {one.stem for one in files if one.parent.name not in beside}
    assert {step.partition for step in steps} == {"crawl-1", *shards, *sets}
    assert sum(step.kept for step in steps if step.asset == "math_problems") > 0
    assert sum(step.calls_made for step in steps) > 0

    assert run_all(instance, definitions) == []  # all is as it would be made now
    again = run_all(instance, definitions, Wanted(again=True, assets=tuple(ASSET_TABLES)))
    assert len(again) == len([step for step in steps if step.asset in ASSET_TABLES])
    assert sum(step.calls_made for step in again) == 0
    settings = load_settings()
    state = LakeState(lake(), settings)
    context = Context(lake(), settings, Refuses(settings), "again", keeper=state)
    for name in TASKS - by_recipes:  # without Dagster, which takes as long for each as all else; nobody is asked
        for key in state.keys(name):
            assert list(make(context, state, state.assets[name], key, again=True))


def test_shards_in_another_order_give_the_same_personas(
    instance: DagsterInstance, definitions: dg.Definitions, shards: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def published() -> pl.DataFrame:
        return lake().scan(DEDUPED_PERSONAS).drop(DEDUPED_PERSONAS.volatile).sort("persona_id").collect()

    wanted = Wanted(assets=tuple(ASSET_TABLES))
    run_all(instance, definitions, wanted)
    forwards = published()
    monkeypatch.setenv("PERSONA_LAKE", load_settings().lake + "-backwards")
    assert planned() == shards
    other = DagsterInstance.ephemeral()
    register(other, shards)
    for shard in shards[::-1]:
        assert run_job(other, definitions, "crawl_to_personas", shard).success
    run_all(other, definitions, wanted)
    assert published().equals(forwards)


# Steps


def logged(instance: DagsterInstance, result: dg.ExecuteInProcessResult, kind: dg.DagsterEventType) -> list[Any]:
    """The events of a run, as the UI has them: where a step fails, the result of the run in process lacks some."""
    entries = instance.all_logs(result.run_id, of_type=kind)
    return [entry.dagster_event.event_specific_data for entry in entries if entry.dagster_event]


def materialisations(
    instance: DagsterInstance, result: dg.ExecuteInProcessResult
) -> dict[str, list[dg.AssetMaterialization]]:
    """What the run says it made, by partition."""
    found: dict[str, list[dg.AssetMaterialization]] = {}
    for data in logged(instance, result, dg.DagsterEventType.ASSET_MATERIALIZATION):
        found.setdefault(str(data.materialization.partition), []).append(data.materialization)
    return found


def evaluated(instance: DagsterInstance, result: dg.ExecuteInProcessResult) -> dict[str | None, set[bool]]:
    """The verdicts of blocking checks by partition."""
    found: dict[str | None, set[bool]] = {}
    for data in logged(instance, result, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        if data.blocking:
            found.setdefault(data.partition, set()).add(data.passed)
    return found


def test_a_ranged_run_writes_each_partition_with_its_own_metadata_versions_and_checks(
    instance: DagsterInstance, definitions: dg.Definitions, shards: list[str]
) -> None:
    register(instance, shards)
    result = run_job(
        instance, definitions, "crawl_to_personas", shards[0], shards[-1], "raw_documents", "extracted_personas"
    )
    assert result.success
    one = run_job(instance, definitions, "crawl_to_personas", shards[0], "", "raw_documents")
    found = materialisations(instance, result)
    assert set(found) == {"crawl-1|0000", "crawl-1|0001"}
    assert [event.asset_key.to_user_string() for event in found["crawl-1|0001"]] == [
        "raw_documents",
        "extracted_personas",
    ]
    raw, extracted = found["crawl-1|0001"]
    assert raw.metadata["dagster/partition_row_count"].value == 1  # the page that both files hold is kept once
    assert raw.tags is not None
    assert extracted.tags is not None
    record = lake().require(RAW_DOCUMENTS, "crawl-1.0001")
    assert raw.tags["dagster/data_version"] == record.rows.content
    assert extracted.tags["dagster/input_data_version/raw_documents"] == record.rows.content
    [[alone]] = materialisations(instance, one).values()
    assert alone.tags is not None
    first = found["crawl-1|0000"][0]
    versions = ("dagster/data_version", "dagster/code_version", "dagster/data_version_is_user_provided")
    assert [alone.tags[name] for name in versions] == [(first.tags or {})[name] for name in versions]
    assert evaluated(instance, result)["crawl-1|0000"] == {True}
    assert evaluated(instance, result)["crawl-1|0001"] == {True}


def test_a_combination_without_a_shard_is_empty_and_writes_nothing(
    instance: DagsterInstance, definitions: dg.Definitions, shards: list[str], drop: Drop
) -> None:
    drop("crawl-2", "a.jsonl", 3)
    register(instance, [*shards, *planned()])
    alone = run_job(instance, definitions, "crawl_to_personas", "crawl-2.0001")
    assert alone.success
    box = run_job(instance, definitions, "crawl_to_personas", shards[0], "crawl-2.0001", "raw_documents")
    assert box.success
    assert set(materialisations(instance, box)) == {"crawl-1|0000", "crawl-1|0001", "crawl-2|0000", "crawl-2|0001"}
    for events in (materialisations(instance, alone)["crawl-2|0001"], materialisations(instance, box)["crawl-2|0001"]):
        for event in events:
            assert event.metadata["nothing was written"].value == "no such shard"
            assert event.metadata["dagster/partition_row_count"].value == 0
    assert lake().keys(RAW_DOCUMENTS) == ["crawl-1.0000", "crawl-1.0001", "crawl-2.0000"]


def test_nothing_is_made_of_a_shard_that_is_left_out(
    instance: DagsterInstance, definitions: dg.Definitions, shards: list[str]
) -> None:
    register(instance, shards)
    skip_shard(lake(), shards[1], "junk")
    result = run_job(instance, definitions, "crawl_to_personas", shards[0], shards[1])
    assert result.success
    notes = [
        event.metadata["nothing was written"].value for event in materialisations(instance, result)["crawl-1|0001"]
    ]
    assert set(notes) == {"left out: junk"}
    assert lake().keys(RAW_DOCUMENTS) == [shards[0]]


def test_a_run_of_automation_leaves_what_is_done_alone_and_one_by_hand_makes_it_again(
    instance: DagsterInstance, definitions: dg.Definitions, shards: list[str]
) -> None:
    def makes(*tags: str) -> bool:
        before = lake().require(RAW_DOCUMENTS, shards[0]).generation
        result = definitions.resolve_job_def("crawl_to_personas").execute_in_process(
            instance=instance,
            partition_key=partition_key(shards[0]),
            asset_selection=[dg.AssetKey("raw_documents")],
            tags=dict.fromkeys(tags, "true"),
        )
        [[event]] = materialisations(instance, result).values()
        made = lake().require(RAW_DOCUMENTS, shards[0]).generation > before
        assert made == ("nothing written" not in event.metadata)
        return made

    register(instance, shards)
    assert run_job(instance, definitions, "crawl_to_personas", shards[0], "", "raw_documents").success
    assert makes()
    automated = ("dagster/from_automation_condition", "dagster/sensor_name", "dagster/schedule_name", ONLY_NEEDED)
    assert [tag for tag in automated if makes(tag)] == []


def test_a_failing_gate_blocks_what_is_downstream(
    instance: DagsterInstance, definitions: dg.Definitions, drop: Drop
) -> None:
    drop("bad", "a.jsonl").write_text('{"text": "too short"}\n')
    register(instance, planned())
    result = run_job(instance, definitions, "crawl_to_personas", "bad.0000")
    assert not result.success
    failed = [e for e in result.get_asset_check_evaluations() if not e.passed]
    assert {(e.asset_key.to_user_string(), e.partition) for e in failed} == {("raw_documents", "bad|0000")}
    assert "reject_rate" in {e.check_name for e in failed}
    assert any("head bad.0000" in e.metadata for e in failed)
    assert {key for key in materialisations(instance, result)} == {"bad|0000"}
    assert [len(events) for events in materialisations(instance, result).values()] == [1]


def test_in_a_range_with_one_failure_the_others_stand(
    instance: DagsterInstance, definitions: dg.Definitions, drop: Drop
) -> None:
    drop("crawl-1", "a.jsonl", 1)
    drop("crawl-1", "b.jsonl").write_text('{"text": "too short"}\n')
    drop("crawl-1", "c.jsonl", 3)
    register(instance, planned())
    result = run_job(instance, definitions, "crawl_to_personas", "crawl-1.0000", "crawl-1.0002", "raw_documents")
    assert not result.success
    assert {key: len(events) for key, events in materialisations(instance, result).items()} == {
        "crawl-1|0000": 1,
        "crawl-1|0001": 1,
        "crawl-1|0002": 1,
    }
    assert evaluated(instance, result) == {
        "crawl-1|0000": {True},
        "crawl-1|0001": {True, False},
        "crawl-1|0002": {True},
    }
    assert [record.failed != [] for record in lake().sound(RAW_DOCUMENTS).values()] == [False, True, False]


def test_the_error_of_a_failed_run_names_asset_partition_and_cause(
    instance: DagsterInstance, definitions: dg.Definitions, shards: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONA_ENGINE", "openai")
    steps, outcome = run(instance, definitions)
    assert {step.asset for step in steps if step.partition in shards} == {"raw_documents"}
    assert len(outcome.failures) == 2
    assert re.match(r"extracted_personas crawl-1\.0000: .*PERSONA_MODEL", outcome.failures[0])


def test_a_bad_shard_stops_its_own_dump_and_no_other(
    instance: DagsterInstance, definitions: dg.Definitions, drop: Drop
) -> None:
    drop("bad", "a.jsonl").write_text('{"text": "too short"}\n')
    drop("good", "a.jsonl", 1)
    planned()
    steps, outcome = run(instance, definitions)
    assert [line.split(":")[:2] for line in outcome.failures] == [["gate not passed", " raw_documents bad.0000"]]
    assert {(one.asset, one.key) for one in outcome.waiting} >= {("persona_survivors", "bad")}
    assert {step.partition for step in steps if step.asset == "math_problems"} == {"good.0000"}


def test_web_text_cannot_become_markup_in_the_preview(
    instance: DagsterInstance, definitions: dg.Definitions, drop: Drop
) -> None:
    text = "![x](https://evil.example/x.png) | <script>alert(1)</script> `code` " + PAGE.format(n=1)
    drop("crawl-1", "a.jsonl").write_text(json.dumps({"text": text}) + "\n")
    register(instance, planned())
    result = run_job(instance, definitions, "crawl_to_personas", "crawl-1.0000", "", "raw_documents")
    [[event]] = materialisations(instance, result).values()
    preview = str(event.metadata["preview"].value)
    assert "`![x](https://evil.example/x.png) ¦ <script>alert(1)</script> 'code' " in preview


# The code location


def test_a_folder_of_task_files_adds_assets_without_python(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    names = {asset.key.to_user_string() for asset in build_assets()} - set(ASSET_TABLES)
    assert names == TASKS | {"haiku"}


def test_sensors_and_the_schedule_start_stopped(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    names = {sensor.name for sensor in repository.sensor_defs}
    assert names == {"new_crawl_dumps", "new_data_files", "follow_new_data"}
    assert all(sensor.default_status == dg.DefaultSensorStatus.STOPPED for sensor in repository.sensor_defs)
    assert all(s.default_status == dg.DefaultScheduleStatus.STOPPED for s in repository.schedule_defs)


def test_a_progress_line_tells_rate_and_time_left() -> None:
    assert progress_line(1200, 5200, 30.0) == "1,200 of 5,200 done, 40.0/s, 100 s left"


def test_the_table_of_every_asset_declares_its_schema_in_the_ui(definitions: dg.Definitions) -> None:
    spec = definitions.resolve_assets_def("extracted_personas").metadata_by_key[dg.AssetKey("extracted_personas")]
    columns = [column.name for column in spec["dagster/column_schema"].columns]
    assert columns == EXTRACTED_PERSONAS.polars.names()


SILENCES = "filterwarnings"
LOADS = """
import json, sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from persona_assets.definitions import defs
    from dagster._core.remote_representation.external_data import RepositorySnap
    RepositorySnap.from_def(defs.get_repository_def())
json.dump([[str(one.message), one.filename] for one in caught], sys.stdout)
"""


def test_the_code_location_gives_no_cause_for_warnings() -> None:
    loaded = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True, check=True)
    package = str(Path(persona_assets.__file__).parent)
    warned = json.loads(loaded.stdout)
    assert [message for message, file in warned if file.startswith(package) or "PartitionMapping" in message] == []


def test_notices_of_beta_parts_are_silenced_in_one_place_and_nothing_else_is() -> None:
    package = Path(persona_assets.__file__).parent
    silencing = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if SILENCES in path.read_text()}
    assert silencing == {"defs/__init__.py"}
    filters = re.findall(r"filterwarnings\((.*)\)", (package / "defs/__init__.py").read_text())
    assert filters == ['"ignore", category=dg.PreviewWarning', '"ignore", category=dg.BetaWarning']
