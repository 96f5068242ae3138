"""Answers to questionnaires, and scores, lie on their scale."""

from typing import Any

import pytest

from persona_assets.rules.questionnaires import on_scale, within_scale
from persona_assets.rules.sample import Sample

ROWS = [{"least": 0, "most": 4}] * 2


def seen(*answers: int | None, rows: list[dict[str, Any]] = ROWS) -> str | None:
    items = [{"number": number, "answer": one} for number, one in enumerate(answers, 1)]
    return within_scale(Sample({"answers": items}, "", "en", {"rows": rows}), "answer", "answers")


@pytest.mark.parametrize("answer", [0, 4, None])
def test_an_answer_on_the_scale_or_none_stays(answer: int | None) -> None:
    assert seen(2, answer) is None


@pytest.mark.parametrize("answer", [-1, 5])
def test_an_answer_off_the_scale_is_told_with_its_number_and_the_scale(answer: int) -> None:
    assert seen(2, answer) == f"answer {answer} of number 2: the scale goes from 0 to 4"


def test_of_no_rows_there_is_no_scale_to_hold_an_answer_to() -> None:
    assert seen(99, rows=[]) is None


@pytest.mark.parametrize(
    ("score", "file", "said"),
    [
        (6, "five.yaml", "score 6: the scale goes from 1 to 5"),
        (6, "seven.yaml", None),
        (0, "seven.yaml", "score 0: the scale goes from 1 to 7"),
        (None, "five.yaml", None),
        (6, "another.yaml", None),
    ],
)
def test_a_score_is_held_to_the_scale_of_its_own_row(score: int | None, file: str, said: str | None) -> None:
    scales = {"five.yaml": (1, 5), "seven.yaml": (1, 7)}
    assert on_scale(Sample({"score": score}, "", "en", {"file": file}), "score", "file", scales) == said
