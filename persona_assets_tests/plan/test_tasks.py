"""What a plan says of tasks of tasks, over values, with attempts, lists and turns: the calls that a run then makes."""

from typing import Any

import pytest
import yaml

from persona_assets.engines.offline import OfflineEngine
from persona_assets.state import LakeState
from persona_assets.steps.budget import BudgetReached
from persona_assets.steps.runner import Context, Report
from persona_assets.tasks.load import datasets
from persona_assets.tasks.run import run_task
from persona_assets_tests.plan.work import Work, asset
from persona_assets_tests.tasks.own import answer_of, listed, task, turn, write

PERSONA = "<language>{{ language_name }}</language><persona>{{ persona }}</persona>"
HINTS = task("hints", PERSONA + " {{ problem }}", answer_of(hint="string"), reads="math_problems")
LEVELS = {"level": ["a", "b", "c"]}
TASKS: dict[str, dict[str, Any]] = {
    "of a task": HINTS,
    "attempts": HINTS | {"attempts": 3},
    "over": task("hints", PERSONA + "{{ level }}", answer_of(hint="string"), over=LEVELS | {"number": [1, 2]}),
    "drawn": task(
        "hints", PERSONA + "{{ level }}", answer_of(hint="string"), over={"level": {"values": ["a", "b"], "draw": 1}}
    ),
    "unseen": task("hints", PERSONA, answer_of(hint="string"), over=LEVELS, attempts=2),
    "many": task("hints", PERSONA, answer_of(hints=listed(hint="string")), many="hints"),
    "keep_if": HINTS | {"keep_if": "problem | length is even"},
    "turns": task(
        "hints",
        PERSONA,
        answer_of(first="string"),
        turns=[
            turn("Why {{ turn1.first }}?", answer_of(second="string")),
            turn("{{ turn2.second }} {{ persona }}: sure?", answer_of(third="string"), history=False),
            turn("Since when?", answer_of(fourth="string")),
        ],
    ),
    "turns and attempts": HINTS | {"attempts": 2, "turns": [turn("Why?", answer_of(second="string"))]},
}  # fmt: skip


def with_tasks(work: Work, *tasks: dict[str, Any]) -> Work:
    folder = work.folder / "tasks"
    write(folder, *tasks)
    return work.having(tasks=str(folder))


def make(work: Work, name: str, shard: str = "") -> Report:
    """Make a task's partitions; what was done in all."""
    engine, done = OfflineEngine(work.settings), Report()
    for key in work.shards():
        if not shard or key == shard:
            context = Context(work.lake, work.settings, engine, "run", keeper=LakeState(work.lake, work.settings))
            report = run_task(context, datasets(work.settings)[name], key)
            done.calls_made += report.calls_made
            done.kept += report.kept
    return done


def planned(work: Work, name: str = "hints") -> float:
    return asset(work.plan(), name).total("calls").value


@pytest.mark.parametrize("told", TASKS.values(), ids=TASKS)
def test_a_run_makes_the_calls_that_were_planned_and_then_none_are(finished: Work, told: dict[str, Any]) -> None:
    work = with_tasks(finished, told)
    before = planned(work)
    assert before > 0
    assert make(work, "hints").calls_made == before
    assert planned(work) == 0


@pytest.mark.parametrize("told", TASKS.values(), ids=TASKS)
def test_one_shard_that_was_made_is_not_planned_again(finished: Work, told: dict[str, Any]) -> None:
    work = with_tasks(finished, told)
    first, second = work.shards()
    make(work, "hints", first)
    rest = planned(work)
    assert make(work, "hints", second).calls_made == rest


@pytest.mark.parametrize("told", TASKS.values(), ids=TASKS)
def test_a_plan_of_everything_anew_finds_every_call_in_the_ledger(finished: Work, told: dict[str, Any]) -> None:
    work = with_tasks(finished, told)
    kept = make(work, "hints").kept
    found = asset(work.plan(everything=True, assets=("hints",)), "hints")
    assert found.total("calls").value == 0
    assert found.total("rows").value == kept


REMARKS = task("remarks", PERSONA + "{{ hint }}", answer_of(remark="string"), reads="hints", attempts=2)


def test_what_stands_on_rows_that_are_not_there_yet_is_told_from_how_many_there_will_be(finished: Work) -> None:
    work = with_tasks(finished, HINTS, REMARKS)
    hints, remarks = planned(work), planned(work, "remarks")
    assert 0 < remarks <= 2 * hints
    make(work, "hints")
    assert planned(work, "remarks") == make(work, "remarks").calls_made


def test_a_target_of_a_task_with_attempts_is_planned(finished: Work) -> None:
    work = with_tasks(finished, HINTS | {"attempts": 2, "target": 3})
    assert make(work, "hints").calls_made == 3
    assert planned(work) == 0


def test_turns_of_talks_that_were_cut_off_are_planned(finished: Work) -> None:
    work = with_tasks(finished, TASKS["turns"])
    whole = planned(work)
    with pytest.raises(BudgetReached):
        make(work.having(max_calls_per_run=5), "hints")
    assert planned(work) == whole - 5
    assert make(work, "hints").calls_made == whole - 5


def test_a_score_takes_no_tokens_of_an_answer(finished: Work) -> None:
    messages = [{"role": "user", "content": PERSONA}, {"role": "assistant", "content": "{{ level }}"}]
    schema = answer_of(logprob="number", tokens="integer")
    told = task("hints", "", schema, over=LEVELS, answer={"parser": "score"}, messages=messages)
    plan = asset(with_tasks(finished, told).plan(), "hints")
    assert plan.total("calls").value > 0
    assert plan.sum("tokens_in") > 0
    assert plan.sum("tokens_out") == 0


def selecting(work: Work, **view: Any) -> Work:
    """The same place with a task that asks about the personas that a view of their attributes selects."""
    folder = work.folder / "views"
    folder.mkdir(exist_ok=True)
    (folder / "some.yaml").write_text(yaml.safe_dump({"task": "persona_attributes", **view}), encoding="utf-8")
    told = with_tasks(work, task("hints", PERSONA, answer_of(hint="string"), select="some"))
    return told.having(views=str(folder))


def make_view(work: Work) -> None:
    """Make the attributes of all personas, and the view."""
    make(work, "persona_attributes")
    state = LakeState(work.lake, work.settings)
    for name in ("some_query", "some"):
        context = Context(work.lake, work.settings, OfflineEngine(work.settings), "run", keeper=state)
        list(state.assets[name].run(context, "some"))


def test_what_a_view_selects_is_planned_before_the_view_is_there(finished: Work) -> None:
    work = selecting(finished, size=3)
    plan = work.plan()
    personas = asset(plan, "persona_attributes").total("calls").value
    assert personas > 3
    assert asset(plan, "some").total("rows").value == 3
    assert asset(plan, "hints").total("calls").value == pytest.approx(3)
    assert make(work, "persona_attributes").calls_made == personas


HALF = {"top": {"column": "template_version", "share": 0.5}}


@pytest.mark.parametrize("view", [{"size": 3}, {"where": {"skill_level": "unknown"}}, HALF])
def test_a_run_makes_the_calls_that_were_planned_of_what_a_view_selects(finished: Work, view: dict[str, Any]) -> None:
    work = selecting(finished, **view)
    make_view(work)
    before = planned(work)
    chosen = work.lake.scan(datasets(work.settings)["some"].table).collect()
    assert before == chosen["selected_persona_ids"].explode().n_unique()
    assert make(work, "hints").calls_made == before
    assert planned(work) == 0


def test_of_a_new_shard_the_share_is_planned_that_the_view_will_select(finished: Work) -> None:
    work = selecting(finished, size=3)
    make_view(work)
    make(work, "hints")
    work.drop("d2", "c.jsonl", 4)
    plan = work.plan()
    new = next(one for one in asset(plan, "deduped_personas").partitions if one.partition.startswith("d2"))
    assert 0 < asset(plan, "hints").total("calls").value < new.rows.value
    alone = asset(work.plan(dumps=("d2",)), "hints").total("calls").value
    assert 0 < alone < new.rows.value
