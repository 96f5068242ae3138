"""Which document of a dump's earlier shards holds a text: sorted tables that are merged as the dump grows.

A table covers the shards of an aligned range of indexes, as 0-7 or 8-9, so that the shards before any one are those of
a few tables: seven at most for a hundred shards. Each is made of two half as long, which go then; so a text is written
as often as the number of shards can be halved, and a look-up reads a few blocks for each text that is asked for. A
table's name is a digest of the shards' own digest tables as they stood: what was written anew since is noticed. All of
it is a cache in `<lake>/_index/` that can be deleted.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.crawl.shards import index_of
from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake
from persona_assets.lake.schemas import CONTENT_DIGESTS
from persona_assets.ledger.index import cache_of
from persona_assets.ledger.sorted_keys import DamagedRun, Entries, RunFile, Words, ranges, write_run

TRIES = 8  # how often a damaged table is made again before the disk is to blame
_FOUND = pl.Schema({"content_digest": pl.String(), "survivor_id": pl.String()})
logger = logging.getLogger(__name__)


class _Damaged(Exception):
    """A table was not what was written; it has been removed."""


class DigestIndex:
    """The distinct texts of some shards of one dump, each with the document of the lowest shard that holds it."""

    def __init__(self, lake: Lake, dump: str, shards: Sequence[str]) -> None:
        """Bind to shards whose digest tables are there; nothing is read yet.

        Raises:
            PersonaAssetsError: a shard has no digest table.
        """
        self._lake = lake
        self._store = lake if lake.is_local else cache_of(lake)
        self._folder = f"{self._store.root}/_index/{CONTENT_DIGESTS.name}/dump={dump}"
        self._shards = {index_of(shard): shard for shard in shards}
        self._states = {index: self._state(shard) for index, shard in self._shards.items()}

    def survivors(self, digests: pl.Series) -> pl.DataFrame:
        """Those of these texts (`content_digest`) that the shards hold, with the `survivor_id` that has it.

        Raises:
            PersonaAssetsError: tables cannot be read back after they were written.
        """
        digests = digests.unique().sort()  # in the order of the tables, so that each block is read once
        for _ in range(TRIES):
            with suppress(_Damaged):
                return self._survivors(digests)
        raise PersonaAssetsError(f"{self._folder}: tables are damaged again and again; check the disk and run again")

    def _survivors(self, digests: pl.Series) -> pl.DataFrame:
        """Look the texts up in table after table, the lowest shards first, each until it is found."""
        end = max(self._shards, default=-1) + 1
        found = [pl.DataFrame(schema=_FOUND)]
        for start, length in _aligned(end):
            if self._covered(start, length) and len(digests):
                with _Table(self._path(start, length), self) as table:
                    rows, ids = table.documents(digests)
                found.append(pl.DataFrame({"content_digest": digests.gather(rows), "survivor_id": ids}, schema=_FOUND))
                missing = np.ones(len(digests), bool)
                missing[rows] = False
                digests = digests.filter(pl.Series(missing))
        return pl.concat(found)

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
                entries = _entries(self._lake.scan(CONTENT_DIGESTS, [self._shards[start]]).collect())
                pieces: Iterator[Entries] = iter([entries])
            else:
                lower, upper = (
                    stack.enter_context(_Table(self._path(at, half), self)) if self._covered(at, half) else None
                    for at in (start, start + half)
                )
                pieces = _merged([table for table in (lower, upper) if table])
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


class _Table:
    """One open table, whose faults are told by its file."""

    def __init__(self, path: Path, index: DigestIndex) -> None:
        self.path, self._index = path, index
        try:
            self._file = RunFile(str(path))
        except (DamagedRun, FileNotFoundError) as error:  # gone: another run merged it meanwhile
            raise self._damage(error) from error

    def __enter__(self) -> "_Table":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.run.close()

    def __len__(self) -> int:
        return len(self._file.run)

    def documents(self, digests: pl.Series) -> tuple[NDArray[np.int64], list[str]]:
        """Places of the texts that the table holds, ascending, and the ids of their documents."""
        try:
            rows, halves = self._file.run.find(*_halves(digests))
            if len(rows) % 2 or (rows[0::2] != rows[1::2]).any():
                raise DamagedRun("a text has half an entry")
        except DamagedRun as error:
            raise self._damage(error) from error
        ids = halves.astype(">u8").tobytes().hex()
        return rows[0::2], [f"doc_{ids[at : at + 32]}" for at in range(0, len(ids), 32)]

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


# An entry's place has 64 bits and a document id 128: a text has two entries, one after the other.


def _entries(table: pl.DataFrame) -> Entries:
    table = table.unique("content_digest", keep="first", maintain_order=True)
    high, low = _halves(table["content_digest"])
    order = np.argsort(high, kind="stable")
    ids = np.column_stack(_halves(table["document_id"].str.strip_prefix("doc_")))
    return Entries(np.repeat(high[order], 2), np.repeat(low[order], 2), ids[order].ravel())


def _merged(tables: Sequence[_Table]) -> Iterator[Entries]:
    """All entries in order; of those of one text, the two of the first table that has it."""
    for start, stop in ranges(sum(map(len, tables))):
        both = Entries.concat([table.between(start, stop) for table in tables])
        both = both[np.argsort(both.high, kind="stable")]
        starts = _starts(both)
        if (starts[1:] & (both.high[1:] == both.high[:-1])).any():  # two texts share half a digest: they may be mixed
            both = both[np.lexsort((both.low, both.high))]
            starts = _starts(both)
        yield both[starts | np.append(False, starts[:-1])[: len(starts)]]


def _starts(entries: Entries) -> NDArray[np.bool_]:
    """Where in entries in order those of another text begin."""
    starts = np.ones(len(entries), bool)
    starts[1:] = (entries.high[1:] != entries.high[:-1]) | (entries.low[1:] != entries.low[:-1])
    return starts
