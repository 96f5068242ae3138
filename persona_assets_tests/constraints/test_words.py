"""Words, characters and lines as a reader counts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.constraints.blocks import items, paragraphs, sections, tables
from persona_assets.constraints.words import times, word_list

COUNTS = [
    ("don't stop state-of-the-art work", 4),
    ("1,000 or 3.14 or 5", 5),
    ("see https://example.com/a-b?c=d now", 3),
    ("我有3个App。", 5),
    ("Это кое-что, а это — нет.", 5),
    ("ｆｕｌｌ　ｗｉｄｔｈ", 2),
    ("сло́во", 1),
    ("— * # | !", 0),
]


@pytest.mark.parametrize(("text", "count"), COUNTS)
def test_words_are_counted_as_a_reader_counts_them(text: str, count: int) -> None:
    assert len(word_list(text)) == count


@given(st.lists(st.sampled_from(["mint", "Мята", "薄荷", "12"]), max_size=20))
def test_words_between_spaces_add_up(words: list[str]) -> None:
    assert len(word_list(" ".join(words))) == sum(2 if word == "薄荷" else 1 for word in words)


@pytest.mark.parametrize(
    ("text", "word", "language", "count"),
    [
        ("Time, time's and TIME; timely", "time", "en", 3),
        ("Еще ещё ЕЩЁ", "еще", "ru", 3),
        ("好朋友的朋友", "朋友", "zh", 2),
        ("ｔｉｍｅ", "time", "en", 1),
        ("a.b", "a.b", "en", 1),
    ],
)
def test_a_word_is_found_in_its_form(text: str, word: str, language: str, count: int) -> None:
    assert times(text, word, language) == count


def test_items_of_inner_lists_are_not_counted() -> None:
    assert items("1. one\n   1. inner\n   - inner\n2. two", "number") == 2


def test_rules_are_no_paragraphs_and_no_items() -> None:
    assert (len(paragraphs("One.\n\n---\n\nTwo.")), items("* * *\n- - -", "bullet")) == (2, 0)


def test_a_heading_above_others_is_filled_by_them() -> None:
    assert sections("# A\n## B\ntext\n## C") == [(1, "A", True), (2, "B", True), (2, "C", False)]


def test_cells_of_a_table_are_counted_by_row() -> None:
    assert tables("| a | b |\n|---|---|\n| c \\| d | e |\n\ntext") == [[2, 2]]


def test_lines_in_code_are_neither_headings_nor_items() -> None:
    text = "```\n# a\n- b\n```"
    assert (sections(text), items(text, "bullet")) == ([], 0)
