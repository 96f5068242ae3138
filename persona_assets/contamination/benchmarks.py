"""The benchmarks of a folder: their index, made once per process, and what stands for their content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import polars as pl

from persona_assets.contamination.index import VERSION, BenchmarkIndex
from persona_assets.contamination.items import files_in, read_items
from persona_assets.contamination.overlaps import Overlap, overlaps
from persona_assets.contamination.words import words_of
from persona_assets.errors import UsageError
from persona_assets.ids import Json, digest

_LEAST_LETTERS = 12  # of a text that can hold a piece


@dataclass(frozen=True)
class Benchmarks:
    """The benchmark files of a folder, by name with the digest of each; its index is made when it is first asked."""

    folder: Path
    files: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def index(self) -> BenchmarkIndex:
        """The pieces of all items.

        Raises:
            UsageError: a file has no questions, a row that cannot be read, or is no longer what it was.
        """
        items = [item for name in self.files for item in read_items(self.folder / name, name)]
        for name, content in self.files.items():
            path = self.folder / name
            if _digest(path, *_stamp(path)) != content:
                raise UsageError(f"PERSONA_BENCHMARKS: {path} changed while it was in use: run again")
        return BenchmarkIndex(items)

    @property
    def recipe(self) -> Json:
        """What it adds to the recipe of rows that are held to it."""
        return {"version": VERSION, "files": dict(self.files)}

    def seen_in(self, texts: Sequence[str]) -> Overlap | None:
        """The longest overlap of some texts, such as the fields of a row; None where there is none."""
        likely = [text for text in texts if len(text) >= _LEAST_LETTERS and self.index.may_have(words_of(text))]
        if not likely:
            return None
        hits = self.index.hits(pl.Series(likely, dtype=pl.String))
        return max(overlaps(self.index, hits), key=lambda one: one.words, default=None)


def benchmarks_in(folder: str) -> Benchmarks:
    """The benchmarks of a folder as it is now.

    Raises:
        UsageError: there is no such folder, or no benchmark file in it.
    """
    try:
        found = files_in(Path(folder))
        files = tuple((name, _digest(path, *_stamp(path))) for name, path in found.items())
    except UsageError as error:
        raise UsageError(f"PERSONA_BENCHMARKS: {error}") from error
    return _benchmarks(folder, files)


def benchmarks_as(folder: str, files: Mapping[str, str]) -> Benchmarks:
    """The benchmarks of a folder as they were when these were the digests of its files."""
    return _benchmarks(folder, tuple(files.items()))


@lru_cache(maxsize=8)
def _benchmarks(folder: str, files: tuple[tuple[str, str], ...]) -> Benchmarks:
    return Benchmarks(Path(folder), dict(files))


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=4096)
def _digest(path: Path, _size: int, _changed: int) -> str:
    return digest(path.read_bytes())


def texts_of(value: Json) -> list[str]:
    """All texts in a JSON value, in its order: those of lists and objects too."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [text for one in inner for text in texts_of(one)]
