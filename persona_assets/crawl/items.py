"""What a reader makes of a crawl file: each record is found, refused or skipped, never lost."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from persona_assets.files.bytestream import ByteStream

Format = Literal["warc", "wet", "arc", "jsonl", "parquet"]  # ours; that of a package is the ending of its files
Kind = Literal["page", "persona"]


@dataclass(frozen=True, slots=True)
class CrawlFile:
    """A file to read, and its path relative to the dump folder, which rows carry."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """A record whose text could be read; `offset`, `record_offset` in `raw_documents`, tells a file's records apart.

    The other fields are columns of `raw_documents`.
    """

    offset: int
    format: Format | str
    text: str
    url: str = ""
    record_id: str | None = None
    fetched_at: datetime | None = None
    kind: Kind = "page"
    licence: str | None = None
    charset: str | None = None
    cut: str | None = None
    lines_removed: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """A record, or a stretch of the file, that could not be read; `offset` None: the file as a whole.

    `fault_offset` is set where the stream broke: it tells the break from a record that starts at the same byte.
    """

    offset: int | None
    reason: str
    detail: str
    fault_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record that holds no document by its kind (warcinfo, request, metadata, revisit, dns)."""

    offset: int
    kind: str = ""


Item = Found | Refused | Skipped


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
