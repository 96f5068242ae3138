"""What came of a recipe: how good its models are, and how far from what they were trained from."""

import polars as pl

from persona_assets.evaluation.page import results_shown
from persona_assets.evaluation.results import NULLABLE, RESULTS, results
from persona_assets.tasks.derived import data_files, derived
from persona_assets.training.recipe import RECIPES, TEXTS

COLUMNS = {**RESULTS, "grades": pl.String}


@derived(
    reads=(data_files("recipes/*.yaml", table=RECIPES, texts=TEXTS, partitions="over"), "evaluation_grades"),
    columns=COLUMNS,
    description="What a recipe's models reach in each suite, beside what they were trained from, with intervals.",
    whole={"grades": "evaluation_grades"},
    nullable=NULLABLE,
    modules=(
        *("evaluation.measured", "evaluation.results", "evaluation.seeds", "evaluation.statistics"),
        *("evaluation.tables", "maths.compare", "maths.numbers", "maths.solution", "maths.words"),
        *("surveys.shares", "votes.plain"),
    ),
    shows=results_shown,
)
def evaluation(recipes: pl.LazyFrame, grades: pl.LazyFrame) -> pl.DataFrame:
    """One row for each suite, stratum, language, measure and system; without any grade the recipe is set aside."""
    row_id = recipes.select("row_id").collect().item()
    graded = grades.collect()
    if not graded.height:
        nothing = {"parent_ids": [row_id], "reason": "no_grades", "detail": "nothing was asked of its models"}
        return pl.DataFrame([nothing], schema=evaluation.schema)
    found = results(graded.drop("sample_id"))
    about = {"parent_ids": pl.lit([row_id], pl.List(pl.String)), "grades": pl.lit(graded["shard"][0])}
    return found.with_columns(**about).select("parent_ids", *COLUMNS)
