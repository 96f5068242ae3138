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
        told = statements.filter(pl.col("character_id").is_in(part["character_id"].unique().implode()))
        told = told.sort("character_id", "start", "sample_id")
        # All at once: the cache reads all that it holds of a shard, and a cast has thousands of characters.
        theirs = _vectors(told.select("shard", "text", persona_id="sample_id"), "statements", cache)
        ours = _vectors(part.select("shard", "text", persona_id="id"), "lines", cache)
        own = told.with_row_index("_at").partition_by("character_id", as_dict=True)
        for key, some in part.with_row_index("_at").group_by("character_id", maintain_order=True):
            there = own.get(key, told.clear().with_row_index("_at"))
            found.append(_of_character(some, ours[some["_at"]], there, theirs[there["_at"]], most))
    return pl.concat(found) if found else pl.DataFrame(schema=EVIDENCE)


def _of_character(
    texts: pl.DataFrame, vectors: np.ndarray, own: pl.DataFrame, theirs: np.ndarray, most: int
) -> pl.DataFrame:
    """The statements for the texts of one character; `vectors` are of these, `theirs` of its statements."""
    ids, said, dates = own["sample_id"].to_list(), own["text"].to_list(), own["date"].to_list()
    place_of = {name: place for place, name in enumerate(ids)}
    rows = []
    for start in range(0, texts.height, _ROWS):
        near = np.round(vectors[start : start + _ROWS].astype(np.float32) @ theirs.astype(np.float32).T, _ROUND)
        for row, cosines in zip(texts.slice(start, _ROWS).iter_rows(named=True), near, strict=True):
            order = np.argsort(-cosines, kind="stable")
            cited = [place_of[one] for one in row["cited"] or () if one in place_of]
            known = (int(one) for one in order if is_known_by(dates[one], row["date"]))
            chosen = list(dict.fromkeys([*cited, *known]))[: max(most, len(cited))]
            rows.append((row["id"], [ids[one] for one in chosen], [said[one] for one in chosen]))
    return pl.DataFrame(rows, schema=EVIDENCE, orient="row")


def _vectors(texts: pl.DataFrame, kind: str, cache: VectorCache) -> np.ndarray:
    """Vectors of shape (texts, dimension), float16 as the lake keeps them."""
    named = texts.with_columns(shard=pl.format(f"{kind}-{{}}", "shard"))
    known, vectors = cache.vectors(named)
    whole = np.zeros((texts.height, cache.encoder.dimension), np.float16)
    if known.any():
        whole[known] = vectors
    return whole
