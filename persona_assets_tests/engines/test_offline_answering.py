"""What the offline engine answers to a message with constraints."""

import pytest

from persona_assets.constraints.checkers import failed
from persona_assets.constraints.draw import draw
from persona_assets.engines.offline.answering import digests_used, kept_answer, said_topics
from persona_assets.engines.offline.data import LANGUAGES, Language
from persona_assets.engines.offline.phrasing import Draws

REQUESTS: dict[Language, str] = {
    "en": "How do I grow tomatoes on a balcony?",
    "zh": "怎样在阳台上种好“番茄”？",
    "ru": "Как вырастить помидоры на балконе?",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_four_of_five_answers_keep_to_all_constraints_and_the_others_break_some(language: Language) -> None:
    kept = broken = 0
    for number in range(300):
        drawn = draw(f"smp_{number}", language)
        message = " ".join([REQUESTS[language], *(one.text for one in drawn)])
        draws = Draws(str(number))
        said = failed(drawn, kept_answer(message, language, draws.below), language, REQUESTS[language])
        kept += not said
        broken += bool(said) and draws.below(5, "keeps") == 0
    assert kept + broken == 300
    assert 220 < kept < 260


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_without_constraints_has_no_answer_here(language: Language) -> None:
    assert kept_answer(REQUESTS[language], language, Draws("x").below) == ""


def test_a_message_is_about_what_it_quotes_first() -> None:
    assert said_topics("怎样在阳台上种好“番茄”？", "zh")[0] == "番茄"
    assert said_topics("", "en") == []


def test_the_data_of_constraints_count_for_templates_that_answer_by_them_alone() -> None:
    assert digests_used({"variants": {"en": [{"answer": {"answer": "{{ t1 }}"}}]}}) == []
    assert len(digests_used({"variants": {"en": [{"let": {"own": "kept(said)"}, "answer": {}}]}})) == 2
