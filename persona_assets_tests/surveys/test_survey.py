"""A survey's file: what it may hold, and who is drawn."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.errors import UsageError
from persona_assets.surveys.respondents import drawn, options_for
from persona_assets.surveys.survey import Survey, survey_of

OPTIONS = [{"id": one, "text": {"en": one.title(), "zh": one}} for one in ("tea", "coffee", "water")]
TOLD: dict[str, Any] = {"question": {"en": "What do you drink?", "zh": "你喝什么？"}, "options": OPTIONS, "size": 6}
AGES = ("young", "middle", "old")


def read(**told: Any) -> Survey:
    """The survey as a partition of data files holds it, lists and mappings as JSON text."""
    values = {key: value if isinstance(value, int | str) else json.dumps(value) for key, value in (TOLD | told).items()}
    rows = pl.DataFrame([{"row_id": "row_1", "file": "surveys/drinks.yaml", "place": 0, "shard": "drinks", **values}])
    found = survey_of(rows)
    assert found
    assert found[0] == "surveys/drinks.yaml"
    return found[1]


def people(count: int, start: int = 0) -> pl.LazyFrame:
    numbers = range(start, start + count)
    return pl.LazyFrame(
        {
            "sample_id": [f"smp_{n}" for n in numbers],
            "persona_ids": [[f"per_{n}"] for n in numbers],
            "language": [("en", "zh", "ru")[n % 3] for n in numbers],
            "age_band": [AGES[n // 3 % 3] for n in numbers],
        }
    )


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"options": OPTIONS[:1]}, "options"),
        ({"options": [*OPTIONS, OPTIONS[0]]}, "two options have one id"),
        ({"options": [{"id": "Tea; DROP", "text": {"en": "a", "zh": "b"}}, *OPTIONS]}, "options.0.id"),
        ({"options": [{"id": "milk", "text": {"en": "Milk"}}, *OPTIONS]}, "the option milk has no text in zh"),
        ({"announcement": {"en": "Tea gets dearer."}}, "announcement has no text in zh"),
        ({"margins": {"age_band": {"young": 0.5, "old": 0.4}}}, "the margins of age_band add up to 0.9, not to 1"),
        ({"strata": {"by": "age_band", "counts": {"old": 5}}}, "the counts of strata add up to 5, not to the size"),
        ({"strata": {"by": "age_band", "shares": {"old": 0.5}}}, "shares add up to 0.5"),
        ({"real": {"source": "x", "shares": {"tea": 0.5, "milk": 0.5}}}, "real.shares has milk, which is no option"),
        ({"real": {"source": "x", "shares": {"tea": 0.5}}}, "real.shares add up to 0.5"),
        ({"real": {"source": "x"}}, "real gives no shares"),
        ({"size": 0}, "size"),
        ({"optoins": []}, "optoins"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_file_and_key(told: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        read(**told)
    assert said in str(error.value)
    assert "surveys/drinks.yaml" in str(error.value)


def test_a_file_is_one_survey() -> None:
    with pytest.raises(UsageError, match="it holds 2 surveys"):
        survey_of(pl.DataFrame({"file": ["a.yaml", "a.yaml"], "size": [1, 2]}))


def test_a_file_without_rows_is_no_survey() -> None:
    assert survey_of(pl.DataFrame(schema={"file": pl.String()})) is None


def test_only_those_who_speak_a_language_of_the_question_are_asked() -> None:
    assert set(drawn(read(), "f", people(60))["language"]) == {"en", "zh"}


def test_strata_have_what_they_are_to_have() -> None:
    survey = read(size=7, strata={"by": "age_band", "shares": {"young": 0.5, "old": 0.5}})
    found = drawn(survey, "f", people(60))
    assert sorted(found["stratum"].to_list()) == ["old"] * 3 + ["young"] * 4  # the first share is rounded up
    counted = drawn(read(strata={"by": "age_band", "counts": {"young": 1, "middle": 5}}), "f", people(60))
    assert sorted(counted["stratum"].to_list()) == ["middle"] * 5 + ["young"]


def test_where_narrows_down_who_is_asked() -> None:
    found = drawn(read(where={"age_band": ["old"]}), "f", people(60))
    ages = dict(people(60).select("sample_id", "age_band").collect().iter_rows())
    assert {ages[one] for one in found["sample_id"]} == {"old"}


def test_too_few_people_of_a_stratum_are_an_error_that_names_it() -> None:
    survey = read(size=30, strata={"by": "age_band", "shares": {"young": 0.1, "old": 0.9}})
    with pytest.raises(UsageError, match=r"surveys/x\.yaml: age_band old: 27 respondents are wanted, and .* fit"):
        drawn(survey, "surveys/x.yaml", people(60))


def test_without_strata_those_who_are_there_are_asked() -> None:
    assert drawn(read(size=1000), "f", people(60)).height == 40
    with pytest.raises(UsageError, match="1,000 respondents are wanted, and 0 personas with attributes fit"):
        drawn(read(size=1000, where={"age_band": ["ninety"]}), "f", people(60))


def test_an_unknown_attribute_is_named_with_a_near_one() -> None:
    with pytest.raises(UsageError, match="there is no attribute age_bnd; did you mean age_band"):
        drawn(read(by=["age_bnd"]), "f", people(60))


@given(st.permutations(range(60)), st.integers(0, 10))
def test_the_same_people_are_drawn_in_any_order_and_one_more_changes_one_draw_at_most(
    order: list[int], later: int
) -> None:
    survey = read()
    before = set(drawn(survey, "f", people(60))["sample_id"])
    shuffled = people(60).collect()[order]
    assert set(drawn(survey, "f", shuffled.lazy())["sample_id"]) == before
    more = pl.concat([people(60), people(1, 60 + 3 * later)])
    assert len(before - set(drawn(survey, "f", more)["sample_id"])) <= 1


def test_options_stand_in_an_order_of_their_own_that_stays() -> None:
    names = [f"per_{n}" for n in range(300)]
    found = options_for(read(), names, ["en"] * 300)
    orders = [tuple(one["id"] for one in options) for options in found.to_list()]
    assert found.to_list() == options_for(read(), names, ["en"] * 300).to_list()
    first = [order[0] for order in orders]
    assert len(set(orders)) == 6
    assert all(70 <= first.count(option) <= 130 for option in ("tea", "coffee", "water"))
    assert {one["text"] for one in options_for(read(), ["per_1"], ["zh"])[0]} == {"tea", "coffee", "water"}
