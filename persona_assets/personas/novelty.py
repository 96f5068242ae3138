"""Whether one more hop adds anything: how many of its personas say what none before them said."""

import polars as pl

from persona_assets.text.tokens import token_lists

HALF = 0.5  # of a persona's pairs of neighbouring words that stand in no persona before it, so that it is new


class Novelty:
    """The pairs of neighbouring words of all personas so far; Chinese characters count as words."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._seen = pl.Series("pair", dtype=pl.UInt64)

    def add(self, personas: pl.DataFrame) -> float | None:
        """The share of these personas (`persona_id`, `text`) that are new, 0 to 1; None where there are none.

        They are compared with those that were added before, and with those of lower ids. A persona of one word is new
        where the word is.
        """
        rows = personas.select("persona_id", "text").sort("persona_id")
        if not rows.height:
            return None
        words = pl.DataFrame({"words": token_lists(rows["text"])}).with_row_index("at").explode("words")
        following = pl.col("words").shift(-1).over("at")
        is_last = (pl.int_range(pl.len()).over("at") == pl.len().over("at") - 1) & (pl.len().over("at") > 1)
        pairs = words.select("at", is_last=is_last, pair=pl.concat_str("words", following.fill_null(""), separator=" "))
        pairs = pairs.filter(~pl.col("is_last")).select("at", pl.col("pair").hash(seed=0)).unique(maintain_order=True)
        is_first = pl.col("pair").is_first_distinct() & ~pl.col("pair").is_in(self._seen.implode())
        new = pairs.with_columns(new=is_first).group_by("at").agg(share=pl.col("new").mean())
        self._seen = pl.concat([self._seen, pairs["pair"]]).unique()
        return int((new["share"] >= HALF).sum()) / rows.height
