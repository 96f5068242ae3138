"""JSON lines: one object a line."""

from collections.abc import Sequence

from persona_assets.files.formats import Format, Head, Sure
from persona_assets.files.json_values import parse_json
from persona_assets.files.lines import lines
from persona_assets.files.open import Opened
from persona_assets.files.records import Records, Refused, Row

BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n\f\v"
_LINES = 20  # lines looked at: a broken first line or two does not make a JSON lines file something else
_SHOWN = 80


def recognise(head: Head) -> Sure:
    """Whether one of the first lines is an object, or a single object at least begins."""
    data = head.data.removeprefix(BOM).lstrip()
    found = data.split(b"\n")
    if not head.is_whole and len(found) > 1:
        found.pop()  # most likely cut off
    if any(_is_object(line) for line in found[:_LINES]):
        return Sure.CONTENT
    return Sure.GUESS if data.startswith(b"{") and b"\0" not in data[:_SHOWN] else Sure.NO  # zeros: UTF-16


def _is_object(line: bytes) -> bool:
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(parse_json(line), dict)
    except ValueError:
        return False


def read(opened: Opened, limit: int, columns: Sequence[str] | None = None) -> Records:
    """The objects; a broken line is refused with the byte it starts at."""
    for found in lines(opened.stream, limit):
        if isinstance(found, Refused):
            yield found
            continue
        offset, line = found
        text = line.strip(_SPACE)
        if text.startswith(BOM):
            text = text.removeprefix(BOM).lstrip(_SPACE)
        if text:
            yield object_row(offset + line.index(text), text, raw=True)


def object_row(offset: int, data: bytes, *, raw: bool = False) -> Row | Refused:
    """The row of a JSON object; `raw`: whether it keeps its bytes."""
    kept = data if raw else None
    try:
        value = parse_json(data)
    except ValueError as error:
        return Refused(offset, "bad_json", f"not JSON: {_said(data, error)}: {data[:_SHOWN]!r}", raw=kept)
    if not isinstance(value, dict):
        return Refused(offset, "bad_json", f"not an object but {type(value).__name__}: {data[:_SHOWN]!r}", raw=kept)
    return Row(offset, value, kept)


def _said(data: bytes, error: ValueError) -> str:
    try:
        data.decode()
    except UnicodeDecodeError as first:
        return f"byte {first.start} is no UTF-8, which JSON is in: convert the file"
    return str(error)


FORMATS = (Format("jsonl", "rows", recognise, read, ("jsonl", "ndjson"), resumes=True),)
