"""What a dump's earlier shards hold, by key: sorted tables that are merged as the dump grows.

`DigestIndex` tells which document has a text, `KeyIndex` which pages have a MinHash key. A table covers the shards of
an aligned range of indexes, as 0-7 or 8-9, so that the shards before any one are those of a few tables: seven at most
for a hundred shards. Each is made of two half as long, which go then; so an entry is written as often as the number of
shards can be halved, and a look-up reads a few blocks for each key that is asked for. A table's name is a digest of the
shards' own digest tables as they stood: what was written anew since is noticed. All of it is a cache in
`<lake>/_index/` that can be deleted.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray

from persona_assets.crawl.shards import index_of
from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake
from persona_assets.lake.schemas import CONTENT_DIGESTS
from persona_assets.ledger.index import cache_of
from persona_assets.ledger.sorted_keys import DamagedRun, Entries, RunFile, Words, ranges, write_run

TRIES = 8  # how often a damaged table is made again before the disk is to blame
PAGES_OF_KEY = (
    32  # standing pages of a key that are looked at; a template has more, and what tells its pages apart has not
)
GROUPS_HELD, FILES_HELD = 512, 128  # row groups and digest tables that are kept at hand
_PAGE = ("document_id", "sketch")
_FOUND = pl.Schema({"content_digest": pl.String(), "survivor_id": pl.String()})
logger = logging.getLogger(__name__)


class _Damaged(Exception):
    """A table was not what was written; it has been removed."""


class ShardIndex(ABC):
    """The first entries of each key in the digest tables of some shards of one dump, lowest shards first."""

    name: str  # of its folder
    columns: tuple[str, ...]  # of the digest tables, that its entries are made of
    most: int  # entries of a key that are kept

    def __init__(self, lake: Lake, dump: str, shards: Sequence[str]) -> None:
        """Bind to shards whose digest tables are there; nothing is read yet.

        Raises:
            PersonaAssetsError: a shard has no digest table.
        """
        self._lake = lake
        self._store = lake if lake.is_local else cache_of(lake)
        self._folder = f"{self._store.root}/_index/{self.name}/dump={dump}"
        self._shards = {index_of(shard): shard for shard in shards}
        self._states = {index: self._state(shard) for index, shard in self._shards.items()}
        self._open: dict[tuple[int, int], _Table] = {}

    @abstractmethod
    def _entries(self, index: int, table: pl.DataFrame) -> Entries:
        """The entries of one shard, in the order of the table, those of one key side by side."""

    def close(self) -> None:
        """Let go of the tables, which are held open from one look-up to the next."""
        for table in self._open.values():
            table.close()
        self._open = {}

    def find(self, high: Words, low: Words) -> tuple[NDArray[np.int64], Words]:
        """The first entries of these keys, `most` of each: which key (ascending), and what the entry holds.

        Raises:
            PersonaAssetsError: tables cannot be read back after they were written.
        """
        for _ in range(TRIES):
            try:
                return self._find(high, low)
            except _Damaged:
                self.close()
        raise PersonaAssetsError(f"{self._folder}: tables are damaged again and again; check the disk and run again")

    def _find(self, high: Words, low: Words) -> tuple[NDArray[np.int64], Words]:
        """Look keys up in table after table, the lowest shards first, each until it has its entries."""
        wanted = np.argsort(high, kind="stable")  # in the order of the tables, so that each block is read once
        counts = np.zeros(len(high), np.int64)
        rows, places = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
        for start, length in _aligned(max(self._shards, default=-1) + 1):
            if self._covered(start, length) and len(wanted):
                row, place = self._table(start, length).find(high[wanted], low[wanted])
                rows.append(wanted[row])
                places.append(place)
                counts += np.bincount(rows[-1], minlength=len(high))
                wanted = wanted[counts[wanted] < self.most]
        return first_of_each(np.concatenate(rows), np.concatenate(places), self.most)

    def _table(self, start: int, length: int) -> "_Table":
        if (start, length) not in self._open:
            self._open[start, length] = _Table(self._path(start, length), self)
        return self._open[start, length]

    def _state(self, shard: str) -> str:
        """What changes when a shard's digest table is written anew."""
        paths = self._lake.paths(CONTENT_DIGESTS, [shard])
        if not paths:
            raise PersonaAssetsError(f"{CONTENT_DIGESTS.name} has no partition {shard}: materialise it first")
        return str(self._lake.fs.ukey(paths[0]))

    def _covered(self, start: int, length: int) -> list[int]:
        return [index for index in self._shards if start <= index < start + length]

    # Tables

    def _name(self, start: int, length: int) -> str:
        states = sorted((index, self._states[index]) for index in self._covered(start, length))
        return f"{self._folder}/{start:08d}-{length:08d}-{digest(canonical_json(states))}.run"

    def _path(self, start: int, length: int) -> Path:
        """The table of a range, made where there is none."""
        path = Path(self._name(start, length))
        if not path.exists():
            self._make(path, start, length)
        return path

    def _make(self, path: Path, start: int, length: int) -> None:
        half = length // 2
        with ExitStack() as stack:
            if length == 1:
                table = self._lake.scan(CONTENT_DIGESTS, [self._shards[start]]).select(self.columns).collect()
                entries = self._entries(start, table)
                entries = entries[np.argsort(entries.high, kind="stable")]
                pieces: Iterator[Entries] = iter([_firsts(entries, self.most)])
            else:
                halves = [at for at in (start, start + half) if self._covered(at, half)]
                tables = [stack.enter_context(closing(_Table(self._path(at, half), self))) for at in halves]
                pieces = _merged(tables, self.most)
            temporary = Path(self._store.temporary())
            try:
                with temporary.open("wb") as file:
                    write_run(file, pieces, {"start": start, "length": length})
                self._store.commit(str(temporary), str(path))
            finally:
                temporary.unlink(missing_ok=True)
        self._tidy(path, start, length)

    def _tidy(self, made: Path, start: int, length: int) -> None:
        """Remove what a new table stands for: the tables within its range, and its own range as it stood before."""
        for path in made.parent.glob("*-*-*.run"):
            at, size = (int(part) for part in path.name.split("-")[:2])
            if path != made and start <= at and at + size <= start + length:
                path.unlink(missing_ok=True)

    def drop(self, path: Path, error: Exception) -> None:
        """Remove a damaged table."""
        path.unlink(missing_ok=True)
        logger.warning("%s was removed: %s; it is made again", path, error)


class DigestIndex(ShardIndex):
    """Which document has a text: of the shards' standing ones, that of the lowest shard."""

    name = CONTENT_DIGESTS.name
    columns = ("content_digest", "document_id", "survivor_id")
    most = 2  # an entry holds 64 bits and a document id has 128: a text has two entries, one after the other

    def _entries(self, index: int, table: pl.DataFrame) -> Entries:
        standing = table.filter(pl.col("survivor_id").is_null())
        standing = standing.unique("content_digest", keep="first", maintain_order=True)
        high, low = _halves(standing["content_digest"])
        ids = np.column_stack(_halves(standing["document_id"].str.strip_prefix("doc_")))
        return Entries(np.repeat(high, 2), np.repeat(low, 2), ids.ravel())

    def survivors(self, digests: pl.Series) -> pl.DataFrame:
        """Those of these texts (`content_digest`) that the shards hold, with the `survivor_id` that has it.

        Raises:
            PersonaAssetsError: tables cannot be read back after they were written.
        """
        digests = digests.unique()
        rows, halves = self.find(*_halves(digests))
        ids = halves.astype(">u8").tobytes().hex()
        found = [f"doc_{ids[at : at + 32]}" for at in range(0, len(ids), 32)]
        return pl.DataFrame({"content_digest": digests.gather(rows[0::2]), "survivor_id": found}, schema=_FOUND)


class KeyIndex(ShardIndex):
    """Which standing pages have a MinHash key: the first of each. A place holds shard index and row."""

    name = "page_keys"
    columns = ("keys", "survivor_id")
    most = PAGES_OF_KEY

    def __init__(self, lake: Lake, dump: str, shards: Sequence[str]) -> None:
        """Bind to shards whose digest tables are there; nothing is read yet.

        Raises:
            PersonaAssetsError: a shard has no digest table.
        """
        super().__init__(lake, dump, shards)
        self._files: dict[int, tuple[pq.ParquetFile, NDArray[np.int64]]] = {}
        self._groups: dict[tuple[int, int], pl.DataFrame] = {}

    def _entries(self, index: int, table: pl.DataFrame) -> Entries:
        keyed = table.with_row_index("row").filter(pl.col("survivor_id").is_null()).explode("keys").drop_nulls("keys")
        high = keyed["keys"].to_numpy().view(np.uint64)
        row = keyed["row"].to_numpy().astype(np.uint64)
        return Entries(high, np.zeros(len(high), np.uint64), row | np.uint64(index << 32))

    def pages(self, places: Words) -> pl.DataFrame:
        """The pages at places, ascending: document_id and sketch.

        Raises:
            PersonaAssetsError: a table was written anew meanwhile.
        """
        if not len(places):
            return pl.DataFrame(schema={name: CONTENT_DIGESTS.polars[name] for name in _PAGE})
        index, row = (places >> np.uint64(32)).astype(np.int64), (places & np.uint64(0xFFFFFFFF)).astype(np.int64)
        found: list[pl.DataFrame] = []
        for one in np.unique(index).tolist():
            rows = row[index == one]
            starts = self._opened(one)[1]
            group = np.searchsorted(starts, rows, "right") - 1
            for number in np.unique(group).tolist():
                held = self._group(one, number)
                found.append(held[rows[group == number] - starts[number]])
        return pl.concat(found)

    def _group(self, index: int, number: int) -> pl.DataFrame:
        if (index, number) not in self._groups:
            if len(self._groups) >= GROUPS_HELD:
                self._groups.pop(next(iter(self._groups)))
            read = self._opened(index)[0].read_row_group(number, columns=list(_PAGE))
            self._groups[index, number] = pl.DataFrame(pl.from_arrow(read))
        return self._groups[index, number]

    def _opened(self, index: int) -> tuple[pq.ParquetFile, NDArray[np.int64]]:
        """A shard's digest table, and where its row groups begin."""
        if index not in self._files:
            if len(self._files) >= FILES_HELD:
                self._files.pop(next(iter(self._files)))[0].close(force=True)
            shard = self._shards[index]
            if self._state(shard) != self._states[index]:
                raise PersonaAssetsError(f"another run has written what shard {shard} holds anew meanwhile: run again")
            file = pq.ParquetFile(self._lake.fs.open(self._lake.path(CONTENT_DIGESTS, shard), "rb"))
            sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
            self._files[index] = file, np.cumsum([0, *sizes])[:-1]
        return self._files[index]

    def close(self) -> None:
        """Let go of all files."""
        super().close()
        for file, _ in self._files.values():
            file.close(force=True)
        self._files, self._groups = {}, {}


class _Table:
    """One open table, whose faults are told by its file."""

    def __init__(self, path: Path, index: ShardIndex) -> None:
        self.path, self._index = path, index
        try:
            self._file = RunFile(str(path))
        except (DamagedRun, FileNotFoundError) as error:  # gone: another run merged it meanwhile
            raise self._damage(error) from error

    def close(self) -> None:
        self._file.run.close()

    def __len__(self) -> int:
        return len(self._file.run)

    def find(self, high: Words, low: Words) -> tuple[NDArray[np.int64], Words]:
        """As `Run.find`."""
        try:
            return self._file.run.find(high, low)
        except DamagedRun as error:
            raise self._damage(error) from error

    def between(self, start: int, stop: int) -> Entries:
        """As `Run.between`."""
        try:
            return self._file.run.between(start, stop)
        except DamagedRun as error:
            raise self._damage(error) from error

    def _damage(self, error: Exception) -> _Damaged:
        if isinstance(error, DamagedRun):
            self._index.drop(self.path, error)
        return _Damaged(str(self.path))


def _aligned(end: int) -> Iterator[tuple[int, int]]:
    """Aligned ranges (start, length), in order, that together are 0 to `end`; lengths are powers of two."""
    start = 0
    while start < end:
        length = 1 << ((end - start).bit_length() - 1)
        yield start, length
        start += length


def _halves(digits: pl.Series) -> tuple[Words, Words]:
    """128-bit digests, as 32 hexadecimal digits each, in two halves."""
    numbers = np.frombuffer(bytes.fromhex("".join(digits)), ">u8").astype(np.uint64).reshape(-1, 2)
    return numbers[:, 0].copy(), numbers[:, 1].copy()


def first_of_each(rows: NDArray[np.int64], places: Words, most: int) -> tuple[NDArray[np.int64], Words]:
    """Of the places of each row the first ones, `most` at most, in order of the rows."""
    order = np.argsort(rows, kind="stable")
    rows, places = rows[order], places[order]
    within = _rank(np.append(True, rows[1:] != rows[:-1])[: len(rows)]) < most
    return rows[within], places[within]


def _merged(tables: Sequence[_Table], most: int) -> Iterator[Entries]:
    """All entries in order; of those of one key, the first of the first tables that have it."""
    for start, stop in ranges(sum(map(len, tables))):
        both = Entries.concat([table.between(start, stop) for table in tables])
        yield _firsts(both[np.argsort(both.high, kind="stable")], most)


def _firsts(entries: Entries, most: int) -> Entries:
    """Of entries in order of the upper half of their keys, the first `most` of each key."""
    starts = _starts(entries)
    if (starts[1:] & (entries.high[1:] == entries.high[:-1])).any():  # two keys share half: they may be mixed
        entries = entries[np.lexsort((entries.low, entries.high))]
        starts = _starts(entries)
    return entries[_rank(starts) < most]


def _starts(entries: Entries) -> NDArray[np.bool_]:
    """Where in entries in order those of another key begin."""
    starts = np.ones(len(entries), bool)
    starts[1:] = (entries.high[1:] != entries.high[:-1]) | (entries.low[1:] != entries.low[:-1])
    return starts


def _rank(starts: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The place of each item in its run, given where runs start."""
    places = np.arange(len(starts))
    return places - np.maximum.accumulate(np.where(starts, places, 0))
