"""What verdicts come to: whether a judge tells good texts from bad ones, and what it gives each row.

A judge is *calibrated* by a criterion where it rates known good texts above known bad ones. How often it does is the
area under the ROC curve of its scores (AUC): 0.5 is chance, 1 no mistake. Only then do its scores hold anything up.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from persona_assets.tasks.derived import Derived, derived
from persona_assets.tasks.judges.shown import scores_shown
from persona_assets.tasks.set_checks import set_check

CASES = "judge_cases"
CALIBRATION = "judge_calibration"
STANDING = "judge_standing"
CALIBRATED, NOT_CALIBRATED = "calibrated", "not calibrated"
SCORES = (1, 5)
MIDDLE = sum(SCORES) // 2
ORDERS = ("as it is", "swapped")  # in which two texts are shown
FEWEST = 3  # verdicts on good texts and on bad ones, below which nothing can be said


def auc(good: Iterable[float], bad: Iterable[float]) -> float:
    """How often a good text is rated above a bad one, ties as half; NaN where there are none of one kind."""
    high, low = np.asarray(list(good), dtype=float), np.asarray(list(bad), dtype=float)
    if not (high.size and low.size):
        return float("nan")
    above = (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2
    return float(above)


@derived(
    reads=(CALIBRATION, CASES),
    columns={
        "language": pl.String,
        "criterion": pl.String,
        "judge": pl.String,
        "good": pl.Int64,
        "bad": pl.Int64,
        "mean_good": pl.Float64,
        "mean_bad": pl.Float64,
        "auc": pl.Float64,
        "standing": pl.String,
        "why": pl.String,
    },
    description="Whether a judge rates known good texts above known bad ones, by criterion and model.",
    nullable=("language", "mean_good", "mean_bad", "auc"),
    settings=("judge_min_auc",),
)
def judge_standing(verdicts: pl.LazyFrame, cases: pl.LazyFrame, judge_min_auc: float) -> pl.DataFrame:
    """One row a criterion and model, over all languages; `good` and `bad` count the texts with a verdict."""
    labels = cases.select("label", case="row_id")
    per_case = (
        verdicts.with_columns(case=pl.col("parent_ids").list.first())
        .join(labels, on="case", how="left")
        .sort("sample_id")  # means of fractions hang on the order of rows
        .group_by("criterion", judge="model", case="case", label="label", maintain_order=True)
        .agg(score=pl.col("score").mean(), ids=pl.col("sample_id"))
        .collect()
    )
    rows = []
    for (criterion, judge), part in per_case.group_by("criterion", "judge", maintain_order=True):
        good, bad = (part.filter(pl.col("label") == label)["score"].drop_nulls() for label in ("good", "bad"))
        rows.append(
            {
                "parent_ids": sorted(part["ids"].explode().to_list()),
                "language": None,
                "criterion": criterion,
                "judge": judge,
                "good": good.len(),
                "bad": bad.len(),
                "mean_good": good.mean(),
                "mean_bad": bad.mean(),
                **_standing(good.to_list(), bad.to_list(), judge_min_auc),
            }
        )
    schema = {"parent_ids": pl.List(pl.String()), **{name: kind() for name, kind in judge_standing.columns.items()}}
    return pl.DataFrame(rows, schema=schema)


def _standing(good: list[float], bad: list[float], least: float) -> dict[str, object]:
    if min(len(good), len(bad)) < FEWEST:
        why = f"{len(good)} verdicts on good texts and {len(bad)} on bad ones, of {FEWEST} each at least"
        return {"auc": None, "standing": NOT_CALIBRATED, "why": why}
    found = auc(good, bad)
    why = f"rates a good text above a bad one {found:.0%} of the time; {least:.0%} are wanted"
    return {"auc": found, "standing": CALIBRATED if found >= least else NOT_CALIBRATED, "why": why}


@set_check(description="The mean score by each criterion is what the rubric wants, where its judge is calibrated.")
def scores_high_enough(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The scores of a calibrated judge whose mean is too low; what is not calibrated decides nothing."""
    counted = rows.filter((pl.col("standing") == CALIBRATED) & pl.col("score").is_not_null())
    return counted.filter(pl.col("score").mean().over("criterion", "judge") < pl.col("least"))


def scores_of(
    dataset: str,
    least: Mapping[str, float],
    rubric: str,
    scale: tuple[int, int] = SCORES,
    *,
    both_orders: bool = False,
) -> Derived:
    """The function that counts the verdicts on a dataset's rows, whose scores are on the scale.

    `least` is the least mean by criterion, `rubric` the digest of what says so. Where rows are shown in `both_orders`,
    the scores of those that are swapped are counted from the other end, and `by_place` says whether the same place won
    in both: such a score says nothing of the texts.
    """
    columns = _COLUMNS | ({"by_place": pl.Boolean} if both_orders else {})

    def scores(verdicts: pl.LazyFrame, rows: pl.LazyFrame, standings: pl.LazyFrame) -> pl.DataFrame:
        told = _in_both_orders(verdicts, scale) if both_orders else verdicts.with_columns(by_place=pl.lit(value=False))
        return _scores(told, rows, standings, least).select("parent_ids", *columns)

    scores.__name__ = f"{dataset}_scores"
    scores.__doc__ = f"One row for each row of {dataset} that was judged, criterion and judge."
    return derived(
        reads=(f"{dataset}_judged", dataset, STANDING),
        columns=columns,
        description=f"What judges give rows of {dataset}: the median of their verdicts, how far these agree, and "
        "whether the judge is calibrated.",
        cites={"judged_id": dataset},
        nullable=("score", "lowest", "highest", "agreement", "least", "same_model"),
        set_checks=(scores_high_enough,),
        packaged={"rubric": lambda: rubric},
        shows=lambda rows: scores_shown(rows, scale[1]),
    )(scores)


_COLUMNS = {
    "judged_id": pl.String,
    "criterion": pl.String,
    "judge": pl.String,
    "score": pl.Float64,
    "votes": pl.Int64,
    "verdicts": pl.Int64,
    "lowest": pl.Int64,
    "highest": pl.Int64,
    "agreement": pl.Float64,
    "standing": pl.String,
    "least": pl.Float64,
    "same_model": pl.Boolean,
}


def _in_both_orders(verdicts: pl.LazyFrame, scale: tuple[int, int]) -> pl.LazyFrame:
    """Verdicts with the scores of swapped rows counted from the other end, and whether what was shown first, or what
    was shown second, is preferred whatever it is.
    """
    row, shown = pl.col("parent_ids").list.first(), 2 * pl.col("score") - sum(scale)
    places = [shown.filter(pl.col("order") == order).median().over(row, "criterion", "model") for order in ORDERS]
    turned = pl.when(pl.col("order") == ORDERS[1]).then(sum(scale) - pl.col("score")).otherwise(pl.col("score"))
    return verdicts.with_columns(score=turned, by_place=(places[0] * places[1] > 0).fill_null(value=False))


_LEAST = {"criterion": pl.String, "least": pl.Float64}


def _scores(
    verdicts: pl.LazyFrame, rows: pl.LazyFrame, standings: pl.LazyFrame, least: Mapping[str, float]
) -> pl.DataFrame:
    """The median of the verdicts, null where there is none; `agreement` is the share of pairs of verdicts alike."""
    wrote = "model" if "model" in rows.collect_schema().names() else None
    models = rows.select(judged_id="sample_id", wrote=wrote if wrote else pl.lit(None, pl.String()))
    score = pl.col("score")
    pairs = (pl.col("verdicts") * (pl.col("verdicts") - 1)).cast(pl.Float64)
    counted = (
        verdicts.with_columns(judged_id=pl.col("parent_ids").list.first())
        .group_by("judged_id", "criterion", judge="model")
        .agg(
            parent_ids=pl.col("sample_id").sort(),
            votes=pl.len().cast(pl.Int64),
            verdicts=score.count().cast(pl.Int64),
            lowest=score.min(),
            highest=score.max(),
            same=score.drop_nulls().value_counts().struct.field("count").cast(pl.Int64),
            score=score.median(),
            by_place=pl.col("by_place").first(),
        )
        .with_columns(agreeing=(pl.col("same") * (pl.col("same") - 1)).list.sum())
        .with_columns(agreement=pl.when(pairs > 0).then(pl.col("agreeing") / pairs))
    )
    wanted = pl.LazyFrame({"criterion": list(least), "least": list(least.values())}, schema=_LEAST)
    known = standings.select("criterion", "judge", "standing")
    return (
        counted.join(known, on=("criterion", "judge"), how="left")
        .join(wanted, on="criterion", how="left")
        .join(models, on="judged_id", how="left")
        .with_columns(pl.col("standing").fill_null(NOT_CALIBRATED), same_model=pl.col("judge") == pl.col("wrote"))
        .collect()
    )
