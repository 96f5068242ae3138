"""Writes the rows of a file with what was decided about them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from persona_assets.dedup.against import Others
from persona_assets.dedup.survivors import METHODS
from persona_assets.errors import PersonaAssetsError
from persona_assets.files.text_column import REASONS, Source
from persona_assets.progress import Stages

GROUP_ROWS, GROUP_BYTES = 131_072, 64 << 20  # of a row group that is written
_GAINED = {
    "row": pa.int64(),
    "keep": pa.bool_(),
    "survivor": pa.int64(),
    "similarity": pa.float64(),
    "method": pa.string(),
    "reason": pa.string(),
    "semantic_compared": pa.bool_(),
}
ADDED = tuple(_GAINED)  # columns that the written rows gain
SURVIVOR_FILE = "survivor_file"  # one more where the file is compared with others


class Writing:
    """The rows of a file joined with their verdicts, by place."""

    def __init__(self, source: Source, verdicts: pa.Table, others: Others, *, only_kept: bool = False) -> None:
        """Write the rows of `source`; with `only_kept` those alone that stay."""
        self.source, self.verdicts, self.others, self.only_kept = source, verdicts, others, only_kept
        gained = _GAINED | ({SURVIVOR_FILE: pa.string()} if others.sources else {})
        self.gained = pa.schema(gained)

    def write(self, place: Path, tell: Stages) -> None:
        """All rows of the file with what was decided about them.

        Raises:
            PersonaAssetsError: there are not as many rows as were read before.
        """
        rows = self.verdicts.num_rows
        tell("writing", 0, rows)
        done = 0
        for done in self._parquet(place) if place.suffix == ".parquet" else self._lines(place):
            if done <= rows:
                tell("writing", done, rows)
        if done != rows:
            raise PersonaAssetsError(f"{self.source.path} changed while it was read: run the command again")

    def _added(self, start: int, rows: int) -> pl.DataFrame:
        """The columns that the written rows gain, for `rows` rows from `start`."""
        judged = pl.DataFrame(pl.from_arrow(self.verdicts.slice(start, rows)))
        row = pl.int_range(start, start + judged.height, dtype=pl.Int64)
        file, survivor = self.others.places_of(pl.col("survivor"))
        of_other = {SURVIVOR_FILE: file} if self.others.sources else {}
        return judged.select(
            row=row,
            keep=(pl.col("survivor") == row).fill_null(value=False),
            survivor=survivor,
            similarity="similarity",
            method=pl.col("method").replace_strict(range(len(METHODS)), METHODS, return_dtype=pl.String),
            reason=pl.col("reason").replace_strict(range(len(REASONS)), REASONS, return_dtype=pl.String),
            semantic_compared="semantic_compared",
            **of_other,
        )

    def _parquet(self, place: Path) -> Iterator[int]:
        schema = self.source.schema()
        schema = pa.schema([*schema, *self.gained], schema.metadata)
        done = 0
        unlike = (self.source.column, "row", "survivor", "similarity")
        repeating = [name for name in schema.names if name not in unlike]
        with (
            pq.ParquetWriter(place, schema, compression="zstd", use_dictionary=repeating) as writer,
            ThreadPoolExecutor(1) as pool,
        ):
            writing = pool.submit(lambda: None)  # while a row group is compressed the next one is read
            for batches in _row_groups(self.source.batches()):
                rows = pa.Table.from_batches(batches)
                added = self._added(done, rows.num_rows)
                columns = added.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self.gained)
                done += rows.num_rows
                if columns.num_rows == rows.num_rows:
                    writing.result()
                    joined = pa.Table.from_arrays([*rows.columns, *columns.columns], schema=schema)
                    kept = joined.filter(columns["keep"]) if self.only_kept else joined
                    writing = pool.submit(writer.write_table, kept)
                yield done
            writing.result()

    def _lines(self, place: Path) -> Iterator[int]:
        done = 0
        with place.open("wb") as file:
            for lines in self.source.lines():
                judged = self._added(done, len(lines))
                added = judged.select(pl.struct(pl.all()).struct.json_encode()).to_series()
                done += len(lines)
                if len(added) == len(lines):
                    wanted = judged["keep"].to_list() if self.only_kept else [True] * len(lines)
                    pairs = zip(lines, added, wanted, strict=True)
                    file.writelines(_joined(line, more) for line, more, stays in pairs if stays)
                yield done


def _row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches that make a row group together."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield held
            held, rows, size = [], 0, 0
    if held:
        yield held


def _joined(line: bytes, added: str) -> bytes:
    """A JSON object with more members at its end; nothing of what it held is written anew."""
    head = line[:-1].rstrip()
    return head + (b"" if head == b"{" else b",") + added[1:].encode() + b"\n"
