"""Numbers as people write them, in three languages."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.maths.numbers import number
from persona_assets.maths.words import Number

WRITTEN = [
    ("en", "1,234.5", "2469/2"),
    ("en", "$1{,}234$", "1234"),
    ("en", "−3", "-3"),
    ("en", "3/4", "3/4"),
    ("en", r"\frac{3}{4}", "3/4"),
    ("en", r"\dfrac34", "3/4"),
    ("en", "1 1/2", "3/2"),
    ("en", r"1\frac12", "3/2"),
    ("en", r"-\frac{7}{2}", "-7/2"),
    ("en", r"3.2 \times 10^5", "320000"),
    ("en", "10^{-3}", "1/1000"),
    ("en", ".5", "1/2"),
    ("en", "1.5e3", "1500"),
    ("en", "twenty-five", "25"),
    ("en", "one hundred and five", "105"),
    ("en", "half", "1/2"),
    ("en", "two thousand three hundred", "2300"),
    ("en", "two thirds", "2/3"),
    ("en", "minus four", "-4"),
    ("en", "three and a half", "7/2"),
    ("en", "72 km", "72"),
    ("en", "12m", "12"),
    ("en", "$18", "18"),
    ("en", r"\$5.50", "11/2"),
    ("en", "18 dollars a day", "18"),
    ("en", "x = 5", "5"),
    ("en", "**18**.", "18"),
    ("en", r"\text{18 apples}", "18"),
    ("en", r"90^\circ", "90"),
    ("en", "2.5 million people", "2500000"),
    ("en", "about 40", "40"),
    ("zh", "１２３４", "1234"),
    ("zh", "18。", "18"),
    ("zh", "三百二十", "320"),
    ("zh", "一百零五", "105"),
    ("zh", "两千", "2000"),
    ("zh", "3万", "30000"),
    ("zh", "12.5 万元", "125000"),
    ("zh", "一亿二千万", "120000000"),
    ("zh", "三分之二", "2/3"),
    ("zh", "零点五", "1/2"),
    ("zh", "一半", "1/2"),
    ("zh", "负三", "-3"),
    ("zh", "二十五块钱", "25"),
    ("zh", "两个半小时", "5/2"),
    ("zh", "72公里", "72"),
    ("zh", "¥30", "30"),
    ("zh", "共18个", "18"),
    ("ru", "1 234,5", "2469/2"),
    ("ru", "1,500", "3/2"),
    ("ru", "10 000", "10000"),
    ("ru", "1.234.567", "1234567"),
    ("ru", "двадцать пять", "25"),
    ("ru", "две трети", "2/3"),
    ("ru", "три четверти", "3/4"),
    ("ru", "полтора часа", "3/2"),
    ("ru", "две тысячи триста", "2300"),
    ("ru", "2 миллиона рублей", "2000000"),
    ("ru", "5 тыс. рублей", "5000"),
    ("ru", "минус четыре", "-4"),
    ("ru", "72 рубля", "72"),
    ("ru", "половина", "1/2"),
    ("ru", "три с половиной", "7/2"),
]


@pytest.mark.parametrize(("language", "text", "value"), WRITTEN)
def test_a_number_is_read_exactly(language: str, text: str, value: str) -> None:
    assert number(text, language) == Number(Fraction(value))


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "50%"), ("en", "50 percent"), ("zh", "百分之五十"), ("ru", "50 процентов"), ("en", r"50\%")],
)
def test_a_percentage_is_told_apart(language: str, text: str) -> None:
    assert number(text, language) == Number(Fraction(50), percent=True)


NONE = [
    "",
    "x",
    "5x",
    "3 and 5",
    "5 or 6",
    r"2\sqrt{3}",
    "20 - 5",
    "3 hours and 20 minutes",
    "1/0",
    "3:30",
    "(1, 2)",
    "x^2 = 4",
    "3 或 5",
    "3 и 5",
    "between 3 and 5",
    "no apples",
    "1.2.3",
    "9" * 500,
]


@pytest.mark.parametrize("text", NONE)
def test_what_is_not_one_number_is_none(text: str) -> None:
    assert number(text) is None


@given(st.integers(-(10**12), 10**12), st.sampled_from(["en", "zh", "ru"]))
def test_a_whole_number_is_read_back_with_and_without_separators(value: int, language: str) -> None:
    assert number(str(value), language) == Number(Fraction(value))
    shown = f"{value:,}".replace(",", " ") if language == "ru" else f"{value:,}"
    assert number(shown, language) == Number(Fraction(value))


@given(st.decimals(-(10**6), 10**6, places=3), st.sampled_from(["en", "zh", "ru"]))
def test_a_decimal_is_read_back(value: object, language: str) -> None:
    shown = str(value).replace(".", ",") if language == "ru" else str(value)
    assert number(shown, language) == Number(Fraction(str(value)))


@given(st.text(max_size=500), st.sampled_from(["en", "zh", "ru"]))
def test_any_text_can_be_looked_at(text: str, language: str) -> None:
    number(text, language)


@pytest.mark.parametrize(
    "text", ["1 " * 5000, "1," * 5000, "(" * 5000, "9." * 200, "{" * 400, r"\frac{" * 80, "一" * 400]
)
def test_a_hostile_text_is_none_at_once(text: str) -> None:
    number(text)
