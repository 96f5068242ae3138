"""CSV and TSV with the names of the columns in the first line. Their content looks like text: their name tells them."""

import csv
import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Literal

from persona_assets.files.foreign import foreign
from persona_assets.files.formats import Format, Head, Sure
from persona_assets.files.lines import BLOCK_BYTES, lines
from persona_assets.files.open import Opened
from persona_assets.files.records import Records, Refused, Row
from persona_assets.text.charset import decode
from persona_assets.text.charset_labels import read, written

_DELIMITERS = (
    ",;\t|"  # of files named csv: a comma is the standard's, others are what programs write where it is decimal
)
_TOLD = re.compile(r"sep=(.)\s*")  # a first line by which spreadsheets tell the delimiter
# What the csv module says of a row, in words for whoever has the file.
_SAID = (
    ("new-line", "a carriage return within a field that has no quotes: put the field in quotes"),
    ("field larger", "a field of more than {limit} characters: is a quote left open?"),
)


def _recognise(ending: str, head: Head) -> Sure:
    return Sure.NAME if head.ending == ending and head.data.strip() and not foreign(head.data) else Sure.NO


class _Lines:
    """Lines as text, and where the last ones began; what cannot be read of them is kept to be told.

    The character set and the end of a line are those that the first bytes of the file show.
    """

    def __init__(self, opened: Opened, limit: int) -> None:
        opened.stream.ensure(BLOCK_BYTES)
        head = decode(opened.stream[0:BLOCK_BYTES])
        self._charset, text = ("utf-8", "\n") if isinstance(head, tuple) else (head.charset, head.text)
        self._end = "\r" if "\r" in text and "\n" not in text else "\n"
        self._found = lines(opened.stream, limit, written(self._end, self._charset))
        self.started: list[int] = []
        self.refused: list[Refused] = []
        self.over = False

    def __iter__(self) -> Iterator[str]:
        for found in self._found:
            if isinstance(found, Refused):
                self.refused.append(found)
                continue
            offset, line = found
            self.started.append(offset)
            text = read(line, self._charset).removesuffix("\r") + "\n"
            yield text if offset else text.removeprefix("\ufeff")
        self.over = True


def _read(
    quoting: Literal[0, 3], delimiters: str, opened: Opened, limit: int, columns: Sequence[str] | None = None
) -> Records:
    """Rows by the names in the first line, each with the byte it starts at."""
    csv.field_size_limit(limit)
    source = _Lines(opened, limit)
    texts = iter(source)
    first = next((text for text in texts if text.strip()), "")
    if told := _TOLD.fullmatch(first):
        delimiter, first = told[1], next(texts, "")
    else:
        delimiter = max(delimiters, key=first.count)
    reader = csv.reader(chain([first], texts), delimiter=delimiter, quoting=quoting, strict=False)
    names: list[str] | None = None
    while True:
        source.started, source.refused = source.started if names is None else [], []
        try:
            fields = next(reader, None)
        except csv.Error as error:
            yield from source.refused
            yield Refused(source.started[0] if source.started else 0, "bad_row", _said(error, limit))
            continue
        yield from source.refused
        if fields is None:
            return
        if not fields:
            continue
        if names is None:
            names = _names(fields)
        elif len(fields) > len(names):
            detail = f"{len(fields)} fields where the first line names {len(names)}"
            yield Refused(source.started[0], "bad_row", detail)
        elif source.over and len(source.started) > 1:  # a row ends with a line, unless a quote is open
            detail = f"a quote that is never closed takes the {len(source.started)} lines to the end of the file"
            yield Refused(source.started[0], "bad_row", detail)
        else:
            yield Row(source.started[0], dict(zip(names, fields, strict=False)))


def _names(fields: Sequence[str]) -> list[str]:
    """The names of the columns; the second of a name is `name_2`, one without a name `column_3` by its place."""
    names: list[str] = []
    for place, field in enumerate(fields, 1):
        base = field.strip() or f"column_{place}"
        name, number = base, 1
        while name in names:
            number += 1
            name = f"{base}_{number}"
        names.append(name)
    return names


def _said(error: csv.Error, limit: int) -> str:
    return next((words.format(limit=limit) for begins, words in _SAID if str(error).startswith(begins)), str(error))


FORMATS = (
    Format("csv", "rows", partial(_recognise, "csv"), partial(_read, csv.QUOTE_MINIMAL, _DELIMITERS), ("csv",)),
    # Fields between tabs, as they stand: the format knows no quotes (IANA, text/tab-separated-values).
    Format("tsv", "rows", partial(_recognise, "tsv"), partial(_read, csv.QUOTE_NONE, "\t"), ("tsv",)),
)
