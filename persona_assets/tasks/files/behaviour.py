"""Pairs of answers from opposite poles that are worth training on."""

import numpy as np
import polars as pl

from persona_assets.contrast.meaning import kept_vectors
from persona_assets.contrast.reasons import alike_reasons, pair_reasons
from persona_assets.lake import Lake
from persona_assets.tasks.derived import derived
from persona_assets.tasks.judges.scores import CALIBRATED, MIDDLE
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
    also=("pole_pairs_scores",),
    columns=dict.fromkeys(_KEPT, pl.String),
    description="Pairs of opposite poles in which the manner differs and the facts do not (Machine Mindset).",
    cites={"seed_id": "instruction_seeds"},
    settings=("pair_ceiling", "encoder", "max_unknown_share"),
    given=("lake",),
    shows=behaviour_shown,
    modules=(
        *("contrast.reasons", "contrast.words", "contrast.figures", "contrast.meaning", "maths.numbers", "maths.words"),
        *("rules.patterns", "lake.vectors"),
        *("text.bert", "text.encoder", "text.fast_encoder", "text.near", "text.tokens", "text.universal"),
    ),
)
def behaviour(
    pairs: pl.LazyFrame,
    _seeds: pl.LazyFrame,
    verdicts: pl.LazyFrame | None = None,
    *,
    pair_ceiling: float,
    encoder: str,
    max_unknown_share: float,
    lake: Lake,
) -> pl.DataFrame:
    """One row for each pair that stands; others are set aside: `empty`, `identical`, `names_type`, `code_differs`,
    `numbers_differ` or `too_alike`, as `persona_assets.contrast.reasons` tells them, or `not_told_apart`.

    `verdicts` are what judges give pairs, where they are asked; one that is not calibrated decides nothing.
    """
    rows = pairs.select("sample_id", "shard", "language", *_KEPT).sort("sample_id").collect()
    by_text = rows.select("sample_id").hstack(pair_reasons(rows))
    standing = rows.filter(by_text["reason"].is_null())
    cosines = np.full(standing.height, np.nan)
    for places, one, other in kept_vectors(lake, standing.rename({"sample_id": "id"}), encoder, max_unknown_share):
        cosines[places] = np.einsum("nd,nd->n", one, other)
    by_meaning = standing.select("sample_id").hstack(alike_reasons(pl.Series(cosines).fill_nan(None), pair_ceiling))
    by_judges = [] if verdicts is None else [_not_told_apart(verdicts)]
    reasons = (
        pl.concat([by_text, by_meaning, *by_judges])
        .drop_nulls("reason")
        .unique("sample_id", keep="first", maintain_order=True)
    )
    return rows.join(reasons, on="sample_id", how="left", maintain_order="left").select(
        *_KEPT, "reason", "detail", parent_ids=pl.concat_list("sample_id")
    )


def _not_told_apart(verdicts: pl.LazyFrame) -> pl.DataFrame:
    """The pairs of which a calibrated judge takes one answer for the other, cannot tell, or goes by their place."""
    score, by_place = pl.col("score"), pl.col("by_place")
    is_wrong = (score <= MIDDLE) | by_place
    said = pl.when(by_place).then(pl.lit("goes by the place")).otherwise(pl.format("gives {} of 5", score))
    return (
        verdicts.filter(pl.col("standing") == CALIBRATED, score.is_not_null(), is_wrong)
        .sort("criterion", "judge")
        .select("judged_id", detail=pl.format("the judge {} {}", "judge", said))
        .group_by("judged_id", maintain_order=True)
        .first()
        .select(sample_id="judged_id", reason=pl.lit("not_told_apart"), detail="detail")
        .collect()
    )
