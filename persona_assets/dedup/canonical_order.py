"""A dump's personas in canonical order (persona id, then shard), in parts that fit the memory."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from persona_assets.dedup.seals import Seal
from persona_assets.lake import Lake
from persona_assets.lake.schemas import FILTERED_PERSONAS

IDENTITY = ("persona_id", "shard", "text")
ID_DIGITS = 6  # leading hexadecimal digits of a persona id that choose its part
MOST_PARTS = 4096
_COMPAT = pl.CompatLevel.oldest()


def canonical_parts(lake: Lake, seal: Seal, rows: int, scratch: Path) -> Iterator[pl.DataFrame]:
    """The filtered personas of a sealed dump (`IDENTITY`), in order, in parts of about `rows` rows.

    A dump that is larger is first distributed over files in `scratch` by the first digits of its persona ids, which
    are digests and so spread evenly.

    Raises:
        PersonaAssetsError: a shard has no filtered personas.
    """
    total = sum(lake.row_count(FILTERED_PERSONAS, shard) for shard in seal.shards)
    if total <= rows:
        yield _sorted(lake.scan(FILTERED_PERSONAS, seal.shards).select(IDENTITY).collect())
        return
    for file in _distributed(lake, seal, min(-(-total * 11 // (rows * 10)), MOST_PARTS), scratch):
        yield _sorted(pl.read_parquet(file))
        file.unlink()


def _sorted(personas: pl.DataFrame) -> pl.DataFrame:
    return personas.sort("persona_id", "shard")


def _distributed(lake: Lake, seal: Seal, parts: int, scratch: Path) -> list[Path]:
    """Files of the dump's personas, by ascending ranges of their ids."""
    scratch.mkdir(parents=True)
    files = [scratch / f"{number:05d}.parquet" for number in range(parts)]
    schema = pl.DataFrame(schema=dict.fromkeys(IDENTITY, pl.String)).to_arrow(compat_level=_COMPAT).schema
    digits = pl.col("persona_id").str.slice(len("per_"), ID_DIGITS).str.to_integer(base=16, dtype=pl.Int64)
    with ExitStack() as stack:
        writers = [stack.enter_context(pq.ParquetWriter(file, schema, compression="lz4")) for file in files]
        for shard in seal.shards:
            for batch in lake.batches(FILTERED_PERSONAS, shard, 65_536):
                numbered = batch.select(*IDENTITY, part=digits * parts // 16**ID_DIGITS)
                for (number,), rows in numbered.group_by("part"):
                    writers[int(str(number))].write_table(
                        rows.select(IDENTITY).to_arrow(compat_level=_COMPAT).cast(schema)
                    )
    return files
