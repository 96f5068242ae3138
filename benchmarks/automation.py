"""Ticks of the sensors, and the queries of the asset page, over lakes of thousands of shards. Figures: RESULTS.md.

python -m benchmarks.automation [wide|deep ...] [--pages]
"""

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import dagster as dg
import polars as pl

T = TypeVar("T")
SHAPES = {
    "wide": {f"dump-{number:02d}": 100 for number in range(50)},
    "deep": {"big": 5000, **{f"small-{number:02d}": 3 for number in range(20)}},
}
HEALTH = """query PartitionHealthQuery($assetKey: AssetKeyInput!) { assetNodeOrError(assetKey: $assetKey) {
 ... on AssetNode { id partitionKeysByDimension { name type partitionKeys } assetPartitionStatuses {
 ... on DefaultPartitionStatuses { materializedPartitions materializingPartitions failedPartitions }
 ... on MultiPartitionStatuses { primaryDimensionName ranges { primaryDimStartKey primaryDimEndKey secondaryDim {
 ... on DefaultPartitionStatuses { materializedPartitions materializingPartitions failedPartitions } } } } } } } }"""
STATS = """query S($a: [AssetKeyInput!]!) { assetNodes(assetKeys: $a) { assetKey { path } partitionStats {
 numMaterialized numPartitions numFailed numMaterializing } } }"""
PREVIEW = """query P($n: [String!]!, $a: [AssetKeyInput!]!) { assetBackfillPreview(params: {partitionNames: $n,
 assetSelection: $a}) { assetKey { path } partitions { partitionKeys ranges { start end } } } }"""


def memory() -> int:
    """Peak memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def timed(label: str, work: Callable[[], T]) -> T:
    began, cpu = time.perf_counter(), time.process_time()
    found = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"{label}: {seconds:.2f} s ({cpu:.2f} s CPU), peak {memory()} MiB", flush=True)
    return found


class Cheap:
    """Writes partitions that stand as they would be made now: their records, and one empty file under many names."""

    def __init__(self, root: Path) -> None:
        from persona_assets.lake import Lake
        from persona_assets.settings import load_settings
        from persona_assets.state import LakeState

        self.lake = Lake(root)
        self.state = LakeState(self.lake, load_settings())
        self.empty: dict[str, Path] = {}

    def write(self, table: object, key: str, made_from: dict[str, str], content: str = "") -> None:
        from persona_assets.ids import digest
        from persona_assets.lake.records import Record, StoredFile, record_path

        name = table.name
        if name not in self.empty:
            self.empty[name] = Path(self.lake.root, "_empty", f"{name}.parquet")
            self.empty[name].parent.mkdir(parents=True, exist_ok=True)
            pl.DataFrame(schema=table.polars).write_parquet(self.empty[name])
        content = content or digest(f"{name} {key}".encode())
        file = Path(self.lake.folder(table, key), f"{content}.parquet")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        os.link(self.empty[name], file)
        rows = StoredFile(file.name, file.stat().st_size, 0, content)
        known = name in self.state.assets
        recipe, judged_by = (self.state.recipe(name), self.state.judged_by(name)) if known else ({}, "")
        record = Record(name, table.partition, key, 1, rows, None, {}, made_from, recipe, judged_by, (), "run", "")
        path = Path(record_path(self.lake.root, name, key, 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(record.as_json())

    def register(self, shards: list[str]) -> None:
        from persona_assets.lake.schemas import SHARD_FILES

        for shard in shards:
            self.write(SHARD_FILES, shard, {})

    def stand(self, *names: str) -> None:
        self.state.refresh()
        for name in names:
            for key in self.state.keys(name):
                self.write(self.state.assets[name].table, key, self.state.inputs(name, key))
            self.state.refresh()


def measure(shape: str, *, pages: bool) -> None:
    dumps = SHAPES[shape]
    shards = [f"{dump}.{part:04d}" for dump, parts in dumps.items() for part in range(parts)]
    folder = Path(tempfile.mkdtemp(prefix=f"automation_{shape}_"))
    (folder / "home").mkdir()
    (folder / "dumps").mkdir()
    (folder / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    os.environ |= {
        "DAGSTER_HOME": str(folder / "home"),
        "PERSONA_LAKE": str(folder / "lake"),
        "PERSONA_DUMPS": str(folder / "dumps"),
    }
    from persona_assets.dedup.seals import seal_waiting
    from persona_assets.definitions import defs
    from persona_assets.defs.automation import new_crawl_dumps
    from persona_assets.defs.partitions import partition_key, register
    from persona_assets.defs.pipeline import Pipeline

    print(f"## {shape}: {len(dumps)} dumps, {len(shards):,} shards, {len(dumps) * max(dumps.values()):,} combinations")
    cheap = Cheap(folder / "lake")
    names = list(cheap.state.assets)
    repository = defs.get_repository_def()
    follow = repository.get_sensor_def("follow_new_data")

    def tick(cursor: str | None) -> dg.SensorResult:
        with dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=repository) as context:
            return follow.evaluate_tick(context)

    def arrivals() -> object:
        with dg.build_sensor_context(instance=instance, cursor=None, resources={"pipeline": Pipeline()}) as context:
            return new_crawl_dumps(context)

    def asked(result: dg.SensorResult) -> int:
        subsets = [request.asset_graph_subset for request in result.run_requests or [] if request.asset_graph_subset]
        counted = sum(len(list(subset.iterate_asset_partitions())) for subset in subsets)
        return counted + sum(
            len(request.asset_selection or []) for request in result.run_requests or [] if request.partition_key
        )

    with dg.DagsterInstance.get() as instance:
        timed("register in the lake", lambda: cheap.register(shards))
        timed("register in the instance", lambda: register(instance, shards))
        timed("new_crawl_dumps, nothing made", arrivals)
        timed("lake: raw_documents", lambda: cheap.stand("raw_documents"))
        got = timed("follow_new_data, all to ask for", lambda: tick(None))
        print(f"  asked for {asked(got):,} partitions, cursor {len(got.cursor or ''):,} bytes")
        got = timed("follow_new_data, all asked for", lambda: tick(got.cursor))
        print(f"  asked for {asked(got):,} partitions")
        timed("lake: up to filtered_personas", lambda: cheap.stand(*names[1:4]))
        last = max(dumps)
        timed("seal", lambda: seal_waiting(cheap.lake, last, "run"))
        for dump in sorted(dumps):
            cheap.state.refresh()
            table = cheap.state.assets["persona_survivors"].table
            cheap.write(table, dump, cheap.state.inputs("persona_survivors", dump))
        timed("lake: the rest", lambda: cheap.stand(*names[5:]))
        got = timed("follow_new_data, all done, first tick", lambda: tick(None))
        print(f"  asked for {asked(got):,} partitions, cursor {len(got.cursor or ''):,} bytes")
        for _ in range(2):
            got = timed("follow_new_data, all done", partial(tick, got.cursor))
        timed("new_crawl_dumps, all done", arrivals)
        timed("new_crawl_dumps, all done", arrivals)
        table = cheap.state.assets["filtered_personas"].table
        cheap.state.refresh()
        for shard in shards[:1]:
            cheap.write(table, shard, cheap.state.inputs("filtered_personas", shard), "0" * 32)
        got = timed("follow_new_data, one shard changed", lambda: tick(got.cursor))
        print(f"  asked for {asked(got):,} partitions")
        if pages:
            event = [
                dg.AssetMaterialization("deduped_personas", partition=partition_key(shard)) for shard in shards[:1000]
            ]
            timed(
                "1,000 materialisation events of an asset",
                lambda: [instance.report_runless_asset_event(e) for e in event],
            )
    if pages:
        _pages(folder, names, shards)
    shutil.rmtree(folder)


def _pages(folder: Path, names: list[str], shards: list[str]) -> None:
    from persona_assets_tests.defs.servers import running

    with running(folder, daemon=False) as servers:

        def ask(label: str, query: str, **variables: object) -> None:
            found = timed(f"page: {label}", lambda: servers.ask(query, **variables))
            print(f"  {len(json.dumps(found)) // 1024:,} kB")

        every = [{"path": [name]} for name in names]
        for _ in range(2):
            ask("partitions of deduped_personas", HEALTH, assetKey={"path": ["deduped_personas"]})
            ask("partitions of math_problems, none made", HEALTH, assetKey={"path": ["math_problems"]})
            ask("counts of all assets", STATS, a=every)
        ask("preview of a backfill of one shard", PREVIEW, n=[shards[0].replace(".", "|")], a=every)


if __name__ == "__main__":
    chosen = [name for name in sys.argv[1:] if name in SHAPES] or list(SHAPES)
    if len(chosen) > 1:
        for name in chosen:
            os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-m", "benchmarks.automation", name, *sys.argv[1:]])
    else:
        measure(chosen[0], pages="--pages" in sys.argv)
