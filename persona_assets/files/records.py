"""What readers give of a file: rows, pages, and what could not be read. Every record of a file is in one of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from persona_assets.files.bytestream import ByteStream

Body = Literal["http", "file", "text"]  # an HTTP response; the bytes of a file of some type; text that was converted

EMPTY = "empty"  # the reason of a file that holds no record
# Reasons of a refusal that says the file itself is damaged, cut off, or not what its beginning says.
DAMAGED = frozenset({"corrupt_stream", "truncated_stream", "unreadable_file"})


@dataclass(slots=True)
class Row:
    """A row of a table; `offset` tells the rows of a file apart. `raw` is a JSON line as it stands.

    Not frozen, as there are millions and these take four times as long to make.
    """

    offset: int
    values: Mapping[str, Any]
    raw: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """A record that holds a page; `cut` says why it is not whole, as in `raw_documents`."""

    offset: int
    body: bytes
    holds: Body
    format: str
    content_type: str = ""
    url: str = ""
    record_id: str | None = None
    fetched_at: datetime | None = None
    cut: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A record, or a stretch of the file, that could not be read; `offset` None: the file as a whole.

    `fault_offset` is set where the stream broke: it tells the break from a record that starts at the same byte. `raw`
    is a line that is no JSON object.
    """

    offset: int | None
    reason: str
    detail: str
    fault_offset: int | None = None
    raw: bytes | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record that holds no document by its kind: warcinfo, request, metadata, ..."""

    offset: int
    kind: str = ""


Record = Row | Page | Refused | Skipped
Records = Iterator[Record]


def refusal(stream: ByteStream, start: int, reason: str, detail: str) -> Refused:
    """A refusal of what began at `start` and ends here; where the stream broke within it, the break is the reason."""
    fault = None if stream.ensure(1) else stream.take_fault()
    if fault:
        return Refused(start, fault.reason, fault.detail, fault.offset)
    return Refused(start, reason, detail)


def break_between(stream: ByteStream) -> list[Refused]:
    """The refusal that tells a break which fell between two records; empty where the stretch just ended."""
    fault = stream.take_fault()
    return [Refused(fault.offset, fault.reason, fault.detail, fault.offset)] if fault else []
