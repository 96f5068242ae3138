"""Seals: the recorded sequence in which dumps were closed for dedup (data contract 6).

`<lake>/seals/00000001.json`, `00000002.json`, ...: which shards a dump had when it was sealed. Survivors depend on this
sequence and the data, and on nothing else; what data that was stands in their records.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

import orjson
import polars as pl

from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import FILTERED_PERSONAS, PERSONA_SURVIVORS, SHARD_FILES
from persona_assets.lake.skipped import skipped_shards
from persona_assets.lake.store import dump_of

REBUILD = "persona-assets run"  # what follows from a partition that was written anew
LATE_REMEDY = "put its files into a folder of a new dump"


@dataclass(frozen=True)
class Seal:
    """A dump's place in the sequence (from 1), and its shards in key order."""

    seal: int
    dump: str
    shards: tuple[str, ...]
    run_id: str
    created_at: str


_NAMES = tuple(field.name for field in fields(Seal))


def seals(lake: Lake) -> list[Seal]:
    """All seals, in sequence.

    Raises:
        PersonaAssetsError: one is damaged; the message names it.
    """
    return [_read(lake, path) for path in sorted(lake.fs.glob(f"{lake.root}/seals/*.json"))]


def _read(lake: Lake, path: str) -> Seal:
    try:
        values = orjson.loads(lake.fs.cat_file(path))
        return Seal(**{name: values[name] for name in _NAMES} | {"shards": tuple(values["shards"])})
    except (ValueError, TypeError, KeyError) as error:
        raise PersonaAssetsError(
            f"{path} is damaged ({str(error) or type(error).__name__}): restore it from a backup; without one, delete "
            f"it and the seals after it, and `{REBUILD}` seals and decides these dumps again, in key order"
        ) from error


def sealed_dumps(lake: Lake) -> list[str]:
    """The sealed dumps, in sequence."""
    return [seal.dump for seal in seals(lake)]


def sealed_shards(lake: Lake) -> dict[str, tuple[str, ...]]:
    """The shards of each sealed dump, in sequence."""
    return {seal.dump: seal.shards for seal in seals(lake)}


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
    filtered = {key for key, record in lake.sound(FILTERED_PERSONAS).items() if not record.failed}
    missing = [shard for shard in registered[requested] if shard not in filtered]
    if missing:
        raise PersonaAssetsError(
            f"dump {requested} cannot be sealed: no filtered_personas that passed their gates for "
            f"{', '.join(missing)}; materialise filtered_personas for these partitions first, or leave a shard out "
            "with `persona-assets skip`"
        )
    waiting = [dump for dump in sorted(registered) if dump <= requested and filtered.issuperset(registered[dump])]
    written = (_seal(lake, dump, registered[dump], run_id) for dump in waiting)
    return [seal for seal in written if seal]


def registered_shards(lake: Lake) -> dict[str, list[str]]:
    """By dump: the shards that have been registered and are not left out, in key order."""
    shards: dict[str, list[str]] = {}
    left_out = skipped_shards(lake)
    for shard in lake.keys(SHARD_FILES):
        if shard not in left_out:
            shards.setdefault(dump_of(shard), []).append(shard)
    return shards


def made_from(lake: Lake, sequence: Sequence[Seal]) -> dict[str, str]:
    """What the survivors of the last dump of a sequence are made from: its shards, and the survivors of all others.

    Content digests by `<asset>/<key>`; "" where a partition is missing.
    """
    last = sequence[-1]
    pairs = [(FILTERED_PERSONAS, shard) for shard in last.shards]
    pairs += [(PERSONA_SURVIVORS, seal.dump) for seal in sequence[:-1]]
    records = {(table.name, key): lake.record(table, key) for table, key in pairs}
    return {f"{name}/{key}": record.rows.content if record else "" for (name, key), record in records.items()}


def changed_shards(lake: Lake, seal: Seal) -> list[str]:
    """Shards of a deduplicated dump whose filtered personas are not those that were compared."""
    record = lake.record(PERSONA_SURVIVORS, seal.dump)
    if record is None:
        return []
    now = made_from(lake, [seal])
    then = record.made_from
    return [shard for shard in seal.shards if now[_name(shard)] != then.get(_name(shard))]


def _name(shard: str) -> str:
    return f"{FILTERED_PERSONAS.name}/{shard}"


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
        for shard in changed_shards(lake, seal):
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


def _seal(lake: Lake, dump: str, shards: Sequence[str], run_id: str) -> Seal | None:
    while True:
        known = seals(lake)
        if any(seal.dump == dump for seal in known):
            return None
        number = known[-1].seal + 1 if known else 1
        seal = Seal(number, dump, tuple(shards), run_id, datetime.now(UTC).isoformat())
        try:
            lake.write_bytes(_path(lake, number), orjson.dumps(asdict(seal)), exclusive=True)
        except FileExistsError:
            continue  # another run took the number, perhaps for this very dump
        return seal


def _path(lake: Lake, number: int) -> str:
    return f"{lake.root}/seals/{number:08d}.json"
