"""The meaning of answers: vectors of both sides of pairs, and how alike these are."""

from collections.abc import Callable

import numpy as np
import polars as pl

from persona_assets.text.encoder import MULTILINGUAL, Vectors, load_encoder


def pair_vectors(
    pairs: pl.DataFrame, encoder: str = "", progress: Callable[[int], None] | None = None
) -> tuple[Vectors, Vectors]:
    """Unit vectors of the answers `one` and `other` of pairs in one language, two arrays (pairs, dimension), float32.

    `encoder` is a name or folder. `progress` is given the number of texts done since its last call.

    Raises:
        PersonaAssetsError: the encoder cannot be loaded.
    """
    model = load_encoder(encoder)
    one, other = (model.encode(pairs[side].fill_null("").to_list(), progress) for side in ("one", "other"))
    return one, other


def encoder_of(language: str, encoder: str = "") -> str:
    """The encoder that reads a language: the one asked for, else a packaged one, learned on English or on many."""
    return encoder or ("" if language == "en" else MULTILINGUAL)


def similarities(pairs: pl.DataFrame, encoder: str = "", progress: Callable[[int], None] | None = None) -> pl.Series:
    """The cosine of the two answers of each pair, float32, in the order of the rows; each language by its encoder.

    `pairs` has the columns of `pair_reasons`.

    Raises:
        PersonaAssetsError: an encoder cannot be loaded.
    """
    found = np.zeros(pairs.height, np.float32)
    for (language,), part in pairs.with_row_index("place").group_by("language", maintain_order=True):
        one, other = pair_vectors(part, encoder_of(str(language), encoder), progress)
        found[part["place"].to_numpy()] = np.einsum("nd,nd->n", one, other)
    return pl.Series("similarity", found)
