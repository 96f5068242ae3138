"""Sorted tables of 128-bit keys and places, in memory or in a file, searched by reading a few small blocks.

File: blocks of `BLOCK` entries (upper halves of keys, lower halves, places, and a checksum, 64 bits each), the first
key of each block, a JSON header, and a tail that gives their sizes and the checksum of all but the blocks. What is cut
short or changed is noticed where it is read. Files are a cache: they never change, and may go.
"""

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, repeat
from typing import IO, Any
from zlib import crc32

import numpy as np
import orjson
from numpy.typing import NDArray

BLOCK = 64  # entries read for one key: 1.5 KB, and 8 bytes in memory per block
_HIGH, _LOW, _PLACE = (slice(part * BLOCK, part * BLOCK + BLOCK) for part in range(3))  # of the words of a block
_WORDS = 3 * BLOCK + 1
PROBES = 2048  # keys looked for at once, one block of each in memory
MERGE_ROWS = 1 << 20  # entries in memory while runs are merged
_FULL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)  # fills the last block
_MAGIC = b"PERSRUN2"
_TAIL = struct.Struct("<8sQQII")  # magic, entries, bytes of the header, checksum of what is not blocks, of the tail
# Odd, so that no change of a single word is missed; the last one is that of the block's number.
_WEIGHTS = np.random.default_rng(7).integers(0, 1 << 63, _WORDS, np.uint64) * np.uint64(2) + np.uint64(1)
Words = NDArray[np.uint64]


class DamagedRun(Exception):
    """A run's file is not what was written."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Keys of 128 bits in two halves, and the place of each."""

    high: Words
    low: Words
    place: Words

    def __len__(self) -> int:
        return len(self.high)

    def __getitem__(self, rows: Any) -> "Entries":  # noqa: ANN401 - whatever NumPy takes
        return Entries(self.high[rows], self.low[rows], self.place[rows])

    def sorted(self) -> "Entries":
        """By the upper half of the key."""
        return self[np.argsort(self.high)]

    @classmethod
    def concat(cls, entries: Sequence["Entries"]) -> "Entries":
        """One after the other."""
        if not entries:
            return cls(*(np.empty(0, np.uint64) for _ in range(3)))
        return cls(*(np.concatenate([getattr(one, name) for one in entries]) for name in cls.__slots__))


class Run:
    """A sorted table; `blocks` may be an array in memory or `_StoredBlocks`."""

    def __init__(self, blocks: "Words | _StoredBlocks", fences: Words, entries: int) -> None:
        """Blocks, one per row; the first key of each; and the number of entries in all."""
        self._blocks, self._fences, self._entries = blocks, fences, entries

    def __len__(self) -> int:
        return self._entries

    @classmethod
    def of(cls, entries: Entries) -> "Run":
        """In memory, of entries in any order."""
        blocks = _blocked(entries.sorted(), 0)
        return cls(blocks, blocks[:, 0].copy(), len(entries))

    def find(self, high: Words, low: Words) -> tuple[NDArray[np.int64], Words]:
        """The entries of these keys: which key (ascending), and the place; a key may have several entries, or none.

        Raises:
            DamagedRun: a block that it needs is not what was written.
        """
        rows, places = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
        for start in range(0, len(high) if self._entries else 0, PROBES):
            for row, place in self._find(high[start : start + PROBES], low[start : start + PROBES]):
                rows.append(row + start)
                places.append(place)
        row, place = np.concatenate(rows), np.concatenate(places)
        real = place != _FULL
        order = np.argsort(row[real], kind="stable")
        return row[real][order], place[real][order]

    def _find(self, high: Words, low: Words) -> Iterator[tuple[NDArray[np.int64], Words]]:
        probes = np.arange(len(high), dtype=np.int64)
        block = np.maximum(np.searchsorted(self._fences, high, "left") - 1, 0)
        while len(probes):
            numbers, inverse = np.unique(block, return_inverse=True)
            held = self._blocks[numbers]
            row, column = np.nonzero(held[:, _HIGH][inverse] == high[probes, None])
            same = held[:, _LOW][inverse[row], column] == low[probes[row]]
            row, column = row[same], column[same]
            yield probes[row], held[:, _PLACE][inverse[row], column]
            # A key that ends its block, or starts the next, may go on there.
            on = block + 1 < len(self._fences)
            on[on] = self._fences[block[on] + 1] == high[probes[on]]
            probes, block = probes[on], block[on] + 1

    def between(self, start: int, stop: int) -> Entries:
        """The entries with `start` <= upper half < `stop`, in order."""
        first = max(int(np.searchsorted(self._fences, np.uint64(start), "left")) - 1, 0)
        last = len(self._fences) if stop > int(_FULL) else int(np.searchsorted(self._fences, np.uint64(stop), "left"))
        held = self._blocks[np.arange(first, max(last, first))]
        entries = Entries(*(held[:, part].ravel() for part in (_HIGH, _LOW, _PLACE)))
        within = entries.high >= np.uint64(start)
        if stop <= int(_FULL):
            within &= entries.high < np.uint64(stop)
        return entries[within & (entries.place != _FULL)]

    def close(self) -> None:
        """Let go of the file, if there is one."""
        if isinstance(self._blocks, _StoredBlocks):
            self._blocks.close()


class _StoredBlocks:
    """Blocks read from a file as they are asked for, each one checked."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __getitem__(self, numbers: NDArray[np.int64]) -> Words:
        bounds = np.flatnonzero(np.diff(numbers, prepend=-2, append=-2) != 1)  # neighbours are read together
        file, size = self._file.fileno(), 8 * _WORDS
        sizes, places = np.diff(bounds) * size, numbers[bounds[:-1]] * size
        data = b"".join(map(os.pread, repeat(file), sizes.tolist(), places.tolist()))
        if len(data) != len(numbers) * size:
            raise DamagedRun("it ends early")
        held = np.frombuffer(data, np.uint64).reshape(-1, _WORDS)
        if not np.array_equal(_checks(held, numbers.astype(np.uint64)), held[:, -1]):
            raise DamagedRun("a block does not fit its checksum")
        return held

    def close(self) -> None:
        self._file.close()


def _blocked(entries: Entries, first: int) -> Words:
    """Entries as blocks, the first of which has the number `first`."""
    count = -(-len(entries) // BLOCK)
    blocks = np.empty((count, _WORDS), np.uint64)
    for part, values in ((_HIGH, entries.high), (_LOW, entries.low), (_PLACE, entries.place)):
        padded = np.full(count * BLOCK, _FULL)
        padded[: len(entries)] = values
        blocks[:, part] = padded.reshape(count, BLOCK)
    blocks[:, -1] = _checks(blocks, np.arange(first, first + count, dtype=np.uint64))
    return blocks


def _checks(blocks: Words, numbers: Words) -> Words:
    sums: Words = blocks[:, :-1] @ _WEIGHTS[:-1] + numbers * _WEIGHTS[-1]
    return sums


class RunFile:
    """A run in a file, with the header that was given when it was written."""

    def __init__(self, path: str) -> None:
        """Open it.

        Raises:
            DamagedRun: it is not what was written.
            FileNotFoundError: it is gone.
        """
        self.path = path
        file = open(path, "rb")  # noqa: SIM115, PTH123 - stays open while the run is in use
        try:
            self.run, self.header = _read(file)
        except BaseException:
            file.close()
            raise


def _read(file: IO[bytes]) -> tuple[Run, Any]:
    size = os.fstat(file.fileno()).st_size
    file.seek(max(size - _TAIL.size, 0))
    tail = file.read()
    if len(tail) != _TAIL.size or crc32(tail[:-4]) != int.from_bytes(tail[-4:], "little"):
        raise DamagedRun("it has no end")
    magic, entries, header_bytes, check, _ = _TAIL.unpack(tail)
    count = -(-entries // BLOCK)
    if magic != _MAGIC or size != 8 * count * (_WORDS + 1) + header_bytes + _TAIL.size:
        raise DamagedRun("it is of another format or size")
    file.seek(8 * count * _WORDS)
    body = file.read(8 * count + header_bytes)
    if crc32(body) != check:
        raise DamagedRun("its header does not fit its checksum")
    return Run(_StoredBlocks(file), np.frombuffer(body, np.uint64, count), entries), orjson.loads(body[8 * count :])


def write_run(file: IO[bytes], pieces: Iterable[Entries], header: Any) -> int:  # noqa: ANN401 - any JSON value
    """Write sorted entries, given in pieces, to an open file; returns their number."""
    fences: list[Words] = []
    total = blocks = 0
    waiting = Entries.concat([])
    for piece in chain(pieces, (None,)):
        if piece is not None:
            waiting = Entries.concat([waiting, piece])
        ready = len(waiting) if piece is None else len(waiting) // BLOCK * BLOCK
        some = _blocked(waiting[:ready], blocks)
        file.write(some.data)
        fences.append(some[:, 0].copy())
        waiting, total, blocks = waiting[ready:], total + ready, blocks + len(some)
    head = orjson.dumps(header)
    body = b"".join([*(one.tobytes() for one in fences), head])
    tail = _TAIL.pack(_MAGIC, total, len(head), crc32(body), 0)[:-4]
    file.write(body + tail + crc32(tail).to_bytes(4, "little"))
    return total


def ranges(rows: int) -> Iterator[tuple[int, int]]:
    """Ranges of upper halves, in order, that together hold all keys: of `rows` entries about `MERGE_ROWS` each.

    Keys are digests, and so spread evenly.
    """
    steps = max(1, -(-rows // MERGE_ROWS))
    bounds = [step * (1 << 64) // steps for step in range(steps + 1)]
    yield from pairwise(bounds)


def similar(sizes: Sequence[int], floor: int = 0) -> int:
    """How many of these ascending sizes to merge, so that each one left is over twice all smaller ones together.

    So what is large is not written again for something small, and the number of sizes grows with the logarithm of their
    sum. Sizes up to `floor` always count as small.
    """
    count = total = 0
    for number, size in enumerate(sizes):
        if number and size <= max(2 * total, floor):
            count = number + 1
        total += size
    return count
