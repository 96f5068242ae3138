"""Of the problems that one persona got on several topics, those that differ."""

import polars as pl

from persona_assets.tasks.derived import derived
from persona_assets.text.grams import Grams, jaccard, word_grams

TOO_SIMILAR = "too_similar"
_KEPT = ("topic", "field", "level", "problem", "working", "answer")


@derived(
    reads="topic_problems",
    columns={**dict.fromkeys(_KEPT, pl.String), "similarity": pl.Float64},
    description="Problems of one persona that differ from its earlier ones; others are set aside as too similar.",
    nullable=("field", "level", "working", "answer"),
    settings=("max_problem_similarity",),
    modules=("text.grams", "text.tokens"),
)
def distinct_topic_problems(problems: pl.LazyFrame, max_problem_similarity: float) -> pl.DataFrame:
    """One row a problem, with its similarity to the nearest earlier one of its persona that was kept.

    The order is that of topics by name, then of ids.
    """
    whose = pl.col("persona_ids").list.first()
    rows = problems.select("sample_id", *_KEPT, persona=whose).sort("persona", "topic", "sample_id").collect()
    nearest = [
        found
        for part in rows.partition_by("persona", maintain_order=True)
        for found in _nearest(part, max_problem_similarity)
    ]
    similarity = pl.Series([one for one, _ in nearest], dtype=pl.Float64)
    other = pl.Series([one for _, one in nearest], dtype=pl.String)
    is_similar = similarity > max_problem_similarity
    return rows.select(
        *_KEPT,
        parent_ids=pl.concat_list("sample_id"),
        similarity=similarity,
        reason=pl.when(is_similar).then(pl.lit(TOO_SIMILAR)),
        detail=pl.when(is_similar).then(pl.format("{} to {}", similarity.round(2), other)),
    )


def _nearest(part: pl.DataFrame, most: float) -> list[tuple[float, str]]:
    """For each problem of a persona its similarity to the nearest kept one before it, and that one's id."""
    kept: list[tuple[Grams, str]] = []
    found = []
    for name, grams in zip(part["sample_id"], word_grams(part["problem"]), strict=True):
        best = max(((jaccard(grams, other), whose) for other, whose in kept), default=(0.0, ""))
        if best[0] <= most:
            kept.append((grams, name))
        found.append(best)
    return found
