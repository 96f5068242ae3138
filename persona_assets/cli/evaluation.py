"""`persona-assets evaluation`: what a recipe's models reach beside what they started from, and recipes compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from persona_assets.cli.results import show_results
from persona_assets.cli.run import out
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.evaluation import matrix_page
from persona_assets.evaluation.changes import changes
from persona_assets.evaluation.items import left_out_of
from persona_assets.evaluation.matrix import matrix
from persona_assets.evaluation.matrix_page import Comparison, comparison_page
from persona_assets.evaluation.page import Evaluation, blocks, evaluation_page
from persona_assets.graph import Asset, assets, recipe_keys
from persona_assets.lake import Lake
from persona_assets.lake.format import open_lake
from persona_assets.settings import Settings
from persona_assets.training.page import curves
from persona_assets.training.recipe import RECIPES
from persona_assets.view import blocks as view
from persona_assets.view.html import render_page
from persona_assets.view.json import to_json
from persona_assets.view.terminal import say, show

EVALUATION, GRADES = "evaluation", "evaluation_grades"
REMEDY = "`PERSONA_DATASETS=evaluation PERSONA_RECIPES={} persona-assets run` trains and asks its models"


def show_evaluation(settings: Settings, names: Sequence[str], *, as_json: bool, html: Path | None) -> None:
    """Show what a recipe came to; of several how far the others lie from the first; without a name all that there are.

    Raises:
        UsageError: there is no such recipe, or its models were not evaluated yet.
    """
    if len(names) > 1:
        _show_comparison(settings, names, as_json=as_json, html=html)
        return
    show_results(
        settings,
        "recipe",
        EVALUATION,
        names[0] if names else None,
        evaluation_of,
        blocks,
        evaluation_page,
        as_json=as_json,
        html=html,
        files=RECIPES,
        remedy=REMEDY.format(names[0] if names else ""),
    )


def evaluation_of(lake: Lake, graph: Mapping[str, Asset], name: str) -> Evaluation:
    """What stands in the lake of a recipe's evaluation."""

    def read(asset: str) -> pl.LazyFrame:
        return lake.scan(graph[asset].table, [name])

    models = read("fine_tuned_model").sort("seed").collect()
    asked = read("evaluation_items").select("sample_id", "suite", "item_id", "system", "seed", "prompt", "left_out")
    items = asked.filter(pl.col("left_out").is_null()).drop("left_out")
    answers = read("evaluation_answers").select("answer", sample_id=pl.col("parent_ids").list.first())
    answered = items.join(answers, on="sample_id", how="inner").drop("sample_id").collect()
    trained = [
        (view.words(block.up), block)
        for block in curves({str(row["seed"]): row["curve"] for row in models.iter_rows(named=True)})
        if isinstance(block, view.Chart)
    ]
    return Evaluation(
        name,
        read(EVALUATION).collect().to_dicts(),
        [*_facts(models), *_aside(asked.collect())],
        changes(read(GRADES).collect(), answered),
        [(f"Training: {said} by step", chart) for said, chart in trained],
    )


def _facts(models: pl.DataFrame) -> list[tuple[view.Line, view.Line]]:
    """What was trained, from what, and on how much."""
    first = models.row(0, named=True)
    base = "random weights" if first["base"].startswith(first["model"]) else view.Code(first["base"])
    return [
        ("base", base),
        ("parameters", f"{first['parameters']:,}, of which {first['trained']:,} were trained"),
        ("trained on", f"{first['rows']:,} rows, {first['tokens']:,} tokens in {first['steps']:,} steps"),
        ("seeds", ", ".join(map(str, models["seed"]))),
        ("models", view.Code(", ".join(models["model"]))),
        ("to audit them", view.Code(f"persona-assets audit {first['sample_id']}")),
    ]


def _aside(items: pl.DataFrame) -> list[tuple[view.Line, view.Line]]:
    """Which items no model was asked, and why."""
    found = left_out_of(items).rows()
    return [("left out", "; ".join(f"{suite}: {count:,} items, {why}" for suite, why, count in found))] if found else []


def _show_comparison(settings: Settings, names: Sequence[str], *, as_json: bool, html: Path | None) -> None:
    lake, graph = open_lake(settings.lake), assets(settings)
    made = lake.keys(graph[EVALUATION].table)
    for name in names:
        if name not in made:
            if name not in (known := recipe_keys(graph)):
                raise UsageError(f"there is no recipe {name}; {did_you_mean(name, known)}")
            raise UsageError(f"{name} has no results yet: {REMEDY.format(name)}")
    grades = {name: lake.scan(graph[GRADES].table, [name]).collect() for name in names}
    sizes = {name: _sizes(lake, graph, name) for name in names}
    comparison = Comparison(", ".join(names), names[0], matrix(grades, names[0]).to_dicts(), sizes)
    if html:
        html.write_text(render_page(comparison_page(comparison)), encoding="utf-8")
    if as_json:
        out.print_json(to_json(comparison.as_dict()))
        return
    show(out, *matrix_page.blocks(comparison))
    if html:
        say(out, f"written to {html}")


def _sizes(lake: Lake, graph: Mapping[str, Asset], name: str) -> dict[str, float]:
    """How many rows a recipe's models were trained on, of how many personas, and rows for each of these."""
    mix = lake.scan(graph["training_mix"].table, [name])
    used = mix.filter((pl.col("side") == "train") & pl.col("left_out").is_null() & pl.col("taken_id").is_not_null())
    taken = used.select("dataset", "taken_id").collect()
    personas = set[str]()
    for (dataset,), own in taken.group_by("dataset"):
        table = graph[str(dataset)].table
        rows = (
            lake.scan(table)
            .select("sample_id", "persona_ids")
            .join(own.lazy().select(sample_id="taken_id"), on="sample_id", how="semi")
        )
        personas |= {one[0] for one in rows.collect()["persona_ids"].to_list() if one}
    each = {"rows per persona": round(taken.height / len(personas), 2)} if personas else {}
    return {"rows": taken.height, **({"personas": len(personas)} if personas else {}), **each}
