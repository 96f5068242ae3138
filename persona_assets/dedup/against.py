"""Other files that a file is compared with: their rows stand, and come before its own in canonical order.

A row of theirs is never removed, whatever is near it, so a row near any of them is a duplicate. Their rows have the
numbers below zero: -1 is the last row of the last file, and so on back to the first row of the first.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from persona_assets.files.text_column import Source, Texts, open_source
from persona_assets.text.token_hashes import Index


@dataclass
class Others:
    """Files in the order in which they come; `starts` (n + 1,) count their rows as far as they have been read."""

    sources: list[Source] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])

    @classmethod
    def open(cls, paths: Sequence[Path], column: str | None, scratch: Path, *, again: bool) -> "Others":
        """Open files; `again`: whether their texts will be read again by row.

        Raises:
            UsageError: a file that is not there, or has no such column.
            PersonaAssetsError: a damaged file.
        """
        found = cls()
        for number, path in enumerate(paths):
            own = scratch / f"other-{number}"
            own.mkdir()
            found.sources.append(open_source(path, column, own, None, again=again))
        return found

    @property
    def rows(self) -> int:
        """Rows read of all files."""
        return self.starts[-1]

    def texts(self) -> Iterator[tuple[int, Texts, Source]]:
        """All texts, batch by batch, each with the number of its first row from 0 on, and where it is from."""
        for source in self.sources:
            done = 0
            for batch in source.texts():
                yield self.starts[-1] + done, batch, source
                done += batch.height
            self.starts.append(self.starts[-1] + done)

    def place_of(self, row: int) -> tuple[int, int]:
        """File and row in it, both from 0, of a number below zero."""
        number = row + self.rows
        file = bisect_right(self.starts, number) - 1
        return file, number - self.starts[file]

    def places_of(self, rows: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
        """The same of many: the file's path and the row in it; of rows from 0 on no path, and the row itself."""
        number = rows + self.rows
        path: pl.Expr = pl.lit(None, pl.String)
        row = rows
        for source, start, end in zip(self.sources, self.starts, self.starts[1:], strict=False):
            mine = (number >= start) & (number < end) & (rows < 0)
            path = pl.when(mine).then(pl.lit(str(source.path))).otherwise(path)
            row = pl.when(mine).then(number - start).otherwise(row)
        return path, row

    def told(self, row: int) -> str:
        """What a report calls a row: `row 7`, or `row 7 of OTHER.jsonl`."""
        if row >= 0:
            return f"row {row}"
        file, place = self.place_of(row)
        return f"row {place} of {self.sources[file].path}"

    def texts_with(self, own: Callable[[Index], pl.Series]) -> Callable[[Index], pl.Series]:
        """What gives the texts of rows of all files, where `own` gives those of the file that is compared."""

        def texts_at(rows: Index) -> pl.Series:
            number = rows + self.rows
            file = np.where(rows >= 0, len(self.sources), np.searchsorted(self.starts, number, "right") - 1)
            found, order = [pl.Series("text", [], pl.String)], list[Index]()
            for place in np.unique(file).tolist():
                mine = np.flatnonzero(file == place)
                is_own = place == len(self.sources)
                texts = own(rows[mine]) if is_own else self.sources[place].texts_at(number[mine] - self.starts[place])
                found.append(texts.alias("text"))
                order.append(mine)
            whole = pl.concat(found)
            return whole.gather(np.argsort(np.concatenate(order))) if order else whole

        return texts_at
