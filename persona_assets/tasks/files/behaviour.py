"""Pairs of answers from opposite poles that are worth training on."""

import polars as pl

from persona_assets.contrast.reasons import alike_reasons, pair_reasons
from persona_assets.tasks.derived import derived
from persona_assets.view import blocks as view

_KEPT = ("seed_id", "dimension_set", "dimension", "one_pole", "other_pole", "instruction", "one", "other")


def behaviour_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at in a partition: its pairs by language and dimension."""
    counts = rows.group_by("language", "dimension").len().sort("language", "dimension")
    drawn: list[tuple[view.Line, str, float]] = [
        ((view.Code(language), " ", view.Code(dimension)), f"{pairs:,}", pairs)
        for language, dimension, pairs in counts.iter_rows()
    ]
    return [view.bars(drawn, "pairs")]


@derived(
    reads=("pole_pairs", "instruction_seeds"),
    columns=dict.fromkeys(_KEPT, pl.String),
    description="Pairs of opposite poles in which the manner differs and the facts do not (Machine Mindset).",
    cites={"seed_id": "instruction_seeds"},
    shows=behaviour_shown,
    modules=(
        *("contrast.reasons", "contrast.words", "contrast.figures", "contrast.meaning", "maths.numbers", "maths.words"),
        "rules.patterns",
        *("text.bert", "text.encoder", "text.fast_encoder", "text.near", "text.tokens", "text.universal"),
    ),
)
def behaviour(pairs: pl.LazyFrame, _seeds: pl.LazyFrame) -> pl.DataFrame:
    """One row for each pair that stands; others are set aside: `empty`, `identical`, `names_type`, `code_differs`,
    `numbers_differ` or `too_alike`, as `persona_assets.contrast.reasons` tells them.
    """
    rows = pairs.select("sample_id", "language", *_KEPT).sort("sample_id").collect()
    rows = rows.hstack(pair_reasons(rows))
    standing = rows.filter(pl.col("reason").is_null())
    alike = standing.select("sample_id").hstack(alike_reasons(standing))
    rows = rows.join(alike, on="sample_id", how="left", maintain_order="left", suffix="_alike")
    return rows.select(
        *_KEPT,
        *(pl.coalesce(name, f"{name}_alike").alias(name) for name in ("reason", "detail")),
        parent_ids=pl.concat_list("sample_id"),
    )
