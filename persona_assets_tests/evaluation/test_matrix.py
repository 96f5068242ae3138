"""Recipes compared on the same items, over seeds."""

import json
import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from persona_assets.errors import UsageError
from persona_assets.evaluation import statistics
from persona_assets.evaluation.grades import grades
from persona_assets.evaluation.matrix import MATRIX, NULLABLE, matrix
from persona_assets.evaluation.matrix_page import Comparison, blocks, comparison_page, conclusions
from persona_assets.evaluation.measured import Measured
from persona_assets.evaluation.seeds import pooled
from persona_assets.view import html
from persona_assets.view.blocks import Chart, Section, words
from persona_assets_tests.evaluation.simulated import Values, answers, logistic

FAMILIES = np.repeat(np.arange(50), 3)


def recipe(rng: np.random.Generator, gain: float, seeds: int = 3, by_seed: float = 0.2) -> pl.DataFrame:
    """The grades of a recipe whose models are that much better, on items that are hard in the same way for all."""
    right = drawn(rng, gain, seeds, by_seed)
    return grades(answers(np.zeros(len(FAMILIES)), right, FAMILIES))


def drawn(rng: np.random.Generator, gain: float, seeds: int, by_seed: float) -> Values:
    hard = np.random.default_rng(0).normal(0, 1, 50)[FAMILIES]
    luck = rng.normal(0, by_seed, seeds)
    return (rng.random((len(hard), seeds)) < logistic(gain + hard[:, None] + luck)).astype(np.float64)


@pytest.fixture(scope="module")
def three() -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(0)
    return {"whole": recipe(rng, 1.0), "without_hops": recipe(rng, -1.0), "without_pages": recipe(rng, 1.0)}


def row(found: pl.DataFrame, recipe: str) -> dict[str, Any]:
    whole = pl.col("stratum").is_null() & pl.col("of_language").is_null()
    (one,) = found.filter(whole, pl.col("recipe") == recipe).to_dicts()
    return one


def test_each_recipe_has_its_value_and_its_distance_from_the_reference(three: dict[str, pl.DataFrame]) -> None:
    found = matrix(three, "whole")
    assert found.schema == pl.Schema(MATRIX)
    assert not [name for name in MATRIX if name not in NULLABLE and found[name].null_count()]
    values = {name: own.filter(system="tuned")["value"].mean() for name, own in three.items()}
    for name, value in values.items():
        one = row(found, name)
        assert one["value"] == pytest.approx(value)
        assert (one["seeds"], len(one["seed_values"]), one["seed_freedom"]) == (3, 3, 6)
        assert one["low"] <= one["value"] <= one["high"]
    assert row(found, "whole")["minus_reference"] is None
    far, near = row(found, "without_hops"), row(found, "without_pages")
    assert far["minus_reference"] == pytest.approx(values["without_hops"] - values["whole"])
    assert far["minus_reference_high"] < 0
    assert near["minus_reference_low"] < 0 < near["minus_reference_high"]


def test_a_recipe_with_one_seed_borrows_the_variance_of_the_others(three: dict[str, pl.DataFrame]) -> None:
    single = three["without_hops"].filter(pl.col("seed").is_null() | (pl.col("seed") == 0))
    found = matrix({**three, "without_hops": single}, "whole")
    one, all_three = row(found, "without_hops"), row(matrix(three, "whole"), "without_hops")
    assert (one["seeds"], one["seed_freedom"]) == (1, 4)
    widths = [row["minus_reference_high"] - row["minus_reference_low"] for row in (one, all_three)]
    assert widths[0] > widths[1]


def test_where_nobody_has_two_seeds_their_variance_is_said_to_be_unknown(three: dict[str, pl.DataFrame]) -> None:
    single = {name: own.filter(pl.col("seed").is_null() | (pl.col("seed") == 0)) for name, own in three.items()}
    found = matrix(single, "whole")
    assert set(found["seed_freedom"]) == {0}
    lines = [words(line) for line in conclusions(Comparison("a", "whole", found.to_dicts()))]
    assert any("No recipe has two seeds" in line for line in lines)


def test_recipes_that_are_alike_are_told_apart_as_rarely_as_the_intervals_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 300)
    rng = np.random.default_rng(2)
    false, trials = 0, 150
    families = FAMILIES.astype(np.int64)
    for _ in range(trials):
        systems = [Measured.of(drawn(rng, 0.0, 3, 0.5), families) for _ in range(3)]
        means = [one.seed_means for one in systems]
        seeds = pooled(means, means[0], means[1])
        apart = statistics.difference(systems[0], systems[1], shares=True, seeds=seeds)
        assert apart.low is not None and apart.high is not None
        false += apart.low > 0 or apart.high < 0
    assert false / trials <= 0.08


def test_items_that_only_one_recipe_was_asked_are_left_out_of_differences(three: dict[str, pl.DataFrame]) -> None:
    part = three["without_hops"].filter(pl.col("item_id").str.ends_with("1"))
    found = matrix({"whole": three["whole"], "part": part}, "whole")
    ids = set(part["item_id"])
    whole = three["whole"].filter(pl.col("item_id").is_in(ids), pl.col("system") == "tuned")["value"].mean()
    assert isinstance(whole, float)
    one = row(found, "part")
    assert one["items"] == len(ids)
    assert one["minus_reference"] == pytest.approx(one["value"] - whole)


def test_recipes_without_a_common_item_are_refused(three: dict[str, pl.DataFrame]) -> None:
    other = three["whole"].with_columns(item_id=pl.concat_str(pl.lit("x"), "item_id"))
    with pytest.raises(UsageError, match="recipes other and whole have no item in common"):
        matrix({"whole": three["whole"], "other": other}, "whole")


def test_a_reference_that_is_not_there_is_named_with_those_that_are(three: dict[str, pl.DataFrame]) -> None:
    with pytest.raises(UsageError, match="did you mean whole"):
        matrix(three, "hole")


def test_the_order_of_grades_makes_no_difference(three: dict[str, pl.DataFrame]) -> None:
    mixed = {name: own.sample(fraction=1, shuffle=True, seed=4) for name, own in reversed(three.items())}
    assert matrix(mixed, "whole").equals(matrix(three, "whole"))


def test_a_curve_joins_recipes_that_differ_in_its_size_alone(three: dict[str, pl.DataFrame]) -> None:
    sizes = {
        "whole": {"rows": 800, "personas": 100, "rows per persona": 8.0},
        "without_hops": {"rows": 410, "personas": 50, "rows per persona": 8.2},
        "without_pages": {"rows": 400, "personas": 100, "rows per persona": 4.0},
    }
    comparison = Comparison("sizes", "whole", matrix(three, "whole").to_dicts(), sizes)
    drawn = {
        chart.across: [point.x for point in chart.rows[0][1]]
        for section in blocks(comparison)
        if isinstance(section, Section)
        for chart in section.blocks
        if isinstance(chart, Chart)
    }
    assert drawn == {"rows": [400, 410, 800], "personas": [50, 100], "rows per persona": [4.0, 8.0]}


def test_a_page_has_differences_and_a_curve_where_recipes_differ_in_size(three: dict[str, pl.DataFrame]) -> None:
    sizes = {
        "whole": {"rows": 8000, "epochs": 4},
        "without_hops": {"rows": 500, "epochs": 4},
        "without_pages": {"rows": 2000, "epochs": 4},
    }
    comparison = Comparison("hops", "whole", matrix(three, "whole").to_dicts(), sizes)
    text = html.render_page(comparison_page(comparison))
    assert "by rows" in text and "by epochs" not in text
    assert text.count('class="chart"') == 1
    lines = [words(line) for line in conclusions(comparison)]
    assert any("without_hops: -" in line and "worse" in line for line in lines)
    told = comparison.as_dict()
    assert json.loads(json.dumps(told)) == told
    assert not any(isinstance(value, float) and math.isnan(value) for one in told["results"] for value in one.values())
