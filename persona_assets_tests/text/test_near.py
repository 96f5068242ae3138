"""Near-copies among short texts, against every pair compared."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.text.near import form, near_pairs, nearest_kept
from persona_assets.text.tokens import word_tokens

TEXTS = st.lists(st.text(alphabet="ab c茶чd", max_size=14), max_size=9)
LEAST = st.sampled_from([0.3, 0.5, 2 / 3, 0.8, 1.0])


def jaccard(one: str, other: str) -> float:
    mine, theirs = set(word_tokens(one)), set(word_tokens(other))
    return len(mine & theirs) / len(mine | theirs) if mine and theirs else 0.0


@given(TEXTS, LEAST)
def test_no_pair_is_lost_and_none_is_added(texts: list[str], least: float) -> None:
    every = [(row, other, jaccard(texts[row], texts[other])) for row in range(len(texts)) for other in range(row)]
    wanted = [(row, other, pytest.approx(found)) for row, other, found in every if found > 0 and found >= least - 1e-9]
    assert near_pairs(pl.Series(texts, dtype=pl.String), least).rows() == wanted


@given(TEXTS, LEAST)
def test_what_goes_is_near_something_that_stays(texts: list[str], least: float) -> None:
    found = nearest_kept(pl.Series(texts, dtype=pl.String), least)
    gone = set(found["row"])
    assert not gone & set(found["other"])
    stay = [row for row in range(len(texts)) if row not in gone]
    assert all(jaccard(texts[one], texts[other]) < least for one in stay for other in stay if other < one)


def test_the_nearest_of_those_that_stay_is_named() -> None:
    texts = ["plan a party for a friend", "plan a party for my friend", "plan my party for my friend", "bake bread"]
    assert nearest_kept(pl.Series(texts), 0.6).rows() == [(1, 0, pytest.approx(5 / 6)), (2, 0, pytest.approx(4 / 6))]


def test_texts_without_words_are_near_nothing() -> None:
    assert near_pairs(pl.Series(["", None, "?!", "?!"]), 0.5).height == 0


def test_case_width_and_spaces_make_no_other_text() -> None:
    texts = pl.DataFrame({"text": ["Plan  a\nPARTY", "plan a party ", "ｐｌａｎ a party", None]})
    assert texts.select(form(pl.col("text"))).to_series().to_list() == ["plan a party"] * 3 + [""]
