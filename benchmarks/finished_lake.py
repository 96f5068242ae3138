"""A lake of many finished shards, made from records and empty tables, for tests and benchmarks of what looks at them."""

import os
from datetime import UTC, datetime
from pathlib import Path

import orjson
import polars as pl

from persona_assets.crawl.arrival import plan_shards
from persona_assets.dedup.seals import sealed_shards
from persona_assets.graph import Asset
from persona_assets.ids import digest
from persona_assets.lake import Lake, Table
from persona_assets.lake.content import content_of
from persona_assets.lake.records import GateOutcome, Record, StoredFile, record_path
from persona_assets.lake.versions import versions
from persona_assets.settings import Settings
from persona_assets.state import LakeState

NOW = 1_700_000_000.0


def build(settings: Settings, dumps: dict[str, int]) -> Lake:
    """Make one crawl file per shard, register them, and finish every asset of these dumps, which are sealed.

    No step runs: each partition is an empty table with the record that the steps would have written.
    """
    lake = Lake(settings.lake)
    for dump, shards in dumps.items():
        _crawl_files(Path(settings.dumps) / dump, shards)
    every = settings.model_copy(update={"max_shards_per_tick": 10**9, "files_per_shard": 1, "settle_s": 0})
    plan_shards(lake, every, NOW + 1, sealed_shards(lake))
    _seal(lake, LakeState(lake, settings), list(dumps))
    state = LakeState(lake, settings)
    for asset in state.assets.values():
        _finish(lake, state, asset)
    return lake


def _crawl_files(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"{number:06d}.wet"
        path.write_bytes(b"WARC/1.0\r\n")
        os.utime(path, (NOW, NOW))


def _seal(lake: Lake, state: LakeState, dumps: list[str]) -> None:
    for number, dump in enumerate(sorted(dumps), len(state.seals) + 1):
        seal = {
            "seal": number,
            "dump": dump,
            "shards": state.shards_of(dump),
            "run_id": "built",
            "created_at": _moment(),
        }
        lake.write_bytes(f"{lake.root}/seals/{number:08d}.json", orjson.dumps(seal))


def _finish(lake: Lake, state: LakeState, asset: Asset) -> None:
    data, stored = _empty(lake, asset.table)
    gates = tuple(GateOutcome(name, 0, []) for name in state.assets[asset.name].gates_recipe(state.settings)["checks"])
    found = state._records[asset.name] = {}  # as a listing would find them, for what is made from them
    for key in state.keys(asset.name):
        record = Record(
            asset=asset.name,
            column=asset.table.partition,
            partition=key,
            generation=1,
            rows=stored,
            rejects=None,
            reasons={},
            made_from=state.inputs(asset.name, key),
            recipe=state.recipe(asset.name),
            judged_by=state.judged_by(asset.name),
            gates=gates,
            run_id="built",
            committed_at=_moment(),
            versions=versions(),
        )
        _write(f"{lake.folder(asset.table, key)}/{stored.name}", data)
        _write(record_path(lake.root, asset.name, key, 1), record.as_json())
        found[key] = record


def _empty(lake: Lake, table: Table) -> tuple[bytes, StoredFile]:
    """The bytes of an empty table, and how a record names them."""
    frame = pl.DataFrame(schema=table.polars)
    path = Path(lake.temporary())
    frame.write_parquet(path)
    data = path.read_bytes()
    path.unlink()
    return data, StoredFile(f"{digest(data)}.parquet", len(data), 0, content_of(frame, table))


def _write(path: str, data: bytes) -> None:
    """Write a file without waiting for the disk, as there are tens of thousands."""
    os.makedirs(path.rpartition("/")[0], exist_ok=True)  # noqa: PTH103 - a Path takes longer than the call
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(data)


def _moment() -> str:
    return datetime.fromtimestamp(NOW, UTC).isoformat()
