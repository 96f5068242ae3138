import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.dedup.lexical import jaccard
from persona_assets.text.sets import TokenSets
from persona_assets.text.shingles import shingle_sets
from persona_assets.text.sketches import SIZE, filled, similarities, sketched
from persona_assets.text.tokens import word_tokens

WORDS = st.lists(st.sampled_from(["tide", "mill", "rope", "Öl", "бе́рег", "7", "ice—age"]), max_size=30).map(" ".join)


def _expected(text: str) -> set[tuple[str, ...]]:
    tokens = word_tokens(text)
    return {tuple(tokens[at : at + 5]) for at in range(max(len(tokens) - 4, 1))} if tokens else set()


def _pairwise(sets: TokenSets) -> float:
    return float(similarities(*(row for row in filled(*sketched(sets)).reshape(2, 1, SIZE)))[0])


@given(WORDS, WORDS)
def test_of_words_they_are_all_runs_of_five(one: str, other: str) -> None:
    sets = shingle_sets(pl.Series([one, other]))
    mine, others = _expected(one), _expected(other)
    assert sets.sizes.tolist() == [len(mine), len(others)]
    expected = len(mine & others) / max(len(mine | others), 1)
    assert _pairwise(sets) == pytest.approx(expected)


def test_of_chinese_and_japanese_they_are_runs_of_ten_letters() -> None:
    zh, ja = "老磨坊立在河边，离桥一里多路。", "水車小屋は川のほとりに立つ。"
    sizes = [len(word_tokens(text)) - 9 for text in (zh, ja)]
    assert shingle_sets(pl.Series([zh, ja])).sizes.tolist() == sizes


def test_a_text_in_two_scripts_has_runs_across_them() -> None:
    text = "the 老磨坊立 mill by 河边离桥 here"  # 2 for a word, 1 for a letter: 2 4 2 2 4 2
    assert shingle_sets(pl.Series([text])).sizes.tolist() == [6]


def test_case_width_and_punctuation_say_nothing_and_order_does() -> None:
    texts = ["Bees leave the hive at dawn", "ＢＥＥＳ leave—the hive, at dawn!", "at dawn Bees leave the hive"]
    sets = shingle_sets(pl.Series(texts))
    assert sets.take([0]).tokens.tolist() == sets.take([1]).tokens.tolist() != sets.take([2]).tokens.tolist()


def test_a_short_text_is_one_shingle_and_one_without_words_none() -> None:
    sets = shingle_sets(pl.Series(["two words", "two words more", "", None, "…!"]))
    assert sets.sizes.tolist() == [1, 1, 0, 0, 0]
    assert sets.tokens[0] != sets.tokens[1]


def test_a_text_that_was_made_null_has_none() -> None:
    texts = pl.DataFrame({"text": ["one two three", "four five six"], "wanted": [True, False]})
    wanted = texts.select(pl.when("wanted").then("text")).to_series()
    assert shingle_sets(wanted).sizes.tolist() == [1, 0]


def test_texts_in_one_column_do_not_change_each_other() -> None:
    texts = ["one two three four five six", "五六七八九十百千万亿兆京", "a b", "seven eight nine ten eleven"]
    alone = [shingle_sets(pl.Series([text])).tokens.tolist() for text in texts]
    together = shingle_sets(pl.Series(texts))
    assert [together.take([place]).tokens.tolist() for place in range(4)] == alone


@pytest.mark.parametrize("shared", [0.6, 0.8, 0.9])
@pytest.mark.parametrize("longer", [1, 2])
def test_similarities_of_large_sets_are_told_within_a_twentieth(shared: float, longer: int) -> None:
    errors = []
    for number in range(60):
        common = [f"c{number}w{n}" for n in range(int(2000 * shared))]
        own = [[f"{side}{number}w{n}" for n in range(side * longer * int(500 * (1 - shared)))] for side in (1, 2)]
        sets = shingle_sets(pl.Series([" ".join(common + words) for words in own]))
        errors.append(_pairwise(sets) - float(jaccard(sets, *([[0], [1]]))[0]))
    assert abs(sum(errors) / len(errors)) < 0.01
    assert sum(abs(error) < 0.05 for error in errors) >= 57
