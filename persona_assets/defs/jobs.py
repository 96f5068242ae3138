"""The stretches of the graph that share one partitioning, as jobs: what the command line runs, one after the other."""

import dagster as dg

from persona_assets.defs.partitions import DUMPS, SHARDS

SHARD_JOB, DUMP_JOB, PUBLISH_JOB = "crawl_to_personas", "dedup_dump", "personas_to_datasets"

crawl_to_personas = dg.define_asset_job(
    SHARD_JOB,
    selection=dg.AssetSelection.assets("raw_documents", "extracted_personas", "expanded_personas", "filtered_personas"),
    partitions_def=SHARDS,
    description="A shard's crawl files to filtered personas.",
)

dedup_dump = dg.define_asset_job(
    DUMP_JOB,
    selection=dg.AssetSelection.assets("persona_survivors"),
    partitions_def=DUMPS,
    description="Seals a dump and finds its near-duplicates.",
)

personas_to_datasets = dg.define_asset_job(
    PUBLISH_JOB,
    selection=dg.AssetSelection.assets("deduped_personas") | dg.AssetSelection.groups("datasets"),
    partitions_def=SHARDS,
    description="A shard's surviving personas to samples of every task.",
)
