"""Both sensors on, on a real webserver and daemon: dumps flow to samples without a hand, and nothing runs in vain.

The tests share servers and lake and stand in order; each has dumps of its own, but for the last.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from persona_assets.lake.schemas import RAW_DOCUMENTS, SHARD_FILES
from persona_assets.lake.skipped import skip_shard
from persona_assets.state import State
from persona_assets_tests.defs.servers import SENSORS, Run, Servers, running
from persona_assets_tests.plan.work import PAGES

ONE, THREE, BAD, DEAD = "a-one", "b-three", "c-bad", "d-dead"
DEAD_MODEL = """
models:
  offline: {engine: offline}
  dead: {engine: openai, model: nobody, base_url: "http://127.0.0.1:9/v1", max_retries: 0, connect_timeout_s: 1}
assets: {%s}
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    place = tmp_path_factory.mktemp("following")
    models = place / "models.yaml"
    models.write_text(DEAD_MODEL % "")
    with running(place, stale="calls", models=models) as servers:
        yield servers


def new_runs(servers: Servers, before: list[Run]) -> list[Run]:
    known = {run.run_id for run in before}
    return [run for run in servers.settled() if run.run_id not in known]


def test_dumps_of_one_and_three_shards_that_arrive_together_flow_to_samples(servers: Servers) -> None:
    servers.drop(ONE, "a.jsonl", 1)
    for page, name in enumerate("abc"):
        servers.drop(THREE, f"{name}.jsonl", PAGES[page])
    servers.start(*SENSORS)
    servers.wait(lambda: servers.done(ONE, THREE), "the dumps flow")
    runs = servers.settled()
    assert {run.status for run in runs} == {"SUCCESS"}, servers.told()
    assert [run for run in runs if not run.tags.get("dagster/sensor_name")] == []
    made = Counter((run.at, asset) for run in runs for asset in run.assets)
    assert [pair for pair, count in made.items() if count > 1] == []
    samples = pl.scan_parquet(f"{servers.lake.root}/math_problems/*/*.parquet").select("shard").unique().collect()
    assert set(samples["shard"]) <= {f"{ONE}.0000", *(f"{THREE}.000{part}" for part in range(3))}
    assert samples.height > 0


def test_the_same_content_anew_makes_nothing_run(servers: Servers) -> None:
    before = servers.runs()
    assert servers.launch(["raw_documents"], f"{THREE}|0001").status == "SUCCESS"
    assert servers.lake.require(RAW_DOCUMENTS, f"{THREE}.0001").generation == 2
    assert [(run.at, run.assets) for run in new_runs(servers, before)] == [(f"{THREE}|0001", {"raw_documents"})]


def test_other_content_of_a_shard_flows_to_the_samples(servers: Servers) -> None:
    before, shard = servers.runs(), f"{THREE}.0002"
    Path(servers.settings.dumps, THREE, "c.jsonl").unlink()
    # As a manifest of the version before: size alone tells whether a file is as it was registered.
    coming = servers.drop(THREE, "other.jsonl.part", PAGES[3])
    now = {"file": pl.lit("other.jsonl"), "bytes": pl.lit(coming.stat().st_size, pl.Int64)}
    unknown = {name: pl.lit(None, SHARD_FILES.polars[name]) for name in ("mtime_ns", "fingerprint")}
    manifest = servers.lake.read(SHARD_FILES, shard).with_columns(**now, **unknown)
    servers.lake.write(SHARD_FILES, shard, manifest, "run")
    coming.rename(coming.with_suffix(""))
    old = servers.lake.require(RAW_DOCUMENTS, shard).rows.content
    servers.wait(lambda: servers.lake.require(RAW_DOCUMENTS, shard).rows.content != old, "the shard is read again")
    servers.wait(lambda: servers.done(THREE), "other content flows")
    runs = new_runs(servers, before)
    assert {run.status for run in runs} == {"SUCCESS"}, servers.told()
    assert servers.done(ONE, THREE)
    made = {asset for run in runs for asset in run.assets}
    assert made >= {"raw_documents", "filtered_personas", "persona_survivors", "deduped_personas", "math_problems"}
    assert not any(run.at == ONE or run.at.startswith(f"{ONE}|") for run in runs)


def test_a_shard_that_fails_its_gate_leaves_the_others_and_frees_its_dump_when_it_is_left_out(
    servers: Servers,
) -> None:
    before = servers.runs()
    servers.drop(BAD, "a.jsonl", 11)
    servers.drop(BAD, "b.jsonl", "too short")
    servers.drop(BAD, "c.jsonl", 12)
    good, bad = [f"{BAD}.0000", f"{BAD}.0002"], f"{BAD}.0001"
    servers.wait(
        lambda: all(servers.states(BAD).get(("filtered_personas", shard)) is State.DONE for shard in good),
        "the others flow",
    )
    runs = new_runs(servers, before)
    assert {(run.at, run.status) for run in runs if run.status != "SUCCESS"} == {(f"{BAD}|0001", "FAILURE")}
    states = servers.states(BAD)
    assert states["raw_documents", bad] is State.FAILED
    assert states["persona_survivors", BAD] is State.WAITING

    before = servers.runs()
    skip_shard(servers.lake, bad, "junk")
    servers.wait(lambda: servers.done(BAD), "the dump is free")
    runs = new_runs(servers, before)
    assert {run.status for run in runs} == {"SUCCESS"}, servers.told()
    # The shard after it no longer looks at its pages; nothing else is read again.
    assert {run.at for run in runs if "raw_documents" in run.assets} <= {f"{BAD}|0002"}


def test_an_engine_that_fails_does_not_make_runs_without_end(servers: Servers) -> None:
    before = servers.runs()
    models = servers.place / "models.yaml"
    models.with_suffix(".new").write_text(DEAD_MODEL % "extracted_personas: dead")
    models.with_suffix(".new").replace(models)
    servers.drop(DEAD, "a.jsonl", 21)
    servers.wait(lambda: any(DEAD in run.at and run.status == "FAILURE" for run in servers.runs()), "the engine fails")
    runs = new_runs(servers, before)
    extracting = Counter(run.at for run in runs if "extracted_personas" in run.assets)
    assert set(extracting.values()) <= {1, 2}, servers.told()
    assert {run.status for run in runs if "extracted_personas" in run.assets} == {"FAILURE"}
    assert not any("deduped_personas" in run.assets for run in runs)
    errors = [tick["error"]["message"] for name in SENSORS for tick in servers.ticks(name) if tick["error"]]
    assert errors == []


def test_the_servers_warned_of_nothing(servers: Servers) -> None:
    assert "Non-built-in PartitionMappings" not in servers.logs()
    assert "non-existent partition" not in servers.logs()
