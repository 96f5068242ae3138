"""A JSON document: an array of objects, or objects that run over several lines."""

import re
from collections.abc import Sequence

from persona_assets.files.bytestream import ByteStream
from persona_assets.files.formats import Format, Head, Sure
from persona_assets.files.formats.json_lines import BOM, object_row
from persona_assets.files.open import Opened
from persona_assets.files.records import Records, Refused, Row, break_between, refusal

_OBJECTS = re.compile(rb"\[\s*(?:\{|\]\s*\Z)")  # many text files begin with other words in brackets
_OPENING = re.compile(rb"\{\s*(\"[^\"]*\"\s*:.*[,{\[]\s*)?$")  # a line that opens an object which goes on below
_TOGETHER = re.compile(rb"\}\s*\{\s*\"")  # objects one after the other, in a line in which none ends alone
_SPACE = re.compile(rb"(?:[ \t\r\n\f\v]|\xef\xbb\xbf)*")  # and a byte order mark
_SEPARATORS = re.compile(rb"[ \t\r\n\f\v,]*")
_TOKEN = re.compile(rb"[\"{}\[\]]")
_STRING_END = re.compile(rb"(?<!\\)(?:\\\\)*\"")
_ARRAY, _ARRAY_END = re.compile(rb"\["), re.compile(rb"\]")
_NESTED = re.compile(rb"[{\[\"]")
_SCALAR_END = re.compile(rb"[,\]\n]")
# While a value that is too large is passed over: what opens and closes it, and a line that begins a value of its own.
_PASSED = re.compile(rb"\\.|[\"{}\[\]]", re.DOTALL)
_AT_ONCE = 1 << 16


def recognise(head: Head) -> Sure:
    """Whether it is an array of objects, objects stand one after the other, or one opens over several lines."""
    data = head.data.removeprefix(BOM).lstrip()
    if _OBJECTS.match(data):
        return Sure.CONTENT
    first, newline, _ = data.partition(b"\n")
    if data.startswith(b"{") and _TOGETHER.search(first):
        return Sure.NAME
    return Sure.NAME if newline and _OPENING.match(first) else Sure.NO


def read(opened: Opened, limit: int, columns: Sequence[str] | None = None) -> Records:
    """The elements of a top-level array, or top-level values one after the other."""
    stream = opened.stream
    stream.skip_any(_SPACE)
    if stream.startswith(_ARRAY):
        stream.skip(1)
    while True:
        stream.skip_any(_SEPARATORS)
        if not stream.ensure(1):
            yield from break_between(stream)
            if not stream.resume():
                return
        elif stream.startswith(_ARRAY_END):
            stream.skip(1)
        else:
            yield _value(stream, limit)


def _value(stream: ByteStream, limit: int) -> Row | Refused:
    start = stream.offset
    end = _value_end(stream, limit)
    if end is not None:
        return object_row(start, stream.take(end))
    if stream.ensure(limit + 1):
        closed = _pass_over(stream)
        size = stream.offset - start
        return refusal(
            stream,
            start,
            "too_large",
            f"a JSON value of {size} bytes, the limit is {limit}{'' if closed else '; it has no end'}",
        )
    size = stream.skip(len(stream))
    return refusal(stream, start, "bad_json", f"a JSON value without end, {size} bytes to the end of the file")


def _value_end(stream: ByteStream, limit: int) -> int | None:
    """Where the JSON value at the front ends, or None where it does not within `limit`."""
    if not stream.startswith(_NESTED):
        span = stream.search(_SCALAR_END, 1, limit)
        return span[0] if span else (len(stream) if not stream.ensure(limit + 1) else None)
    at = depth = 0
    while span := stream.search(_TOKEN, at, limit):
        at = span[1]
        token = stream[span[0] : at]
        if token == b'"':
            closing = stream.search(_STRING_END, at, limit)
            if not closing:
                return None
            at = closing[1]
        else:
            depth += 1 if token in b"{[" else -1
        if depth <= 0:
            return at
    return None


def _pass_over(stream: ByteStream) -> bool:
    """Pass over the value at the front without holding it; whether it ended before the stretch did.

    A line that begins with an opening bracket begins a value of its own, where a value has no end.
    """
    depth, in_string, before = 0, False, b""
    if not stream.startswith(_NESTED):
        stream.skip_over(_SCALAR_END, _AT_ONCE)
        return stream.ensure(1)
    while stream.ensure(1):
        stream.ensure(_AT_ONCE)
        block = stream[0:_AT_ONCE]
        if not in_string and before == b"\n" and block[:1] in (b"{", b"["):
            return False
        at, escaped = 0, False
        for found in _PASSED.finditer(block):
            at, token = found.end(), found[0]
            if token[:1] == b"\\":
                continue
            if token == b'"':
                in_string = not in_string
            elif not in_string and token in b"{[":
                if found.start() and block[found.start() - 1 : found.start()] == b"\n":
                    stream.skip(found.start())
                    return False
                depth += 1
            elif not in_string:
                depth -= 1
            if depth <= 0 and not in_string:
                stream.skip(at)
                return True
        # A backslash at the very end goes with what follows it.
        escaped = block.endswith(b"\\") and at < len(block)
        step = len(block) - 1 if escaped and len(block) > 1 else len(block)
        before = block[step - 1 : step]
        stream.skip(step)
    return False


FORMATS = (Format("json", "rows", recognise, read, ("json",), resumes=True),)
