"""Small files that several processes and machines share: created once, replaced whole, listed and read afresh.

On a local lake a file is written aside, synced, and linked or renamed to its name, and then the folder is synced: after
a power cut it is there whole or not at all. On an object store each is one PUT. `create_once` there needs a store whose
fsspec file system makes `pipe_file(mode="create")` a conditional PUT, as s3fs, gcsfs and adlfs do; others look first
and write then, which leaves a gap between two writers.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fsspec.implementations.memory import MemoryFileSystem

from persona_assets.errors import PersonaAssetsError

if TYPE_CHECKING:
    from persona_assets.lake.store import Lake

_MEMORY = threading.Lock()  # the file system in memory is not made for threads that write and list at one time


def create_once(lake: "Lake", path: str, data: bytes, *, sync: bool = True) -> None:
    """Create a file that is not there yet, whole. Of several who try at the same time exactly one succeeds.

    Args:
        lake: The lake that the path belongs to.
        path: Where the file is to be.
        data: Its bytes.
        sync: Whether it must outlive a power cut. A file that matters only as long as its process lives need not.

    Raises:
        FileExistsError: the file is there already.
        PersonaAssetsError: the file system of a local lake has no hard links.
    """
    if lake.is_local:
        with _aside(lake, data, sync) as temporary:
            _link(temporary, path, sync)
        if sync:
            sync_path(path.rpartition("/")[0])
        return
    with _exclusive(lake):
        lake.fs.pipe_file(path, data, mode="create")


def create_own(lake: "Lake", path: str, data: bytes, *, sync: bool = True) -> bool:
    """The same for data that names its writer by a token: whether the file is there with just these bytes.

    A client that repeats a request whose answer was lost is told that the file exists, though it made it itself.
    """
    try:
        create_once(lake, path, data, sync=sync)
    except FileExistsError:
        return read(lake, path) == data
    return True


def write_durably(lake: "Lake", path: str, data: bytes, *, sync: bool = True) -> None:
    """Write a file, or replace it, in one step. Readers see the old bytes or the new ones."""
    if lake.is_local:
        with _aside(lake, data, sync) as temporary:
            try:
                Path(temporary).replace(path)
            except FileNotFoundError:
                _make_folder(path.rpartition("/")[0], sync)
                Path(temporary).replace(path)
        if sync:
            sync_path(path.rpartition("/")[0])
        return
    with _exclusive(lake):
        lake.fs.pipe_file(path, data)


def read(lake: "Lake", path: str) -> bytes | None:
    """A file as it is now, or None where there is none."""
    try:
        return Path(path).read_bytes() if lake.is_local else bytes(lake.fs.cat_file(path))
    except FileNotFoundError:
        return None


def clear(lake: "Lake", path: str) -> None:
    """Make a file empty, where it is there: on an object store it may be made anew, empty too."""
    if not lake.is_local:
        write_durably(lake, path, b"")
        return
    with suppress(FileNotFoundError):
        os.truncate(path, 0)


def remove(lake: "Lake", path: str) -> None:
    """Remove a file, if it is there."""
    with suppress(FileNotFoundError):
        if lake.is_local:
            Path(path).unlink()
        else:
            with _exclusive(lake):
                lake.fs.rm_file(path)


def names(lake: "Lake", folder: str) -> list[str]:
    """The names of a folder's files as they are now; none where there is no such folder."""
    if not lake.is_local:
        return list(sizes(lake, folder))
    try:
        return os.listdir(folder)  # noqa: PTH208 - folders of thousands
    except FileNotFoundError:
        return []


def sizes(lake: "Lake", folder: str) -> dict[str, int]:
    """The same with their sizes."""
    found: dict[str, int] = {}
    if lake.is_local:
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # removed since
                    found[entry.name] = entry.stat().st_size
        return found
    lake.fs.invalidate_cache(folder)
    with suppress(FileNotFoundError), _exclusive(lake):
        for info in lake.fs.ls(folder, detail=True):
            if info["type"] == "file":
                found[info["name"].rpartition("/")[2]] = info["size"]
    return found


@contextmanager
def _exclusive(lake: "Lake") -> Iterator[None]:
    """Makes one step of what the file system in memory does in several."""
    if isinstance(lake.fs, MemoryFileSystem):
        with _MEMORY:
            yield
    else:
        yield


@contextmanager
def _aside(lake: "Lake", data: bytes, sync: bool) -> Iterator[str]:
    """A file with these bytes that no reader looks at; it is gone afterwards."""
    temporary = lake.temporary()
    try:
        with Path(temporary).open("wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        yield temporary
    finally:
        Path(temporary).unlink(missing_ok=True)


def _link(temporary: str, path: str, sync: bool) -> None:
    try:
        try:
            os.link(temporary, path)
        except FileNotFoundError:
            _make_folder(path.rpartition("/")[0], sync)
            os.link(temporary, path)
    except FileExistsError:
        # A file server may have lost the answer to a first try that succeeded.
        if os.stat(temporary).st_nlink < 2:  # noqa: PTH116 - as the call above
            raise
    except PermissionError as error:
        raise PersonaAssetsError(
            f"{path} cannot be created as a hard link ({error.strerror}): give this user the right to write there, or "
            "put the lake on a file system that has hard links"
        ) from error


def _make_folder(folder: str, sync: bool) -> None:
    """Make a folder and those above it that are missing, each entered in the one above for good."""
    missing = []
    while folder and not Path(folder).is_dir():
        missing.append(folder)
        folder = folder.rpartition("/")[0]
    for name in reversed(missing):
        Path(name).mkdir(exist_ok=True)
        if sync:
            sync_path(name.rpartition("/")[0])


def sync_path(path: str) -> None:
    """Have the disk hold a file's bytes, or a folder's entries."""
    handle = os.open(path or "/", os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
