"""WARC and WET records out of a byte stream, none lost.

Written here because FastWARC, made for sound files, ends at the first record with a wrong Content-Length, hands out
the clipped body of a cut-off gz as if it were whole, and gives offsets in the compressed file.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from persona_assets.files.bytestream import ByteStream
from persona_assets.files.formats import Format, Head, Sure
from persona_assets.files.headers import parse_date, parse_headers
from persona_assets.files.open import Opened
from persona_assets.files.records import Body, Page, Records, Refused, Skipped, break_between, refusal

START = re.compile(rb"WARC/\d{1,2}\.\d{1,3}[ \t]*\r?\n")
_BOUNDARY = re.compile(rb"(?:\r?\n){1,2}(?=WARC/\d{1,2}\.\d{1,3}[ \t]*\r?\n)")
_LINE_START = re.compile(rb"(?<=\n)WARC/\d{1,2}\.\d{1,3}[ \t]*\r?\n")
_HEADER_STOP = re.compile(
    rb"\r?\n\r?\n|(?<=\n)WARC/\d{1,2}\.\d{1,3}[ \t]*\r?\n"
)  # its blank line, or a record too early
_NEWLINES = re.compile(rb"[\r\n]*")
# What may follow a block: the next record, nothing, or the two line ends that close it, whatever stands after them.
_AT_END = re.compile(rb"[\r\n]{0,16}(?:WARC/\d|\Z)|\r\n\r\n")
_CLOSING = re.compile(rb"\r?\n\r?\n\Z")
MAX_HEADER_BYTES = 1 << 16
SKIP_BYTES = 1 << 20  # held at once while a record's end is looked for
_DOCUMENT_TYPES = frozenset({"response", "resource", "conversion"})


@dataclass(frozen=True, slots=True)
class WarcRecord:
    """One record: where it starts, its headers (lower-case names) and its block, None where that is too large."""

    offset: int
    headers: dict[str, str]
    block: bytes | None

    @property
    def kind(self) -> str:
        """WARC-Type in lower case."""
        return self.headers.get("warc-type", "").lower()

    @property
    def segment(self) -> int | None:
        """WARC-Segment-Number; None where the record is whole."""
        value = self.headers.get("warc-segment-number", "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


_OPENING = re.compile(rb"\s*WARC/\d+\.\d+[ \t]*\r?\n")
_KIND = re.compile(rb"^WARC-Type:[ \t]*(\w+)", re.I | re.M)


def _is_warc(head: Head) -> Sure:
    return Sure.SIGNATURE if _OPENING.match(head.data) and not _is_wet(head) else Sure.NO


def _is_wet(head: Head) -> Sure:
    """WET files are WARC files of conversions."""
    kinds = {kind.lower() for kind in _KIND.findall(head.data)} if _OPENING.match(head.data) else set()
    return Sure.SIGNATURE if b"conversion" in kinds and b"response" not in kinds else Sure.NO


def read_warc(stream: ByteStream, limit: int) -> Records:
    """Pages, refusals and skipped records of a WARC or WET file; `limit` bounds a record's block, in bytes.

    A record in segments is one page where its segments follow each other, and is marked as cut where they do not.
    """
    begun: _Segments | None = None
    for record in read_records(stream, limit):
        if begun and isinstance(record, WarcRecord) and begun.take(record, limit):
            continue
        if begun:
            yield from begun.records()
            begun = None
        if isinstance(record, WarcRecord) and record.segment == 1 and record.kind in _DOCUMENT_TYPES:
            begun = _Segments(record)
        else:
            yield record if isinstance(record, Refused) else _record_of(record)
    if begun:
        yield from begun.records()


class _Segments:
    """A record whose block goes on in continuation records, as far as these follow it."""

    def __init__(self, first: WarcRecord) -> None:
        self._first = first
        self._blocks = [first.block or b""]
        self._offsets: list[int] = []  # of the continuations
        self._whole = False

    def take(self, record: WarcRecord, limit: int) -> bool:
        """Add the next segment; False where this record is none, or there is no room for it."""
        fits = sum(map(len, self._blocks)) + len(record.block or b"") <= limit
        origin = self._first.headers.get("warc-record-id")
        if (
            self._whole
            or not fits
            or record.kind != "continuation"
            or record.block is None
            or record.headers.get("warc-segment-origin-id") != origin
            or record.segment != len(self._blocks) + 1
        ):
            return False
        self._blocks.append(record.block)
        self._offsets.append(record.offset)
        self._whole = "warc-segment-total-length" in record.headers  # only the last has it
        return True

    def records(self) -> Records:
        """The page, and its continuations."""
        record = _record_of(replace(self._first, block=b"".join(self._blocks)))
        if isinstance(record, Page) and not self._whole and not record.cut:
            record = replace(record, cut="missing_continuation")
        yield record
        yield from (Skipped(offset, "continuation") for offset in self._offsets)


def _read(opened: Opened, limit: int, columns: Sequence[str] | None = None) -> Records:
    return read_warc(opened.stream, limit)


def read_records(stream: ByteStream, limit: int) -> Iterator[WarcRecord | Refused]:
    """The records as they stand, each damaged stretch as one refusal."""
    while True:
        stream.skip_any(_NEWLINES)
        if stream.ensure(1):
            if stream.startswith(START):
                yield _record(stream, limit)
            else:
                yield _garbage(stream)
            continue
        yield from break_between(stream)
        if not stream.resume():
            return


def _garbage(stream: ByteStream) -> Refused:
    start = stream.offset
    stream.skip(1)
    stream.skip_over(_LINE_START, SKIP_BYTES)
    return refusal(stream, start, "not_a_record", f"{stream.offset - start} bytes that are no WARC record")


def _record(stream: ByteStream, limit: int) -> WarcRecord | Refused:
    start = stream.offset
    stop = stream.search(_HEADER_STOP, 5, MAX_HEADER_BYTES)
    if not stop or stream.startswith(START, stop[0]):
        stream.skip(stop[0] if stop else 5)
        if not stop:
            stream.skip_over(_LINE_START, SKIP_BYTES)
        return refusal(stream, start, "bad_record_header", "no blank line closes the WARC header")
    header_bytes = stop[1]
    headers = parse_headers(stream[0 : stop[0]])
    end = _block_end(stream, header_bytes, _length(headers), limit)
    if end is None:
        return _unfinished(stream, start, header_bytes, headers, limit)
    block = stream.take(end)[header_bytes:]
    return WarcRecord(start, headers, block)


def _length(headers: dict[str, str]) -> int | None:
    value = headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None


def _block_end(stream: ByteStream, header_bytes: int, length: int | None, limit: int) -> int | None:
    """Where the block ends: where Content-Length says if a record ends there, else before the next record.

    None where no end is found within `limit`, or the file stops short of it.
    """
    if length is not None and length <= limit:
        end = header_bytes + length
        if stream.ensure(end) and stream.startswith(_AT_END, end):
            return end
    # The length is wrong, or missing: the next record's first line says where this one ends.
    boundary = stream.search(_BOUNDARY, max(header_bytes - 4, 0), header_bytes + limit)
    if boundary:
        return max(boundary[0], header_bytes)
    if stream.ensure(header_bytes + limit + 1):
        return None
    # No record follows. A writer closes a record with two line ends, a cut-off file hardly ever stops at them.
    held = len(stream)
    tail = max(held - 4, header_bytes)
    closing = _CLOSING.search(stream[tail:held])
    if closing and not stream.broken:
        return tail + closing.start()
    if length is not None and header_bytes + length <= held:
        return header_bytes + length  # what comes after it is told as no record
    return None


def _unfinished(
    stream: ByteStream, start: int, header_bytes: int, headers: dict[str, str], limit: int
) -> WarcRecord | Refused:
    """A record without an end within `limit`: too large, or cut off."""
    if stream.ensure(header_bytes + limit + 1):
        stream.skip(header_bytes)
        stream.skip_over(_LINE_START, SKIP_BYTES)
        size = stream.offset - start - header_bytes
        if headers.get("warc-type", "").lower() not in _DOCUMENT_TYPES and not stream.broken:
            return WarcRecord(start, headers, None)
        return refusal(stream, start, "too_large", f"a block of about {size} bytes, the limit is {limit}")
    size = stream.skip(len(stream)) - header_bytes
    length = headers.get("content-length", "none")
    return refusal(stream, start, "truncated_record", f"the file ends after {size} bytes of {length}")


_HOLDS: dict[str, Body] = {"response": "http", "resource": "file", "conversion": "text"}


def _record_of(record: WarcRecord) -> Page | Refused | Skipped:
    headers = record.headers
    url = headers.get("warc-target-uri", "").strip("<> ")
    # dns: look-ups (Heritrix) and metadata: logs (Wget) are kept as records too, but are not pages.
    scheme = url.partition(":")[0].lower()
    if scheme in ("dns", "metadata"):
        return Skipped(record.offset, scheme)
    if record.kind == "continuation":
        return Refused(
            record.offset, "lone_continuation", "a part of a record whose earlier parts do not stand before it"
        )
    if record.kind not in _DOCUMENT_TYPES or record.block is None:
        return Skipped(record.offset, record.kind)
    return Page(
        offset=record.offset,
        body=record.block,
        holds=_HOLDS[record.kind],
        format="wet" if record.kind == "conversion" else "warc",
        content_type=headers.get("content-type", ""),
        url=url,
        record_id=headers.get("warc-record-id") or None,
        fetched_at=parse_date(headers.get("warc-date", "")),
        cut="warc_truncated" if headers.get("warc-truncated") else None,
    )


FORMATS = (
    Format("warc", "pages", _is_warc, _read, ("warc",), resumes=True),
    Format("wet", "pages", _is_wet, _read, ("wet",), resumes=True),
)
