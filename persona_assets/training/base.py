"""What a model starts from."""

import polars as pl

from persona_assets.errors import UsageError
from persona_assets.training.pieces import Pieces, trained_tokenizer
from persona_assets.training.recipe import FromScratch


def tokens_of(base: FromScratch | str, texts: pl.Series) -> Pieces:
    """What counts the tokens of a base; one from scratch has pieces of these texts."""
    if isinstance(base, FromScratch):
        return Pieces(trained_tokenizer(texts, base.scratch.vocabulary), base.scratch.length)
    raise UsageError("not yet")
