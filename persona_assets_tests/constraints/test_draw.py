"""Constraints that follow from a row's id and a language."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.constraints.checkers import failed
from persona_assets.constraints.constraint import Constraint, from_json, to_json
from persona_assets.constraints.draw import draw
from persona_assets.constraints.kinds import check_args, kind_named, kinds, kinds_of
from persona_assets.constraints.words import LANGUAGES
from persona_assets.errors import UsageError

KEYS = st.text(max_size=20)
IN_ANY = st.sampled_from(LANGUAGES)


@given(KEYS, IN_ANY)
def test_one_to_three_constraints_stand_together(key: str, language: str) -> None:
    drawn = draw(key, language)
    names = [one.kind for one in drawn]
    assert 1 <= len(drawn) <= 3
    assert not [(one, other) for one in names for other in names if other in kinds()[one].excludes]
    assert len(set(names)) == len(names)


@given(KEYS, IN_ANY)
def test_arguments_fit_and_texts_are_filled(key: str, language: str) -> None:
    for one in draw(key, language):
        check_args(kind_named(one.kind, language), one.args, language)
        assert not set("{}") & set(one.text)


@given(KEYS, IN_ANY)
def test_constraints_come_back_from_json(key: str, language: str) -> None:
    drawn = draw(key, language)
    assert from_json(to_json(drawn)) == drawn
    assert hash(from_json(to_json(drawn))) == hash(drawn)


GOLDEN = {
    "en": [("capitals", {}), ("no_commas", {})],
    "zh": [("json_object", {"keys": ["建议", "例子", "提醒"]})],
    "ru": [("no_commas", {}), ("numbered", {"n": 6})],
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_drawn_stays_so(language: str) -> None:
    assert [(one.kind, one.args) for one in draw("smp_1", language)] == GOLDEN[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_occurs_and_none_much_more_often(language: str) -> None:
    counts = Counter(one.kind for number in range(5000) for one in draw(f"smp_{number}", language))
    assert set(counts) == {kind.id for kind in kinds_of(language)}
    assert max(counts.values()) <= 3 * counts.total() / len(counts)


def test_every_wording_occurs() -> None:
    drawn = {one.text for number in range(3000) for one in draw(f"smp_{number}", "en") if one.kind == "no_commas"}
    assert drawn == set(kinds()["no_commas"].wordings["en"])


def test_what_fails_is_told_in_order() -> None:
    constraints = (
        Constraint("words_at_least", {"n": 100}, ""), Constraint("no_digits", {}, ""), Constraint("no_commas", {}, ""),
    )  # fmt: skip
    assert failed(constraints, "Well, yes.", "en", "") == [
        "words_at_least: has 2 words, at least 100 wanted",
        "no_commas: has 1 comma",
    ]


def test_an_unknown_language_is_told() -> None:
    with pytest.raises(UsageError, match="no language 'fr'"):
        draw("smp_1", "fr")


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"kind": "a"}]', '[{"kind": 1, "args": {}, "text": ""}]'])
def test_json_that_holds_no_constraints_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="constraints: "):
        from_json(text)
