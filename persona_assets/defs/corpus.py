"""Documents out of crawl files."""

from persona_assets.crawl.ingest import ingest_shard
from persona_assets.defs.factory import one, partitioned_asset
from persona_assets.lake.schemas import RAW_DOCUMENTS
from persona_assets.steps.runner import Context, Report


def _ingest(context: Context, shard: str) -> Report:
    return ingest_shard(context.lake, context.settings, context.run_id, shard, context.progress)


raw_documents = partitioned_asset(
    RAW_DOCUMENTS,
    one(_ingest),
    group="corpus",
    text="Main text of every page of a shard's crawl files (WARC, WET, JSONL, Parquet), with its language; junk, "
    "unreadable records and exact copies are in the rejects with a reason.",
    follows=False,  # the sensor, the schedule or a person asks for ingestion
    kinds=frozenset({"parquet", "python"}),
)
