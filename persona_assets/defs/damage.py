"""An advisory check: no part of the ledger is damaged."""

from typing import Any

import dagster as dg

from persona_assets.checks.gates import HEAD
from persona_assets.defs.advisory import advisory
from persona_assets.lake import Lake
from persona_assets.ledger.ledger import DamagedPart, Ledger

ASSET, NAME = "extracted_personas", "ledger_parts_sound"
TEXT = (
    "No part of the ledger, of whichever asset, was found damaged and set aside. Evaluated whenever an asset that "
    "calls a model is materialised; where it warns, its metadata names the parts, the calls lost and what to do."
)


def _verdict(lake: Lake) -> tuple[bool, dict[str, dg.MetadataValue[Any]]]:
    found = Ledger(lake).damaged()
    metadata: dict[str, dg.MetadataValue[Any]] = {
        "parts": dg.MetadataValue.int(len(found)),
        "calls": dg.MetadataValue.int(sum(part.calls or 0 for part in found)),
    }
    for part in found[:HEAD]:
        metadata[part.path] = dg.MetadataValue.text(_advice(part))
    return not found, metadata


def _advice(part: DamagedPart) -> str:
    calls = "an unknown number of calls" if part.calls is None else f"{part.calls:,} calls"
    return (
        f"{calls}, which are made and paid again when the partition runs; to avoid that, restore the file from a "
        f"backup as {part.home}. Delete it where it is now to end this warning."
    )


ledger_parts_sound, evaluate_ledger = advisory(ASSET, NAME, TEXT, _verdict)
