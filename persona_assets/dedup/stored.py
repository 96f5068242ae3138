"""What later dumps need of a dump's survivors, beside the table: segments.

`<lake>/segments/scheme=<digest>/dump=<dump>/of=<content of the survivors>/<part>/...`, and `complete.json` once
all parts are there, with the digests of their files. Derived data: it can be deleted, and is made again from the
survivors and their texts; so is what does not fit its digest.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import orjson
import polars as pl
from fsspec.implementations.local import LocalFileSystem

from persona_assets.dedup.canonical_order import IDENTITY, canonical_parts
from persona_assets.dedup.keys import Scheme
from persona_assets.dedup.seals import Seal
from persona_assets.dedup.segments import FILES, Keyed, Segment
from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake
from persona_assets.lake.schemas import PERSONA_SURVIVORS
from persona_assets.lake.verified import file_digest, is_sound
from persona_assets.text.scripts import scripts_of
from persona_assets.text.sets import token_sets

FORMAT = 2  # of the files, and of what a token and a key are; a change makes every segment anew
COMPLETE = "complete.json"
_LOCAL = LocalFileSystem()
logger = logging.getLogger(__name__)


def load_segments(lake: Lake, seal: Seal, scheme: Scheme, scratch: Path, rows: int) -> list[Segment]:
    """The segments of a deduped dump, made and stored where the lake has none; `rows` bounds a part made again.

    Each file is verified, once per process. Where one is damaged, all are made again.

    Raises:
        PersonaAssetsError: what was just stored cannot be read back.
    """
    folder = _folder(lake, seal.dump, scheme)
    stored = _stored(lake, folder, seal, scratch / f"seal-{seal.seal}")
    if stored is None:
        store_segments(lake, seal.dump, scheme, list(_make(lake, seal, scheme, scratch / f"make-{seal.seal}", rows)))
        stored = _stored(lake, folder, seal, scratch / f"seal-{seal.seal}-again")
    if stored is None:
        raise PersonaAssetsError(f"{folder} was written and cannot be read back: check the disk and run again")
    return stored


class _Damaged(Exception):
    """Stored segments cannot be used: the file that shows it, and why; no file where nothing is wrong."""


def _stored(lake: Lake, folder: str, seal: Seal, local: Path) -> list[Segment] | None:
    """The segments that the lake has, copied to `local` where it is remote; None where there are none to use."""
    try:
        files = _verified(lake, folder, local)
    except FileNotFoundError:
        return None
    except _Damaged as fault:
        path, why = fault.args
        if path:
            logger.warning("%s %s: the segments of its dump are removed and made again", path, why)
        _remove(lake, folder)
        return None
    parts = sorted({name.split("/")[0] for name in files})
    return [Segment((Path(folder) if lake.is_local else local) / part, seal.dump) for part in parts]


def _verified(lake: Lake, folder: str, local: Path) -> dict[str, str]:
    """The stored files of a dump's segments with their digests.

    Raises:
        FileNotFoundError: there are none.
        _Damaged: one of them is not what was written.
    """
    complete = f"{folder}/{COMPLETE}"
    try:
        note = orjson.loads(lake.fs.cat_file(complete))
    except ValueError:
        note = None
    if isinstance(note, dict) and note.keys() == {"parts"}:
        raise _Damaged("", "of an earlier version, without digests")
    if not isinstance(note, dict) or note != _contents(folder, note.get("files")):
        raise _Damaged(complete, "is not what was written")
    files: dict[str, str] = note["files"]
    for name, expected in files.items():
        path = f"{folder}/{name}"
        if lake.is_local:
            sound = is_sound(lake.fs, path, expected)
        else:
            sound = _fetched(lake, path, local / name) and is_sound(_LOCAL, str(local / name), expected)
        if not sound:
            raise _Damaged(path, "is gone, cut or changed")
    return files


def _fetched(lake: Lake, path: str, local: Path) -> bool:
    local.parent.mkdir(parents=True, exist_ok=True)
    try:
        lake.fs.get_file(path, str(local))
    except FileNotFoundError:
        return False
    return True


def _remove(lake: Lake, folder: str) -> None:
    """Remove stored segments, the file first that makes them count."""
    for path in (f"{folder}/{COMPLETE}", folder):
        with suppress(FileNotFoundError):
            lake.fs.rm(path, recursive=True)


def _contents(folder: str, files: object) -> dict[str, object]:
    """What `complete.json` holds: whose segments these are, the digest of each file, and a digest of all that."""
    said = {"of": "/".join(folder.rsplit("/", 3)[1:]), "files": files}
    return {**said, "digest": digest(canonical_json(said))}


def store_segments(lake: Lake, dump: str, scheme: Scheme, segments: Sequence[Segment]) -> None:
    """Put a dump's segments into the lake, in place of those of its earlier survivors."""
    folder = _folder(lake, dump, scheme)
    files: dict[str, str] = {}
    for number, segment in enumerate(segments):
        for name in FILES:
            files[f"{_part(number)}/{name}"] = file_digest(_LOCAL, str(segment.folder / name))
            temporary = lake.temporary()
            lake.fs.put_file(str(segment.folder / name), temporary)
            lake.commit(temporary, f"{folder}/{_part(number)}/{name}")
    lake.write_bytes(f"{folder}/{COMPLETE}", orjson.dumps(_contents(folder, files)))
    for complete in lake.fs.glob(f"{folder.rsplit('/', 1)[0]}/*/{COMPLETE}"):
        if not complete.startswith(f"{folder}/"):  # of survivors that these have replaced
            _remove(lake, complete.rsplit("/", 1)[0])


def _folder(lake: Lake, dump: str, scheme: Scheme) -> str:
    survivors = lake.require(PERSONA_SURVIVORS, dump).rows.content
    described = digest(canonical_json([FORMAT, scheme.strategy, scheme.threshold, scheme.recall]))
    return f"{lake.root}/segments/scheme={described[:16]}/dump={dump}/of={survivors}"


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
        survivors = survivors.with_columns(script=scripts_of(survivors["text"].str.strip_chars()))
        keyed = Keyed.of(token_sets(survivors["text"]), scheme)
        yield Segment.write(scratch / _part(number), seal.dump, survivors, keyed, np.arange(survivors.height))
