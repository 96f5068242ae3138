"""A shard's files to the `raw_documents` partition: documents, rejects and the digests that later shards look up."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from persona_assets.crawl.digests import digest_rows, ensure_digests, survivors, write_digests
from persona_assets.crawl.documents import (
    DOCUMENT_SCHEMA,
    DUPLICATE,
    REJECT_SCHEMA,
    Batch,
    read_documents,
    record_row_id,
)
from persona_assets.crawl.shards import earlier_shards, files_to_read
from persona_assets.lake import Lake, PartitionWriter
from persona_assets.lake.schemas import RAW_DOCUMENTS, REJECTED
from persona_assets.lake.store import dump_of
from persona_assets.steps.model import Context, Report

FLUSH_CHARACTERS = 32_000_000  # text that a partition writer may hold before it writes a row group


@dataclass
class _Totals:
    """What a shard's files held, summed over batches."""

    inputs: int = 0
    kept: int = 0
    characters: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    bytes_read: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)

    def add(self, documents: pl.DataFrame, rejects: pl.DataFrame) -> None:
        self.inputs += documents.height + rejects.height
        self.kept += documents.height
        self.characters += int(documents["characters"].sum())
        self.rejected.update(rejects["reason"].to_list())
        self.languages.update(documents["language"].to_list())


def ingest_shard(context: Context, shard: str) -> Report:
    """Read a shard's files (`<dumps>/<folder>/<file>`) and write its documents, rejects and content digests.

    A text that a shard of lower index in the same dump holds is a `duplicate_content` reject, its detail the survivor's
    document id; lower shards that have not been ingested yet are read for their digests first. Progress is in bytes of
    the files on disk.

    Raises:
        PersonaAssetsError: the shard is not registered, or a file of it is gone or has changed since.
        UsageError: the column map of the settings is wrong.
    """
    started = time.monotonic()
    lake, settings, run_id = context.lake, context.settings, context.run_id
    dump = dump_of(shard)
    files = files_to_read(lake, Path(settings.dumps), shard)
    earlier = earlier_shards(lake, shard)
    read_ahead = ensure_digests(lake, settings, earlier, run_id)
    totals = _Totals()
    own: list[pl.DataFrame] = []
    batches = _counted(read_documents(files, dump, settings), totals, own, context.progress)
    with (
        _resolved(batches, lake, earlier, own, dump) as resolved,
        context.partition(RAW_DOCUMENTS, shard) as part,
    ):
        _write(resolved, part, totals, shard, run_id)
    write_digests(lake, shard, own, run_id)
    return _report(totals, len(files), read_ahead, time.monotonic() - started)


def _report(totals: _Totals, files: int, read_ahead: list[str], seconds: float) -> Report:
    extra = {
        "files": files,
        "bytes_read": totals.bytes_read,
        "records_skipped": dict(totals.skipped.most_common()),
        "characters": totals.characters,
        "languages": dict(totals.languages.most_common()),
        "digests_read_ahead": read_ahead,
    }
    return Report(inputs=totals.inputs, kept=totals.kept, rejected=totals.rejected, seconds=seconds, extra=extra)


def _counted(
    batches: Iterator[Batch], totals: _Totals, own: list[pl.DataFrame], progress: Callable[[int], None] | None
) -> Iterator[Batch]:
    for batch in batches:
        totals.skipped.update(batch.skipped)
        totals.bytes_read += batch.bytes_read
        own.append(digest_rows(batch))
        if progress:
            progress(batch.bytes_read)
        yield batch


Frames = tuple[pl.DataFrame, pl.DataFrame]


@contextmanager
def _resolved(
    batches: Iterator[Batch], lake: Lake, earlier: list[str], own: list[pl.DataFrame], dump: str
) -> Iterator[Iterator[Frames]]:
    """Documents and rejects with the texts of earlier shards set aside.

    All digests of the shard are needed for one look-up, so its batches wait on disk meanwhile.
    """
    if not earlier:
        yield ((batch.documents, batch.rejects) for batch in batches)
        return
    with TemporaryDirectory(prefix="persona_assets_") as folder:
        count = 0
        for count, batch in enumerate(batches, 1):
            batch.documents.write_ipc(Path(folder) / f"{count}.documents", compression="lz4")
            batch.rejects.write_ipc(Path(folder) / f"{count}.rejects", compression="lz4")
        known = survivors(lake, earlier, pl.concat(own)) if own else pl.DataFrame()
        yield (_set_aside(*_spooled(folder, number), known, dump) for number in range(1, count + 1))


def _spooled(folder: str, number: int) -> Frames:
    return (
        pl.read_ipc(Path(folder) / f"{number}.documents"),
        pl.read_ipc(Path(folder) / f"{number}.rejects"),
    )


def _set_aside(documents: pl.DataFrame, rejects: pl.DataFrame, known: pl.DataFrame, dump: str) -> Frames:
    """Documents whose text an earlier shard holds become rejects; duplicates among the shard name that survivor too."""
    if known.is_empty():
        return documents, rejects
    kept = documents.join(known, on="content_digest", how="anti", maintain_order="left").select(DOCUMENT_SCHEMA.names())
    doubled = documents.join(known, on="content_digest", how="inner", maintain_order="left").select(
        pl.col("document_id").alias("row_id"),
        pl.lit(DUPLICATE).alias("reason"),
        pl.col("survivor_id").alias("detail"),
        "file",
        "record_offset",
        "content_digest",
    )
    duplicate = pl.col("reason") == DUPLICATE
    rejects = (
        rejects.join(known, on="content_digest", how="left", maintain_order="left")
        .with_columns(detail=pl.when(duplicate).then(pl.coalesce("survivor_id", "detail")).otherwise("detail"))
        .select(REJECT_SCHEMA.names())
    )
    return kept, _own_ids(pl.concat([rejects, doubled]), dump)


def _own_ids(rejects: pl.DataFrame, dump: str) -> pl.DataFrame:
    """Rejects where a duplicate whose document id is the survivor's own goes by the id of its place."""
    same = (pl.col("reason") == DUPLICATE) & (pl.col("row_id") == pl.col("detail"))
    place = pl.struct("file", "record_offset").map_elements(
        lambda row: record_row_id(dump, row["file"], row["record_offset"]), return_dtype=pl.String()
    )
    clash, others = rejects.filter(same), rejects.filter(~same)
    return pl.concat([others, clash.with_columns(row_id=place)]) if clash.height else rejects


def _write(
    frames: Iterator[Frames],
    part: PartitionWriter,
    totals: _Totals,
    shard: str,
    run_id: str,
) -> None:
    run = {"shard": pl.lit(shard), "run_id": pl.lit(run_id), "created_at": pl.lit(datetime.now(UTC))}
    waiting = 0
    for documents, rejects in frames:
        totals.add(documents, rejects)
        part.rows.append(documents.with_columns(**run).cast({"created_at": RAW_DOCUMENTS.polars["created_at"]}))
        waiting += int(documents["characters"].sum())
        if waiting >= FLUSH_CHARACTERS:
            part.rows.flush()
            waiting = 0
        part.rejects.append(
            rejects.drop("content_digest")
            .with_columns(
                asset=pl.lit(RAW_DOCUMENTS.name),
                parent_id=pl.lit(None, pl.String),
                call_id=pl.lit(None, pl.String),
                **run,
            )
            .cast({"created_at": REJECTED.polars["created_at"]})
        )
