"""The rule against samples that copy an example of their prompt."""
# ruff: noqa: E501 - whole texts stand on a line

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.rules.copies import common, copies_demonstration
from persona_assets.rules.sample import Sample

SHOWN = {
    "en": "A tram passes the stop every 12 minutes and a bus every 18 minutes. Both left the stop at 7:00. When do they "
    "next leave it at the same minute?",
    "zh": "一名面包师每小时能烤36个面包，独自工作3小时后，来了一名每小时能烤24个面包的帮手。两人还要一起工作多少小时才能烤完228个面包？",
    "ru": "В мастерской шьют 6 наволочек в час. Сколько часов понадобится, чтобы сшить 81 наволочку, если после третьего часа "
    "приходит ученица, которая шьёт ещё 3 наволочки в час?",
}
# The same form with other nouns and numbers.
EXCHANGED = {
    "en": "A ferry passes the pier every 15 minutes and a boat every 25 minutes. Both left the pier at 9:30. When do they next "
    "leave it at the same minute?",
    "zh": "一名木匠每小时能刨12块木板，独自工作2小时后，来了一名每小时能刨8块木板的学徒。两人还要一起工作多少小时才能刨完64块木板？",
    "ru": "В пекарне пекут 24 булочки в час. Сколько часов понадобится, чтобы испечь 312 булочек, если после пятого часа приходит "
    "помощница, которая печёт ещё 15 булочек в час?",
}
OWN = {
    "en": "A beekeeper moves 14 hives in two trips and pays 35 cents per hive and kilometre. What does the way of 9 km cost?",
    "zh": "一块长方形花圃的周长是46米，长比宽多5米。花圃的面积是多少平方米？",
    "ru": "Из бочки вылили треть воды, потом ещё 18 литров, и осталась половина. Сколько литров было в бочке?",
}
LANGUAGES = sorted(SHOWN)


def said(text: str, language: str, *shown: str) -> str | None:
    demonstrations = tuple(json.dumps({"problem": one, "answer": "1"}, ensure_ascii=False) for one in shown)
    return copies_demonstration.see(Sample({"problem": text}, "", language, demonstrations=demonstrations), "problem")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_that_comes_back_is_refused_and_named(language: str) -> None:
    assert said(SHOWN[language], language, OWN[language], SHOWN[language]) == "100% of problem stands in example 2"


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_with_other_nouns_and_numbers_is_refused(language: str) -> None:
    assert said(EXCHANGED[language], language, SHOWN[language]) is not None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_of_its_own_stays(language: str) -> None:
    assert said(OWN[language], language, SHOWN[language], EXCHANGED[language]) is None


@pytest.mark.parametrize("shown", ["", "[1]", '{"problem": 3}', '{"other": "x"}'])
def test_an_example_without_the_field_says_nothing(shown: str) -> None:
    sample = Sample({"problem": SHOWN["en"]}, "", "en", demonstrations=(shown,))
    assert copies_demonstration.see(sample, "problem") is None


def test_without_examples_nothing_is_refused() -> None:
    assert said(SHOWN["en"], "en") is None


def test_a_hostile_text_is_compared_in_time() -> None:
    assert said("7 " * 50_000, "en", "7 " * 50_000) is not None


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_common_is_the_longest_common_subsequence(one: list[str], other: list[str]) -> None:
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, left in enumerate(one):
        for j, right in enumerate(other):
            longest = max(lengths[i][j + 1], lengths[i + 1][j])
            lengths[i + 1][j + 1] = lengths[i][j] + 1 if left == right else longest
    assert common(tuple(one), tuple(other)) == lengths[-1][-1]
