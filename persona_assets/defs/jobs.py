"""The stretches of the graph that share one partitioning, as jobs: what the command line runs, one after the other."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from persona_assets.graph import assets, stages
from persona_assets.settings import load_settings

_TEXTS = {
    "crawl_to_personas": "A shard's crawl files to filtered personas.",
    "dedup_dump": "Seals a dump and finds its near-duplicates.",
    "personas_to_datasets": "A shard's surviving personas to samples of every task.",
}


def _job(stage: str, names: list[str]) -> UnresolvedAssetJobDefinition:
    described = _TEXTS.get(stage, f"{', '.join(names[:5])}{' ...' if len(names) > 5 else ''}.")
    return dg.define_asset_job(stage, selection=dg.AssetSelection.assets(*names), description=described)


jobs = [_job(stage, names) for stage, names in stages(assets(load_settings())).items()]
