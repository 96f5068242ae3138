"""Figures of suites, strata and languages, for base, tuned and what needs no model."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from persona_assets.evaluation.grades import grades
from persona_assets.evaluation.results import NULLABLE, RESULTS, results
from persona_assets_tests.evaluation.simulated import answers, evaluation


@pytest.fixture(scope="module")
def graded() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    parts = [
        answers(*evaluation(rng, 60, gain=gain), stratum=stratum)
        for stratum, gain in (("unseen_numbers", 0.2), ("unseen_pages", 2.5))
    ]
    return grades(pl.concat(parts))


def row(found: pl.DataFrame, **wanted: Any) -> dict[str, Any]:
    conditions = [pl.col(name).eq_missing(pl.lit(value)) for name, value in wanted.items()]
    (one,) = found.filter(*conditions).to_dicts()
    return one


ALL: dict[str, Any] = {"stratum": None, "of_language": None}


def test_there_is_a_row_for_each_stratum_language_and_system(graded: pl.DataFrame) -> None:
    found = results(graded)
    cells = found.select("stratum", "of_language").unique()
    assert cells.height == 9
    assert set(found["system"]) == {"base", "tuned", "commonest"}
    assert found.height == 27
    assert not [name for name in RESULTS if name not in NULLABLE and found[name].null_count()]


def test_figures_are_those_of_the_grades(graded: pl.DataFrame) -> None:
    found = results(graded)
    for stratum in (None, "unseen_pages"):
        own = graded if stratum is None else graded.filter(stratum=stratum)
        base, tuned = (own.filter(system=name)["value"].mean() for name in ("base", "tuned"))
        of_base = row(found, **{**ALL, "stratum": stratum}, system="base")
        of_tuned = row(found, **{**ALL, "stratum": stratum}, system="tuned")
        assert (of_base["value"], of_tuned["value"]) == (pytest.approx(base), pytest.approx(tuned))
        assert of_base["tuned_minus"] == pytest.approx(tuned - base)
        assert of_base["items"] == own["item_id"].n_unique()
        assert of_tuned["tuned_minus"] is None
        assert of_base["low"] <= of_base["value"] <= of_base["high"]


def test_what_was_gained_and_lost_is_counted_and_tested(graded: pl.DataFrame) -> None:
    one = row(results(graded), stratum="unseen_pages", of_language=None, system="base")
    wide = graded.filter(stratum="unseen_pages").pivot("system", index="item_id", values="value")
    assert one["gained"] == wide.filter(base=0, tuned=1).height
    assert one["lost"] == wide.filter(base=1, tuned=0).height
    assert one["p"] < 1e-6 < one["tuned_minus_low"]


def test_a_small_gain_is_not_told_from_none(graded: pl.DataFrame) -> None:
    one = row(results(graded), stratum="unseen_numbers", of_language="ru", system="base")
    assert one["tuned_minus_low"] < 0 < one["tuned_minus_high"]
    assert one["p"] > 0.05


def test_who_always_gives_the_commonest_answer_is_a_system(graded: pl.DataFrame) -> None:
    kinds = graded.with_columns(problem_kind=pl.col("gold").cast(pl.Int64) % 2).cast({"problem_kind": pl.String})
    by_kind, by_stratum = (row(results(one), **ALL, system="commonest") for one in (kinds, graded))
    golds = kinds.filter(system="base")
    most = golds.group_by("problem_kind", "gold").len().group_by("problem_kind").agg(pl.col("len").max())
    assert by_kind["value"] == pytest.approx(most["len"].sum() / golds.height)
    assert by_stratum["value"] < by_kind["value"]
    assert by_stratum["tuned_minus"] == pytest.approx(
        row(results(graded), **ALL, system="tuned")["value"] - by_stratum["value"]
    )


def test_where_it_is_known_what_training_rows_answer_the_commonest_answer_is_theirs(graded: pl.DataFrame) -> None:
    known = graded.with_columns(rote=pl.when(pl.col("gold") == "3").then(pl.lit("3.0")).otherwise(pl.lit("8")))
    one = row(results(known), **ALL, system="commonest")
    golds = graded.filter(system="base")["gold"]
    assert one["value"] == pytest.approx((golds == "3").sum() / len(golds))
    part = known.with_columns(rote=pl.when(pl.col("item_id").str.ends_with("3")).then("rote"))
    assert row(results(part), **ALL, system="commonest")["value"] < one["value"]  # of other kinds nothing is known


def test_of_several_seeds_the_mean_counts_and_nothing_is_gained_item_by_item() -> None:
    rng = np.random.default_rng(1)
    before, _, families = evaluation(rng, 40)
    after = (rng.random((len(before), 3)) < [0.5, 0.2, 0.8]).astype(np.float64)
    data = grades(answers(before, after, families))
    found = results(data)
    base, tuned = row(found, **ALL, system="base"), row(found, **ALL, system="tuned")
    assert (tuned["seeds"], base["seeds"]) == (3, 0)
    assert tuned["value"] == pytest.approx(data.filter(system="tuned")["value"].mean())
    assert (base["gained"], base["p"]) == (None, None)
    narrow = results(data.filter(pl.col("seed").is_null() | (pl.col("seed") == 0)))
    one_seed = row(narrow, **ALL, system="base")
    widths = [one["tuned_minus_high"] - one["tuned_minus_low"] for one in (base, one_seed)]
    assert widths[0] > 2 * widths[1]


def test_a_loss_is_weighed_by_tokens() -> None:
    told = [
        {"item_id": f"{at}", "system": system, "logprob": -rate * tokens, "tokens": tokens}
        for at, tokens in enumerate((10, 30, 20))
        for system, rate in (("base", 3.0 + at), ("tuned", 2.0 + at))
    ]
    data = pl.DataFrame(told).with_columns(suite=pl.lit("held_out"), kind=pl.lit("loss"))
    found = results(grades(data))
    base = row(found, **ALL, system="base")
    assert base["measure"] == "nats_per_token"
    assert base["value"] == pytest.approx((30 + 120 + 100) / 60)
    assert (base["tuned_minus"], base["tuned_minus_high"]) == (pytest.approx(-1.0), pytest.approx(-1.0))
    assert set(found["system"]) == {"base", "tuned"}


def preferences(after: float) -> pl.DataFrame:
    """Pairs of which the rejected text is far longer; a training that raises the margin of nine in ten."""
    told = []
    for at in range(40):
        for system in ("base", "tuned"):
            moved = 0.0 if system == "base" else after if at % 10 else -after
            told += [
                {"group": f"g{at}", "system": system, "role": "chosen", "logprob": -40.0 + moved, "tokens": 10},
                {"group": f"g{at}", "system": system, "role": "rejected", "logprob": -60.0, "tokens": 30},
            ]
    return pl.DataFrame(told).with_columns(
        item_id=pl.format("{}-{}", "group", "role"), suite=pl.lit("pairs"), kind=pl.lit("preference")
    )


def test_preferences_are_measured_by_token_and_by_what_training_moved() -> None:
    found = results(grades(preferences(5.0)))
    assert row(found, **ALL, measure="accuracy", system="tuned")["value"] == 0.0
    reward = row(found, **ALL, measure="reward_accuracy", system="tuned")
    assert reward["value"] == 0.9
    chance = row(found, **ALL, measure="reward_accuracy", system="chance")
    assert chance["value"] == 0.5
    assert chance["tuned_minus_low"] > 0.1
    assert found.filter(measure="reward_accuracy", system="base").height == 0


def test_answers_that_are_missing_are_counted() -> None:
    told = answers(*evaluation(np.random.default_rng(1), 10))
    told = told.with_columns(
        answer=pl.when(pl.col("place") == 0)
        .then(None)
        .when(pl.col("place") == 1)
        .then(pl.lit("hm"))
        .otherwise("answer")
    )
    tuned = row(results(grades(told)), **ALL, system="tuned")
    assert (tuned["unanswered"], tuned["unreadable"], tuned["timed_out"]) == (1, 1, 0)


def test_without_a_base_there_are_figures_and_no_difference_to_it() -> None:
    data = grades(answers(*evaluation(np.random.default_rng(1), 10)).filter(pl.col("system") == "tuned"))
    found = results(data)
    assert set(found["system"]) == {"tuned", "commonest"}


def test_figures_name_the_rows_that_they_are_of(graded: pl.DataFrame) -> None:
    named = graded.with_row_index("sample_id").with_columns(pl.col("sample_id").cast(pl.String))
    found = results(named)
    assert len(row(found, **ALL, system="base")["parent_ids"]) == graded.height
    ids = row(found, stratum="unseen_pages", of_language="en", system="tuned")["parent_ids"]
    assert set(ids) == set(named.filter(stratum="unseen_pages", language="en")["sample_id"])


def test_the_order_of_grades_makes_no_difference(graded: pl.DataFrame) -> None:
    assert results(graded).equals(results(graded.sample(fraction=1, shuffle=True, seed=1)))


def test_of_no_grades_there_are_no_figures(graded: pl.DataFrame) -> None:
    assert results(graded.clear()).schema == pl.Schema(RESULTS)


def test_no_figure_is_nan(graded: pl.DataFrame) -> None:
    lone = graded.head(1)
    for one in (graded, lone):
        floats = results(one).select(pl.col(pl.Float64))
        assert not any(math.isnan(value) for column in floats for value in column.drop_nulls())
