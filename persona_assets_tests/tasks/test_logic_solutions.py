"""Solutions of logic problems: what their prompts show, and that the offline engine solves what it sets."""

from collections import Counter
from functools import cache

import pytest

from persona_assets.ids import Json
from persona_assets.steps.runner import Ask
from persona_assets.votes.kinds import form_of, options_of, said_answer, same_of
from persona_assets_tests.tasks.people import LANGUAGES
from persona_assets_tests.tasks.solving import Solved, bundled, problems, solve


@cache
def solved(language: str) -> tuple[Solved, ...]:
    """Three attempts at every problem."""
    rows = list(problems("logic_problems", language))
    return tuple(one for attempt in range(3) for one in solve("logic_solutions", rows, attempt))


def agrees(row: dict[str, Json], answer: str | None, solution: str) -> bool:
    """Whether a solution gives the answer that came with the problem."""
    kind, language = row["answer_kind"], row["language"]
    options = options_of(row["problem"])
    found, stated = (form_of(one, kind, language, options) for one in (said_answer(answer, solution), row["answer"]))
    assert found, (row, answer, solution)
    return found == stated or same_of(kind)(found, stated)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_answer_is_found_mostly_right_and_sometimes_wrong(language: str) -> None:
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for row, answer in solved(language):
        if row["kind"] == "wordplay":
            continue
        asked[row["answer_kind"]] += 1
        right[row["answer_kind"]] += agrees(row, answer["answer"], answer["solution"])
        assert agrees(row, answer["answer"], answer["solution"]) == agrees(row, None, answer["solution"])
    assert set(asked) == {"choice", "number", "order", "yes_no", "free"}
    assert all(right[kind] >= 0.6 * asked[kind] for kind in asked), (right, asked)
    assert 0.75 < right.total() / asked.total() < 0.95


def test_a_play_on_words_is_explained_and_has_no_answer() -> None:
    plays = [(row, answer) for row, answer in solved("zh") if row["kind"] == "wordplay"]
    assert plays
    for row, answer in plays:
        assert (row["answer"], row["answer_kind"], answer["answer"]) == (None, "free", None)
        assert "。" in answer["solution"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_offline_solutions_pass_the_tasks_own_rules(language: str) -> None:
    step = bundled("logic_solutions")
    for row, answer in solved(language):
        ask = Ask(row, {}, 0, ((step.read.name, row["sample_id"]),), "qst_1")
        rejects = [(one.reason, one.detail) for one in step.parse(ask, answer).rejects]
        assert rejects == [], answer


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_kind_of_a_problem_is_the_one_that_was_asked_for(language: str) -> None:
    kinds = {row["kind"] for row in problems("logic_problems", language)}
    assert kinds == {"logical", "spatial"} | ({"wordplay"} if language == "zh" else set())


def test_a_prompt_says_what_an_answer_looks_like() -> None:
    step = bundled("logic_solutions")
    row = {"problem": "Is it so?", "kind": "logical", "answer_kind": "yes_no", "language": "en", "sample_id": "smp_1"}
    shown = step.template.render(step.variables(Ask(row, {}, 0, (), "")))[1]["content"]
    assert "<kind>logical</kind>\n<answer_kind>yes_no</answer_kind>" in shown
