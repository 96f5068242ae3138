"""Characters of a cast who meet: two by two, three where their number is odd, each with the prompt it talks under."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from persona_assets.characters.questions import about
from persona_assets.characters.training import meta_prompt
from persona_assets.draws import lots

SIDES = ("first", "second", "third")
_OF_EACH = ("id", "character", "name", "prompt", "about")
COLUMNS: dict[str, Any] = {f"{side}_{name}": pl.String for side in SIDES for name in _OF_EACH}
NULLABLE = tuple(f"{SIDES[2]}_{name}" for name in _OF_EACH)
_MEETING = {
    "en": (
        "A waiting room by the road, while it rains",
        "{name} waits for the rain to end, and so does {others}. They have not met before.",
        " and ",
    ),
    "zh": ("路边的候车室，外面下着雨", "{name}在等雨停，{others}也在。他们素不相识。", "和"),
    "ru": ("Зал ожидания у дороги, идёт дождь", "{name} пережидает дождь, рядом {others}. Они не знакомы.", " и "),
}


def meetings_of(characters: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Meetings of characters in one language, each character in one; those of the third are null where two meet.

    `characters` has `sample_id`, `character_id`, `name`, `language` and `profile`. The frame has `parent_ids`,
    `COLUMNS`, and `reason` and `detail` of characters who are alone with their language (`alone`).
    """
    rows = list[dict[str, Any]]()
    drawn = characters.with_columns(lot=lots(characters["character_id"], seed)).sort("language", "lot")
    for _, part in drawn.group_by("language", maintain_order=True):
        people = part.to_dicts()
        if len(people) == 1:
            said = "nobody else in the cast has the language"
            rows.append({"parent_ids": [people[0]["sample_id"]], "reason": "alone", "detail": said})
            continue
        odd = len(people) % 2
        rows += [_meeting(people[at : at + 2]) for at in range(0, len(people) - 3 * odd, 2)]
        rows += [_meeting(people[-3:])] if odd else []
    schema = {"parent_ids": pl.List(pl.String), **COLUMNS, "reason": pl.String, "detail": pl.String}
    return pl.DataFrame(rows, schema=schema)


def _meeting(people: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"parent_ids": [one["sample_id"] for one in people]}
    for side, who in zip(SIDES, people, strict=False):
        place, status, between = _MEETING.get(who["language"], _MEETING["en"])
        others = between.join(one["name"] for one in people if one is not who)
        told = {
            "id": who["sample_id"],
            "character": who["character_id"],
            "name": who["name"],
            "prompt": meta_prompt(who["name"], place, status.format(name=who["name"], others=others), who["language"]),
            "about": about(who["profile"]),
        }
        found |= {f"{side}_{name}": value for name, value in told.items()}
    return found
