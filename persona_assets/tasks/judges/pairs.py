"""Two rows that came from the same row, compared in both orders: which is better, and what only its place decided."""

from collections.abc import Callable

import polars as pl

from persona_assets.tasks.derived import Derived, derived
from persona_assets.tasks.judges.scores import NOT_CALIBRATED, ORDERS, STANDING
from persona_assets.tasks.judges.shown import BY_PLACE, preferences_shown

LABELS = ("mode", "system", "method")  # columns that tell two rows of one row apart, the first that is there
FIRST, SECOND, TIE, NOBODY = "first", "second", "tie", "no verdict"
Function = Callable[..., pl.DataFrame]


def pairs_of(dataset: str) -> Derived:
    """The function that puts rows of a dataset in pairs: of each row they came from, the two whose ids come first."""

    def pairs(rows: pl.LazyFrame) -> pl.DataFrame:
        known = rows.collect_schema().names()
        came_from = "parent_ids" if "parent_ids" in known else "persona_ids"
        label = next((pl.col(name).cast(pl.String) for name in LABELS if name in known), pl.lit(None, pl.String()))
        alike = (
            rows.select("sample_id", "language", label=label, of=pl.col(came_from).list.join(","))
            .sort("sample_id")
            .group_by("of", "language", maintain_order=True)
            .agg("sample_id", "label")
            .collect()
        )
        ids, labels = pl.col("sample_id").list, pl.col("label").list
        paired = alike.filter(ids.len() > 1).select(
            parent_ids=ids.head(2),
            first_id=ids.get(0),
            second_id=ids.get(1),
            first_label=labels.get(0),
            second_label=labels.get(1),
        )
        return pl.concat([paired, *_aside(alike)], how="diagonal")

    pairs.__doc__ = f"One row for each two rows of {dataset} that are compared."
    return _named(
        pairs,
        f"{dataset}_pairs",
        reads=(dataset,),
        columns=dict.fromkeys(("first_id", "second_id", "first_label", "second_label"), pl.String),
        description=f"Rows of {dataset} that came from the same row, two by two.",
        cites={"first_id": dataset, "second_id": dataset},
        nullable=("first_label", "second_label"),
    )


def _aside(alike: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows that are in no pair."""
    ids = pl.col("sample_id")
    alone = alike.filter(ids.list.len() == 1).select(parent_ids="sample_id", reason=pl.lit("alone"))
    more = alike.filter(ids.list.len() > 2).select(parent_ids=ids.list.slice(2), reason=pl.lit("not_selected"))
    said = pl.lit("others that came from the same row are compared")
    return [alone, more.with_columns(detail=said)]


def preferences_of(dataset: str) -> Derived:
    """The function that says which row of each pair is preferred."""

    def preferences(verdicts: pl.LazyFrame, pairs: pl.LazyFrame, standings: pl.LazyFrame) -> pl.DataFrame:
        first_shown = pl.when(pl.col("order") == ORDERS[0]).then(pl.lit(FIRST)).otherwise(pl.lit(SECOND))
        other_shown = pl.when(pl.col("order") == ORDERS[0]).then(pl.lit(SECOND)).otherwise(pl.lit(FIRST))
        said = (
            pl.when(pl.col("better") == "A")
            .then(first_shown)
            .when(pl.col("better") == "B")
            .then(other_shown)
            .otherwise(pl.col("better"))
        )
        counted = (
            verdicts.with_columns(pair=pl.col("parent_ids").list.first(), said=said)
            .group_by("pair", "criterion", judge="model")
            .agg(
                parent_ids=pl.col("sample_id").sort(),
                verdicts=pl.col("better").count().cast(pl.Int64),
                first_wins=(pl.col("said") == FIRST).sum().cast(pl.Int64),
                second_wins=(pl.col("said") == SECOND).sum().cast(pl.Int64),
                shown_first_wins=(pl.col("better") == "A").sum().cast(pl.Int64),
            )
            .with_columns(outcome=_outcome())
        )
        chosen = pl.when(pl.col("outcome") == FIRST).then("first_id").when(pl.col("outcome") == SECOND)
        columns = ("first_id", "second_id", "first_label", "second_label")
        return (
            counted.join(pairs.select(*columns, pair="sample_id"), on="pair", how="left")
            .join(standings.select("criterion", "judge", "standing"), on=("criterion", "judge"), how="left")
            .with_columns(pl.col("standing").fill_null(NOT_CALIBRATED), preferred_id=chosen.then("second_id"))
            .select("parent_ids", *_PREFERENCES)
            .collect()
        )

    preferences.__doc__ = f"One row for each pair of {dataset}, criterion and judge."
    return _named(
        preferences,
        f"{dataset}_preferences",
        reads=(f"{dataset}_compared", f"{dataset}_pairs", STANDING),
        columns=_PREFERENCES,
        description=f"Which of two rows of {dataset} judges prefer in both orders, and where only the place decided.",
        nullable=("first_label", "second_label", "preferred_id"),
        shows=preferences_shown,
    )


_PREFERENCES = {
    "first_id": pl.String,
    "second_id": pl.String,
    "first_label": pl.String,
    "second_label": pl.String,
    "criterion": pl.String,
    "judge": pl.String,
    "verdicts": pl.Int64,
    "first_wins": pl.Int64,
    "second_wins": pl.Int64,
    "shown_first_wins": pl.Int64,
    "outcome": pl.String,
    "preferred_id": pl.String,
    "standing": pl.String,
}


def _outcome() -> pl.Expr:
    """Who wins: by its place where what was shown first, or what was shown second, won in both orders."""
    first, second, verdicts = pl.col("first_wins"), pl.col("second_wins"), pl.col("verdicts")
    decided, shown_first = first + second, pl.col("shown_first_wins")
    one_place = (decided == verdicts) & (first == second) & ((shown_first == verdicts) | (shown_first == 0))
    return (
        pl.when(verdicts == 0)
        .then(pl.lit(NOBODY))
        .when((verdicts > 1) & one_place)
        .then(pl.lit(BY_PLACE))
        .when(2 * first > verdicts)
        .then(pl.lit(FIRST))
        .when(2 * second > verdicts)
        .then(pl.lit(SECOND))
        .otherwise(pl.lit(TIE))
    )


def _named(function: Function, name: str, **told: object) -> Derived:
    function.__name__ = name
    return derived(**told)(function)  # type: ignore[arg-type]
