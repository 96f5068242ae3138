"""What the models of a recipe, and what they were trained from, are asked."""

import polars as pl

from persona_assets.evaluation.items import COLUMNS, NULLABLE, items_of
from persona_assets.tasks.derived import data_files, derived
from persona_assets.training.recipe import RECIPES, TEXTS, recipe_of


@derived(
    reads=(
        data_files("recipes/*.yaml", table=RECIPES, texts=TEXTS, partitions="over"),
        *("training_mix", "fine_tuned_model"),
    ),
    columns=COLUMNS,
    description="The items of a recipe's suites, each for the base and for every model that was trained.",
    cites={"mix_id": "training_mix", "model_id": "fine_tuned_model"},
    nullable=NULLABLE,
    modules=("evaluation.grading", "evaluation.items", "ids", "tasks.split", "training.recipe"),
)
def evaluation_items(recipes: pl.LazyFrame, mix: pl.LazyFrame, models: pl.LazyFrame) -> pl.DataFrame:
    """One row an item and model; a recipe without suites is set aside."""
    [row] = recipes.collect().to_dicts()
    recipe, _ = recipe_of(row)
    found = items_of(recipe, mix, models.collect())
    if not found.height:
        said = "the recipe names no suites, or nothing is held out for them"
        nothing = {"parent_ids": [row["row_id"]], "reason": "no_items", "detail": said}
        return pl.DataFrame([nothing], schema=evaluation_items.schema)
    return found.select(pl.lit([row["row_id"]], pl.List(pl.String)).alias("parent_ids"), *COLUMNS)
