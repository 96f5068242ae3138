"""What needs customers have, counted."""

import polars as pl

from persona_assets.surveys.shares import wilson
from persona_assets.tasks.derived import derived

_EXAMPLES = 3


@derived(
    reads=("customer_needs", "customer_interviews"),
    columns={
        "kind": pl.String,
        "customers": pl.Int64,
        "interviewed": pl.Int64,
        "share": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "importance": pl.Float64,
        "examples": pl.List(pl.String),
    },
    description="How many of the interviewed customers have a need of each kind, and how much it matters to them.",
    modules=("surveys.shares",),
)
def customer_need_counts(needs: pl.LazyFrame, interviews: pl.LazyFrame) -> pl.DataFrame:
    """One row a kind of need; `examples` are the most important ones of different customers."""
    interviewed = interviews.select(pl.len()).collect().item()
    counts = (
        needs.with_columns(interview=pl.col("parent_ids").list.first())
        .sort("importance", "sample_id", descending=[True, False])
        .group_by("kind")
        .agg(
            parent_ids=pl.col("sample_id").sort(),
            customers=pl.col("interview").n_unique().cast(pl.Int64),
            importance=pl.col("importance").mean(),
            examples=pl.col("need").unique(maintain_order=True).head(_EXAMPLES),
        )
        .sort("kind")
        .collect()
    )
    bounds = [wilson(count / interviewed, interviewed) for count in counts["customers"]]
    return counts.with_columns(
        interviewed=pl.lit(interviewed, pl.Int64()),
        share=pl.col("customers") / interviewed if interviewed else pl.lit(None, pl.Float64()),
        low=pl.Series([low for low, _ in bounds], dtype=pl.Float64()),
        high=pl.Series([high for _, high in bounds], dtype=pl.Float64()),
    )
