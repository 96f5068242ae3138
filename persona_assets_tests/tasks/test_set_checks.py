"""Gates over all rows of a partition, named in a task file."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from persona_assets.checks.gates import Around, description, gate_names, run_gates
from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.lake.schemas import ASSET_TABLES, DEDUPED_PERSONAS
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.steps.model import Answered, Ask, Outcome
from persona_assets.steps.runner import outcome_frames
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.rows import SHARD, context, draft, persona, put

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


@pytest.mark.parametrize(("rows", "found"), [(1, 1), (2, 0)])
def test_a_value_with_more_rows_than_are_allowed_is_told(lake: Lake, rows: int, found: int) -> None:
    check = {"check": "at_most", "args": {"of": "tone", "rows": rows}}
    assert failing(lake, check, ("calm", "Sits"), ("calm", "Lies"), ("keen", "Runs")) == found


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"check": "at_most", "args": {"of": "tone", "rows": 0}}, "rows is 0, not a whole number from 1 on"),
        ({"check": "at_most", "args": {"of": "tone"}}, "rows is None, not a whole number from 1 on"),
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


# Checks that functions do

OWN = """
import polars as pl
from persona_assets.tasks.derived import derived, set_check

@set_check(description="Every tone has a pose that begins with a capital.")
def capitals(rows: pl.LazyFrame) -> pl.LazyFrame:
    small = pl.col("pose").str.to_lowercase() == pl.col("pose")
    return rows.group_by("tone").agg(lower=small.all()).filter("lower")

@set_check(description="No word stands alone.")
def long(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.filter(pl.col("words") < 2)

@derived(reads="poses", columns={"words": pl.Int64}, description="Words.", set_checks=(long,))
def words(poses: pl.LazyFrame) -> pl.LazyFrame:
    return poses.select(parent_ids=pl.concat_list("sample_id"), words=pl.col("pose").str.split(" ").list.len())
"""


def own(folder: Path, code: str = OWN, **task: Any) -> Settings:
    """Settings of a folder with the task and these functions."""
    told = TASK | {"set_checks": [{"check": "capitals"}]} | task
    (folder / "poses.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    (folder / "own.py").write_text(code, encoding="utf-8")
    return Settings(tasks=str(folder))


def stored(lake: Lake, settings: Settings, *poses: tuple[str, str]) -> dict[str, int]:
    """The gates of both assets over these poses, by tone and pose."""
    graph = assets(settings)
    step = graph["poses"].step
    assert isinstance(step, TaskStep)
    people = [persona(str(number), "a") for number in range(len(poses))]
    put(lake, DEDUPED_PERSONAS, *people)
    outcomes = []
    for person, (tone, pose) in zip(people, poses, strict=True):
        ask = Ask(person, {"over": {"tone": tone}}, 0, ((DEDUPED_PERSONAS.name, person["persona_id"]),), "qst_1")
        call = Answered(f"call_{person['persona_id']}", "", "stop", 1, "m")
        outcomes.append(Outcome(ask, call, step.parse(ask, {"pose": pose})))
    lake.write(step.table, SHARD, outcome_frames(step, outcomes, SHARD, "run")[0], "run")
    assert graph["words"].derived
    graph["words"].derived.run(context(lake, settings), SHARD)
    found: dict[str, int] = {}
    for name in ("poses", "words"):
        table = graph[name].table
        around = Around({one: declared.table for one, declared in graph.items()})
        found |= {gate.name: gate.failing for gate in run_gates(lake, draft(lake, table), settings, around)}
    return found


def test_a_function_over_a_finished_partition_is_a_gate(lake: Lake, tmp_path: Path) -> None:
    found = stored(lake, own(tmp_path), ("calm", "sit down"), ("calm", "Lie"), ("keen", "run on"))
    assert (found["capitals"], found["long"]) == (1, 1)


def test_its_description_is_shown_and_its_file_is_what_a_partition_is_held_to(tmp_path: Path) -> None:
    settings = own(tmp_path)
    asset = assets(settings)["poses"]
    assert description("capitals", asset.table) == "Every tone has a pose that begins with a capital."
    assert "capitals" in gate_names(asset.table)
    before = asset.gates_recipe(settings)
    (tmp_path / "own.py").write_text(f"{OWN}\n# another\n", encoding="utf-8")
    assert assets(settings)["poses"].gates_recipe(settings) != before


def test_a_function_that_fails_is_told_with_file_and_line(lake: Lake, tmp_path: Path) -> None:
    settings = own(tmp_path, OWN.replace('"tone"', '"tune"'))
    with pytest.raises(UsageError, match=r"own\.py:5: capitals: failed: ColumnNotFoundError"):
        stored(lake, settings, ("calm", "Sit"))


@pytest.mark.parametrize(
    "code, task, said",
    [
        (OWN, {"set_checks": [{"check": "capital"}]}, "unknown check capital; did you mean capitals?"),
        (OWN, {"set_checks": [{"check": "capitals", "args": {"of": "x"}}]}, "capitals is a function, which has no arg"),
        (OWN, {"set_checks": [{"check": "capitals"}] * 2}, "capitals stands there twice"),
        (OWN.replace("capitals", "balanced"), {}, "the name balanced is that of another check"),
    ],
)
def test_what_cannot_be_a_check_is_told(tmp_path: Path, code: str, task: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        assets(own(tmp_path, code, **task))
