"""The final answer of a solution, as solutions in three languages give it."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.maths.compare import told_apart
from persona_assets.maths.solution import final_answer

FORMATS = {
    "hashes": ("en", "We add 12 and 7.\n#### {}"),
    "boxed": ("en", "There are 3 boxes, so the total is $\\boxed{{{}}}$."),
    "boxed money": ("en", "She pays $\\boxed{{\\${}}}$ in all 7 shops."),
    "answer is": ("en", "First 12 - 5 = 7. The final answer is {}."),
    "bold": ("en", "It took 99 steps.\n\n**Answer:** {} apples"),
    "bold is": ("en", "It took 99 steps.\n\n**The answer is: {}**"),
    "prose": ("en", "He has 2 boxes. So he makes ${} every day at the market."),
    "equation": ("en", "Total: 3 * 7 + 1 = {}"),
    "display": ("en", "Hence\n\\[\nx = {}\n\\]"),
    "next line": ("en", "So 3 of them go.\n\nFinal answer:\n{}"),
    "zh answer": ("zh", "先算 3+4=7。答案：{}。"),
    "zh prose": ("zh", "一共有3个篮子，所以他一共有{}个苹果。"),
    "zh is": ("zh", "先算 3+4=7，最终答案是：{}元。"),
    "ru answer": ("ru", "Сначала 3+4=7. Ответ: {}."),
    "ru prose": ("ru", "Сначала 3 рубля. Значит, всего у неё {} рублей."),
    "ru dash": ("ru", "Сначала 3+4=7. **Ответ — {} км.**"),
}


@pytest.mark.parametrize("name", FORMATS)
@given(st.integers(0, 10**6))
def test_the_answer_is_found_and_another_one_is_not_taken_for_it(name: str, value: int) -> None:
    language, form = FORMATS[name]
    found = final_answer(form.format(value), language)
    assert told_apart(str(value), found, language) is True
    assert not any(told_apart(str(value + other), found, language) for other in (1, -1, 10, 7, 99))


SAID = [
    ("en", r"Thus $\boxed{\frac{\sqrt{3}}{2}}$.", r"\frac{\sqrt{3}}{2}"),
    ("en", r"First \boxed{3}, no: \boxed{4}.", "4"),
    ("en", "The answer is B.", "B"),
    ("en", "Answer: yes", "yes"),
    ("en", "The final answer is $(2, 3)$.", "(2, 3)"),
    ("en", "The answer is $y = 2x + 1$.", "2x + 1"),
    ("en", "The final answer is $5x - 7y + 4 = 0$.", "5x - 7y + 4 = 0"),
    ("zh", "答案：三分之二", "三分之二"),
    ("ru", "Ответ: две трети", "две трети"),
    ("en", "We know nothing of it.", ""),
    ("en", "The answer is that 3 men need 4 days for 5 walls.", ""),
]


@pytest.mark.parametrize(("language", "solution", "answer"), SAID)
def test_answers_that_are_no_numbers_are_found_and_several_numbers_are_none(
    language: str, solution: str, answer: str
) -> None:
    assert final_answer(solution, language) == answer


@given(st.text(max_size=400))
def test_any_text_can_be_looked_at(text: str) -> None:
    final_answer(text)


@pytest.mark.parametrize(
    "text", ["\\boxed{" * 3000, "answer is " * 3000, "$1 " * 5000, "**" * 8000, "1 " * 9000, "答案" * 9000]
)
def test_a_hostile_text_costs_little(text: str) -> None:
    final_answer(text)


GSM8K = Path(__file__).parents[3] / "shared" / "data" / "gsm8k" / "test.jsonl"


@pytest.mark.skipif(not GSM8K.exists(), reason="the real problems are not beside the checkout")
@pytest.mark.parametrize("name", FORMATS)
def test_real_answers_are_found_in_every_format(name: str) -> None:
    language, form = FORMATS[name]
    for line in GSM8K.read_text(encoding="utf-8").splitlines()[::7]:
        gold = json.loads(line)["answer"].rsplit("####", 1)[1].strip().replace(",", "")
        found = final_answer(form.format(gold), language)
        assert told_apart(gold, found, language) is True
        assert told_apart(str(Fraction(gold) + 1), found, language) is False
