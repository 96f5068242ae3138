"""Data files as tables: themes, surveys, characters, benchmarks. Each file, or each row, is a partition.

```yaml
reads: {file: surveys/*.yaml}                                   # a partition for each file, by the file's name
reads: {file: types.yaml, rows: types, partitions: rows}        # a partition for each row, by its id
reads: {file: logs/**/*, table: logs}                           # by the names of its folders and its own, joined by -
reads: {file: recipes/*.yaml, partitions: over}                 # by the file's name and values: types-INTJ-en
```

With `over` a file is one mapping, which may list values by name under that key: a partition is a combination of these,
and its row holds it as JSON text in `of`. Names under its key `variants` are further ones, beside the file as it is.
The partitions are a *named set*, called as the table is.

What stands in a file:

| file | rows |
| --- | --- |
| `.yaml`, `.yml`, `.json` | a list has a row per item, a mapping is one row; under `rows` stand a list, or rows by id |
| `.jsonl` | a row per line |
| `.csv`, `.tsv` | a row per line, with a header |
| `.parquet` | its rows |
| `.txt`, `.md` | one row, whose `text` is the file's |

A column has the type that holds all its values, of texts and numbers together text; lists and mappings become columns
of lists and structs. A row that does not fit is set aside: `empty`, `repeated`, `not_a_row`, `wrong_key`, `wrong_type`
(a list or mapping where the first value by file and place is none, or the other way round). A file that cannot be read
gives no row and one reject, `unreadable`.
"""

import csv
import io
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from itertools import product, takewhile
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from persona_assets.errors import UsageError
from persona_assets.ids import Json, canonical_json, digest, make_id
from persona_assets.lake import Column, Table
from persona_assets.lake.schemas import REJECTED, RUN_COLUMNS
from persona_assets.lake.store import check_key
from persona_assets.prompts.load import files_of
from persona_assets.prompts.template import Reads
from persona_assets.steps.model import Context, Reject, Report

MOST_BYTES = 64 << 20  # of a data file; what is larger belongs into a dump
KINDS = (".csv", ".json", ".jsonl", ".md", ".parquet", ".tsv", ".txt", ".yaml", ".yml")
GONE = "its data file is gone"
_OWN = ("row_id", "file", "place")
OVER, OF = "over", "of"  # the key of a file that lists values, and the column that holds a partition's
VARIANT, VARIANTS = "variant", "variants"  # the name of a partition's variant among its values, and the key of a file
_RESERVED = frozenset((*_OWN, *(column.name for column in RUN_COLUMNS)))
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,62}")
_HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair, which JSON can hold and no text
_WILDCARD = re.compile(r"[*?[]")
_ROWS = 8192  # rows made and written at once
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT64 = 2**63
_SCALARS = (pl.String, pl.Int64, pl.Float64, pl.Boolean)
Stamp = tuple[int, int]  # of a file: its time of change in ns, and its bytes


@dataclass(frozen=True)
class Source:
    """Where the rows of a partition stand: a file, and for a partition of one row its place there.

    `content` is the digest of the file, or of the row.
    """

    path: Path
    content: str
    place: int | None = None
    of: Mapping[str, str] | None = None  # the values of `over` that the partition is of


@dataclass(frozen=True)
class Looked:
    """The partitions that the files give now, in order, and what was not understood."""

    sources: Mapping[str, Source]
    warnings: tuple[str, ...] = ()


class DataRow(dict[str, Any]):
    """A row as it stands in a file now, by column; `key` is its partition, `path` its file."""

    def __init__(self, columns: Mapping[str, Any], key: str, path: Path) -> None:
        """Nothing is copied further than one level."""
        super().__init__(columns)
        self.key, self.path = key, path


class DataStep:
    """Reads data files into a table."""

    def __init__(self, declared: Reads, declared_in: Path, folder: Path | None = None) -> None:
        """`declared_in` is the file that names them; they are looked for in `folder`, by default its own.

        Nothing is read yet.
        """
        self.declared, self.declared_in, self.folder = declared, declared_in, folder or declared_in.parent
        self.name = declared.name
        self.stands_in = folder is not None  # whether these are a user's, in place of those beside the declaration

    tables_read: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Shown in the UI."""
        each = {"files": "file", "rows": "row", OVER: "file, or a combination of its values"}[self.declared.partitions]
        return f"The rows of {self.declared.file}; a partition is a {each}."

    # What there is

    @property
    def paths(self) -> list[Path]:
        """The files, by name."""
        return [path for path in files_of(self.folder, self.declared.file) if path.suffix.lower() in KINDS]

    def look(self) -> Looked:
        """The partitions that there are now."""
        sources: dict[str, Source] = {}
        warnings = []
        for key, source in self._candidates():
            try:
                if "." in check_key(key):
                    raise UsageError(f"{key!r} is not a partition key of a named set: it holds a dot")
            except UsageError as error:
                warnings.append(f"{self._shown(source.path)}: {error}; rename it")
                continue
            if key in sources:
                warnings.append(f"{self._shown(source.path)}: {key} is there already, in {sources[key].path.name}")
                continue
            sources[key] = source
        if not self.paths:
            warnings.append(f"{self.declared_in}: there is no file {self.folder / self.declared.file}")
        return Looked(sources, tuple(warnings))

    def _candidates(self) -> Iterator[tuple[str, Source]]:
        for path in self.paths:
            if self.declared.partitions == "files":
                yield self._key(path), Source(path, _digest(path, stamp(path)))
            elif self.declared.partitions == OVER:
                for values in _combinations(path, stamp(path)):
                    key = "-".join((self._key(path), *values.values()))
                    yield key, Source(path, _digest(path, stamp(path)), None, values)
            else:
                for place, (key, content) in enumerate(_keyed(path, stamp(path), self.declared.rows)):
                    yield key, Source(path, content, place)

    def _key(self, path: Path) -> str:
        """A file's partition: its name, after those of the folders that a wildcard stands for."""
        folders = Path(self.declared.file).parts[:-1]
        fixed = list(takewhile(lambda part: not _WILDCARD.search(part), folders))
        named = path.relative_to(self.folder).parts[len(fixed) : -1] if len(fixed) < len(folders) else ()
        return "-".join((*named, path.stem))

    def inputs(self, source: Source | None) -> dict[str, str]:
        """What a partition would be made from now; None: its file is gone."""
        return {f"{self.name}/{self._shown(source.path)}": source.content} if source else {f"{self.name}/file": ""}

    def _shown(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.folder)).as_posix()

    # Its table

    @cached_property
    def table(self) -> Table:
        """The table; its own columns are those that the files have now.

        Raises:
            UsageError: no column at all can be read.
        """
        types: dict[str, pl.DataType] = {}
        for path in self.paths:
            for name, dtype in _types(path, stamp(path), self.declared.rows).items():
                known = types.get(name)
                types[name] = dtype if known is None else _merged_or(known, dtype)
        types |= {name: pl.String() for name in self.declared.texts if name in types}
        types |= {OF: pl.String()} if self.declared.partitions == OVER else {}
        own = [
            Column(name, _settled(dtype), f"{name}, as the data file has it", nullable=True)
            for name, dtype in types.items()
        ]
        return Table(
            self.name,
            "row_id",
            (
                Column("row_id", pl.String(), "Digest of table, partition and content"),
                Column("file", pl.String(), "Data file, from the folder of the file that names it"),
                Column("place", pl.Int64(), "Place of the row in the file, from 0"),
                *own,
                *RUN_COLUMNS,
            ),
            partition=self.name,
            gates=("reject_rate",),
            volatile=("run_id", "created_at", "place"),
        )

    @property
    def own_columns(self) -> list[str]:
        """The columns that the files have."""
        return [name for name in self.table.polars if name not in _RESERVED]

    # Rows

    def rows(self, key: str) -> Iterator[dict[str, Any] | tuple[int, Reject]]:
        """The rows of a partition without the columns of the run, and what is set aside with its place.

        Raises:
            KeyError: there is no such partition.
        """
        return self._rows_of(key, self.look().sources[key])

    def _rows_of(self, key: str, source: Source) -> Iterator[dict[str, Any] | tuple[int, Reject]]:
        file, seen = self._shown(source.path), set()
        for place, row in _read(source.path, self.declared.rows):
            if source.place not in (None, place):
                continue
            row = self._with_texts(row)
            if source.of is not None and isinstance(row, dict):
                row[OF] = json.dumps(source.of, ensure_ascii=False)
            found = self._fault(row) if not isinstance(row, Reject) else row
            if found is None:
                assert isinstance(row, dict)
                held = {name: _as(self.table.polars[name], value) for name, value in row.items()}
                content = {name: value for name, value in held.items() if value is not None}
                row_id = make_id("row", self.name, key, content)
                if row_id not in seen:
                    seen.add(row_id)
                    yield {"row_id": row_id, "file": file, "place": place, **content}
                    continue
                found = Reject("repeated", "the row stands there before")
            yield place, replace(found, row_id=make_id("rec", self.name, key, place))

    def all_rows(self) -> Iterator[DataRow]:
        """The rows of all partitions, without what is set aside."""
        for key, source in self.look().sources.items():
            yield from (DataRow(row, key, source.path) for row in self._rows_of(key, source) if isinstance(row, dict))

    def _with_texts(self, row: Json) -> Json:
        """A row whose columns of `texts` are JSON text."""
        if not isinstance(row, dict):
            return row
        texts = {name: row[name] for name in self.declared.texts if not isinstance(row.get(name), str | None)}
        return {**row, **{name: json.dumps(value, ensure_ascii=False) for name, value in texts.items()}}

    def _fault(self, row: Json) -> Reject | None:
        """Why a row cannot be one of the table."""
        if not isinstance(row, dict):
            return Reject("not_a_row", f"{_short(row)} is not a row with columns")
        most = self.declared.most_bytes
        if (
            most is not None
            and (size := len(json.dumps(row, ensure_ascii=False, default=str).encode(errors="replace"))) > most
        ):
            return Reject("too_large", f"it has {size:,} bytes, over {most:,}: shorten it")
        if all(value in (None, "", {}) for value in row.values()):
            return Reject("empty", "it holds nothing")
        for name, value in row.items():
            if not isinstance(name, str) or name not in self.table.polars or name in _RESERVED:
                return Reject("wrong_key", f"{_short(name)} cannot be a column: use lower-case letters, digits and _")
            dtype = self.table.polars[name]
            try:
                merged = _merged(dtype, _type_of(value))
            except _Differ as error:
                return Reject("wrong_type", f"{name} is {error}")
            assert _settled(merged) == dtype  # the table's types are those of all files
        return None

    def run(self, context: Context, key: str) -> Report:
        """Write a partition; `inputs` are the rows of its file."""
        began, report = time.monotonic(), Report()
        run = {"shard": key, "run_id": context.run_id, "created_at": datetime.now(UTC)}
        with context.partition(self.table, key) as part:
            rows: list[dict[str, Any]] = []
            aside: list[dict[str, Any]] = []
            for one in self.rows(key):
                report.inputs += 1
                if isinstance(one, dict):
                    rows.append(one)
                else:
                    aside.append(self._reject(*one, key))
                if len(rows) >= _ROWS:
                    part.rows.append(self._frame(rows, run))
                    report.kept, rows = report.kept + len(rows), []
            part.rows.append(self._frame(rows, run))
            report.kept += len(rows)
            if aside:
                part.rejects.append(pl.DataFrame([one | run for one in aside], schema=REJECTED.polars))
                report.rejected.update(one["reason"] for one in aside)
        report.seconds = time.monotonic() - began
        return report

    def _frame(self, rows: Iterable[dict[str, Any]], run: Mapping[str, Any]) -> pl.DataFrame:
        return pl.DataFrame([{**row, **run} for row in rows], schema=self.table.polars)

    def _reject(self, place: int, reject: Reject, key: str) -> dict[str, Any]:
        return {
            "asset": self.name,
            "row_id": reject.row_id,
            "parent_id": None,
            "reason": reject.reason,
            "detail": reject.detail,
            "file": self._shown(self.look().sources[key].path),
            "record_offset": place,
            "call_id": None,
        }


def stamp(path: Path) -> Stamp:
    """What tells whether a file has changed: its time of change in nanoseconds, and its bytes."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=4096)
def _digest(path: Path, now: Stamp) -> str:
    return digest(path.read_bytes())


@lru_cache(maxsize=1024)
def _keyed(path: Path, now: Stamp, key: str) -> tuple[tuple[str, str], ...]:
    """The id of each row of a file, "" where it has none, and the digest of the row."""
    found = []
    for _, row in _read(path, key):
        row_id = row.get("id") if isinstance(row, dict) else None
        found.append(("" if row_id is None else str(row_id), digest(repr(row).encode())))
    return tuple(found)


@lru_cache(maxsize=1024)
def _combinations(path: Path, now: Stamp) -> tuple[dict[str, str], ...]:
    """The combinations of the values that a file lists; one without any where it lists none that can be understood."""
    row = next((row for _, row in _read(path, "")), None)
    row = row if isinstance(row, dict) else {}
    over, variants = row.get(OVER), row.get(VARIANTS)
    if not isinstance(over, dict) or not all(isinstance(values, list) and values for values in over.values()):
        over = {}
    named = [{}, *({VARIANT: str(name)} for name in (variants if isinstance(variants, dict) else ()))]
    several = [dict(zip(over, map(str, values), strict=True)) for values in product(*over.values())]
    return tuple({**values, **variant} for variant in named for values in several)


# What stands in a file


def _read(path: Path, key: str) -> Iterator[tuple[int, Json | Reject]]:
    """The rows of a file with their places, and rejects of what cannot be read."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES >> 20} MiB; put it into a dump")
        yield from enumerate(_readers(path, key))
    except (OSError, ValueError, RecursionError, yaml.YAMLError, csv.Error, pl.exceptions.PolarsError) as error:
        yield 0, Reject("unreadable", f"{path.name}: {' '.join(str(error).split())[:300]}")


def _readers(path: Path, key: str) -> Iterable[Json | Reject]:
    if path.suffix.lower() == ".parquet":
        return (_plain(row) for row in pl.read_parquet(path).iter_rows(named=True))
    text, kind = path.read_text(encoding="utf-8-sig"), path.suffix.lower()
    if kind in (".txt", ".md"):
        return [{"text": text}]
    if kind == ".jsonl":
        return [_line(line) for line in text.split("\n") if line.strip()]
    if kind in (".csv", ".tsv"):
        between = "," if kind == ".csv" else "\t"
        return [_cells(row) for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=between, strict=True)]
    value = json.loads(text) if kind == ".json" else yaml.load(text, Loader=_YAML)
    return _items(value, key, path)


def _items(value: Json, key: str, path: Path) -> list[Json]:
    if key:
        if not isinstance(value, dict) or key not in value:
            raise ValueError(f"it has no key {key}")
        value = value[key]
        if isinstance(value, dict):
            return [{"id": name, **(row if isinstance(row, dict) else {"value": row})} for name, row in value.items()]
    if isinstance(value, dict):
        return [_plain(value)]
    if not isinstance(value, list):
        raise ValueError("it holds neither a list nor a mapping")
    return [_plain(row if isinstance(row, dict) else {"value": row}) for row in value]


def _line(line: str) -> Json | Reject:
    try:
        return json.loads(line)
    except ValueError as error:
        return Reject("unreadable", f"not JSON: {error}")


def _cells(row: dict[str, Any]) -> Json | Reject:
    """A line of CSV; an empty cell is nothing."""
    if None in row or None in row.values():
        return Reject("not_a_row", "it has another number of cells than the header")
    return {name: value or None for name, value in row.items()}


def _plain(value: Json) -> Json:
    """Dates, which YAML has, as text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


# Types


class _Differ(ValueError):
    """Two values that no column can hold together."""


@lru_cache(maxsize=1024)
def _types(path: Path, now: Stamp, key: str) -> dict[str, pl.DataType]:
    """The type of each column of a file, from its first value on; what does not fit is not looked at."""
    found: dict[str, pl.DataType] = {}
    for _, row in _read(path, key):
        if not isinstance(row, dict):
            continue
        for name, value in row.items():
            if not isinstance(name, str) or not _COLUMN.fullmatch(name) or name in _RESERVED:
                continue
            try:
                dtype = _type_of(value)
            except _Differ:
                continue
            found[name] = _merged_or(found.get(name, pl.Null()), dtype)
    return found


def _type_of(value: Json) -> pl.DataType:
    """The column type of a value.

    Raises:
        _Differ: there is none.
    """
    if isinstance(value, bool):
        return pl.Boolean()
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise _Differ(f"{value}, which no 64-bit column holds")
        return pl.Int64()
    if isinstance(value, float):
        return pl.Float64()
    if isinstance(value, str):
        return _text_type(value)
    if isinstance(value, list):
        inner: pl.DataType = pl.Null()
        for one in value:
            inner = _merged(inner, _type_of(one))
        return pl.List(inner)
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise _Differ(f"{_short(value)}, whose key {name!r} is no text")
        return pl.Struct({name: _type_of(one) for name, one in value.items()}) if value else pl.Null()
    if value is None:
        return pl.Null()
    raise _Differ(f"{_short(value)}, of no type that a column can have")


def _text_type(value: str) -> pl.DataType:
    if _HALF.search(value):
        raise _Differ(f"a text with half a character: {value[:40]!a}")
    return pl.String()


def _merged(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    """The type of a column that holds values of both.

    Raises:
        _Differ: there is none.
    """
    if one == other or isinstance(other, pl.Null):
        return one
    if isinstance(one, pl.Null):
        return other
    if {type(one), type(other)} == {pl.Int64, pl.Float64}:
        return pl.Float64()
    if type(one) in _SCALARS and type(other) in _SCALARS:
        return pl.String()
    if isinstance(one, pl.List) and isinstance(other, pl.List):
        return pl.List(_merged(_instance(one.inner), _instance(other.inner)))
    if isinstance(one, pl.Struct) and isinstance(other, pl.Struct):
        fields = {part.name: _instance(part.dtype) for part in one.fields}
        for part in other.fields:
            fields[part.name] = _merged(fields.get(part.name, pl.Null()), _instance(part.dtype))
        return pl.Struct(fields)
    raise _Differ(f"{other}, where others are {one}")


def _as(dtype: pl.DataType, value: Json) -> Json:
    """A value as its column holds it: numbers as text where others are text, an empty mapping as nothing."""
    if value is None or value == {}:
        return None
    if isinstance(dtype, pl.List):
        return [_as(_instance(dtype.inner), one) for one in value]
    if isinstance(dtype, pl.Struct):
        return {part.name: _as(_instance(part.dtype), value.get(part.name)) for part in dtype.fields}
    if isinstance(dtype, pl.String) and not isinstance(value, str):
        return canonical_json(value).decode()
    return float(value) if isinstance(dtype, pl.Float64) else value


def _merged_or(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    """The same, or the first where the two do not go together."""
    try:
        return _merged(one, other)
    except _Differ:
        return one


def _settled(dtype: pl.DataType) -> pl.DataType:
    """A type without what nothing is known of, which is taken for text."""
    if isinstance(dtype, pl.Null):
        return pl.String()
    if isinstance(dtype, pl.List):
        return pl.List(_settled(_instance(dtype.inner)))
    if isinstance(dtype, pl.Struct):
        return pl.Struct({part.name: _settled(_instance(part.dtype)) for part in dtype.fields})
    return dtype


def _instance(dtype: Any) -> pl.DataType:  # noqa: ANN401 - a Polars type, as class or instance
    found: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return found


def _short(value: object) -> str:
    try:
        text = canonical_json(value).decode()
    except TypeError:
        text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
