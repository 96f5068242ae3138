"""The stretches of the graph that share one partitioning, as jobs: what the command line runs, one after the other."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from persona_assets.graph import Asset, assets
from persona_assets.settings import load_settings

STAGES = ("crawl_to_personas", "dedup_dump", "personas_to_datasets")
_TEXTS = {
    "crawl_to_personas": "A shard's crawl files to filtered personas.",
    "dedup_dump": "Seals a dump and finds its near-duplicates.",
    "personas_to_datasets": "A shard's surviving personas to samples of every task.",
}
_GRAPH = assets(load_settings())


def stage_of(asset: Asset) -> str:
    """The stretch that an asset belongs to: before the dumps, the dumps, or after them."""
    if asset.table.partition == "dump":
        return STAGES[1]
    return STAGES[2] if _follows_dumps(asset) else STAGES[0]


def _follows_dumps(asset: Asset) -> bool:
    parents = [_GRAPH[name] for name in asset.reads]
    return any(parent.table.partition == "dump" or _follows_dumps(parent) for parent in parents)


def _job(stage: str) -> UnresolvedAssetJobDefinition:
    names = [asset.name for asset in _GRAPH.values() if stage_of(asset) == stage]
    return dg.define_asset_job(
        stage,
        selection=dg.AssetSelection.assets(*names),
        description=_TEXTS[stage],
    )


jobs = [_job(stage) for stage in STAGES]
