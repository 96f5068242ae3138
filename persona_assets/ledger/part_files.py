"""The ledger's parts: Parquet files with small row groups, how their rows are read, and their merge."""

import io
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import IO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from numpy.typing import NDArray

from persona_assets.lake.schemas import CALLS
from persona_assets.ledger.call import RANK, Call, values
from persona_assets.ledger.index import Keys, check_columns

# Calls are kept in the order they were made, so a second run's questions, in about that order, meet few row groups.
ROW_GROUP_ROWS = 4096
OPEN_PARTS = 16  # kept open by a reader
DECODED_BYTES = 1 << 26  # of row groups that a reader keeps, as the next look-up goes on where the last one ended
_COMPAT = pl.CompatLevel.oldest()  # plain Arrow strings, which every Parquet reader knows
_UNLIKE = {
    "call_id",
    "fill",
    "answer",
    "thought",
    "latency_s",
    "created_at",
}  # columns of which hardly two cells are alike
_ALIKE = [name for name in CALLS.polars if name not in _UNLIKE]
Rows = NDArray[np.int64]


@cache  # made where it is asked for: what computes when it is imported starts threads, which no fork has
def _schema() -> pa.Schema:
    return pl.DataFrame(schema=CALLS.polars).to_arrow(compat_level=_COMPAT).schema


def calls_frame(calls: Sequence[Call]) -> pl.DataFrame:
    """Calls in columns, exactly those of `CALLS`."""
    cells = zip(*map(values, calls), strict=True) if calls else [()] * len(CALLS.columns)
    columns = zip(CALLS.polars.items(), cells, strict=True)
    return pl.DataFrame([pl.Series(name, column, dtype) for (name, dtype), column in columns])


def each_once(frame: pl.DataFrame) -> pl.DataFrame:
    """Calls without those whose id another one of lower rank has, in the same order."""
    if frame["call_id"].n_unique() == frame.height:
        return frame
    ranked = frame.with_row_index("_row").sort("call_id", *RANK, "_row")
    return ranked.unique("call_id", keep="first", maintain_order=True).sort("_row").drop("_row")


def encode_frame(frame: pl.DataFrame) -> bytes:
    """The bytes of one part with these calls, which have exactly the columns of `CALLS`."""
    buffer = io.BytesIO()
    with _writer(buffer) as parquet:
        parquet.write_table(frame.to_arrow(compat_level=_COMPAT), row_group_size=ROW_GROUP_ROWS)
    return buffer.getvalue()


class PartReader:
    """Reads rows of parts; keeps a few parts open, and what it decoded last."""

    def __init__(self, fs: AbstractFileSystem) -> None:
        """Bind to a file system; nothing is open yet."""
        self._fs = fs
        self._open: OrderedDict[str, _Part] = OrderedDict()
        self._decoded: OrderedDict[tuple[str, int, tuple[str, ...]], pl.DataFrame] = OrderedDict()
        self._bytes = 0

    def rows(self, path: str, rows: Rows, columns: Sequence[str]) -> pl.DataFrame:
        """These ascending rows of a part; only the row groups that hold them are read.

        Raises:
            pyarrow.ArrowException, OSError, ValueError: it is not a whole part.
            FileNotFoundError: it is gone.
        """
        part = self._part(path)
        found = [self._group(path, group, tuple(columns))[picked] for group, picked in part.by_group(rows)]
        return pl.concat(found)

    def forget(self, path: str) -> None:
        """Let go of a part that is gone."""
        part = self._open.pop(path, None)
        if part:
            part.close()
        for key in [key for key in self._decoded if key[0] == path]:
            self._bytes -= int(self._decoded.pop(key).estimated_size())

    def _part(self, path: str) -> "_Part":
        part = self._open.pop(path, None) or _Part(self._fs, path)
        self._open[path] = part
        if len(self._open) > OPEN_PARTS:
            _, oldest = self._open.popitem(last=False)
            oldest.close()
        return part

    def _group(self, path: str, group: int, columns: tuple[str, ...]) -> pl.DataFrame:
        frame = self._decoded.pop((path, group, columns), None)
        if frame is None:
            frame = pl.DataFrame(self._open[path].table(group, columns))
            self._bytes += int(frame.estimated_size())
        self._decoded[path, group, columns] = frame
        while self._bytes > DECODED_BYTES and len(self._decoded) > 1:
            _, oldest = self._decoded.popitem(last=False)
            self._bytes -= int(oldest.estimated_size())
        return frame


class _Part:
    """One open part."""

    def __init__(self, fs: AbstractFileSystem, path: str) -> None:
        self._file = fs.open(path, "rb")
        try:
            self.parquet = pq.ParquetFile(self._file, page_checksum_verification=True)
            check_columns(self.parquet.schema_arrow.names)
        except BaseException:
            self._file.close()
            raise
        groups = range(self.parquet.metadata.num_row_groups)
        self.starts = np.cumsum([0, *(self.parquet.metadata.row_group(group).num_rows for group in groups)])

    def by_group(self, rows: Rows) -> Iterator[tuple[int, Rows]]:
        """Each row group that holds some of the ascending `rows`, and where in it they stand."""
        groups = np.searchsorted(self.starts, rows, "right") - 1
        for group in np.unique(groups).tolist():
            if group >= len(self.starts) - 1:
                raise ValueError(f"it has {self.starts[-1]} rows")
            yield group, rows[groups == group] - self.starts[group]

    def table(self, group: int, columns: Sequence[str]) -> pa.Table:
        """A row group, with columns that were added later."""
        there = self.parquet.schema_arrow.names
        table = self.parquet.read_row_group(group, columns=[name for name in columns if name in there])
        return _with_later(table, columns)

    def close(self) -> None:
        self.parquet.close()
        self._file.close()

    def __enter__(self) -> "_Part":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def merge_parts(fs: AbstractFileSystem, keys: Mapping[str, Keys], target: str) -> None:
    """Write the calls of some parts, each id once, to the file `target`. `keys` are those of each part's calls.

    Holds 50 bytes per call and one row group. The result depends on the parts' content only: parts follow each other
    by their first call's rank.
    """
    paths = sorted(keys)
    dropped = _superseded(fs, paths, [keys[path] for path in paths])
    first = pl.concat(_ranks(fs, path, np.zeros(1, np.int64), number) for number, path in enumerate(paths))
    with fs.open(target, "wb") as file, _writer(file) as parquet:
        waiting: list[pa.Table] = []
        for number in first.sort(*RANK, "part")["part"]:
            for table in _tables(fs, paths[number], dropped[number]):
                waiting.append(table)
                if sum(map(len, waiting)) >= ROW_GROUP_ROWS:
                    whole = pa.concat_tables(waiting)
                    parquet.write_table(whole.slice(0, ROW_GROUP_ROWS))
                    waiting = [whole.slice(ROW_GROUP_ROWS)]
        if any(map(len, waiting)):
            parquet.write_table(pa.concat_tables(waiting))


def columns_of(fs: AbstractFileSystem, path: str) -> list[str]:
    """The columns of a part, of whichever version.

    Raises:
        pyarrow.ArrowException, OSError: it is not a whole part.
    """
    with fs.open(path, "rb") as file:
        return list(pq.read_schema(file).names)


def rename_columns(fs: AbstractFileSystem, path: str, target: str, names: Mapping[str, str]) -> int:
    """Write a part of an earlier version, some of whose columns had other names, to the file `target`.

    Holds one row group. Returns the number of calls.

    Raises:
        pyarrow.ArrowException, OSError: it is not a whole part.
    """
    with fs.open(path, "rb") as file, fs.open(target, "wb") as new, _writer(new) as parquet:
        part = pq.ParquetFile(file, page_checksum_verification=True)
        for group in range(part.metadata.num_row_groups):
            table = part.read_row_group(group)
            table = table.rename_columns([names.get(name, name) for name in table.column_names])
            parquet.write_table(_with_later(table, CALLS.polars.names()).cast(_schema()))
        return int(part.metadata.num_rows)


def _with_later(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """These columns of a table; those that were added later and that it lacks have their default."""
    for name in columns:
        if name not in table.column_names:
            value = pa.scalar(CALLS.later[name], _schema().field(name).type)
            table = table.append_column(_schema().field(name), pa.repeat(value, len(table)))
    return table.select(list(columns))


def _superseded(fs: AbstractFileSystem, paths: Sequence[str], keys: Sequence[Keys]) -> dict[int, Rows]:
    """By number of the part, its rows whose call stands elsewhere in these parts with a lower rank."""
    high, low = (np.concatenate(halves) for halves in zip(*keys, strict=True))
    starts = np.cumsum([0, *(len(part) for part, _ in keys)])
    order = np.lexsort((low, high))
    same = (np.diff(high[order]) == 0) & (np.diff(low[order]) == 0)
    rows = np.unique(np.concatenate([order[:-1][same], order[1:][same]]))
    parts = np.searchsorted(starts, rows, "right") - 1
    copies = [_ranks(fs, paths[part], rows[parts == part] - starts[part], part) for part in np.unique(parts).tolist()]
    if not copies:
        return dict.fromkeys(range(len(paths)), np.empty(0, np.int64))
    later = (
        pl.concat(copies)
        .sort("call_id", *RANK, "part", "row")
        .filter(pl.col("call_id") == pl.col("call_id").shift())
        .sort("row")
    )
    return {number: later.filter(part=number)["row"].to_numpy() for number in range(len(paths))}


def _ranks(fs: AbstractFileSystem, path: str, rows: Rows, number: int) -> pl.DataFrame:
    """Ids and ranks of these ascending rows of a part, with its number."""
    with _Part(fs, path) as part:
        tables = [pl.DataFrame(part.table(group, ("call_id", *RANK)))[picked] for group, picked in part.by_group(rows)]
    return pl.concat(tables).with_columns(pl.Series("row", rows), part=pl.lit(number, pl.Int64()))


def _tables(fs: AbstractFileSystem, path: str, dropped: Rows) -> Iterator[pa.Table]:
    """A part without some rows, row group by row group."""
    with _Part(fs, path) as part:
        for group, (start, end) in enumerate(pairwise(part.starts.tolist())):
            table = part.table(group, CALLS.polars.names())
            without = dropped[slice(*np.searchsorted(dropped, (start, end)))]
            yield table.take(np.delete(np.arange(end - start), without - start)) if len(without) else table


def _writer(file: IO[bytes]) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        file,
        _schema(),
        compression="zstd",
        use_dictionary=_ALIKE,
        write_statistics=[*_ALIKE, "created_at"],
        write_page_checksum=True,
    )
