"""Which statements of a profile matter to a text: those that mean most nearly the same, and were known by then."""

import numpy as np
import polars as pl

from persona_assets.characters.dates import is_known_by
from persona_assets.lake import Lake
from persona_assets.lake.vectors import VectorCache
from persona_assets.text.encoder import encoder_of, load_encoder

MOST = 8  # statements that are shown with a text
EVIDENCE = {"id": pl.String(), "statement_ids": pl.List(pl.String()), "statements": pl.List(pl.String())}
_ROUND = 4  # digits of a cosine; what differs below is a tie, and ties go by the place in the profile
_ROWS = 4096  # texts compared at once


def evidence_for(
    texts: pl.DataFrame, statements: pl.DataFrame, lake: Lake, encoder: str, most: int = MOST
) -> pl.DataFrame:
    """For each text, by `id`, the statements of its character that matter to it, the nearest first.

    `texts` has `id` (unique; another text has another), `shard`, `language`, `character_id`, `text`, `date` (of what
    the character lives through now, or null) and `cited` (ids of statements that come first, whatever they mean).
    `statements` has `sample_id`, `shard`, `character_id`, `text`, `start` and `date`. A statement of a later date than
    the text's is none. Vectors are kept in the lake. Columns are those of `EVIDENCE`.

    Raises:
        PersonaAssetsError: an encoder cannot be loaded.
    """
    found = []
    for (language,), part in texts.group_by("language", maintain_order=True):
        cache = VectorCache(lake, load_encoder(encoder_of(str(language), encoder)), 1.0)
        for (character,), some in part.group_by("character_id", maintain_order=True):
            own = statements.filter(character_id=character).sort("start", "sample_id")
            found.append(_of_character(some, own, cache, most))
    return pl.concat(found) if found else pl.DataFrame(schema=EVIDENCE)


def _of_character(texts: pl.DataFrame, own: pl.DataFrame, cache: VectorCache, most: int) -> pl.DataFrame:
    ids, said, dates = own["sample_id"].to_list(), own["text"].to_list(), own["date"].to_list()
    place_of = {name: place for place, name in enumerate(ids)}
    theirs = _vectors(own.select("shard", "text", persona_id="sample_id"), "statements", cache)
    rows = []
    for some in texts.iter_slices(_ROWS):
        near = np.round(_vectors(some.select("shard", "text", persona_id="id"), "lines", cache) @ theirs.T, _ROUND)
        for row, cosines in zip(some.iter_rows(named=True), near, strict=True):
            order = np.argsort(-cosines, kind="stable")
            cited = [place_of[one] for one in row["cited"] or () if one in place_of]
            known = (int(one) for one in order if is_known_by(dates[one], row["date"]))
            chosen = list(dict.fromkeys([*cited, *known]))[: max(most, len(cited))]
            rows.append((row["id"], [ids[one] for one in chosen], [said[one] for one in chosen]))
    return pl.DataFrame(rows, schema=EVIDENCE, orient="row")


def _vectors(texts: pl.DataFrame, kind: str, cache: VectorCache) -> np.ndarray:
    """Vectors of shape (texts, dimension), float32, each as the lake keeps it."""
    named = texts.with_columns(shard=pl.format(f"{kind}-{{}}", "shard"))
    known, vectors = cache.vectors(named)
    whole = np.zeros((texts.height, cache.encoder.dimension), np.float32)
    if known.any():
        whole[known] = vectors
    return whole
