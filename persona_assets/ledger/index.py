"""Which calls of a template the ledger holds, and where: an index that is kept on disk and can be deleted at any time.

The parts, which never change, are the truth. Levels (`runs.RunFile`) each index some parts, whose names stand in their
headers; what is in no level is indexed in memory, up to `TAIL_ROWS` calls or `TAIL_PARTS` parts, and then written as a
level. Levels of similar size are merged, so that there are few. A part that is gone is left out, as whatever it held is
in a new part. Processes share the levels and need no lock: a file appears whole, and replaces others before they go.
"""

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from persona_assets.ids import canonical_json, digest
from persona_assets.lake.schemas import CALLS
from persona_assets.lake.store import Lake, check_key
from persona_assets.ledger.sorted_keys import DamagedRun, Entries, Run, RunFile, Words, ranges, similar, write_run

TAIL_ROWS = 1 << 19  # calls indexed in memory only, 24 bytes each; a fresh process reads so many ids
TAIL_PARTS = 256  # the same for parts, each of which a fresh process opens
RELISTS = 8  # how often a reader returns to the listing when another process replaced a listed file
REMOTE_S = 10.0  # how long a listing of an object store serves; this process knows its own parts without one
_ROW_BITS = np.uint64(40)  # of a place: number of the part, then the row in it
_ROW = (np.uint64(1) << _ROW_BITS) - np.uint64(1)
_ID_BYTES = len("call_") + 32
_NIBBLES = np.full(256, 255, np.uint8)
_NIBBLES[list(b"0123456789abcdef")] = range(16)
_SETTLED_NS = 2_000_000_000  # a folder changed so recently may change again without its time showing it
Keys = tuple[Words, Words]  # 128 bits in two halves
Part = tuple[str, int]  # path below the template's folder, bytes
logger = logging.getLogger(__name__)


# Keys


def call_keys(call_ids: pl.Series) -> Keys:
    """Ids as 128-bit keys in two halves: the digest that an id spells out, or one of the text where it does not."""
    ids = call_ids.to_arrow(compat_level=pl.CompatLevel.oldest())
    if len(ids) == 0:
        return np.empty(0, np.uint64), np.empty(0, np.uint64)
    if (call_ids.str.len_bytes() != _ID_BYTES).any():
        return _key_by_key(call_ids)
    start = np.frombuffer(ids.buffers()[1], np.int64)[ids.offset]
    text = np.frombuffer(ids.buffers()[2], np.uint8)[start : start + _ID_BYTES * len(ids)].reshape(-1, _ID_BYTES)
    digits = _NIBBLES[text[:, 5:]]
    if (text[:, :5] != np.frombuffer(b"call_", np.uint8)).any() or (digits == 255).any():
        return _key_by_key(call_ids)
    return _halves((digits[:, 0::2] << 4 | digits[:, 1::2]).tobytes())


def _key_by_key(call_ids: pl.Series) -> Keys:
    def key(call_id: str) -> bytes:
        text = call_id.encode()
        spelled = len(text) == _ID_BYTES and text.startswith(b"call_") and not text[5:].strip(b"0123456789abcdef")
        return bytes.fromhex(call_id[5:] if spelled else digest(text))

    return _halves(b"".join(map(key, call_ids)))


def _halves(keys: bytes) -> Keys:
    halves = np.frombuffer(keys, ">u8").astype(np.uint64).reshape(-1, 2)
    return halves[:, 0].copy(), halves[:, 1].copy()


def read_ids(lake: Lake, path: str) -> pl.Series:
    """The ids of a part, in its order; an Arrow error or ValueError is raised where it is not a whole part."""
    with lake.fs.open(path, "rb") as file, pq.ParquetFile(file, page_checksum_verification=True) as part:
        check_columns(part.schema_arrow.names)
        return pl.Series("call_id", part.read(columns=["call_id"]).column(0), pl.String())


def check_columns(names: Sequence[str]) -> None:
    """Raise ValueError where these are not the columns of a part, all or without some that were added later."""
    if list(names) != [name for name in CALLS.polars if name in names or name not in CALLS.later]:
        raise ValueError(f"columns {list(names)}")


# Parts that exist


SERVES = 20  # times as long as it took does a listing serve: look-ups spend a twentieth of their time on it at most


class _Listing:
    """The parts of a template; only folders that changed are read again."""

    def __init__(self, lake: Lake, folder: str) -> None:
        self._lake, self._folder = lake, folder
        self._parts: dict[str, dict[str, int]] = {}  # by shard folder: file name, bytes
        self._read_at: dict[str, tuple[int, int]] = {}  # shard folder: its time of change, when it was read
        self._unsettled: list[str] = []  # shard folders that were read the last time
        self._listed_at = -math.inf
        self._serves_until = -math.inf

    def changes(self, again: bool = False) -> tuple[set[Part], set[Part]]:
        """Parts that came and parts that went since the last time; with `again`, just where that was a moment ago."""
        began = time.monotonic()
        if not again and began < self._serves_until:
            return set(), set()
        now = self._local(again) if self._lake.is_local else self._remote()
        came, went = set[Part](), set[Part]()
        for name in self._parts.keys() | now.keys():
            before, after = self._parts.get(name, {}), now.get(name, {})
            if before is not after:
                came |= {(f"{name}/{file}", size) for file, size in after.items() - before.items()}
                went |= {(f"{name}/{file}", size) for file, size in before.items() - after.items()}
        self._parts = now
        if not again:
            self._serves_until = time.monotonic() + SERVES * (time.monotonic() - began)
        return came, went

    def add(self, part: Part) -> None:
        """Count a part as known already."""
        folder, file = part[0].split("/")
        self._parts[folder] = self._parts.get(folder, {}) | {file: part[1]}

    def expire(self) -> None:
        """Read everything the next time."""
        self._read_at.clear()
        self._listed_at = self._serves_until = -math.inf

    def _local(self, again: bool) -> dict[str, dict[str, int]]:
        found = dict(self._parts) if again else {}
        names = self._unsettled if again else [entry.name for entry in _entries(self._folder, "shard=")]
        self._unsettled = []
        for name in names:
            path = f"{self._folder}/{name}"
            try:
                changed = os.stat(path).st_mtime_ns  # noqa: PTH116 - thousands of times per look-up
            except FileNotFoundError:
                found.pop(name, None)
                continue
            seen, read = self._read_at.get(name, (0, 0))
            if seen == changed and read - changed > _SETTLED_NS:
                found[name] = self._parts[name]
                continue
            self._read_at[name] = changed, time.time_ns()
            self._unsettled.append(name)
            found[name] = {}
            for file in _entries(path, "part-"):
                with suppress(FileNotFoundError):  # merged away since
                    found[name][file.name] = file.stat().st_size
        return found

    def _remote(self) -> dict[str, dict[str, int]]:
        if time.monotonic() - self._listed_at < REMOTE_S:
            return dict(self._parts)
        self._listed_at = time.monotonic()
        self._lake.fs.invalidate_cache()
        found: dict[str, dict[str, int]] = {}
        for path, info in self._lake.fs.glob(f"{self._folder}/shard=*/part-*.parquet", detail=True).items():
            _, shard, file = path.rsplit("/", 2)
            found.setdefault(shard, {})[file] = info["size"]
        return found


def _entries(folder: str, prefix: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return [entry for entry in found if entry.name.startswith(prefix)]
    except (FileNotFoundError, NotADirectoryError):
        return []


# The index


@dataclass(frozen=True, slots=True)
class Hits:
    """Where calls stand: which of the keys asked for (ascending), number of the part, row in the part."""

    probe: NDArray[np.int64]
    part: NDArray[np.int64]
    row: NDArray[np.int64]

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Hits":
        return Hits(self.probe[rows], self.part[rows], self.row[rows])


class CallIndex:
    """The calls of one template. One thread at a time."""

    def __init__(self, lake: Lake, template: str, set_aside: Callable[[str, str], None] | None = None) -> None:
        """Bind to a template; nothing is read yet. `set_aside` is told path and reason of a part that is damaged."""
        self._lake, self._set_aside = lake, set_aside
        self._folder = f"{lake.root}/{CALLS.name}/template={check_key(template)}"
        self._store = lake if lake.is_local else cache_of(lake)
        self._files = f"{self._store.root}/_index/{CALLS.name}/template={template}"
        self._listing = _Listing(lake, self._folder)
        self._parts: list[Part] = []
        self._numbers: dict[Part, int] = {}
        self._exists = np.zeros(16, np.bool_)
        self._indexed = np.zeros(16, np.bool_)
        self._levels: list[_Level] = []
        self._opened: set[str] = set()
        self._writable = True

    def path(self, part: int) -> str:
        """Path of the part with this number."""
        return f"{self._folder}/{self._parts[part][0]}"

    def held(self, call_ids: pl.Series) -> NDArray[np.bool_]:
        """Which of these ids are in the ledger now."""
        mask = np.zeros(len(call_ids), np.bool_)
        mask[self.find(call_ids).probe] = True
        return mask

    def find(self, call_ids: pl.Series) -> Hits:
        """Where these ids stand now; one that is stored twice has two hits."""
        high, low = call_keys(call_ids)
        self.refresh()
        hits = self._search(high, low)
        # A part that another process merged while the folder was listed may be missed, and what it went into too.
        for _ in range(RELISTS):
            if len(np.unique(hits.probe)) == len(high) or not self.refresh(again=True):
                break
            hits = self._search(high, low)
        return hits

    def add(self, path: str, size: int, call_ids: pl.Series) -> None:
        """Index a part that this process has just committed, whose ids it knows."""
        part = path.removeprefix(f"{self._folder}/"), size
        number = self._number(part)
        self._listing.add(part)
        self._exists[number] = True
        if not self._indexed[number]:
            self._remember([(number, call_ids)])
            self._settle()

    def forget(self, path: str) -> None:
        """Index a part anew, as it is not what was indexed."""
        gone = {n for n, part in enumerate(self._parts) if f"{self._folder}/{part[0]}" == path}
        for level in [level for level in self._levels if gone & set(level.parts.tolist())]:
            self._drop(level)
        self._assign()

    def expire(self) -> None:
        """Trust nothing of what is known of the parts that exist: one of them did not."""
        self._listing.expire()

    def refresh(self, again: bool = False) -> bool:
        """Learn what other processes did since, `again` within a moment; returns whether anything changed."""
        came, went = self._listing.changes(again)
        self._exists[[self._numbers[part] for part in went]] = False
        new = [self._number(part) for part in came]
        self._exists[new] = True
        if len(self._unread()):
            self._open_levels()
            self._read_parts()
        if came or went:
            self._settle()
        return bool(came or went)

    def _number(self, part: Part) -> int:
        number = self._numbers.setdefault(part, len(self._parts))
        if number == len(self._parts):
            self._parts.append(part)
            if number == len(self._exists):
                self._exists = np.concatenate([self._exists, np.zeros_like(self._exists)])
                self._indexed = np.concatenate([self._indexed, np.zeros_like(self._indexed)])
        return number

    # Parts that no level has

    def _unread(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._exists & ~self._indexed)

    def _read_parts(self) -> None:
        """Index what is unread, in memory that does not grow with it."""
        fresh: list[tuple[int, pl.Series]] = []
        for number in sorted(self._unread().tolist(), key=lambda number: self._parts[number]):
            try:
                fresh.append((number, read_ids(self._lake, self.path(number))))
            except FileNotFoundError:  # merged away since it was listed
                self._exists[number] = False
            except (pa.ArrowException, OSError, ValueError) as error:
                if is_of_the_system(error):
                    raise
                self._exists[number] = False
                if self._set_aside:
                    self._set_aside(self.path(number), str(error))
            if sum(len(ids) for _, ids in fresh) > TAIL_ROWS:
                self._remember(fresh)
                self._settle()
                fresh = []
        if fresh:
            self._remember(fresh)

    def _remember(self, parts: Sequence[tuple[int, pl.Series]]) -> None:
        """A level in memory over parts with these ids."""
        entries = []
        for local, (_, call_ids) in enumerate(parts):
            place = np.arange(len(call_ids), dtype=np.uint64) | (np.uint64(local) << _ROW_BITS)
            entries.append(Entries(*call_keys(call_ids), place))
        numbers = np.array([number for number, _ in parts], np.int64)
        rows = np.array([len(call_ids) for _, call_ids in parts], np.int64)
        self._indexed[numbers] = True
        self._levels.append(_Level(Run.of(Entries.concat(entries)), numbers, rows, np.ones(len(parts), np.bool_)))

    # Look-up

    def _search(self, high: Words, low: Words) -> Hits:
        while True:
            try:
                found = [self._search_level(level, high, low) for level in self._levels]
                break
            except _Damaged as damage:
                self._rebuild(damage)
        probe, part, row = (
            np.concatenate([np.empty(0, np.int64), *(getattr(one, name) for one in found)]) for name in Hits.__slots__
        )
        return Hits(probe, part, row)[np.argsort(probe, kind="stable")]

    def _search_level(self, level: "_Level", high: Words, low: Words) -> Hits:
        try:
            probe, place = level.run.find(high, low)
        except (DamagedRun, OSError) as error:
            raise _Damaged(level, error) from error
        local, row = _apart(place)
        return Hits(probe, level.parts[local], row)[level.owned[local]]

    # Levels

    def _settle(self) -> None:
        """Give each part to one level, drop levels without any, merge those of similar size."""
        self._assign()
        try:
            memory = sorted((level for level in self._levels if not level.file), key=lambda level: level.size)
            few = similar([level.size for level in memory])
            if few:
                memory[:few] = [self._merged_in_memory(memory[:few])]
            parts = sum(int(level.owned.sum()) for level in memory)
            if self._writable and (sum(level.size for level in memory) > TAIL_ROWS or parts > TAIL_PARTS):
                self._write(memory)
        except _Damaged as damage:
            self._rebuild(damage)

    def _assign(self) -> None:
        taken = ~self._exists
        self._indexed[:] = False
        for level in sorted(self._levels, key=lambda level: (not level.file, -len(level.run))):
            level.owned = ~taken[level.parts]
            if level.owned.any():
                taken[level.parts] = True
                self._indexed[level.parts] = True
            else:
                self._drop(level)

    def _merged_in_memory(self, levels: Sequence["_Level"]) -> "_Level":
        parts, rows, pieces = self._joined(levels)
        level = _Level(Run.of(Entries.concat(list(pieces))), parts, rows, np.ones(len(parts), np.bool_))
        self._replace(levels, level)
        return level

    def _write(self, memory: Sequence["_Level"]) -> None:
        """Write what is in memory as a level, and those of similar size with it."""
        stored = sorted((level for level in self._levels if level.file), key=lambda level: level.size)
        few = similar([sum(level.size for level in memory), *(level.size for level in stored)])
        levels = [*memory, *stored[: max(few - 1, 0)]]
        parts, rows, pieces = self._joined(levels)
        header = {"parts": [[*self._parts[part], int(count)] for part, count in zip(parts, rows, strict=True)]}
        path = f"{self._files}/{digest(canonical_json(header))}.run"
        temporary = ""
        try:
            temporary = self._store.temporary()
            with Path(temporary).open("wb") as file:
                write_run(file, pieces, header)
            self._store.commit(temporary, path)
            self._opened.add(path)
            self._replace(levels, self._level_of(RunFile(path)))
        except (
            OSError,
            DamagedRun,
        ) as error:  # no room, no right to write: the index is only slower to make without it
            logger.warning("the index of the calls cannot be kept in %s (%s); it is held in memory", self._files, error)
            self._writable = False
        finally:
            if temporary:
                Path(temporary).unlink(missing_ok=True)

    def _joined(self, levels: Sequence["_Level"]) -> tuple[NDArray[np.int64], NDArray[np.int64], Iterator[Entries]]:
        """The parts that levels own, the calls of each, and all their entries in order."""
        parts = np.concatenate([level.parts[level.owned] for level in levels])
        rows = np.concatenate([level.rows[level.owned] for level in levels])
        local = np.zeros(len(self._parts), np.uint64)
        local[parts] = np.arange(len(parts), dtype=np.uint64)

        def pieces() -> Iterator[Entries]:
            for start, stop in ranges(sum(len(level.run) for level in levels)):
                yield Entries.concat([_between(level, start, stop, local) for level in levels]).sorted()

        return parts, rows, pieces()

    def _replace(self, levels: Sequence["_Level"], level: "_Level") -> None:
        self._levels.append(level)
        for old in levels:
            self._drop(old)

    def _open_levels(self) -> None:
        """Take up what other processes wrote."""
        for _ in range(RELISTS):
            with suppress(FileNotFoundError):  # merged into another since it was listed
                for file in _entries(self._files, ""):
                    if file.path not in self._opened and file.name.endswith(".run"):
                        self._open(file.path)
                break
        self._assign()

    def _open(self, path: str) -> None:
        try:
            self._levels.append(self._level_of(RunFile(path)))
        except DamagedRun as error:
            logger.warning("%s is damaged (%s); what it indexed is read again", path, error)
            Path(path).unlink(missing_ok=True)
        self._opened.add(path)

    def _level_of(self, file: RunFile) -> "_Level":
        parts = file.header["parts"]
        numbers = np.array([self._number((path, size)) for path, size, _ in parts], np.int64)
        rows = np.array([count for *_, count in parts], np.int64)
        self._indexed[numbers] = True
        return _Level(file.run, numbers, rows, self._exists[numbers], file.path)

    def _rebuild(self, damage: "_Damaged") -> None:
        logger.warning("%s is damaged (%s); what it indexed is read again", damage.level.file, damage.error)
        self._drop(damage.level)
        self._assign()
        self._read_parts()
        self._settle()

    def _drop(self, level: "_Level") -> None:
        self._levels.remove(level)
        level.run.close()
        if level.file:
            with suppress(OSError):  # gone already, or not ours to remove
                Path(level.file).unlink()


@dataclass(eq=False, slots=True)
class _Level:
    """A run over some parts: the number of each, in the order of its places, and how many calls it has."""

    run: Run
    parts: NDArray[np.int64]
    rows: NDArray[np.int64]
    owned: NDArray[np.bool_]  # parts that exist and that no other level answers for
    file: str = ""  # path, where it is stored

    @property
    def size(self) -> int:
        """Calls that it answers for."""
        return int(self.rows[self.owned].sum())


class _Damaged(Exception):
    """A level's file is not what was written."""

    def __init__(self, level: _Level, error: Exception) -> None:
        super().__init__(str(error))
        self.level, self.error = level, error


def _between(level: _Level, start: int, stop: int, local: Words) -> Entries:
    """Entries of a range of keys that the level owns, their parts numbered by `local`."""
    try:
        entries = level.run.between(start, stop)
    except (DamagedRun, OSError) as error:
        raise _Damaged(level, error) from error
    part, row = _apart(entries.place)
    owned = level.owned[part]
    place = local[level.parts[part[owned]]] << _ROW_BITS | row[owned].astype(np.uint64)
    return Entries(entries.high[owned], entries.low[owned], place)


def _apart(place: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return (place >> _ROW_BITS).astype(np.int64), (place & _ROW).astype(np.int64)


def is_of_the_system(error: BaseException) -> bool:
    """Whether it says nothing of a file's content: an error of the file system has a number, pyarrow's have none."""
    return isinstance(error, OSError) and error.errno is not None


def cache_of(lake: Lake) -> Lake:
    """A local folder for what belongs to a lake elsewhere."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Lake(caches / "persona-assets" / digest(str(lake.fs.unstrip_protocol(lake.root)).encode()))
