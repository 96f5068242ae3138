"""Sentence vectors kept in the lake, so that no text is encoded twice by one model.

`<lake>/embeddings/model=<name>-<revision>/shard=<shard>/data.parquet`: persona_id, unknown_share, and the vector as
float16, null where the encoder does not know the script. A cache: it can be deleted, it is no asset.
"""

import re

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.lake import Lake
from persona_assets.lake.store import check_key
from persona_assets.text.encoder import Encoder

Half = NDArray[np.float16]


class VectorCache:
    """The vectors of one encoder in one lake. Texts with more than `max_unknown` [UNK] are not encoded."""

    def __init__(self, lake: Lake, encoder: Encoder, max_unknown: float) -> None:
        """Open the cache; nothing is read yet."""
        self.lake, self.encoder, self.max_unknown = lake, encoder, max_unknown
        slug = re.sub(r"[^A-Za-z0-9]+", "-", encoder.name).strip("-")
        self.root = f"{lake.root}/embeddings/model={slug}-{encoder.revision[:16]}"

    def path(self, shard: str) -> str:
        """The file of a shard's vectors."""
        return f"{self.root}/shard={check_key(shard)}/data.parquet"

    def vectors(self, personas: pl.DataFrame) -> tuple[NDArray[np.bool_], Half]:
        """Whether the encoder knows each text, shape (n,), and the vectors of those it knows, shape (m, dimension).

        `personas` has persona_id (unique), shard and text; the vectors are in its order. What is not in the cache is
        encoded and added, one shard at a time, so that a crash loses one shard's work at most.
        """
        places = personas.with_row_index("place")
        parts = [self._of_shard(part) for part in places.partition_by("shard", maintain_order=True)]
        known = np.zeros(personas.height, dtype=bool)
        if not any(part.height for part in parts):
            return known, np.zeros((0, 0), np.float16)
        found = pl.concat([part for part in parts if part.height]).sort("place")
        known[found["place"].to_numpy()] = True
        return known, found["vector"].to_numpy()

    def _of_shard(self, personas: pl.DataFrame) -> pl.DataFrame:
        """Place and vector of the shard's personas that the encoder knows."""
        cached = self._read(personas["shard"][0], personas["persona_id"])
        wanted = personas.join(cached, on="persona_id", how="left", maintain_order="left")
        missing = wanted.filter(
            pl.col("unknown_share").is_null()
            | (pl.col("vector").is_null() & (pl.col("unknown_share") <= self.max_unknown))
        )
        if missing.height:
            self._add(personas["shard"][0], missing)
            return self._of_shard(personas)
        return wanted.filter(pl.col("unknown_share") <= self.max_unknown).select("place", "vector")

    def _read(self, shard: str, wanted: pl.Series | None = None) -> pl.DataFrame:
        path = self.path(shard)
        if not self.lake.fs.exists(path):
            return pl.DataFrame(schema={"persona_id": pl.String, "unknown_share": pl.Float32, "vector": pl.Null})
        with self.lake.fs.open(path, "rb") as file:
            cached = pl.read_parquet(file, hive_partitioning=False)
        return cached if wanted is None else cached.filter(pl.col("persona_id").is_in(wanted.implode()))

    def _add(self, shard: str, personas: pl.DataFrame) -> None:
        shares = self.encoder.unknown_share(personas["text"].to_list())
        known = shares <= np.float32(self.max_unknown)
        fresh = personas.select("persona_id").with_columns(unknown_share=pl.Series(shares, dtype=pl.Float32))
        encoded = fresh.filter(pl.Series(known))
        if encoded.height:
            vectors = self.encoder.encode(personas.filter(pl.Series(known))["text"].to_list()).astype(np.float16)
            dtype = pl.Array(pl.Float16, vectors.shape[1])
            encoded = encoded.with_columns(vector=pl.Series(vectors, dtype=dtype))
        rows = pl.concat([encoded, fresh.filter(pl.Series(~known))], how="diagonal_relaxed")
        old = self._read(shard).filter(~pl.col("persona_id").is_in(rows["persona_id"].implode()))
        self._write(shard, pl.concat([old, rows], how="diagonal_relaxed").sort("persona_id"))

    def _write(self, shard: str, rows: pl.DataFrame) -> None:
        temporary = self.lake.temporary()
        with self.lake.fs.open(temporary, "wb") as file:
            rows.write_parquet(file, compression="zstd")
        self.lake.commit(temporary, self.path(shard))
