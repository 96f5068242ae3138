"""Answers that changed between two systems: which, and how they are shown."""

from dataclasses import dataclass

import polars as pl

from persona_assets.evaluation.tables import BASE, TUNED
from persona_assets.ids import digest
from persona_assets.view import blocks as view
from persona_assets.view.safe import one_line

EXAMPLES = 2  # of each direction, suite and stratum
SHOWN = 400  # characters of a quoted text


@dataclass(frozen=True, slots=True)
class Change:
    """An item whose answer changed: texts of others, and whether it is right now or was before."""

    suite: str
    stratum: str
    gained: bool
    item_id: str
    asked: str
    gold: str
    before: str
    after: str


def changes(grades: pl.DataFrame, answers: pl.DataFrame, most: int = EXAMPLES) -> list[Change]:
    """Items that one of base and tuned gets right and the other wrong: some of each suite, stratum and direction.

    `grades` has the columns of `tables.GRADES`, `answers` has item_id, suite, system, seed, prompt and answer. Of
    several seeds the first counts. Which items are shown follows from their ids alone.
    """
    first = (
        grades.join(answers.select("suite", "item_id", "system", "seed", "prompt", "answer"),
                    on=("suite", "item_id", "system", "seed"), nulls_equal=True)
        .sort("suite", "item_id", "system", "seed", nulls_last=True)
        .unique(("suite", "item_id", "system"), keep="first", maintain_order=True)
    )  # fmt: skip
    before, after = (first.filter(pl.col("system") == name) for name in (BASE, TUNED))
    told = before.join(after.select("suite", "item_id", "value", "answer"), on=("suite", "item_id"), suffix="_after")
    moved = told.filter((pl.col("value") != pl.col("value_after")) & (pl.col("verdict").is_not_null()))
    found = []
    for (suite, stratum, gained), own in sorted(
        moved.with_columns(stratum=pl.col("stratum").fill_null(""), gained=pl.col("value_after") > pl.col("value"))
        .group_by("suite", "stratum", "gained"),
        key=lambda one: (str(one[0][0]), str(one[0][1]), not one[0][2]),
    ):  # fmt: skip
        some = sorted(own.iter_rows(named=True), key=lambda row: digest(row["item_id"].encode()))[:most]
        found += [
            Change(str(suite), str(stratum), bool(gained), row["item_id"], row["prompt"] or "", row["gold"] or "",
                   row["answer"] or "", row["answer_after"] or "")
            for row in some
        ]  # fmt: skip
    return found


def quoted(one: Change) -> view.Quotes:
    """A change with its texts; the one that is right is marked as kept."""
    moved = "wrong to right" if one.gained else "right to wrong"
    where: view.Line = (view.Code(one.suite), *((", ", view.Code(one.stratum)) if one.stratum else ()), f": {moved}")
    quotes = [view.Quote("asked", [(_cut(one.asked), False)])]
    quotes += [view.Quote("right answer", [(_cut(one.gold), False)])] if one.gold else []
    quotes += [view.Quote("base", [(_cut(one.before), False)], kept=not one.gained)]
    return view.Quotes(where, [*quotes, view.Quote("tuned", [(_cut(one.after), False)], kept=one.gained)])


def _cut(text: str) -> str:
    return one_line(text, SHOWN) or "(nothing)"
