"""The rows of a table in a file, of any format that holds rows, in batches and in bounded memory: for commands.

What a row cannot be read from is told with it; a damaged file is an error.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.files import records
from persona_assets.files.foreign import unread
from persona_assets.files.formats import HEAD_BYTES, Format, format_of, row_formats, table
from persona_assets.files.open import Opened, open_crawl_file

BATCH_ROWS = 1024
LINE_BYTES = 64 << 20  # of one row
EMPTY_IS = "jsonl"  # a blank file is a table without rows


@dataclass(frozen=True, slots=True)
class Row:
    """One row, from 1 on; `values` is None where it could not be read, and `problem` says why."""

    number: int
    values: Mapping[str, Any] | None
    problem: str = ""


Rows = Iterator[list[Row]]


@contextmanager
def open_table(path: Path) -> Iterator[tuple[Format, Opened]]:
    """A file that holds rows, open, and its format.

    Raises:
        UsageError: no such file, no permission to read it, or no table in a known format.
    """
    if not path.is_file():
        raise UsageError(f"{path}: {'is a folder: name one file in it' if path.is_dir() else 'no such file'}")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path}: no permission to read it")
    with open_crawl_file(path) as opened:
        form = format_of(opened)
        if form is None and not opened.stream[0:HEAD_BYTES].strip():
            form = table()[EMPTY_IS]
        if form is None or form.holds != "rows":
            held = f"it is {form.name}, which holds pages" if form else unread(opened.stream[0 : 1 << 12])
            raise UsageError(
                f"{path}: no table in a known format: {held}; known are {row_formats()} (CSV and TSV by the ending of "
                "the name)"
            )
        yield form, opened


def table_records(path: Path, form: Format, opened: Opened) -> Iterator[records.Row | records.Refused]:
    """The rows of an open table, and those that could not be read.

    Raises:
        UsageError: a row is too large to be one.
        PersonaAssetsError: the file is damaged.
    """
    number = 0
    for found in form.read(opened, LINE_BYTES, None):
        if isinstance(found, records.Refused):
            if found.reason == "unknown_format":
                raise UsageError(f"{path}: {found.detail}")
            if found.reason in records.DAMAGED or found.offset is None:
                raise PersonaAssetsError(
                    f"{path} is damaged or cut off after row {number}: {found.detail}; get it once more"
                )
            if found.reason == "too_large":
                raise UsageError(
                    f"{path}: row {number + 1} is longer than {LINE_BYTES >> 20} MiB: is it {form.name}? "
                    f"({found.detail})"
                )
        if isinstance(found, records.Row | records.Refused):
            number += 1
            yield found


@contextmanager
def open_rows(path: Path) -> Iterator[tuple[str, Rows]]:
    """The format of a file and its rows in batches.

    Raises:
        UsageError: no such file, or no table in a known format; while rows are read, one that is too large.
        PersonaAssetsError: the file is damaged; while rows are read.
    """
    with open_table(path) as (form, opened):
        yield form.name, _batches(table_records(path, form, opened))


def _batches(found: Iterator[records.Row | records.Refused]) -> Rows:
    numbered = enumerate(found, 1)
    while batch := list(islice(numbered, BATCH_ROWS)):
        yield [
            Row(number, None, one.detail) if isinstance(one, records.Refused) else Row(number, one.values)
            for number, one in batch
        ]
