"""The text column of a table in a file, in batches and in bounded memory, and the file's rows once more.

A file is read twice: for its texts, which are compared, and (where rows are written) for all of its columns, which are
joined with the verdicts by place. Parquet is read column by column, other formats (`formats`) row by row.
"""

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.files.formats import Format
from persona_assets.files.formats.parquet import DAMAGE, open_parquet
from persona_assets.files.records import Refused, Row
from persona_assets.files.rows import open_table, table_records
from persona_assets.text.token_hashes import Index

REASONS = ("not_json", "not_text", "null", "empty")  # why a row is not compared
NOT_JSON, NOT_TEXT, NULL, EMPTY = range(len(REASONS))
RAW = "raw"  # the column that holds a row that could not be read
DEFAULT_COLUMN = "text"

BATCH_ROWS, LEAST_BATCH_ROWS = 32_768, 256
BATCH_BYTES = 32 << 20  # of a Parquet batch, as far as the file's metadata tells the size of a row
BLOCK_BYTES = 4 << 20  # of rows held at once
SAMPLE_ROWS = 1000  # in which columns are looked for
MOST_FIELDS = 1000  # of rows that are written as Parquet
_SHOWN_COLUMNS = 30

Texts = pl.DataFrame  # text (null where the row is not compared), reason (place in REASONS, null where it is)


class Source(Protocol):
    """A file whose `column` is compared."""

    path: Path
    kind: str
    column: str

    def total(self) -> int | None:
        """Rows of the file; an estimate while it is read for the first time, None where nothing is known."""

    def texts(self) -> Iterator[Texts]:
        """The texts, batch by batch, in the order of the rows."""

    def texts_at(self, rows: Index) -> pl.Series:
        """The texts of these rows, in this order, read again."""

    def schema(self) -> pa.Schema:
        """The columns that `batches` gives; known after `texts`."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All columns, batch by batch."""

    def lines(self) -> Iterator[Sequence[bytes]]:
        """The rows as JSON objects, batch by batch."""


def open_source(
    path: Path, column: str | None, scratch: Path, out: Path | None, *, again: bool, added: Sequence[str] = ()
) -> Source:
    """Open a file by its content; `again`: whether texts will be read again by row.

    `added` are columns that the rows gain where they are written, to `out`.

    Raises:
        UsageError: no such file, no table in a known format, no such column, or rows that cannot go to `out`.
        PersonaAssetsError: a damaged file.
    """
    if path.is_file() and not path.stat().st_size:
        raise UsageError(f"{path} is empty: there is nothing to compare")
    with open_table(path) as (form, opened):
        compression = opened.compression
    if form.name == ParquetSource.kind:
        if compression:
            raise UsageError(f"{path}: Parquet within {compression}: decompress it first")
        return ParquetSource(path, column, out, added)
    return RowSource(path, form, column, scratch / "texts" if again else None, out, added)


def _choose(path: Path, wanted: str | None, names: Sequence[str], textual: Sequence[str], where: str = "") -> str:
    """The column to compare: the one asked for, else `text`, else the only column of strings."""
    if wanted is not None:
        if wanted not in names:
            raise UsageError(f"{path}: no column {wanted!r}{where} (it has: {_listing(names)})")
        return wanted
    if DEFAULT_COLUMN in names:
        return DEFAULT_COLUMN
    if len(textual) != 1:
        raise UsageError(
            f"{path}: name the column to compare with --column (columns of strings{where}: {_listing(textual)})"
        )
    return textual[0]


def _refuse_added(path: Path, names: Sequence[str], added: Sequence[str]) -> None:
    taken = [name for name in added if name in names]
    if taken:
        raise UsageError(
            f"{path} has a column {taken[0]!r} already, which the written rows gain: rename it, or leave out --out"
        )


def _listing(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:_SHOWN_COLUMNS])
    return (shown or "none") + (f" and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else "")


def _told(error: Exception) -> str:
    return " ".join(str(error).split())


# Parquet


class ParquetSource:
    """A Parquet file."""

    kind = "parquet"

    def __init__(self, path: Path, column: str | None, out: Path | None = None, added: Sequence[str] = ()) -> None:
        """Read the footer; see `open_source`."""
        self.path = path
        self.metadata: Any = None
        with self._open() as file:
            self.metadata = file.metadata
            self._schema: pa.Schema = file.schema_arrow
        names = self._schema.names
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise UsageError(f"{path} has two columns named {twice[0]!r}: rename one of them")
        textual = [field.name for field in self._schema if _is_text(field.type)]
        bytes_too = [field.name for field in self._schema if _may_be_text(field.type)]
        self.column = _choose(path, column, names, textual or bytes_too)
        if self.column not in bytes_too:
            found = self._schema.field(self.column).type
            raise UsageError(
                f"{path}: column {self.column!r} is of type {found}, not strings (columns of strings: "
                f"{_listing(textual)})"
            )
        if out:
            _refuse_added(path, names, added)
            shapeless = [field for field in self._schema if not _has_json_form(field.type)]
            if shapeless and out.suffix != ".parquet":
                field = shapeless[0]
                raise UsageError(
                    f"{path}: column {field.name!r} is of type {field.type}, which JSON has no form for: "
                    "end the name of --out in .parquet"
                )

    def total(self) -> int | None:
        """Rows of the file."""
        return int(self.metadata.num_rows)

    def texts(self) -> Iterator[Texts]:
        """The texts, batch by batch."""
        for batch in self._batches([self.column]):
            column = batch.column(self.column)
            yield _texts(_strings(column), pl.Series(pl.from_arrow(column.is_null())))

    def texts_at(self, rows: Index) -> pl.Series:
        """The texts of these rows, in this order; reads the row groups that hold one."""
        wanted, place = np.unique(rows, return_inverse=True)
        found = [pl.Series("text", [], pl.String)]
        first = 0
        for group in range(self.metadata.num_row_groups):
            end = first + self.metadata.row_group(group).num_rows
            if np.searchsorted(wanted, first) < np.searchsorted(wanted, end):
                for batch in self._batches([self.column], [group]):
                    low, high = np.searchsorted(wanted, [first, first + batch.num_rows])
                    found.append(_strings(batch.column(self.column).take(pa.array(wanted[low:high] - first))))
                    first += batch.num_rows
            first = end
        return pl.concat([series.alias("text") for series in found]).gather(place)

    def schema(self) -> pa.Schema:
        """The file's columns."""
        return self._schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All columns, batch by batch."""
        return self._batches(None)

    def lines(self) -> Iterator[Sequence[bytes]]:
        """The rows as JSON objects, batch by batch."""
        for batch in self._batches(None):
            try:
                batch.validate(full=True)
            except pa.ArrowInvalid as error:
                raise PersonaAssetsError(
                    f"{self.path}: {_told(error)}; JSON cannot hold it, end the name of --out in .parquet"
                ) from error
            written = io.BytesIO()
            pl.DataFrame(pl.from_arrow(batch)).write_ndjson(written)
            yield written.getvalue().splitlines()

    def _open(self) -> pq.ParquetFile:
        try:
            return open_parquet(self.path, self.metadata)
        except DAMAGE as error:
            raise PersonaAssetsError(self._damaged(error)) from error

    def _batches(self, columns: list[str] | None, groups: list[int] | None = None) -> Iterator[pa.RecordBatch]:
        with self._open() as file:
            rows = self._batch_rows(columns)
            try:
                for group in range(file.num_row_groups) if groups is None else groups:  # iterating over all keeps all
                    yield from file.iter_batches(batch_size=rows, columns=columns, row_groups=[group])
            except DAMAGE as error:
                raise PersonaAssetsError(self._damaged(error)) from error

    def _batch_rows(self, columns: list[str] | None) -> int:
        """Rows that a batch of these columns may have, as far as the row groups tell their sizes."""
        largest = 1
        for number in range(self.metadata.num_row_groups):
            group = self.metadata.row_group(number)
            chunks = (group.column(place) for place in range(group.num_columns))
            size = sum(
                chunk.total_uncompressed_size
                for chunk in chunks
                if columns is None or chunk.path_in_schema.split(".")[0] in columns or chunk.path_in_schema in columns
            )
            largest = max(largest, size // max(group.num_rows, 1))
        return int(min(max(BATCH_BYTES // largest, LEAST_BATCH_ROWS), BATCH_ROWS))

    def _damaged(self, error: Exception) -> str:
        return f"{self.path} begins as a Parquet file and is damaged or cut off: {_told(error)}; get it once more"


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(kind) for test in tests)


def _may_be_text(kind: pa.DataType) -> bool:
    """Whether it is text, or bytes, which may be."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return _is_text(kind) or bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _has_json_form(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind)
    if pa.types.is_struct(kind):
        return all(_has_json_form(kind.field(place).type) for place in range(kind.num_fields))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _has_json_form(kind.value_type)
    tests = (
        _is_text,
        pa.types.is_boolean,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_date,
        pa.types.is_timestamp,
        pa.types.is_decimal128,
        pa.types.is_null,
    )
    return any(test(kind) for test in tests)


def _strings(array: pa.Array) -> pl.Series:
    """An array of strings as a series; what is not UTF-8, which Parquet does not rule out, becomes null."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    try:
        array = array if _is_text(array.type) else array.cast(pa.large_string())
        array.validate(full=True)
    except pa.ArrowInvalid:
        array = pa.array([_decoded(value) for value in array.cast(pa.large_binary()).to_pylist()], pa.large_string())
    return pl.Series(pl.from_arrow(array)).cast(pl.String)


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _texts(values: pl.Series, null: pl.Series) -> Texts:
    """Values of a column of strings, with the reason where one is not compared."""
    frame = pl.DataFrame({"text": values, "null": null}).with_columns(
        reason=pl.when("null")
        .then(pl.lit(NULL, pl.UInt8))
        .when(pl.col("text").is_null())
        .then(pl.lit(NOT_TEXT, pl.UInt8))
        .when(_BLANK)
        .then(pl.lit(EMPTY, pl.UInt8))
    )
    return frame.select(_COMPARED, "reason")


_BLANK = pl.col("text").str.strip_chars().str.len_bytes() == 0
_COMPARED = pl.when(pl.col("reason").is_null()).then("text").alias("text")


# Rows of other formats


class RowSource:
    """A file of rows in any other format: JSON lines, JSON, CSV, TSV, plain or compressed."""

    def __init__(
        self,
        path: Path,
        form: Format,
        column: str | None,
        spool: Path | None,
        out: Path | None = None,
        added: Sequence[str] = (),
    ) -> None:
        """Look at the first rows; `spool` is a folder for texts that will be read again. See `open_source`."""
        self.path, self.form, self.kind = path, form, form.name
        self.spool = _Spool(spool) if spool else None
        self.guarded, self.added = out is not None, added
        self.kinds: dict[str, set[str]] | None = {} if out and out.suffix == ".parquet" else None
        self.rows = 0  # read so far
        self.share = 0.0  # of the file's bytes read so far
        sample, where = self._sample()
        names = list(dict.fromkeys(name for row in sample for name in row))
        if column is not None and column not in names and where and self._holds(column):
            names.append(column)
        self.column = _choose(path, column, names, [name for name in names if _has_text(sample, name)], where)
        kinds = sorted({_kind(row[self.column]) for row in sample if row.get(self.column) is not None})
        if kinds and "string" not in kinds:
            raise UsageError(f"{path}: column {self.column!r} holds {' and '.join(kinds)} values, not strings")
        if self.guarded:
            _refuse_added(path, names, added)

    def total(self) -> int | None:
        """Rows of the file, as far as the part read so far tells."""
        return int(self.rows / self.share) if self.share else None

    def texts(self) -> Iterator[Texts]:
        """The texts, batch by batch; keeps them where they will be read again."""
        self.rows = 0
        for rows in self._batches():
            values, reasons = self._values(rows)
            self.rows += len(rows)
            batch = pl.DataFrame({"text": values, "reason": reasons}, {"text": pl.String, "reason": pl.UInt8})
            batch = batch.with_columns(reason=pl.when(_BLANK).then(pl.lit(EMPTY, pl.UInt8)).otherwise("reason"))
            batch = batch.select(_COMPARED, "reason")
            if self.spool:
                self.spool.add(batch["text"])
            yield batch

    def texts_at(self, rows: Index) -> pl.Series:
        """The texts of these rows, which `texts` has given already, in this order, out of the spool."""
        assert self.spool is not None
        return self.spool.at(rows)

    def schema(self) -> pa.Schema:
        """The fields of all objects as columns: of one type where they are, else JSON text."""
        assert self.kinds is not None
        return pa.schema([(name, _type_of(kinds) or pa.large_string()) for name, kinds in self.kinds.items()])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The fields of all objects as columns, batch by batch."""
        assert self.kinds is not None
        schema = self.schema()
        for rows in self._batches():
            columns = []
            for field in schema:
                values = [row.values.get(field.name) if isinstance(row, Row) else None for row in rows]
                if _type_of(self.kinds[field.name]) is None:
                    values = [None if value is None else _json_text(value) for value in values]
                if field.name == RAW:
                    values = [
                        _raw(row) if isinstance(row, Refused) else value
                        for value, row in zip(values, rows, strict=True)
                    ]
                columns.append(pa.array(values, field.type))
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def lines(self) -> Iterator[Sequence[bytes]]:
        """The rows as JSON objects, JSON lines as they stand; one that could not be read as an object that holds it."""
        for rows in self._batches():
            yield [_line(row) for row in rows]

    def _values(self, rows: Sequence[Row | Refused]) -> tuple[list[str | None], list[int | None]]:
        values: list[str | None] = []
        reasons: list[int | None] = []
        for row in rows:
            value = row.values.get(self.column) if isinstance(row, Row) else None
            if isinstance(value, str):
                values.append(value)
                reasons.append(None)
            else:
                values.append(None)
                reasons.append(NOT_JSON if isinstance(row, Refused) else NULL if value is None else NOT_TEXT)
            if self.guarded:
                self._look_at(row)
        return values, reasons

    def _look_at(self, row: Row | Refused) -> None:
        """Learn the fields of a row that is to be written."""
        values = row.values if isinstance(row, Row) else None
        if values is not None and not values.keys().isdisjoint(self.added):
            _refuse_added(self.path, list(values), self.added)
        if self.kinds is None:
            return
        for name, value in values.items() if values is not None else ((RAW, ""),):
            kinds = self.kinds.setdefault(name, set())
            if value is not None:
                kinds.add(_kind(value))
        if len(self.kinds) > MOST_FIELDS:
            raise UsageError(
                f"{self.path} has more than {MOST_FIELDS:,} different fields: end the name of --out in .jsonl"
            )

    def _sample(self) -> tuple[list[Mapping[str, Any]], str]:
        """The values of the first rows, and words for that where these are not all rows."""
        rows = list(islice(chain.from_iterable(self._batches()), SAMPLE_ROWS))
        sample = [row.values for row in rows if isinstance(row, Row)]
        if not rows:
            raise UsageError(f"{self.path} has no rows: it is blank, or has names of columns alone")
        if 2 * len(sample) < len(rows):
            problem = next(row.detail for row in rows if isinstance(row, Refused))
            raise UsageError(
                f"{self.path} is read as {self.kind}: of its first {len(rows)} rows {len(sample)} can be read; "
                f"{problem}"
            )
        return sample, f" in its first {SAMPLE_ROWS:,} lines" if len(rows) == SAMPLE_ROWS else ""

    def _holds(self, column: str) -> bool:
        return any(isinstance(row, Row) and column in row.values for rows in self._batches() for row in rows)

    def _batches(self) -> Iterator[list[Row | Refused]]:
        """The rows, some at a time.

        Raises:
            UsageError: a row is too large to be one.
            PersonaAssetsError: the file is damaged.
        """
        size = max(self.path.stat().st_size, 1)
        with open_table(self.path) as (form, opened):
            held: list[Row | Refused] = []
            first = 0
            for row in table_records(self.path, form, opened):
                held.append(row)
                place = row.offset or 0
                if place - first >= BLOCK_BYTES or len(held) >= BATCH_ROWS:
                    self.share = min(opened.raw.tell() / size, 1.0)
                    yield held
                    held, first = [], place
        self.share = 1.0
        if held:
            yield held


class _Spool:
    """Texts by row, in one closed file per block of rows: what has been added can be read while more is added."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.starts = [0]  # first row of each block, and of the next one

    def add(self, texts: pl.Series) -> None:
        texts.rename("text").to_frame().write_ipc(self._file(len(self.starts) - 1), compression="lz4")
        self.starts.append(self.starts[-1] + len(texts))

    def at(self, rows: Index) -> pl.Series:
        wanted, place = np.unique(rows, return_inverse=True)
        found = [pl.Series("text", [], pl.String)]
        for block, (low, high) in enumerate(pairwise(np.searchsorted(wanted, self.starts))):
            if low < high:
                texts = pl.read_ipc(self._file(block))["text"]
                found.append(texts.gather(wanted[low:high] - self.starts[block]))
        return pl.concat(found).gather(place)

    def _file(self, block: int) -> Path:
        return self.folder / f"{block}.arrow"


def _line(row: Row | Refused) -> bytes:
    if isinstance(row, Refused):
        return orjson.dumps({RAW: _raw(row)})
    return row.raw or _json_text(row.values).encode()


def _raw(row: Refused) -> str:
    return (row.raw or row.detail.encode()).decode(errors="replace")


def _json_text(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # nested deeper than orjson writes
        return json.dumps(value, ensure_ascii=False)


_KINDS = {str: "string", bool: "boolean", int: "integer", float: "float", list: "array", dict: "object"}


def _kind(value: object) -> str:
    """What a JSON value is; integers that a float, or no column of integers, can hold exactly are told apart."""
    if type(value) is int and not -(2**53) <= value <= 2**53:
        return "long integer" if -(2**63) <= value < 2**63 else "huge integer"
    return _KINDS[type(value)]


def _type_of(kinds: set[str]) -> pa.DataType | None:
    """The Arrow type of a field whose values are of these kinds; None where its values go into JSON text."""
    for held, kind in _TYPES:
        if kinds <= held:
            return kind
    return None


_TYPES = (
    (set[str](), pa.null()),
    ({"string"}, pa.large_string()),
    ({"boolean"}, pa.bool_()),
    ({"integer", "long integer"}, pa.int64()),
    ({"integer", "float"}, pa.float64()),
)


def _has_text(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(isinstance(row.get(name), str) for row in rows)
