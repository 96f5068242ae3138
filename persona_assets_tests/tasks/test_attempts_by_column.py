"""`attempts: {column: NAME}`: a row says itself how often it is asked about."""

import pytest

from persona_assets.checks.gates import Around, run_gates
from persona_assets.engines.offline import OfflineEngine
from persona_assets.errors import UsageError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS
from persona_assets.prompts import Template
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.conftest import context
from persona_assets_tests.engines.asking import SETTINGS
from persona_assets_tests.rows import SHARD, draft, persona, put

TASK = {
    "name": "verses",
    "version": 1,
    "title": "Verses",
    "description": "As many verses as the persona is hops away.",
    "attempts": {"column": "hop"},
    "messages": [{"role": "user", "content": "<persona>{{ persona }}</persona> A verse."}],
    "response_schema": {"type": "object", "required": ["verse"], "properties": {"verse": {"type": "string"}}},
}


def made(lake: Lake) -> TaskStep:
    """The task, run over three personas: of text, one hop and two hops away."""
    people = [persona(str(hop), "a", hop=hop, parent_persona_id="per_0" if hop else None) for hop in (0, 1, 2)]
    put(lake, DEDUPED_PERSONAS, *people)
    step = TaskStep(Template.model_validate(TASK))
    run_task(context(lake, OfflineEngine(SETTINGS)), step, SHARD)
    return step


def test_each_row_is_asked_about_as_often_as_it_says(lake: Lake) -> None:
    step = made(lake)
    rows = lake.read(step.table, SHARD)
    asked = sorted(zip(rows["persona_ids"].list.first(), rows["attempt"], strict=True))
    assert asked == [("per_1", 0), ("per_2", 0), ("per_2", 1)]


def test_a_row_that_says_none_is_set_aside(lake: Lake) -> None:
    step = made(lake)
    aside = lake.rejects(step.table, SHARD).select("row_id", "reason", "detail").collect().rows()
    assert aside == [("per_0", "not_selected", "attempts: none")]


def test_every_question_is_accounted_for(lake: Lake) -> None:
    step = made(lake)
    around = Around({"deduped_personas": DEDUPED_PERSONAS, "raw_documents": DEDUPED_PERSONAS}, step.question_ids)
    gates = {gate.name: gate.failing for gate in run_gates(lake, draft(lake, step.table), SETTINGS, around)}
    assert gates["accounted"] == 0


def test_a_column_that_holds_no_numbers_is_told_with_those_that_do() -> None:
    template = Template.model_validate(TASK | {"attempts": {"column": "hops"}})
    with pytest.raises(UsageError, match="no column 'hops' of whole numbers; did you mean hop"):
        _ = TaskStep(template).reading
