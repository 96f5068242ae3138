"""Requests with constraints from files in the layout of IFEval."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from persona_assets.constraints.checkers import failed
from persona_assets.constraints.constraint import from_json
from persona_assets.errors import UsageError
from persona_assets.evaluation.ifeval import constrained_items

REAL = Path(__file__).parents[3] / "shared" / "data" / "ifeval" / "prompts.jsonl"


def row(*told: tuple[str, Mapping[str, Any]], **keys: Any) -> dict[str, Any]:
    names, given = [name for name, _ in told], [dict(args) for _, args in told]
    return {"place": 0, "prompt": "Name a river.", "instruction_id_list": names, "kwargs": given, **keys}


def items(*rows: Mapping[str, Any]) -> pl.DataFrame:
    return constrained_items(rows, "own.jsonl", "own")


def broken(answer: str, *told: tuple[str, Mapping[str, Any]]) -> list[str]:
    """The kinds of the constraints that an answer breaks."""
    [found] = items(row(*told)).to_dicts()
    assert found["left_out"] is None
    return [one.split(":")[0] for one in failed(from_json(found["gold"]), answer, "en", found["request"] or "")]


@pytest.mark.parametrize(
    ("name", "args", "keeps", "breaks"),
    [
        ("punctuation:no_comma", {}, "The Lena", "The Lena, or the Ob"),
        ("length_constraints:number_words", {"relation": "less than", "num_words": 3}, "the Lena", "it is Lena"),
        ("length_constraints:number_words", {"relation": "at least", "num_words": 3}, "it is Lena", "the Lena"),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One.\n\n***\n\nTwo.", "One.\n\nTwo."),
        ("keywords:existence", {"keywords": ["Lena", "Ob"]}, "Lena and Ob", "Lena"),
        ("keywords:forbidden_words", {"forbidden_words": ["Ob", "Don"]}, "Lena", "Lena and Don"),
        ("keywords:frequency", {"relation": "at least", "keyword": "Ob", "frequency": 2.0}, "Ob and Ob", "Ob"),
        ("combination:repeat_prompt", {"prompt_to_repeat": "Name a river."}, "Name a river. Lena.", "Lena."),
        ("language:response_language", {"language": "ru"}, "Река Лена, конечно же", "The river Lena of course"),
    ],
)
def test_a_constraint_of_theirs_is_checked_as_ours(name: str, args: dict[str, Any], keeps: str, breaks: str) -> None:
    assert broken(keeps, (name, args)) == []
    assert broken(breaks, (name, args)) != []


def test_arguments_without_a_value_are_none() -> None:
    args = {"num_words": 300, "relation": "at least", "keywords": None, "num_bullets": None}
    assert broken("A river.", ("length_constraints:number_words", args)) == ["words_at_least"]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("combination:two_responses", {}),
        ("keywords:letter_frequency", {"let_relation": "at least", "letter": "#", "let_frequency": 4}),
        ("keywords:letter_frequency", {"let_relation": "less than", "letter": "a", "let_frequency": 4}),
        ("language:response_language", {"language": "kn"}),
        ("length_constraints:number_words", {"relation": "less than", "num_words": 1}),
        ("length_constraints:number_words", {"relation": "at least"}),
        ("combination:repeat_prompt", {}),
        ("keywords:existence", {"keywords": []}),
    ],
)
def test_a_row_with_a_constraint_that_nobody_can_check_is_left_out_whole(name: str, args: dict[str, Any]) -> None:
    found = items(row(("punctuation:no_comma", {}), (name, args)), row(("punctuation:no_comma", {}), place=1))
    assert found["left_out"].to_list() == ["no_checker", None]


def test_items_have_ids_of_their_own_and_are_families_of_one() -> None:
    found = items(*(row(("punctuation:no_comma", {}), place=at) for at in range(3)))
    assert found["item_id"].n_unique() == 3
    assert found["family"].equals(found["item_id"].alias("family"))
    assert set(found["kind"]) == {"constraints"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompt": " "}, "row 1 has no request"),
        ({"kwargs": []}, "row 1 is not as IFEval has it"),
        ({"instruction_id_list": None}, "row 1 is not as IFEval has it"),
    ],
)
def test_a_row_of_another_layout_is_told(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=f"own.jsonl: {said}"):
        items(row(("punctuation:no_comma", {}), **wrong))


@pytest.mark.skipif(not REAL.exists(), reason="the real prompts are not beside the checkout")
def test_most_of_the_real_prompts_can_be_checked() -> None:
    told = [json.loads(line) for line in REAL.read_text(encoding="utf-8").splitlines()]
    found = items(*({**one, "place": at} for at, one in enumerate(told)))
    assert found.height == 270
    assert found["left_out"].null_count() >= 200
