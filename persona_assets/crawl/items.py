"""What a reader makes of a crawl file: each record is found, refused or skipped, never lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from persona_assets.files.records import Page, Refused, Row, Skipped

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
    format: str
    text: str
    url: str = ""
    record_id: str | None = None
    fetched_at: datetime | None = None
    kind: Kind = "page"
    licence: str | None = None
    charset: str | None = None
    cut: str | None = None
    lines_removed: Mapping[str, int] = field(default_factory=dict)  # by reason; the column holds their sum


Item = Found | Refused | Skipped
Record = Item | Row | Page  # what is read of a file, before it is known what it holds

__all__ = ["CrawlFile", "Found", "Item", "Kind", "Page", "Record", "Refused", "Row", "Skipped"]
