"""An advisory check: what a dump was sealed and deduplicated with is what its shards still hold."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from persona_assets.dedup.seals import departures
from persona_assets.defs.pipeline import Pipeline
from persona_assets.lake import Lake
from persona_assets.lake.checks import HEAD

ASSET, NAME = "persona_survivors", "sealed_shards_unchanged"
TEXT = (
    "No shard of a sealed dump has changed since, and none was added to it. Evaluated whenever filtered_personas or "
    "persona_survivors are materialised; where it warns, its metadata names the shards and what to do."
)


@dg.asset_check(asset=ASSET, name=NAME, description=TEXT)
def sealed_shards_unchanged(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Over all seals; warns and never blocks."""
    passed, metadata = _verdict(pipeline.lake)
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)


def evaluate_seals(lake: Lake) -> Iterator[dg.AssetCheckEvaluation]:
    """The same as an event, for the steps that can change the verdict, whether or not their run includes the check."""
    passed, metadata = _verdict(lake)
    yield dg.AssetCheckEvaluation(
        dg.AssetKey(ASSET), NAME, passed, metadata, severity=dg.AssetCheckSeverity.WARN, blocking=False
    )


def _verdict(lake: Lake) -> tuple[bool, dict[str, dg.MetadataValue[Any]]]:
    found = departures(lake)
    metadata: dict[str, dg.MetadataValue[Any]] = {"shards": dg.MetadataValue.int(len(found))}
    for one in found[:HEAD]:
        metadata[f"dump {one.dump}, shard {one.shard}"] = dg.MetadataValue.text(f"{one.what}: {one.remedy}")
    return not found, metadata
