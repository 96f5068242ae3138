"""A shard's files to the `raw_documents` partition: documents, rejects, and the table that later shards look up."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from persona_assets.crawl.digests import Sieve, add_digests, digests, ensure_digests
from persona_assets.crawl.documents import Batch, read_documents
from persona_assets.crawl.shards import earlier_shards, files_to_read
from persona_assets.lake import PartitionWriter
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
    lines_removed: Counter[str] = field(default_factory=Counter)
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
    document id. A page that is near one before it is a `near_duplicate`, its detail the survivor's id and their
    similarity. Lower shards that have not been ingested yet are read for their digests first. Progress is in bytes of
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
    read_ahead, before = ensure_digests(context, earlier)
    totals = _Totals()
    batches = _counted(read_documents(files, dump, settings), totals, context.progress)
    with (
        Sieve(dump, settings, lake, earlier) as sieve,
        digests(context, shard, before) as table,
        context.partition(RAW_DOCUMENTS, shard) as part,
    ):
        _write(batches, sieve, part, table, totals, shard, run_id)
    return _report(totals, len(files), read_ahead, time.monotonic() - started)


def _report(totals: _Totals, files: int, read_ahead: list[str], seconds: float) -> Report:
    extra = {
        "files": files,
        "bytes_read": totals.bytes_read,
        "records_skipped": dict(totals.skipped.most_common()),
        "lines_removed": dict(totals.lines_removed.most_common()),
        "characters": totals.characters,
        "languages": dict(totals.languages.most_common()),
        "digests_read_ahead": read_ahead,
    }
    return Report(inputs=totals.inputs, kept=totals.kept, rejected=totals.rejected, seconds=seconds, extra=extra)


def _counted(batches: Iterator[Batch], totals: _Totals, progress: Callable[[int], None] | None) -> Iterator[Batch]:
    for batch in batches:
        totals.skipped.update(batch.skipped)
        totals.lines_removed.update(batch.lines_removed)
        totals.bytes_read += batch.bytes_read
        if progress:
            progress(batch.bytes_read)
        yield batch


def _write(
    batches: Iterator[Batch],
    sieve: Sieve,
    part: PartitionWriter,
    table: PartitionWriter,
    totals: _Totals,
    shard: str,
    run_id: str,
) -> None:
    run = {"shard": pl.lit(shard), "run_id": pl.lit(run_id), "created_at": pl.lit(datetime.now(UTC))}
    waiting = 0
    for batch in batches:
        documents, rejects, rows = sieve.sift(batch)
        totals.add(documents, rejects)
        add_digests(table, rows)
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
