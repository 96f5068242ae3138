"""Constraints that are read back from texts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.constraints.draw import draw
from persona_assets.constraints.kinds import kinds
from persona_assets.constraints.read import read
from persona_assets.constraints.words import LANGUAGES

REQUESTS = {
    "en": "Give me 3 tips, please: how do I grow tomatoes? I write with “care”.",
    "zh": "请给我3条建议：怎样种番茄？我喜欢“认真”的回答。",
    "ru": "Дайте 3 совета, пожалуйста: как вырастить помидоры? Мне важна «точность».",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_drawn_is_read_back_from_a_message(language: str) -> None:
    space = "" if language == "zh" else " "
    for number in range(500):
        drawn = draw(f"smp_{number}", language)
        message = read(space.join([REQUESTS[language], *(one.text for one in drawn)]), language)
        assert message.constraints == drawn, number
        assert message.rest == REQUESTS[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_wording_is_read_as_its_own_kind_alone(language: str) -> None:
    seen = set()
    for number in range(3000):
        for one in draw(f"smp_{number}", language):
            assert read(one.text, language).constraints == (one,)
            seen.add(one.kind)
    assert seen == {kind.id for kind in kinds().values() if language in kind.languages}


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20), st.sampled_from(LANGUAGES))
def test_what_stands_around_them_changes_nothing(before: str, after: str, key: str, language: str) -> None:
    drawn = draw(key, language)
    text = "\n".join([before, *(one.text for one in drawn), after])
    assert [one for one in read(text, language).constraints if one in drawn] == list(drawn)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300), st.sampled_from(LANGUAGES))
def test_a_text_without_constraints_stays_as_it_is(text: str, language: str) -> None:
    found = read(text, language)
    assert found.constraints or found.rest == text.strip()


@pytest.mark.parametrize(
    "text", ["Use less than 40 words.", "rewrite at most 40 words.", "Write between 90 and 40 words.", "Do not."]
)
def test_other_words_are_no_constraint(text: str) -> None:
    assert read(text, "en").constraints == ()


def test_a_sentence_within_an_argument_is_not_read() -> None:
    text = "End with exactly this sentence: “That is all I can say for now. Do not use digits.”"
    assert [one.kind for one in read(text, "en").constraints] == ["last_sentence"]
