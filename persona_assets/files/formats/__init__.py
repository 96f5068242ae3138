"""The one table of formats. Each module here holds the formats of one kind of file, and nothing else knows of them.

A new format is a module here with `FORMATS`, and its test.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Literal

from persona_assets.files.open import Opened
from persona_assets.files.records import Records

HEAD_BYTES = 1 << 16
COMPRESSIONS = frozenset({"gz", "zst", "lz4"})


class Sure(IntEnum):
    """How surely a file is of a format."""

    NO = 0
    GUESS = 1  # what it may be where it is nothing else
    NAME = 2  # its name says so
    CONTENT = 3  # it looks like it
    SIGNATURE = 4  # it begins with bytes that nothing else begins with


@dataclass(frozen=True, slots=True)
class Head:
    """The first bytes of a file, decompressed, and the ending of its name in small letters, as `csv`, or ""."""

    data: bytes
    ending: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether these are all bytes of the file."""
        return len(self.data) < HEAD_BYTES


Reader = Callable[[Opened, int, Sequence[str] | None], Records]


@dataclass(frozen=True)
class Format:
    """A format: its name, what its records are, how it is recognised and how it is read.

    `read` is called with the file, the most bytes a record may have, and the columns wanted (None: all), which only
    formats that keep columns apart look at. `names`: the columns of such a file, known before it is read; None where it
    is damaged. Endings are claimed: a package cannot have them. `resumes`: whether a file can be read from the byte on
    where a record starts.
    """

    name: str
    holds: Literal["rows", "pages"]
    recognise: Callable[[Head], Sure]
    read: Reader
    endings: tuple[str, ...] = ()
    names: Callable[[Opened], list[str] | None] | None = None
    resumes: bool = False


@cache
def table() -> Mapping[str, Format]:
    """Every format by its name."""
    modules = sorted(found.name for found in pkgutil.iter_modules(__path__))
    loaded = (importlib.import_module(f"{__name__}.{name}") for name in modules)
    return {one.name: one for module in loaded for one in module.FORMATS}


@cache
def own_endings() -> frozenset[str]:
    """Endings of names that no package can claim."""
    return COMPRESSIONS | {ending for one in table().values() for ending in one.endings}


def ending_of(name: str) -> str:
    """The ending of a file's name that says its format, without the dot: that of `a.mbox.gz` is `mbox`."""
    endings = [suffix[1:].lower() for suffix in Path(name).suffixes]
    return next((ending for ending in reversed(endings) if ending not in COMPRESSIONS), "")


def recognise(head: Head) -> Format | None:
    """The format of a file that begins so; of two as sure the first by name."""
    best = max(table().values(), key=lambda one: one.recognise(head))
    return best if best.recognise(head) else None


def format_of(opened: Opened) -> Format | None:
    """The format of an open file, by its content, or else its name."""
    opened.stream.ensure(HEAD_BYTES)
    return recognise(Head(opened.stream[0:HEAD_BYTES], ending_of(opened.name)))


def known_formats() -> str:
    """The formats in words, for messages."""
    return _listed(list(table()))


def row_formats() -> str:
    """Those that hold rows, in words."""
    return _listed([one.name for one in table().values() if one.holds == "rows"])


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
