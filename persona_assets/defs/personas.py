"""Personas: read from text, reached through relations, filtered, deduplicated (Persona Hub, section 2)."""

from collections.abc import Iterator

import dagster as dg

from persona_assets.dedup.publish import publish_shard
from persona_assets.dedup.run import dedup_dump
from persona_assets.defs.damage import evaluate_ledger
from persona_assets.defs.factory import one, partitioned_asset
from persona_assets.defs.partitions import DUMPS, SameDump
from persona_assets.defs.sealed import evaluate_seals
from persona_assets.lake.schemas import (
    DEDUPED_PERSONAS,
    EXPANDED_PERSONAS,
    EXTRACTED_PERSONAS,
    FILTERED_PERSONAS,
    PERSONA_SURVIVORS,
)
from persona_assets.personas.expand import expand_personas
from persona_assets.personas.extract import extract_personas
from persona_assets.personas.filter import filter_personas
from persona_assets.steps.runner import Context, Report

extracted_personas = partitioned_asset(
    EXTRACTED_PERSONAS,
    one(extract_personas),
    group="personas",
    text="Text-to-persona: who is likely to read, write, like or dislike each document.",
    deps=["raw_documents"],
    judge=evaluate_ledger,
    kinds=frozenset({"parquet", "openai"}),
)

expanded_personas = partitioned_asset(
    EXPANDED_PERSONAS,
    one(expand_personas),
    group="personas",
    text="Persona-to-persona: people related to each persona, up to six hops away, among them those whom the web "
    "rarely shows.",
    deps=["extracted_personas"],
    judge=evaluate_ledger,
    kinds=frozenset({"parquet", "openai"}),
)

filtered_personas = partitioned_asset(
    FILTERED_PERSONAS,
    one(filter_personas),
    group="personas",
    text="Extracted and expanded personas that pass every rule; the rest is in the rejects with the rule's name.",
    deps=["extracted_personas", "expanded_personas"],
    judge=evaluate_seals,
    kinds=frozenset({"parquet", "polars"}),
)


def _dedup(context: Context, dump: str) -> Iterator[tuple[str, Report]]:
    yield from dedup_dump(context, dump)


persona_survivors = partitioned_asset(
    PERSONA_SURVIVORS,
    _dedup,
    group="personas",
    text="Which personas of a sealed dump survive, and for each removed one its survivor, similarity and method. "
    "Materialising a dump seals it and every waiting dump before it in key order. The recall in its metadata is 1 by "
    "construction where lexical keys are exact, an estimate from the similarities of the pairs found where they are "
    "MinHash bands, and for the semantic stage measured on a sample where an approximate index was used, else 1.",
    deps=[dg.AssetDep("filtered_personas", partition_mapping=SameDump())],
    partitions=DUMPS,
    judge=evaluate_seals,
    kinds=frozenset({"parquet", "numpy"}),
)

deduped_personas = partitioned_asset(
    DEDUPED_PERSONAS,
    one(publish_shard),
    group="personas",
    text="The published personas: those of the shard that survive dedup.",
    deps=["filtered_personas", dg.AssetDep("persona_survivors", partition_mapping=SameDump())],
    kinds=frozenset({"parquet", "polars"}),
)
