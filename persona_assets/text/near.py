"""Copies and near-copies among texts: by their form, and by their words for sets of short texts that fit memory.

`dedup` is for those that do not.

Two sets of words of a Jaccard similarity of at least s share one of the rarest few words of each, namely of the
n - ceil(s n) + 1 rarest of n (prefix filter). So only texts that share such a word are compared, and no pair is lost.
"""

import polars as pl

from persona_assets.text.tokens import token_sets

PAIRS = {"row": pl.Int64, "other": pl.Int64, "similarity": pl.Float64}
_SLACK = 1e-9  # of products of floats that stand for whole numbers


def form(text: pl.Expr) -> pl.Expr:
    """A text by which two are the same: without regard to case, width of letters and spaces; "" where it is null."""
    return text.fill_null("").str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def near_pairs(texts: pl.Series, least: float) -> pl.DataFrame:
    """Pairs of texts whose sets of words have a Jaccard similarity of at least `least` (above 0, at most 1).

    `texts` are strings of shape (n,), null counts as empty. The frame has `row`, `other` (places in `texts`, `other`
    before `row`) and `similarity`, in the order of both places. Texts without a word are near nothing.
    """
    sets = pl.DataFrame({"words": token_sets(texts)}).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    sets = sets.with_columns(size=pl.col("words").list.len().cast(pl.Int64)).filter(pl.col("size") > 0)
    rest = pl.col("size") - (least * pl.col("size") - _SLACK).ceil().cast(pl.Int64) + 1
    rare = (
        sets.select("row", rest=rest, word="words")
        .explode("word")
        .with_columns(times=pl.len().over("word"))
        .sort("row", "times", "word")
        .filter(pl.int_range(pl.len()).over("row") < pl.col("rest"))
        .select("row", "word")
    )
    candidates = (
        rare.join(rare, on="word", suffix="_other")
        .filter(pl.col("row_other") < pl.col("row"))
        .select("row", other="row_other")
        .unique()
    )
    shared = pl.col("words").list.set_intersection("words_other").list.len().cast(pl.Int64)
    return (
        candidates.join(sets, on="row")
        .join(sets, left_on="other", right_on="row", suffix="_other")
        .with_columns(similarity=shared / (pl.col("size") + pl.col("size_other") - shared))
        .filter(pl.col("similarity") >= least - _SLACK)
        .select(*PAIRS)
        .sort("row", "other")
    )


def nearest_kept(texts: pl.Series, least: float) -> pl.DataFrame:
    """For each text that is near an earlier one that stays: that one, the nearest first, of two as near the earlier.

    Columns and arguments are those of `near_pairs`; a text that is not there stays.
    """
    gone: set[int] = set()
    found: list[tuple[int, int, float]] = []
    pairs = near_pairs(texts, least).sort("row", "similarity", "other", descending=[False, True, False])
    for row, other, similarity in pairs.iter_rows():
        if row not in gone and other not in gone:
            gone.add(row)
            found.append((row, other, similarity))
    return pl.DataFrame(found, schema=PAIRS, orient="row")
