"""Formats of installed packages, by the ending of a file's name; ours are told by content, whatever the name.

A package declares an entry point of the group `persona_assets.formats`. Its name is the ending, such as `mbox`; what it
names is called with the open file (binary, decompressed) and the settings and gives `Found`, `Refused` and `Skipped`.
Nothing of a package is imported before a file of its ending is read, or a recipe asks for the source.
"""

import inspect
import io
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from persona_assets.crawl.items import Found, Item, Refused, Skipped, break_between
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.files.bytestream import ByteStream
from persona_assets.files.open import Opened
from persona_assets.ids import digest
from persona_assets.plugins import installed, loaded, package_of
from persona_assets.settings import Settings

COMPRESSIONS = frozenset({"gz", "zst", "lz4"})
OURS = frozenset({"warc", "wet", "arc", "json", "jsonl", "parquet"}) | COMPRESSIONS
_ENDING = re.compile(r"[a-z0-9_-]+")


@cache
def formats() -> dict[str, EntryPoint]:
    """The entry points of formats by ending.

    Raises:
        UsageError: two packages claim one ending, one claims an ending of ours, or one that no file can have.
    """
    found = dict(installed("formats"))
    for ending, entry in found.items():
        if ending in OURS:
            raise UsageError(f"{entry.group}: {package_of(entry)} claims {ending}, which is read here by its content")
        if not _ENDING.fullmatch(ending):
            raise UsageError(
                f"{entry.group}: {package_of(entry)} claims {ending!r}; an ending is small letters and digits, as mbox"
            )
    return found


def ending_of(name: str) -> str:
    """The ending of a file's name that says its format, without the dot: that of `a.mbox.gz` is `mbox`."""
    endings = [suffix[1:].lower() for suffix in Path(name).suffixes]
    return next((ending for ending in reversed(endings) if ending not in COMPRESSIONS), "")


def format_of(path: Path) -> EntryPoint | None:
    """The format of an installed package that claims a file.

    Raises:
        UsageError: what `formats` says.
    """
    return formats().get(ending_of(path.name))


def sources() -> dict[str, str]:
    """The digest of the file that holds the reader of each ending, for recipes.

    Raises:
        UsageError: what `formats` says, or a reader cannot be imported.
    """
    return {ending: digest(_source(loaded(entry)).read_bytes()) for ending, entry in formats().items()}


def read_with(entry: EntryPoint, opened: Opened, settings: Settings) -> Iterator[Item]:
    """The items of a file by a package's reader; where it fails, a last refusal says so.

    Raises:
        UsageError: the reader cannot be imported.
    """
    return _items(loaded(entry), entry, opened, settings)


def known_endings(name: str) -> str:
    """What to say of the formats of packages where a file of this name cannot be read; empty where there are none."""
    return f"; by ending, {did_you_mean(ending_of(name), formats())}" if formats() else ""


def _items(read: Any, entry: EntryPoint, opened: Opened, settings: Settings) -> Iterator[Item]:  # noqa: ANN401 - a package's
    if not opened.compression:
        opened.raw.seek(0)
    file = io.BufferedReader(_Decompressed(opened.stream)) if opened.compression else opened.raw
    told = False
    try:
        for item in read(file, settings):
            told = True
            if not isinstance(item, Found | Refused | Skipped):
                raise TypeError(f"it gave {type(item).__name__}, not Found, Refused or Skipped")
            yield item
    except Exception as error:  # noqa: BLE001 - another package's code: what it raises costs the rest of a file, not the run
        told = True
        said = f"the reader of .{entry.name} in {package_of(entry)} failed: {type(error).__name__}: {error}"
        yield Refused(None, "unreadable_file", said)
    if broken := break_between(opened.stream):
        yield from broken
    elif not told:
        yield Refused(None, "empty_file", "the file holds no record")


class _Decompressed(io.RawIOBase):
    """The bytes of a stream as a file; where it broke, they end."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - anything that takes bytes
        """Fill the buffer with what is at hand; 0 at the end."""
        self._stream.ensure(1)
        data = self._stream.take(min(len(buffer), max(len(self._stream), 1)))
        buffer[: len(data)] = data
        return len(data)


def _source(read: Any) -> Path:  # noqa: ANN401 - a package's
    """The file that holds a reader: a function, a class, or an object of a class."""
    declared = read if inspect.isroutine(read) or inspect.isclass(read) else type(read)
    return Path(inspect.getsourcefile(inspect.unwrap(declared)) or "")
