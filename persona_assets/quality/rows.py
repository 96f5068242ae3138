"""The texts of datasets, in batches: what the measures look at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from persona_assets.graph import Asset
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import DEDUPED_PERSONAS
from persona_assets.lake.store import dump_of
from persona_assets.tasks.step import TaskStep
from persona_assets.tasks.table import TALK, row_schema

SCHEMA = pl.Schema(
    {
        "id": pl.String(),
        "shard": pl.String(),
        "text": pl.String(),
        "language": pl.String(),
        "mode": pl.String(),
        "persona_id": pl.String(),
        "hop": pl.Int8(),
        "persona": pl.String(),
    }
)


@dataclass(frozen=True)
class Texts:
    """A dataset whose rows hold texts: `text` is an expression over its columns."""

    table: Table
    text: pl.Expr

    @property
    def name(self) -> str:
        """The dataset."""
        return self.table.name

    def shards(self, lake: Lake, dumps: Sequence[str]) -> list[str]:
        """Its partitions that are there, of some dumps or, where none is named, of all."""
        return [key for key in lake.keys(self.table) if not dumps or dump_of(key) in dumps]

    def batches(self, lake: Lake, dumps: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Its rows in the columns of `SCHEMA`, a partition at a time, by id; rows without a text are left out.

        `persona_id`, `hop` and `persona` are those of the row's first persona; null where it has none.
        """
        there = self.table.polars
        own = {
            "id": pl.col("sample_id"),
            "shard": pl.col("shard"),
            "text": self.text,
            "language": pl.col("language").fill_null(""),
            "mode": pl.col("mode") if "mode" in there else pl.lit(None, pl.String()),
            "persona_id": pl.col("persona_ids").list.first(),
        }
        for key in self.shards(lake, dumps):
            personas = lake.scan(DEDUPED_PERSONAS, [key]).select("persona_id", "hop", persona="text")
            rows = lake.scan(self.table, [key]).select(**own).join(personas, on="persona_id", how="left")
            found = rows.filter(pl.col("text").str.len_chars() > 0).sort("id").collect()
            yield found.select(SCHEMA.names()).cast(SCHEMA)


def datasets_of(graph: Mapping[str, Asset]) -> dict[str, Texts]:
    """The datasets over shards whose rows models wrote as texts, by name."""
    found = {}
    for name, asset in graph.items():
        if asset.is_task and asset.table.partition == "shard" and isinstance(asset.step, TaskStep):
            text = _text_of(asset.step, asset.table)
            if text is not None:
                found[name] = Texts(asset.table, text)
    return found


def _text_of(step: TaskStep, table: Table) -> pl.Expr | None:
    """The texts of a row, a line each; None where it holds none. What one of a few words says is no text."""
    parts = []
    for name, schema in row_schema(step.template)["properties"].items():
        if table.polars.get(name) == pl.String() and "enum" not in schema and schema.get("type") == "string":
            parts.append(pl.col(name))
        elif name == TALK:
            parts.append(pl.col(TALK).list.eval(pl.element().struct.field("text")).list.join("\n"))
    return pl.concat_str(parts, separator="\n", ignore_nulls=True).str.strip_chars() if parts else None
