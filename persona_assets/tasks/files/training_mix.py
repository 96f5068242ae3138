"""Which rows a model is trained on, and which are held out for it."""

import polars as pl

from persona_assets.contamination.index import BenchmarkIndex
from persona_assets.contamination.items import item_of
from persona_assets.lake import Lake, Table
from persona_assets.tasks.derived import data_files, derived
from persona_assets.training import MIX
from persona_assets.training.base import tokens_of
from persona_assets.training.mix import COLUMNS, NULLABLE, TAKEN, mix_shown, mixed, no_empty_stage
from persona_assets.training.recipe import (
    BENCHMARK_FILES,
    RECIPES,
    TEXTS,
    Recipe,
    check_recipes,
    datasets_of,
    recipe_of,
    tables_of,
)


def index_of(recipe: Recipe, benchmarks: pl.LazyFrame | None) -> BenchmarkIndex | None:
    """The items of the benchmarks that a recipe is measured by; None where there are none."""
    if benchmarks is None:
        return None
    rows = benchmarks.filter(pl.col("shard").is_in(recipe.files)).sort("shard", "place").collect()
    return BenchmarkIndex(item_of(row, row["file"], row["place"] + 1) for row in rows.iter_rows(named=True))


@derived(
    reads=data_files("recipes/*.yaml", table=RECIPES, texts=TEXTS, partitions="over"),
    columns=COLUMNS,
    description="The rows that a model is trained on in each stage, and those held out for it (Persona Hub, 4.1).",
    cites={TAKEN: lambda rows: datasets_of(rows(RECIPES))},
    nullable=NULLABLE,
    set_checks=(no_empty_stage,),
    settings=("held_out_share",),
    modules=MIX,
    files=(data_files("benchmarks/*", table=BENCHMARK_FILES),),
    check=lambda tables, rows: check_recipes(rows(RECIPES), tables),
    looks=lambda rows: tables_of(rows(RECIPES)),
    given=("tables", "lake"),
    shows=mix_shown,
)
def training_mix(
    recipes: pl.LazyFrame, *read: pl.LazyFrame, tables: dict[str, Table], lake: Lake, held_out_share: float
) -> pl.DataFrame:
    """The rows of a recipe's stages, by the ids of those that they were taken from, with their texts."""
    [row] = recipes.collect().to_dicts()
    recipe, of = recipe_of(row)
    frames = dict(zip(recipe.tables, read, strict=True))
    test = index_of(recipe, frames.get(BENCHMARK_FILES))
    found = mixed(recipe, of, frames, tables, held_out_share, lambda texts: tokens_of(recipe.base, texts, lake), test)
    return found.select(pl.lit([row["row_id"]]).alias("parent_ids"), *COLUMNS)
