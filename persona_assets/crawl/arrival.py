"""New crawl files become shards: what has settled under the dumps folder and stands in no manifest yet."""

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from persona_assets.crawl.shards import Shard, index_of
from persona_assets.errors import UsageError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import SHARD_FILES
from persona_assets.lake.store import check_key, dump_of
from persona_assets.settings import Settings

# What downloaders and copy tools leave while they work, and what cluster jobs leave beside their output.
_PARTIAL = re.compile(
    r"\..*|.*~|.*\.(?:tmp|temp|part|partial|crdownload|download|filepart|aria2|swp|lock)|"
    r"_SUCCESS|_temporary|_(?:started|committed|metadata).*",
    re.I,
)
MAX_DUMP_NAME = 180  # leaves room for `_late<n>` and the index within a partition key


@dataclass
class Arrival:
    """What a tick found: the shards that were registered, and what a person should know of the folder."""

    shards: list[Shard] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Settled:
    """A file that is ready: its path relative to its folder, and its size."""

    name: str
    bytes: int


@dataclass
class _Manifests:
    """What is registered: files by folder, and the highest index by dump."""

    files: dict[str, set[str]]
    highest: dict[str, int]


def plan_shards(lake: Lake, settings: Settings, now: float, sealed: Collection[str] = ()) -> Arrival:
    """Group files that have settled and are in no shard yet into shards, and write their manifests to the lake.

    `now` is in seconds since 1970; `sealed` are the dumps whose shard list is closed (data contract 6); their late
    files go to `<dump>_late1`, `<dump>_late2`, ... At most `settings.max_shards_per_tick` shards are added; the rest
    waits for the next tick. Folders that cannot be a dump, and files out of place, are named in the warnings.
    """
    arrival = Arrival()
    root = Path(settings.dumps)
    if not root.is_dir():
        arrival.warnings.append(f"{root} is no folder: create it, or set PERSONA_DUMPS")
        return arrival
    folders = _dump_folders(root, arrival.warnings)
    manifests = _manifests(lake)
    for folder in folders:
        dump = _open_dump(folder.name, sealed, {other.name for other in folders})
        known = manifests.files.get(folder.name, set())
        settled = sorted(
            (
                file
                for file in _settled(folder, root, now - settings.settle_s, now, arrival.warnings)
                if file.name not in known
            ),
            key=lambda file: file.name,
        )
        for group in _groups(settled, settings.files_per_shard):
            if len(arrival.shards) == settings.max_shards_per_tick:
                return arrival
            manifests.highest[dump] = manifests.highest.get(dump, -1) + 1
            arrival.shards.append(_register(lake, dump, manifests.highest[dump], folder.name, group))
    return arrival


def _groups(files: Sequence[_Settled], size: int) -> Iterator[Sequence[_Settled]]:
    for start in range(0, len(files), size):
        yield files[start : start + size]


def _manifests(lake: Lake) -> _Manifests:
    files: dict[str, set[str]] = defaultdict(set)
    for folder, name in lake.scan(SHARD_FILES).select("folder", "file").collect().iter_rows():
        files[folder].add(name)
    highest: dict[str, int] = {}
    for key in lake.keys(SHARD_FILES):
        highest[dump_of(key)] = max(index_of(key), highest.get(dump_of(key), -1))
    return _Manifests(files, highest)


def _register(lake: Lake, dump: str, index: int, folder: str, files: Sequence[_Settled]) -> Shard:
    shard = Shard(dump, f"{dump}.{index:04d}", len(files), sum(file.bytes for file in files))
    rows = [
        {"dump": dump, "shard": shard.shard, "folder": folder, "file": file.name, "bytes": file.bytes} for file in files
    ]
    frame = pl.DataFrame(rows).with_columns(created_at=pl.lit(datetime.now(UTC)).cast(SHARD_FILES.polars["created_at"]))
    lake.write(SHARD_FILES, shard.shard, frame, run_id="arrival")
    return shard


def _open_dump(folder: str, sealed: Collection[str], folders: Collection[str]) -> str:
    """The dump that takes a folder's files: its own, or the next late one that is open and no folder of its own."""
    dump, number = folder, 0
    while dump in sealed or (number and dump in folders):
        number += 1
        dump = f"{folder}_late{number}"
    return dump


def _dump_folders(root: Path, warnings: list[str]) -> list[Path]:
    folders = []
    for entry in sorted(root.iterdir()):
        if _PARTIAL.fullmatch(entry.name):
            continue
        if not entry.is_dir():
            warnings.append(f"{entry.name!r} stands outside a dump: move it into a folder named after its dump")
        elif not _within(entry, root):
            warnings.append(f"{entry.name!r} is a link that leads outside the dumps folder, and is left out")
        elif problem := _name_problem(entry.name):
            warnings.append(problem)
        else:
            folders.append(entry)
    return folders


def _name_problem(name: str) -> str | None:
    remedy = f"rename the folder to letters, digits, '-' and '_', at most {MAX_DUMP_NAME}"
    if "." in name or len(name) > MAX_DUMP_NAME:
        return f"{name!r} cannot be a dump: {remedy}"
    try:
        check_key(name)
    except UsageError:
        return f"{name!r} cannot be a dump: {remedy}"
    return None


def _settled(folder: Path, root: Path, before: float, now: float, warnings: list[str]) -> Iterator[_Settled]:
    """Files below a folder that have not changed since `before`."""
    for directory, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not _PARTIAL.fullmatch(name))
        for name in names:
            path = Path(directory) / name
            if _PARTIAL.fullmatch(name) or not _within(path, root):
                continue
            relative = path.relative_to(folder).as_posix()
            if not _is_unicode(relative):
                warnings.append(f"{relative!r} in {folder.name} has a name that is not UTF-8: rename it")
                continue
            if file := _ready(path, relative, before, now):
                yield file


def _ready(path: Path, relative: str, before: float, now: float) -> _Settled | None:
    try:
        status = path.stat()
    except OSError:
        return None  # gone since the folder was listed, or a link to nothing
    # A clock that is ahead elsewhere gives times to come; when the file's entry changed is then the better witness.
    changed = status.st_mtime if status.st_mtime <= now else status.st_ctime
    if not path.is_file() or status.st_size == 0 or changed > before:
        return None
    return _Settled(relative, status.st_size)


def _within(path: Path, root: Path) -> bool:
    try:
        return path.resolve(strict=True).is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return False  # a link in a circle, or to nothing


def _is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
