"""The texts of datasets, in batches: what the measures look at."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import DEDUPED_PERSONAS
from persona_assets.lake.store import dump_of
from persona_assets.prompts import Template
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
Part = Callable[[str], pl.LazyFrame]  # the rows of one partition


@dataclass(frozen=True)
class Texts:
    """A dataset whose rows hold texts: `text` is an expression over its columns. `keys` are its partitions.

    `rows` and `personas` give the rows of a partition, and the published personas there.
    """

    name: str
    text: pl.Expr
    keys: Sequence[str]
    rows: Part
    personas: Part

    def batches(self) -> Iterator[pl.DataFrame]:
        """Its rows in the columns of `SCHEMA`, a partition at a time, by id; rows without a text are left out.

        `persona_id`, `hop` and `persona` are those of the row's first persona; null where it has none.
        """
        for key in self.keys:
            rows = self.rows(key)
            own = {
                "id": pl.col("sample_id"),
                "shard": pl.col("shard"),
                "text": self.text,
                "language": pl.col("language").fill_null(""),
                "mode": pl.col("mode") if "mode" in rows.collect_schema() else pl.lit(None, pl.String()),
                "persona_id": pl.col("persona_ids").list.first(),
            }
            personas = self.personas(key).select("persona_id", "hop", persona="text")
            found = rows.select(**own).join(personas, on="persona_id", how="left")
            yield (
                found.filter(pl.col("text").str.len_chars() > 0)
                .sort("id")
                .collect()
                .select(SCHEMA.names())
                .cast(SCHEMA)
            )

    def again(self, survivors: pl.DataFrame) -> pl.Series:
        """The texts of some rows, given by `persona_id` (the row's id) and the partition `shard`."""
        found = [
            self.rows(str(key)).select(persona_id="sample_id", text=self.text).collect()
            for (key,), _ in survivors.group_by("shard")
        ]
        texts = pl.concat(found) if found else pl.DataFrame(schema={"persona_id": pl.String(), "text": pl.String()})
        return survivors.join(texts, on="persona_id", how="left", maintain_order="left")["text"]


def texts_in(lake: Lake, table: Table, text: pl.Expr, dumps: Sequence[str] = ()) -> Texts:
    """The texts of a dataset as the lake has it, of some dumps or, where none is named, of all."""
    keys = [key for key in lake.keys(table) if not dumps or dump_of(key) in dumps]
    return Texts(
        table.name,
        text,
        keys,
        lambda key: lake.scan(table, [key]),
        lambda key: lake.scan(DEDUPED_PERSONAS, [key]),
    )


def texts_of(name: str, text: pl.Expr, rows: pl.LazyFrame, personas: pl.LazyFrame) -> Texts:
    """The texts of a dataset's rows, which are all there are."""
    keys = rows.select(pl.col("shard").unique().sort()).collect()["shard"].to_list()
    own = pl.col("shard")
    return Texts(name, text, keys, lambda key: rows.filter(own == key), lambda key: personas.filter(own == key))


def datasets_of(steps: Mapping[str, Any]) -> dict[str, tuple[Table, pl.Expr]]:
    """The datasets over shards whose rows models wrote as texts, of the steps of `tasks.load.datasets`, by name."""
    found = {}
    for name, step in steps.items():
        if isinstance(step, TaskStep) and step.table.partition == "shard":
            text = text_of(step.template)
            if text is not None:
                found[name] = (step.table, text)
    return found


def text_of(template: Template) -> pl.Expr | None:
    """The texts of a row, a line each; None where it holds none. What one of a few words says is no text."""
    parts = []
    for name, schema in row_schema(template)["properties"].items():
        if name == TALK:
            parts.append(pl.col(TALK).list.eval(pl.element().struct.field("text")).list.join("\n"))
        elif "enum" not in schema and schema.get("type") == "string":
            parts.append(pl.col(name))
    return pl.concat_str(parts, separator="\n", ignore_nulls=True).str.strip_chars() if parts else None
