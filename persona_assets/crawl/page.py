"""The text of a fetched page: out of an HTTP response, through its encodings, to the main text of its HTML."""

import re
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Protocol

from persona_assets.crawl.charset import decode, utf16_of
from persona_assets.files.headers import parse_headers


class _Reader(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


Refusal = tuple[str, str]  # reason code and detail

_HEADER_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"HTTP/\d(?:\.\d)?\s+(\d{3})\b")
_HTML_HINT = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.I)
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"})
_TEXT_TYPES = frozenset({"text/plain", "text/markdown", "text/x-markdown"})
# An element tree takes ten to twenty times the page's size, and extraction grows faster than linearly.
MAX_HTML_BYTES = 4_000_000
_FAST_HTML_BYTES = 1_000_000  # above it the slow second opinion (readability, justext) is left out
_SIGNATURES = (
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"RIFF", "RIFF media"),
    (b"OggS", "Ogg media"),
    (b"ID3", "MP3 audio"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"\x7fELF", "a program"),
    (b"wOF", "a web font"),
    (b"Rar!", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0", "an Office file"),
)


def response_text(block: bytes, limit: int) -> str | Refusal:
    """Text of an HTTP response (status line, headers, body), or why there is none."""
    end = _HEADER_END.search(block, 0, 1 << 17)
    head = block[: end.start()] if end else block[: 1 << 17]
    body = block[end.end() :] if end else b""
    status = _STATUS.match(head[:64].decode("latin-1"))
    if not status:
        return "bad_http_header", f"no HTTP status line: {head[:40]!r}"
    if status[1] != "200":
        return "http_status", f"HTTP status {status[1]}"
    headers = parse_headers(head)
    body = _decoded(body, headers.get("transfer-encoding", ""), headers.get("content-encoding", ""), limit)
    if len(body) > limit:
        return "too_large", f"the body expands to more than {limit} bytes"
    return text_of(body, headers.get("content-type", ""), limit)


def text_of(body: bytes, content_type: str, limit: int) -> str | Refusal:
    """Text of a body of this media type: main text of HTML, plain text as it is, nothing else."""
    if what := _binary(body):
        return "not_text", f"the payload is {what}, declared {content_type or 'nothing'!r}"
    media = content_type.partition(";")[0].strip().lower()
    looks_html = _HTML_HINT.search(body[:4096].replace(b"\0", b"")) is not None
    if media in _HTML_TYPES or (looks_html and (not media or media in _TEXT_TYPES)):
        if len(body) > min(MAX_HTML_BYTES, limit):
            return "too_large", f"HTML of {len(body)} bytes, the limit is {min(MAX_HTML_BYTES, limit)}"
        page = decode(body, content_type)
        return page if isinstance(page, tuple) else main_text(page.text, fast=len(body) > _FAST_HTML_BYTES)
    if media in _TEXT_TYPES or not media:
        page = decode(body, content_type)
        return page if isinstance(page, tuple) else page.text
    return "not_text", f"media type {media[:80]!r}"


def main_text(html: str, *, fast: bool = False) -> str | Refusal:
    """Main text of an HTML page, with tables, without comments, navigation and boilerplate."""
    import trafilatura
    from lxml.etree import LxmlError  # type: ignore[import-untyped]

    try:
        text = trafilatura.extract(html, fast=fast, include_comments=False, include_tables=True)
    except (LxmlError, ValueError, TypeError, AttributeError, LookupError, AssertionError, RecursionError) as error:
        return "no_main_text", f"the extractor failed: {type(error).__name__}: {error}"
    if not text or not text.strip():
        return "no_main_text", f"no main text in {len(html)} characters of HTML"
    return str(text)


def _binary(body: bytes) -> str | None:
    head = body[:1024].lstrip()
    for signature, what in _SIGNATURES:
        if head.startswith(signature):
            return what
    if not head.startswith((b"\xff\xfe", b"\xfe\xff")) and not utf16_of(body) and head.count(0) * 20 > len(head):
        return "binary data (zero bytes)"
    return None


# Content encodings


def _decoded(body: bytes, transfer: str, content: str, limit: int) -> bytes:
    """The body without its transfer and content encodings.

    Many archives keep the headers but store the body decoded already (ClueWeb, Common Crawl before 2018), so a body
    that does not read under its declared encoding is taken as it is.
    """
    from fastwarc.stream_io import BrotliReader, ChunkedReader, ZstdReader

    if "chunked" in transfer.lower():
        body = _read(ChunkedReader, body, limit)
    for encoding in reversed([part.strip() for part in content.lower().split(",")]):
        if encoding in ("gzip", "x-gzip", "deflate"):
            body = _inflated(body, limit)
        elif encoding == "br":
            body = _read(BrotliReader, body, limit)
        elif encoding == "zstd" and body.startswith(b"\x28\xb5\x2f\xfd"):
            body = _read(ZstdReader, body, limit)
    return body


def _read(reader_of: Callable[[BytesIO], _Reader], body: bytes, limit: int) -> bytes:
    reader = reader_of(BytesIO(body))
    out = bytearray()
    try:
        while len(out) <= limit and (piece := reader.read(1 << 16)):
            out += piece
    except OSError:
        return bytes(out) or body
    return bytes(out)


def _inflated(body: bytes, limit: int) -> bytes:
    for bits in (zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS):
        try:
            data = zlib.decompressobj(bits).decompress(body, limit + 1)
        except zlib.error:
            continue
        if data:
            return data
    return body
