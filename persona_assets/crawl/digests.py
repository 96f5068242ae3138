"""Duplicates and near-duplicates within a dump, found without regard to the order in which its shards are ingested.

Each shard has a table of the distinct texts in its files: by what they are compared, and which stand. A document goes
where one before it, in the order of shards, files and records, has its text or is near it (`near_pages.py`). So a table
follows from the shard's files and those of the lower shards: where lower ones have not been ingested they are read for
their tables, in order; where one of them was registered anew or left out, the tables after it are decided again, from
what they hold.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from persona_assets.crawl.digest_index import DigestIndex, KeyIndex
from persona_assets.crawl.documents import (
    DOCUMENT_SCHEMA,
    DUPLICATE,
    REJECT_SCHEMA,
    Batch,
    read_documents,
    record_row_id,
)
from persona_assets.crawl.near_pages import NearPages, keys_and_sketches
from persona_assets.crawl.shards import chained, files_to_read
from persona_assets.lake import Lake, PartitionWriter
from persona_assets.lake.records import Record
from persona_assets.lake.schemas import CONTENT_DIGESTS, RAW_DOCUMENTS, SHARD_FILES
from persona_assets.lake.store import Making, dump_of
from persona_assets.settings import Settings
from persona_assets.steps.model import Context

NEAR = "near_duplicate"  # reason; the detail is the id of the page that stands, and the similarity
GROUP_ROWS = 128  # of a row group: what is read for one page
_PAGES = ("content_digest", "document_id", "keys", "sketch")
Frames = tuple[pl.DataFrame, pl.DataFrame]


class Sieve:
    """Decides which documents of a shard stand, batch by batch, and sets the others aside."""

    def __init__(self, dump: str, settings: Settings, lake: Lake | None = None, earlier: Sequence[str] = ()) -> None:
        """Compare with what stands in `earlier`, shards of one dump whose tables are there, and within the shard."""
        self._dump, self._threshold = dump, settings.near_pages
        self._texts = DigestIndex(lake, dump_of(earlier[0]), earlier) if lake and earlier else None
        keys = KeyIndex(lake, dump_of(earlier[0]), earlier) if lake and earlier and self._threshold else None
        self._keys, self._near = keys, NearPages(self._threshold, keys)
        self._gone: dict[str, tuple[str, str]] = {}  # documents that do not stand: reason and detail

    def __enter__(self) -> "Sieve":
        return self

    def __exit__(self, *_: object) -> None:
        for held in (self._texts, self._keys, self._near):
            if held:
                held.close()

    def sift(self, batch: Batch) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Documents that stand, rejects with the others, and the rows of the shard's table.

        A copy of a document of the shard that went names the one that stands for it.
        """
        documents = batch.documents
        texts = documents.select(pl.when(pl.col("kind") == "page").then("text")).to_series()
        pages = documents.select("content_digest", "document_id").hstack(keys_and_sketches(texts, self._threshold))
        rows = self.decide(pages)
        gone = _gone(rows)
        self._gone |= {document: (reason, detail) for document, reason, detail in gone.iter_rows()}
        doubled = documents.join(gone, on="document_id", maintain_order="left").rename({"document_id": "row_id"})
        rejects = pl.concat([self._named_anew(batch.rejects), doubled.select(REJECT_SCHEMA.names())])
        standing = documents.join(gone, on="document_id", how="anti", maintain_order="left")
        return standing.select(DOCUMENT_SCHEMA.names()), _own_ids(rejects, self._dump), rows

    def decide(self, pages: pl.DataFrame) -> pl.DataFrame:
        """Rows of the shard's table (`CONTENT_DIGESTS`) from its next ones: what they are, decided anew."""
        pages = pages.select(_PAGES)
        known = pl.Series("survivor_id", [None] * pages.height, dtype=pl.String)
        if self._texts and pages.height:
            found = self._texts.survivors(pages["content_digest"])
            known = pages.join(found, on="content_digest", how="left", maintain_order="left")["survivor_id"]
        fresh = pages.with_row_index("place").filter(known.is_null())
        near = self._near.decide(fresh).with_columns(place=fresh["place"])
        return (
            pages.with_columns(known=known)
            .with_row_index("place")
            .join(near, on="place", how="left", maintain_order="left")
            .with_columns(survivor_id=pl.coalesce("known", "survivor_id"))
            .select(CONTENT_DIGESTS.polars.names())
        )

    def _named_anew(self, rejects: pl.DataFrame) -> pl.DataFrame:
        copies = rejects.filter(pl.col("reason") == DUPLICATE)["detail"]
        named = [(detail, *self._gone[detail]) for detail in copies.unique() if detail in self._gone]
        if not named:
            return rejects
        anew = pl.DataFrame(named, schema=["detail", "new_reason", "new_detail"], orient="row")
        joined = rejects.join(anew, on="detail", how="left", maintain_order="left")
        found = (pl.col("reason") == DUPLICATE) & pl.col("new_reason").is_not_null()
        return joined.with_columns(
            reason=pl.when(found).then("new_reason").otherwise("reason"),
            detail=pl.when(found).then("new_detail").otherwise("detail"),
        ).select(REJECT_SCHEMA.names())


def _gone(rows: pl.DataFrame) -> pl.DataFrame:
    """Documents that do not stand, with the reason and detail of their rejects."""
    similarity = pl.col("similarity").map_elements("{:.4f}".format, return_dtype=pl.String)
    near = pl.col("similarity").is_not_null()
    return rows.filter(pl.col("survivor_id").is_not_null()).select(
        "document_id",
        reason=pl.when(near).then(pl.lit(NEAR)).otherwise(pl.lit(DUPLICATE)),
        detail=pl.when(near).then(pl.format("{} {}", "survivor_id", similarity)).otherwise("survivor_id"),
    )


def _own_ids(rejects: pl.DataFrame, dump: str) -> pl.DataFrame:
    """Rejects where a duplicate whose document id is the survivor's own goes by the id of its place."""
    same = (pl.col("reason") == DUPLICATE) & (pl.col("row_id") == pl.col("detail"))
    place = pl.struct("file", "record_offset").map_elements(
        lambda row: record_row_id(dump, row["file"], row["record_offset"]), return_dtype=pl.String()
    )
    clash, others = rejects.filter(same), rejects.filter(~same)
    return pl.concat([others, clash.with_columns(row_id=place)]) if clash.height else rejects


def ensure_digests(context: Context, shards: Iterable[str]) -> tuple[list[str], str]:
    """Make the tables of these lowest shards of a dump, in order, that are missing or not as they would be now.

    Returns the shards whose files were read for that, and what `shard_files/before` is of the next shard. A table that
    does not say what it was made from, of an earlier version of the lake, counts as it is; its pages have no keys.

    Raises:
        PersonaAssetsError: a file of a shard is gone or has changed since it was registered.
    """
    lake, settings = context.lake, context.settings
    read: list[str] = []
    earlier: list[str] = []
    before = ""
    for shard in shards:
        made_from = _made_from(lake, shard, before)
        record = lake.record(CONTENT_DIGESTS, shard)
        if not (record and (record.made_from == {} or _is_of(record, made_from, context))):
            stored = record is not None and _is_of(record, made_from | _before(shard, record), context)
            with Sieve(dump_of(shard), settings, lake, earlier) as sieve, digests(context, shard, before) as table:
                if stored:
                    rows = (sieve.decide(rows) for rows in lake.batches(CONTENT_DIGESTS, shard, GROUP_ROWS))
                else:
                    files = files_to_read(lake, Path(settings.dumps), shard)
                    rows = (sieve.sift(batch)[2] for batch in read_documents(files, dump_of(shard), settings))
                    read.append(shard)
                for some in rows:
                    add_digests(table, some)
        earlier.append(shard)
        before = chained(before, lake.require(SHARD_FILES, shard).rows.content)
    return read, before


def _made_from(lake: Lake, shard: str, before: str) -> dict[str, str]:
    """The manifests that a shard's documents follow from, by the names that their record gives them."""
    files = f"{SHARD_FILES.name}/{shard}"
    return {files: lake.require(SHARD_FILES, shard).rows.content, f"{SHARD_FILES.name}/before {shard}": before}


def _before(shard: str, record: Record) -> dict[str, str]:
    name = f"{SHARD_FILES.name}/before {shard}"
    return {name: record.made_from[name]} if name in record.made_from else {}


def _is_of(record: Record, made_from: Mapping[str, str], context: Context) -> bool:
    return record.made_from == made_from and record.recipe == context.recipe(RAW_DOCUMENTS)


@contextmanager
def digests(context: Context, shard: str, before: str) -> Iterator[PartitionWriter]:
    """Writes a shard's table; `before` is as `ensure_digests` returns it."""
    lake = context.lake
    making = Making(_made_from(lake, shard, before), context.recipe(RAW_DOCUMENTS))
    with lake.partition(CONTENT_DIGESTS, shard, context.run_id, making) as part:
        yield part


def add_digests(table: PartitionWriter, rows: pl.DataFrame) -> None:
    """Add rows to a shard's table, as row groups that are small enough to read one for a page."""
    for some in rows.iter_slices(GROUP_ROWS):
        table.rows.append(some)
        table.rows.flush()
