"""The rows of an export, some partitions at a time: those of a dataset or of a view, with the columns of a format."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import polars as pl

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.export.formats import FORMATS, Columns, Shaped
from persona_assets.graph import Asset
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import Parent

TOGETHER = 100_000  # rows of partitions that are brought into one file, about; a partition is not parted
USUAL = {"prompt": ("prompt", "instruction", "question", "request"), "response": ("response", "answer", "solution")}
CONVERSATIONS = ("chatml", "alpaca", "sharegpt")
# What rows are counted by, and why one is left out; the dataset's own columns have no such names.
COUNTED = {"_split": "split", "language": "language", "_mode": "mode", "_dump": "dump", "_model": "model"}
FAULT = "_fault"


@dataclass(frozen=True)
class Export:
    """What to write: `source` is a dataset or a view; `prompt` and `response` are columns, or `<parent>.<column>`.

    Where they are empty, conversations take the first column of a usual name.
    """

    source: str
    out: Path
    form: str = "plain"
    prompt: str = ""
    response: str = ""
    licence: str = "other"


class Place(NamedTuple):
    """A column of texts, of the dataset's own, or of the first row that a row was made from by `link`."""

    table: Table
    column: str
    link: Parent | None = None

    def __str__(self) -> str:
        return f"{self.table.name}.{self.column}" if self.link else self.column


class Rows:
    """What an export reads. `told` says where the columns `prompt` and `response` are, if the format has them."""

    def __init__(self, lake: Lake, graph: Mapping[str, Asset], job: Export) -> None:
        """Look for dataset, format and columns; no row is read.

        Raises:
            UsageError: there is no such dataset, format or column.
        """
        if job.form not in FORMATS:
            raise UsageError(f"there is no format {job.form}; {did_you_mean(job.form, FORMATS)}")
        samples = {name: asset.table for name, asset in graph.items() if asset.table.key == "sample_id"}
        if job.source not in samples:
            raise UsageError(f"there is no dataset {job.source}; {did_you_mean(job.source, samples)}")
        self.lake, self.graph, self.job = lake, graph, job
        self.dataset, self.view = samples[job.source], None
        if "selected_id" in self.dataset.polars:
            self.view = self.dataset
            self.dataset = next(
                samples[name] for one in self.view.parents if one.column == "selected_id" for name in one.tables
            )
        self.told = self._told()
        self.shaped: Shaped = FORMATS[job.form](self._columns())

    # Columns

    def _columns(self) -> Columns:
        """The columns that a format can use: two that are named come before a column of messages."""
        own = {name: dtype for name, dtype in self.dataset.polars.items() if name != "messages" or not self.told}
        return {**own, **dict.fromkeys(self.told, pl.String())}

    def _told(self) -> dict[str, Place]:
        named = {"prompt": self.job.prompt, "response": self.job.response}
        told = {name: self._place(source) for name, source in named.items() if source}
        if self.job.form in CONVERSATIONS and (told or "messages" not in self.dataset.polars):
            usual = {name: self._usual(USUAL[name]) for name in named if name not in told}
            told |= {name: place for name, place in usual.items() if place}
        return told

    def _place(self, source: str) -> Place:
        """The column that `<column>` or `<parent>.<column>` names."""
        above, _, column = source.rpartition(".")
        link = next((one for one in self._above if above in one.tables), None) if above else None
        if above and link is None:
            known = [table for one in self._above for table in one.tables]
            raise UsageError(f"{self.dataset.name} is not made from {above}; {did_you_mean(above, known)}")
        table = self.graph[above].table if above else self.dataset
        if table.polars.get(column) != pl.String():
            raise UsageError(f"{table.name} has no column of texts {column}; {did_you_mean(column, table.polars)}")
        return Place(table, column, link)

    def _usual(self, names: tuple[str, ...]) -> Place | None:
        """The first column of such a name, of the dataset, else of what its rows were made from."""
        tables = [(self.dataset, None), *((self.graph[name].table, one) for one in self._above for name in one.tables)]
        places = (Place(table, name, link) for table, link in tables for name in names)
        return next((one for one in places if one.table.polars.get(one.column) == pl.String()), None)

    @property
    def _above(self) -> list[Parent]:
        return [one for one in self.dataset.parents if one.direct]

    # Rows

    @cached_property
    def selected(self) -> int | None:
        """How many rows the view selects; None without a view."""
        return None if self.view is None else int(self._ids().select(pl.len()).collect().item())

    @cached_property
    def digest(self) -> str:
        """Digest of what is asked for and of the partitions that are read: the same folder comes of the same."""
        tables = [self.dataset, *filter(None, [self.view]), *(one.table for one in self.told.values())]
        paths = [path.removeprefix(self.lake.root) for table in tables for path in self.lake.paths(table)]
        asked = [self.job.source, self.job.form, *map(str, self.told.values()), self.job.licence]
        return digest(canonical_json([asked, paths]))

    def groups(self) -> Iterator[pl.LazyFrame]:
        """The rows with the format's columns after `id` and `language`, those of `COUNTED`, and `FAULT`."""
        split = pl.col("split").fill_null("train") if "split" in self.dataset.polars else pl.lit("train")
        shard = self.dataset.partition == "shard"
        about = {
            "_split": split,
            "_mode": self._own("mode"),
            "_dump": pl.col("shard").str.replace(r"\.[^.]*$", "") if shard else pl.lit(None, pl.String()),
            "_model": self._own("model"),
            FAULT: self.shaped.fault,
        }
        for keys in self._together():
            rows = self.lake.scan_paths(self.lake.paths(self.dataset, keys), self.dataset)
            if self.view is not None:
                rows = rows.join(self._ids(), on="sample_id", how="semi", maintain_order="left")
            for name, place in self.told.items():
                rows = self._with(rows, keys, name, place)
            yield rows.select(pl.col("sample_id").alias("id"), "language", **self.shaped.columns, **about)

    def _own(self, name: str) -> pl.Expr:
        return pl.col(name) if name in self.dataset.polars else pl.lit(None, pl.String())

    def _ids(self) -> pl.LazyFrame:
        assert self.view is not None
        return self.lake.scan(self.view).select(sample_id="selected_id")

    def _together(self) -> Iterator[list[str]]:
        """Keys of partitions, some together."""
        keys, held = list[str](), 0
        for key, record in self.lake.sound(self.dataset).items():
            if keys and held + record.rows.rows > TOGETHER:
                yield keys
                keys, held = [], 0
            keys.append(key)
            held += record.rows.rows
        if keys:
            yield keys

    def _with(self, rows: pl.LazyFrame, keys: list[str], name: str, place: Place) -> pl.LazyFrame:
        """The rows with a column more. What they were made from is in the partitions of the same keys, if alike."""
        if place.link is None:
            return rows.with_columns(pl.col(place.column).alias(name))
        first = pl.col(place.link.column)
        first = first.list.first() if isinstance(self.dataset.polars[place.link.column], pl.List) else first
        alike = place.table.partition == self.dataset.partition
        files = self.lake.paths(place.table, keys if alike else None)
        parents = self.lake.scan_paths(files, place.table).select(_parent=place.table.key, _text=place.column)
        joined = rows.with_columns(_parent=first).join(parents, on="_parent", how="left", maintain_order="left")
        return joined.with_columns(pl.col("_text").alias(name)).drop("_parent", "_text")
