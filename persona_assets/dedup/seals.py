"""Seals: the recorded sequence in which dumps were closed for dedup (data contract 6).

`<lake>/seals/00000001.json`, `00000002.json`, ...: which shards a dump had when it was sealed, and a digest of each
shard's persona ids. Survivors depend on this sequence and the data, and on nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
import polars as pl

from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import digest
from persona_assets.lake import Lake
from persona_assets.lake.schemas import FILTERED_PERSONAS, PERSONA_SURVIVORS, SHARD_FILES
from persona_assets.lake.store import dump_of

REBUILD = "persona-assets run"  # what follows from a partition that was written anew
LATE_REMEDY = "put its files into a folder of a new dump"


@dataclass(frozen=True)
class Seal:
    """A dump's place in the sequence (from 1), its shards in key order, and what each shard held.

    `digests` are of the persona ids; `files` are the sha256 of the shards' files, which tell without reading them
    that nothing changed.
    """

    seal: int
    dump: str
    shards: tuple[str, ...]
    digests: dict[str, str]
    run_id: str
    created_at: str
    files: dict[str, str] = field(default_factory=dict)


def seals(lake: Lake) -> list[Seal]:
    """All seals, in sequence."""
    found = [orjson.loads(lake.fs.cat_file(path)) for path in sorted(lake.fs.glob(f"{lake.root}/seals/*.json"))]
    return [Seal(**{**values, "shards": tuple(values["shards"])}) for values in found]


def sealed_dumps(lake: Lake) -> list[str]:
    """The sealed dumps, in sequence."""
    return [seal.dump for seal in seals(lake)]


def seal_waiting(lake: Lake, requested: str, run_id: str) -> list[Seal]:
    """Seal `requested` and, before it in key order, every dump up to it that waits; returns the new seals.

    A dump waits when all its registered shards have filtered personas and it is not sealed. So dumps that wait
    together get the same sequence whichever is asked for first. A sealed dump seals nothing more. Safe beside other
    runs: a number that another run has taken is read and the next one tried.

    Raises:
        PersonaAssetsError: `requested` has no registered shard, or shards without filtered personas.

    """
    if requested in sealed_dumps(lake):
        return []
    registered = registered_shards(lake)
    if requested not in registered:
        known = ", ".join(sorted(registered)) or "none"
        raise PersonaAssetsError(f"dump {requested} has no registered shard (dumps that have: {known})")
    filtered = set(lake.keys(FILTERED_PERSONAS))
    missing = [shard for shard in registered[requested] if shard not in filtered]
    if missing:
        raise PersonaAssetsError(
            f"dump {requested} cannot be sealed: no filtered_personas for {', '.join(missing)}; materialise "
            "filtered_personas for these partitions first"
        )
    waiting = [dump for dump in sorted(registered) if dump <= requested and filtered.issuperset(registered[dump])]
    written = (_seal(lake, dump, registered[dump], run_id) for dump in waiting)
    return [seal for seal in written if seal]


def registered_shards(lake: Lake) -> dict[str, list[str]]:
    """By dump: the shards that have been registered, in key order."""
    shards: dict[str, list[str]] = {}
    for shard in lake.keys(SHARD_FILES):
        shards.setdefault(dump_of(shard), []).append(shard)
    return shards


def shard_digest(lake: Lake, shard: str) -> str:
    """Digest of the sorted persona ids of a shard's filtered personas; of nothing where there is no partition."""
    ids = lake.scan(FILTERED_PERSONAS, [shard]).select(pl.col("persona_id").sort()).collect()["persona_id"]
    return digest("\n".join(ids.to_list()).encode())


def changed_shards(lake: Lake, sealed: Sequence[Seal] | None = None) -> list[str]:
    """Sealed shards (of all seals, or of the given ones) whose filtered personas are not those that were sealed."""
    return [
        shard
        for seal in (seals(lake) if sealed is None else sealed)
        for shard in seal.shards
        if _file_digest(lake, shard) != seal.files.get(shard, "") and shard_digest(lake, shard) != seal.digests[shard]
    ]


def require_unchanged(lake: Lake, sealed: Sequence[Seal]) -> None:
    """Raise PersonaAssetsError, with the remedy, where a shard of these seals is no longer what was deduped."""
    for seal in sealed:
        changed = changed_shards(lake, [seal])
        if changed:
            raise PersonaAssetsError(
                f"dump {seal.dump} changed after it was deduped ({', '.join(changed)}): {remedy(seal.dump)}"
            )


def remedy(dump: str) -> str:
    """What to do where a sealed dump is no longer what was deduped."""
    return (
        f"`{REBUILD}` rebuilds persona_survivors for {dump}, the dumps after it that this changes, and what is "
        f"downstream (`dg launch --assets persona_survivors --partition {dump}` leaves out the last)"
    )


@dataclass(frozen=True)
class Departure:
    """A shard that is not as its dump's seal has it: in what, and what to do."""

    dump: str
    shard: str
    what: str
    remedy: str


def departures(lake: Lake) -> list[Departure]:
    """Sealed shards that changed after their dump was deduped, and shards that came to a sealed dump later."""
    sealed, registered = seals(lake), registered_shards(lake)
    found = []
    for seal in sealed:
        for shard in changed_shards(lake, [seal]):
            found.append(Departure(seal.dump, shard, _what_changed(lake, seal.dump, shard), remedy(seal.dump)))
        for shard in sorted(set(registered.get(seal.dump, [])) - set(seal.shards)):
            found.append(Departure(seal.dump, shard, "registered after the dump was sealed", LATE_REMEDY))
    return found


def _what_changed(lake: Lake, dump: str, shard: str) -> str:
    if not lake.exists(FILTERED_PERSONAS, shard):
        return "filtered_personas are gone"
    if not lake.exists(PERSONA_SURVIVORS, dump):
        return "filtered_personas are not those that were sealed"
    now = lake.scan(FILTERED_PERSONAS, [shard]).select("persona_id")
    then = lake.scan(PERSONA_SURVIVORS, [dump]).filter(persona_shard=shard).select("persona_id")
    new, gone = pl.collect_all(
        [now.join(then, on="persona_id", how="anti"), then.join(now, on="persona_id", how="anti")]
    )
    return f"{new.height:,} personas new, {gone.height:,} gone"


def _file_digest(lake: Lake, shard: str) -> str:
    path = lake.path(FILTERED_PERSONAS, shard)
    record = lake.commit_record(path) if lake.fs.exists(path) else None
    return record.sha256 if record else "missing"


def seal_again(lake: Lake, seal: Seal, run_id: str) -> Seal:
    """Replace a seal by one of the same number, dump and shards with the digests of what the shards hold now."""
    renewed = _describe(lake, seal.seal, seal.dump, seal.shards, run_id)
    lake.write_bytes(_path(lake, seal.seal), orjson.dumps(renewed))
    return renewed


def _seal(lake: Lake, dump: str, shards: Sequence[str], run_id: str) -> Seal | None:
    while True:
        known = seals(lake)
        if any(seal.dump == dump for seal in known):
            return None
        number = known[-1].seal + 1 if known else 1
        seal = _describe(lake, number, dump, shards, run_id)
        try:
            lake.write_bytes(_path(lake, number), orjson.dumps(seal), exclusive=True)
        except FileExistsError:
            continue  # another run took the number, perhaps for this very dump
        return seal


def _describe(lake: Lake, number: int, dump: str, shards: Sequence[str], run_id: str) -> Seal:
    digests = {shard: shard_digest(lake, shard) for shard in shards}
    files = {shard: _file_digest(lake, shard) for shard in shards}
    return Seal(number, dump, tuple(shards), digests, run_id, datetime.now(UTC).isoformat(), files)


def _path(lake: Lake, number: int) -> str:
    return f"{lake.root}/seals/{number:08d}.json"
