"""Repairs of form, of what is missing and of what a rule refuses: what is asked, what is kept, and their audit."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from persona_assets.engines.base import Completion, Failure, Request, Result
from persona_assets.lake import Lake
from persona_assets.lineage import audit
from persona_assets.plan.figures import PartitionPlan
from persona_assets.plan.look_up import Walk
from persona_assets.state import LakeState
from persona_assets.steps.model import Context, Report
from persona_assets.tasks.load import datasets
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.engines.doubles import Scripted
from persona_assets_tests.lineage.small_lake import SHARD, Small
from persona_assets_tests.tasks.own import answer_of, task, write

RIGHT = {"hint": "Write down what is given first.", "steps": ["read", "count"]}
HINTS = task(
    "hints",
    "<persona>{{ persona }}</persona> Give a hint for: {{ problem }}",
    answer_of(hint="string", steps={"type": "array", "items": {"type": "string"}, "minItems": 2}),
    reads="own_problems",
    validity=[
        {"rule": "language_matches", "args": {"field": "hint"}},
        {"rule": "min_words", "args": {"field": "hint", "words": 4}},
    ],
)
Answers = Callable[[Request], str]


def first(wrong: object, then: object = None) -> Answers:
    """An engine's answers: `wrong` to the questions, `then` (a right one) to repairs."""

    def answer(request: Request) -> str:
        value = (RIGHT if then is None else then) if is_repair(request) else wrong
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return answer


def is_repair(request: Request) -> bool:
    said = request.messages[-1]["content"]
    return "cannot be used" in said or "<problem>" in said


def context_of(small: Small, engine: Scripted) -> Context:
    settings = small.settings
    return Context(small.lake, settings, engine, "run-2", keeper=LakeState(small.lake, settings))


def step_of(small: Small) -> TaskStep:
    write(Path(small.settings.tasks or ""), HINTS)
    found = datasets(small.settings)["hints"]
    assert isinstance(found, TaskStep)
    return found


def made(small: Small, engine: Scripted) -> Report:
    step = step_of(small)
    found = run_task(context_of(small, engine), step, SHARD)
    assert isinstance(found, Report)
    return found


def parted(engine: Scripted) -> tuple[list[Request], list[Request]]:
    """The questions that were asked, and the repairs."""
    asked, repairs = [], []
    for request in engine.asked:
        (repairs if is_repair(request) else asked).append(request)
    return asked, repairs


def audited(small: Small, step: TaskStep) -> list[str]:
    """What the audits of all rows say that is not right."""
    ids = small.lake.read(step.table, SHARD)["sample_id"]
    return [f"{one.name}: {one.detail}" for row in ids for one in audit(small.lake, small.settings, row).failures]


FORMS = [
    {"hint": {"text": "Write down what is given first."}, "steps": ["read", "count"]},
    {"hint": RIGHT["hint"], "steps": "read, count"},
    '{"hint": "Write down what is given first.", "steps": ["read", "count"}',
]


@pytest.mark.parametrize("wrong", FORMS, ids=["type", "list", "json"])
def test_a_repair_of_form_shows_schema_and_answer_and_no_question(small: Small, wrong: object) -> None:
    engine = Scripted(first(wrong))
    report = made(small, engine)
    asked, repairs = parted(engine)
    assert report.kept == len(asked) == len(repairs) > 0
    schema = orjson.dumps(step_of(small).template.asked_schema, option=orjson.OPT_SORT_KEYS).decode()
    text = wrong if isinstance(wrong, str) else json.dumps(wrong, ensure_ascii=False)
    for question, repair in zip(asked, repairs, strict=True):
        whole = "".join(message["content"] for message in repair.messages)
        assert schema in whole
        assert text in whole
        assert question.messages[-1]["content"].split("Give a hint")[1] not in whole


MISSING = [{"hint": RIGHT["hint"]}, {"hint": RIGHT["hint"], "steps": []}, "I would begin by reading it twice."]


@pytest.mark.parametrize("wrong", MISSING, ids=["required", "minItems", "prose"])
def test_a_repair_of_what_is_missing_shows_the_same_messages_and_the_reason(small: Small, wrong: object) -> None:
    engine = Scripted(first(wrong))
    report = made(small, engine)
    asked, repairs = parted(engine)
    assert report.kept == len(asked) == len(repairs) > 0
    for question, repair in zip(asked, repairs, strict=True):
        assert repair.messages[: len(question.messages)] == question.messages
        assert [message["role"] for message in repair.messages[len(question.messages) :]] == ["assistant", "user"]


def test_a_rule_that_may_be_mended_gets_one_repair_with_its_reason(small: Small) -> None:
    engine = Scripted(first({**RIGHT, "hint": "Запишите сначала всё, что дано в условии."}))
    report = made(small, engine)
    asked, repairs = parted(engine)
    assert (report.kept, report.rejected) == (len(asked), Counter())
    for question, repair in zip(asked, repairs, strict=True):
        assert repair.messages[: len(question.messages)] == question.messages
        assert "language_matches" in repair.messages[-1]["content"]


def test_a_rule_that_says_nothing_of_repairs_gets_none(small: Small) -> None:
    engine = Scripted(first({**RIGHT, "hint": "Count twice"}))
    report = made(small, engine)
    assert report.rejected == Counter(min_words=len(engine.asked))


STUBBORN = [
    ({**RIGHT, "hint": "Запишите сначала всё, что дано в условии."}, "language_matches"),
    ({**RIGHT, "hint": "Count twice"}, "min_words"),
    ("{", "language_matches"),
]


@pytest.mark.parametrize(("then", "reason"), STUBBORN, ids=["same", "other", "unreadable"])
def test_what_a_repair_does_not_mend_is_set_aside_for_what_is_wrong_then(
    small: Small, then: object, reason: str
) -> None:
    """A repair that cannot be read leaves the first answer's verdict."""
    engine = Scripted(first({**RIGHT, "hint": "Запишите сначала всё, что дано в условии."}, then))
    report = made(small, engine)
    asked, repairs = parted(engine)
    assert len(asked) == len(repairs)
    assert report.rejected == Counter({reason: len(asked)})


ALL = [FORMS[0], MISSING[0], {**RIGHT, "hint": "Запишите сначала всё, что дано в условии."}]


@pytest.mark.parametrize("wrong", ALL, ids=["form", "missing", "rule"])
def test_rows_of_repairs_are_audited_and_never_asked_again(small: Small, wrong: object) -> None:
    engine = Scripted(first(wrong))
    report = made(small, engine)
    step = step_of(small)
    calls = len(engine.asked)
    assert (audited(small, step), report.calls_made) == ([], calls)
    again = made(small, engine)
    assert (again.kept, again.calls_made, len(engine.asked)) == (report.kept, 0, calls)


@pytest.mark.parametrize("wrong", ALL, ids=["form", "missing", "rule"])
def test_a_run_that_ended_before_its_repairs_is_planned_and_finished(small: Small, wrong: object) -> None:
    step = step_of(small)

    class Ends(Scripted):
        """A server that answers questions and no repair."""

        def stream(self, requests: Any) -> Any:
            for request in requests:
                self.asked.append(request)
                result: Result = Completion(request.call_id, self.answer(request), "stop", 11, 7, 0.1)
                yield [Failure(request.call_id, "server_error", "") if is_repair(request) else result]

    ended = Ends(first(wrong))
    report = run_task(context_of(small, ended), step, SHARD)
    asked, repairs = parted(ended)
    assert report.rejected == Counter(engine_server_error=len(asked))
    plan = plan_of(small, step)
    assert (plan.new.value, plan.repairs.value, plan.reused) == (0, len(repairs), len(asked))
    engine = Scripted(first(wrong))
    assert made(small, engine).kept == len(asked)
    assert [is_repair(request) for request in engine.asked] == [True] * len(repairs)
    assert plan_of(small, step).calls.value == 0


def plan_of(small: Small, step: TaskStep) -> PartitionPlan:
    """What is left to ask."""
    walk = Walk(step, context_of(small, Scripted(lambda request: "")))
    plan = PartitionPlan("hints", SHARD)
    questions: Sequence[Any] = list(step.asks(Lake(small.settings.lake), SHARD))
    list(walk.outcomes(questions, plan))
    return plan
