"""Preference data: of two answers to one instruction the one in the manner of a pole, and the one of its opposite."""

import polars as pl

from persona_assets.tasks.derived import derived, set_check
from persona_assets.tasks.poles import POLES, types_in
from persona_assets.view import blocks as view

MOST_TIMES = 3.0  # as long as the other: of answers further apart a model learns length and little else
MOST_BIAS = 1.5  # the geometric mean of a pole's lengths over those of its opposite, and its inverse
LEAST_ROWS = 20  # from which such a mean says something


@set_check(description=f"No pole's answers are on average over {MOST_BIAS} times as long as those of its opposite.")
def no_length_bias(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of poles whose mean length is out of bounds, by language."""
    group = ("language", "chosen_pole")
    bias = pl.col("length_ratio").log().mean().over(group).abs()
    return rows.filter(bias > pl.lit(MOST_BIAS).log(), pl.len().over(group) >= LEAST_ROWS)


def preferences_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at in a partition: by language and pole, rows, those that types take, and lengths."""
    counted = (
        rows.group_by("language", "chosen_pole", "rejected_pole")
        .agg(
            rows=pl.len(), taken=(pl.col("types").list.len() > 0).sum(), times=pl.col("length_ratio").log().mean().exp()
        )
        .sort("language", "chosen_pole")
    )
    heads = [*view.whole("language", "pole", "over"), *view.right("rows", "of types", "times as long"), *view.whole("")]
    drawn: list[list[view.Cell]] = [
        [
            *(view.Code(row[name]) for name in ("language", "chosen_pole", "rejected_pole")),
            *(f"{row[name]:,}" for name in ("rows", "taken")),
            f"{row['times']:.2f}",
            view.bar(MOST_BIAS, (view.PLAIN, min(row["times"], MOST_BIAS))),
        ]
        for row in counted.iter_rows(named=True)
    ]
    return [view.Table(heads, drawn)]


@derived(
    reads=("behaviour", POLES),
    columns={
        "dimension_set": pl.String,
        "dimension": pl.String,
        "chosen_pole": pl.String,
        "rejected_pole": pl.String,
        "prompt": pl.String,
        "chosen": pl.String,
        "rejected": pl.String,
        "length_ratio": pl.Float64,
        "types": pl.List(pl.String),
    },
    description="For each pole its answer, chosen, over that of its opposite, rejected, and which types take the row "
    "(Machine Mindset).",
    set_checks=(no_length_bias,),
    modules=("tasks.poles",),
    shows=preferences_shown,
)
def preference_poles(pairs: pl.LazyFrame, poles: pl.LazyFrame) -> pl.DataFrame:
    """Two rows for each pair, one in each direction; a pair whose lengths are too far apart is `lengths_differ`.

    `length_ratio` is the length of the chosen answer over that of the other, in characters. A type is a pole of each
    dimension of its set, and takes as many rows of each: as many pairs, by language, as the dimension with the fewest
    has, those whose instructions come first by digest. `types` is empty where no type takes the row.
    """
    rows = pairs.select(
        *("sample_id", "seed_id", "language", "dimension_set", "dimension", "one_pole", "other_pole"),
        *("instruction", "one", "other"),
        times=pl.col("one").str.len_chars() / pl.col("other").str.len_chars(),
    ).collect()
    fits = pl.max_horizontal("times", 1 / pl.col("times")) <= MOST_TIMES
    aside = rows.filter(~fits).select(
        parent_ids=pl.concat_list("sample_id"),
        reason=pl.lit("lengths_differ"),
        detail=pl.format("{} times as long", pl.col("times").round(2)),
    )
    standing = _with_balance(rows.filter(fits), poles.collect())
    types = _types_of(poles.collect())
    both = [
        standing.select(
            parent_ids=pl.concat_list("sample_id"),
            dimension_set="dimension_set",
            dimension="dimension",
            chosen_pole=f"{chosen}_pole",
            rejected_pole=f"{rejected}_pole",
            prompt="instruction",
            chosen=chosen,
            rejected=rejected,
            length_ratio=pl.col("times") if chosen == "one" else 1 / pl.col("times"),
            types=pl.Series(
                [
                    types.get(pole, []) if taken else []
                    for pole, taken in standing.select(f"{chosen}_pole", "taken").iter_rows()
                ],
                dtype=pl.List(pl.String),
            ),
        )
        for chosen, rejected in (("one", "other"), ("other", "one"))
    ]
    return pl.concat([*both, aside], how="diagonal")


def _types_of(poles: pl.DataFrame) -> dict[str, list[str]]:
    """By pole the types that have it."""
    of = types_in(poles).explode("poles").group_by("poles", maintain_order=True).agg("type")
    return dict(of.iter_rows())


def _with_balance(rows: pl.DataFrame, poles: pl.DataFrame) -> pl.DataFrame:
    """Pairs, with `taken`: whether they are among the first of their dimension, as many as the smallest one has."""
    dimensions = poles.group_by(dimension_set="set").agg(wanted=pl.col("dimension").n_unique())
    group = ("language", "dimension_set")
    counted = (
        rows.group_by(*group, "dimension")
        .len()
        .group_by(group)
        .agg(least=pl.col("len").min(), there=pl.len())
        .join(dimensions, on="dimension_set")
        .with_columns(least=pl.when(pl.col("there") == pl.col("wanted")).then("least").otherwise(0))
    )
    order = pl.col("seed_id").rank("ordinal").over(*group, "dimension")
    return rows.join(counted.select(*group, "least"), on=group, how="left", maintain_order="left").with_columns(
        taken=order <= pl.col("least")
    )
