"""What is one text, however it is written."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.contamination.words import normalised, word_lists, words_of

WORD = st.sampled_from(["the", "Sum", "x", "12", "Ёж", "сумма", "数", "题", "é", "1000"])
# What may stand between two words and says nothing.
NOTHING = st.sampled_from(
    [
        " ",
        ", ",
        "\n",
        "$ $",
        r" \, ",
        r" \left( ",
        r"\right) ",
        r" \text{ ",
        "} ",
        r" \quad ",
        " — ",
        "。",
        r" \\ ",
        "_{",
    ]
)


@given(st.lists(st.tuples(WORD, NOTHING), max_size=12), st.data())
def test_what_stands_between_words_makes_no_difference(parts: list[tuple[str, str]], data: st.DataObject) -> None:
    written = "".join(word + between for word, between in parts)
    otherwise = "".join(word + data.draw(NOTHING) for word, _ in parts)
    assert words_of(written) == words_of(otherwise)


@given(st.lists(st.tuples(WORD, NOTHING), max_size=12))
def test_words_are_the_words_of_themselves(parts: list[tuple[str, str]]) -> None:
    words = words_of("".join(word + between for word, between in parts))
    assert words_of(" ".join(words)) == words


@given(st.lists(st.text(alphabet=r"ab12,{}\ $frcsqt^_½²ёЁπ数", max_size=20), min_size=1, max_size=5))
def test_a_text_reads_the_same_among_others(texts: list[str]) -> None:
    assert word_lists(pl.Series(texts)).to_list() == [words_of(text) for text in texts]


def test_given_texts_stay_as_they_are() -> None:
    texts = pl.Series(["plain", "½ Ёлка", r"\frac12", None])
    normalised(texts)
    assert texts.to_list() == ["plain", "½ Ёлка", r"\frac12", None]


def test_numbers_with_marks_between_thousands_are_one() -> None:
    for number in ("1,234,567", "1{,}234{,}567", r"1,\!234,\!567", r"1\,234\,567", "1234567"):
        assert words_of(number) == ["1234567"], number
    assert words_of("1,234,567,890,123") == ["1234567890123"]
    assert words_of("(1,2) and 3, 456") == ["1", "2", "and", "3", "456"]
