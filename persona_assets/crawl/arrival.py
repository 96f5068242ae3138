"""New crawl files become shards: what has settled under the dumps folder and stands in no manifest yet."""

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import polars as pl

from persona_assets.crawl.shards import Settled, Shard, fingerprint, index_of, is_same
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Lake
from persona_assets.lake.records import DamagedRecord
from persona_assets.lake.schemas import SHARD_FILES
from persona_assets.lake.skipped import skip_shard, skipped_shards
from persona_assets.lake.store import check_key, dump_of
from persona_assets.settings import Settings

# What downloaders and copy tools leave while they work, and what cluster jobs leave beside their output.
_PARTIAL = re.compile(
    r"\..*|.*~|.*\.(?:tmp|temp|part|partial|crdownload|download|filepart|aria2|swp|lock)|"
    r"_SUCCESS|_temporary|_(?:started|committed|metadata).*",
    re.I,
)
ATTEMPTS = 100  # to register beside other runs
MAX_DUMP_NAME = 180  # leaves room for `_late<n>` and the index within a partition key


@dataclass(frozen=True, slots=True)
class Planned:
    """A shard that is to be registered: a new one, or one whose files changed.

    `moved` names the shard whose files it takes over.
    """

    shard: str
    folder: str
    files: tuple[Settled, ...]
    again: bool = False
    moved: str = ""

    @property
    def registered(self) -> Shard:
        """What is known of it once it is registered."""
        return Shard(dump_of(self.shard), self.shard, len(self.files), sum(file.bytes for file in self.files))


@dataclass
class Arrival:
    """What a tick found: the shards that were registered, and what a person should know of the folder.

    `again` are shards whose files changed, so that they are read again; `planned` is what is to be registered.
    """

    shards: list[Shard] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    again: list[Shard] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Listed:
    """A file as a manifest has it."""

    shard: str
    file: Settled


@dataclass
class _Manifests:
    """What is registered: files by folder and name, oldest first; the highest index by dump; what is left out."""

    files: dict[str, dict[str, list[_Listed]]]
    folders: dict[str, str]  # by shard
    highest: dict[str, int]
    left_out: Collection[str]
    damaged: dict[str, str]  # by shard, what is wrong

    def next_shard(self, dump: str) -> str:
        """The key of a dump's next shard, which counts as taken from now on."""
        self.highest[dump] = self.highest.get(dump, -1) + 1
        return f"{dump}.{self.highest[dump]:04d}"

    def of(self, shard: str) -> list[Settled]:
        """The files of a shard, by name."""
        by_name = self.files.get(self.folders[shard], {})
        return [one.file for listed in by_name.values() for one in listed if one.shard == shard]


Sealed = Mapping[str, Collection[str]]  # the shards of each dump whose list of shards is closed


def plan_shards(lake: Lake, settings: Settings, now: float, sealed: Sealed = MappingProxyType({})) -> Arrival:
    """Group files that have settled and are in no shard yet into shards, and write their manifests to the lake.

    `now` is in seconds since 1970; `sealed` are the dumps whose shard list is closed (data contract 6), each with its
    shards. Their late files go to `<dump>_late1`, `<dump>_late2`, ..., and so does a file that changed since, and a
    shard that is not in its dump's seal. In a dump that is not sealed the manifest of a changed file's shard is written
    anew, so that the shard is read again. At most `settings.max_shards_per_tick` shards are added; the rest waits for
    the next tick. Folders that cannot be a dump, files out of place and changed files are named in the warnings.

    Safe beside other runs: a shard that another run registers first is seen, and the folder looked at again.

    Raises:
        PersonaAssetsError: other runs were faster again and again.
    """
    done: list[Shard] = []
    again: list[Shard] = []
    warnings: list[str] = []
    for _ in range(ATTEMPTS):
        most = settings.max_shards_per_tick - len(done)
        found = look(lake, settings.model_copy(update={"max_shards_per_tick": most}), now, sealed)
        warnings += [warning for warning in found.warnings if warning not in warnings]
        try:
            for planned in found.planned:
                _register(lake, planned, Path(settings.dumps))
                if planned.files:
                    (again if planned.again else done).append(planned.registered)
        except FileExistsError:
            continue  # another run has registered it meanwhile
        return Arrival(done, warnings, again, found.planned)
    raise PersonaAssetsError(f"other runs register the files of {settings.dumps} at the same time: try again")


def look(lake: Lake, settings: Settings, now: float, sealed: Sealed = MappingProxyType({})) -> Arrival:
    """What `plan_shards` would register, and its warnings. Writes nothing."""
    arrival = Arrival()
    root = Path(settings.dumps)
    if not root.is_dir():
        arrival.warnings.append(f"{root} is not a folder: create it, or set PERSONA_DUMPS")
        return arrival
    folders = _dump_folders(root, arrival.warnings)
    names = {folder.name for folder in folders}
    manifests = _manifests(lake)
    for shard, problem in manifests.damaged.items():
        arrival.warnings.append(
            f"the manifest of shard {shard} is damaged ({problem}): no file of its folder is registered until it is "
            f"restored from a backup, or left out (`persona-assets skip {shard} --reason TEXT`), which has its files "
            "registered again as another shard"
        )
    arrival.planned += _strays(manifests, sealed, names)
    for folder in folders:
        if any(shard for shard in manifests.damaged if _comes_from(dump_of(shard), folder.name)):
            continue
        settled = list(_settled(folder, root, now - settings.settle_s, now, arrival.warnings))
        dump = _open_dump(folder.name, sealed, names)
        fresh, changed = _compare(folder, settled, manifests, sealed, dump, arrival.warnings)
        arrival.planned += changed
        fresh.sort(key=lambda file: file.name)
        for start in range(0, len(fresh), settings.files_per_shard):
            if sum(not planned.again for planned in arrival.planned) >= settings.max_shards_per_tick:
                return arrival
            group = tuple(fresh[start : start + settings.files_per_shard])
            arrival.planned.append(Planned(manifests.next_shard(dump), folder.name, group))
    return arrival


def move_to_late(lake: Lake, settings: Settings, shard: str, sealed: Sealed) -> Shard:
    """Register the files of a shard that its dump was sealed without as a shard of the next late dump.

    The shard itself stays left out, with a note.

    Raises:
        PersonaAssetsError: its manifest is not there, or other runs were faster again and again.
    """
    for _ in range(ATTEMPTS):
        manifests = _manifests(lake)
        if shard not in manifests.folders:
            raise PersonaAssetsError(f"shard {shard} is not registered, or its manifest is damaged")
        root = Path(settings.dumps)
        names = {folder.name for folder in _dump_folders(root, [])} if root.is_dir() else set()
        planned = _moved(manifests, shard, _open_dump(manifests.folders[shard], sealed, names))
        try:
            _register(lake, planned, root)
        except FileExistsError:
            continue
        return planned.registered
    raise PersonaAssetsError(f"other runs register the files of {settings.dumps} at the same time: try again")


def _strays(manifests: _Manifests, sealed: Sealed, names: Collection[str]) -> list[Planned]:
    """Shards that came to a dump after its seal, as another run registered or let them in: they go to a late dump."""
    strays = [
        shard
        for shard in manifests.folders
        if (dump := dump_of(shard)) in sealed and shard not in sealed[dump] and shard not in manifests.left_out
    ]
    return [_moved(manifests, shard, _open_dump(manifests.folders[shard], sealed, names)) for shard in strays]


def _moved(manifests: _Manifests, shard: str, dump: str) -> Planned:
    files, folder = manifests.of(shard), manifests.folders[shard]
    others = manifests.files[folder]
    held = {
        one.shard
        for file in files
        for one in others[file.name]
        if one.shard != shard and one.shard not in manifests.left_out
    }
    if held:  # a run that was cut short, or another one, has registered them already
        return Planned(min(held), folder, (), moved=shard)
    return Planned(manifests.next_shard(dump), folder, tuple(files), moved=shard)


def _compare(
    folder: Path, settled: Sequence[Settled], manifests: _Manifests, sealed: Sealed, dump: str, warnings: list[str]
) -> tuple[list[Settled], list[Planned]]:
    """The files that go to a new shard, and the shards that are registered anew as files of theirs changed."""
    listed = manifests.files.get(folder.name, {})
    fresh: list[Settled] = []
    changed: dict[str, dict[str, Settled]] = {}
    for file in settled:
        known = listed.get(file.name)
        if not known:
            fresh.append(file)
        elif not any(is_same(folder / file.name, file, one.file) for one in known):
            last = known[-1]
            if last.shard in manifests.left_out:
                continue
            said = f"{folder.name}/{file.name} changed after shard {last.shard} was registered"
            sizes = f"{last.file.bytes:,} bytes then, {file.bytes:,} now"
            if dump_of(last.shard) in sealed:
                fresh.append(file)
                warnings.append(f"{said} ({sizes}): its dump is sealed, so the file as it is now goes to {dump}")
            else:
                changed.setdefault(last.shard, {})[file.name] = file
                warnings.append(f"{said} ({sizes}): the shard is read again")
    again = [
        Planned(shard, folder.name, tuple(new.get(file.name, file) for file in manifests.of(shard)), again=True)
        for shard, new in changed.items()
    ]
    return fresh, again


def _manifests(lake: Lake) -> _Manifests:
    records = lake.records.all(SHARD_FILES.name)
    damaged: dict[str, str] = {}
    highest: dict[str, int] = {}
    left_out = skipped_shards(lake)
    for key, record in records.items():
        highest[dump_of(key)] = max(index_of(key), highest.get(dump_of(key), -1))
        problem = str(record) if isinstance(record, DamagedRecord) else lake.fault(SHARD_FILES, record)
        if problem and key not in left_out:
            damaged[key] = problem
    files: dict[str, dict[str, list[_Listed]]] = {}
    folders: dict[str, str] = {}
    stored = lake.scan(SHARD_FILES).select("created_at", "shard", "folder", "file", "bytes", "mtime_ns", "fingerprint")
    for _, shard, folder, name, *rest in stored.collect().sort("created_at", "shard", "file").iter_rows():
        folders[shard] = folder
        files.setdefault(folder, {}).setdefault(name, []).append(_Listed(shard, Settled(name, *rest)))
    return _Manifests(files, folders, highest, left_out, damaged)


def _comes_from(dump: str, folder: str) -> bool:
    """Whether a dump is that of a folder, or one of its late ones."""
    return dump == folder or re.fullmatch(re.escape(folder) + r"_late\d+", dump) is not None


def _register(lake: Lake, planned: Planned, root: Path) -> None:
    """Write a manifest.

    Raises:
        FileExistsError: another run has written it, or another one of this key, meanwhile.
    """
    folder = root / planned.folder
    rows = [
        {
            "dump": dump_of(planned.shard),
            "shard": planned.shard,
            "folder": planned.folder,
            "file": file.name,
            "bytes": file.bytes,
            "mtime_ns": file.mtime_ns,
            "fingerprint": file.fingerprint or fingerprint(folder / file.name, file.bytes, file.mtime_ns),
        }
        for file in planned.files
    ]
    if rows:
        frame = pl.DataFrame(rows, schema_overrides={"mtime_ns": pl.Int64, "fingerprint": pl.String})
        moment = pl.lit(datetime.now(UTC)).cast(SHARD_FILES.polars["created_at"])
        frame = frame.with_columns(created_at=moment)
        lake.write(SHARD_FILES, planned.shard, frame, run_id="arrival", exclusive=not planned.again)
    if planned.moved:
        said = f"its dump was sealed without it: its files are in shard {planned.shard}"
        skip_shard(lake, planned.moved, said, moved_to=planned.shard)


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


def _settled(folder: Path, root: Path, before: float, now: float, warnings: list[str]) -> Iterator[Settled]:
    """Files below a folder that have not changed since `before`; what is empty is told."""
    seen = False
    for directory, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not _PARTIAL.fullmatch(name))
        for name in names:
            path = Path(directory) / name
            if _PARTIAL.fullmatch(name) or (path.is_symlink() and not _within(path, root)):
                continue  # folders that are links are not walked into
            relative = path.relative_to(folder).as_posix()
            if not _is_unicode(relative):
                warnings.append(f"{relative!r} in {folder.name} has a name that is not UTF-8: rename it")
                continue
            seen = True
            file = _ready(path, relative, before, now)
            if file and not file.bytes:
                warnings.append(f"{folder.name}/{relative} is empty, and is left out: get it once more, or remove it")
            elif file:
                yield file
    if not seen and folder.stat().st_mtime <= before:
        warnings.append(f"{folder.name} holds no crawl file: put the files of the dump there, or remove the folder")


def _ready(path: Path, relative: str, before: float, now: float) -> Settled | None:
    try:
        status = path.stat()
    except OSError:
        return None  # gone since the folder was listed, or a link to nothing
    # A clock that is ahead elsewhere gives times to come; when the file's entry changed is then the better witness.
    changed = status.st_mtime if status.st_mtime <= now else status.st_ctime
    if not path.is_file() or changed > before:
        return None
    return Settled(relative, status.st_size, status.st_mtime_ns)


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
