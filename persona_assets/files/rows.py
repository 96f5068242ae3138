"""The rows of a table in a file, in batches and in bounded memory: JSON lines, JSON, CSV, TSV or Parquet.

What a row cannot be read from is told with it. JSON lines, CSV and TSV may be compressed (gz, zst, lz4).
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.files.bytestream import ByteStream
from persona_assets.files.detect import HEAD_BYTES, detect_layout
from persona_assets.files.open import open_crawl_file

BATCH_ROWS = 1024
LINE_BYTES = 64 << 20  # of one line
WHOLE_BYTES = 1 << 30  # of a JSON file, which is read at once
_FIELD_CHARACTERS = 64 << 20  # of one field of a CSV file
_SHOWN = 80
_LINE_END = re.compile(rb"\n")


@dataclass(frozen=True, slots=True)
class Row:
    """One row, from 1 on; `values` is None where it could not be read, and `problem` says why."""

    number: int
    values: Mapping[str, Any] | None
    problem: str = ""


Rows = Iterator[list[Row]]


@contextmanager
def open_rows(path: Path) -> Iterator[tuple[str, Rows]]:
    """The format of a file, by its content or else its name, and its rows in batches.

    Raises:
        UsageError: no such file, or no table in a known format.
        PersonaAssetsError: the file is damaged; while rows are read.
    """
    if not path.is_file():
        raise UsageError(f"{path}: {'is a folder: name one file in it' if path.is_dir() else 'no such file'}")
    with open_crawl_file(path) as opened:
        stream = opened.stream
        stream.ensure(HEAD_BYTES)
        kind = _format(path, stream[0:HEAD_BYTES])
        if kind == "parquet":
            if opened.compression:
                raise UsageError(f"{path}: Parquet within {opened.compression}: decompress it first")
            yield kind, _parquet(path)
        else:
            yield kind, _batches(FORMATS[kind](path, stream))
            if fault := stream.take_fault():
                raise PersonaAssetsError(f"{path} is damaged: {fault.detail}")


def _format(path: Path, head: bytes) -> str:
    layout = detect_layout(head)
    names = [suffix.lstrip(".").lower() for suffix in path.suffixes]
    if layout in ("parquet", "empty"):
        return "jsonl" if layout == "empty" else "parquet"
    if named := next((name for name in reversed(names) if name in ("csv", "tsv")), None):
        return named
    if layout in ("jsonl", "json"):
        return layout
    raise UsageError(
        f"{path}: no table in a known format: JSON lines, JSON, Parquet, or CSV and TSV with these endings"
    )


def _lines(path: Path, stream: ByteStream) -> Iterator[bytes]:
    """The lines of a stream without their ends."""
    while len(stream) or stream.ensure(1):
        found = stream.search(_LINE_END, 0, LINE_BYTES)
        if found is None and stream.ensure(LINE_BYTES):
            raise PersonaAssetsError(f"{path}: a line is longer than {LINE_BYTES >> 20} MiB")
        yield stream.take(found[1] if found else len(stream)).rstrip(b"\r\n")


def _json_lines(path: Path, stream: ByteStream) -> Iterator[Mapping[str, Any] | str]:
    for line in _lines(path, stream):
        text = line.removeprefix(b"\xef\xbb\xbf")
        if not text.strip():
            continue
        try:
            yield _object(orjson.loads(text))
        except orjson.JSONDecodeError as error:
            yield f"not JSON: {str(error)[:_SHOWN]}"


def _json(path: Path, stream: ByteStream) -> Iterator[Mapping[str, Any] | str]:
    """The objects of a JSON array."""
    if stream.ensure(WHOLE_BYTES):
        raise UsageError(f"{path} is larger than {WHOLE_BYTES >> 20} MiB; write it as JSON lines")
    try:
        value = json.loads(stream.take(len(stream)).removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        raise PersonaAssetsError(f"{path}: not JSON: {error}") from error
    for one in value if isinstance(value, list) else [value]:
        yield _object(one)


def _object(value: Any) -> Mapping[str, Any] | str:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, dict) else f"{json.dumps(value)[:_SHOWN]} is not an object with fields"


def _csv(path: Path, stream: ByteStream) -> Iterator[Mapping[str, Any] | str]:
    yield from _delimited(path, stream, delimiter=",", quoting=csv.QUOTE_MINIMAL)


def _tsv(path: Path, stream: ByteStream) -> Iterator[Mapping[str, Any] | str]:
    """Fields between tabs, as they stand: the format knows no quotes (IANA, text/tab-separated-values)."""
    yield from _delimited(path, stream, delimiter="\t", quoting=csv.QUOTE_NONE)


def _delimited(
    path: Path, stream: ByteStream, *, delimiter: str, quoting: Literal[0, 3]
) -> Iterator[Mapping[str, Any] | str]:
    csv.field_size_limit(_FIELD_CHARACTERS)
    texts = (line.decode("utf-8-sig", "replace") + "\n" for line in _lines(path, stream))
    reader = csv.reader(texts, delimiter=delimiter, quoting=quoting, strict=False)
    try:
        names = next(reader, [])
        for row in reader:
            if not row:
                continue
            if len(row) > len(names):
                yield f"{len(row)} fields where the first line names {len(names)}"
            else:
                yield dict(zip(names, row, strict=False))
    except csv.Error as error:
        raise PersonaAssetsError(f"{path}: {error}") from error


def _batches(found: Iterator[Mapping[str, Any] | str]) -> Rows:
    numbered = enumerate(found, 1)
    while batch := list(islice(numbered, BATCH_ROWS)):
        yield [Row(number, None, one) if isinstance(one, str) else Row(number, one) for number, one in batch]


def _parquet(path: Path) -> Rows:
    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                rows = batch.to_pylist()
                yield [Row(number + place, values) for place, values in enumerate(rows, 1)]
                number += len(rows)
    except (pa.ArrowException, OSError) as error:
        raise PersonaAssetsError(f"{path} is damaged: {error}") from error


FORMATS: Mapping[str, Callable[[Path, ByteStream], Iterator[Mapping[str, Any] | str]]] = {
    "jsonl": _json_lines,
    "json": _json,
    "csv": _csv,
    "tsv": _tsv,
}
