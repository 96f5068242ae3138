"""WARC and WET records out of a byte stream, none lost.

Written here because FastWARC, made for sound files, ends at the first record with a wrong Content-Length, hands out
the clipped body of a cut-off gz as if it were whole, and gives offsets in the compressed file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from persona_assets.crawl.bytestream import ByteStream
from persona_assets.crawl.items import Found, Item, Refused, Skipped
from persona_assets.crawl.page import response_text, text_of

START = re.compile(rb"WARC/\d{1,2}\.\d{1,3}[ \t]*\r?\n")
_BOUNDARY = re.compile(rb"\r?\n\r?\n(?=WARC/\d{1,2}\.\d{1,3}[ \t]*\r?\n)")
_LINE_START = re.compile(rb"(?:(?<=\n)|(?<=\n\r\n))WARC/\d{1,2}\.\d{1,3}[ \t]*\r?\n")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_NEWLINES = re.compile(rb"[\r\n]*")
_AT_END = re.compile(rb"[\r\n]{0,16}(?:WARC/\d|\Z)")  # what may follow a block: the next record, or nothing
_CLOSING = re.compile(rb"\r?\n\r?\n\Z")
MAX_HEADER_BYTES = 1 << 16
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


def read_warc(stream: ByteStream, limit: int) -> Iterator[Item]:
    """Documents, refusals and skipped records of a WARC or WET file; `limit` bounds a record's block, in bytes."""
    for record in read_records(stream, limit):
        yield record if isinstance(record, Refused) else _item(record, limit)


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
        if fault := stream.take_fault():  # the break fell between two records
            yield Refused(fault.offset, fault.reason, fault.detail, fault.offset)
        if not stream.resume():
            return


def _garbage(stream: ByteStream) -> Refused:
    start = stream.offset
    stream.skip(1)
    stream.skip_over(_LINE_START, 1 << 20)
    return _refusal(stream, start, "not_a_record", f"{stream.offset - start} bytes that are no WARC record")


def _refusal(stream: ByteStream, start: int, reason: str, detail: str) -> Refused:
    """A refusal of what began at `start`; where the stream broke within it, the break is the reason."""
    fault = None if stream.ensure(1) else stream.take_fault()
    if fault:
        return Refused(start, fault.reason, fault.detail, fault.offset)
    return Refused(start, reason, detail)


def _record(stream: ByteStream, limit: int) -> WarcRecord | Refused:
    start = stream.offset
    blank = stream.search(_BLANK_LINE, 0, MAX_HEADER_BYTES)
    next_start = stream.search(_LINE_START, 5, blank[0] if blank else MAX_HEADER_BYTES)
    if next_start or not blank:
        if next_start:
            stream.skip(next_start[0])
        else:
            stream.skip(5)
            stream.skip_over(_LINE_START, 1 << 20)
        return _refusal(stream, start, "bad_record_header", "no blank line closes the WARC header")
    header_bytes = blank[1]
    headers = parse_headers(stream[slice(0, blank[0])])
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
    if _CLOSING.search(stream[slice(max(held - 4, header_bytes), held)]) and not _broken(stream):
        return max(held - 4, header_bytes)
    if length is not None and header_bytes + length <= held:
        return header_bytes + length  # what comes after it is told as no record
    return None


def _broken(stream: ByteStream) -> bool:
    return stream.broken


def _unfinished(
    stream: ByteStream, start: int, header_bytes: int, headers: dict[str, str], limit: int
) -> WarcRecord | Refused:
    """A record without an end within `limit`: too large, or cut off."""
    if stream.ensure(header_bytes + limit + 1):
        stream.skip(header_bytes)
        stream.skip_over(_LINE_START, 1 << 20)
        size = stream.offset - start - header_bytes
        if headers.get("warc-type", "").lower() not in _DOCUMENT_TYPES and not stream.broken:
            return WarcRecord(start, headers, None)
        return _refusal(stream, start, "too_large", f"a block of about {size} bytes, the limit is {limit}")
    size = stream.skip(len(stream)) - header_bytes
    length = headers.get("content-length", "none")
    return _refusal(stream, start, "truncated_record", f"the file ends after {size} bytes of {length}")


def parse_headers(block: bytes) -> dict[str, str]:
    """Header fields by lower-case name, the first of each; the first line is left out, folded lines are joined."""
    headers: dict[str, str] = {}
    name = ""
    for line in block.decode("utf-8", "replace").splitlines()[1:]:
        if line[:1] in (" ", "\t") and name:
            headers[name] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if colon and name not in headers:
            headers[name] = value.strip()
        else:
            name = ""
    return headers


def parse_date(value: str) -> datetime | None:
    """A date in UTC, or None where it is none (WARC-Date: 2008-10-294T05:21:46-0700 is found in the wild)."""
    try:
        date = datetime.fromisoformat(value.strip())
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _item(record: WarcRecord, limit: int) -> Item:
    headers = record.headers
    url = headers.get("warc-target-uri", "").strip("<> ")
    if record.kind not in _DOCUMENT_TYPES or record.block is None or url.startswith("dns:"):
        return Skipped(record.offset)
    if record.kind == "conversion":
        text: str | tuple[str, str] = record.block.decode("utf-8", "replace")
    elif record.kind == "resource":
        text = text_of(record.block, headers.get("content-type", ""), limit)
    else:
        text = response_text(record.block, limit)
    if isinstance(text, tuple):
        return Refused(record.offset, *text)
    return Found(
        offset=record.offset,
        format="wet" if record.kind == "conversion" else "warc",
        text=text,
        url=url,
        record_id=headers.get("warc-record-id") or None,
        fetched_at=parse_date(headers.get("warc-date", "")),
    )
