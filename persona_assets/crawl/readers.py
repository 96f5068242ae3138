"""One iterator over whatever a crawl file holds, with what is known of the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from persona_assets.crawl.columns import ColumnReader
from persona_assets.crawl.formats import format_of, known_endings, read_with
from persona_assets.crawl.items import CrawlFile, Record
from persona_assets.crawl.tabular import no_text_column, sift_rows
from persona_assets.files.foreign import unread
from persona_assets.files.formats import Format, known_formats
from persona_assets.files.formats import format_of as own_format_of
from persona_assets.files.open import Opened, open_crawl_file
from persona_assets.files.records import EMPTY, Refused, break_between
from persona_assets.settings import Settings


@dataclass
class Reading:
    """A file that is being read: what it is, its records, and how many of its bytes on disk have been passed.

    Where a package reads it, it is what its ending says, and its records are items already.
    """

    layout: str
    compression: str
    records: Iterator[Record]
    _opened: Opened | None = None

    @property
    def bytes_read(self) -> int:
        """Bytes of the file on disk that have been read so far."""
        return self._opened.raw.tell() if self._opened else 0


@contextmanager
def reading(file: CrawlFile, settings: Settings, offset: int | None = None) -> Iterator[Reading]:
    """Open a file and its records, lazily; a file that cannot be opened gives one refusal.

    `offset`: where a record starts; in formats that can be read from there on the records before it are left out.

    Raises:
        UsageError: the column map of the settings is wrong, or a format of an installed package is.
    """
    columns = ColumnReader(settings.column_map)
    claimed = format_of(file.path)
    try:
        with open_crawl_file(file.path) as opened:
            if claimed:
                items = read_with(claimed, opened, settings)
                yield Reading(claimed.name, opened.compression, _never_none(_survive(items)), opened)
                return
            form = own_format_of(opened)
            if form is None:
                foreigner = _foreign(opened, file.path.name)
                layout = "empty" if foreigner.reason == EMPTY else "unknown"
                yield Reading(layout, opened.compression, iter([foreigner]), opened)
                return
            if offset and form.resumes:
                _pass(opened, offset)
            found = _records(opened, form, columns, settings.max_document_bytes)
            yield Reading(form.name, opened.compression, _never_none(_survive(found)), opened)
    except FileNotFoundError:
        yield Reading("unknown", "", iter([Refused(None, "file_missing", "the file is not there")]))
    except IsADirectoryError:
        said = "this is a folder: name the files in it"
        yield Reading("unknown", "", iter([Refused(None, "unreadable_file", said)]))
    except OSError as error:
        yield Reading("unknown", "", iter([Refused(None, "unreadable_file", error.strerror or str(error))]))


def _survive(records: Iterator[Record]) -> Iterator[Record]:
    """The records, and a last refusal where the disk or network fails under them."""
    try:
        yield from records
    except OSError as error:
        yield Refused(None, "unreadable_file", f"reading failed: {error.strerror or error}")


def _never_none(records: Iterator[Record]) -> Iterator[Record]:
    """The records, or a refusal that says that there are none."""
    told = False
    for record in records:
        told = True
        yield record
    if not told:
        yield Refused(None, EMPTY, "the file holds no record")


def _pass(opened: Opened, offset: int) -> None:
    """Pass over what stands before a byte. A broken stream has several stretches; offsets go on over the breaks."""
    stream = opened.stream
    while stream.offset < offset:
        if not stream.skip(offset - stream.offset) and not stream.resume():
            return


def _records(opened: Opened, form: Format, columns: ColumnReader, limit: int) -> Iterator[Record]:
    if form.holds == "pages":
        yield from form.read(opened, limit, None)
        return
    names = form.names(opened) if form.names else None
    wanted = None if names is None else columns.top_level(names)
    if names is not None and not wanted:
        yield no_text_column(names)
        return
    yield from sift_rows(form.read(opened, limit, wanted), columns, names)


def _foreign(opened: Opened, name: str) -> Refused:
    head = opened.stream[0 : 1 << 12]
    if not head.strip(b"\0 \t\r\n\f\v"):
        broken = break_between(opened.stream)
        return (
            broken[0]
            if broken
            else Refused(None, EMPTY, "the file holds no bytes" if not head else "the file holds no text")
        )
    return Refused(None, "unknown_format", f"{unread(head)}; read are {known_formats()}{known_endings(name)}")
