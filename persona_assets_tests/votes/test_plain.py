r"""Answers in plain form: of one value one text, whatever script, format and language it was written in."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.maths.compare import LONGEST
from persona_assets.maths.numbers import number
from persona_assets.maths.words import Number
from persona_assets.votes.plain import plain_answer, printed_answer, shown, solved_answer

WRITTEN = [
    ("1,500", "en", "1500"),
    ("1 500 рублей", "ru", "1500"),
    ("一千五百", "zh", "1500"),
    (r"\boxed{1500}", "en", "1500"),
    ("0.50", "en", "0.5"),
    ("половина", "ru", "0.5"),
    ("1/2", "zh", "0.5"),
    ("1/3", "en", "1/3"),
    ("25 %", "ru", "25%"),
    ("двадцать пять процентов", "ru", "25%"),
    ("１２", "zh", "12"),
    ("$x = 2\\sqrt{3}$", "en", "2\\sqrt{3}"),
    ("B", "en", "B"),
    ("yes", "en", "yes"),
    ("(1, 2)", "en", "(1, 2)"),
    ("18 and 20", "en", "18 and 20"),
    ("The answer is 18.", "en", "18"),
    ("He pays 18 dollars for all the things that he bought", "en", "18"),
    ("小明一共有5个", "zh", "5"),
    ("Ответ: 12,5 км", "ru", "12.5"),
    ("", "en", ""),
    ("  ", "ru", ""),
    ("-3", "en", "-3"),
    ("−3", "zh", "-3"),
]
PRINTED = [
    ("18\n", "18"),
    ("step 1\n\n18\n\n", "18"),
    ("17.999999999999996", "18"),
    ("5.333333333333333", "16/3"),
    ("0.30000000000000004", "0.3"),
    ("3.141592653589793", "3.141592653589793"),
    ("2*sqrt(3)", "2\\sqrt{3}"),
    ("sqrt(2)/2", "\\sqrt{2}/2"),
    ("x**2 + 1", "x^{2} + 1"),
    ("pi/2", "\\pi/2"),
    ("[2, 3]", "[2, 3]"),
    ("Answer: 18", "18"),
    ("1,500", "1500"),
    ("1e3", "1000"),
    ("", ""),
    ("\n \n", ""),
]


@pytest.mark.parametrize(("written", "language", "plain"), WRITTEN)
def test_an_answer_has_one_plain_form(written: str, language: str, plain: str) -> None:
    assert plain_answer(written, language) == plain


@pytest.mark.parametrize(("output", "plain"), PRINTED)
def test_what_a_program_prints_last_is_its_answer(output: str, plain: str) -> None:
    assert printed_answer(output) == plain


@pytest.mark.parametrize("language", ["en", "zh", "ru"])
@given(value=st.fractions(), percent=st.booleans())
def test_a_number_shown_is_read_again_in_any_language(language: str, value: Fraction, percent: bool) -> None:
    found = Number(value, percent)
    assert number(shown(found), "en") == found
    assert plain_answer(plain_answer(shown(found), language), language) == plain_answer(shown(found), language)


@given(st.fractions(max_denominator=1000, min_value=-1000, max_value=1000))
def test_a_machines_number_is_the_fraction_that_it_is_near(value: Fraction) -> None:
    printed = repr(float(value))
    if len(printed.strip("-").replace(".", "").lstrip("0")) >= 16 and "e" not in printed:
        assert printed_answer(printed) == shown(Number(value))


@pytest.mark.parametrize(
    ("answer", "solution", "found"),
    [
        ("18", "We add. The answer is 17.", "18"),
        (None, "We add. The answer is 17.", "17"),
        ("", "先算。答案：17。", "17"),
        ("null of it all that can be told about this without end", "No number at all", ""),
        (None, "We cannot know.", ""),
    ],
)
def test_a_named_answer_counts_before_the_text(answer: str | None, solution: str, found: str) -> None:
    assert solved_answer(answer, solution, "en") == found


@given(st.text(max_size=400), st.sampled_from(["en", "zh", "ru"]))
def test_any_text_can_be_read(text: str, language: str) -> None:
    assert len(plain_answer(text, language)) <= LONGEST
    printed_answer(text)


@pytest.mark.parametrize(
    "text", ["9" * 4000, "x" * 4000, "\\frac{" * 700, "1/" * 2000, "10^{999}", "** " * 1300, "sqrt(" * 800]
)
def test_a_long_text_is_no_answer_and_costs_little(text: str) -> None:
    assert len(plain_answer(text, "en")) <= LONGEST
    assert len(printed_answer(text)) <= LONGEST
