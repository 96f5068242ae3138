"""Dedup as a part of the graph: order of shards, sealed dumps that change, what the UI is told."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster import DagsterInstance
from typer.testing import CliRunner

from persona_assets.cli.app import app
from persona_assets.dedup.publish import publish_shard
from persona_assets.dedup.run import dedup_dump
from persona_assets.dedup.seals import LATE_REMEDY, REBUILD
from persona_assets.defs.checks import JUDGES
from persona_assets.defs.metadata import DUMPS_SHOWN, duplicate_rates_markdown, partition_metadata
from persona_assets.defs.partitions import register
from persona_assets.graph import assets
from persona_assets.lake.records import record_path
from persona_assets.lake.schemas import DEDUPED_PERSONAS, FILTERED_PERSONAS, PERSONA_SURVIVORS
from persona_assets.making import Made
from persona_assets.settings import Settings
from persona_assets_tests.dedup.lakes import add_shard, context, make_lake
from persona_assets_tests.dedup.lakes import register as register_shard
from persona_assets_tests.defs.running import lake, planned, run, run_all, run_job

Drop = Callable[..., Path]
SHARD_JOB, DUMP_JOB, PUBLISH_JOB = "crawl_to_personas", "dedup_dump", "personas_to_datasets"
SEALS = dg.AssetCheckKey(dg.AssetKey("persona_survivors"), "sealed_shards_unchanged")


@pytest.fixture
def shards(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three shards of two dumps, with one page that both dumps hold."""
    monkeypatch.setenv("PERSONA_HOPS", "0")
    drop("crawl-1", "a.jsonl", 1, 2)
    drop("crawl-1", "b.jsonl", 3)
    drop("crawl-2", "a.jsonl", 2)
    return planned()


def remake(instance: DagsterInstance, definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Materialise a shard again by hand, under other settings, so that it holds fewer personas."""
    before = lake().row_count(FILTERED_PERSONAS, "crawl-1.0000")
    monkeypatch.setenv("PERSONA_RELATIONS", "write")
    made = ("extracted_personas", "expanded_personas", "filtered_personas")
    assert run_job(instance, definitions, SHARD_JOB, "crawl-1.0000", "", *made).success
    assert lake().row_count(FILTERED_PERSONAS, "crawl-1.0000") < before


def one_by_one(instance: DagsterInstance, definitions: dg.Definitions, shards: list[str]) -> None:
    for shard in shards:
        run_job(instance, definitions, SHARD_JOB, shard)
    for dump in ("crawl-1", "crawl-2"):
        run_job(instance, definitions, DUMP_JOB, dump)


def backwards(instance: DagsterInstance, definitions: dg.Definitions, shards: list[str]) -> None:
    for shard in reversed(shards):
        run_job(instance, definitions, SHARD_JOB, shard)
    for dump in ("crawl-2", "crawl-1"):
        run_job(instance, definitions, DUMP_JOB, dump)


def ranged(instance: DagsterInstance, definitions: dg.Definitions, shards: list[str]) -> None:
    run_job(instance, definitions, SHARD_JOB, shards[0], "crawl-2.0001")  # a box, with one corner that is no shard
    run_job(instance, definitions, DUMP_JOB, "crawl-1", "crawl-2")


def test_shards_in_any_order_and_as_a_range_give_the_same_survivors(
    definitions: dg.Definitions, shards: list[str], workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for place, order in enumerate((one_by_one, backwards, ranged)):
        monkeypatch.setenv("PERSONA_LAKE", str(workplace / f"lake-{place}"))
        assert planned() == shards
        with DagsterInstance.ephemeral() as instance:
            register(instance, shards)
            order(instance, definitions, shards)
        found.append(lake().scan(PERSONA_SURVIVORS).drop(PERSONA_SURVIVORS.volatile).sort("persona_id").collect())
    assert found[0]["kept"].sum() < found[0].height
    assert found[1].equals(found[0])
    assert found[2].equals(found[0])


@pytest.fixture
def home(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    """An instance on disk, which the command line uses too."""
    folder = workplace / "home"
    folder.mkdir()
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    with DagsterInstance.get() as instance:
        yield instance


def verdict_on_seals(instance: DagsterInstance) -> tuple[bool, dict[str, Any]]:
    """The check as the UI shows it, and what it says of each shard."""
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([SEALS])[SEALS]
    assert record.event is not None
    assert record.event.dagster_event is not None
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    assert (evaluation.severity, evaluation.blocking) == (dg.AssetCheckSeverity.WARN, False)
    said = {name: value.value for name, value in evaluation.metadata.items()}
    assert said.pop("shards") == len(said)
    return evaluation.passed, said


def kept(survivors: pl.LazyFrame) -> list[str]:
    return survivors.filter("kept").select(pl.col("persona_id").sort()).collect()["persona_id"].to_list()


def ids(table: pl.LazyFrame, column: str = "persona_id") -> list[str]:
    return table.select(pl.col(column).unique().sort()).collect()[column].to_list()


def test_a_sealed_shard_that_changes_is_reported_and_the_named_command_rebuilds(
    home: DagsterInstance, definitions: dg.Definitions, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONA_HOPS", "0")
    drop("crawl-1", "a.jsonl", 1)
    drop("crawl-2", "a.jsonl", 1)
    run = CliRunner().invoke(app, REBUILD.split()[1:])
    assert run.exit_code == 0, run.output
    assert verdict_on_seals(home) == (True, {})
    before = kept(lake().scan(PERSONA_SURVIVORS))

    remake(home, definitions, monkeypatch)
    passed, said = verdict_on_seals(home)
    assert (passed, list(said)) == (False, ["dump crawl-1, shard crawl-1.0000"])
    [text] = said.values()
    assert re.match(rf"\d+ personas new, \d+ gone: `{REBUILD}` rebuilds .*--assets .* --partition crawl-1`", text)

    monkeypatch.setenv("PERSONA_STALE", "calls")
    run = CliRunner().invoke(app, REBUILD.split()[1:])
    assert run.exit_code == 0, run.output
    assert verdict_on_seals(home) == (True, {})
    after = kept(lake().scan(PERSONA_SURVIVORS))
    assert after != before
    assert ids(lake().scan(DEDUPED_PERSONAS)) == after
    sampled = pl.scan_parquet(f"{lake().root}/math_problems/*/*.parquet", hive_partitioning=False)
    assert ids(sampled.select(pl.col("persona_ids").explode().alias("persona_id"))) == after
    assert CliRunner().invoke(app, REBUILD.split()[1:]).output.startswith("everything is materialised already")


def test_a_rebuild_need_not_read_the_crawl_files_and_publishes_the_dumps_after_it(
    instance: DagsterInstance, definitions: dg.Definitions, shards: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    register(instance, shards)
    one_by_one(instance, definitions, shards)
    for shard in shards:
        run_job(instance, definitions, PUBLISH_JOB, shard, "", "deduped_personas")
    remake(instance, definitions, monkeypatch)
    steps, outcome = run(instance, definitions)
    made = [(step.asset, step.partition) for step in steps]
    assert outcome.failures == []
    assert [(plan.asset, plan.partition) for plan in outcome.held] == [("extracted_personas", "crawl-1.0001")]
    # The stored calls answer for the page that both dumps hold.
    assert {shard for asset, shard in made if asset == "filtered_personas"} == {"crawl-2.0000"}
    assert "raw_documents" not in {asset for asset, _ in made}
    assert {dump for asset, dump in made if asset == "persona_survivors"} == {"crawl-1", "crawl-2"}
    assert {shard for asset, shard in made if asset == "deduped_personas"} == set(shards)
    assert ids(lake().scan(DEDUPED_PERSONAS)) == kept(lake().scan(PERSONA_SURVIVORS))


def test_sealed_dumps_whose_survivors_are_gone_are_all_made_by_one_run(
    instance: DagsterInstance, definitions: dg.Definitions, drop: Callable[..., Path]
) -> None:
    for number, dump in enumerate(("crawl-1", "crawl-2", "crawl-3"), 1):
        drop(dump, "a.jsonl", number)
    planned()
    run_all(instance, definitions)
    for dump in ("crawl-1", "crawl-2", "crawl-3"):
        Path(record_path(lake().root, PERSONA_SURVIVORS.name, dump, 1)).unlink()
    made = [step.partition for step in run_all(instance, definitions) if step.asset == PERSONA_SURVIVORS.name]
    assert made == ["crawl-1", "crawl-2", "crawl-3"]


def test_a_shard_that_comes_to_a_sealed_dump_is_named(tmp_path: Path) -> None:
    here = make_lake(tmp_path, {"a.0000": ["A baker of rye bread"], "b.0000": ["A nurse who works at night"]})
    dedup_dump(context(here), "b")
    [judge] = JUDGES["persona_survivors"]
    assert [evaluation.passed for evaluation in judge(here)] == [True]
    register_shard(here, "a.0001")
    [evaluation] = judge(here)
    assert not evaluation.passed
    said = evaluation.metadata["dump a, shard a.0001"].value
    assert said == f"registered after the dump was sealed: {LATE_REMEDY}"


GRAPH = assets(Settings())
HOSTILE = "![x](https://evil.example/x.png) | <script>alert(1)</script> `code`"


def test_a_dump_shows_rates_recall_pairs_and_groups(tmp_path: Path) -> None:
    here = make_lake(tmp_path, {"a.0000": [HOSTILE, HOSTILE, "A nurse who works at night", "An old fisherman"]})
    [(_, report)] = dedup_dump(context(here), "a")
    made = Made("a", here.require(PERSONA_SURVIVORS, "a"), report)
    metadata = partition_metadata(here, GRAPH[PERSONA_SURVIVORS.name], made)
    rates = {name: value for name, value in metadata.items() if name.startswith(("duplicate rate", "recall"))}
    assert {name: value for name, value in rates.items() if isinstance(value, float)} == {
        "duplicate rate": 0.25,
        "duplicate rate exact": 0.25,
        "duplicate rate lexical": 0.0,
        "duplicate rate semantic": 0.0,
        "recall lexical": 1.0,
        "recall semantic": 1.0,
    }
    groups = str(metadata["largest groups"].value).splitlines()
    assert groups[2].startswith("| 1 | `![x](https://evil.example/x.png) ¦ <script>alert(1)</script> 'code'` | `per_")
    assert "| compared exactly |" in str(metadata["pairs"].value)
    assert "| a | 4 | 25.00% | 25.00% | 0.00% | 0.00% | █" in str(metadata["duplicate rates of the dumps"].value)
    published = publish_shard(context(here), "a.0000")
    made = Made("a.0000", here.require(DEDUPED_PERSONAS, "a.0000"), published)
    shard = partition_metadata(here, GRAPH[DEDUPED_PERSONAS.name], made)
    assert (shard["duplicate rate"], shard["duplicate rate exact"]) == (0.25, 0.25)


def test_the_duplicate_rates_are_those_of_the_latest_dumps_in_the_order_of_their_seals(tmp_path: Path) -> None:
    here = make_lake(tmp_path, {f"d{number:02d}.0000": [] for number in range(DUMPS_SHOWN + 1)})
    add_shard(here, "d20.0000", ["A baker of rye bread", "a baker of rye bread", "a nurse"])
    dedup_dump(context(here), "d20")
    lines = duplicate_rates_markdown(here).splitlines()[2:]
    assert [line.split(" | ")[0] for line in lines] == ["| d20"]
