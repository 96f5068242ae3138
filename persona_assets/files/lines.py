"""The lines of a stream, in bounded memory, over its breaks."""

from collections.abc import Iterator

from persona_assets.files.bytestream import ByteStream
from persona_assets.files.records import Refused, break_between, refusal

BLOCK_BYTES = 1 << 20  # read at once


def lines(stream: ByteStream, limit: int, end: bytes = b"\n") -> Iterator[tuple[int, bytes] | Refused]:
    """Each line without its end, and the byte it starts at. A line above `limit` bytes and a break are refusals.

    `end` is one character in the file's character set. One of several bytes ends a line only where characters begin.
    """
    while True:
        yield from _stretch(stream, limit, end)
        yield from break_between(stream)
        if not stream.resume():
            return


def _stretch(stream: ByteStream, limit: int, end: bytes) -> Iterator[tuple[int, bytes] | Refused]:
    start, rest = stream.offset, b""
    passed = 0  # bytes of a line that is too long, which are not held
    while stream.ensure(1):
        stream.ensure(BLOCK_BYTES)
        *whole, last = _split(rest + stream.take(BLOCK_BYTES), end)
        for line in whole:
            size = passed + len(line)
            yield (start, line) if size <= limit else _too_long(start, size, limit)
            start, passed = start + size + len(end), 0
        rest = last
        if passed + len(rest) > limit:
            passed, rest = passed + len(rest), b""
    size = passed + len(rest)
    if size and stream.broken:
        yield refusal(stream, start, "truncated_stream", "")
    elif size:
        yield (start, rest) if size <= limit else _too_long(start, size, limit)


def _split(data: bytes, end: bytes) -> list[bytes]:
    width = len(end)
    if width == 1:
        return data.split(end)
    found, begin, at = list[bytes](), 0, 0
    while (at := data.find(end, at)) >= 0:
        if at % width:
            at += 1
        else:
            found.append(data[begin:at])
            begin = at = at + width
    return [*found, data[begin:]]


def _too_long(start: int, size: int, limit: int) -> Refused:
    return Refused(start, "too_large", f"a line of {size} bytes, the limit is {limit}")
