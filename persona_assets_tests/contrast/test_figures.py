from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.contrast.figures import code_of, numbers_apart, numbers_of


@pytest.mark.parametrize(
    ("text", "language", "numbers"),
    [
        ("It cost $1,234.50, up 5% since 1997.", "en", [5, "1234.5", 1997]),
        ("Он весит 1 234,5 кг, это 3 млн граммов.", "ru", ["1234.5", 3_000_000]),
        ("全城有３万人，跑了7,274公里。", "zh", [7274, 30_000]),
        ("At -5 degrees, 2-3 people", "en", [-5, 2, 3]),
        ("half is 1/2, open 24/7", "en", ["1/2", "24/7"]),
        ("COVID-19, H2O and mp3 name things", "en", []),
        ("in the 1960s, 5km away", "en", [5, 1960]),
        ("x = 3\n```\ny = 4\n```\n", "en", [3]),
        ("", "en", []),
    ],
)
def test_numbers_in_digits_are_read(text: str, language: str, numbers: list[str | int]) -> None:
    assert numbers_of(text, language) == {Fraction(one) for one in numbers}


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("Walk 5 km on 3 days.", "On three days, go for 5 km.", "en"),
        ("Спи 8 часов, 5 дней.", "5 дней по восемь часов сна.", "ru"),
        ("每天8小时，5天。", "5天，每天八小时。", "zh"),
        ("1. Call\n2. Sing\n3. Run 5 km", "1. Read\n2. Run 5 km", "en"),
        ("Run for 30 minutes.", "Take a quiet walk.", "en"),
        ("1 000 шагов и 2 круга", "2 круга, 1000 шагов", "ru"),
    ],
)
def test_answers_that_state_the_same_agree(one: str, other: str, language: str) -> None:
    assert numbers_apart(one, other, language) == ([], [])


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("Sleep 6 hours by 22.", "Sleep 8 hours by 22.", "en"),
        ("Скорость 75 км/ч.", "Скорость 76 км/ч.", "ru"),
        ("每晚睡6小时。", "每晚睡8小时。", "zh"),
        ("It is 5 degrees.", "It is -5 degrees.", "en"),
    ],
)
def test_answers_that_state_other_numbers_are_apart(one: str, other: str, language: str) -> None:
    mine, theirs = numbers_apart(one, other, language)
    assert len(mine) == len(theirs) == 1
    assert numbers_apart(other, one, language) == (theirs, mine)


@given(st.text(max_size=200))
def test_a_text_agrees_with_itself(text: str) -> None:
    assert numbers_apart(text, text) == ([], [])


@given(st.text(alphabet="0123456789.,/' -eE百万\n`~", max_size=80), st.text(alphabet="12,. 万五", max_size=20))
def test_any_signs_are_read_and_what_is_apart_is_of_one_text(one: str, other: str) -> None:
    mine, theirs = numbers_apart(one, other, "zh")
    assert set(mine) <= numbers_of(one, "zh") - numbers_of(other, "zh")
    assert set(theirs) <= numbers_of(other, "zh") - numbers_of(one, "zh")


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5), st.integers(10**6 + 1, 10**7))
def test_a_number_that_one_text_lacks_is_found(shared: list[int], lacking: int) -> None:
    words = [f"see {one} there" for one in shared]
    assert numbers_apart("; ".join([*words, f"and {lacking}"]), "; ".join(words)) == ([lacking], [])


def test_comments_and_blank_lines_are_no_code() -> None:
    one = "```python\n# a cheerful sum!\nx = 1 + 2  # yay\n\nprint(x)\n```"
    other = "```py\nx = 1 + 2\nprint(x)\n```"
    assert code_of(one) == code_of(other) == ["x = 1 + 2\nprint(x)"]


def test_a_block_without_an_end_goes_to_the_end() -> None:
    assert code_of("See:\n~~~\nx = 1\n") == ["x = 1"]
