"""Which share of more personas says something new."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.personas.novelty import Novelty

WORDS = st.lists(
    st.sampled_from(["bee", "hive", "spring", "bread", "oven", "rye", "lock", "boat"]), min_size=2, max_size=8
)


def rows(*texts: str, start: int = 0) -> pl.DataFrame:
    return pl.DataFrame({"persona_id": [f"per_{start + at:04}" for at in range(len(texts))], "text": texts})


@pytest.mark.parametrize(
    ("first", "again", "other"),
    [
        (
            "a beekeeper who weighs each hive in spring",
            "a patient beekeeper who weighs each hive in spring",
            "a night guard who greases the gears of a canal lock",
        ),
        ("春天给每个蜂箱称重的养蜂人", "春天给每个蜂箱称重的老养蜂人", "夜里给运河闸门上油的看守"),
        (
            "пасечник, который весной взвешивает каждый улей",
            "старый пасечник, который весной взвешивает каждый улей",
            "ночной сторож, который смазывает шестерни шлюза",
        ),
    ],
)
def test_who_says_little_new_is_not_new(first: str, again: str, other: str) -> None:
    novelty = Novelty()
    assert novelty.add(rows(first)) == 1
    assert novelty.add(rows(again, other, start=1)) == 0.5
    assert novelty.add(rows(other, start=3)) == 0


def test_of_two_alike_in_one_hop_the_one_of_the_lower_id_is_new() -> None:
    assert Novelty().add(rows("a baker of rye bread", "a baker of rye bread")) == 0.5


def test_nobody_has_no_share() -> None:
    assert Novelty().add(rows()) is None


@given(st.lists(WORDS, min_size=1, max_size=12))
def test_the_same_again_adds_nothing_and_order_is_nothing(texts: list[list[str]]) -> None:
    told = rows(*(" ".join(words) for words in texts))
    novelty = Novelty()
    first = novelty.add(told)
    assert first is not None
    assert 0 < first <= 1
    assert Novelty().add(told.sample(fraction=1, shuffle=True, seed=len(texts))) == first
    assert novelty.add(told.with_columns(persona_id="per_9" + pl.col("persona_id"))) == 0
