"""Which rows a model is trained on, and which are held out for it."""

import polars as pl

from persona_assets.lake import Lake, Table
from persona_assets.tasks.derived import data_files, derived
from persona_assets.training import MODULES
from persona_assets.training.base import tokens_of
from persona_assets.training.mix import COLUMNS, NULLABLE, TAKEN, mix_shown, mixed, no_empty_stage
from persona_assets.training.recipe import RECIPES, TEXTS, check_recipes, datasets_of, recipe_of, tables_of


@derived(
    reads=data_files("recipes/*.yaml", table=RECIPES, texts=TEXTS, partitions="over"),
    columns=COLUMNS,
    description="The rows that a model is trained on in each stage, and those held out for it (Persona Hub, 4.1).",
    cites={TAKEN: lambda rows: datasets_of(rows(RECIPES))},
    nullable=NULLABLE,
    set_checks=(no_empty_stage,),
    settings=("held_out_share",),
    modules=(*MODULES, "draws", "tasks.split", "training.base", "training.mix", "training.pieces"),
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
    found = mixed(recipe, of, frames, tables, held_out_share, lambda texts: tokens_of(recipe.base, texts, lake))
    return found.select(pl.lit([row["row_id"]]).alias("parent_ids"), *COLUMNS)
