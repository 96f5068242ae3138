"""The rules of messages that put a request and its constraints together."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.constraints import told as told_in
from persona_assets.constraints.kinds import kinds_digest
from persona_assets.ids import digest
from persona_assets.rules.constrained import keeps_request, states_constraints
from persona_assets.rules.sample import Sample

REQUEST = "How do I keep bees alive through a long winter without buying a heated hive?"

GOLDEN = (1, "69ff6ad231d0e2e1851f26678a8547fb", "1d7ca9c40880271699ceccbdd9f42272")


def sample(message: str, request: Any = REQUEST, stated: Any = (), language: str = "en") -> Sample:
    """A message, of a row with this request and these sentences."""
    about = {"instruction": request, "stated": list(stated) if isinstance(stated, tuple) else stated}
    return Sample({"instruction": message}, "", language, about)


@pytest.mark.parametrize(
    ("language", "stated", "told"),
    [
        ("en", "Write at least 120 words.", "And please write one hundred and twenty words at least."),
        ("zh", "回答最多6句话。", "最多六句话就好。"),
        ("ru", "В ответе должно быть не больше 6 предложений.", "Уложитесь, пожалуйста, в шесть предложений."),
    ],
)
def test_a_message_tells_a_constraint_in_its_own_words(language: str, stated: str, told: str) -> None:
    assert states_constraints(sample(f"? {told}", stated=(stated,), language=language), "instruction") is None
    assert stated in str(states_constraints(sample("?", stated=(stated,), language=language), "instruction"))


def test_each_of_several_constraints_is_looked_for() -> None:
    stated = ("Do not use digits.", "Use the word “bridge”.")
    assert "bridge" in str(states_constraints(sample("Please use no digits.", stated=stated), "instruction"))


@pytest.mark.parametrize("stated", [None, [], "text", [1, None], ["Be kind."]])
def test_a_row_without_constraints_that_are_known_is_passed_over(stated: Any) -> None:
    assert states_constraints(sample("Anything", stated=stated), "instruction") is None


def test_a_row_that_is_not_there_is_passed_over() -> None:
    alone = Sample({"instruction": "Anything"}, "", "en")
    assert states_constraints(alone, "instruction") is None
    assert keeps_request(alone, "instruction") is None


def test_a_language_without_wordings_is_passed_over() -> None:
    assert states_constraints(sample("Bonjour", stated=("Do not use digits.",), language="fr"), "instruction") is None


def test_a_request_with_other_words_around_it_is_kept() -> None:
    assert keeps_request(sample(f"Good morning! {REQUEST} Do not use digits. Thanks."), "instruction") is None
    assert (
        keeps_request(sample("How do I keep my bees alive through a long winter, no heated hive?"), "instruction")
        is None
    )


def test_constraints_alone_are_no_message() -> None:
    said = keeps_request(sample("Do not use digits. Write three paragraphs."), "instruction")
    assert "of the words of the request" in str(said)


def test_a_message_with_an_essay_beside_the_request_is_refused() -> None:
    essay = " ".join(f"word{number}" for number in range(90))
    assert "more than" in str(keeps_request(sample(f"{REQUEST} {essay}"), "instruction"))


def test_a_request_that_is_to_be_repeated_stands_word_for_word() -> None:
    stated = ("Before you answer, copy the request exactly as it is, leaving out the conditions.",)
    assert keeps_request(sample(f"{REQUEST} {stated[0]}", stated=stated), "instruction") is None
    changed = REQUEST.replace("How do I", "How can I")
    assert "word for word" in str(keeps_request(sample(f"{changed} {stated[0]}", stated=stated), "instruction"))


@given(st.text(), st.text(), st.lists(st.text(), max_size=3), st.sampled_from(["en", "zh", "ru", "fr", ""]))
def test_no_text_ends_the_rules(message: str, request: str, stated: list[str], language: str) -> None:
    for rule in (states_constraints, keeps_request):
        assert isinstance(rule(sample(message, request, stated, language), "instruction"), str | None)


def test_the_words_that_tell_constraints_are_as_the_version_says() -> None:
    told = (Path(told_in.__file__).with_name("told.yaml")).read_bytes()
    said = "raise the version of states_constraints if it judges otherwise, then write the new digest here"
    assert (states_constraints.version, digest(told), kinds_digest()) == GOLDEN, said
