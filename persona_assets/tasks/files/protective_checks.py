"""How many protective scenes a character has at most."""

import polars as pl

from persona_assets.tasks.derived import set_check

MOST = 100  # from which on they would teach a character little but not to know (Character-LLM: fewer are enough)


@set_check(description=f"No character has {MOST} protective scenes or more.")
def under_a_hundred(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of characters that have too many."""
    return rows.filter(pl.len().over(pl.col("parent_ids").list.first()) >= MOST)
