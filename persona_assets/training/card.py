"""The card of a trained model: what it was trained from and on, and how to trace it. It lies beside the weights."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import yaml

from persona_assets.tasks.split import HELD_OUT, TRAIN
from persona_assets.training.mix import TAKEN
from persona_assets.training.recipe import FromScratch, Recipe
from persona_assets.view import blocks as view
from persona_assets.view import markdown

UNKNOWN = "unknown"  # the licence of what models wrote of web pages: no lake knows it


def card(model_id: str, recipe: Recipe, seed: int, mix: pl.LazyFrame, result: Mapping[str, Any]) -> str:
    """The text of the card, in Markdown with a header in YAML; nothing in it hangs on when and where it was trained."""
    used = (pl.col("side") == TRAIN) & pl.col("left_out").is_null() & pl.col(TAKEN).is_not_null()
    rows = mix.filter(used)
    languages = rows.select(pl.col("language").drop_nulls().unique().sort()).collect()["language"].to_list()
    key = mix.select(pl.col("shard").first()).collect().item()
    base = "random weights" if isinstance(recipe.base, FromScratch) else recipe.base
    header: dict[str, Any] = {
        "license": UNKNOWN,
        "language": languages,
        "library_name": "transformers",
        "tags": ["synthetic", "personas", *sorted({stage.kind for stage in recipe.stages})],
    }
    header |= {} if isinstance(recipe.base, FromScratch) else {"base_model": recipe.base}
    stages: Mapping[str, Any] = result["stages"]
    told = yaml.safe_dump(header, sort_keys=False, allow_unicode=True)
    body = view.Section(
        recipe.title,
        [
            view.facts(
                [
                    ("model", view.Code(model_id)),
                    ("recipe", view.Code(key)),
                    ("base", view.Code(base)),
                    ("seed", str(seed)),
                ]
            ),
            view.Section("Trained on", [_datasets(rows)]),
            *(view.Section(("Stage ", view.Code(name)), [_stage(recipe, name, of)]) for name, of in stages.items()),
            view.Section("What to know", [view.Lines(_limits(mix))]),
            view.Section("To trace it", [view.Lines(_tracing(model_id, key))]),
        ],
    )
    return f"---\n{told}---\n\n{markdown.render(body, level=1)}\n"


def _datasets(rows: pl.LazyFrame) -> view.Table:
    by = ["stage", "dataset", "role", "language"]
    counts = rows.group_by(by).agg(rows=pl.len(), tokens=pl.col("tokens").sum()).sort(by, nulls_last=True).collect()
    heads = [*view.left("stage", "dataset", "rows that are", "language"), *view.right("rows", "tokens")]
    return view.Table(
        heads,
        [
            [*(view.Code(row[name] or "") for name in by), f"{row['rows']:,}", f"{row['tokens']:,}"]
            for row in counts.iter_rows(named=True)
        ],
    )


def _stage(recipe: Recipe, name: str, of: Mapping[str, Any]) -> view.Table:
    train = next(stage.train for stage in recipe.stages if stage.id == name)
    settings = {key: value for key, value in train.model_dump(mode="json").items() if value is not None}
    facts: list[tuple[view.Line, view.Line]] = [
        ("kind", of["kind"]),
        ("steps", f"{of['steps']:,}"),
        ("loss", f"{of['first_loss']:.3f} at first, {of['last_loss']:.3f} at last"),
        ("parameters", f"{of['parameters']:,}, of which {of['trained']:,} were trained"),
        *((key, view.Code(str(value))) for key, value in settings.items()),
    ]
    return view.facts(facts)


def _limits(mix: pl.LazyFrame) -> list[view.Line]:
    held = mix.filter((pl.col("side") == HELD_OUT) & pl.col("left_out").is_null()).select(pl.len()).collect().item()
    return [
        "Models wrote the texts that it was trained on, from personas found in web text or from data files: whatever "
        "licence, bias or mistake these have, it may have too. Under which licence the pages stand, nobody has said.",
        f"{held:,} rows that it has not seen were kept to measure it by: what it gets is in the lake's evaluation.",
    ]


def _tracing(model_id: str, key: str) -> list[view.Line]:
    rows, own = f"training_mix WHERE shard = '{key}'", f"fine_tuned_model WHERE model = 'lake:{model_id}'"
    asked = [view.Code(f'persona-assets sql "SELECT * FROM {one}"') for one in (rows, own)]
    return [
        ("Its rows, each with where it was taken from: ", asked[0]),
        ("Its own row: ", asked[1]),
        ("From either down to the pages: ", view.Code("persona-assets audit ID")),
    ]
