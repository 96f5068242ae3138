"""Crawl files to documents and rejects, in batches of bounded size: every record is in exactly one of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from persona_assets.crawl.items import CrawlFile, Found, Refused, Skipped
from persona_assets.crawl.normalise import normalise
from persona_assets.crawl.quality import check, judge, language
from persona_assets.crawl.readers import reading
from persona_assets.ids import digest, make_id
from persona_assets.lake.schemas import RAW_DOCUMENTS, RUN_COLUMNS
from persona_assets.settings import Settings
from persona_assets.text.language import identify

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


@dataclass(frozen=True)
class Batch:
    """Documents (`DOCUMENT_SCHEMA`) and rejects (`REJECT_SCHEMA`) of a stretch of one file, in record order."""

    documents: pl.DataFrame
    rejects: pl.DataFrame
    skipped: int
    bytes_read: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A record that was read, its normalised text, and the quality rule it breaks, if any."""

    found: Found
    text: str
    content_digest: str
    verdict: tuple[str, str] | None


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
    check(settings)
    known = _Known()
    for file in files:
        yield from _read_file(file, dump, settings, known)


def record_row_id(dump: str, file: str, offset: int | None, *marks: Any) -> str:  # noqa: ANN401 - any JSON values
    """Id of a record by its place, for rejects that have no document id of their own."""
    return make_id("rec", dump, file, offset, *marks)


def _read_file(file: CrawlFile, dump: str, settings: Settings, known: _Known) -> Iterator[Batch]:
    pending: list[_Candidate | Refused] = []
    characters = skipped = passed = 0
    with reading(file, settings) as source:
        for item in source.items:
            if isinstance(item, Skipped):
                skipped += 1
                continue
            entry = _candidate(item, settings) if isinstance(item, Found) else item
            pending.append(entry)
            characters += len(entry.text) if isinstance(entry, _Candidate) else 0
            if len(pending) >= BATCH_ROWS or characters >= BATCH_CHARACTERS:
                position = source.bytes_read
                yield _batch(pending, file, dump, settings, known, skipped, position - passed)
                pending, characters, skipped, passed = [], 0, 0, position
        left = max(source.bytes_read - passed, 0)
    if pending or skipped or left:
        yield _batch(pending, file, dump, settings, known, skipped, left)


def _candidate(found: Found, settings: Settings) -> _Candidate:
    text = normalise(found.text)
    return _Candidate(found, text, digest(text.encode("utf-8")), judge(text, settings))


def _batch(
    pending: Sequence[_Candidate | Refused],
    file: CrawlFile,
    dump: str,
    settings: Settings,
    known: _Known,
    skipped: int,
    bytes_read: int,
) -> Batch:
    passing = [entry for entry in pending if isinstance(entry, _Candidate) and not entry.verdict]
    languages = iter(identify([entry.text for entry in passing]))
    documents: list[dict[str, Any]] = []
    rejects: list[dict[str, Any]] = []
    for entry in pending:
        if isinstance(entry, Refused):
            rejects.append(_unreadable(entry, file, dump))
            continue
        document_id = make_document_id(dump, entry.found.url, entry.content_digest)
        code, confidence = ("", 0.0) if entry.verdict else next(languages)
        verdict = (
            entry.verdict or _language_verdict(code, confidence, settings) or _duplicate(entry, document_id, known)
        )
        if verdict:
            rejects.append(_reject(entry, document_id, verdict, file, dump, known))
        else:
            known.kept[bytes.fromhex(entry.content_digest)] = _packed(document_id)
            documents.append(_document(entry, document_id, code, confidence, file, dump))
    return Batch(
        pl.DataFrame(documents, schema=DOCUMENT_SCHEMA, orient="row"),
        pl.DataFrame(rejects, schema=REJECT_SCHEMA, orient="row"),
        skipped,
        bytes_read,
    )


def _language_verdict(code: str, confidence: float, settings: Settings) -> tuple[str, str] | None:
    detail = language(code, confidence, settings)
    return ("language", detail) if detail else None


def _duplicate(entry: _Candidate, document_id: str, known: _Known) -> tuple[str, str] | None:
    survivor = known.kept.get(bytes.fromhex(entry.content_digest))
    return (DUPLICATE, f"doc_{survivor.hex()}") if survivor else None


def _document(
    entry: _Candidate, document_id: str, code: str, confidence: float, file: CrawlFile, dump: str
) -> dict[str, Any]:
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
        "language": code,
        "language_confidence": confidence,
        "text": entry.text,
        "characters": len(entry.text),
        "content_digest": entry.content_digest,
        "kind": found.kind,
        "licence": found.licence,
        "charset": found.charset,
        "cut": found.cut,
        "lines_removed": found.lines_removed,
    }


def _reject(
    entry: _Candidate, document_id: str, verdict: tuple[str, str], file: CrawlFile, dump: str, known: _Known
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
