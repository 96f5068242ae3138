"""What a model starts from: random weights, a folder, a name in the local cache, or a model that a package carries."""

import polars as pl

from persona_assets.errors import UsageError
from persona_assets.ids import Json
from persona_assets.lake import Lake
from persona_assets.training.job import Base, Scratch
from persona_assets.training.pieces import Pieces, trained_tokenizer
from persona_assets.training.recipe import FromScratch


def base_of(base: FromScratch | str, lake: Lake) -> Scratch | Base:
    """The base as a job names it."""
    if isinstance(base, FromScratch):
        return base.scratch
    raise UsageError("not yet")


def base_revision(base: FromScratch | str, lake: Lake) -> Json:
    """What tells this base from others: its sizes, or the digest of its weights."""
    if isinstance(base, FromScratch):
        return base.scratch.model_dump(mode="json")
    raise UsageError("not yet")


def tokens_of(base: FromScratch | str, texts: pl.Series) -> Pieces:
    """What counts the tokens of a base; one from scratch has pieces of these texts."""
    if isinstance(base, FromScratch):
        return Pieces(trained_tokenizer(texts, base.scratch.vocabulary), base.scratch.length)
    raise UsageError("not yet")
