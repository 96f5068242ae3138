"""Shards as they are registered in the lake: which files make up which partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from persona_assets.crawl.items import CrawlFile
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import SHARD_FILES
from persona_assets.lake.store import dump_of


@dataclass(frozen=True, slots=True)
class Shard:
    """A partition of a dump: its key, and how many files and bytes it had when it was registered."""

    dump: str
    shard: str
    files: int
    bytes: int


def index_of(shard: str) -> int:
    """The index of a shard within its dump.

    Raises:
        PersonaAssetsError: the key is not of the form `<dump>.<index>`.
    """
    dump, _, index = shard.rpartition(".")
    if not dump or not (index.isascii() and index.isdigit()):
        raise PersonaAssetsError(f"{shard!r} is no shard key: it is not of the form <dump>.<index>, as cc_2024_22.0003")
    return int(index)


def registered_shards(lake: Lake) -> list[Shard]:
    """Every registered shard, by dump and index."""
    totals = (
        lake.scan(SHARD_FILES).group_by("dump", "shard").agg(pl.len().alias("files"), pl.col("bytes").sum()).collect()
    )
    shards = [Shard(**row) for row in totals.iter_rows(named=True)]
    return sorted(shards, key=lambda shard: (shard.dump, index_of(shard.shard)))


def earlier_shards(lake: Lake, shard: str) -> list[str]:
    """Registered shards of the same dump with a lower index, in order."""
    dump, index = dump_of(shard), index_of(shard)
    same = [key for key in lake.keys(SHARD_FILES) if dump_of(key) == dump]
    return sorted((key for key in same if index_of(key) < index), key=index_of)


def shard_files(lake: Lake, dumps: Path, shard: str) -> list[CrawlFile]:
    """The files of a shard in the order of their names, whether or not they are still there.

    Raises:
        PersonaAssetsError: the shard is not registered.
    """
    manifest = lake.read(SHARD_FILES, shard).sort("file")
    rows: Sequence[dict[str, str]] = manifest.select("folder", "file").to_dicts()
    return [CrawlFile(dumps / row["folder"] / row["file"], row["file"]) for row in rows]
