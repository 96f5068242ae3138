"""The plain answer that keeps to drawn constraints."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from persona_assets.constraints.build import answer, broken_answer
from persona_assets.constraints.checkers import failed
from persona_assets.constraints.constraint import Constraint
from persona_assets.constraints.draw import draw
from persona_assets.constraints.words import LANGUAGES

TOPICS = {"en": "growing tomatoes on a balcony", "zh": "阳台种番茄", "ru": "уход за балконным садом"}
REQUESTS = {
    "en": "Give me 3 tips, please: how do I grow tomatoes?",
    "zh": "请给我3条建议：怎样种番茄？",
    "ru": "Дайте 3 совета, пожалуйста: как вырастить помидоры?",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_keeps_to_every_drawn_set(language: str) -> None:
    broken = {}
    for number in range(500):
        drawn = draw(f"smp_{number}", language)
        text = answer(drawn, language, TOPICS[language], REQUESTS[language])
        if said := failed(drawn, text, language, REQUESTS[language]):
            broken[number] = said
    assert broken == {}


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=20), st.sampled_from(LANGUAGES), st.text(max_size=40))
@example("\x17ó\x13\U000776e2F", "en", "")  # six points and a word four times in 80 words
def test_no_topic_breaks_a_constraint(key: str, language: str, topic: str) -> None:
    drawn = draw(key, language)
    assert failed(drawn, answer(drawn, language, topic, "Why?"), language, "Why?") == []


def test_an_answer_follows_from_its_arguments() -> None:
    drawn = draw("smp_7", "en")
    assert answer(drawn, "en", "bread", "Why?") == answer(drawn, "en", "bread", "Why?")


def test_an_answer_says_its_topic() -> None:
    assert "bread" in answer((Constraint("no_digits", {}, ""),), "en", "bread, 24 loaves!")


def test_a_topic_that_has_the_word_to_avoid_gives_way() -> None:
    avoid = Constraint("avoids_word", {"word": "bread"}, "")
    assert "this task" in answer((avoid,), "en", "bread")


def test_no_sentence_stands_twice() -> None:
    text = answer((Constraint("words_at_least", {"n": 300}, ""),), "en", "bread").replace("\n\n", " ")
    sentences = text.removesuffix(".").split(". ")
    assert len(set(sentences)) == len(sentences)


def test_what_no_text_keeps_to_comes_back_with_the_least_broken() -> None:
    both = (Constraint("words_at_most", {"n": 1}, ""), Constraint("no_commas", {}, ""))
    assert [said.split(":")[0] for said in failed(both, answer(both, "en", "bread"), "en", "")] == ["words_at_most"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_broken_answer_breaks_a_constraint(language: str) -> None:
    for number in range(200):
        drawn = draw(f"smp_{number}", language)
        text = broken_answer(drawn, language, TOPICS[language], REQUESTS[language], number % 3)
        assert failed(drawn, text, language, REQUESTS[language]), drawn
