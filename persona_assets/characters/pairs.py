"""Characters of a cast who meet: two by two, drawn by lot, each pair with the prompts under which it talks."""

from typing import Any

import polars as pl

from persona_assets.characters.questions import about
from persona_assets.characters.training import meta_prompt
from persona_assets.draws import lots

SIDES = ("first", "second")
COLUMNS: dict[str, Any] = {
    f"{side}_{name}": pl.String for side in SIDES for name in ("id", "character", "name", "prompt", "about")
}
_MEETING = {
    "en": (
        "A waiting room by the road, while it rains",
        "{name} and {other} are waiting for the rain to end. They have not met before.",
    ),
    "zh": ("路边的候车室，外面下着雨", "{name}和{other}在等雨停。两人素不相识。"),
    "ru": ("Зал ожидания у дороги, идёт дождь", "{name} и {other} пережидают дождь. Раньше они не встречались."),
}


def pairs_of(characters: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Pairs of characters in one language, each character in one; of an odd number the last is in a second one.

    `characters` has `sample_id`, `character_id`, `name`, `language` and `profile`. The frame has `parent_ids`,
    `COLUMNS`, and `reason` and `detail` of characters who are alone with their language (`alone`).
    """
    rows = list[dict[str, Any]]()
    drawn = characters.with_columns(lot=lots(characters["character_id"], seed)).sort("language", "lot")
    for _, part in drawn.group_by("language", maintain_order=True):
        people = part.to_dicts()
        if len(people) < len(SIDES):
            said = "nobody else in the cast has the language"
            rows.append({"parent_ids": [people[0]["sample_id"]], "reason": "alone", "detail": said})
            continue
        met = [*zip(people[::2], people[1::2], strict=False)]
        rows += [_pair(*two) for two in (met if len(people) % 2 == 0 else [*met, (people[-1], people[0])])]
    schema = {"parent_ids": pl.List(pl.String), **COLUMNS, "reason": pl.String, "detail": pl.String}
    return pl.DataFrame(rows, schema=schema)


def _pair(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"parent_ids": [one["sample_id"], other["sample_id"]]}
    for side, who, met in zip(SIDES, (one, other), (other, one), strict=True):
        place, status = _MEETING.get(who["language"], _MEETING["en"])
        told = {
            "id": who["sample_id"],
            "character": who["character_id"],
            "name": who["name"],
            "prompt": meta_prompt(
                who["name"], place, status.format(name=who["name"], other=met["name"]), who["language"]
            ),
            "about": about(who["profile"]),
        }
        found |= {f"{side}_{name}": value for name, value in told.items()}
    return found
