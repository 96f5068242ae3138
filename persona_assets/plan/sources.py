"""The shards that a backfill could take: those that are registered, and those that would be."""

import re
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from persona_assets.crawl.arrival import look
from persona_assets.crawl.columns import ColumnReader
from persona_assets.crawl.items import CrawlFile, Found, Kind, Row
from persona_assets.crawl.readers import reading
from persona_assets.crawl.tabular import row_item
from persona_assets.dedup.seals import sealed_shards
from persona_assets.lake import Lake
from persona_assets.lake.schemas import RAW_DOCUMENTS, SHARD_FILES
from persona_assets.lake.store import dump_of
from persona_assets.plan.figures import Amount, Basis
from persona_assets.settings import Settings

PEEK = 10  # records at the head of a file that are looked at
Files = tuple[str, Kind]  # what files have in common: the endings of their names, and what they hold
_SUFFIX = re.compile(r"(?:\.[a-z][a-z0-9]*)+$", re.I)


@dataclass(frozen=True)
class Source:
    """A shard and its crawl files, by name with their bytes, below a folder of the dumps folder."""

    shard: str
    folder: str
    files: tuple[tuple[str, int], ...]

    @property
    def dump(self) -> str:
        """The dump that it belongs to."""
        return dump_of(self.shard)


def find_sources(lake: Lake, settings: Settings) -> tuple[list[Source], list[str]]:
    """All shards by key, registered or to be, and warnings about the folder of dumps."""
    every = settings.model_copy(update={"max_shards_per_tick": 10**9})
    arrival = look(lake, every, time.time(), sealed_shards(lake))
    registered = lake.scan(SHARD_FILES).select("shard", "folder", "file", "bytes").collect().sort("shard", "file")
    by_shard = registered.group_by("shard", maintain_order=True).agg(pl.first("folder"), "file", "bytes")
    found = {
        shard: Source(shard, folder, tuple(zip(files, sizes, strict=True)))
        for shard, folder, files, sizes in by_shard.iter_rows()
    }
    for planned in arrival.planned:
        found.pop(planned.moved, None)
        if planned.files:
            files = sorted((file.name, file.bytes) for file in planned.files)
            found[planned.shard] = Source(planned.shard, planned.folder, tuple(files))
    return [found[shard] for shard in sorted(found)], arrival.warnings


@dataclass(frozen=True, slots=True)
class Expected:
    """The documents that files would give: pages, and those that are personas already."""

    pages: Amount
    given: Amount


class DocumentRate:
    """Documents per byte of crawl file, by kind of file, of what this lake has read.

    A kind is told by the endings of the name, and by whether the file holds pages or personas. Of what has not been
    read, the first file of a dump with these endings tells that for all.
    """

    def __init__(self, lake: Lake, sources: list[Source], settings: Settings) -> None:
        """Count the documents of every file of `sources` that has been read."""
        self.settings = settings
        self._peeked: dict[tuple[str, str], Kind] = {}  # by dump and endings
        read = set(lake.keys(RAW_DOCUMENTS))
        given = (pl.col("kind") == "persona").any()
        counts = lake.scan(RAW_DOCUMENTS).group_by("shard", "file").agg(pl.len(), given).collect(engine="streaming")
        documents = {(shard, file): (count, personas) for shard, file, count, personas in counts.iter_rows()}
        self.guessed: set[str] = set()  # endings of files that were taken for others
        self._read: dict[Files, tuple[int, int]] = {}
        for source in sources:
            for file, size in source.files if source.shard in read else ():
                count, personas = documents.get((source.shard, file), (0, False))
                kind: Files = suffix(file), "persona" if personas else "page"
                known = self._read.get(kind, (0, 0))
                self._read[kind] = known[0] + count, known[1] + size

    def documents(self, source: Source) -> Expected | None:
        """Documents that a shard's files would give; None where no file at all has been read.

        A file of a kind that has not been read is taken for one of the others, which is no more than an assumption.
        """
        if not any(size for _, size in self._read.values()):
            return None
        expected: dict[Kind, Amount] = {"page": Amount(), "persona": Amount()}
        for file, size in source.files:
            kind = self._kind(source, file)
            documents, read = self._read.get((suffix(file), kind), (0, 0))
            basis = Basis.FUNNEL if read else Basis.ASSUMED
            if not read:
                self.guessed.add(suffix(file) or "nameless")
                documents, read = (sum(pair[place] for pair in self._read.values()) for place in (0, 1))
            expected[kind] += Amount(size * documents / read, basis)
        return Expected(expected["page"], expected["persona"])

    def _kind(self, source: Source, file: str) -> Kind:
        """What a file that has not been read holds, as its first records tell."""
        key = (source.dump, suffix(file))
        if key not in self._peeked:
            path = Path(self.settings.dumps) / source.folder / file
            with reading(CrawlFile(path, file), self.settings) as opened:
                columns = ColumnReader(self.settings.column_map)
                rows = (row_item(one, columns, "") for one in islice(opened.records, PEEK) if isinstance(one, Row))
                self._peeked[key] = next((one.kind for one in rows if isinstance(one, Found)), "page")
        return self._peeked[key]


def suffix(file: str) -> str:
    """The endings of a file's name, such as `.warc.wet.gz`."""
    found = _SUFFIX.search(file.rsplit("/", 1)[-1])
    return found.group().lower() if found else ""
