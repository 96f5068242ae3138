"""Shards as they are registered in the lake: which files make up which partition."""

import hashlib
import time
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from persona_assets.crawl.items import CrawlFile
from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import digest
from persona_assets.lake import Lake
from persona_assets.lake.schemas import SHARD_FILES
from persona_assets.lake.skipped import skipped_shards
from persona_assets.lake.store import dump_of

REMOTE_S = 60.0  # how long at most a listing of an object store serves
# What was registered when this process last listed a lake, by its address: what `_state` was, and shards by dump.
_LISTED: dict[str, tuple[str, dict[str, list[str]]]] = {}


@dataclass(frozen=True, slots=True)
class Settled:
    """A file that is ready: its path relative to its folder, its size and when it last changed."""

    name: str
    bytes: int
    mtime_ns: int | None
    fingerprint: str | None = None  # None: not looked at yet


@dataclass(frozen=True, slots=True)
class Shard:
    """A partition of a dump: its key, and how many files and bytes it had when it was registered."""

    dump: str
    shard: str
    files: int
    bytes: int


END_BYTES = 64 * 1024  # of a file's beginning and end, which its fingerprint covers
NAMED = 3  # files that an error names


def index_of(shard: str) -> int:
    """The index of a shard within its dump.

    Raises:
        PersonaAssetsError: the key is not of the form `<dump>.<index>`.
    """
    dump, _, index = shard.rpartition(".")
    if not dump or not (index.isascii() and index.isdigit()):
        raise PersonaAssetsError(f"{shard!r} is not a shard key, which has the form <dump>.<index>, as cc_2024_22.0003")
    return int(index)


def registered_shards(lake: Lake) -> list[Shard]:
    """Every registered shard, by dump and index."""
    totals = (
        lake.scan(SHARD_FILES).group_by("dump", "shard").agg(pl.len().alias("files"), pl.col("bytes").sum()).collect()
    )
    shards = [Shard(**row) for row in totals.iter_rows(named=True)]
    return sorted(shards, key=lambda shard: (shard.dump, index_of(shard.shard)))


def earlier_shards(lake: Lake, shard: str) -> list[str]:
    """Registered shards of the same dump with a lower index that are not left out, in order.

    They are listed once for many shards: those before a shard are registered before it.
    """
    url, state, index = str(lake.fs.unstrip_protocol(lake.root)), _state(lake), index_of(shard)
    listed = _LISTED.get(url)
    if listed is None or listed[0] != state or shard not in listed[1].get(dump_of(shard), ()):
        listed = _LISTED[url] = state, _by_dump(lake.keys(SHARD_FILES))
    same = listed[1].get(dump_of(shard), [])
    left_out = skipped_shards(lake)
    return [one for one in same[: bisect_left(same, index, key=index_of)] if one not in left_out]


def chained(before: str, content: str) -> str:
    """Digest of the manifests of a dump's shards so far: of `before`, that of all lower ones, and of one more."""
    return digest(f"{before} {content}".encode())


def _state(lake: Lake) -> str:
    """What changes when a shard comes or goes; on a store, which has no such thing, after `REMOTE_S`."""
    folder = f"{lake.root}/{SHARD_FILES.name}"
    if lake.is_local and lake.fs.exists(folder):
        return str(lake.fs.ukey(folder))
    return str(time.monotonic() // REMOTE_S)


def _by_dump(keys: Iterable[str]) -> dict[str, list[str]]:
    """Shards by dump, in the order of their indexes."""
    found: dict[str, list[str]] = {}
    for key in sorted(keys, key=index_of):
        found.setdefault(dump_of(key), []).append(key)
    return found


def shard_files(lake: Lake, dumps: Path, shard: str) -> list[CrawlFile]:
    """The files of a shard in the order of their names, whether or not they are still there.

    Raises:
        PersonaAssetsError: the shard is not registered.
    """
    return [CrawlFile(dumps / folder / file.name, file.name) for folder, file in _manifest(lake, shard)]


def files_to_read(lake: Lake, dumps: Path, shard: str) -> list[CrawlFile]:
    """The same for files that are about to be read: all of them are there, as they were registered.

    Raises:
        PersonaAssetsError: the shard is not registered, or a file is gone or has changed since.
    """
    gone, changed = [], []
    for folder, file in _manifest(lake, shard):
        path = dumps / folder / file.name
        try:
            status = path.stat()
        except OSError:
            gone.append(path)
            continue
        if not is_same(path, Settled(file.name, status.st_size, status.st_mtime_ns), file):
            changed.append(path)
    if gone:
        raise PersonaAssetsError(
            f"{_named(gone)} of shard {shard} cannot be found: restore it, or leave the shard out "
            f"(`persona-assets skip {shard} --reason TEXT`)"
        )
    if changed:
        raise PersonaAssetsError(
            f"{_named(changed)} changed after shard {shard} was registered: `persona-assets run` registers it anew; "
            "where the dump is sealed, restore it as it was"
        )
    return shard_files(lake, dumps, shard)


def _named(paths: list[Path]) -> str:
    more = f" and {len(paths) - NAMED} more files" if len(paths) > NAMED else ""
    return ", ".join(map(str, paths[:NAMED])) + more


def _manifest(lake: Lake, shard: str) -> Iterable[tuple[str, Settled]]:
    """The folder of each file of a shard, and how it was registered, by name."""
    columns = ("folder", "file", "bytes", "mtime_ns", "fingerprint")
    for folder, *file in lake.read(SHARD_FILES, shard).sort("file").select(columns).iter_rows():
        yield folder, Settled(*file)


def is_same(path: Path, file: Settled, registered: Settled) -> bool:
    """Whether a file is as it was registered. Manifests of earlier versions hold its size alone."""
    if file.bytes != registered.bytes:
        return False
    if registered.fingerprint is None or file.mtime_ns == registered.mtime_ns:
        return True
    return fingerprint(path, file.bytes, file.mtime_ns) in (registered.fingerprint, None)


@lru_cache(maxsize=100_000)
def fingerprint(path: Path, size: int, mtime_ns: int | None) -> str | None:
    """Digest of a file's size and of its first and last 64 KiB; None where it cannot be read.

    It is kept as long as the file has this size and time.
    """
    hasher = hashlib.blake2b(str(size).encode(), digest_size=16)
    try:
        with path.open("rb") as file:
            hasher.update(file.read(END_BYTES))
            file.seek(max(0, size - END_BYTES))
            hasher.update(file.read(END_BYTES))
    except OSError:
        return None
    return hasher.hexdigest()
