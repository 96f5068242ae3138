"""HTTP responses as archives keep them: status, headers, and the body without its encodings, as far as it reads.

Chunks are read here because FastWARC's reader stops at the first chunk with an extension or a wrong size.
"""

import re
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

import brotli
import zstandard

from persona_assets.files.headers import parse_headers

Refusal = tuple[str, str]  # reason code and detail

# A blank line ends the headers; so does a line that begins with a tag, where a server forgot it.
_HEADER_END = re.compile(rb"\r?\n(?:\r?\n|(?=<))")
_STATUS = re.compile(rb"[\r\n]{0,4}HTTP/\d{1,2}(?:\.\d{1,2})?[ \t]+(\d{3})\b", re.I)
# 203 is a page that a proxy has changed, 206 a part of one. A 202 is mostly a check for robots, the others have none.
_PAGE_STATUSES = frozenset({200, 203, 206})
_PARTIAL = 206


@dataclass(frozen=True, slots=True)
class Response:
    """A response with a page: headers by lower-case name, the decoded body, and whether it is known to be not whole."""

    headers: dict[str, str]
    body: bytes
    cut: bool


def read_response(block: bytes, limit: int) -> Response | Refusal:
    """The response in a record's block, or why it holds no page; a body is read to `limit` bytes and a few more."""
    status = _STATUS.match(block)
    if not status:
        return "bad_http_header", f"no HTTP status line: {block[:40]!r}"
    if int(status[1]) not in _PAGE_STATUSES:
        return "http_status", f"HTTP status {int(status[1])}"
    end = _HEADER_END.search(block, status.end())
    if not end:
        return "bad_http_header", f"the headers are cut off after {len(block)} bytes"
    headers = parse_headers(block[: end.start()].lstrip(b"\r\n"))
    body, cut = _decoded(block[end.end() :], headers, limit)
    if len(body) > limit:
        return "too_large", f"the body expands to more than {limit} bytes"
    return Response(headers, body, cut or int(status[1]) == _PARTIAL)


def _decoded(body: bytes, headers: dict[str, str], limit: int) -> tuple[bytes, bool]:
    """The body without its transfer and content encodings, and whether its end is missing.

    Many archives keep the headers but store the body decoded already (ClueWeb, Common Crawl before 2018), so a body
    that does not read under its declared encoding is taken as it is.
    """
    transfer = _names(headers.get("transfer-encoding", ""))
    content = _names(headers.get("content-encoding", ""))
    joined, cut = _joined(body, declared="chunked" in transfer)
    length = headers.get("content-length", "")
    if joined is body and not content and length.isascii() and length.isdigit() and len(length) < 16:
        # Of a packed body its own end says whether it is whole; one that is stored unpacked has the length of before.
        cut = int(length) > len(body)
    body = joined
    for name in (*reversed(transfer), *reversed(content)):
        if name in _CODINGS and (unpacked := _unpacked(body, name, limit)):
            body, whole = unpacked
            cut = cut or not whole
    if body.startswith(_GZIP_START) and "gzip" not in headers.get("content-type", ""):  # packed, though undeclared
        body, whole = _unpacked(body, "gzip", limit) or (body, True)
        cut = cut or not whole
    return body, cut


def _names(value: str) -> list[str]:
    return [name for part in value.lower().split(",") if (name := part.strip())]


# Chunks

# The size of a chunk, which some servers pad with blanks, an extension, and the end of the line.
_SIZE = re.compile(rb"[ \t]{0,8}([0-9A-Fa-f]{1,8})[ \t]{0,16}(?:;[^\r\n]{0,1024})?\r?\n")
_NEXT_SIZE = re.compile(rb"\r?\n[ \t]{0,8}[0-9A-Fa-f]{1,8}[ \t]{0,16}(?:;[^\r\n]{0,1024})?\r?\n")
_CUT_SIZE = re.compile(rb"(?:\r?\n[ \t]{0,8}[0-9A-Fa-f]{0,8}[ \t]{0,16}\r?)?\Z")  # the body ends within a size
_TRAILER = re.compile(rb"(?:[!-9;-~]+:[^\r\n]*\r?\n)*(?:\r?\n)*\Z")
_NEWLINE = re.compile(rb"\r?\n")


def _joined(body: bytes, *, declared: bool) -> tuple[bytes, bool]:
    """The chunks of a body as one, and whether the last is missing; the body itself where it is not in chunks.

    Where nothing declares chunks, they have to fit from the first byte to the last.
    """
    out = bytearray()
    at = 0
    while size := _SIZE.match(body, at):
        start, end = size.end(), size.end() + int(size[1], 16)
        if end == start and (_TRAILER.match(body, start) or (out and declared)):
            return bytes(out), False
        if not _ends_chunk(body, end):
            if not declared:
                return body, False
            # The size is wrong, or the body is cut: the next line that is a size says where the chunk ends.
            following = _following(body, start - 1, end)
            if not (at or following or _is_size(size[1], body, start)):
                return body, False
            if following is None:
                out += body[start:end]
                return bytes(out), True
            end = max(following, start)
        out += body[start:end]
        newline = _NEWLINE.match(body, end)
        at = newline.end() if newline else end
    return (bytes(out), True) if at and declared else (body, False)


def _ends_chunk(body: bytes, at: int) -> bool:
    """Whether a chunk may end here: the size of the next follows, whole or cut off, or nothing."""
    if at > len(body):
        return False
    return bool(_NEXT_SIZE.match(body, at) or (len(body) - at < 64 and _CUT_SIZE.match(body, at)))


def _following(body: bytes, start: int, end: int) -> int | None:
    """Where the next line stands that is the size of a chunk, for one that does not end where its size says.

    Where that end is beyond the body, the body may just be cut, and the line be one of the text: it has to lead
    somewhere.
    """
    found = _NEXT_SIZE.search(body, start)
    if not found:
        return None
    size = _SIZE.match(body, body.index(b"\n", found.start()) + 1)
    leads = size is not None and _ends_chunk(body, size.end() + int(size[1], 16))
    return found.start() if leads or end <= len(body) else None


def _is_size(digits: bytes, body: bytes, start: int) -> bool:
    """Whether the first line is the size of a chunk that is cut off, and not the first line of an unpacked text.

    `1f40` is one; `beef` and `1984` are, where markup or packed bytes follow.
    """
    mixed = not digits.isdigit() and not digits.isalpha()
    return (
        mixed or body[start : start + 64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or not _is_text(body[start:])
    )


# Packed bodies

_CODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd"})
_FEED_BYTES = 256  # little, since what a decompressor has made of a piece is lost where the piece is damaged
_PIECE_BYTES = 1 << 16
_GZIP_START = b"\x1f\x8b\x08"
_ZSTD_START = b"\x28\xb5\x2f\xfd"
_MAX_WINDOW = 1 << 27
_ERRORS = (zlib.error, brotli.error, zstandard.ZstdError)
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_TEXT_BYTES = 256  # of so many packed ones, some are control characters

# Gives the unpacked bytes piece by piece, and returns whether the packed ones came to their end.
_Pieces = Generator[bytes, None, bool]


class _Frame(Protocol):
    """The decompressor of one gzip member, zlib stream or zstd frame."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: memoryview, /) -> bytes: ...


def _unpacked(body: bytes, name: str, limit: int) -> tuple[bytes, bool] | None:
    """The body out of one encoding, and whether it was whole; None where it is not packed so, or not at all."""
    text = _is_text(body)
    for pieces in _readers(body, name):
        out, whole = _read(pieces, limit)
        if whole or (out and not text):
            return out, whole
    return None


def _is_text(body: bytes) -> bool:
    return body.startswith(_BOMS) or not _CONTROL.search(body, 0, _TEXT_BYTES)


def _readers(body: bytes, name: str) -> Iterator[_Pieces]:
    """What may read a body of this encoding; its first bytes count for more than the name."""
    if body.startswith(_GZIP_START):
        yield _frames(body, _GZIP_START, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16))
    elif body.startswith(_ZSTD_START):
        yield _frames(body, _ZSTD_START, zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj)
    elif name == "br":
        yield _brotli(body)
    elif name != "zstd":
        yield _frames(body, b"", zlib.decompressobj)
        yield _frames(body, b"", lambda: zlib.decompressobj(-zlib.MAX_WBITS))


def _read(pieces: _Pieces, limit: int) -> tuple[bytes, bool]:
    """What can be read, to `limit` bytes and a few more, and whether that is all."""
    out = bytearray()
    try:
        while len(out) <= limit:
            out += next(pieces)
    except StopIteration as end:
        return bytes(out), end.value
    except _ERRORS:
        pass
    return bytes(out), False


def _frames(body: bytes, start: bytes, frame_of: Callable[[], _Frame]) -> _Pieces:
    """One frame after the other; what follows the last and begins otherwise is left out.

    Frames without a start of their own are one, and reach to the end of the body.
    """
    rest = memoryview(body)
    while True:
        frame = frame_of()
        while not frame.eof and rest:
            yield frame.decompress(rest[:_FEED_BYTES])
            rest = rest[_FEED_BYTES:]
        if not frame.eof:
            return False
        left = len(rest) + len(frame.unused_data)
        rest = memoryview(body)[len(body) - left :]
        if not start or bytes(rest[: len(start)]) != start:
            return bool(start) or not left


def _brotli(body: bytes) -> _Pieces:
    stream = brotli.Decompressor()
    for at in range(0, len(body), _FEED_BYTES):
        yield stream.process(body[at : at + _FEED_BYTES], output_buffer_limit=_PIECE_BYTES)
        while not stream.can_accept_more_data():
            yield stream.process(b"", output_buffer_limit=_PIECE_BYTES)
    return bool(stream.is_finished())
