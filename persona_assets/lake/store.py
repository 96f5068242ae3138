"""The store: Parquet files per asset and partition, which count once a record names them (data contract 1).

`<lake>/<asset>/<partition column>=<key>/<digest>.parquet` holds the rows, `<lake>/rejected/asset=<asset>/...` what was
set aside. Each file is named by the digest of its bytes, so it never changes and two writers cannot mix. The record
(`lake.records`) is written last and is the commit. Then what the record before it named is removed, so a plain glob
over `<asset>/*/*.parquet` gives each partition once. Paths are fsspec URLs.
"""

import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import fsspec
import orjson
import polars as pl
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake.content import ContentDigest
from persona_assets.lake.durable import create_once, sync_path, write_durably
from persona_assets.lake.heartbeat import mark
from persona_assets.lake.records import (
    FOLDER,
    FORMAT,
    FORMAT_FILE,
    DamagedRecord,
    GateOutcome,
    Record,
    Records,
    StoredFile,
    record_folder,
    record_path,
)
from persona_assets.lake.schemas import REJECTED, Table, conform
from persona_assets.lake.verified import file_digest, is_sound
from persona_assets.lake.versions import versions

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
# Folders of the lake that are not tables.
FOLDERS = frozenset(
    {"seals", "templates", "embeddings", "segments", "batches", "calls_corrupt", "damaged", "skipped"}
) | {"models"}
TEMPORARY = "_tmp"  # folder of what is being made (`lake.leftovers`)
ROW_GROUP_ROWS = 65_536  # bounds what a reader holds while it scans one partition
_COMPAT = pl.CompatLevel.oldest()  # plain Arrow strings, which every Parquet reader knows


class DamagedPartition(PersonaAssetsError):
    """A partition's file is not what its record says."""


def check_key(key: str) -> str:
    """A partition key that is safe as a path segment.

    Raises:
        UsageError: it holds anything but letters, digits, dot, dash and underscore, or starts with a sign.
    """
    if not _KEY.fullmatch(key) or ".." in key:
        raise UsageError(f"{key!r} is not a partition key: use letters, digits, '.', '-' and '_', at most 200")
    return key


def dump_of(shard: str) -> str:
    """The dump of a shard key `<dump>.<index>`."""
    return shard.rsplit(".", 1)[0]


@dataclass(frozen=True)
class Draft:
    """A partition that is about to be committed: files that no reader sees yet. None: nothing was set aside."""

    table: Table
    key: str
    rows: str
    rejects: str | None


Judge = Callable[[Draft], Sequence[GateOutcome]]


class Turn(Protocol):
    """The right to write one generation of a partition (`lake.leases`)."""

    @property
    def generation(self) -> int:
        """The generation."""
        ...

    def commit(self, record: bytes) -> None:
        """Create its record; raises where another run has taken over."""
        ...


@dataclass(frozen=True)
class Making:
    """What goes into a partition's record beside its rows, and the gates that it has to pass.

    `turn` is the lease under which it is written; None: whoever commits a generation first.
    """

    made_from: Mapping[str, str] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    judged_by: str = ""
    judge: Judge | None = None
    turn: Turn | None = None
    new: bool = False  # whether there must be no such partition yet


NOTHING = Making()


class TableWriter:
    """Appends frames to a Parquet file and keeps count of what they hold."""

    def __init__(self, table: Table, path: Path) -> None:
        """Open the file."""
        self.table, self.path = table, path
        self.rows = 0
        self._content = ContentDigest(table)
        self._schema = pl.DataFrame(schema=table.polars).to_arrow(compat_level=_COMPAT).schema
        self._parquet = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._buffer: list[pl.DataFrame] = []
        self._buffered = 0

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
            rows = pl.concat(self._buffer).to_arrow(compat_level=_COMPAT).cast(self._schema)
            self._content.update(rows)
            self._parquet.write_table(rows)
        self._buffer, self._buffered = [], 0

    def close(self) -> None:
        """End the file."""
        self.flush()
        self._parquet.close()

    def described(self) -> StoredFile:
        """The finished file, by the name that its bytes give it."""
        name = f"{file_digest(LocalFileSystem(), str(self.path))}.parquet"
        return StoredFile(name, self.path.stat().st_size, self.rows, self._content.hexdigest())


class RejectsWriter(TableWriter):
    """The same for what is set aside, counted by reason."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        super().__init__(REJECTED, path)
        self.reasons: dict[str, int] = {}

    def append(self, frame: pl.DataFrame) -> None:
        """Add rejects."""
        super().append(frame)
        for reason, count in frame["reason"].value_counts().iter_rows():
            self.reasons[reason] = self.reasons.get(reason, 0) + count


@dataclass
class PartitionWriter:
    """A partition in the making; visible, whole, after a clean exit of `Lake.partition`."""

    rows: TableWriter
    rejects: RejectsWriter
    made_from: dict[str, str]
    record: Record | None = None  # once it is committed


def as_declared(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Rows of a file as the table is declared now, whichever version of it wrote them."""
    lacking = {name: dtype for name, dtype in table.polars.items() if name not in frame.columns}
    added = [pl.lit(table.later.get(name), dtype).alias(name) for name, dtype in lacking.items()]
    return frame.with_columns(added).select(table.polars.names()).cast(table.polars)


class Lake:
    """A folder or URL of `<asset>/<partition column>=<key>/<digest>.parquet` files and their records."""

    def __init__(self, url: str | Path) -> None:
        """Open (and on first write create) the lake at `url`.

        Raises:
            UsageError: no such kind of store, or characters that would be taken for a pattern.
        """
        if not str(url).strip() or set(str(url)) & set("*?[]"):
            raise UsageError(f"PERSONA_LAKE={str(url)!r} cannot be a lake: it is empty or holds one of * ? [ ]")
        try:
            self.fs, root = fsspec.core.url_to_fs(str(url))
        except (ImportError, ValueError) as error:
            raise UsageError(f"PERSONA_LAKE={str(url)!r} cannot be opened: {error}") from error
        self.root = root.rstrip("/")
        self.is_local = isinstance(self.fs, LocalFileSystem)
        self.records = Records(self.fs, self.root)
        self._declared = False

    # Paths

    def folder(self, table: Table, key: str) -> str:
        """Folder of a partition's rows."""
        return f"{self.root}/{table.name}/{table.partition}={check_key(key)}"

    def rejects_folder(self, table: Table, key: str) -> str:
        """Folder of what a partition set aside."""
        return f"{self.root}/rejected/asset={table.name}/{table.partition}={check_key(key)}"

    def path(self, table: Table, key: str) -> str:
        """Path of a partition's rows.

        Raises:
            PersonaAssetsError: it has not been materialised.
        """
        return f"{self.folder(table, key)}/{self.require(table, key).rows.name}"

    def rejects_path(self, table: Table, key: str) -> str | None:
        """Path of what a partition set aside; None where that is nothing, or where there is no such partition."""
        record = self.record(table, key)
        return f"{self.rejects_folder(table, key)}/{record.rejects.name}" if record and record.rejects else None

    def url(self, path: str) -> str:
        """A path of this lake as Polars and DuckDB know it: with the store's protocol where it is remote."""
        return path if self.is_local else str(self.fs.unstrip_protocol(path))

    def temporary(self) -> str:
        """A new path that no reader looks at, on the same file system as the data."""
        self.fs.makedirs(f"{self.root}/{TEMPORARY}", exist_ok=True)
        return f"{self.root}/{TEMPORARY}/{mark()}.{uuid.uuid4().hex}"

    # Small files, and files that are made elsewhere

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
        """Write a small file, whole and durably; with `exclusive`, only where none is.

        Raises:
            FileExistsError: `exclusive` and the path is taken.
        """
        if exclusive:
            create_once(self, path, data)
        else:
            write_durably(self, path, data)

    # Writing

    @contextmanager
    def partition(self, table: Table, key: str, run_id: str, making: Making = NOTHING) -> Iterator[PartitionWriter]:
        """Write a partition, rows and rejects, in pieces. Nothing appears if the body, or a gate's query, raises.

        Raises:
            FileExistsError: another run has committed the generation that was to be written.
            PersonaAssetsError: another run has taken over the lease.
        """
        check_key(key)
        with ExitStack() as stack:
            scratch = Path(stack.enter_context(self.scratch("write")))
            rows, rejects = TableWriter(table, scratch / "rows"), RejectsWriter(scratch / "rejects")
            part = PartitionWriter(rows, rejects, dict(making.made_from))
            try:
                yield part
            finally:
                rows.close()
                rejects.close()
            gates = tuple(making.judge(Draft(table, key, str(rows.path), str(rejects.path))) if making.judge else ())
            part.record = self._commit(table, key, run_id, making, part, gates)

    def write(self, table: Table, key: str, frame: pl.DataFrame, run_id: str, *, exclusive: bool = False) -> None:
        """Write a partition from one frame, replacing what was there; with `exclusive`, only where there was none.

        Raises:
            FileExistsError: `exclusive` and there is such a partition.
        """
        with self.partition(table, key, run_id, Making(new=True) if exclusive else NOTHING) as part:
            part.rows.append(frame)

    def scratch(self, what: str) -> "tempfile.TemporaryDirectory[str]":
        """A folder for files that are being made: on the lake's own disk where it is a folder, as there is room."""
        folder = None
        if self.is_local:
            folder = f"{self.root}/{TEMPORARY}"
            Path(folder).mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=f"{mark()}.{what}-", dir=folder)

    def _commit(
        self,
        table: Table,
        key: str,
        run_id: str,
        making: Making,
        part: PartitionWriter,
        gates: tuple[GateOutcome, ...],
    ) -> Record:
        """Put the files in place, then the record, then remove what it supersedes."""
        rejects = part.rejects.described() if part.rejects.rows else None
        record = Record(
            asset=table.name,
            column=table.partition,
            partition=key,
            generation=self._generation(table, key, making),
            rows=part.rows.described(),
            rejects=rejects,
            reasons=dict(sorted(part.rejects.reasons.items())),
            made_from=dict(sorted(part.made_from.items())),
            recipe=dict(making.recipe),
            judged_by=making.judged_by,
            gates=gates,
            run_id=run_id,
            committed_at=datetime.now(UTC).isoformat(),
            versions=versions(),
        )
        self.declare()
        try:
            self.place(part.rows.path, f"{self.folder(table, key)}/{record.rows.name}")
            if rejects:
                self.place(part.rejects.path, f"{self.rejects_folder(table, key)}/{rejects.name}")
            if making.turn:
                making.turn.commit(record.as_json())
            else:
                create_once(self, record_path(self.root, table.name, key, record.generation), record.as_json())
        except BaseException:
            self._take_back(table, key, record)
            raise
        self.tidy(table, key)
        return record

    def _take_back(self, table: Table, key: str, record: Record) -> None:
        """Remove the files of a record that did not come to be; not those that the one which stands names too."""
        stands = self._record(table, key)
        for folder, file in self._files_of(table, record):
            if stands is None or file.name not in stands.files:
                self._remove(f"{folder}/{file.name}")

    def _files_of(self, table: Table, record: Record) -> list[tuple[str, StoredFile]]:
        """The folders and files of a record."""
        files = [(self.folder(table, record.partition), record.rows)]
        if record.rejects:
            files.append((self.rejects_folder(table, record.partition), record.rejects))
        return files

    def _generation(self, table: Table, key: str, making: Making) -> int:
        if making.turn:
            return making.turn.generation
        generation = self.records.next_generation(table.name, key)
        if making.new and generation > 1:
            raise FileExistsError(f"{table.name} {key}")
        return generation

    def declare(self) -> None:
        """Say of which format the lake is, where it does not say so yet."""
        path = f"{self.root}/{FORMAT_FILE}"
        if not self._declared and not self.fs.exists(path):
            with suppress(FileExistsError):
                create_once(self, path, orjson.dumps({"format": FORMAT}))
        self._declared = True

    def place(self, file: Path, path: str) -> None:
        """Put a finished file of this machine into the lake, durably."""
        self.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        if not self.is_local:
            self.fs.put_file(str(file), path)
            return
        sync_path(str(file))
        file.replace(path)
        sync_path(path.rpartition("/")[0])

    def tidy(self, table: Table, key: str) -> None:
        """Remove the files of a partition that its record does not name, and the records before it.

        Nobody else may be writing the partition meanwhile. Old records go last: as long as there is one, a crash has
        left something to tidy.
        """
        record = self._record(table, key)
        names = record.files if record else []
        for folder in (self.folder(table, key), self.rejects_folder(table, key)):
            for path in self.fs.glob(f"{folder}/*.parquet"):
                if path.rsplit("/", 1)[1] not in names:
                    self._remove(path)
        for path in self.records.superseded(table.name, key):
            self._remove(path)

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):  # another run tidies too
            self.fs.rm(path)

    # Reading

    def record(self, table: Table, key: str) -> Record | None:
        """The record of a partition, where its files are there as it says by name and size; else None."""
        record = self._record(table, key)
        return record if record and not self.fault(table, record) else None

    def _record(self, table: Table, key: str) -> Record | None:
        try:
            return self.records.latest(table.name, check_key(key))
        except DamagedRecord:
            return None

    def fault(self, table: Table, record: Record) -> str:
        """What is wrong with a record's files, by name and size; "" where nothing is."""
        for folder, file in self._files_of(table, record):
            size = self._size(f"{folder}/{file.name}")
            if size != file.bytes:
                where = f"{folder.removeprefix(self.root).lstrip('/')}/{file.name}"
                return f"{where} is missing" if size is None else f"{where} has {size} bytes, not {file.bytes}"
        return ""

    def _size(self, path: str) -> int | None:
        try:
            if self.is_local:
                return os.stat(path).st_size  # noqa: PTH116 - a Path takes longer than the call
            return int(self.fs.size(path))
        except FileNotFoundError:
            return None

    def sound(self, table: Table) -> dict[str, Record]:
        """The records of all partitions whose files are there, by key in order."""
        found = self.records.all(table.name).items()
        return {key: one for key, one in found if isinstance(one, Record) and not self.fault(table, one)}

    def exists(self, table: Table, key: str) -> bool:
        """Whether the partition has been materialised."""
        return self.record(table, key) is not None

    def keys(self, table: Table) -> list[str]:
        """The materialised partitions, sorted."""
        return list(self.sound(table))

    def path_glob(self, table: Table) -> str:
        """Glob that matches every partition of a table."""
        return f"{self.root}/{table.name}/{table.partition}=*/*.parquet"

    def paths(self, table: Table, keys: Sequence[str] | None = None) -> list[str]:
        """The files of the partitions that exist, of the given keys or of all, in key order."""
        if keys is None:
            found = self.sound(table)
        else:
            found = {key: record for key in sorted(keys) if (record := self.record(table, key))}
        return [f"{self.folder(table, key)}/{record.rows.name}" for key, record in found.items()]

    def recorded_paths(self, table: Table) -> list[str]:
        """The files that a table's records name and that are there, sound or not: what an audit looks at."""
        found = self.records.all(table.name).items()
        paths = [f"{self.folder(table, key)}/{one.rows.name}" for key, one in found if isinstance(one, Record)]
        return [path for path in paths if self._size(path) is not None]

    def scan(self, table: Table, keys: Sequence[str] | None = None) -> pl.LazyFrame:
        """A lazy frame over the given partitions, or all; empty (but typed) where there are none.

        The bytes of partitions that are named are verified; all of a table are taken by name and size.

        Raises:
            DamagedPartition: a named partition's bytes are not those that were committed.
        """
        for key in keys or ():
            self._verify(table, key)
        return self.scan_paths(self.paths(table, keys), table)

    def scan_paths(self, paths: Sequence[str], table: Table) -> pl.LazyFrame:
        """A lazy frame over these files of a table, whichever version of it wrote them."""
        if not paths:
            return pl.LazyFrame(schema=table.polars)
        scan = pl.scan_parquet(
            [self.url(path) for path in paths],
            schema=table.polars,
            missing_columns="insert",
            extra_columns="ignore",
            hive_partitioning=False,
            glob=False,
        )
        return scan.with_columns(pl.col(name).fill_null(value) for name, value in table.later.items())

    def read(self, table: Table, key: str) -> pl.DataFrame:
        """One partition in memory.

        Raises:
            PersonaAssetsError: it has not been materialised, or is damaged.
        """
        self.require(table, key)
        return self.scan(table, [key]).collect()

    def batches(
        self, table: Table, key: str, rows: int = 8192, columns: Sequence[str] | None = None
    ) -> Iterator[pl.DataFrame]:
        """One partition in frames of at most `rows`, of all columns or of some, without holding it whole.

        Raises:
            PersonaAssetsError: it has not been materialised, or is damaged.
        """
        path = self.path(table, key)
        self._verify(table, key)
        with self.fs.open(path, "rb") as file:
            parquet = pq.ParquetFile(file)
            names = table.polars.names() if columns is None else columns
            stored = None if columns is None else [name for name in parquet.schema_arrow.names if name in columns]
            for group in range(parquet.num_row_groups):  # one at a time: iterating over all keeps what it has read
                for batch in parquet.iter_batches(batch_size=rows, row_groups=[group], columns=stored):
                    yield as_declared(pl.DataFrame(pl.from_arrow(batch)), table).select(names)

    def require(self, table: Table, key: str) -> Record:
        """The record of a partition that is there and sound by name and size.

        Raises:
            PersonaAssetsError: it is missing, or its record is damaged.
        """
        record = self.records.latest(table.name, check_key(key))
        if record is None:
            raise PersonaAssetsError(f"{table.name} has no partition {key}: materialise it first")
        if fault := self.fault(table, record):
            raise DamagedPartition(f"{table.name} {key} is damaged: {fault}; materialise it again")
        return record

    def row_count(self, table: Table, key: str) -> int:
        """Rows of a materialised partition; raises PersonaAssetsError where it is missing."""
        return self.require(table, key).rows.rows

    def rejects(self, table: Table | None = None, key: str | None = None) -> pl.LazyFrame:
        """What was set aside: of one partition, of one asset, or everywhere."""
        return self.scan_paths(self.rejects_paths(table, key), REJECTED)

    def rejects_paths(self, table: Table | None = None, key: str | None = None) -> list[str]:
        """The files of what was set aside: of one partition, of one asset, or everywhere."""
        if table is not None and key is not None:
            path = self.rejects_path(table, key)
            return [path] if path else []
        known = {table.name} if table else self.records.assets()
        found = (record for asset in sorted(known) for record in self.records.all(asset).values())
        return [
            f"{self.root}/rejected/asset={one.asset}/{one.column}={one.partition}/{one.rejects.name}"
            for one in found
            if isinstance(one, Record) and one.rejects
        ]

    # Verification

    def _verify(self, table: Table, key: str) -> None:
        """Have a partition's bytes read once by this process, and set aside where they are not those of its record."""
        record = self.record(table, key)
        if record is None:
            return
        path = f"{self.folder(table, key)}/{record.rows.name}"
        if not is_sound(self.fs, path, record.rows.name.removesuffix(".parquet")):
            aside = f"{self.root}/damaged/{table.name}/{key}/{record.rows.name}"
            self.commit(path, aside)
            raise DamagedPartition(
                f"{table.name} {key}: the bytes of its file are not those that run {record.run_id} wrote; the file is "
                f"now {aside}: restore it from a backup, or run `persona-assets run`, which makes the partition again"
            )


__all__ = [
    "FOLDER",
    "FOLDERS",
    "NOTHING",
    "TEMPORARY",
    "DamagedPartition",
    "Draft",
    "Lake",
    "Making",
    "PartitionWriter",
    "check_key",
    "dump_of",
    "file_digest",
    "record_folder",
]
