"""Votes on logic problems: by the kind of answer, in words by verdicts, and none on plays on words."""

from typing import Any

import pytest

from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS, RAW_DOCUMENTS
from persona_assets.lineage.computed import Computed
from persona_assets.lineage.find import Finder, locate
from persona_assets.lineage.model import Status
from persona_assets.lineage.steps import Steps
from persona_assets.settings import Settings
from persona_assets.tasks.run import run_task
from persona_assets_tests.rows import SHARD, context, document, persona, put
from persona_assets_tests.tasks.solving import bundled
from persona_assets_tests.tasks.voting import TABLES, computed, failing, put_problem, row, votes

CHAIN = ("logic_problems", "logic_solutions", "logic_verdicts")
PEOPLE = {
    "en": ["A paediatric nurse who keeps fever charts", "A baker of sourdough bread", "A lock keeper on an old canal"],
    "zh": ["一名研究光合作用的植物学家", "一名擅长豆腐的厨师", "一名维修手机屏幕的师傅"],
    "ru": ["Учитель математики, который любит уравнения", "Повар, который варит борщ", "Садовод с рассадой помидоров"],
}


def said(answer: str | None, solution: str = "") -> dict[str, Any]:
    """A solution."""
    return {"solution": solution or f"We think of {answer}.", "answer": answer}


def verdicts(lake: Lake, pairs: dict[str, str]) -> None:
    """Verdicts, each that a solution's answer means the same as another one's."""
    rows = [
        row("logic_verdicts", f"v{number}", parent_ids=[one], same_as=other, number=number)
        for number, (one, other) in enumerate(pairs.items())
    ]
    put(lake, TABLES["logic_verdicts"], *rows)


def vote(lake: Lake, *answers: str | None, pairs: dict[str, str] | None = None, **problem: Any) -> dict[str, Any]:
    """The vote on one problem."""
    given = [said(answer, f"{number}: {answer}.") for number, answer in enumerate(answers)]
    about = {"kind": "logical", "answer_kind": "free", "problem": "?"} | problem
    put_problem(lake, "logic", {"p": given}, p=about)
    verdicts(lake, pairs or {})
    return votes(lake, "logic_answers")["p"]


@pytest.mark.parametrize(
    ("kind", "language", "answers", "answer", "count"),
    [
        ("choice", "en", ["B", "(b)", "the red drawer"], "B", 2),
        ("choice", "en", ["green", "the green drawer", "red"], "green", 2),
        ("choice", "ru", ["в зелёном", "зелёный ящик", "в красном"], "в зелёном", 2),
        ("choice", "zh", ["绿抽屉", "在绿抽屉里", "红抽屉"], "绿抽屉", 2),
        ("number", "ru", ["27", "двадцать семь", "28"], "27", 2),
        ("order", "zh", ["蜜蜂、糖水、柳树", "1. 蜜蜂 2. 糖水 3. 柳树", "糖水，蜜蜂，柳树"], "蜜蜂、糖水、柳树", 2),
        (
            "order",
            "en",
            ["bees, syrup, willow", "bees -> syrup -> willow", "syrup, bees, willow"],
            "bees, syrup, willow",
            2,
        ),
        ("yes_no", "ru", ["нет", "Нет, не может", "да"], "нет", 2),
        ("yes_no", "zh", ["不可能", "没有可能", "可能"], "不可能", 2),
        ("free", "en", ["30 metres east", "30 metres East.", "30 metres west"], "30 metres east", 2),
    ],
)
def test_answers_are_compared_by_their_kind(
    lake: Lake, kind: str, language: str, answers: list[str], answer: str, count: int
) -> None:
    found = vote(lake, *answers, answer_kind=kind, language=language)
    assert (found["answer"], found["votes"], found["voters"], found["consensus"]) == (answer, count, 3, "agreed")


def test_an_options_letter_and_its_text_are_one_answer(lake: Lake) -> None:
    problem = "Which drawer holds them? A) the red drawer B) the green drawer C) the blue drawer"
    found = vote(lake, "B", "the green drawer", "C", problem=problem, answer_kind="choice", answer="b)")
    assert (found["votes"], found["agrees_with_stated"]) == (2, True)


def test_answers_in_words_are_one_where_a_verdict_says_so(lake: Lake) -> None:
    answers = ("30 metres east", "thirty metres to the east", "due west")
    assert vote(lake, *answers)["consensus"] == "disagreed"
    found = vote(lake, *answers, pairs={"smp_p_1": "smp_p_0", "smp_p_0": "smp_p_0", "smp_p_2": "smp_p_2"})
    assert (found["answer"], found["votes"], found["consensus"]) == ("30 metres east", 2, "agreed")


def test_a_verdict_that_names_another_problems_answer_is_of_no_account(lake: Lake) -> None:
    found = vote(lake, "east", "west", pairs={"smp_p_1": "smp_q_7"})
    assert found["consensus"] == "disagreed"


def test_a_play_on_words_has_no_vote(lake: Lake) -> None:
    found = vote(lake, None, None, kind="wordplay", language="zh", problem="为什么瓜熟了？")
    assert (found["consensus"], found["voters"], found["answer"]) == ("no_vote", 0, None)
    assert failing(lake, "logic_answers") == {}


@pytest.mark.parametrize(
    ("kind", "stated", "agrees"),
    [
        ("yes_no", "impossible", True),
        ("yes_no", "yes", False),
        ("yes_no", "perhaps so", None),
        ("yes_no", None, None),
        ("free", "no", True),
        ("free", "in no way", None),
    ],
)
def test_the_winner_is_compared_with_the_stated_answer_where_rules_can_tell(
    lake: Lake, kind: str, stated: str | None, agrees: bool | None
) -> None:
    assert vote(lake, "no", "No", answer_kind=kind, answer=stated)["agrees_with_stated"] is agrees


def test_an_answer_without_end_abstains(lake: Lake) -> None:
    found = vote(lake, "x" * 4000, "yes", "Yes!", answer_kind="yes_no")
    assert (found["votes"], found["voters"]) == (2, 2)
    assert [ballot["outcome"] for ballot in found["ballots"]] == ["unreadable", "answered", "answered"]


def test_a_partition_without_solutions_has_no_votes(lake: Lake) -> None:
    put_problem(lake, "logic", {})
    verdicts(lake, {})
    assert votes(lake, "logic_answers") == {}


def chain(lake: Lake) -> None:
    """Problems of people in three languages, their solutions, verdicts and votes, by the offline engine."""
    names = [(language, number) for language, texts in PEOPLE.items() for number in range(4 * len(texts))]
    put(lake, RAW_DOCUMENTS, *(document(f"{language}{number}") for language, number in names))
    people = [
        persona(f"{language}{number}", f"{language}{number}", language=language, text=PEOPLE[language][number % 3])
        for language, number in names
    ]
    put(lake, DEDUPED_PERSONAS, *people)
    for name in CHAIN:
        run_task(context(lake, Settings()), bundled(name), SHARD)
    computed("logic_answers").run(context(lake, Settings()), SHARD)


def test_the_chain_from_people_to_votes_passes_its_gates_and_the_audit(lake: Lake) -> None:
    chain(lake)
    assert failing(lake, "logic_answers") == {}
    rows = lake.read(TABLES["logic_answers"], SHARD).to_dicts()
    assert len(rows) == 36
    voted = [one for one in rows if one["kind"] != "wordplay"]
    assert sum(one["consensus"] == "agreed" for one in voted) > 0.7 * len(voted)
    assert sum(bool(one["agrees_with_stated"]) for one in voted) > 0.7 * len(voted)
    steps = Steps.of(Settings())
    verified = [
        check.status
        for one in rows[:3]
        for check in Computed(lake, steps, Settings()).row(locate(Finder(lake, steps.task_tables), one["sample_id"]))
    ]
    assert set(verified) == {Status.OK}


def test_verdicts_are_asked_about_all_answers_in_words_to_one_problem_together(lake: Lake) -> None:
    chain(lake)
    problems = {one["sample_id"]: one for one in lake.read(TABLES["logic_problems"], SHARD).to_dicts()}
    solutions = {one["sample_id"]: one for one in lake.read(TABLES["logic_solutions"], SHARD).to_dicts()}
    found = lake.read(TABLES["logic_verdicts"], SHARD).to_dicts()
    assert found
    for verdict in found:
        shown = [solutions[one] for one in verdict["shown_ids"]]
        assert verdict["same_as"] in verdict["shown_ids"]
        assert len({one["parent_ids"][0] for one in shown}) == 1
        about = problems[shown[0]["parent_ids"][0]]
        assert (about["answer_kind"], about["kind"] != "wordplay") == ("free", True)
        assert solutions[verdict["same_as"]]["answer"] == solutions[verdict["parent_ids"][0]]["answer"]
