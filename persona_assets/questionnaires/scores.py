"""What answers to a questionnaire come to: a score with its interval for each dimension, and the type that follows.

An answer is a number from -1, which disagrees most, to 1, which agrees most. Turned towards the second pole of its
dimension it is *keyed*. An item's value is the mean of its keyed answers, so each item counts once, however often it
was asked. A dimension whose items speak for both poles is scored by halves, those for the one and those for the other:
the score is the mean of the two halves' means, so that somebody who agrees with everything comes out in the middle.
"""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

LEVEL = 0.99  # of intervals: four dimensions make a type, and with 95 % each a fifth of those who guess had a letter
MOST_MISSING = 0.2  # share of refused and unreadable answers with which a letter is still given
LEAST_CONSISTENCY = 1 / 3
LEAST_ITEMS = (
    8  # that were answered: of two answers by chance fewer than eight are all alike more than once in a hundred
)
DIGITS = 9  # of scores, after the point
OPEN = "?"  # the letter of a dimension that is not clear
RISING, FALLING = "rising", "falling"

# Why a letter is open.
NOTHING = "no answer could be read"
MISSING = f"over {MOST_MISSING:.0%} refused or not readable"
FEW = f"fewer than {LEAST_ITEMS} items were answered"
MIDDLE = "the interval reaches the middle"
ONE_WAY = "all items speak for one pole: who agrees with everything looks the same"
CONTRADICTS = "the items for the two poles do not agree"

ANSWERS: dict[str, Any] = {
    "system": pl.String,
    "language": pl.String,
    "run": pl.Int64,
    "scale": pl.String,
    "item": pl.String,
    "value": pl.Float64,
    "answer_ids": pl.List(pl.String),
}
ITEMS: dict[str, Any] = {
    "language": pl.String,
    "item": pl.String,
    "dimension": pl.String,
    "place": pl.Int64,
    "first_pole": pl.String,
    "second_pole": pl.String,
    "toward": pl.Int64,
}
SCORES: dict[str, Any] = {
    "system": pl.String,
    "language": pl.String,
    "run": pl.Int64,
    "dimension": pl.String,
    "place": pl.Int64,
    "first_pole": pl.String,
    "second_pole": pl.String,
    "score": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "letter": pl.String,
    "margin": pl.Float64,
    "open_because": pl.String,
    "consistency": pl.Float64,
    "alpha": pl.Float64,
    "scale_shift": pl.Float64,
    "run_shift": pl.Float64,
    "items": pl.Int64,
    "asked": pl.Int64,
    "refused": pl.Int64,
    "unreadable": pl.Int64,
}
NULLABLE = (*("run", "score", "low", "high", "open_because", "consistency", "alpha", "scale_shift", "run_shift"),)
_WHO = ("system", "language", "run")
_KEY = (*_WHO, "dimension")


def agreement(answer: pl.Expr, least: pl.Expr, most: pl.Expr, rises: pl.Expr) -> pl.Expr:
    """From -1 to 1 how far a number of the scale agrees; `rises`: whether the larger numbers agree more."""
    share = (answer - least) / (most - least)
    return 2 * pl.when(rises).then(share).otherwise(1 - share) - 1


def scored(answers: pl.DataFrame, items: pl.DataFrame, *, one_way: bool = False) -> pl.DataFrame:
    """A row for each system, language, run and dimension that has answers, and one over all runs, whose `run` is null.

    `answers` has the columns of `ANSWERS`; `value` is null where the system would rather not say, and an answer that
    could not be read has no row; `answer_ids` are the rows that it came from. `items` has those of `ITEMS`, of items
    that are scored: `toward` is 1 where agreement speaks for the second pole, else -1. Beside the columns of `SCORES`
    there are the `answer_ids`. With `one_way` a dimension whose items all speak for one pole may have a letter: where
    others placed the answers, nobody can agree with everything.

    | column | is |
    | --- | --- |
    | `score` | from -1, the first pole, to 1, the second |
    | `low`, `high` | its 99 % interval over items, by Student's t, with the variance of both halves pooled |
    | `letter`, `margin` | the pole, or `?`, and how far its interval is from the middle |
    | `consistency` | the weaker half over the stronger one, 0 where they point apart; null without two halves |
    | `alpha` | Cronbach's over the sheets of all systems; null with fewer than two systems |
    | `scale_shift` | half the mean distance of an item's answers on the rising and the falling scale: 0 to 1 |
    | `run_shift` | the mean standard deviation of an item's answers over runs; null in single runs |
    """
    keyed = answers.join(items, on=("language", "item")).with_columns(keyed=pl.col("value") * pl.col("toward"))
    keyed = keyed.sort(*_WHO, "item", "scale", "keyed")  # sums of fractions hang on the order of rows
    runs, scales = keyed["run"].n_unique(), keyed["scale"].n_unique()
    both = pl.concat([keyed, keyed.with_columns(run=pl.lit(None, pl.Int64))])
    mean = pl.col("keyed")
    by_item = both.group_by(*_KEY, "item", "toward", maintain_order=True).agg(
        value=mean.mean(),
        shift=(mean.filter(scale=RISING).mean() - mean.filter(scale=FALLING).mean()).abs() / 2,
    )
    halves = {name: pl.col("value").filter(pl.col("toward") == sign) for name, sign in _HALVES.items()}
    found = by_item.group_by(_KEY, maintain_order=True).agg(
        items=pl.col("value").count().cast(pl.Int64),
        scale_shift=pl.col("shift").mean(),
        **{f"{name}_n": half.count().cast(pl.Float64) for name, half in halves.items()},
        **{f"{name}_mean": half.mean() for name, half in halves.items()},
        **{f"{name}_var": half.var() for name, half in halves.items()},
    )
    counts = both.group_by(_KEY).agg(
        refused=pl.col("value").null_count().cast(pl.Int64),
        answers=pl.len().cast(pl.Int64),
        answer_ids=pl.col("answer_ids").explode().sort(),
    )
    about = items.group_by("language", "dimension").agg(
        pl.col("place", "first_pole", "second_pole").first(),
        declared=pl.len().cast(pl.Int64),
        both_ways=pl.col("toward").n_unique() == len(_HALVES),
    )
    asked = pl.col("declared") * scales * pl.when(pl.col("run").is_null()).then(runs).otherwise(1)
    rows = (
        found.join(counts, on=_KEY, nulls_equal=True)
        .join(about, on=("language", "dimension"))
        .join(_run_shifts(keyed), on=("system", "language", "dimension"), how="left")
        .join(alphas(keyed), on=("language", "dimension"), how="left")
        .with_columns(asked=asked, run_shift=pl.when(pl.col("run").is_null()).then("run_shift"))
        .with_columns(unreadable=pl.col("asked") - pl.col("answers"))
        .sort("system", "language", "run", "place", nulls_last=True)
    )
    # Rounded, so that another machine, which adds up in other portions, gives the same row.
    rows = rows.hstack(_with_intervals(rows)).with_columns(pl.col(pl.Float64).round(DIGITS))
    return rows.with_columns(**_letters(one_way=one_way)).select(*SCORES, "answer_ids")


def differences(answers: pl.DataFrame, items: pl.DataFrame, first: str, second: str) -> pl.DataFrame:
    """How far the scores of the system `second` lie from those of `first`, by language and dimension, from -2 to 2.

    The interval, at 99 %, is of the differences of single items, over all runs: what an item adds to both systems drops
    out. `answers` and `items` are those of `scored`. A dimension that one of the two has not answered has no row.
    """
    by_item = answers.group_by("system", "language", "item").agg(pl.col("value").mean())
    one, other = (by_item.filter(system=name).drop("system") for name in (first, second))
    moved = one.join(other, on=("language", "item"), suffix="_second").select(
        "language",
        "item",
        system=pl.lit(second),
        run=pl.lit(0, pl.Int64),
        scale=pl.lit(RISING),
        value=(pl.col("value_second") - pl.col("value")) / 2,
        answer_ids=pl.lit([], pl.List(pl.String)),
    )
    found = scored(moved.select(*ANSWERS), items, one_way=True).filter(pl.col("run").is_null())
    ends = {name: 2 * pl.col(of) for name, of in (("difference", "score"), ("low", "low"), ("high", "high"))}
    return found.drop_nulls("score").select("language", "dimension", "place", "first_pole", "second_pole", **ends)


_HALVES = {"first": -1, "second": 1}


def _with_intervals(rows: pl.DataFrame) -> pl.DataFrame:
    """`score`, `low`, `high` and `consistency`, from the halves' numbers, means and variances."""
    count, mean, var = (
        np.stack([rows[f"{name}_{of}"].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in _HALVES])
        for of in ("n", "mean", "var")
    )
    there = count > 0
    halves = np.maximum(there.sum(axis=0), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(there.any(axis=0), np.where(there, mean, 0).sum(axis=0) / halves, np.nan)
        freedom = np.where(there, count - 1, 0).sum(axis=0)
        spread = np.where(count > 1, (count - 1) * var, 0).sum(axis=0) / freedom
        error = np.sqrt(spread * np.where(there, 1 / count, 0).sum(axis=0)) / halves
        half = np.where(error == 0, 0, error * _student(freedom))
        side = np.sign(score)
        weaker, stronger = np.minimum(*(side * mean)), np.maximum(*(side * mean))
        consistency = np.where(there.all(axis=0), np.clip(np.where(stronger > 0, weaker / stronger, 0), 0, 1), np.nan)
    told = {
        "score": score,
        "low": np.clip(score - half, -1, 1),
        "high": np.clip(score + half, -1, 1),
        "consistency": consistency,
    }
    return pl.DataFrame(told, nan_to_null=True).cast(pl.Float64)


def _student(freedom: NDArray[np.float64]) -> NDArray[np.float64]:
    """By degrees of freedom within how many standard errors `LEVEL` of Student's t lies."""
    from scipy.special import stdtrit  # where it is needed: it takes a while to load

    found: NDArray[np.float64] = stdtrit(freedom, (1 + LEVEL) / 2)
    return found


def _letters(*, one_way: bool) -> dict[str, pl.Expr]:
    """`letter`, `margin` and `open_because`."""
    lacks_halves, contradicts = ~pl.col("both_ways"), pl.col("consistency").fill_null(0) < LEAST_CONSISTENCY
    missing = (pl.col("refused") + pl.col("unreadable")) / pl.col("asked") > MOST_MISSING
    middle = (pl.col("low") <= 0) & (pl.col("high") >= 0)
    because = (
        pl.when(pl.col("score").is_null()).then(pl.lit(NOTHING))
        .when(missing).then(pl.lit(MISSING))
        .when(pl.col("low").is_null() | (pl.col("items") < LEAST_ITEMS)).then(pl.lit(FEW))
        .when(middle).then(pl.lit(MIDDLE))
        .when(lacks_halves & (not one_way)).then(pl.lit(ONE_WAY))
        .when(~lacks_halves & contradicts).then(pl.lit(CONTRADICTS))
    )  # fmt: skip
    clear = because.is_null()
    pole = pl.when(pl.col("score") < 0).then("first_pole").otherwise("second_pole")
    return {
        "open_because": because,
        "letter": pl.when(clear).then(pole).otherwise(pl.lit(OPEN)),
        "margin": pl.when(clear).then(pl.min_horizontal(pl.col("low").abs(), pl.col("high").abs())).otherwise(0.0),
    }


def _run_shifts(keyed: pl.DataFrame) -> pl.DataFrame:
    """By system, language and dimension the mean standard deviation of an item's answers over runs."""
    of = ("system", "language", "dimension")
    again = keyed.group_by(*of, "item", "scale", maintain_order=True).agg(
        pl.col("keyed").std(ddof=0), runs=pl.col("keyed").count()
    )
    return again.filter(pl.col("runs") > 1).group_by(of, maintain_order=True).agg(run_shift=pl.col("keyed").mean())


def alphas(keyed: pl.DataFrame) -> pl.DataFrame:
    """Cronbach's alpha by language and dimension, over sheets: the answers of a system in a run to all items.

    `keyed` has system, language, run, dimension, item and `keyed`. A sheet that lacks an item does not count. Sheets of
    one system differ by chance alone, so there have to be two systems.
    """
    of = ("language", "dimension")
    sheet = (*of, "system", "run")
    by_item = keyed.group_by(*sheet, "item", maintain_order=True).agg(pl.col("keyed").mean())
    whole = by_item.with_columns(
        items=pl.col("item").n_unique().over(of), own=pl.col("keyed").count().over(sheet)
    ).filter(pl.col("items") == pl.col("own"))
    within = whole.group_by(*of, "item", "items", maintain_order=True).agg(
        pl.col("keyed").var(), systems=pl.col("system").n_unique()
    )
    sums = whole.group_by(sheet, maintain_order=True).agg(pl.col("keyed").sum())
    sums = sums.group_by(of, maintain_order=True).agg(total=pl.col("keyed").var())
    spread = within.group_by(*of, "items", maintain_order=True).agg(pl.col("keyed").sum(), pl.col("systems").min())
    k = pl.col("items").cast(pl.Float64)
    return (
        spread.join(sums, on=of)
        .filter(pl.col("total") > 0, k > 1, pl.col("systems") > 1)
        .select(*of, alpha=k / (k - 1) * (1 - pl.col("keyed") / pl.col("total")))
    )


TYPES: dict[str, Any] = {
    "system": pl.String,
    "language": pl.String,
    "run": pl.Int64,
    "type": pl.String,
    "open": pl.Int64,
    "margin": pl.Float64,
    "runs": pl.Int64,
    "runs_alike": pl.Int64,
}
TYPES_NULLABLE = ("run", "runs", "runs_alike")


def types(scores: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """The type of each system, language and run, and over all runs (`run` null), of the dimensions' letters in order.

    `margin` is the smallest of the letters', 0 where one is open, `open` how many are. Over all runs there are also
    `runs` and `runs_alike`: how many there were, and how many of them gave that same type. A dimension that nobody
    answered is open. Only dimensions whose poles are single letters make a type: of others there is no row. With
    `parents`, the `sample_id` of the scores, where they have one.
    """
    lettered = (pl.col("first_pole").str.len_chars() == 1) & (pl.col("second_pole").str.len_chars() == 1)
    dimensions = items.filter(lettered).group_by("language", "dimension").agg(pl.col("place").first())
    who = scores.filter(lettered).select(_WHO).unique()
    ids = pl.col("sample_id") if "sample_id" in scores.columns else pl.lit(None, pl.String()).alias("sample_id")
    found = (
        who.join(dimensions, on="language")
        .join(scores.select(*_KEY, "letter", "margin", ids), on=_KEY, how="left", nulls_equal=True)
        .sort("place")
        .group_by(_WHO, maintain_order=True)
        .agg(
            type=pl.col("letter").fill_null(OPEN).str.join(),
            open=(pl.col("letter").fill_null(OPEN) == OPEN).sum().cast(pl.Int64),
            margin=pl.col("margin").fill_null(0.0).min(),
            parents=pl.col("sample_id").drop_nulls().sort(),
        )
    )
    each = found.filter(pl.col("run").is_not_null()).select("system", "language", own="type")
    over_all = found.filter(pl.col("run").is_null()).join(each, on=("system", "language"))
    alike = over_all.group_by(_WHO).agg(
        runs=pl.len().cast(pl.Int64), runs_alike=(pl.col("own") == pl.col("type")).sum().cast(pl.Int64)
    )
    return (
        found.join(alike, on=_WHO, how="left", nulls_equal=True)
        .sort("system", "language", "run", nulls_last=True)
        .select(*TYPES, "parents")
    )
