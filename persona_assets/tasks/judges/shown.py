"""What the UI shows of what judges said: means, agreement, and how often only the place decided."""

import polars as pl

from persona_assets.view import blocks as view
from persona_assets.view.numbers import percent

BY_PLACE = "by its place"


def scores_shown(rows: pl.DataFrame, highest: int = 5) -> list[view.Block]:
    """By criterion and judge the mean score, the share of verdicts that agree, and whether the judge is calibrated.

    `highest` is the highest score that there is. Of rows that were shown in both orders also the share in which only
    the place decided.
    """
    by_place = ["by_place"] if "by_place" in rows.columns else []
    figures = ("rows", "mean", "agreement", *("by place only" for _ in by_place))
    heads = [*view.whole("criterion", "judge", "standing"), *view.right(*figures), *view.whole("")]
    told = (
        rows.group_by("criterion", "judge", "standing")
        .agg(pl.len(), pl.col("score").mean(), pl.col("agreement").mean(), *(pl.col(name).sum() for name in by_place))
        .sort("criterion", "judge")
    )
    drawn = []
    for criterion, judge, standing, count, mean, agreement, *placed in told.iter_rows():
        names: list[view.Cell] = [view.Code(criterion), view.Code(judge), standing]
        shown = [f"{count:,}", _figure(mean), _figure(agreement), *(percent(one, count) for one in placed)]
        drawn.append([*names, *shown, view.bar(1, (view.PLAIN, (mean or 0.0) / highest))])
    return [view.Table(heads, drawn)]


def preferences_shown(rows: pl.DataFrame) -> list[view.Block]:
    """By criterion and judge what became of the pairs, and the position bias.

    The bias is the share of verdicts for the row that is shown first: without one it is a half.
    """
    heads = [
        *view.whole("criterion", "judge", "standing"),
        *view.right("pairs", "decided", "tie or none", "by place only", "first shown"),
    ]
    told = (
        rows.group_by("criterion", "judge", "standing")
        .agg(
            pairs=pl.len(),
            decided=pl.col("preferred_id").count(),
            by_place=(pl.col("outcome") == BY_PLACE).sum(),
            shown_first=pl.col("shown_first_wins").sum(),
            said=(pl.col("first_wins") + pl.col("second_wins")).sum(),
        )
        .sort("criterion", "judge")
    )
    drawn = []
    for row in told.iter_rows(named=True):
        names: list[view.Cell] = [view.Code(row["criterion"]), view.Code(row["judge"]), row["standing"]]
        pairs, neither = row["pairs"], row["pairs"] - row["decided"] - row["by_place"]
        shares = [percent(count, pairs) for count in (row["decided"], neither, row["by_place"])]
        drawn.append([*names, f"{pairs:,}", *shares, percent(row["shown_first"], row["said"]) if row["said"] else ""])
    said = "First shown: share of the verdicts for the row that was shown first; a half where place decides nothing."
    return [view.Table(heads, drawn), view.Lines([said])]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
