"""Which answers become a pair, and why others do not."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from persona_assets.lake import Lake
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import datasets
from persona_assets_tests.engines.asking import SETTINGS

GOOD = "Rye dough rests in a bowl overnight and bakes on a hot stone until the crust is dark"
BAD = "Well, you knead it, you wait, and you bake it; 40 minutes will do for a small loaf, I think"
SCHEMA: dict[str, Any] = {
    "sample_id": pl.String, "instruction_id": pl.String, "instruction": pl.String, "constraints": pl.String,
    "asked": pl.String, "answer": pl.String, "passes": pl.Boolean, "failed": pl.List(pl.String),
}  # fmt: skip


def answer(name: str, asked: str, text: str, *, passes: bool, of: str = "m") -> dict[str, Any]:
    """A verified answer."""
    seen = [] if passes else ["no_commas: has 1 comma"]
    return {
        "sample_id": name, "instruction_id": of, "instruction": f"How? {of}", "constraints": "[]", "asked": asked,
        "answer": text, "passes": passes, "failed": seen,
    }  # fmt: skip


def pairs(*answers: dict[str, Any]) -> tuple[list[list[str]], dict[str, str]]:
    """The parents of each pair, and by answer why it is set aside."""
    step = datasets(SETTINGS)["preference_pairs"]
    assert isinstance(step, DerivedStep)
    computed = step.compute("", lambda _: pl.LazyFrame(list(answers), schema=SCHEMA), {}, Lake("unused"))
    made = computed.filter(pl.col("reason").is_null())["parent_ids"].to_list()
    aside = computed.filter(pl.col("reason").is_not_null())
    return made, {ids[0]: reason for ids, reason in aside.select("parent_ids", "reason").iter_rows()}


def test_an_answer_that_passes_goes_with_one_that_was_not_told_and_fails() -> None:
    told = [
        answer("a", "constrained", GOOD, passes=True),
        answer("b", "constrained", GOOD + ",", passes=False),
        answer("c", "relaxed", BAD, passes=False),
        answer("d", "relaxed", GOOD, passes=True),
    ]
    assert pairs(*told) == ([["a", "c"]], {"b": "not_needed", "d": "not_needed"})


def test_the_answers_nearest_in_length_are_taken_and_the_order_of_rows_changes_nothing() -> None:
    told = [
        answer("a", "constrained", GOOD, passes=True),
        answer("b", "constrained", GOOD + " and smells of malt while it cools on a rack", passes=True),
        answer("c", "relaxed", BAD + ", and it keeps for a week in linen, they say", passes=False),
    ]
    assert pairs(*told) == pairs(*told[::-1]) == ([["b", "c"]], {"a": "not_needed"})


def test_alike_pairs_are_decided_by_ids() -> None:
    told = [
        *(answer(name, "constrained", GOOD, passes=True) for name in ("b", "a")),
        *(answer(name, "relaxed", BAD, passes=False) for name in ("d", "c")),
    ]
    assert pairs(*told)[0] == [["a", "c"]]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (
            [answer("a", "constrained", BAD, passes=False), answer("b", "relaxed", BAD, passes=False)],
            "no_answer_passes",
        ),
        ([answer("b", "relaxed", BAD, passes=False)], "no_answer_passes"),
        ([answer("a", "relaxed", GOOD, passes=True)], "no_answer_passes"),
        ([answer("a", "constrained", GOOD, passes=True), answer("b", "relaxed", GOOD, passes=True)], "no_answer_fails"),
        ([answer("a", "constrained", GOOD, passes=True)], "no_answer_fails"),
        ([answer("a", "constrained", "Yes", passes=True), answer("b", "relaxed", BAD, passes=False)], "lengths_differ"),
        (
            [answer("a", "constrained", GOOD, passes=True), answer("b", "relaxed", f"{GOOD}!", passes=False)],
            "nearly_identical",
        ),
        ([answer("a", "constrained", "1", passes=True), answer("b", "relaxed", "1", passes=False)], "nearly_identical"),
        ([answer("a", "constrained", "?", passes=True), answer("b", "relaxed", "!", passes=False)], "nearly_identical"),
    ],
)
def test_a_message_without_a_pair_says_why(answers: Sequence[dict[str, Any]], reason: str) -> None:
    assert pairs(*answers) == ([], {one["sample_id"]: reason for one in answers})


def test_a_pair_that_does_not_fit_leaves_room_for_one_that_does() -> None:
    told = [
        answer("a", "constrained", GOOD, passes=True),
        answer("b", "relaxed", f"{GOOD}!", passes=False),
        answer("c", "relaxed", BAD, passes=False),
    ]
    assert pairs(*told) == ([["a", "c"]], {"b": "not_needed"})


def test_answers_in_capitals_are_other_words() -> None:
    told = [answer("a", "constrained", GOOD.upper(), passes=True), answer("b", "relaxed", GOOD, passes=False)]
    assert pairs(*told)[0] == [["a", "b"]]


def test_a_chinese_answer_is_as_long_as_what_it_says() -> None:
    chinese = "黑麦面团在盆里放一夜然后在热石板上烤到外皮发黑"
    told = [answer("a", "constrained", chinese, passes=True), answer("b", "relaxed", BAD, passes=False)]
    assert pairs(*told)[0] == [["a", "b"]]


def test_messages_do_not_mix() -> None:
    told = [
        answer("a", "constrained", GOOD, passes=True, of="m"),
        answer("b", "relaxed", BAD, passes=False, of="n"),
    ]
    assert pairs(*told) == ([], {"a": "no_answer_fails", "b": "no_answer_passes"})
    assert pairs() == ([], {})
