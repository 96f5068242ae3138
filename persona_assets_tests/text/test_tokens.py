import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.text.tokens import token_lists, token_sets, word_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A baker, a BAKER; an early-riser!", ["a", "baker", "a", "baker", "an", "early", "riser"]),
        ("Учитель из Казани", ["учитель", "из", "казани"]),
        ("他是教师。", ["他", "是", "教", "师"]),
        ("使用Python3的教师", ["使", "用", "python3", "的", "教", "师"]),
        ("안녕 세계", ["안녕", "세계"]),
        ("ก็ได้", ["ก็", "ไ", "ด้"]),
    ],
)
def test_words_are_tokens_and_unspaced_scripts_go_by_character(text: str, tokens: list[str]) -> None:
    assert word_tokens(text) == tokens


def test_compatibility_forms_and_combining_marks_give_the_same_tokens() -> None:
    assert word_tokens("Ｃａｆｅ\u0301") == word_tokens("CAFÉ") == ["café"]


@pytest.mark.parametrize("text", ["", "   ", "🙂🙃", "...!?", "—"])
def test_texts_without_words_have_no_tokens(text: str) -> None:
    assert word_tokens(text) == []


def test_token_sets_are_unique_and_sorted_and_null_is_empty() -> None:
    assert token_sets(pl.Series(["b a b", None, ""])).to_list() == [["a", "b"], [], []]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=6))
def test_a_column_is_tokenised_as_each_of_its_texts(texts: list[str]) -> None:
    assert token_lists(pl.Series(texts, dtype=pl.String)).to_list() == [word_tokens(text) for text in texts]
