"""Gates over all rows of a partition, named in a task file."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from persona_assets.checks.gates import Around, run_gates
from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.lake.schemas import ASSET_TABLES, DEDUPED_PERSONAS
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.steps.model import Answered, Ask, Outcome
from persona_assets.steps.runner import outcome_frames
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.rows import SHARD, draft, persona, put

TASK = {
    "name": "poses",
    "version": 1,
    "title": "Poses",
    "description": "A pose by tone.",
    "over": {"tone": ["calm", "keen"]},
    "messages": [{"role": "user", "content": "<persona>{{ persona }}</persona> {{ tone }}"}],
    "response_schema": {"type": "object", "required": ["pose"], "properties": {"pose": {"type": "string"}}},
}


def failing(lake: Lake, check: dict[str, Any], *poses: tuple[str, str]) -> int:
    """What a set check finds in a partition of these rows, by tone and pose; each is of another persona."""
    step = TaskStep(Template.model_validate(TASK | {"set_checks": [check]}))
    people = [persona(str(number), "a") for number in range(len(poses))]
    put(lake, DEDUPED_PERSONAS, *people)
    outcomes = []
    for person, (tone, pose) in zip(people, poses, strict=True):
        ask = Ask(person, {"over": {"tone": tone}}, 0, ((DEDUPED_PERSONAS.name, person["persona_id"]),), "qst_1")
        call = Answered(f"call_{person['persona_id']}", "", "stop", 1, "m")
        outcomes.append(Outcome(ask, call, step.parse(ask, {"pose": pose})))
    rows, _ = outcome_frames(step, outcomes, SHARD, "run")
    lake.write(step.table, SHARD, rows, "run")
    around = Around({**ASSET_TABLES, "poses": step.table})
    gates = run_gates(lake, draft(lake, step.table), Settings(), around)
    return next(gate.failing for gate in gates if gate.name == check["check"])


def test_two_rows_with_the_same_text_are_told(lake: Lake) -> None:
    check = {"check": "no_two_alike", "args": {"field": "pose"}}
    assert failing(lake, check, ("calm", "Sits"), ("keen", " sits "), ("keen", "Runs")) == 2


def test_rows_that_differ_pass(lake: Lake) -> None:
    check = {"check": "no_two_alike", "args": {"field": "pose"}}
    assert failing(lake, check, ("calm", "Sits"), ("keen", "Runs")) == 0


def test_a_value_without_a_row_is_told(lake: Lake) -> None:
    check = {"check": "every_value", "args": {"of": "tone"}}
    assert failing(lake, check, ("calm", "Sits"), ("calm", "Lies")) == 1


def test_a_partition_without_rows_lacks_no_value(lake: Lake) -> None:
    assert failing(lake, {"check": "every_value", "args": {"of": "tone"}}) == 0


@pytest.mark.parametrize(("most", "found"), [(1.5, 1), (2, 0)])
def test_a_value_with_far_more_rows_than_another_is_told(lake: Lake, most: float, found: int) -> None:
    check = {"check": "balanced", "args": {"of": "tone", "most": most}}
    assert failing(lake, check, ("calm", "Sits"), ("calm", "Lies"), ("keen", "Runs")) == found


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"check": "balance"}, "unknown check balance; did you mean balanced"),
        ({"check": "balanced"}, "balanced: of is missing"),
        ({"check": "balanced", "args": {"of": "tone", "least": 1}}, "has no argument least"),
        ({"check": "balanced", "args": {"of": "tone", "most": 0.5}}, "not a number from 1 on"),
        ({"check": "every_value", "args": {"of": "ton"}}, "of 'ton' is not there; did you mean tone"),
        ({"check": "no_two_alike", "args": {"field": "poses"}}, "field 'poses' is not there; did you mean pose"),
    ],
)
def test_what_is_wrong_with_a_set_check_is_told(check: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        _ = TaskStep(Template.model_validate(TASK | {"set_checks": [check]})).table


def test_arguments_are_part_of_what_gates_hold_a_partition_to_and_shape_no_row(tmp_path: Path) -> None:
    held, prompts = [], []
    for most in (1.5, 2):
        check = {"check": "balanced", "args": {"of": "tone", "most": most}}
        (tmp_path / "poses.yaml").write_text(yaml.safe_dump(TASK | {"set_checks": [check]}), encoding="utf-8")
        asset = assets(Settings(tasks=str(tmp_path)))["poses"]
        held.append(asset.gates_recipe(Settings()))
        prompts.append(asset.recipe(Settings(), asset.identity(Settings())))
    assert held[0] != held[1]
    assert prompts[0] == prompts[1]
