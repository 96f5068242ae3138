"""Rules of surveys and interviews, on choices and on quotes in three languages."""

import pytest

from persona_assets.rules.sample import Sample
from persona_assets.rules.surveys import among_options, quotes_speaker

OPTIONS = [{"id": "for-all", "text": "Yes"}, {"id": "nobody", "text": "No"}]
TALK = [
    {"speaker": "interviewer", "text": "How did you manage the last time?"},
    {"speaker": "customer", "text": "I lost an hour, and\nnobody told me the price beforehand."},
    {"speaker": "customer", "text": "耽误了一个小时，事先也没人告诉我价钱。"},
    {"speaker": "customer", "text": "Потерял час, и цену заранее никто не назвал."},
]


@pytest.mark.parametrize("choice", ["for-all", "nobody", None])
def test_an_option_or_none_may_be_chosen(choice: str | None) -> None:
    assert among_options(Sample({"choice": choice}, "", "en", {"options": OPTIONS}), "choice") is None


@pytest.mark.parametrize("choice", ["For-all", "yes", "Yes", "", "for-all, nobody", "6"])
def test_what_is_no_option_is_refused_with_those_that_are(choice: str) -> None:
    said = among_options(Sample({"choice": choice}, "", "en", {"options": OPTIONS}), "choice")
    assert said
    assert "for-all, nobody" in said


@pytest.mark.parametrize(
    "quote",
    [
        "nobody told me the price beforehand",
        "I lost an hour, and nobody told me",
        "“Nobody told me the price”",
        "事先也没人告诉我价钱",
        "«цену заранее никто не назвал»",
    ],
)
def test_the_speakers_own_words_are_a_quote(quote: str) -> None:
    assert quotes_speaker(Sample({"quote": quote}, "", "en", {"talk": TALK}), "quote", "talk", "customer") is None


@pytest.mark.parametrize(
    "quote",
    [
        "How did you manage",
        "nobody told me about the price",
        "我丢了一个小时",
        "цену мне никто не назвал",
        "",
        "…",
        '"',
    ],
)
def test_other_words_are_none(quote: str) -> None:
    assert quotes_speaker(Sample({"quote": quote}, "", "en", {"talk": TALK}), "quote", "talk", "customer")
