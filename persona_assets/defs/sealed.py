"""An advisory check: what a dump was sealed and deduplicated with is what its shards still hold."""

from typing import Any

import dagster as dg

from persona_assets.checks.gates import HEAD
from persona_assets.dedup.seals import departures
from persona_assets.defs.advisory import advisory
from persona_assets.lake import Lake

ASSET, NAME = "persona_survivors", "sealed_shards_unchanged"
TEXT = (
    "No shard of a sealed dump has changed since, and none was added to it. Evaluated whenever filtered_personas or "
    "persona_survivors are materialised; where it warns, its metadata names the shards and what to do."
)


def _verdict(lake: Lake) -> tuple[bool, dict[str, dg.MetadataValue[Any]]]:
    found = departures(lake)
    metadata: dict[str, dg.MetadataValue[Any]] = {"shards": dg.MetadataValue.int(len(found))}
    for one in found[:HEAD]:
        metadata[f"dump {one.dump}, shard {one.shard}"] = dg.MetadataValue.text(f"{one.what}: {one.remedy}")
    return not found, metadata


sealed_shards_unchanged, evaluate_seals = advisory(ASSET, NAME, TEXT, _verdict)
