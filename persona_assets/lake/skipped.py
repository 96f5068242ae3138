"""Shards that a person left out: their dump is sealed without them, and nothing is made of them."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import orjson

from persona_assets.errors import PersonaAssetsError
from persona_assets.lake.store import Lake, check_key


@dataclass(frozen=True)
class Skipped:
    """A shard that was left out, why, and when; `moved_to` is the shard that has its files now, "" where none has."""

    shard: str
    reason: str
    created_at: str
    moved_to: str = ""


def skip_shard(lake: Lake, shard: str, reason: str, moved_to: str = "") -> None:
    """Leave a shard out."""
    entry = Skipped(shard, reason, datetime.now(UTC).isoformat(), moved_to)
    lake.write_bytes(_path(lake, shard), orjson.dumps(asdict(entry)))


def let_in(lake: Lake, shard: str) -> None:
    """Take a shard in again.

    Raises:
        PersonaAssetsError: it is not left out.
    """
    if shard not in skipped_shards(lake):
        raise PersonaAssetsError(f"shard {shard} is not left out")
    lake.fs.rm(_path(lake, shard))


def skipped_shards(lake: Lake) -> dict[str, Skipped]:
    """The shards that are left out, by key."""
    found = {}
    for path in sorted(lake.fs.glob(f"{lake.root}/skipped/*.json")):
        try:
            entry = Skipped(**orjson.loads(lake.fs.cat_file(path)))
        except (ValueError, TypeError) as error:
            raise PersonaAssetsError(
                f"{path} is damaged ({error}): delete it, and leave the shard out again"
            ) from error
        found[entry.shard] = entry
    return found


def _path(lake: Lake, shard: str) -> str:
    return f"{lake.root}/skipped/{check_key(shard)}.json"
