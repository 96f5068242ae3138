"""The shards that a backfill could take: those that are registered, and those that would be."""

import re
import time
from dataclasses import dataclass

from persona_assets.crawl.arrival import look
from persona_assets.dedup.seals import sealed_shards
from persona_assets.lake import Lake
from persona_assets.lake.schemas import RAW_DOCUMENTS, SHARD_FILES
from persona_assets.lake.store import dump_of
from persona_assets.plan.figures import Amount, Basis
from persona_assets.settings import Settings

_SUFFIX = re.compile(r"(?:\.[a-z][a-z0-9]*)+$", re.I)


@dataclass(frozen=True)
class Source:
    """A shard and its crawl files, by name with their bytes."""

    shard: str
    files: tuple[tuple[str, int], ...]

    @property
    def dump(self) -> str:
        """The dump that it belongs to."""
        return dump_of(self.shard)


def find_sources(lake: Lake, settings: Settings) -> tuple[list[Source], list[str]]:
    """All shards by key, registered or to be, and warnings about the folder of dumps."""
    every = settings.model_copy(update={"max_shards_per_tick": 10**9})
    arrival = look(lake, every, time.time(), sealed_shards(lake))
    registered = lake.scan(SHARD_FILES).select("shard", "file", "bytes").collect().sort("shard", "file")
    by_shard = registered.group_by("shard", maintain_order=True).agg("file", "bytes")
    found = {
        shard: Source(shard, tuple(zip(files, sizes, strict=True))) for shard, files, sizes in by_shard.iter_rows()
    }
    for planned in arrival.planned:
        found.pop(planned.moved, None)
        if planned.files:
            files = sorted((file.name, file.bytes) for file in planned.files)
            found[planned.shard] = Source(planned.shard, tuple(files))
    return [found[shard] for shard in sorted(found)], arrival.warnings


class DocumentRate:
    """Documents per byte of crawl file, by kind of file as its name's endings tell, of what this lake has read."""

    def __init__(self, lake: Lake, sources: list[Source]) -> None:
        """Count the documents of every file of `sources` that has been read."""
        read = set(lake.keys(RAW_DOCUMENTS))
        counts = lake.scan(RAW_DOCUMENTS).group_by("shard", "file").len().collect(engine="streaming")
        documents = {(shard, file): count for shard, file, count in counts.iter_rows()}
        self.guessed: set[str] = set()  # kinds of files that were taken for others
        self._read: dict[str, tuple[int, int]] = {}
        for source in sources:
            for file, size in source.files if source.shard in read else ():
                known = self._read.get(suffix(file), (0, 0))
                self._read[suffix(file)] = known[0] + documents.get((source.shard, file), 0), known[1] + size

    def documents(self, source: Source) -> Amount | None:
        """Documents that a shard's files would give; None where no file at all has been read.

        A file of a kind that has not been read is taken for one of the others, which is no more than an assumption.
        """
        if not any(size for _, size in self._read.values()):
            return None
        expected = Amount()
        for file, size in source.files:
            documents, read = self._read.get(suffix(file), (0, 0))
            basis = Basis.FUNNEL if read else Basis.ASSUMED
            if not read:
                self.guessed.add(suffix(file) or "nameless")
                documents, read = (sum(pair[place] for pair in self._read.values()) for place in (0, 1))
            expected += Amount(size * documents / read, basis)
        return expected


def suffix(file: str) -> str:
    """The endings of a file's name, such as `.warc.wet.gz`."""
    found = _SUFFIX.search(file.rsplit("/", 1)[-1])
    return found.group().lower() if found else ""
