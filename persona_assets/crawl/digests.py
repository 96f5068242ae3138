"""Exact-content duplicates within a dump, found without regard to the order in which its shards are ingested.

Each shard has a table of the distinct texts in its files, made from those files alone. A document is a duplicate where
a shard of lower index holds its text, so the outcome depends on the shards' numbers and never on who came first.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import polars as pl

from persona_assets.crawl.documents import Batch, read_documents
from persona_assets.crawl.shards import shard_files
from persona_assets.lake import Lake
from persona_assets.lake.schemas import CONTENT_DIGESTS
from persona_assets.lake.store import dump_of
from persona_assets.settings import Settings

SHARDS_AT_ONCE = 64  # digest tables in one semi-join


def ensure_digests(lake: Lake, settings: Settings, shards: Iterable[str], run_id: str) -> list[str]:
    """Make the digest tables that are missing, by reading those shards' files; returns the shards read."""
    missing = [shard for shard in shards if not lake.exists(CONTENT_DIGESTS, shard)]
    for shard in missing:
        files = shard_files(lake, Path(settings.dumps), shard)
        write_digests(
            lake, shard, (digest_rows(batch) for batch in read_documents(files, dump_of(shard), settings)), run_id
        )
    return missing


def digest_rows(batch: Batch) -> pl.DataFrame:
    """Rows of the digest table for a batch, whose documents are distinct already."""
    return batch.documents.select("content_digest", "document_id")


def write_digests(lake: Lake, shard: str, frames: Iterable[pl.DataFrame], run_id: str) -> None:
    """Write a shard's digest table."""
    with lake.writer(CONTENT_DIGESTS, shard, run_id) as writer:
        for frame in frames:
            writer.append(frame)


def survivors(lake: Lake, earlier: list[str], digests: pl.DataFrame) -> pl.DataFrame:
    """Those of `digests` (a column `content_digest`) that earlier shards hold, with the `survivor_id` that has it.

    `earlier` is in order; where several shards hold a text, the first one's document survives. Memory is bounded by
    `digests`, not by the dump.
    """
    wanted = digests.select("content_digest").lazy()
    found = [
        pl.concat(
            lake.scan(CONTENT_DIGESTS, [shard]).with_columns(pl.lit(rank, pl.Int64).alias("rank"))
            for rank, shard in group
        )
        .join(wanted, on="content_digest", how="semi")
        .collect(engine="streaming")
        for group in _groups(enumerate(earlier))
    ]
    if not found:
        return pl.DataFrame(schema={"content_digest": pl.String(), "survivor_id": pl.String()})
    return (
        pl.concat(found)
        .sort("rank")
        .unique("content_digest", keep="first", maintain_order=True)
        .select("content_digest", pl.col("document_id").alias("survivor_id"))
    )


def _groups(ranked: Iterator[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    while group := list(islice(ranked, SHARDS_AT_ONCE)):
        yield group
