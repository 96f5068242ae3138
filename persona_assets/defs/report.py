"""Tells a Dagster instance what a lake holds: for a lake that was migrated, and an instance that is new or was lost."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterEventType, DagsterInstance
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from persona_assets.defs.partitions import named_sets, partition_key, register
from persona_assets.graph import Asset
from persona_assets.lake.records import Record
from persona_assets.progress import Stages
from persona_assets.state import LakeState


@dataclass(frozen=True)
class Reported:
    """Partitions that the instance was told of, and those that it knew as they are."""

    told: int
    known: int


def report_lake(instance: DagsterInstance, state: LakeState, progress: Stages = lambda *_: None) -> Reported:
    """Log a materialisation, without a run, of each partition that the instance does not know as the lake has it.

    Partitions that did not pass their gates are left out, so that they show as missing.
    """
    register(instance, state.shards, named_sets(state))
    told = known = 0
    for asset in state.assets.values():
        versions = _versions(instance, asset.name)
        held = list(_held(state, asset))
        for number, (key, record) in enumerate(held):
            progress(f"{asset.name} to Dagster", number, len(held))
            if versions.get(partition_key(key)) == record.rows.content:
                known += 1
                continue
            instance.report_runless_asset_event(_materialisation(state, asset, key, record))
            told += 1
    return Reported(told, known)


def _held(state: LakeState, asset: Asset) -> Iterator[tuple[str, Record]]:
    for key in state.keys(asset.name):
        standing = state.of(asset.name, key)
        if standing.record and standing.readable:
            yield key, standing.record


def _versions(instance: DagsterInstance, asset: str) -> dict[str, str]:
    """The data version of each partition's latest materialisation."""
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        dg.AssetKey(asset), DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG]
    )
    return {str(key): found[DATA_VERSION_TAG] for key, found in tags.items() if DATA_VERSION_TAG in found}


def _materialisation(state: LakeState, asset: Asset, key: str, record: Record) -> dg.AssetMaterialization:
    path = f"{state.lake.folder(asset.table, key)}/{record.rows.name}"
    return dg.AssetMaterialization(
        asset.name,
        partition=partition_key(key),
        tags={DATA_VERSION_TAG: record.rows.content},
        metadata={
            "dagster/partition_row_count": record.rows.rows,
            "dagster/uri": str(state.lake.fs.unstrip_protocol(path)),
            "kept": record.rows.rows,
            "rejected": sum(record.reasons.values()),
            "made by run": record.run_id,
            "made at": record.committed_at,
            "reported": "as the lake holds it, without a run",
        },
    )
