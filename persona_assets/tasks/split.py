"""The side of a data set that a row is on, `train` or `held_out`: all that comes from one page is on one side.

Personas of one page, those that were found from them, and what was asked of these, are alike: a model that trained on
some of them has seen the others. So the side follows from the page's id alone, and is the same in every data set.
"""

import polars as pl

from persona_assets.ids import digest

HELD_OUT, TRAIN = "held_out", "train"
_MOST = 16**32  # digests that there are


def split_of(document_ids: pl.Series, share: float) -> pl.Series:
    """The side of each row, by the id of its page; about `share` of the pages are held out.

    With a larger share, what was held out stays so. A row that comes from no page is for training.
    """
    ids = document_ids.unique().drop_nulls()
    held = ids.filter(pl.Series([_draw(one) < share for one in ids], dtype=pl.Boolean))
    is_held = document_ids.is_in(held.implode()).fill_null(value=False)
    return is_held.replace_strict({True: HELD_OUT, False: TRAIN}, return_dtype=pl.String).alias("split")


def _draw(document_id: str) -> float:
    """A number from 0 to 1 that follows from an id."""
    return int(digest(f"split/{document_id}".encode()), 16) / _MOST
