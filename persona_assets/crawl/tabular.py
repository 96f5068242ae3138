"""JSON lines, JSON documents (whatever their name) and Parquet files as documents."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from persona_assets.crawl.columns import ColumnReader, column_names
from persona_assets.crawl.items import Format, Found, Item, Refused, break_between, refusal
from persona_assets.files.bytestream import ByteStream

PARQUET_ROWS = 256  # rows decoded at once
# Rows without a text column at the head of a file after which the file as a whole is refused: enough to pass over a
# header row, few enough not to read a foreign file to its end.
MAX_ODD_ROWS = 20
_NEWLINE = re.compile(rb"\n")
_SPACE = re.compile(rb"(?:[ \t\r\n\f\v]|\xef\xbb\xbf)*")  # and a byte order mark
_SEPARATORS = re.compile(rb"[ \t\r\n\f\v,]*")
_TOKEN = re.compile(rb"[\"{}\[\]]")
_STRING_END = re.compile(rb"(?<!\\)(?:\\\\)*\"")
_ARRAY, _ARRAY_END = re.compile(rb"\["), re.compile(rb"\]")
_NESTED = re.compile(rb"[{\[\"]")
_VALUE_LINE = re.compile(rb"(?<=\n)[{\[]")
_SCALAR_END = re.compile(rb"[,\]\n]")
# Text that is not UTF-8, dates outside Python's range, unknown time zones.
_BAD_VALUE = (ValueError, OverflowError, LookupError)


@dataclass(frozen=True, slots=True)
class Row:
    """One record as read: its place and its value (any JSON value)."""

    offset: int
    value: Any


def read_json_lines(stream: ByteStream, columns: ColumnReader, limit: int) -> Iterator[Item]:
    """Documents of a JSON lines file; a broken line is refused with the byte it starts at."""
    return rows_to_items(_lines(stream, limit), columns, "jsonl")


def read_json_document(stream: ByteStream, columns: ColumnReader, limit: int) -> Iterator[Item]:
    """Documents of a file that is one JSON array, or objects that run over several lines."""
    return rows_to_items(_values(stream, limit), columns, "jsonl")


def read_parquet(file: BinaryIO, columns: ColumnReader) -> Iterator[Item]:
    """Documents of a Parquet file, a few rows in memory at once."""
    try:
        parquet = pq.ParquetFile(file, pre_buffer=False, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        yield Refused(None, "corrupt_stream", f"not readable as Parquet: {error}")
        return
    names = parquet.schema_arrow.names
    wanted = columns.top_level(names)
    if not wanted:
        yield _no_text_column(names)
        return
    yield from rows_to_items(_parquet_rows(parquet, wanted), columns, "parquet", names)


def rows_to_items(
    rows: Iterable[Row | Refused], columns: ColumnReader, form: Format, names: list[str] | None = None
) -> Iterator[Item]:
    """Documents of rows; a file none of whose first rows has a text column is refused once, as a whole."""
    source = iter(rows)
    odd: list[
        Row
    ] = []  # rows without a text column, held until one with a text column shows that they are the odd ones
    for row in source:
        if isinstance(row, Refused):
            yield row
        elif not isinstance(row.value, dict):
            yield Refused(row.offset, "bad_json", f"not an object but {type(row.value).__name__}")
        elif columns.has_text(row.value):
            yield from map(_odd, odd)
            odd = []
            yield _item(row, columns, form)
            break
        elif len(odd) == MAX_ODD_ROWS:
            break
        else:
            odd.append(row)
    if odd:
        yield _no_text_column(names or column_names(odd[0].value))
        return
    for row in source:
        yield _later(row, columns, form)


def _later(row: Row | Refused, columns: ColumnReader, form: Format) -> Item:
    if isinstance(row, Refused):
        return row
    if not isinstance(row.value, dict):
        return Refused(row.offset, "bad_json", f"not an object but {type(row.value).__name__}")
    return _item(row, columns, form) if columns.has_text(row.value) else _odd(row)


def _item(row: Row, columns: ColumnReader, form: Format) -> Item:
    fields = columns.read(row.value)
    if isinstance(fields, str):
        return Refused(row.offset, "no_text", fields)
    return Found(
        row.offset,
        form,
        fields.text,
        fields.url,
        fields.record_id,
        fields.fetched_at,
        kind=fields.kind,
        licence=fields.licence,
    )


def _odd(row: Row) -> Refused:
    return Refused(row.offset, "no_text_column", f"columns: {_listing(column_names(row.value))}")


def _no_text_column(names: list[str]) -> Refused:
    remedy = "name the text column with PERSONA_COLUMNS, as text=body"
    return Refused(None, "no_text_column", f"no text column among {_listing(sorted(names))}; {remedy}")


def _listing(names: list[str]) -> str:
    shown = ", ".join(name[:60] for name in islice(names, 30))
    return (shown or "none") + (f" and {len(names) - 30} more" if len(names) > 30 else "")


# JSON lines


def _lines(stream: ByteStream, limit: int) -> Iterator[Row | Refused]:
    while True:
        stream.skip_any(_SPACE)
        if stream.ensure(1):
            yield _line(stream, limit)
            continue
        yield from break_between(stream)
        if not stream.resume():
            return


def _line(stream: ByteStream, limit: int) -> Row | Refused:
    start = stream.offset
    end = stream.search(_NEWLINE, 0, limit)
    if not end and stream.ensure(limit + 1):
        stream.skip_over(_NEWLINE, 1 << 20)
        return refusal(stream, start, "too_large", f"a line of {stream.offset - start} bytes, the limit is {limit}")
    line = stream.take(end[0] if end else len(stream))
    return _parsed(stream, start, line, whole=end is not None)


def _parsed(stream: ByteStream, start: int, data: bytes, *, whole: bool) -> Row | Refused:
    if not whole and stream.broken:
        return refusal(stream, start, "bad_json", "")
    try:
        return Row(start, orjson.loads(data))
    except orjson.JSONDecodeError as error:
        return Refused(start, "bad_json", f"{error}: {data[:80]!r}")


# JSON documents


def _values(stream: ByteStream, limit: int) -> Iterator[Row | Refused]:
    """The elements of a top-level array, or top-level values one after the other."""
    stream.skip_any(_SPACE)
    if stream.startswith(_ARRAY):
        stream.skip(1)
    while True:
        stream.skip_any(_SEPARATORS)
        if not stream.ensure(1):
            yield from break_between(stream)
            if not stream.resume():
                return
        elif stream.startswith(_ARRAY_END):
            stream.skip(1)
        else:
            yield _value(stream, limit)


def _value(stream: ByteStream, limit: int) -> Row | Refused:
    start = stream.offset
    end = _value_end(stream, limit)
    if end is not None:
        return _parsed(stream, start, stream.take(end), whole=True)
    if stream.ensure(limit + 1):
        # Past all that was looked at, or a file of openings would be read anew from each of them.
        stream.skip(limit)
        stream.skip_over(_VALUE_LINE, 1 << 20)
        return refusal(stream, start, "too_large", f"a JSON value of more than {limit} bytes")
    size = stream.skip(len(stream))
    return refusal(stream, start, "bad_json", f"a JSON value without end, {size} bytes to the end of the file")


def _value_end(stream: ByteStream, limit: int) -> int | None:
    """Where the JSON value at the front ends, or None where it does not within `limit`."""
    if not stream.startswith(_NESTED):
        span = stream.search(_SCALAR_END, 1, limit)
        return span[0] if span else (len(stream) if not stream.ensure(limit + 1) else None)
    at = depth = 0
    while span := stream.search(_TOKEN, at, limit):
        at = span[1]
        token = stream[span[0] : at]
        if token == b'"':
            closing = stream.search(_STRING_END, at, limit)
            if not closing:
                return None
            at = closing[1]
        else:
            depth += 1 if token in b"{[" else -1
        if depth <= 0:
            return at
    return None


# Parquet


def _parquet_rows(parquet: pq.ParquetFile, wanted: list[str]) -> Iterator[Row | Refused]:
    """Rows with their number in the file; a damaged row group is refused from the row where it breaks."""
    first = 0
    for group in range(parquet.num_row_groups):
        rows = parquet.metadata.row_group(group).num_rows
        done = 0
        try:
            for batch in parquet.iter_batches(PARQUET_ROWS, row_groups=[group], columns=wanted, use_threads=False):
                yield from _batch_rows(batch, first + done)
                done += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            yield Refused(first + done, "corrupt_stream", f"row group {group}, {rows - done} rows lost: {error}")
        first += rows


def _batch_rows(batch: pa.RecordBatch, first: int) -> Iterator[Row | Refused]:
    try:
        values = batch.to_pylist()
    except _BAD_VALUE:
        for number in range(batch.num_rows):
            yield _single_row(batch, number, first)
        return
    for number, value in enumerate(values):
        yield Row(first + number, value)


def _single_row(batch: pa.RecordBatch, number: int, first: int) -> Row | Refused:
    try:
        return Row(first + number, batch.slice(number, 1).to_pylist()[0])
    except UnicodeDecodeError as error:
        return Refused(first + number, "undecodable", f"not UTF-8: {error.reason}")
    except _BAD_VALUE as error:
        return Refused(first + number, "bad_value", f"{type(error).__name__}: {error}")
