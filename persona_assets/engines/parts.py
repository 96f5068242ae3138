"""The ledger's parts: Parquet files with small row groups, a key index over each, and their merge."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import IO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from numpy.typing import NDArray

from persona_assets.engines.call import RANK, Call, values
from persona_assets.lake.schemas import CALLS

# Calls are kept in the order they were made, so a second run's questions, in about that order, meet few row groups.
ROW_GROUP_ROWS = 2048
_COMPAT = pl.CompatLevel.oldest()  # plain Arrow strings, which every Parquet reader knows
_SCHEMA = pl.DataFrame(schema=CALLS.polars).to_arrow(compat_level=_COMPAT).schema
Keys = NDArray[np.uint64]
Rows = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class KeyIndex:
    """Where each call of a part stands: 12 bytes per call."""

    keys: Keys  # 64-bit hashes of the ids, sorted
    rows: Rows  # the row of each

    def __len__(self) -> int:
        return len(self.keys)

    def rows_of(self, probes: Keys) -> Rows:
        """Rows whose id may be one of those hashed in `probes`, ascending."""
        left = np.searchsorted(self.keys, probes, "left")
        right = np.searchsorted(self.keys, probes, "right")
        hits = np.flatnonzero(right > left)
        if not len(hits):
            return self.rows[:0]
        return np.sort(np.concatenate([self.rows[left[hit] : right[hit]] for hit in hits]))


def hash_ids(call_ids: pl.Series) -> Keys:
    """64-bit hashes of ids, sorted. In memory only: another machine or version may hash otherwise."""
    return np.sort(call_ids.hash().to_numpy())


def file_digest(fs: AbstractFileSystem, path: str) -> str:
    """blake2b-128 of a file's bytes, read in pieces; `ids.digest` for what does not fit in memory."""
    hasher = hashlib.blake2b(digest_size=16)
    with fs.open(path, "rb") as file:
        while block := file.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()


def encode_calls(calls: Sequence[Call]) -> bytes:
    """The bytes of one part; the later of two calls with one id is left out."""
    unique = {call.call_id: call for call in sorted(calls, key=lambda call: call.rank, reverse=True)}
    rows = [values(call) for call in calls if unique[call.call_id] is call]
    columns = zip(CALLS.polars.items(), zip(*rows, strict=True), strict=True)
    frame = pl.DataFrame([pl.Series(name, cells, dtype) for (name, dtype), cells in columns])
    buffer = io.BytesIO()
    with _writer(buffer) as parquet:
        parquet.write_table(frame.to_arrow(compat_level=_COMPAT).cast(_SCHEMA), row_group_size=ROW_GROUP_ROWS)
    return buffer.getvalue()


def read_index(fs: AbstractFileSystem, path: str) -> KeyIndex:
    """The key index of a part; one of `UNREADABLE` is raised where it is not a whole part."""
    with _reader(fs, path) as part:
        if part.schema_arrow.names != _SCHEMA.names:
            raise ValueError(f"columns {part.schema_arrow.names}")
        ids = pl.Series(part.read(columns=["call_id"]).column(0).combine_chunks())
    hashes = ids.hash().to_numpy()
    rows = np.argsort(hashes, kind="stable").astype(np.uint32)
    return KeyIndex(hashes[rows], rows)


def read_rows(fs: AbstractFileSystem, path: str, rows: Rows) -> list[Call]:
    """The calls at these ascending rows of a part; only the row groups that hold them are read."""
    found: list[Call] = []
    with _reader(fs, path) as part:
        for group, picked in _by_group(part, rows):
            found.extend(Call(*row) for row in pl.DataFrame(part.read_row_group(group).take(picked)).rows())
    return found


def merge_parts(fs: AbstractFileSystem, paths: Sequence[str], target: str) -> None:
    """Write the calls of some parts, each id once, to the file `target`; holds their keys and one row group.

    The result depends on the parts' content only: parts follow each other by their first call's rank.
    """
    keys = pl.concat([_rank_columns(fs, path, number) for number, path in enumerate(paths)])
    kept = keys.sort("call_id", *RANK, "part", "row").unique("call_id", keep="first", maintain_order=True)
    first = kept.sort(*RANK, "part").unique("part", keep="first", maintain_order=True)
    rows = {number: frame["row"].sort().to_numpy() for (number,), frame in kept.group_by("part")}
    with fs.open(target, "wb") as file, _writer(file) as parquet:
        waiting: list[pa.Table] = []
        for table in chain.from_iterable(_tables(fs, paths[number], rows[number]) for number in first["part"]):
            waiting.append(table)
            if sum(map(len, waiting)) >= ROW_GROUP_ROWS:
                whole = pa.concat_tables(waiting)
                parquet.write_table(whole.slice(0, ROW_GROUP_ROWS))
                waiting = [whole.slice(ROW_GROUP_ROWS)]
        if any(map(len, waiting)):
            parquet.write_table(pa.concat_tables(waiting))


def _rank_columns(fs: AbstractFileSystem, path: str, number: int) -> pl.DataFrame:
    with _reader(fs, path) as part:
        frame = pl.DataFrame(part.read(columns=["call_id", *RANK]))
    return frame.with_row_index("row").with_columns(pl.lit(number, pl.UInt32).alias("part"))


def _tables(fs: AbstractFileSystem, path: str, rows: Rows) -> Iterator[pa.Table]:
    """The given ascending rows of a part, row group by row group."""
    with _reader(fs, path) as part:
        for group, picked in _by_group(part, rows):
            yield part.read_row_group(group).take(picked)


def _by_group(part: pq.ParquetFile, rows: Rows) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each row group that holds some of the ascending `rows`, and where in it they stand."""
    sizes = [part.metadata.row_group(group).num_rows for group in range(part.metadata.num_row_groups)]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    groups = np.searchsorted(starts, rows, "right") - 1
    for group in np.unique(groups):
        yield int(group), rows[groups == group].astype(np.int64) - int(starts[group])


def _writer(file: IO[bytes]) -> pq.ParquetWriter:
    return pq.ParquetWriter(file, _SCHEMA, compression="zstd", write_page_checksum=True)


@contextmanager
def _reader(fs: AbstractFileSystem, path: str) -> Iterator[pq.ParquetFile]:
    with fs.open(path, "rb") as file, pq.ParquetFile(file, page_checksum_verification=True) as part:
        yield part
