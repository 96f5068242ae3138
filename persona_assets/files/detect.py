"""What a file holds, by its first bytes and not by its name."""

import re
from typing import Literal

import orjson

Layout = Literal["warc", "wet", "arc", "jsonl", "json", "parquet", "unknown", "empty"]

HEAD_BYTES = 1 << 16
_WARC = re.compile(rb"\s*WARC/\d+\.\d+[ \t]*\r?\n")
_KIND = re.compile(rb"^WARC-Type:[ \t]*(\w+)", re.I | re.M)
_ARC = re.compile(  # a record's line: URL, address, date, what else, length
    rb"\s*(?:filedesc|dns|https?|ftp):[^\r\n]{0,7000}?[ \t](?:[0-9a-fA-F.:]{2,45}|-)[ \t]+"
    rb"\d{14}[ \t][^\r\n]{0,1000}?\d+[ \t]*\r?\n"
)
_LINES = 20  # lines looked at: a broken first line or two does not make a JSON lines file something else
_ARRAY = re.compile(rb"\[\s*(?:\{|\]\s*\Z)")  # of objects; many text files begin with other words in brackets
_BOM = b"\xef\xbb\xbf"


def detect_layout(head: bytes) -> Layout:
    """The layout of a file whose (decompressed) first bytes these are; `json` is a document over several lines."""
    if not head.strip():
        return "empty" if not head else "unknown"
    if head.startswith(b"PAR1"):
        return "parquet"
    if _WARC.match(head):
        kinds = {kind.lower() for kind in _KIND.findall(head)}
        return "wet" if b"conversion" in kinds and b"response" not in kinds else "warc"
    if _ARC.match(head):
        return "arc"
    return _json_layout(head.removeprefix(_BOM).lstrip(), whole=len(head) < HEAD_BYTES)


def _json_layout(head: bytes, *, whole: bool) -> Layout:
    lines = head.split(b"\n")
    if not whole and len(lines) > 1:
        lines.pop()  # most likely cut off
    if _ARRAY.match(head):
        return "json"
    if any(_is_object(line) for line in lines[:_LINES]):
        return "jsonl"
    if head.startswith(b"{"):
        return "json" if _opens_over_lines(lines) else "jsonl"
    return "unknown"


def _opens_over_lines(lines: list[bytes]) -> bool:
    """Whether the first line is the opening of an object that goes on below, not a line that is broken or cut."""
    return len(lines) > 1 and re.match(rb"\{\s*(\"[^\"]*\"\s*:.*[,{\[]\s*)?$", lines[0]) is not None


def _is_object(line: bytes) -> bool:
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
