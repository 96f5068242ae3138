"""What respondents learn of one another: shares, reasons of others, and who talks with whom."""

from collections import defaultdict

import polars as pl

from persona_assets.ids import canonical_json, digest
from persona_assets.surveys.survey import Survey

ARGUMENTS = 3  # reasons of others that a respondent is shown
ARGUMENT = pl.Struct({"choice": pl.String(), "reason": pl.String()})
SHOWN_SHARE = pl.Struct({"id": pl.String(), "percent": pl.Int64()})


def percents(rows: pl.DataFrame, survey: Survey | None) -> list[dict[str, str | int]]:
    """The shares of the options in whole percent, among those who chose; none without a survey, or where nobody did."""
    chose = rows["choice"].drop_nulls().to_list()
    if survey is None or not chose:
        return []
    return [{"id": one.id, "percent": round(100 * chose.count(one.id) / len(chose))} for one in survey.options]


def others_for(rows: pl.DataFrame, seed: int, *, arguments: bool) -> pl.DataFrame:
    """For each answer the `arguments` of others that are shown, and as `other_ids` whose they are.

    Others speak the language and chose otherwise; they are those who follow in an order by digests, in a circle, so
    that one answer more changes what few are shown.
    """
    shown: list[list[dict[str, str]]] = [[] for _ in range(rows.height)]
    ids: list[list[str]] = [[] for _ in range(rows.height)]
    if arguments:
        circles = defaultdict[str, list[int]](list)
        for place in _ordered(rows, seed):
            circles[rows["language"][place]].append(place)
        chose, reasons, names = (rows[name].to_list() for name in ("choice", "reason", "sample_id"))
        for circle in circles.values():
            ring = [place for place in circle if chose[place] is not None]
            start = {place: at for at, place in enumerate(ring)}
            following = 0
            for place in circle:
                following = (
                    start.get(place, following - 1) + 1
                )  # who chose nothing begins where the one before them does
                for step in range(len(ring)):
                    other = ring[(following + step) % len(ring)]
                    if chose[other] != chose[place]:
                        shown[place].append({"choice": chose[other], "reason": reasons[other]})
                        ids[place].append(names[other])
                    if len(ids[place]) == ARGUMENTS:
                        break
    return pl.DataFrame(
        {"arguments": shown, "other_ids": ids},
        schema={"arguments": pl.List(ARGUMENT), "other_ids": pl.List(pl.String())},
    )


def paired(rows: pl.DataFrame, survey: Survey) -> list[tuple[int, int]]:
    """Places of answers that talk with each other, `dialogues` pairs at most, each answer once.

    Both chose something, not the same, in one language, and in different strata where there are some. Of those who are
    left the first in an order by digests talks with the next one who fits.
    """
    waiting: list[int] = []
    found: list[tuple[int, int]] = []
    chose, languages, strata = (rows[name].to_list() for name in ("choice", "language", "stratum"))

    def fits(one: int, other: int) -> bool:
        apart = survey.strata is None or strata[one] != strata[other]
        return bool(apart and languages[one] == languages[other] and chose[one] != chose[other])

    for place in _ordered(rows, survey.seed):
        if len(found) == survey.dialogues:
            break
        if chose[place] is None:
            continue
        mate = next((other for other in waiting if fits(other, place)), None)
        if mate is None:
            waiting.append(place)
        else:
            waiting.remove(mate)
            found.append((mate, place))
    return found


def _ordered(rows: pl.DataFrame, seed: int) -> list[int]:
    """Places of rows by the digests of seed and id."""
    names = rows["sample_id"].to_list()
    return sorted(range(len(names)), key=lambda place: digest(canonical_json([seed, names[place]])))
