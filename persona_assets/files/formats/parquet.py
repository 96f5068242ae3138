"""Parquet, a few rows in memory at once."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from persona_assets.files.formats import Format, Head, Sure
from persona_assets.files.open import Opened
from persona_assets.files.records import Records, Refused, Row

BATCH_ROWS = 256  # rows decoded at once
DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)  # what a damaged file raises; the last of names of columns
# Text that is not UTF-8; dates outside Python's range or of unknown time zones, which become the numbers that they are.
_BAD_VALUE = (ValueError, OverflowError, LookupError)


def recognise(head: Head) -> Sure:
    """Whether it begins as Parquet files do."""
    return Sure.SIGNATURE if head.data.startswith(b"PAR1") else Sure.NO


def names(opened: Opened) -> list[str] | None:
    """The columns of a file; None where its footer cannot be read."""
    found = _open(opened)
    return None if isinstance(found, Refused) else list(found.schema_arrow.names)


def read(opened: Opened, limit: int, columns: Sequence[str] | None = None) -> Records:
    """Rows with their number in the file; a damaged row group is refused from the row where it breaks."""
    parquet = _open(opened)
    if isinstance(parquet, Refused):
        yield parquet
        return
    first = 0
    for group in range(parquet.num_row_groups):
        rows = parquet.metadata.row_group(group).num_rows
        done = 0
        try:
            for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns, use_threads=False):
                yield from _rows(batch, first + done)
                done += batch.num_rows
        except DAMAGE as error:
            yield Refused(first + done, "corrupt_stream", f"row group {group}, {rows - done} rows lost: {error}")
        first += rows


def open_parquet(place: Path | BinaryIO, metadata: Any = None) -> pq.ParquetFile:  # noqa: ANN401 - pyarrow has no types
    """A Parquet file whose pages are held to their checksums; `metadata` of it where they have been read.

    Raises:
        pyarrow.ArrowException: it is none, or damaged.
        OSError: it cannot be read, or is damaged.
    """
    return pq.ParquetFile(place, metadata=metadata, pre_buffer=False, page_checksum_verification=True)


def _open(opened: Opened) -> pq.ParquetFile | Refused:
    if opened.compression:
        return Refused(None, "unknown_format", f"Parquet within {opened.compression}: decompress it first")
    opened.raw.seek(0)
    try:
        return open_parquet(opened.raw)
    except DAMAGE as error:
        return Refused(None, "corrupt_stream", f"not readable as Parquet: {error}")


def _rows(batch: pa.RecordBatch, first: int) -> Iterator[Row | Refused]:
    try:
        values = batch.to_pylist()
    except _BAD_VALUE:
        for number in range(batch.num_rows):
            yield _single_row(batch, number, first)
        return
    for number, value in enumerate(values):
        yield Row(first + number, value)


def _single_row(batch: pa.RecordBatch, number: int, first: int) -> Row | Refused:
    values: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        scalar = column[number]
        try:
            values[name] = scalar.as_py()
        except UnicodeDecodeError as error:
            return Refused(first + number, "undecodable", f"column {name!r} is not UTF-8: {error.reason}")
        except _BAD_VALUE as error:
            count = getattr(scalar, "value", None)  # of a date, in its unit
            if not isinstance(count, int):
                return Refused(first + number, "bad_value", f"column {name!r}: {type(error).__name__}: {error}")
            values[name] = count
    return Row(first + number, values)


FORMATS = (Format("parquet", "rows", recognise, read, ("parquet",), names),)
