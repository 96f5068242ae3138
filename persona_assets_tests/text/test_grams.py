"""How alike two problems are, by three words in a row."""

import json
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.text.grams import jaccard, word_grams

GSM8K = Path(__file__).parents[3] / "shared" / "data" / "gsm8k" / "test.jsonl"
CEILING = 0.4


def alike(one: str, other: str) -> float:
    first, second = word_grams(pl.Series([one, other], dtype=pl.String))
    return jaccard(first, second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "A baker sells 12 loaves at 3 dollars. How much is that?",
            "A baker sells 40 loaves at 5 dollars. How much is that?",
        ),
        ("面包师每天卖12个面包，一共卖了3天。共卖出多少个？", "面包师每天卖40个面包，一共卖了5天。共卖出多少个？"),
        ("Пекарь продал 12 буханок по 3 рубля. Сколько это?", "Пекарь продал 40 буханок по 5 рубля. Сколько это?"),
        ("Sell 5", "sell 7!"),
    ],
)
def test_a_problem_with_other_numbers_is_the_same(one: str, other: str) -> None:
    assert alike(one, other) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A baker sells 12 loaves. How much is that?", "Two trains leave at noon. Where do they meet?"),
        ("面包师每天卖12个面包。", "两列火车同时出发。"),
        ("", "Sell 5"),
    ],
)
def test_another_problem_is_not(one: str, other: str) -> None:
    assert alike(one, other) == 0


@given(st.text(max_size=80), st.text(max_size=80))
def test_likeness_holds_both_ways_and_is_whole_with_itself(one: str, other: str) -> None:
    assert alike(one, other) == alike(other, one)
    assert alike(one, one) == 1
    assert 0 <= alike(one, other) <= 1


@pytest.mark.skipif(not GSM8K.exists(), reason="the real problems are not beside the checkout")
def test_real_problems_are_told_apart_and_their_variants_are_not() -> None:
    lines = GSM8K.read_text(encoding="utf-8").splitlines()[:300]
    texts = [json.loads(line)["question"] for line in lines]
    varied = [re.sub(r"\d+", lambda found: str(int(found[0]) + 7), text) for text in texts]
    grams, others = word_grams(pl.Series(texts)), word_grams(pl.Series(varied))
    nearest = [max(jaccard(one, two) for two in grams if two is not one) for one in grams]
    assert sum(one > CEILING for one in nearest) <= 3
    assert all(jaccard(one, other) > CEILING for one, other in zip(grams, others, strict=True))
