"""What a model starts from: random weights, a folder, a name in the local cache, or a model that a package carries."""

from pathlib import Path

import polars as pl

from persona_assets.engines.weights import LAKE, MODELS, folder_digest
from persona_assets.errors import UsageError
from persona_assets.ids import Json
from persona_assets.lake import Lake
from persona_assets.training.found import PREFIX, find_base, prepared
from persona_assets.training.job import Base, Scratch
from persona_assets.training.pieces import Pieces, trained_tokenizer
from persona_assets.training.recipe import FromScratch


def base_of(base: FromScratch | str, lake: Lake) -> Scratch | Base:
    """The base as a job names it; GGUF is converted into the lake's folder of models, once.

    Raises:
        TrainingFailed: there is no such base, or it holds no model.
        UsageError: it is to be converted, and the lake is not a folder of this machine.
    """
    if isinstance(base, FromScratch):
        return base.scratch
    found = find_base(base)
    if found.gguf and not lake.is_local:
        raise UsageError(f"base {base}: it is converted into the lake, which is to be a folder of this machine")
    return prepared(found, Path(lake.root) / MODELS)


def base_name(base: FromScratch | str, lake: Lake) -> str:
    """What engines know a base by that was not made by the training itself; "" of one from scratch."""
    made = base_of(base, lake)
    if isinstance(made, Scratch):
        return ""
    return f"{LAKE}{made.folder.parent.name}" if str(base).startswith(PREFIX) else str(made.folder)


def base_revision(base: FromScratch | str, lake: Lake) -> Json:
    """What tells this base from others: its sizes, or the digest of its weights."""
    made = base_of(base, lake)
    return made.model_dump(mode="json") if isinstance(made, Scratch) else folder_digest(made.folder)


def tokens_of(base: FromScratch | str, texts: pl.Series, lake: Lake) -> Pieces:
    """What counts the tokens of a base; one from scratch has pieces of these texts."""
    made = base_of(base, lake)
    if isinstance(made, Scratch):
        return Pieces(trained_tokenizer(texts, made.vocabulary), made.length)
    return Pieces.of_folder(made.folder)
