"""Crawl files to documents and rejects, in batches of bounded size: every record is in exactly one of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import polars as pl

from persona_assets.crawl.columns import ColumnReader
from persona_assets.crawl.examine import Candidate, Examined, examine
from persona_assets.crawl.items import CrawlFile, Page, Record, Refused, Row, Skipped
from persona_assets.crawl.quality import check
from persona_assets.crawl.readers import reading
from persona_assets.crawl.workers import Job, workers
from persona_assets.ids import make_id
from persona_assets.lake.schemas import RAW_DOCUMENTS, RUN_COLUMNS
from persona_assets.settings import Settings

BATCH_ROWS = 512
BATCH_CHARACTERS = 2_000_000  # what a batch holds of text, so that long documents do not add up

_RUN = {column.name for column in RUN_COLUMNS}
DOCUMENT_SCHEMA = pl.Schema({name: dtype for name, dtype in RAW_DOCUMENTS.polars.items() if name not in _RUN})
# A reject before its run columns; `content_digest` is null for what could not be read.
REJECT_SCHEMA = pl.Schema(
    {
        "row_id": pl.String(),
        "reason": pl.String(),
        "detail": pl.String(),
        "file": pl.String(),
        "record_offset": pl.Int64(),
        "content_digest": pl.String(),
    }
)
DUPLICATE = "duplicate_content"
_DETAIL_CHARACTERS = 500
JOB_RECORDS, JOB_BYTES = 32, 1 << 19  # of a job: records, and bytes of their pages and texts
JOBS_AT_HOME = 8  # jobs without a page that are done before processes are begun for the rest


@dataclass(frozen=True)
class Batch:
    """Documents (`DOCUMENT_SCHEMA`) and rejects (`REJECT_SCHEMA`) of a stretch of one file, in record order."""

    documents: pl.DataFrame
    rejects: pl.DataFrame
    skipped: Counter[str]  # records by kind
    lines_removed: Counter[str]  # of the text of all records, by reason
    bytes_read: int


@dataclass
class _Known:
    """What has been seen of a dump: 16-byte digests only, about 200 bytes of memory a document."""

    kept: dict[bytes, bytes] = field(default_factory=dict)  # content to the document that is kept for it
    rejected: set[bytes] = field(default_factory=set)  # documents that stand in the rejects under their own id


def make_document_id(dump: str, url: str, content_digest: str) -> str:
    """The id of a document: the same page of the same dump with the same text is the same document."""
    return make_id("doc", dump, url, content_digest)


def read_documents(files: Sequence[CrawlFile], dump: str, settings: Settings) -> Iterator[Batch]:
    """Documents of all files, each distinct text once: the first in file and record order is kept.

    A document that is refused stands in the rejects under its document id, once; a record that could not be read, and
    one whose document id is taken, under an id of its place.

    Raises:
        UsageError: the column map of the settings is wrong, or they name a rule that there is not.
    """
    ColumnReader(settings.column_map)
    check(settings)
    known = _Known()
    held = _Held()
    for job, examined in _examined(_jobs(files, settings), settings):
        file, bytes_read, is_last = job.about
        held.bytes_read += bytes_read
        for one in examined:
            held.add(one)
            if held.is_full:
                yield _batch(held, file, dump, known)
                held = _Held()
        if is_last and held:
            yield _batch(held, file, dump, known)
            held = _Held()


@dataclass
class _Held:
    """What will be a batch."""

    entries: list[Candidate | Refused] = field(default_factory=list)
    characters: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    lines_removed: Counter[str] = field(default_factory=Counter)
    bytes_read: int = 0

    def add(self, one: Examined) -> None:
        if isinstance(one, Skipped):
            self.skipped[one.kind] += 1
            return
        self.entries.append(one)
        if isinstance(one, Candidate):
            self.characters += len(one.found.text)
            self.lines_removed.update(one.found.lines_removed)

    @property
    def is_full(self) -> bool:
        return len(self.entries) >= BATCH_ROWS or self.characters >= BATCH_CHARACTERS

    def __bool__(self) -> bool:
        return bool(self.entries or self.skipped or self.bytes_read)


def _jobs(files: Sequence[CrawlFile], settings: Settings) -> Iterator[Job]:
    """The records of all files, some at a time; `about` holds the file, its bytes passed, and whether it ends there."""
    for file in files:
        with reading(file, settings) as source:
            records: list[Record] = []
            size = passed = 0
            for record in source.records:
                records.append(record)
                size += _size(record)
                if len(records) >= JOB_RECORDS or size >= JOB_BYTES:
                    position = source.bytes_read
                    yield Job(records, source.layout, (file, position - passed, False))
                    records, size, passed = [], 0, position
            yield Job(records, source.layout, (file, max(source.bytes_read - passed, 0), True))


def _examined(jobs: Iterator[Job], settings: Settings) -> Iterator[tuple[Job, list[Examined]]]:
    """What becomes of the records of each job, in order.

    The first jobs without a page are done here, as it takes longer to begin a process.
    """
    at_home = 0
    for job in jobs:
        if at_home >= JOBS_AT_HOME or any(needs_process(record) for record in job.records):
            yield from workers(settings.read_processes).examine(chain([job], jobs), settings)
            return
        at_home += bool(job.records)
        yield job, examine(job.records, job.form, settings)


def needs_process(record: Record) -> bool:
    """Whether a record may keep a parser busy: a page, or a row that holds one."""
    if isinstance(record, Row):
        return any(
            "</" in value if isinstance(value, str) else isinstance(value, bytes) and b"</" in value
            for value in record.values.values()
        )
    return isinstance(record, Page) and (record.format not in ("wet", "text") or b"</" in record.body)


def _size(record: Record) -> int:
    """Bytes or characters that a record holds, about."""
    if isinstance(record, Page):
        return len(record.body)
    if isinstance(record, Row):
        return sum(len(value) for value in record.values.values() if isinstance(value, str | bytes))
    return 0


def record_row_id(dump: str, file: str, offset: int | None, *marks: Any) -> str:  # noqa: ANN401 - any JSON values
    """Id of a record by its place, for rejects that have no document id of their own."""
    return make_id("rec", dump, file, offset, *marks)


def _batch(held: _Held, file: CrawlFile, dump: str, known: _Known) -> Batch:
    documents: list[dict[str, Any]] = []
    rejects: list[dict[str, Any]] = []
    for entry in held.entries:
        if isinstance(entry, Refused):
            rejects.append(_unreadable(entry, file, dump))
            continue
        document_id = make_document_id(dump, entry.found.url, entry.content_digest)
        verdict = entry.verdict or _duplicate(entry, document_id, known)
        if verdict:
            rejects.append(_reject(entry, document_id, verdict, file, dump, known))
        else:
            known.kept[bytes.fromhex(entry.content_digest)] = _packed(document_id)
            documents.append(_document(entry, document_id, file, dump))
    return Batch(
        pl.DataFrame(documents, schema=DOCUMENT_SCHEMA, orient="row"),
        pl.DataFrame(rejects, schema=REJECT_SCHEMA, orient="row"),
        held.skipped,
        held.lines_removed,
        held.bytes_read,
    )


def _duplicate(entry: Candidate, document_id: str, known: _Known) -> tuple[str, str] | None:
    survivor = known.kept.get(bytes.fromhex(entry.content_digest))
    return (DUPLICATE, f"doc_{survivor.hex()}") if survivor else None


def _document(entry: Candidate, document_id: str, file: CrawlFile, dump: str) -> dict[str, Any]:
    found = entry.found
    return {
        "document_id": document_id,
        "url": found.url,
        "dump": dump,
        "file": file.name,
        "format": found.format,
        "record_offset": found.offset,
        "record_id": found.record_id,
        "fetched_at": found.fetched_at,
        "language": entry.language,
        "language_confidence": entry.confidence,
        "text": found.text,
        "characters": len(found.text),
        "content_digest": entry.content_digest,
        "kind": found.kind,
        "licence": found.licence,
        "charset": found.charset,
        "cut": found.cut,
        "lines_removed": sum(found.lines_removed.values()),
    }


def _reject(
    entry: Candidate, document_id: str, verdict: tuple[str, str], file: CrawlFile, dump: str, known: _Known
) -> dict[str, Any]:
    packed = _packed(document_id)
    taken = packed in known.rejected or packed == known.kept.get(bytes.fromhex(entry.content_digest))
    known.rejected.add(packed)
    row_id = record_row_id(dump, file.name, entry.found.offset) if taken else document_id
    return _row(row_id, *verdict, file, entry.found.offset, entry.content_digest)


def _unreadable(refused: Refused, file: CrawlFile, dump: str) -> dict[str, Any]:
    # A stream breaks at a byte where the next record may start: the mark keeps their ids apart.
    if refused.fault_offset is None:
        row_id = record_row_id(dump, file.name, refused.offset)
    else:
        row_id = record_row_id(dump, file.name, refused.fault_offset, "break")
    return _row(row_id, refused.reason, refused.detail, file, refused.offset, None)


def _row(
    row_id: str, reason: str, detail: str, file: CrawlFile, offset: int | None, content: str | None
) -> dict[str, Any]:
    return {
        "row_id": row_id,
        "reason": reason,
        "detail": detail[:_DETAIL_CHARACTERS],
        "file": file.name,
        "record_offset": offset,
        "content_digest": content,
    }


def _packed(document_id: str) -> bytes:
    return bytes.fromhex(document_id.removeprefix("doc_"))
