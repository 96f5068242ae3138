"""Parquet files of rows that come a few at a time, by split."""

import re
from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from persona_assets.errors import UsageError

ROW_GROUP = 10_000  # rows that a reader holds at once
FILE_ROWS = 10 * ROW_GROUP
MOST_SPLITS = 100  # each has an open file
_SPLIT = re.compile(r"[a-z0-9_]+")
_COMPAT = pl.CompatLevel.oldest()  # plain Arrow strings, which every Parquet reader knows


class SplitFiles:
    """Files `<split>-<number>.parquet` in a folder, each of `FILE_ROWS` rows, the last of a split of fewer."""

    def __init__(self, folder: Path) -> None:
        """Nothing is written yet; the folder is there."""
        self.folder = folder
        self._waiting: dict[str, list[pl.DataFrame]] = {}
        self._open: dict[str, pq.ParquetWriter] = {}
        self._groups: Counter[str] = Counter()  # row groups that were written of each split

    def append(self, split: str, rows: pl.DataFrame) -> None:
        """Add rows of a split.

        Raises:
            UsageError: its name cannot name a file, or there are too many splits.
        """
        if split not in self._waiting:
            if not _SPLIT.fullmatch(split):
                raise UsageError(f"the split {split!r} cannot name a file: use a-z, 0-9 and _")
            if len(self._waiting) == MOST_SPLITS:
                raise UsageError(f"the column split has over {MOST_SPLITS} values: a split is a part such as train")
        waiting = self._waiting.setdefault(split, [])
        waiting.append(rows)
        if sum(part.height for part in waiting) >= ROW_GROUP:
            together = pl.concat(waiting)
            whole = together.height - together.height % ROW_GROUP
            for group in together.head(whole).iter_slices(ROW_GROUP):
                self._write(split, group)
            self._waiting[split] = [together.tail(together.height - whole)]

    def close(self) -> None:
        """Write what waits and end all files."""
        for split, waiting in self._waiting.items():
            if (rows := pl.concat(waiting)).height:
                self._write(split, rows)
        for file in self._open.values():
            file.close()

    def _write(self, split: str, group: pl.DataFrame) -> None:
        """Write a row group; a file that is full is ended."""
        table = group.to_arrow(compat_level=_COMPAT)
        number, place = divmod(self._groups[split], FILE_ROWS // ROW_GROUP)
        if place == 0:
            if split in self._open:
                self._open.pop(split).close()
            self._open[split] = pq.ParquetWriter(
                self.folder / f"{split}-{number:05}.parquet", table.schema, compression="zstd"
            )
        self._open[split].write_table(table)
        self._groups[split] += 1
