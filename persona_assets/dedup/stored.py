"""What later dumps need of a dump's survivors, beside the table: segments, and a note of whom they were compared with.

`<lake>/segments/scheme=<digest>/dump=<dump>/of=<sha256 of the survivors' file>/<part>/...`, and `complete.json` once
all parts are there. Derived data: it can be deleted, and is made again from the survivors and their texts.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from persona_assets.dedup.canonical_order import IDENTITY, canonical_parts
from persona_assets.dedup.keys import Scheme
from persona_assets.dedup.seals import Seal
from persona_assets.dedup.segments import FILES, Keyed, Segment
from persona_assets.dedup.sets import token_sets
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake
from persona_assets.lake.schemas import PERSONA_SURVIVORS
from persona_assets.lake.store import check_key

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
    for complete in lake.fs.glob(f"{folder.rsplit('/', 1)[0]}/*/complete.json"):
        if not complete.startswith(f"{folder}/"):  # of survivors that these have replaced
            lake.fs.rm(complete)
            lake.fs.rm(complete.rsplit("/", 1)[0], recursive=True)


def record_comparison(lake: Lake, dump: str, earlier: Sequence[str]) -> None:
    """Note which survivors a dump has, and with which ones of earlier dumps it was compared."""
    note = {
        "file": survivors_file(lake, dump),
        "kept": _kept(lake, dump),
        "against": {one: _kept_noted(lake, one) for one in earlier},
    }
    lake.write_bytes(_note_path(lake, dump), orjson.dumps(note))


def is_overtaken(lake: Lake, dump: str, earlier: Sequence[str]) -> bool:
    """Whether a deduped dump was compared with other survivors than the earlier dumps have now."""
    note = _note(lake, dump)
    return bool(note) and note["against"] != {one: _kept_noted(lake, one) for one in earlier}


def _note_path(lake: Lake, dump: str) -> str:
    return f"{lake.root}/seals/compared/{check_key(dump)}.json"


def _note(lake: Lake, dump: str) -> dict[str, Any]:
    path = _note_path(lake, dump)
    return dict(orjson.loads(lake.fs.cat_file(path))) if lake.fs.exists(path) else {}


def _kept_noted(lake: Lake, dump: str) -> str:
    """Digest of a dump's surviving ids, as noted where the note is of the file that stands."""
    note = _note(lake, dump)
    return str(note["kept"]) if note.get("file") == survivors_file(lake, dump) else _kept(lake, dump)


def _kept(lake: Lake, dump: str) -> str:
    kept = lake.scan(PERSONA_SURVIVORS, [dump]).filter("kept").select("persona_id").collect()["persona_id"]
    return digest("\n".join(kept.sort()).encode())


def survivors_file(lake: Lake, dump: str) -> str:
    """sha256 of the file that holds a dump's survivors."""
    path = lake.path(PERSONA_SURVIVORS, dump)
    record = lake.commit_record(path)
    return record.sha256 if record else lake.sha256(path)


def _folder(lake: Lake, dump: str, scheme: Scheme) -> str:
    survivors = survivors_file(lake, dump)
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
