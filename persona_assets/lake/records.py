"""The record that makes a partition count: what it holds, what it was made from, what shaped it, which gates it passed.

`<lake>/_records/<asset>/<key>/<generation>.json`. A record is created once, after its files are in place, and never
changed: it is the commit. The record of the highest generation counts. A file of a lower one, or none, is a leftover.
A generation can be closed without a commit by a file that says `void`: then whoever was to write it cannot any more.
"""

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from operator import itemgetter
from typing import Any, Final

import orjson
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from persona_assets.errors import PersonaAssetsError

FORMAT: Final = 2  # of lakes; 1 had `_commits/`, and two commits per partition
FORMAT_FILE: Final = "format.json"  # says the format; a lake's first record writes it
FOLDER: Final = "_records"


class DamagedRecord(PersonaAssetsError):
    """A record that cannot be read: cut, empty, or not one of ours."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A Parquet file of a partition: name, bytes, rows, and the digest of what the rows hold (`ContentDigest`)."""

    name: str
    bytes: int
    rows: int
    content: str


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """The verdict of one gate on one partition: how many rows failed it, and the first of them."""

    name: str
    failing: int
    head: list[dict[str, Any]]

    @property
    def passed(self) -> bool:
        """Whether no row failed."""
        return self.failing == 0


@dataclass(frozen=True)
class Record:
    """A committed partition.

    `made_from` maps each thing that was read (`<asset>/<key>`) to the digest of its content then; `recipe` is what
    shaped the rows, part by part; `judged_by` is what shaped the gates. `reasons` counts rejects by reason.
    """

    asset: str
    column: str  # what its partitions are by: shard, dump
    partition: str
    generation: int
    rows: StoredFile
    rejects: StoredFile | None
    reasons: dict[str, int]
    made_from: dict[str, str]
    recipe: dict[str, Any]
    judged_by: str
    gates: tuple[GateOutcome, ...]
    run_id: str
    committed_at: str
    versions: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def failed(self) -> list[str]:
        """The gates that were not passed."""
        return [gate.name for gate in self.gates if gate.failing]

    @property
    def files(self) -> list[str]:
        """The names of the partition's files."""
        return [self.rows.name] + ([self.rejects.name] if self.rejects else [])

    def as_json(self) -> bytes:
        """One line of JSON."""
        return orjson.dumps(asdict(self), default=str) + b"\n"

    @classmethod
    def parse(cls, path: str, data: bytes, shared: "Shared | None" = None) -> "Record | None":
        """A record as stored; None for a void. Keys that a later version added are passed over.

        `shared` keeps what many records have in common, so that it is parsed and held once.

        Raises:
            DamagedRecord: it is not what `as_json` writes.
        """
        try:
            values = orjson.loads(data) if shared is None else _loads(data, shared)
            if values.get("void"):
                return None
            known = {name: values[name] for name in _NAMES if name in values}
            known["rows"] = StoredFile(*_of_file(values["rows"]))
            known["rejects"] = StoredFile(*_of_file(values["rejects"])) if values["rejects"] else None
            if not isinstance(known["gates"], tuple):
                known["gates"] = tuple([GateOutcome(*_of_gate(gate)) for gate in values["gates"]])
            return cls(**known)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DamagedRecord(
                f"{path} is damaged ({str(error) or type(error).__name__}): delete it, and `persona-assets run` makes "
                "the partition again from the stored calls"
            ) from error


AS_MADE_BY = "as made by"  # the one part of a recipe of a partition that was migrated: nobody knows the others


def same_recipe(record: Record, recipe: Mapping[str, Any]) -> bool:
    """Whether a partition was made as it would be now, as far as its recipe is known."""
    return AS_MADE_BY in record.recipe or record.recipe == recipe


_NAMES = tuple(one.name for one in fields(Record))
_of_file = itemgetter(*(one.name for one in fields(StoredFile)))
_of_gate = itemgetter(*(one.name for one in fields(GateOutcome)))

Shared = dict[bytes, dict[str, Any]]


def _loads(data: bytes, shared: Shared) -> dict[str, Any]:
    """A record's values. The stretch from `recipe` to `gates`, which an asset's partitions share, is parsed once.

    It is cut out by its text. A cut inside a nested value leaves a bracket open, which shows on parsing.
    """
    begin = data.find(b',"recipe":')
    end = data.rfind(b',"run_id":', begin)
    if begin > 0 and end > 0:
        stretch = data[begin:end]
        try:
            if stretch not in shared:
                found = orjson.loads(b"{%b}" % stretch[1:])
                if "gates" in found:
                    found["gates"] = tuple([GateOutcome(*_of_gate(gate)) for gate in found["gates"]])
                shared[stretch] = found
            return dict(orjson.loads(data[:begin] + data[end:])) | shared[stretch]
        except orjson.JSONDecodeError:
            pass  # a failing row in `gates` has a column of that name
    return dict(orjson.loads(data))


def record_folder(root: str, asset: str, key: str) -> str:
    """Where the records of a partition are."""
    return f"{root}/{FOLDER}/{asset}/{key}"


def record_path(root: str, asset: str, key: str, generation: int) -> str:
    """Path of one record."""
    return f"{record_folder(root, asset, key)}/{generation:06d}.json"


@dataclass(frozen=True, slots=True)
class _Listed:
    """A record's file as a listing shows it; `state` changes when the file does."""

    path: str
    state: object


class Records:
    """Reads the records of a lake. Parsed ones are kept, as a record never changes."""

    def __init__(self, fs: AbstractFileSystem, root: str) -> None:
        """Bind to a lake; nothing is read yet."""
        self.fs, self.root = fs, root
        self.read = 0  # records read from storage so far
        self._parsed: dict[tuple[str, object], Record | DamagedRecord | None] = {}
        self._shared: Shared = {}
        self._crowded: dict[str, set[str]] = {}

    def latest(self, asset: str, key: str) -> Record | None:
        """The record that counts, or None.

        Raises:
            DamagedRecord: it cannot be read.
        """
        found = self._latest(self._of(asset, key))
        if isinstance(found, DamagedRecord):
            raise found
        return found

    def next_generation(self, asset: str, key: str) -> int:
        """The generation after all that there are."""
        return max(map(generation_of, (listed.path for listed in self._of(asset, key))), default=0) + 1

    def all(self, asset: str) -> dict[str, Record | DamagedRecord]:
        """By partition key, in order, what counts of an asset: one listing."""
        found = {}
        crowded = self._crowded[asset] = set()
        with _uncollected():
            for key, listed in self._listed(asset):
                if len(listed) > 1:
                    crowded.add(key)
                latest = self._latest(listed)
                if latest is not None:
                    found[key] = latest
        return dict(sorted(found.items()))

    def assets(self) -> list[str]:
        """The assets that have records, sorted."""
        return sorted(name for name, _ in _folders(self.fs, f"{self.root}/{FOLDER}"))

    def crowded(self, asset: str) -> set[str]:
        """The partitions with more than one record: a run ended between its commit and the removal of what was.

        As `all` has just found it, or listed now.
        """
        if asset in self._crowded:
            return self._crowded.pop(asset)
        return {key for key, listed in self._listed(asset) if len(listed) > 1}

    def superseded(self, asset: str, key: str) -> list[str]:
        """Paths of the records, and voids, below the one that counts; the highest file of a partition always stays."""
        listed = self._of(asset, key)
        counts = self._latest(listed)
        if not isinstance(counts, Record):
            return []
        return [one.path for one in listed if generation_of(one.path) < counts.generation]

    def _of(self, asset: str, key: str) -> list[_Listed]:
        return _files(self.fs, record_folder(self.root, asset, key))

    def _listed(self, asset: str) -> Iterator[tuple[str, list[_Listed]]]:
        root = f"{self.root}/{FOLDER}/{asset}"
        if isinstance(self.fs, LocalFileSystem):
            for key, path in _folders(self.fs, root):
                yield key, _files(self.fs, path)
            return
        by_key: dict[str, list[_Listed]] = {}  # one listing, however many partitions
        for path, info in sorted(self.fs.find(root, detail=True).items()):
            by_key.setdefault(path.rsplit("/", 2)[1], []).append(_Listed(path, info.get("size")))
        yield from by_key.items()

    def _latest(self, listed: list[_Listed]) -> Record | DamagedRecord | None:
        for one in reversed(listed):
            found = self._parse(one)
            if found is not None:
                return found
        return None

    def _parse(self, listed: _Listed) -> Record | DamagedRecord | None:
        cached = (listed.path, listed.state)
        if cached not in self._parsed:
            self.read += 1
            try:
                self._parsed[cached] = Record.parse(listed.path, _bytes_of(self.fs, listed.path), self._shared)
            except DamagedRecord as error:
                self._parsed[cached] = error
            except FileNotFoundError:  # superseded, and removed, since it was listed
                return None
        return self._parsed[cached]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection: of the many objects that are made all stay, and none names itself."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def generation_of(path: str) -> int:
    """The generation in a record's file name."""
    return int(path.rsplit("/", 1)[1].split(".", 1)[0])


def _folders(fs: AbstractFileSystem, root: str) -> list[tuple[str, str]]:
    """Names and paths of the folders in a folder."""
    try:
        if isinstance(fs, LocalFileSystem):
            with os.scandir(root) as entries:
                return [(entry.name, f"{root}/{entry.name}") for entry in entries if entry.is_dir()]
        found = fs.ls(root, detail=True)
        return [(one["name"].rsplit("/", 1)[1], one["name"]) for one in found if one["type"] == "directory"]
    except FileNotFoundError:
        return []


def _files(fs: AbstractFileSystem, folder: str) -> list[_Listed]:
    """The records in a folder, by generation."""
    try:
        if not isinstance(fs, LocalFileSystem):
            found = sorted((one["name"], one.get("size")) for one in fs.ls(folder, detail=True))
            return [_Listed(path, size) for path, size in found if path.endswith(".json")]
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except FileNotFoundError:
        return []
    try:
        paths = [f"{folder}/{name}" for name in names if name.endswith(".json") and name[0] != "."]
        return [_Listed(path, _state(path)) for path in paths]
    except FileNotFoundError:  # superseded, and removed, since it was listed
        return _files(fs, folder)


def _bytes_of(fs: AbstractFileSystem, path: str) -> bytes:
    if not isinstance(fs, LocalFileSystem):
        return bytes(fs.cat_file(path))
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - fsspec takes thrice as long, for tens of thousands
        return file.readall()


def _state(path: str) -> object:
    status = os.stat(path)  # noqa: PTH116 - a Path for each of tens of thousands takes longer than the call
    return status.st_size, status.st_mtime_ns
