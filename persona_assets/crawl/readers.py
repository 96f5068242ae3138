"""One iterator over whatever a crawl file holds, with what is known of the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from persona_assets.crawl.arc import read_arc
from persona_assets.crawl.columns import ColumnReader
from persona_assets.crawl.formats import format_of, known_endings, read_with
from persona_assets.crawl.items import CrawlFile, Item, Refused, break_between
from persona_assets.crawl.tabular import read_json_document, read_json_lines, read_parquet
from persona_assets.crawl.warc import read_warc
from persona_assets.files.detect import HEAD_BYTES, Layout, detect_layout
from persona_assets.files.open import Opened, open_crawl_file
from persona_assets.settings import Settings


@dataclass
class Reading:
    """A file that is being read: what it is, its items, and how many of its bytes on disk have been passed.

    Where a package reads it, it is what its ending says.
    """

    layout: str
    compression: str
    items: Iterator[Item]
    _opened: Opened | None = None

    @property
    def bytes_read(self) -> int:
        """Bytes of the file on disk that have been read so far."""
        return self._opened.raw.tell() if self._opened else 0


@contextmanager
def reading(file: CrawlFile, settings: Settings) -> Iterator[Reading]:
    """Open a file and its items, lazily; a file that cannot be opened gives one refusal.

    Raises:
        UsageError: the column map of the settings is wrong, or a format of an installed package is.
    """
    columns = ColumnReader(settings.column_map)
    claimed = format_of(file.path)
    try:
        with open_crawl_file(file.path) as opened:
            if claimed:
                items = read_with(claimed, opened, settings)
                yield Reading(claimed.name, opened.compression, _survive(items), opened)
                return
            opened.stream.ensure(HEAD_BYTES)
            layout = detect_layout(opened.stream[0:HEAD_BYTES])
            items = _items(opened, layout, columns, settings.max_document_bytes, file.path.name)
            yield Reading(layout, opened.compression, _survive(items), opened)
    except FileNotFoundError:
        yield Reading("unknown", "", iter([Refused(None, "file_missing", "the file is not there")]))
    except OSError as error:
        yield Reading("unknown", "", iter([Refused(None, "unreadable_file", error.strerror or str(error))]))


def _survive(items: Iterator[Item]) -> Iterator[Item]:
    """The items, and a last refusal where the disk or network fails under them."""
    try:
        yield from items
    except OSError as error:
        yield Refused(None, "unreadable_file", f"reading failed: {error.strerror or error}")


def _items(opened: Opened, layout: Layout, columns: ColumnReader, limit: int, name: str) -> Iterator[Item]:
    stream = opened.stream
    if layout in ("warc", "wet"):
        return read_warc(stream, limit)
    if layout == "arc":
        return read_arc(stream, limit)
    if layout == "jsonl":
        return read_json_lines(stream, columns, limit)
    if layout == "json":
        return read_json_document(stream, columns, limit)
    if layout == "parquet" and not opened.compression:
        opened.raw.seek(0)
        return read_parquet(opened.raw, columns)
    return iter(_foreign(opened, layout, name))


def _foreign(opened: Opened, layout: Layout, name: str) -> list[Item]:
    if layout == "empty" and (broken := break_between(opened.stream)):
        return list(broken)
    if layout == "empty":
        return [Refused(None, "empty_file", "the file holds no bytes")]
    if layout == "parquet":
        return [Refused(None, "unknown_format", f"Parquet within {opened.compression}: decompress it first")]
    head = opened.stream[0:24]
    known = "neither WARC, WET, ARC, JSON lines, JSON nor Parquet"
    return [Refused(None, "unknown_format", f"{known}; begins {head!r}{known_endings(name)}")]
