"""Hostile answers: every checker takes time with the length of a text, and gives an answer to any text."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.constraints.checkers import seen
from persona_assets.constraints.constraint import Constraint
from persona_assets.constraints.kinds import kinds, kinds_of
from persona_assets.constraints.read import read
from persona_assets.constraints.told import untold
from persona_assets.constraints.words import LANGUAGES
from persona_assets_tests.constraints.test_witnesses import WITNESSES

LONG = 10_000
PATTERNS = [
    *"a好Ж1 \n\t.。…!?\"“”«„*_#|-`~[](){}<>《,、:'\\\0\u0301",
    "* ", "- ", "a.", "a. ", ". ", "**a", "[a", "<<a", "`a", "|a", "\n- ", "\n|-|", "\n# a", "\n```\n",
    "P.S.", '{"a":', "。”", "_a",
    "1.", "。“说", "\n\n", "\r", "«a»", "<<", "Э. ", "т. е. ",
]  # fmt: skip
SECONDS = 1.0  # of a core, for ten thousand characters; time squared takes tens of seconds
TRIES = 3  # a garbage collection of what other tests left may fall into one


def slow(reads: Callable[[], object]) -> float | None:
    """Seconds of this thread that the fastest of a few tries took, if they were too many."""
    taken = []
    for _ in range(TRIES):
        start = time.thread_time()
        reads()
        taken.append(time.thread_time() - start)
        if taken[-1] <= SECONDS:
            return None
    return min(taken)


def args_of(kind: str) -> tuple[str, dict[str, Any], str]:
    language, told = next(iter(WITNESSES[kind].items()))
    return language, told.get("args", {}), told.get("request", "")


@pytest.mark.parametrize("kind", list(kinds()))
def test_long_answers_of_one_pattern_are_read_in_linear_time(kind: str) -> None:
    language, args, request = args_of(kind)
    texts = [
        text for pattern in PATTERNS for long in [pattern * (LONG // len(pattern))] for text in (long, f"A{long}b")
    ]
    took = {text[:20]: slow(partial(seen, kind, text, args, language, request)) for text in texts}
    assert {text: seconds for text, seconds in took.items() if seconds} == {}


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(list(kinds())),
    st.text(max_size=200) | st.text(st.sampled_from('aЖ好1.。*_#|-`[]<>"“”\n '), max_size=80),
)
def test_any_text_gets_an_answer(kind: str, text: str) -> None:
    language, args, request = args_of(kind)
    said = seen(kind, text, args, language, request)
    assert said is None or said.strip()


@pytest.mark.parametrize("language", LANGUAGES)
def test_long_messages_are_read_in_linear_time(language: str) -> None:
    worded = [kind.wordings[language][0].partition("{")[0] for kind in kinds_of(language)]
    numbers = {"en": "one hundred and ", "zh": "一百零", "ru": "ста двадцати "}[language]
    constraint = Constraint("sentences_at_least", {"n": 9}, "")
    took = {}
    for pattern in [*PATTERNS, *(one for one in worded if one), numbers]:
        text = pattern * (LONG // len(pattern))
        took[pattern] = slow(lambda text=text: (read(text, language), untold(constraint, text, language)))
    assert {pattern: seconds for pattern, seconds in took.items() if seconds} == {}
