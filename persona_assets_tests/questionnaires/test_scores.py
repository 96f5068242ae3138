"""Scores, intervals and types of answerers whose traits are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.questionnaires.answers import of_choices, of_forms, scored_items
from persona_assets.questionnaires.questionnaire import read
from persona_assets.questionnaires.scores import (
    CONTRADICTS,
    FEW,
    LEAST_ITEMS,
    MIDDLE,
    MISSING,
    NOTHING,
    ONE_WAY,
    OPEN,
    agreement,
    differences,
    scored,
    types,
)
from persona_assets_tests.questionnaires.files import LAYOUT, OWN, bundled, changed, items
from persona_assets_tests.questionnaires.simulated import (
    Answerer,
    all_refusing,
    always_first,
    always_middle,
    answered,
    asked,
    contradicts_by_item,
    of_type,
    scores,
    self_contradicting,
    shown,
    uniform,
    yes_sayer,
)

TYPES = [e + s + t + j for e in "EI" for s in "SN" for t in "TF" for j in "JP"]
RUNS = 1000
ENOUGH = 0.95
BANK = bundled()


def each(found: pl.DataFrame) -> pl.DataFrame:
    """The rows of runs, without those over all of them."""
    return found.filter(pl.col("run").is_not_null())


@pytest.mark.parametrize("wanted", TYPES)
def test_known_traits_come_back_in_95_of_100_runs(wanted: str) -> None:
    found = each(answered(BANK, RUNS, of_type(wanted), seed=TYPES.index(wanted)))
    assert found.height == RUNS
    assert (found["type"] == wanted).mean() >= ENOUGH


@pytest.mark.parametrize(
    "answerer",
    [yes_sayer, always_middle, always_first, all_refusing, self_contradicting, contradicts_by_item, uniform],
)
@pytest.mark.parametrize("language", ["en", "zh", "ru"])
def test_who_has_no_traits_gets_no_letter_in_95_of_100_runs(answerer: Answerer, language: str) -> None:
    found = each(answered(bundled(language), RUNS, answerer, seed=1))
    assert found.height == RUNS
    assert (found["open"] == 4).mean() >= ENOUGH
    assert (found["type"].str.contains(OPEN, literal=True)).all()


@given(st.sampled_from(TYPES), st.integers(0, 2**32 - 1))
def test_over_twenty_runs_known_traits_come_back_whatever_the_seed(wanted: str, seed: int) -> None:
    [over_all] = answered(BANK, 20, of_type(wanted, replaced=0.3), seed).filter(pl.col("run").is_null()).to_dicts()
    assert over_all["type"] == wanted
    assert over_all["runs"] == 20


@given(st.integers(0, 2**32 - 1))
def test_scores_lie_within_their_intervals_and_these_within_the_ends(seed: int) -> None:
    found = scores(BANK, 5, uniform, seed)
    for smaller, larger in (("low", "score"), ("score", "high")):
        assert (found[smaller] <= found[larger]).all()
    assert found["low"].is_between(-1, 1).all()
    assert found["high"].is_between(-1, 1).all()
    assert (found["letter"] == OPEN).to_list() == found["open_because"].is_not_null().to_list()
    assert ((found["margin"] > 0) == (found["letter"] != OPEN)).all()


def test_the_order_of_rows_changes_no_bit_of_a_score() -> None:
    rng = np.random.default_rng(5)
    rows = asked(BANK, 3).select(
        *("item", "language", "scale"), run="attempt", system=pl.lit("s"), answer_ids=pl.concat_list("item")
    )
    both = pl.concat([rows, rows.with_columns(system=pl.lit("t"))])
    answers = both.with_columns(value=pl.Series(rng.uniform(-1, 1, both.height)))
    first = scored(answers, scored_items(BANK))
    for seed in range(20):
        assert scored(answers.sample(fraction=1, shuffle=True, seed=seed), scored_items(BANK)).equals(first)


def test_the_interval_covers_the_true_score_as_often_as_it_says() -> None:
    """Items of one pole scatter around their own mean: 99 of 100 intervals hold the mean."""
    rng = np.random.default_rng(4)
    sheets = []
    for run in range(RUNS):
        toward = np.array([1] * 8 + [-1] * 7)
        keyed = np.clip(rng.normal(0.2, 0.3, 15), -1, 1)
        sheets.append(pl.DataFrame({"item": [str(n) for n in range(15)], "value": keyed * toward, "run": [run] * 15}))
    answers = pl.concat(sheets).with_columns(
        system=pl.lit("s"), language=pl.lit("en"), scale=pl.lit("rising"), answer_ids=pl.concat_list("item")
    )
    about = pl.DataFrame({"item": [str(n) for n in range(15)], "toward": toward}).with_columns(
        language=pl.lit("en"), dimension=pl.lit("d"), place=0, first_pole=pl.lit("A"), second_pole=pl.lit("B")
    )
    found = each(scored(answers, about))
    held = ((found["low"] <= 0.2) & (found["high"] >= 0.2)).mean()
    assert 0.98 <= float(held or 0) <= 0.998


def sheet(told: dict[str, Any], agrees: str, language: str = "en") -> pl.DataFrame:
    """The types of one who fills in a file in its own numbers, and agrees with the items of these poles."""
    found = read("file.json", told)
    rows = items(told, language).drop_nulls("dimension")
    of = {item.id: item.pole for item in found.items}
    least, most = (found.scale.max, found.scale.min) if found.falls else (found.scale.min, found.scale.max)
    numbers = pl.Series([most if of[item] in agrees else least for item in rows["item"]])
    value = agreement(pl.col("number"), pl.col("least"), pl.col("most"), pl.lit(not found.falls))
    answers = rows.with_columns(number=numbers).select(
        "item", "language", value=value, system=pl.lit("s"), run=pl.lit(0, pl.Int64), scale=pl.lit("falling"),
        answer_ids=pl.concat_list("item"),
    )  # fmt: skip
    return types(scored(answers, scored_items(rows)), scored_items(rows))


@pytest.mark.parametrize("agrees", TYPES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_agreeing_with_every_item_of_a_type_in_the_original_file_gives_that_type(agrees: str, language: str) -> None:
    file = Path(__file__).parents[3] / "shared/data/incharacter/data/questionnaires/16Personalities.json"
    if not file.is_file():
        pytest.skip("the real questionnaires are not here")
    found = sheet(json.loads(file.read_text(encoding="utf-8")), agrees, language)
    assert set(found["type"]) == {agrees}


def test_agreeing_with_the_items_of_a_type_in_the_same_layout_gives_that_type() -> None:
    """Each item stands there four times, as a letter takes eight."""
    numbers = [int(number) + 20 * times for times in range(4) for number in LAYOUT["questions"]]
    told = changed(LAYOUT, "questions", to={str(one): LAYOUT["questions"][str(one % 20)] for one in numbers})
    told["reverse"] = [one for one in numbers if one % 20 in LAYOUT["reverse"]]
    told["categories"] = [
        one | {"cat_questions": [number for number in numbers if number % 20 in one["cat_questions"]]}
        for one in LAYOUT["categories"]
    ]
    assert set(sheet(told, "ESTJ")["type"]) == {"ESTJ"}


def only(found: pl.DataFrame, dimension: str = "energy") -> dict[str, Any]:
    row: dict[str, Any] = found.filter(pl.col("run").is_null(), pl.col("dimension") == dimension).row(0, named=True)
    return row


def test_refusals_open_a_letter_beyond_a_fifth_of_the_answers() -> None:
    def refuses(share: float) -> Answerer:
        def answerer(rows: pl.DataFrame, rng: np.random.Generator) -> Any:
            given = of_type("ESTJ", replaced=0)(rows, rng)
            place = rows.select(pl.int_range(pl.len()).over("dimension") / pl.len().over("dimension")).to_series()
            return np.where(place.to_numpy() < share, np.nan, given)

        return answerer

    few, many = (only(scores(BANK, 1, refuses(share))) for share in (0.1, 0.3))
    assert (few["letter"], few["refused"]) == ("E", 3)
    assert (many["letter"], many["open_because"], many["refused"]) == (OPEN, MISSING, 9)


def test_answers_that_could_not_be_read_count_as_missing() -> None:
    rows = asked(BANK, 1)
    given = of_type("ESTJ", replaced=0)(rows, np.random.default_rng(0))
    answers = rows.select(
        "language", "scale", "attempt", "item", answer=pl.Series(given).cast(pl.Int64), model=pl.lit("m"),
        sample_id=pl.format("{}/{}", "item", "scale"), parent_ids=pl.concat_list("sample_id"),
    ).filter(~pl.col("item").is_in(["energy-1", "energy-2", "energy-3", "energy-4"]))  # fmt: skip
    named = BANK.with_columns(sample_id="item")
    found = scored(of_forms(answers, named), scored_items(named))
    row = only(found)
    assert (row["asked"], row["unreadable"], row["open_because"]) == (30, 8, MISSING)
    assert only(found, "decision")["letter"] == "T"


def test_nothing_but_refusals_leaves_no_score() -> None:
    row = only(scores(BANK, 1, all_refusing))
    assert (row["score"], row["low"], row["letter"], row["open_because"]) == (None, None, OPEN, NOTHING)


def test_one_item_for_a_pole_is_too_few_for_an_interval() -> None:
    row = only(scores(items(OWN), 1, of_type("T", replaced=0)), "drink")
    assert (row["low"], row["high"], row["open_because"]) == (None, None, FEW)


@pytest.mark.parametrize(("count", "letter"), [(LEAST_ITEMS - 1, OPEN), (LEAST_ITEMS, "T")])
def test_fewer_than_eight_items_that_are_all_alike_give_no_letter(count: int, letter: str) -> None:
    told = {**OWN, "items": [{**OWN["items"][n % 2], "id": f"i{n}"} for n in range(count)]}
    row = only(scores(items(told), 1, of_type("T", replaced=0)), "drink")
    assert (row["low"], row["high"], row["letter"]) == (-1, -1, letter)


def test_items_for_one_pole_alone_leave_the_letter_open() -> None:
    told = {**OWN, "items": [{**OWN["items"][0], "id": f"i{n}"} for n in range(LEAST_ITEMS)]}
    row = only(scores(items(told), 1, of_type("T", replaced=0)), "drink")
    assert (row["score"], row["consistency"], row["letter"], row["open_because"]) == (-1.0, None, OPEN, ONE_WAY)


def test_halves_that_point_apart_leave_the_letter_open_though_their_mean_is_far_from_the_middle() -> None:
    def half(rows: pl.DataFrame, _: np.random.Generator) -> Any:
        """Agrees in full with the items for E, and a little with those for I."""
        return shown(rows, np.where(rows["toward"].to_numpy() < 0, 1.0, 4 / 6))

    row = only(scores(BANK, 1, half))
    assert row["high"] < 0
    assert (row["consistency"], row["letter"], row["open_because"]) == (0.0, OPEN, CONTRADICTS)


def test_a_yes_sayer_comes_out_in_the_middle_though_one_pole_has_more_items() -> None:
    row = only(scores(BANK, 1, lambda rows, _: shown(rows, np.ones(rows.height))))
    assert (row["score"], row["open_because"]) == (0.0, MIDDLE)


def test_a_sheet_of_one_scale_alone_has_no_shift() -> None:
    rows = asked(BANK, 1).filter(scale="rising")
    answers = rows.select(
        "language", "scale", "attempt", answer=pl.lit(7), model=pl.lit("m"), sample_id="item",
        parent_ids=pl.concat_list("sample_id"),
    )  # fmt: skip
    named = BANK.with_columns(sample_id="item")
    assert only(scored(of_forms(answers, named), scored_items(named)))["scale_shift"] is None


def test_who_goes_by_the_numbers_is_shifted_by_the_scale_and_who_reads_it_is_not() -> None:
    assert only(scores(BANK, 1, always_first))["scale_shift"] == pytest.approx(1)
    assert only(scores(BANK, 1, of_type("ESTJ", replaced=0)))["scale_shift"] == pytest.approx(0)


def test_who_answers_otherwise_in_each_run_has_a_shift_of_runs() -> None:
    assert only(scores(BANK, 4, of_type("ESTJ", replaced=0)))["run_shift"] == pytest.approx(0)
    assert only(scores(BANK, 4, uniform))["run_shift"] > 0.3
    assert each(scores(BANK, 4, uniform))["run_shift"].null_count() == 16


def test_alpha_is_near_one_where_systems_differ_and_their_items_agree() -> None:
    def of(name: str, wanted: str, replaced: float) -> pl.DataFrame:
        rows = asked(BANK, 3)
        given = of_type(wanted, replaced=replaced)(rows, np.random.default_rng(len(name)))
        return rows.select(
            "language", "scale", "attempt", answer=pl.Series(given).cast(pl.Int64), model=pl.lit(name),
            sample_id=pl.format("{}/{}/{}", "item", "scale", "attempt"), parent_ids=pl.concat_list("sample_id"),
        )  # fmt: skip

    named = BANK.with_columns(sample_id="item")
    both = pl.concat([of("one", "ESTJ", 0.1), of("other", "INFP", 0.1)])
    found = scored(of_forms(both, named), scored_items(named))
    assert found["alpha"].min() > 0.9  # type: ignore[operator]
    alone = scored(of_forms(both.filter(model="one"), named), scored_items(named))
    assert alone["alpha"].null_count() == alone.height


def test_alpha_is_cronbachs() -> None:
    """Three systems, two items: by hand, the items' variances are 1/3 and 1/4, that of the sums 13/12."""
    values = {"a": (1.0, 0.5), "b": (0.0, 0.0), "c": (0.0, -0.5)}
    told = {"language": "en", "scale": "rising"}
    answers = pl.DataFrame(
        [
            {"system": system, "run": 0, "item": str(n), "value": value, "answer_ids": ["x"]} | told
            for system, pair in values.items()
            for n, value in enumerate(pair)
        ]
    )  # fmt: skip
    about = pl.DataFrame(
        {"item": ["0", "1"], "language": "en", "dimension": "d", "place": 0, "toward": 1}
        | {"first_pole": "A", "second_pole": "B"}
    )  # fmt: skip
    assert scored(answers, about)["alpha"][0] == pytest.approx(2 * (1 - (1 / 3 + 1 / 4) / (13 / 12)))


def test_the_type_over_all_runs_says_how_many_runs_gave_it() -> None:
    def turns(rows: pl.DataFrame, rng: np.random.Generator) -> Any:
        first = of_type("ESTJ", replaced=0)(rows, rng)
        return np.where(rows["attempt"].to_numpy() == 0, of_type("ISTJ", replaced=0)(rows, rng), first)

    found = answered(BANK, 4, turns)
    over_all = found.filter(pl.col("run").is_null()).row(0, named=True)
    assert (over_all["type"], over_all["runs"], over_all["runs_alike"]) == ("ESTJ", 4, 3)
    assert each(found)["type"].to_list() == ["ISTJ", "ESTJ", "ESTJ", "ESTJ"]


def test_a_dimension_that_nobody_answered_is_open_in_the_type() -> None:
    found = scores(BANK, 1, of_type("ESTJ", replaced=0)).filter(pl.col("dimension") != "information")
    assert set(types(found, scored_items(BANK))["type"]) == {"E?TJ"}


def test_dimensions_without_letters_make_no_type() -> None:
    told = changed(OWN, "dimensions", 0, "poles", to=["tea", "coffee"])
    told = changed(changed(told, "items", 0, "pole", to="tea"), "items", 1, "pole", to="coffee")
    assert answered(items(told), 1, of_type("T")).is_empty()


def test_no_answers_give_no_rows() -> None:
    named = BANK.with_columns(sample_id="item")
    nothing = scored(of_forms(pl.DataFrame(schema={
        "language": pl.String, "scale": pl.String, "answer": pl.Int64, "model": pl.String, "sample_id": pl.String,
        "parent_ids": pl.List(pl.String),
    }), named), scored_items(named))  # fmt: skip
    assert nothing.is_empty()
    assert types(nothing, scored_items(named)).is_empty()


def choices(*logprobs: float) -> pl.DataFrame:
    rows = [
        {"sample_id": f"{scale}{number}", "scale": scale, "number": number, "logprob": one}
        | {"parent_ids": ["a"], "language": "en", "model": "m"}
        for scale, order in (("rising", logprobs), ("falling", logprobs[::-1]))
        for number, one in enumerate(order, 1)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def test_a_forced_choice_agrees_as_far_as_its_numbers_do_on_average() -> None:
    named = items(OWN).with_columns(sample_id="item")
    found = of_choices(choices(np.log(0.1), np.log(0.2), np.log(0.1)), named)
    assert found["value"].to_list() == pytest.approx([0, 0])
    found = of_choices(choices(np.log(0.1), np.log(0.1), np.log(0.2)), named)
    assert found["value"].to_list() == pytest.approx([0.25, 0.25])
    assert [len(ids) for ids in found["answer_ids"]] == [3, 3]


def test_a_forced_choice_without_a_score_for_some_number_is_not_readable() -> None:
    named = items(OWN).with_columns(sample_id="item")
    assert of_choices(choices(-1.0, -2.0, -3.0)[1:], named)["scale"].to_list() == ["falling"]


def two_systems(first: Answerer, second: Answerer, seed: int = 0) -> pl.DataFrame:
    """How far the second answerer lies from the first, over three runs each."""
    named = BANK.with_columns(sample_id="item")
    rng = np.random.default_rng(seed)
    rows = asked(BANK, 3)
    parts = [
        rows.select(
            *("language", "scale", "attempt"),
            answer=pl.Series(answerer(rows, rng)).fill_nan(None).cast(pl.Int64),
            model=pl.lit(name),
            sample_id=pl.format("{}/{}/{}", "item", "scale", "attempt"),
            parent_ids=pl.concat_list("sample_id"),
        )
        for name, answerer in (("one", first), ("other", second))
    ]
    return differences(of_forms(pl.concat(parts), named), scored_items(named), "one", "other")


def test_the_difference_of_two_systems_points_to_the_pole_that_the_second_one_moved_to() -> None:
    found = {row["dimension"]: row for row in two_systems(of_type("ESTJ"), of_type("ISFJ")).to_dicts()}
    assert [name for name, row in found.items() if row["low"] > 0] == ["energy", "decision"]
    assert found["energy"]["difference"] == pytest.approx(1.8, abs=0.2)
    assert all(found[name]["low"] < 0 < found[name]["high"] for name in ("information", "execution"))


def test_two_systems_of_one_kind_differ_about_as_seldom_as_the_interval_says() -> None:
    found = pl.concat([two_systems(of_type("ENTP"), of_type("ENTP"), seed) for seed in range(100)])
    assert ((found["low"] > 0) | (found["high"] < 0)).mean() <= 0.03


def test_a_dimension_that_one_system_did_not_answer_has_no_difference() -> None:
    assert two_systems(of_type("ENTP"), all_refusing).is_empty()
