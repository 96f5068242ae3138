"""The models that are trained on a mix."""

from typing import Any

import polars as pl

from persona_assets.lake import Lake
from persona_assets.progress import Progress
from persona_assets.tasks.derived import data_files, derived
from persona_assets.training import MIX
from persona_assets.training.base import base_name
from persona_assets.training.models import POINT, Models
from persona_assets.training.page import models_shown
from persona_assets.training.recipe import RECIPES, TEXTS, recipe_of

COLUMNS: dict[str, Any] = {
    "seed": pl.Int64,
    "model": pl.String,
    "revision": pl.String,
    "base": pl.String,
    "mix": pl.String,
    "rows": pl.Int64,
    "tokens": pl.Int64,
    "steps": pl.Int64,
    "parameters": pl.Int64,
    "trained": pl.Int64,
    "first_loss": pl.Float64,
    "last_loss": pl.Float64,
    "curve": pl.List(POINT),
}


def models_lacking(recipes: pl.LazyFrame, mix: pl.LazyFrame, lake: Lake) -> int:
    """How many models of a recipe the lake lacks."""
    rows, models = recipes.collect().to_dicts(), Models(lake)
    told = [recipe_of(row)[0] for row in rows]
    return sum(models.lacking(recipe, mix) for recipe in told)


@derived(
    reads=(data_files("recipes/*.yaml", table=RECIPES, texts=TEXTS, partitions="over"), "training_mix"),
    columns=COLUMNS,
    description="The models that are trained on a mix, one for each seed (Persona Hub, 4.1); weights lie in the lake.",
    whole={"mix": "training_mix"},
    modules=(
        *MIX,
        *("training.card", "training.estimate", "training.models", "training.page", "training.process"),
        *("view.html", "view.markdown", "view.safe"),
    ),
    given=("lake", "told"),
    trains=lambda recipes, mix, lake: models_lacking(recipes, mix, lake),
    shows=models_shown,
)
def fine_tuned_model(recipes: pl.LazyFrame, mix: pl.LazyFrame, *, lake: Lake, told: Progress | None) -> pl.DataFrame:
    """One row a seed; what the lake has already is not trained again, and in an audit nothing is trained.

    Raises:
        TrainingFailed: a model cannot be trained.
        NotTrained: weights are gone, and this is an audit.
    """
    [row] = recipes.collect().to_dicts()
    recipe, _ = recipe_of(row)
    models = Models(lake)
    key = mix.select(pl.col("shard").first()).collect().item()
    found: list[dict[str, Any]] = []
    for seed in recipe.seeds:
        model = models.trained(recipe, seed, mix, told)
        stages = [*model.result["stages"].values()]
        found.append(
            {
                "parent_ids": [row["row_id"]],
                "seed": seed,
                "model": model.name,
                "revision": model.weights,
                "base": model.base or base_name(recipe.base, lake),
                "mix": key,
                **{name: sum(stage[name] for stage in stages) for name in ("rows", "tokens", "steps")},
                **{name: stages[-1][name] for name in ("parameters", "trained", "last_loss")},
                "first_loss": stages[0]["first_loss"],
                "curve": model.curve,
            }
        )
    return pl.DataFrame(found, schema={"parent_ids": pl.List(pl.String), **COLUMNS})
