"""Answers to questionnaires lie on the scale that was shown."""

from typing import Any

import pytest

from persona_assets.rules.questionnaires import within_scale
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
