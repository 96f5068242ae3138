"""Votes on answers to real problems, as solutions in several formats and languages give them."""

import json
from pathlib import Path

import pytest

from persona_assets.maths.compare import Comparer
from persona_assets.votes.ballots import decide
from persona_assets.votes.formulas import SameFormula
from persona_assets.votes.plain import plain_answer, solved_answer
from persona_assets_tests.maths.test_solution import FORMATS

GSM8K = Path(__file__).parents[3] / "shared" / "data" / "gsm8k" / "test.jsonl"
NAMES = list(FORMATS)


def solution(value: str, number: int) -> tuple[str, str]:
    """The end of a solution and its language; another format for each number."""
    language, form = FORMATS[NAMES[number % len(NAMES)]]
    return form.format(value), language


@pytest.mark.skipif(not GSM8K.exists(), reason="the real problems are not beside the checkout")
def test_of_three_right_solutions_and_a_wrong_one_the_label_wins() -> None:
    with Comparer() as comparer:
        same = SameFormula(comparer)
        for number, line in enumerate(GSM8K.read_text(encoding="utf-8").splitlines()):
            label = json.loads(line)["answer"].rsplit("####", 1)[1].strip().replace(",", "")
            values = [label, label, label, str(int(float(label)) + 1)]
            told = [solution(value, 7 * number + 5 * place) for place, value in enumerate(values)]
            same.begin()
            found = decide([solved_answer(None, *one) for one in told], same)
            assert (found.votes, found.voters, found.consensus) == (3, 4, "agreed"), (label, told)
            assert found.answer
            assert same(found.answer, plain_answer(label, "en"))


def test_algebra_is_asked_a_few_times_for_a_problem() -> None:
    with Comparer() as comparer:
        same = SameFormula(comparer, most=1)
        assert decide(["x+1", "1+x", "x+2"], same).votes <= 2
        same.begin()
        assert same("2\\sqrt{3}", "\\sqrt{12}")
        assert not same("3\\sqrt{3}", "\\sqrt{27}")
        same.begin()
        assert same("3\\sqrt{3}", "\\sqrt{27}")
