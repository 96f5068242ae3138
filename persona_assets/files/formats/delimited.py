"""CSV and TSV with the names of the columns in the first line. Their content looks like text: their name tells them."""

import csv
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Literal

from persona_assets.files.foreign import foreign
from persona_assets.files.formats import Format, Head, Sure
from persona_assets.files.lines import lines
from persona_assets.files.open import Opened
from persona_assets.files.records import Records, Refused, Row

_DELIMITERS = (
    ",;\t|"  # of files named csv: a comma is the standard's, others are what programs write where it is decimal
)


def _recognise(ending: str, head: Head) -> Sure:
    return Sure.NAME if head.ending == ending and head.data.strip() and not foreign(head.data) else Sure.NO


class _Lines:
    """Lines as text, and where the last ones began; what cannot be read of them is kept to be told."""

    def __init__(self, opened: Opened, limit: int) -> None:
        self._found = lines(opened.stream, limit)
        self.started: list[int] = []
        self.refused: list[Refused] = []

    def __iter__(self) -> Iterator[str]:
        for found in self._found:
            if isinstance(found, Refused):
                self.refused.append(found)
                continue
            offset, line = found
            self.started.append(offset)
            yield line.removesuffix(b"\r").decode("utf-8-sig" if offset == 0 else "utf-8", "replace") + "\n"


def _read(
    quoting: Literal[0, 3], delimiters: str, opened: Opened, limit: int, columns: Sequence[str] | None = None
) -> Records:
    """Rows by the names in the first line, each with the byte it starts at."""
    csv.field_size_limit(limit)
    source = _Lines(opened, limit)
    texts = iter(source)
    first = next(texts, "")
    delimiter = max(delimiters, key=first.count)
    reader = csv.reader(chain([first], texts), delimiter=delimiter, quoting=quoting, strict=False)
    names: list[str] | None = None
    while True:
        source.started, source.refused = source.started if names is None else [], []
        try:
            fields = next(reader, None)
        except csv.Error as error:
            yield from source.refused
            yield Refused(source.started[0] if source.started else 0, "bad_row", str(error))
            continue
        yield from source.refused
        if fields is None:
            return
        if not fields:
            continue
        if names is None:
            names = [name.strip() for name in fields]
        elif len(fields) > len(names):
            detail = f"{len(fields)} fields where the first line names {len(names)}"
            yield Refused(source.started[0], "bad_row", detail)
        else:
            yield Row(source.started[0], dict(zip(names, fields, strict=False)))


FORMATS = (
    Format("csv", "rows", partial(_recognise, "csv"), partial(_read, csv.QUOTE_MINIMAL, _DELIMITERS), ("csv",)),
    # Fields between tabs, as they stand: the format knows no quotes (IANA, text/tab-separated-values).
    Format("tsv", "rows", partial(_recognise, "tsv"), partial(_read, csv.QUOTE_NONE, "\t"), ("tsv",)),
)
