"""The rows of an export, some partitions at a time: those of a dataset or of a view, with the columns of a format."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import polars as pl

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.export.formats import FORMATS, Columns, Shaped
from persona_assets.export.measured import measured
from persona_assets.graph import Asset
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import RAW_DOCUMENTS, Parent
from persona_assets.lake.store import dump_of

BATCH = 10_000  # rows that are held at once
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
    quality: Path | None = None  # a report of `persona-assets quality --json`, for the card
    sources: Mapping[str, str] = field(default_factory=dict)  # licences of pages by crawl release, for the card


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
            UsageError: there is no such dataset, format, column, report or crawl release.
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
        dumps = {dump_of(key) for key in lake.keys(RAW_DOCUMENTS)}
        if strangers := sorted(job.sources.keys() - dumps):
            raise UsageError(f"--source-license: no crawl release {strangers[0]}; {did_you_mean(strangers[0], dumps)}")
        self.quality = measured(job.quality, self.dataset.name) if job.quality else None
        self.told = self._told()
        self.shaped: Shaped = FORMATS[job.form](self._columns())

    # Columns

    def _columns(self) -> Columns:
        """The columns that a format can use: two that are named come before a column of messages."""
        named = self.told and self.job.form in CONVERSATIONS
        own = {name: dtype for name, dtype in self.dataset.polars.items() if name != "messages" or not named}
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
        return None if self.view is None else sum(one.rows.rows for one in self.lake.sound(self.view).values())

    @cached_property
    def digest(self) -> str:
        """Digest of what is asked for and of the partitions that are read: the same folder comes of the same."""
        tables = [self.dataset, *filter(None, [self.view]), *(one.table for one in self.told.values())]
        paths = [path.removeprefix(self.lake.root) for table in tables for path in self.lake.paths(table)]
        asked = [self.job.source, self.job.form, *map(str, self.told.values()), self.job.licence]
        about = [dict(self.job.sources), asdict(self.quality) if self.quality else None]
        return digest(canonical_json([asked, paths, about]))

    def frames(self) -> Iterator[pl.DataFrame]:
        """Rows, at most `BATCH` at a time: `id`, `language`, the format's columns, those of `COUNTED`, and `FAULT`.

        Memory holds, beside them, the texts that a partition's rows take from those that they were made from.

        Raises:
            DamagedPartition: a partition's bytes are not those that were committed.
        """
        split = pl.col("split").fill_null("train") if "split" in self.dataset.polars else pl.lit("train")
        by_shard = self.dataset.partition == "shard"
        about = {
            "_split": split,
            "_mode": self._own("mode"),
            "_dump": pl.col("shard").str.replace(r"\.[^.]*$", "") if by_shard else pl.lit(None, pl.String()),
            "_model": self._own("model"),
            FAULT: self.shaped.fault,
        }
        columns = {"id": pl.col("sample_id"), "language": pl.col("language"), **self.shaped.columns, **about}
        wanted = {one.link.column if one.link else one.column for one in self.told.values()}
        wanted |= {name for column in columns.values() for name in column.meta.root_names()}
        names = [name for name in self.dataset.polars if name in wanted]
        above = {name: self._texts_above(place, None) for name, place in self.told.items() if not self._alike(place)}
        for key in self.lake.keys(self.dataset):
            above |= {name: self._texts_above(place, [key]) for name, place in self.told.items() if self._alike(place)}
            ids = self._selected_in(key)
            for batch in self.lake.batches(self.dataset, key, BATCH, names):
                rows = batch if ids is None else batch.join(ids, on="sample_id", how="semi", maintain_order="left")
                if rows.height:
                    yield self._with(rows, above).select(**columns)

    def _own(self, name: str) -> pl.Expr:
        return pl.col(name) if name in self.dataset.polars else pl.lit(None, pl.String())

    def _selected_in(self, key: str) -> pl.DataFrame | None:
        """The ids that the view selects in a partition of the dataset; None without a view."""
        if self.view is None:
            return None
        return self.lake.scan(self.view).filter(selected_shard=key).select(sample_id="selected_id").collect()

    def _alike(self, place: Place) -> bool:
        """Whether a row was made from one in the partition of the same key."""
        return place.link is not None and place.table.partition == self.dataset.partition

    def _texts_above(self, place: Place, keys: list[str] | None) -> pl.DataFrame | None:
        """The texts of what rows were made from, in these partitions or in all; None for a column of their own."""
        if place.link is None:
            return None
        return self.lake.scan(place.table, keys).select(_parent=place.table.key, _text=place.column).collect()

    def _with(self, rows: pl.DataFrame, above: Mapping[str, pl.DataFrame | None]) -> pl.DataFrame:
        """The rows with the columns that are told."""
        found = dict[str, pl.Series]()
        for name, place in self.told.items():
            texts = above[name]
            if texts is None or place.link is None:
                found[name] = rows[place.column]
                continue
            link = pl.col(place.link.column)
            first = link.list.first() if isinstance(self.dataset.polars[place.link.column], pl.List) else link
            made_from = rows.select(_parent=first)
            found[name] = made_from.join(texts, on="_parent", how="left", maintain_order="left")["_text"]
        return rows.with_columns(**found)
