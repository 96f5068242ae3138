"""Whether two answers are the same: by value, by form, and by algebra in a process of its own."""

from collections.abc import Iterator

import pytest

from persona_assets.maths.compare import Comparer, told_apart


@pytest.fixture(scope="module")
def comparer() -> Iterator[Comparer]:
    with Comparer() as comparer:
        yield comparer


SAME = [
    ("72", "72.0", "en"),
    ("0.5", "1/2", "en"),
    ("50", "50%", "en"),
    ("0.5", "50%", "en"),
    ("1500", "1,500", "en"),
    ("1.5", "1,5", "ru"),
    ("25", "двадцать пять", "ru"),
    ("320", "三百二十", "zh"),
    ("B", "(B)", "en"),
    ("b", "B.", "en"),
    (r"\frac{1}{2}", r"\dfrac{1}{2}", "en"),
    (r"2\sqrt{3}", r"\sqrt{12}", "en"),
    ("x+1", "1+x", "en"),
    (r"(1, 2)", r"\left(1,2\right)", "en"),
    (r"\{1,2\}", r"\{2,1\}", "en"),
    (r"\frac{\pi}{2}", r"\pi/2", "en"),
    (r"2x^2 + 4x", "2x(x+2)", "en"),
    (r"[0, \infty)", r"[0,\infty)", "en"),
    ("x = 5", "5", "en"),
    ("Yes", "yes.", "en"),
]
OTHER = [
    ("72", "73", "en"),
    ("0.5", "0.05", "en"),
    ("50", "0.5", "en"),
    ("1500", "1,500", "ru"),
    ("2/3", "3/2", "en"),
    ("A", "B", "en"),
    (r"2\sqrt{3}", r"3\sqrt{2}", "en"),
    ("x+1", "x-1", "en"),
    (r"(1, 2)", "(2, 1)", "en"),
    (r"\frac{\pi}{2}", r"\frac{\pi}{3}", "en"),
    ("72", "", "en"),
    ("", "", "en"),
    ("yes", "no", "en"),
    ("18", "18 or 20", "en"),
]


@pytest.mark.parametrize(("gold", "found", "language"), SAME)
def test_answers_of_one_value_are_the_same(comparer: Comparer, gold: str, found: str, language: str) -> None:
    assert comparer.same(gold, found, language) is True


@pytest.mark.parametrize(("gold", "found", "language"), OTHER)
def test_answers_of_other_values_are_not(comparer: Comparer, gold: str, found: str, language: str) -> None:
    assert comparer.same(gold, found, language) is not True


def test_plain_answers_need_no_process() -> None:
    with Comparer() as comparer:
        assert comparer.same("72", "72") is True
        assert comparer.same("yes", "no") is False
        assert comparer._process is None


def test_a_formula_without_end_is_given_up_and_the_next_one_compared() -> None:
    with Comparer(seconds=5) as comparer:
        assert comparer.same("x+1", "9^{9^{9^{9^{9}}}}") is not True
        assert comparer.same("x+1", "1+x") is True


HOSTILE = [
    "\\frac{" * 100,
    "__import__('os').system('touch x')",
    r"\begin{pmatrix}" * 30,
    "x^" * 200,
    "{" * 300,
    "\x00\\x",
    "\ud800",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_answer_is_never_the_same(comparer: Comparer, text: str) -> None:
    assert told_apart("x+1", text) is not True
    assert comparer.same("x+1", text) is not True
