"""The meaning of answers: vectors of both sides of pairs, and how alike these are."""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.lake import Lake
from persona_assets.lake.vectors import VectorCache
from persona_assets.text.encoder import Vectors, encoder_of, load_encoder

SIDES = ("one", "other")


def pair_vectors(
    pairs: pl.DataFrame, encoder: str = "", progress: Callable[[int], None] | None = None
) -> tuple[Vectors, Vectors]:
    """Unit vectors of the answers `one` and `other` of pairs in one language, two arrays (pairs, dimension), float32.

    `encoder` is a name or folder. `progress` is given the number of texts done since its last call.

    Raises:
        PersonaAssetsError: the encoder cannot be loaded.
    """
    model = load_encoder(encoder)
    one, other = (model.encode(pairs[side].fill_null("").to_list(), progress) for side in SIDES)
    return one, other


def kept_vectors(
    lake: Lake, pairs: pl.DataFrame, encoder: str = "", max_unknown: float = 1.0
) -> Iterator[tuple[NDArray[np.int64], Vectors, Vectors]]:
    """By language the places of pairs of which both answers can be read, and the unit vectors of their answers.

    As `pair_vectors`, but vectors are kept in the lake, and read from there the next time. `pairs` has the columns `id`
    (of the pair; a pair that says something else has another), `shard`, `language`, `one` and `other`. An answer of
    whose tokens the encoder does not know a share above `max_unknown` cannot be read.

    Raises:
        PersonaAssetsError: an encoder cannot be loaded.
    """
    for (language,), part in pairs.with_row_index("_place").group_by("language", maintain_order=True):
        cache = VectorCache(lake, load_encoder(encoder_of(str(language), encoder)), max_unknown)
        known, vectors = [], []
        for side in SIDES:
            texts = part.select(
                persona_id=pl.format(f"{{}}:{side}", "id"), shard=pl.format("pairs-{}", "shard"), text=pl.col(side)
            )
            there, found = cache.vectors(texts)
            whole = np.zeros((part.height, cache.encoder.dimension), np.float32)
            if there.any():
                whole[there] = found
            known.append(there)
            vectors.append(whole)
        both = known[0] & known[1]
        if both.any():
            yield part["_place"].to_numpy()[both].astype(np.int64), vectors[0][both], vectors[1][both]
