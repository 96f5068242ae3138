"""Sentence vectors kept in the lake, so that no text is encoded twice by one model.

`<lake>/embeddings/model=<name>-<revision>/shard=<shard>/part-<digest>.parquet`: persona_id, unknown_share, and the
vector as float16, null where the encoder does not know the script. Parts never change: an addition is a new part, and
many parts are merged into one, which is there before they go. A cache, which can be deleted. A part whose
bytes do not fit its name is removed, and its texts are encoded again.
"""

import io
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import IO, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from persona_assets.ids import digest
from persona_assets.lake import Lake
from persona_assets.lake.store import check_key
from persona_assets.lake.verified import file_digest, is_sound
from persona_assets.text.encoder import Encoder

PART_TEXTS = 8192  # texts encoded before their part is written: a crash loses about 20 seconds' work on two cores
MANY_PARTS = 64  # parts of a shard beyond which they are merged
RELISTS = 8  # how often a reader returns to the listing when another process merged a listed part away

_COMPAT = pl.CompatLevel.oldest()  # plain Arrow strings, which every Parquet reader knows

_NAME = re.compile(r"part-([0-9a-f]{32})\.parquet")
logger = logging.getLogger(__name__)

Half = NDArray[np.float16]


class VectorCache:
    """The vectors of one encoder in one lake. Texts with more than `max_unknown` [UNK] are not encoded."""

    def __init__(self, lake: Lake, encoder: Encoder, max_unknown: float) -> None:
        """Open the cache; nothing is read yet."""
        self.lake, self.encoder, self.max_unknown = lake, encoder, max_unknown
        slug = re.sub(r"[^A-Za-z0-9]+", "-", encoder.name).strip("-")
        self.key = f"{slug}-{encoder.revision[:16]}-{max_unknown:g}"
        self.root = f"{lake.root}/embeddings/model={slug}-{encoder.revision[:16]}"

    def parts(self, shard: str) -> list[str]:
        """The parts of a shard that exist, sorted."""
        return sorted(self.lake.fs.glob(f"{self._folder(shard)}/part-*.parquet"))

    def vectors(
        self, personas: pl.DataFrame, progress: Callable[[int], None] | None = None
    ) -> tuple[NDArray[np.bool_], Half]:
        """Whether the encoder knows each text, shape (n,), and the vectors of those it knows, shape (m, dimension).

        `personas` has persona_id (unique), shard and text; the vectors are in its order. What is not in the cache is
        encoded and added, `PART_TEXTS` at a time; `progress` is given the number of personas done since its last call.
        """
        places = personas.with_row_index("place")
        found = [self._of_shard(part, progress) for part in places.partition_by("shard", maintain_order=True)]
        known = np.zeros(personas.height, dtype=bool)
        if not any(part.height for part in found):
            return known, np.zeros((0, 0), np.float16)
        rows = pl.concat([part for part in found if part.height]).sort("place")
        known[rows["place"].to_numpy()] = True
        return known, rows["vector"].to_numpy()

    def scan(self, shard: str, ends: tuple[object, object] | None = None) -> Iterator[pl.DataFrame]:
        """What the cache holds of a shard, in blocks: persona_id, vector, and whether the persona is `settled`.

        Blocks without an id between `ends` are not read.

        Settled are personas with a vector and those that the encoder does not know; others wait to be encoded. A
        persona may come twice: parts that another process merges away meanwhile are followed into the merged one.
        """
        settled = pl.col("vector").is_not_null() | (pl.col("unknown_share") > self.max_unknown)
        for block in self._read(shard, ends):
            yield block.select("persona_id", "vector", settled=settled)

    def _of_shard(self, personas: pl.DataFrame, progress: Callable[[int], None] | None) -> pl.DataFrame:
        """Place and vector of the shard's personas that the encoder knows."""
        shard = personas["shard"][0]
        cached = self._find(shard, personas.select("persona_id"))
        wanted = personas.join(cached, on="persona_id", how="left", maintain_order="left")
        missing = wanted.filter(
            pl.col("unknown_share").is_null()
            | (pl.col("vector").is_null() & (pl.col("unknown_share") <= self.max_unknown))
        )
        if progress:
            progress(wanted.height - missing.height)
        if missing.height:
            for rows in missing.select("persona_id", "text").iter_slices(PART_TEXTS):
                self._add(shard, rows, progress)
            if len(self.parts(shard)) > MANY_PARTS:
                self._merge(shard)
            return self._of_shard(personas, None)
        return wanted.filter(pl.col("unknown_share") <= self.max_unknown).select("place", "vector")

    # Reading

    def _find(self, shard: str, wanted: pl.DataFrame) -> pl.DataFrame:
        """The rows of these personas, each once, one with a vector where there is one."""
        empty = pl.DataFrame(schema={"persona_id": pl.String, "unknown_share": pl.Float32, "vector": pl.Null})
        found = [part.join(wanted, on="persona_id", how="semi") for part in self._read(shard)]
        rows = pl.concat([empty, *found], how="diagonal_relaxed")
        return rows.sort(pl.col("vector").is_null(), maintain_order=True).unique("persona_id", keep="first")

    def _read(self, shard: str, ends: tuple[object, object] | None = None) -> Iterator[pl.DataFrame]:
        """All rows in blocks. Where a part was merged away the parts are listed again, and some rows come twice."""
        done: set[str] = set()
        for attempt in range(RELISTS + 1):
            try:
                for path in self.parts(shard):
                    if path not in done:
                        yield from self._blocks(path, ends)
                        done.add(path)
                return
            except FileNotFoundError:
                if attempt == RELISTS:
                    raise

    def _blocks(self, path: str, ends: tuple[object, object] | None = None) -> Iterator[pl.DataFrame]:
        """The rows of a part in blocks; none, and the part goes, where it is not what was written.

        Raises:
            FileNotFoundError: it is gone, as another process merged it away.
        """
        name = _NAME.fullmatch(path.rsplit("/", 1)[1])
        if not (name and is_sound(self.lake.fs, path, name[1])):
            self._drop(path, "its bytes do not fit its name")
            return
        with self.lake.fs.open(path, "rb") as file:
            part = pq.ParquetFile(file)
            if not self._is_ours(part.schema_arrow):
                self._drop(path, "its vectors are of another model")
                return
            for group in range(part.metadata.num_row_groups):
                if ends is None or _meets(part.metadata.row_group(group), ends):
                    yield pl.DataFrame(part.read_row_group(group))

    def _is_ours(self, schema: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
        """Whether the columns are those of a part of this encoder."""
        if schema.names != ["persona_id", "unknown_share", "vector"]:
            return False
        vector = schema.field("vector").type
        return bool(pa.types.is_fixed_size_list(vector)) and vector.list_size == self.encoder.dimension

    def _drop(self, path: str, why: str) -> None:
        """Remove a part that cannot be used.

        Raises:
            FileNotFoundError: it is gone already.
        """
        self.lake.fs.rm(path)
        logger.warning("%s was removed: %s; its texts are encoded again", path, why)

    # Writing

    def _add(self, shard: str, personas: pl.DataFrame, progress: Callable[[int], None] | None) -> None:
        shares = self.encoder.unknown_share(personas["text"].to_list())
        known = pl.Series(shares <= np.float32(self.max_unknown))
        rows = personas.select("persona_id").with_columns(unknown_share=pl.Series(shares, dtype=pl.Float32))
        if progress:
            progress(int((~known).sum()))
        if known.any():
            texts = personas.filter(known)["text"].to_list()
            vectors = (self.encoder.encode(texts, progress) if progress else self.encoder.encode(texts)).astype(
                np.float16
            )
            dtype = pl.Array(pl.Float16, vectors.shape[1])
            encoded = rows.filter(known).with_columns(vector=pl.Series(vectors, dtype=dtype))
            rows = pl.concat([encoded, rows.filter(~known)], how="diagonal_relaxed")
        else:
            rows = rows.with_columns(vector=pl.lit(None, pl.Array(pl.Float16, self.encoder.dimension)))
        data = io.BytesIO()
        pq.write_table(rows.sort("persona_id").to_arrow(compat_level=_COMPAT), data, compression="zstd")
        self.lake.write_bytes(f"{self._folder(shard)}/part-{digest(data.getvalue())}.parquet", data.getvalue())

    def _merge(self, shard: str) -> None:
        """Put one part in the place of all; holds their ids and one block. Left to another process that does it too."""
        fs, temporary, paths = self.lake.fs, self.lake.temporary(), self.parts(shard)
        try:
            with fs.open(temporary, "wb") as file:
                self._write_merged(paths, file)
            merged = f"{self._folder(shard)}/part-{file_digest(fs, temporary)}.parquet"
            self.lake.commit(temporary, merged)
        except FileNotFoundError:
            return
        finally:
            if fs.exists(temporary):
                fs.rm(temporary)
        for path in paths:
            if path != merged:
                with suppress(FileNotFoundError):
                    fs.rm(path)

    def _write_merged(self, paths: list[str], file: IO[bytes]) -> None:
        ids = [
            block.select("persona_id", block=pl.lit(number, pl.UInt32), empty=pl.col("vector").is_null())
            for number, block in enumerate(self._blocks_of(paths))
        ]
        kept = pl.concat(ids).sort("empty", "block", maintain_order=True).unique("persona_id", keep="first")
        mine = kept.partition_by("block", as_dict=True)
        with ExitStack() as stack:
            parquet: pq.ParquetWriter | None = None
            for number, block in enumerate(self._blocks_of(paths)):
                if (number,) in mine:
                    rows = block.join(mine[number,], on="persona_id", how="semi", maintain_order="left")
                    table = rows.unique("persona_id", keep="first", maintain_order=True).to_arrow(compat_level=_COMPAT)
                    if parquet is None:
                        parquet = stack.enter_context(pq.ParquetWriter(file, table.schema, compression="zstd"))
                    parquet.write_table(table)

    def _blocks_of(self, paths: list[str]) -> Iterator[pl.DataFrame]:
        for path in paths:
            yield from self._blocks(path)

    def _folder(self, shard: str) -> str:
        return f"{self.root}/shard={check_key(shard)}"


def _meets(group: Any, ends: tuple[Any, Any]) -> bool:  # noqa: ANN401 - pyarrow has no types
    """Whether a row group may have an id between `ends`, by its statistics."""
    ids = group.column(0).statistics
    return ids is None or not ids.has_min_max or (ids.min <= ends[1] and ids.max >= ends[0])
