"""ARC records (versions 1 and 2, what crawls were kept in before WARC) out of a byte stream, none lost.

A record is a line (URL, IP address, date, media type, in version 2 five fields more, length), a block of that length,
and a line end. The first tells of the file. Lengths are often wrong: the next such line says where a record ends.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from persona_assets.files.bytestream import ByteStream
from persona_assets.files.formats import Format, Head, Sure
from persona_assets.files.open import Opened
from persona_assets.files.records import Body, Page, Record, Records, Refused, Skipped, break_between, refusal

MAX_LINE_BYTES = 1 << 13
SKIP_BYTES = 1 << 20  # held at once while a record's end is looked for
# URLs have blanks in them at times; the fields behind are told by the address and the date.
LINE = re.compile(
    rb"([a-zA-Z][a-zA-Z0-9+.-]{0,30}:[^\r\n]{0,7000}?)[ \t]+(?:[0-9a-fA-F.:]{2,45}|-)[ \t]+"
    rb"(\d{14})[ \t]+([^\r\n]{0,1000}?)[ \t]*[ \t](\d{1,15})[ \t]*\r?\n"
)
_MAYBE_LINE = re.compile(rb"(?<=\n)[a-zA-Z][a-zA-Z0-9+.-]{0,30}:")
_FRONT = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.-]{0,30}:")
_NEWLINES = re.compile(rb"[\r\n]*")
_CLOSING = re.compile(rb"\r?\n\Z")
_BEGINS = re.compile(  # a record's line: URL, address, date, what else, length
    rb"\s*(?:filedesc|dns|https?|ftp):[^\r\n]{0,7000}?[ \t](?:[0-9a-fA-F.:]{2,45}|-)[ \t]+"
    rb"\d{14}[ \t][^\r\n]{0,1000}?\d+[ \t]*\r?\n"
)


@dataclass(frozen=True, slots=True)
class _Line:
    """The line before a block, and how many bytes it takes."""

    url: str
    date: str
    media: str
    length: int
    size: int


def read_arc(stream: ByteStream, limit: int) -> Records:
    """Pages, refusals and skipped records of an ARC file; `limit` bounds a record's block, in bytes."""
    while True:
        stream.skip_any(_NEWLINES)
        if stream.ensure(1):
            line = _line(stream, 0)
            yield _record(stream, line, limit) if line else _garbage(stream)
            continue
        yield from break_between(stream)
        if not stream.resume():
            return


def _line(stream: ByteStream, at: int) -> _Line | None:
    """The line of a record at this position, or None where there is none."""
    if not stream.startswith(_FRONT, at):
        return None
    stream.ensure(at + MAX_LINE_BYTES)
    found = LINE.match(stream[at : at + MAX_LINE_BYTES])
    if not found:
        return None
    url, date, media = (found[number].decode("utf-8", "replace") for number in (1, 2, 3))
    return _Line(url, date, media.partition(" ")[0].rstrip(";"), int(found[4]), found.end())


def _next_line(stream: ByteStream, start: int, stop: int) -> int | None:
    """Where the next line of a record begins at or after `start` and before `stop`."""
    while span := stream.search(_MAYBE_LINE, start, stop):
        if _line(stream, span[0]):
            return span[0]
        start = span[0] + 1
    return None


def _skip_to_line(stream: ByteStream) -> None:
    """Pass over bytes until a record's line is at the front, or the stretch ends."""
    while stream.ensure(2):
        stream.skip(1)
        stream.skip_over(_MAYBE_LINE, SKIP_BYTES)
        if _line(stream, 0):
            return
    stream.skip(len(stream))


def _garbage(stream: ByteStream) -> Refused:
    start = stream.offset
    _skip_to_line(stream)
    return refusal(stream, start, "not_a_record", f"{stream.offset - start} bytes that are no ARC record")


def _record(stream: ByteStream, line: _Line, limit: int) -> Record:
    start = stream.offset
    end = _block_end(stream, line, limit)
    if end is not None:
        return _record_of(start, line, stream.take(end)[line.size :])
    if stream.ensure(line.size + limit + 1):
        stream.skip(line.size)
        _skip_to_line(stream)
        size = stream.offset - start - line.size
        return refusal(stream, start, "too_large", f"a block of about {size} bytes, the limit is {limit}")
    size = stream.skip(len(stream)) - line.size
    return refusal(stream, start, "truncated_record", f"the file ends after {size} bytes of {line.length}")


def _block_end(stream: ByteStream, line: _Line, limit: int) -> int | None:
    """Where the block ends: where the length says if a record ends there, else before the next record's line.

    None where no end is found within `limit`, or the file stops short of it.
    """
    end = line.size + line.length
    if line.length <= limit and stream.ensure(end) and _ends(stream, end):
        return end
    following = _next_line(stream, line.size, line.size + limit)
    if following is not None:
        block = stream[line.size : following]
        closing = _CLOSING.search(block)
        return line.size + (closing.start() if closing else len(block))
    held = len(stream)
    if stream.ensure(line.size + limit + 1):
        return None
    # The last record: longer than it says, as what stands behind it is none, or cut off.
    return end if end <= held else None


def _ends(stream: ByteStream, at: int) -> bool:
    """Whether a record may end here: line ends, and then another one or nothing."""
    stream.ensure(at + 16)
    after = at
    while stream[after : after + 1] in (b"\r", b"\n") and after < at + 16:
        after += 1
    if not stream.ensure(after + 1):
        return not stream.broken or after > at
    return after > at and _line(stream, after) is not None


def _record_of(offset: int, line: _Line, block: bytes) -> Page | Skipped:
    scheme = line.url.partition(":")[0].lower()
    if scheme in ("filedesc", "dns", "metadata", "warcinfo"):
        return Skipped(offset, scheme)
    holds: Body = "http" if scheme in ("http", "https") else "file"
    return Page(offset, block, holds, "arc", line.media, line.url, fetched_at=_date(line.date))


def _date(digits: str) -> datetime | None:
    """Fourteen digits as a date in UTC, or None where they are none."""
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _read(opened: Opened, limit: int, columns: Sequence[str] | None = None) -> Records:
    return read_arc(opened.stream, limit)


def recognise(head: Head) -> Sure:
    """Whether it begins with the line of a record."""
    return Sure.SIGNATURE if _BEGINS.match(head.data) else Sure.NO


FORMATS = (Format("arc", "pages", recognise, _read, ("arc",), resumes=True),)
