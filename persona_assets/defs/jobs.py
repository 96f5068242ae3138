"""The stretches of the graph that share one partitioning, as jobs: what the command line runs, one after the other."""

from collections.abc import Mapping

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from persona_assets.graph import Asset, assets
from persona_assets.settings import load_settings

_NAMES = {(0, "shard"): "crawl_to_personas", (1, "dump"): "dedup_dump", (2, "shard"): "personas_to_datasets"}
_TEXTS = {
    "crawl_to_personas": "A shard's crawl files to filtered personas.",
    "dedup_dump": "Seals a dump and finds its near-duplicates.",
    "personas_to_datasets": "A shard's surviving personas to samples of every task.",
}


def stages(graph: Mapping[str, Asset]) -> dict[str, list[str]]:
    """The stretches in the order in which they run, each with its assets in the order of the graph.

    An asset comes a stretch after what it reads of another partitioning, and not before what it reads of its own.
    """
    levels: dict[str, int] = {}
    found: dict[tuple[int, str], list[str]] = {}
    for name, asset in graph.items():
        kind = asset.table.partition
        above = [(levels[parent], graph[parent].table.partition) for parent in asset.reads]
        levels[name] = max((level + (other != kind) for level, other in above), default=0)
        found.setdefault((levels[name], kind), []).append(name)
    return {_name(*stage): found[stage] for stage in sorted(found, key=lambda stage: stage[0])}


def _name(level: int, kind: str) -> str:
    """Such as `dedup_dump`, and `set_surveys_3` for what follows from a set and from what is there after two stages."""
    if (level, kind) in _NAMES:
        return _NAMES[level, kind]
    return f"{'set_' if kind not in ('shard', 'dump') else ''}{kind}{f'_{level}' if level else ''}"


def _job(stage: str, names: list[str]) -> UnresolvedAssetJobDefinition:
    described = _TEXTS.get(stage, f"{', '.join(names[:5])}{' ...' if len(names) > 5 else ''}.")
    return dg.define_asset_job(stage, selection=dg.AssetSelection.assets(*names), description=described)


jobs = [_job(stage, names) for stage, names in stages(assets(load_settings())).items()]
