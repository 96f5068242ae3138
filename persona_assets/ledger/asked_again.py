"""Which calls were asked again, and how: read from the lake by every run, so that all find the same answers.

`<lake>/asked_again/<asset>/<key>/<number>.json`, number by number, says of calls that a partition's questions had which
calls stand in their place. Such a call differs from the one before it by the number of its asking, which is part of its
key, and maybe by its limit of tokens. So a second asking is a call as any other: found in the ledger or made, once.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.store import check_key

FOLDER = "asked_again"


def made_with(made_from: Mapping[str, str]) -> int:
    """How often questions of a partition had been asked again when it was made, as its record says."""
    return int(made_from.get(FOLDER, 0))


@dataclass(frozen=True, slots=True)
class Again:
    """What stands in the place of a call: which asking it is, from 1, and its limit of tokens (0: as before)."""

    asking: int
    max_tokens: int = 0


class AskedAgain:
    """What was asked again in a lake. Holds nothing in memory."""

    def __init__(self, lake: Lake) -> None:
        """Bind to a lake; nothing is read yet."""
        self.lake = lake

    def times(self, asset: str) -> dict[str, int]:
        """How often questions of each partition of an asset were asked again; those never are left out."""
        numbers: dict[str, int] = {}
        for path in self.lake.fs.glob(f"{self._folder(asset)}/*/*.json"):
            key, name = path.removesuffix(".json").rsplit("/", 2)[1:]
            if name.isdecimal():
                numbers[key] = max(numbers.get(key, 0), int(name))
        return numbers

    def of(self, asset: str, key: str = "*") -> dict[str, Again]:
        """What stands in the place of which call, by id; of one partition, or of all of an asset.

        Where two commands said so of a call at the same moment, the first one counts.

        Raises:
            PersonaAssetsError: a file is damaged.
        """
        told: list[tuple[str, str, dict[str, Again]]] = []
        for path in sorted(self.lake.fs.glob(f"{self._folder(asset)}/{key}/*.json")):
            try:
                value = orjson.loads(self.lake.fs.cat_file(path))
                told.append((value["at"], path, {call: Again(*again) for call, again in value["calls"].items()}))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise PersonaAssetsError(
                    f"{path} does not say what was asked again ({error}); restore it, or delete it to keep the answers "
                    "before"
                ) from error
        found: dict[str, Again] = {}
        for _, _, calls in sorted(told, key=lambda one: one[:2]):
            found = calls | found
        return found

    def add(self, asset: str, key: str, reasons: Collection[str], calls: Mapping[str, Again]) -> None:
        """Have calls of a partition asked again; `calls` may be empty where nothing was stored that could be reused.

        Raises:
            FileExistsError: another run did so at the same moment.
        """
        number = self.times(asset).get(key, 0) + 1
        value = {
            "at": datetime.now(UTC).isoformat(),
            "reasons": sorted(reasons),
            "calls": {call: (again.asking, again.max_tokens) for call, again in sorted(calls.items())},
        }
        self.lake.write_bytes(
            f"{self._folder(asset)}/{check_key(key)}/{number}.json", orjson.dumps(value), exclusive=True
        )

    def _folder(self, asset: str) -> str:
        return f"{self.lake.root}/{FOLDER}/{check_key(asset)}"
