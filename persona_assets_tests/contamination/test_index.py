"""Which pieces of a benchmark are found in a text, and which are not."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.contamination.index import BenchmarkIndex, Limits
from persona_assets.contamination.items import Item
from persona_assets.contamination.overlaps import overlaps
from persona_assets.contamination.words import word_lists, words_of
from persona_assets_tests.contamination.items import EN, RU, TEXTS, ZH, items

SMALL = Limits(words=4, characters=6, least_words=2, least_characters=3, most_places=1000)


def found(index: BenchmarkIndex, *texts: str) -> dict[int, tuple[int, int]]:
    """By text with an overlap the item named (its number) and the words shared."""
    hits = index.hits(pl.Series(list(texts), dtype=pl.String))
    return {one.row: (one.item.number, one.words) for one in overlaps(index, hits)}


# Against a reference that looks at every pair of places

ALPHABET = ["a", "b", "c", "1", "Б", "в", "数", "学", "题", "目"]
SEPARATORS = st.sampled_from([" ", ", ", "\n", "-", ". ", " $"])
TEXT = st.lists(st.tuples(st.sampled_from(ALPHABET), SEPARATORS), max_size=14).map(
    lambda parts: "".join(word + mark for word, mark in parts)
)


def longest_common_run(one: list[str], other: list[str]) -> int:
    return max(
        (
            next(
                (n for n in range(min(len(one) - i, len(other) - j)) if one[i + n] != other[j + n]),
                min(len(one) - i, len(other) - j),
            )
            for i in range(len(one))
            for j in range(len(other))
        ),
        default=0,
    )


def expected(item: Item, text: str, limits: Limits) -> int:
    """The longest piece that a text and an item share and that counts; 0: none."""
    words, best = word_lists(pl.Series([text]))[0].to_list(), 0
    for part, whole in ((item.question, True), *((answer, False) for answer in item.answers)):
        own = word_lists(pl.Series([part]))[0].to_list()
        letters = 2 * sum(one in "数学题目" for one in own) > len(own)
        full = limits.characters if letters else limits.words
        least = limits.least_characters if letters else limits.least_words
        shared = longest_common_run(own, words)
        if shared >= full or (whole and least <= len(own) == shared):
            best = max(best, shared)
    return best


@given(questions=st.lists(TEXT, min_size=1, max_size=5), answer=TEXT, texts=st.lists(TEXT, min_size=1, max_size=6))
@pytest.mark.parametrize("bits", [64, 3])
def test_overlaps_are_those_of_a_comparison_of_all_places(
    bits: int, questions: list[str], answer: str, texts: list[str]
) -> None:
    given_ = [Item("f", number, "", question, (answer,)) for number, question in enumerate(questions, 1)]
    limits = Limits(words=4, characters=6, least_words=2, least_characters=3, most_places=1000, hash_bits=bits)
    reference = [max(expected(item, text, limits) for item in given_) for text in texts]
    index = BenchmarkIndex(given_, limits)
    assert {row: words for row, (_, words) in found(index, *texts).items()} == {
        row: words for row, words in enumerate(reference) if words
    }
    assert all(index.may_have(words_of(text)) for text, words in zip(texts, reference, strict=True) if words)


@given(st.text(max_size=60))
def test_one_text_has_the_words_that_it_has_among_others(text: str) -> None:
    assert words_of(text) == word_lists(pl.Series(["x", text]))[1].to_list()


def test_equal_hashes_of_unequal_words_are_no_hit() -> None:
    index = BenchmarkIndex(items("one two three four five six"), Limits(words=4, hash_bits=0))
    assert found(index, "seven eight nine ten eleven twelve") == {}
    assert found(index, "and two three four five are numbers") == {0: (1, 4)}


# What a person would expect


@pytest.mark.parametrize("language", TEXTS)
def test_an_item_within_a_longer_text_is_found(language: str) -> None:
    before, behind = {"en": ("Read this: ", " Thanks."), "zh": ("请看：", "谢谢。"), "ru": ("Прочти: ", " Спасибо.")}[
        language
    ]
    index = BenchmarkIndex(items(*TEXTS.values()))
    number = [*TEXTS].index(language) + 1
    assert found(index, before + TEXTS[language].upper().replace(",", " –") + behind)[0][0] == number


@pytest.mark.parametrize("text", [EN, RU])
def test_thirteen_words_count_and_twelve_do_not(text: str) -> None:
    index = BenchmarkIndex(items(text))
    words = text.split()
    assert found(index, " ".join(words[2:15])) == {0: (1, 13)}
    assert found(index, " ".join(words[2:14])) == {}


def test_of_chinese_twenty_characters_count_and_nineteen_do_not() -> None:
    index = BenchmarkIndex(items(ZH))
    plain = "".join(words_of(ZH))
    assert found(index, "，".join(plain[3:23])) == {0: (1, 20)}
    assert found(index, plain[3:22]) == {}


@pytest.mark.parametrize(
    ("short", "decides"),
    [
        ("How many positive whole-number divisors does 196 have?", True),
        ("How many divisors does 196 have?", False),
        ("一百九十六有多少个正整数约数", True),
        ("一百九十六有多少约数", False),
        ("Сколько всего натуральных делителей имеет число 196?", False),
        ("Сколько всего различных натуральных делителей имеет число 196?", True),
    ],
)
def test_a_short_item_counts_as_a_whole_from_a_least_length_on(short: str, decides: bool) -> None:
    index = BenchmarkIndex(items(short))
    assert index.undecided == (not decides)
    assert bool(found(index, f"1. {short} 2.")) == decides
    assert found(index, short[: len(short) // 2]) == {}


@pytest.mark.parametrize(
    "written",
    [
        r"What is the value of $\frac{1}{2}x^2 + \sqrt{3}\sin\theta$ when $x$ equals 1,000 and $\theta$ is 0?",
        r"What is the value of \(\dfrac12x^{2}+\sqrt3\,\sin \theta\) when \(x\) equals $1{,}000$ and θ is 0?",
        r"What is the value of \[\left(\tfrac{1}{2}\right)x^2+\sqrt{3}\cdot\sin(θ)\] when x equals 1000 and θ is 0?",
        "What is the value of ½ x² + √3 sin θ when x equals 1000 and θ is 0?",
        "What is the value of 1/2 x^2 + √3 · sin(θ) when x equals 1000 and θ is 0?",
        r"What is the value of $\\frac{1}{2}x^2 + \\sqrt{3}\\sin\\theta$ when x equals 1000 and θ is 0?",
    ],
)  # fmt: skip
def test_how_a_formula_is_written_hides_nothing(written: str) -> None:
    plain = "what is the value of 1 2 x 2 3 sin θ when x equals 1000 and θ is 0"
    assert " ".join(words_of(written)) == plain
    assert found(BenchmarkIndex(items(written)), f"Please tell me: {plain}.")


def test_yo_is_read_as_ye() -> None:
    assert words_of("Ёлка ещё зелёная, ёж") == words_of("Елка еще зеленая, еж")


def test_an_answer_counts_when_it_has_a_whole_piece() -> None:
    long = "First we add the two numbers on the left, then we halve what is there, and so on."
    index = BenchmarkIndex([Item("f", 1, "", EN, (long, "The answer is the number 231."))])
    assert overlaps(index, index.hits(pl.Series([long])))[0].part == "answer"
    assert found(index, "The answer is the number 231.") == {}


def test_pieces_that_stand_between_many_other_words_do_not_count() -> None:
    form = "Choose the one option that fits the blank best and write nothing but its letter"
    questions = [f"{form}: case {number} of the {number + 1} colours." for number in range(40)]
    index = BenchmarkIndex([Item(f"{number}.jsonl", 1, "", one) for number, one in enumerate(questions)])
    assert index.form_pieces
    assert found(index, f"{form}, please.") == {}
    assert found(index, questions[7])[0][1] > 13


def test_what_questions_about_one_passage_share_counts() -> None:
    passage = f"{EN} {RU}"
    ends = [f"Which {one} is meant, and who of the {one}s says so?" for one in ("boat", "ship", "oar", "sail", "rope")]
    index = BenchmarkIndex([Item(f"{number}.jsonl", 1, "", f"{passage} {end}") for number, end in enumerate(ends)])
    assert found(index, passage)[0][1] >= 13


def test_copies_of_an_item_are_one_item() -> None:
    index = BenchmarkIndex([Item(f"{number}.jsonl", 1, "", EN) for number in range(40)])
    assert index.form_pieces == 0
    assert found(index, EN)


def test_what_most_questions_end_with_is_no_part_of_them() -> None:
    end = "Please reason step by step, and put your final answer within a box at the end of your text."
    starts = ("How many", "Which", "Name the", "What are the", "List all")
    short = [f"{starts[one % 5]} common divisors of {one}, {one + 3}, {one + 8} and {2 * one}?" for one in range(20)]
    index = BenchmarkIndex(items(*(f"{one}\n{end}" for one in short)))
    assert found(index, end, short[4]) == {1: (5, 10)}


def test_the_longest_piece_names_the_item_and_all_items_are_counted() -> None:
    words = EN.split()
    index = BenchmarkIndex(items(" ".join(words[:14]), EN))
    hits = index.hits(pl.Series([EN]))
    (one,) = overlaps(index, hits)
    assert (one.item.number, one.words, one.items) == (2, len(words_of(EN)), 2)
    assert one.detail.startswith("test.jsonl item 2: 20 words of its question: a lighthouse keeper paints 12 rails")


def test_shared_words_of_chinese_stand_together() -> None:
    index = BenchmarkIndex(items(ZH))
    (one,) = overlaps(index, index.hits(pl.Series([ZH])))
    assert one.shared == "灯塔看守人每天早上刷十二根栏杆晚上再刷九根请问十一天之后一共刷了多少根栏杆"


def test_texts_without_words_and_nulls_have_no_hits() -> None:
    index = BenchmarkIndex(items(EN))
    assert index.hits(pl.Series(["", None, "?!", EN])).get_column("row").unique().to_list() == [3]
    assert BenchmarkIndex([]).hits(pl.Series([EN])).height == 0
