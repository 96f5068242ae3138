"""What the models of a recipe, and what they were trained from, are asked."""

import polars as pl

from persona_assets.evaluation.items import COLUMNS, NULLABLE, items_of, items_shown
from persona_assets.tasks.derived import data_files, derived
from persona_assets.training import BENCHMARKS, CHECKERS, RECIPE
from persona_assets.training.recipe import BENCHMARK_FILES, RECIPES, TEXTS, benchmarks_of, recipe_of


@derived(
    reads=(
        data_files("recipes/*.yaml", table=RECIPES, texts=TEXTS, partitions="over"),
        *("training_mix", "fine_tuned_model"),
    ),
    columns=COLUMNS,
    description="The items of a recipe's suites, each for the base and for every model that was trained.",
    cites={"mix_id": "training_mix", "benchmark_id": BENCHMARK_FILES, "model_id": "fine_tuned_model"},
    files=(data_files("benchmarks/*", table=BENCHMARK_FILES),),
    looks=lambda rows: benchmarks_of(rows(RECIPES)),
    nullable=NULLABLE,
    shows=items_shown,
    modules=(
        *(*RECIPE, *BENCHMARKS),
        *("evaluation.benchmarks", "evaluation.grading", "evaluation.ifeval", "evaluation.items", "evaluation.tables"),
        *(*CHECKERS, "maths.compare"),
        *("maths.numbers", "maths.solution", "maths.words", "tasks.split"),
    ),
)
def evaluation_items(
    recipes: pl.LazyFrame, mix: pl.LazyFrame, models: pl.LazyFrame, benchmarks: pl.LazyFrame | None = None
) -> pl.DataFrame:
    """One row an item and model; a recipe without suites is set aside."""
    [row] = recipes.collect().to_dicts()
    recipe, _ = recipe_of(row)
    found = items_of(recipe, mix, models.collect(), benchmarks)
    if not found.height:
        said = "the recipe names no suites, or nothing is held out for them"
        nothing = {"parent_ids": [row["row_id"]], "reason": "no_items", "detail": said}
        return pl.DataFrame([nothing], schema=evaluation_items.schema)
    return found.select(pl.lit([row["row_id"]], pl.List(pl.String)).alias("parent_ids"), *COLUMNS)
