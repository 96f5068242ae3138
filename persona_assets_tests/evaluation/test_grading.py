"""Whether a text gives the right answer."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.errors import UsageError
from persona_assets.evaluation.benchmarks import read_problems
from persona_assets.evaluation.grading import Grader, read_answer

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as grader:
        yield grader


GRADES = [
    ("704", "30/5=6;2^6=64;11*64=704#704", "en", "correct", "704"),
    ("704", "30/5=6;2^6=64;11*64=704#64", "en", "wrong", "64"),
    ("704", "#704", "en", "correct", "704"),
    ("0.5", "1/2=0.5#1/2", "en", "correct", "1/2"),
    ("6", "30/5=6#", "en", "correct", "6"),
    ("18", "9 * 2 = 18 dollars.\n#### 18", "en", "correct", "18"),
    ("18", "So \\boxed{18}, as in issue#17", "en", "correct", "18"),
    ("4", "# Solution\nIt is 4.", "en", "correct", "4"),
    ("-3", "x = −3", "en", "correct", None),
    ("25", "答案：２５。", "zh", "correct", None),
    ("1.5", "Ответ: 1,5 кг. Проверим ещё раз.", "ru", "correct", None),
    ("320", "一共有三百二十个苹果。", "zh", "unreadable", ""),
    (r"\frac{\sqrt{3}}{2}", r"Thus $\boxed{\sqrt{3}/2}$.", "en", "correct", None),
    (r"x+1", r"The answer is $1+x$.", "en", "correct", None),
    (r"x+1", r"The answer is $1-x$.", "en", "wrong", None),
    ("yes", "We do not know.", "en", "unreadable", ""),
    ("7", "", "en", "unreadable", ""),
    ("7", "eggs eggs eggs", "en", "unreadable", ""),
    (r"x+1", r"\boxed{\frac{\frac{}}", "en", "unreadable", None),
]


@pytest.mark.parametrize(("gold", "text", "language", "verdict", "found"), GRADES)
def test_verdicts(grader: Grader, gold: str, text: str, language: str, verdict: str, found: str | None) -> None:
    grade = grader.grade(gold, text, language)
    assert grade.verdict == verdict
    assert found is None or grade.found == found
    assert grade.value == (1.0 if verdict == "correct" else 0.0)


def test_no_text_is_no_answer(grader: Grader) -> None:
    assert grader.grade("7", None).verdict == "unanswered"


def test_a_problem_without_a_right_answer_is_refused(grader: Grader) -> None:
    with pytest.raises(UsageError, match="without a right answer"):
        grader.grade(" ", "7")


def test_what_takes_too_long_has_a_verdict_of_its_own() -> None:
    with Grader(seconds=3) as grader:
        grader.grade("x+1", "The answer is $1+x$.")  # the process is there
        assert grader.grade("x+1", r"\boxed{9^{9^{9^{9^{9}}}}}").verdict == "timed_out"
        assert grader.grade("x+1", r"\boxed{9^{9^{9^{9^{9}}}}}").verdict == "timed_out"  # known by now
        assert grader.grade("x+1", r"\boxed{1+x}").verdict == "correct"


@given(st.integers(-(10**6), 10**6), st.integers(1, 50))
def test_steps_end_in_their_answer_and_in_no_other(value: int, other: int) -> None:
    with Grader() as grader:
        assert grader.grade(str(value), f"1+{value}-1={value};{other}*2={2 * other}#{value}").verdict == "correct"
        assert grader.grade(str(value + other), f"{other}*2={2 * other}#{value}").verdict == "wrong"


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    read_answer(text)


@pytest.mark.skipif(not DATA.exists(), reason="the real problems are not beside the checkout")
@pytest.mark.parametrize("file", ["gsm8k/test.jsonl", "math500/data/math500.jsonl"])
def test_real_answers_are_told_from_those_of_other_problems(grader: Grader, file: str) -> None:
    problems = list(read_problems(DATA / file, file, language="en"))[::7]
    for one, other in pairwise(problems):
        assert grader.grade(one.gold, f"So $\\boxed{{{one.gold}}}$.").verdict == "correct"
        alike = one.gold == other.gold
        assert grader.grade(one.gold, f"So $\\boxed{{{other.gold}}}$.").verdict == ("correct" if alike else "wrong")
