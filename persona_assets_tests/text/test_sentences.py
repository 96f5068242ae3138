import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.text.sentences import BYTES_PER_TOKEN, cut, split_sentences, windows

PROSE = (
    "The kiln is cold. ",
    "Dr. Weiss wrote 3.14 down! ",
    "它很冷。",
    "他们走了！",
    "Печь остыла. ",
    "т. е. вот так. ",
)
ODD = ("\n", "donaudampfschifffahrt", "x" * 130, "…", "  ", "«Да», — сказал он. ", "🙂", "é", "ﬁ", "a.b.c ", "？")
PIECES = st.sampled_from(PROSE + ODD)
TEXTS = st.lists(PIECES | st.text(max_size=12), max_size=20).map("".join)


def size(text: str) -> int:
    """Tokens that a text is counted as, rounded up."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def test_sentences_of_the_three_languages_are_told_apart() -> None:
    assert split_sentences("The kiln is cold. It was hot! Why?") == ["The kiln is cold.", "It was hot!", "Why?"]
    assert split_sentences("窑已经冷了。昨天还很热！为什么？") == ["窑已经冷了。", "昨天还很热！", "为什么？"]
    assert split_sentences("Печь остыла. Вчера она была горячей! Почему?") == [
        "Печь остыла.",
        "Вчера она была горячей!",
        "Почему?",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Weiss and Mrs. Kaya fired 3.5 kg of clay, e.g. stoneware.",
        "He signed it J. Weiss and left.",
        "Мастерская на ул. Садовой, т. е. за рынком, открыта.",
        "See example.com for the glaze.",
        "Well... maybe later.",
    ],
)
def test_a_full_stop_inside_a_sentence_does_not_end_it(text: str) -> None:
    assert split_sentences(text) == [text]


def test_closing_quotes_stay_with_their_sentence() -> None:
    assert split_sentences("He said “stop.” Then he left.") == ["He said “stop.”", "Then he left."]
    assert split_sentences("他说：“停下。”然后走了。") == ["他说：“停下。”", "然后走了。"]


def test_a_line_break_ends_a_sentence() -> None:
    assert split_sentences("Glazes\n\n- ash\n- salt") == ["Glazes", "- ash", "- salt"]


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_splitting_loses_nothing_but_white_space(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


@given(TEXTS, st.integers(min_value=0, max_value=60))
@settings(max_examples=150, deadline=None)
def test_a_cut_is_a_prefix_within_the_budget_and_the_same_each_time(text: str, tokens: int) -> None:
    kept = cut(text, tokens)
    assert text.startswith(kept)
    assert size(kept) <= tokens
    assert cut(text, tokens) == kept


@given(TEXTS, st.integers(min_value=1, max_value=60))
@settings(max_examples=60, deadline=None)
def test_a_text_that_fits_is_returned_whole(text: str, spare: int) -> None:
    assert cut(text, size(text) + spare) == text


def test_the_cut_is_the_longest_run_of_whole_sentences() -> None:
    first, second, third = "The kiln is cold.", "It was hot yesterday.", "Nobody knows why that is."
    text = f"{first} {second} {third}"
    assert cut(text, size(f"{first} {second}")) == f"{first} {second}"
    assert cut(text, size(f"{first} {second}") - 1) == first
    assert cut("窑已经冷了。昨天还很热！", 8) == "窑已经冷了。"  # 36 bytes: nine tokens


def test_what_stands_behind_the_budget_still_tells_an_abbreviation_from_an_end() -> None:
    head = "The kiln is cold. It holds clay, e.g."
    assert cut(f"{head} stoneware and much else.", size(head)) == "The kiln is cold."


def test_an_over_long_sentence_is_cut_between_words() -> None:
    kept = cut("one " + "word " * 500, 20)
    assert kept == "one" + " word" * 15  # 78 of 80 bytes


def test_an_over_long_chinese_sentence_is_cut_between_characters() -> None:
    assert len(cut("好" * 500, 21)) == 28


def test_an_over_long_word_is_cut_inside() -> None:
    kept = cut("z" * 90 + "q" * 5000, 5)
    assert kept
    assert size(kept) == 5


def test_an_end_far_before_the_cut_is_found() -> None:
    assert cut("The kiln is cold. " + "Word " * 5000, 2000) == "The kiln is cold."


@given(TEXTS, st.integers(1, 20))
def test_windows_are_cuts_that_follow_each_other_and_lose_no_more_than_a_short_rest(text: str, tokens: int) -> None:
    text = text.strip() or "a"
    found = windows(text, tokens)
    assert text[: found[0][1]] == cut(text, tokens)
    for start, end in found:
        assert text[start:end] == cut(text[start:], tokens)
    for (_, end), (start, _) in pairwise(found):
        assert not text[end:start].strip()
    assert len(text[found[-1][1] :].strip().encode()) * 4 < tokens * 4


def test_the_module_needs_no_torch() -> None:
    use = "from persona_assets.text.sentences import cut; cut('A b. C d.', 3)"
    code = f"import sys; {use}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
