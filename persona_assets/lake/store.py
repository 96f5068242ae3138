"""The store: one Parquet file per asset and partition, which appears whole or not at all (data contract 1).

Paths are fsspec URLs. `Lake.commit` is the only place that makes a file visible; a local folder does it with a rename,
an object store with one PUT.
"""

import hashlib
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import orjson
import polars as pl
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake.schemas import REJECTED, Table, conform

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
# Folders of the lake that are no tables.
FOLDERS = frozenset({"seals", "templates", "embeddings", "segments", "batches", "calls_corrupt"})
ROW_GROUP_ROWS = 65_536  # bounds what a reader holds while it scans one partition


def check_key(key: str) -> str:
    """A partition key that is safe as a path segment.

    Raises:
        UsageError: it holds anything but letters, digits, dot, dash and underscore, or starts with a sign.
    """
    if not _KEY.fullmatch(key) or ".." in key:
        raise UsageError(f"{key!r} is no partition key: use letters, digits, '.', '-' and '_', at most 200")
    return key


def dump_of(shard: str) -> str:
    """The dump of a shard key `<dump>.<index>`."""
    return shard.rsplit(".", 1)[0]


def file_digest(fs: AbstractFileSystem, path: str) -> str:
    """blake2b-128 of a file's bytes, read in pieces; `ids.digest` for what does not fit in memory."""
    hasher = hashlib.blake2b(digest_size=16)
    with fs.open(path, "rb") as file:
        while block := file.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()


@dataclass(frozen=True)
class Commit:
    """What is known of a committed partition: rows, bytes and the file's sha256."""

    rows: int
    bytes: int
    sha256: str
    run_id: str
    committed_at: str


@dataclass
class PartitionWriter:
    """Appends frames to a partition that becomes visible on a clean exit of `Lake.writer`."""

    table: Table
    _parquet: pq.ParquetWriter
    rows: int = 0
    _buffer: list[pl.DataFrame] = field(default_factory=list)
    _buffered: int = 0

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows; raises ValueError where the frame is not of the declared schema."""
        frame = conform(frame, self.table)
        self.rows += frame.height
        self._buffer.append(frame)
        self._buffered += frame.height
        if self._buffered >= ROW_GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered as one row group."""
        if self._buffered:
            self._parquet.write_table(pl.concat(self._buffer).to_arrow(compat_level=_COMPAT).cast(self._parquet.schema))
        self._buffer, self._buffered = [], 0


_COMPAT = pl.CompatLevel.oldest()  # plain Arrow strings, which every Parquet reader knows


class Lake:
    """A folder or URL of `<asset>/<partition column>=<key>/data.parquet` files."""

    def __init__(self, url: str | Path) -> None:
        """Open (and on first write create) the lake at `url`.

        Raises:
            UsageError: no such kind of store, or characters that would be taken for a pattern.
        """
        if not str(url).strip() or set(str(url)) & set("*?[]"):
            raise UsageError(f"PERSONA_LAKE={str(url)!r} is no place for a lake: it is empty or holds one of * ? [ ]")
        try:
            self.fs, root = fsspec.core.url_to_fs(str(url))
        except (ImportError, ValueError) as error:
            raise UsageError(f"PERSONA_LAKE={str(url)!r} cannot be opened: {error}") from error
        self.root = root.rstrip("/")
        self.is_local = isinstance(self.fs, LocalFileSystem)

    # Paths

    def path(self, table: Table, key: str) -> str:
        """Path of a partition's data file."""
        return f"{self.root}/{table.name}/{table.partition}={check_key(key)}/data.parquet"

    def rejects_path(self, table: Table, key: str) -> str:
        """Path of what a partition set aside."""
        return f"{self.root}/rejected/asset={table.name}/{table.partition}={check_key(key)}/data.parquet"

    def commit_path(self, path: str) -> str:
        """Path of the record that holds a data file's sha256."""
        return f"{self.root}/_commits{path.removeprefix(self.root).removesuffix('.parquet')}.json"

    def url(self, path: str) -> str:
        """A path of this lake as Polars and DuckDB know it: with the store's protocol where it is remote."""
        return path if self.is_local else str(self.fs.unstrip_protocol(path))

    def temporary(self) -> str:
        """A new path that no reader looks at, on the same file system as the data."""
        self.fs.makedirs(f"{self.root}/_tmp", exist_ok=True)
        return f"{self.root}/_tmp/{uuid.uuid4().hex}"

    # The commit

    def commit(self, temporary: str, path: str, *, exclusive: bool = False) -> None:
        """Make a finished file visible under `path`, whole, in one step; with `exclusive`, only where none is.

        Raises:
            FileExistsError: `exclusive` and the path is taken.
        """
        self.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        if self.is_local:
            if exclusive:
                os.link(temporary, path)  # fails where the name exists, which a rename would not
                Path(temporary).unlink()
            else:
                Path(temporary).replace(path)
            return
        if exclusive and self.fs.exists(path):
            raise FileExistsError(path)
        self.fs.mv(temporary, path)

    def write_bytes(self, path: str, data: bytes, *, exclusive: bool = False) -> None:
        """Write a small file atomically."""
        temporary = self.temporary()
        with self.fs.open(temporary, "wb") as file:
            file.write(data)
        try:
            self.commit(temporary, path, exclusive=exclusive)
        except FileExistsError:
            self.fs.rm(temporary)
            raise

    # Writing

    @contextmanager
    def writer(self, table: Table, key: str, run_id: str) -> Iterator[PartitionWriter]:
        """Write a partition in pieces; nothing appears if the body raises."""
        with self._writing(table, self.path(table, key), run_id) as writer:
            yield writer

    @contextmanager
    def rejects_writer(self, table: Table, key: str, run_id: str) -> Iterator[PartitionWriter]:
        """The same for the rows that the partition sets aside."""
        with self._writing(REJECTED, self.rejects_path(table, key), run_id) as writer:
            yield writer

    def write(self, table: Table, key: str, frame: pl.DataFrame, run_id: str) -> None:
        """Write a partition from one frame, replacing what was there."""
        with self.writer(table, key, run_id) as writer:
            writer.append(frame)

    @contextmanager
    def _writing(self, table: Table, path: str, run_id: str) -> Iterator[PartitionWriter]:
        temporary = self.temporary()
        arrow = pl.DataFrame(schema=table.polars).to_arrow(compat_level=_COMPAT).schema
        try:
            with (
                self.fs.open(temporary, "wb") as file,
                pq.ParquetWriter(file, arrow, compression="zstd") as parquet,
            ):
                writer = PartitionWriter(table, parquet)
                yield writer
                writer.flush()
            self._finish(temporary, path, writer.rows, run_id)
        finally:
            if self.fs.exists(temporary):
                self.fs.rm(temporary)

    def _finish(self, temporary: str, path: str, rows: int, run_id: str) -> None:
        record = Commit(rows, self.fs.size(temporary), self.sha256(temporary), run_id, datetime.now(UTC).isoformat())
        if self.fs.exists(self.commit_path(path)):
            self.fs.rm(self.commit_path(path))  # a crash before the next one leaves none, and not that of another file
        self.commit(temporary, path)
        self.write_bytes(self.commit_path(path), orjson.dumps(record))

    # Reading

    def exists(self, table: Table, key: str) -> bool:
        """Whether the partition has been materialised."""
        return bool(self.fs.exists(self.path(table, key)))

    def keys(self, table: Table) -> list[str]:
        """The materialised partitions, sorted."""
        return sorted(self._key_of(path) for path in self.fs.glob(self.path_glob(table)))

    def path_glob(self, table: Table) -> str:
        """Glob that matches every partition of a table."""
        return f"{self.root}/{table.name}/{table.partition}=*/data.parquet"

    def paths(self, table: Table, keys: Sequence[str] | None = None) -> list[str]:
        """The partition files that exist, of the given keys or of all, in key order."""
        wanted = self.keys(table) if keys is None else sorted(keys)
        return [path for path in (self.path(table, key) for key in wanted) if self.fs.exists(path)]

    def scan(self, table: Table, keys: Sequence[str] | None = None) -> pl.LazyFrame:
        """A lazy frame over the given partitions, or all; empty (but typed) where there are none."""
        return self.scan_paths(self.paths(table, keys), table)

    def scan_paths(self, paths: Sequence[str], table: Table) -> pl.LazyFrame:
        """A lazy frame over these files of a table."""
        if not paths:
            return pl.LazyFrame(schema=table.polars)
        sources = [self.url(path) for path in paths]
        if not table.later:
            return pl.scan_parquet(sources, hive_partitioning=False, glob=False)
        scan = pl.scan_parquet(
            sources, schema=table.polars, missing_columns="insert", hive_partitioning=False, glob=False
        )
        return scan.with_columns(pl.col(name).fill_null(value) for name, value in table.later.items())

    def read(self, table: Table, key: str) -> pl.DataFrame:
        """One partition in memory.

        Raises:
            PersonaAssetsError: it has not been materialised.
        """
        self.require(table, key)
        return self.scan(table, [key]).collect()

    def batches(self, table: Table, key: str, rows: int = 8192) -> Iterator[pl.DataFrame]:
        """One partition in frames of at most `rows`, without holding it whole.

        Raises:
            PersonaAssetsError: it has not been materialised.
        """
        self.require(table, key)
        with self.fs.open(self.path(table, key), "rb") as file:
            parquet = pq.ParquetFile(file)
            for group in range(parquet.num_row_groups):  # one at a time: iterating over all keeps what it has read
                for batch in parquet.iter_batches(batch_size=rows, row_groups=[group]):
                    yield pl.DataFrame(pl.from_arrow(batch)).cast(table.polars)

    def require(self, table: Table, key: str) -> None:
        """Raise PersonaAssetsError where a partition is missing."""
        if not self.exists(table, key):
            raise PersonaAssetsError(f"{table.name} has no partition {key}: materialise it first")

    def row_count(self, table: Table, key: str) -> int:
        """Rows of a materialised partition, from its footer; raises PersonaAssetsError where it is missing."""
        self.require(table, key)
        with self.fs.open(self.path(table, key), "rb") as file:
            return int(pq.ParquetFile(file).metadata.num_rows)

    def rejects(self, table: Table | None = None, key: str | None = None) -> pl.LazyFrame:
        """What was set aside: of one partition, of one asset, or everywhere."""
        asset = f"asset={table.name if table else '*'}"
        part = f"{table.partition if table else '*'}={check_key(key) if key else '*'}"
        return self.scan_paths(sorted(self.fs.glob(f"{self.root}/rejected/{asset}/{part}/data.parquet")), REJECTED)

    def commit_record(self, path: str) -> Commit | None:
        """The commit record of a data file, or None."""
        record = self.commit_path(path)
        if not self.fs.exists(record):
            return None
        values: dict[str, Any] = orjson.loads(self.fs.cat_file(record))
        return Commit(**values)

    def sha256(self, path: str) -> str:
        """sha256 of a file's bytes, read in pieces."""
        hasher = hashlib.sha256()
        with self.fs.open(path, "rb") as file:
            while block := file.read(1 << 20):
                hasher.update(block)
        return hasher.hexdigest()

    @staticmethod
    def _key_of(path: str) -> str:
        return path.rsplit("/", 2)[1].split("=", 1)[1]
