"""Exact-content duplicates within a dump, found without regard to the order in which its shards are ingested.

Each shard has a table of the distinct texts in its files, made from those files alone. A document is a duplicate where
a shard of lower index holds its text, so the outcome depends on the shards' numbers and never on who came first.
"""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from persona_assets.crawl.digest_index import DigestIndex
from persona_assets.crawl.documents import Batch, read_documents
from persona_assets.crawl.shards import files_to_read
from persona_assets.lake import Lake
from persona_assets.lake.schemas import CONTENT_DIGESTS, SHARD_FILES
from persona_assets.lake.store import Making, dump_of
from persona_assets.settings import Settings


def ensure_digests(lake: Lake, settings: Settings, shards: Iterable[str], run_id: str) -> list[str]:
    """Make the digest tables that are missing or of other files, by reading those shards; returns the shards read."""
    missing = [shard for shard in shards if not _is_current(lake, shard)]
    for shard in missing:
        files = files_to_read(lake, Path(settings.dumps), shard)
        write_digests(
            lake, shard, (digest_rows(batch) for batch in read_documents(files, dump_of(shard), settings)), run_id
        )
    return missing


def _is_current(lake: Lake, shard: str) -> bool:
    """Whether a shard's digest table is there, and made from the files as they are registered now."""
    record = lake.record(CONTENT_DIGESTS, shard)
    return record is not None and record.made_from in ({}, _made_from(lake, shard))  # {}: of an earlier version


def _made_from(lake: Lake, shard: str) -> dict[str, str]:
    return {f"{SHARD_FILES.name}/{shard}": lake.require(SHARD_FILES, shard).rows.content}


def digest_rows(batch: Batch) -> pl.DataFrame:
    """Rows of the digest table for a batch, whose documents are distinct already."""
    return batch.documents.select("content_digest", "document_id")


def write_digests(lake: Lake, shard: str, frames: Iterable[pl.DataFrame], run_id: str) -> None:
    """Write a shard's digest table."""
    with lake.partition(CONTENT_DIGESTS, shard, run_id, Making(_made_from(lake, shard))) as part:
        for frame in frames:
            part.rows.append(frame)


def survivors(lake: Lake, earlier: list[str], digests: pl.DataFrame) -> pl.DataFrame:
    """Those of `digests` (a column `content_digest`) that earlier shards hold, with their `survivor_id`.

    `earlier` are shards of one dump, whose digest tables are there; where several hold a text, the document of the
    lowest survives. Memory is bounded by a shard, not by the dump, and what is read by `digests`.
    """
    if not earlier:
        return pl.DataFrame(schema={"content_digest": pl.String(), "survivor_id": pl.String()})
    return DigestIndex(lake, dump_of(earlier[0]), earlier).survivors(digests["content_digest"])
