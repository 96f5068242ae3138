"""Where the segments of a dump's survivors stand in the lake, and how they are made again where they are gone.

`<lake>/segments/scheme=<digest>/dump=<dump>/of=<sha256 of the survivors' file>/<part>/...`, and `complete.json` once
all parts are there. Derived data: it can be deleted, and is made again from the survivors and their texts.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import orjson
import polars as pl

from persona_assets.dedup.keys import Scheme
from persona_assets.dedup.parts import IDENTITY, canonical_parts
from persona_assets.dedup.seals import Seal
from persona_assets.dedup.segments import FILES, Keyed, Segment
from persona_assets.dedup.sets import token_sets
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake
from persona_assets.lake.schemas import PERSONA_SURVIVORS

FORMAT = 1  # of the files, and of what a token and a key are; a change makes every segment anew


def load_segments(lake: Lake, seal: Seal, scheme: Scheme, scratch: Path, rows: int) -> list[Segment]:
    """The segments of a deduped dump, made and stored where the lake has none; `rows` bounds a part made again."""
    folder = _folder(lake, seal.dump, scheme)
    if not lake.fs.exists(f"{folder}/complete.json"):
        store_segments(lake, seal.dump, scheme, list(_make(lake, seal, scheme, scratch / f"make-{seal.seal}", rows)))
    count = orjson.loads(lake.fs.cat_file(f"{folder}/complete.json"))["parts"]
    if lake.is_local:
        return [Segment(Path(folder) / _part(number), seal.dump) for number in range(count)]
    local = scratch / f"seal-{seal.seal}"
    for number in range(count):
        (local / _part(number)).mkdir(parents=True)
        for name in FILES:
            lake.fs.get_file(f"{folder}/{_part(number)}/{name}", str(local / _part(number) / name))
    return [Segment(local / _part(number), seal.dump) for number in range(count)]


def store_segments(lake: Lake, dump: str, scheme: Scheme, segments: Sequence[Segment]) -> None:
    """Put a dump's segments into the lake, in place of those of its earlier survivors."""
    folder = _folder(lake, dump, scheme)
    for number, segment in enumerate(segments):
        for name in FILES:
            temporary = lake.temporary()
            lake.fs.put_file(str(segment.folder / name), temporary)
            lake.commit(temporary, f"{folder}/{_part(number)}/{name}")
    lake.write_bytes(f"{folder}/complete.json", orjson.dumps({"parts": len(segments)}))
    of_dump = folder.rsplit("/", 1)[0]
    for other in lake.fs.ls(of_dump, detail=False):
        if other.rstrip("/").rsplit("/", 1)[1] != folder.rsplit("/", 1)[1]:
            lake.fs.rm(other, recursive=True)


def _folder(lake: Lake, dump: str, scheme: Scheme) -> str:
    path = lake.path(PERSONA_SURVIVORS, dump)
    record = lake.commit_record(path)
    survivors = record.sha256 if record else lake.sha256(path)
    described = digest(canonical_json([FORMAT, scheme.strategy, scheme.threshold, scheme.recall]))
    return f"{lake.root}/segments/scheme={described[:16]}/dump={dump}/of={survivors[:32]}"


def _part(number: int) -> str:
    return f"{number:05d}"


def _make(lake: Lake, seal: Seal, scheme: Scheme, scratch: Path, rows: int) -> Iterator[Segment]:
    """The segments of a dump's survivors, from their texts."""
    for number, part in enumerate(canonical_parts(lake, seal, rows, scratch / "parts")):
        kept = (
            lake.scan(PERSONA_SURVIVORS, [seal.dump])
            .filter(
                "kept",
                pl.col("persona_id").is_between(pl.lit(part["persona_id"].min()), pl.lit(part["persona_id"].max())),
            )
            .select("persona_id", shard="persona_shard")
            .collect()
        )
        survivors = part.join(kept, on=list(IDENTITY[:2]), how="semi", maintain_order="left")
        keyed = Keyed.of(token_sets(survivors["text"]), scheme)
        yield Segment.write(scratch / _part(number), seal.dump, survivors, keyed, np.arange(survivors.height))
