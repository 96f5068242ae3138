"""`answered_by: COLUMN`: a row says itself who answers it; and `PERSONA_ATTEMPTS`.

That each one answers its own rows is shown in `evaluation/test_in_graph.py`.
"""

from typing import Any

import polars as pl
import pytest

from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.lake import Column, Table
from persona_assets.lake.schemas import ASSET_TABLES, RUN_COLUMNS, SAMPLE_COLUMNS
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.tasks.load import datasets
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.plan.work import Work

WHO = pl.Struct({"id": pl.String(), "engine": pl.String(), "model": pl.String()})
OWN = (Column("who", WHO, "Who answers"), Column("nobody", pl.Struct({"id": pl.String()}), "No model"))
ASKED = Table("asked", "sample_id", (*SAMPLE_COLUMNS, *OWN, *RUN_COLUMNS))
TASK: dict[str, Any] = {
    "name": "replies",
    "version": 1,
    "title": "Replies",
    "description": "What somebody says.",
    "reads": "asked",
    "answered_by": "who",
    "messages": [{"role": "user", "content": "Say something in {{ language_name }}."}],
    "response_schema": {"type": "object", "required": ["said"], "properties": {"said": {"type": "string"}}},
}


def step(**keys: Any) -> TaskStep:
    return TaskStep(Template.model_validate(TASK | keys), {**ASSET_TABLES, "asked": ASKED})


def test_the_column_is_read_with_the_row() -> None:
    assert "who" in step().reading.columns


@pytest.mark.parametrize("column", ["whom", "language", "nobody"])
def test_a_column_that_names_no_model_is_told_with_those_that_do(column: str) -> None:
    with pytest.raises(UsageError, match=rf"no column '{column}' of structs with id, engine and model; .*who"):
        _ = step(answered_by=column).reading


@pytest.mark.parametrize(
    "keys",
    [
        {"target": 3},
        {"group": {"take": 2}},
        {"over": {"system": {"values": [{"id": "a", "engine": "offline"}], "answers": "all"}}},
    ],
)
def test_what_cannot_go_with_it_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="with `answered_by` there are no systems"):
        Template.model_validate(TASK | keys)


def test_whom_a_row_names_answers_with_its_own_settings() -> None:
    by = {"id": "tuned", "engine": "transformers", "model": "lake:mdl_1", "max_tokens": 7, "model_revision": None}
    template = step().template.answered(by)
    own = Settings(engine="openai", model="m", model_revision="r").for_asset("replies", by=template.by)
    assert (own.engine, own.model, own.max_tokens, own.model_revision) == ("transformers", "lake:mdl_1", 7, "r")


def test_who_the_settings_name_shapes_no_row() -> None:
    def recipe(settings: Settings) -> Any:
        asset = assets(settings)["evaluation_answers"]
        return asset.recipe(settings, asset.identity(settings))

    assert recipe(Settings()) == recipe(Settings(engine="openai", model="m", extra_body={"top_k": 3}))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            {"targets": {"evaluation_answers": 3}},
            "PERSONA_TARGETS: evaluation_answers is answered by whom its rows name",
        ),
        ({"attempts": {"scenes": 3}}, "PERSONA_ATTEMPTS: how often scenes asks is for its file to say"),
        ({"attempts": {"verse": 3}}, "PERSONA_ATTEMPTS: task verse is unknown"),
    ],
)
def test_settings_that_cannot_hold_are_refused(setting: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        datasets(Settings(**setting))
    assert said in str(error.value)


def test_a_setting_says_how_often_a_task_asks_and_the_first_answer_keeps_its_id(tmp_path: Any) -> None:
    places = {"lake": str(tmp_path / "lake"), "dumps": str(tmp_path / "dumps")}
    settings = Settings(**places, settle_s=0, hops=0, attempts={"math_problems": 3})
    work = Work(tmp_path, settings)
    work.drop("crawl", "a.jsonl", 0)
    once = work.having(lake=str(tmp_path / "once"), attempts={})
    found = []
    for one in (work, once):
        one.run()
        found.append(one.lake.scan(LakeState(one.lake, one.settings).assets["math_problems"].table).collect())
    several, single = found
    assert several.height == 3 * single.height > 0
    assert set(single["sample_id"]) == set(several.filter(attempt=0)["sample_id"])
    assert several["problem"].n_unique() > single["problem"].n_unique()
