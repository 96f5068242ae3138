"""Ids that an earlier version gave are given today, byte for byte; fixtures/README.md says how the list was made."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from persona_assets.crawl.documents import make_document_id, record_row_id
from persona_assets.engines.base import Sampling, call_key
from persona_assets.engines.offline import OfflineEngine
from persona_assets.ids import digest
from persona_assets.personas.expand import ExpandStep
from persona_assets.personas.extract import ExtractStep, persona_id
from persona_assets.prompts import Template, load_template
from persona_assets.settings import Settings
from persona_assets.steps.questions import Question, Questions, Voice
from persona_assets.steps.runner import Ask, Step
from persona_assets.tasks.load import load_tasks
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.old_lake import PROMPTS_1, first_prompt

GOLDEN: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).with_name("fixtures") / "golden_ids.json").read_text(encoding="utf-8")
)
ASKED = [
    pytest.param(entry, id=f"{entry['asset']}-{entry['call_id'][5:13]}") for entry in GOLDEN["questions"]
]  # fmt: skip
ANSWERED = [param for param in ASKED if "answer" in param.values[0]]


def _tasks_of_then() -> dict[str, Template]:
    """The bundled tasks that there were."""
    return {name: task for name, task in load_tasks(Settings()).items() if (PROMPTS_1 / f"{name}.yaml").is_file()}


@cache
def _step(asset: str) -> Step:
    """The step of today with the prompt under which the list was made: version 1."""
    extract, expand = ExtractStep(), ExpandStep()
    for step in (extract, expand):
        vars(step)["template"] = load_template(PROMPTS_1 / f"{step.template.name}.yaml")
    tasks = [TaskStep(first_prompt(name, task)) for name, task in _tasks_of_then().items()]
    return next(step for step in (extract, expand, *tasks) if step.table.name == asset)


def _questions(step: Step) -> Questions:
    settings = Settings()
    identity = OfflineEngine(settings).identity(step.template)
    return Questions(step, lambda template: Voice(template, identity, Sampling.of(settings, template)))


def _asked(entry: dict[str, Any]) -> tuple[Questions, Question]:
    questions = _questions(_step(entry["asset"]))
    return questions, questions.of(Ask(entry["row"], entry["fill"], entry["attempt"]))


def test_documents_keep_their_ids() -> None:
    made = [make_document_id(row["dump"], row["url"], digest(row["text"].encode())) for row in GOLDEN["documents"]]
    assert made == [row["document_id"] for row in GOLDEN["documents"]]


def test_records_keep_their_ids() -> None:
    made = [record_row_id(*row["place"]) for row in GOLDEN["records"]]
    assert made == [row["row_id"] for row in GOLDEN["records"]]


def test_personas_of_every_distance_keep_their_ids() -> None:
    people = GOLDEN["personas"]
    assert {row["hop"] for row in people} == {0, 1, 2}
    assert [
        persona_id(row["document_id"], row["parent_persona_id"], row["relation"], row["text"]) for row in people
    ] == [row["persona_id"] for row in people]


def test_the_list_holds_samples_of_every_task_that_there_was() -> None:
    sampled = {entry["asset"] for entry in GOLDEN["questions"] if any(i[:3] == "smp" for i in entry.get("row_ids", ()))}
    assert sampled == set(_tasks_of_then())


@pytest.mark.parametrize("entry", ASKED)
def test_calls_keep_their_ids(entry: dict[str, Any]) -> None:
    _, question = _asked(entry)
    assert question.call_id == entry["call_id"]


@pytest.mark.parametrize("entry", ASKED)
def test_the_plain_form_of_a_key_gives_the_same_ids(entry: dict[str, Any]) -> None:
    questions, question = _asked(entry)
    schema = _step(entry["asset"]).template.response_schema
    messages = questions.messages(question)
    voice = questions.voices[0]
    assert call_key(messages, schema, voice.identity, voice.sampling, entry["attempt"]) == entry["call_id"]


@pytest.mark.parametrize("entry", ASKED)
def test_repairs_keep_their_ids(entry: dict[str, Any]) -> None:
    questions, question = _asked(entry)
    repair = questions.repair_of(question, "Gladly! 好的。", "stop", "not JSON: unexpected character", None)
    assert repair.call_id == entry["repair_call_id"]


@pytest.mark.parametrize("entry", ANSWERED)
def test_answers_give_rows_and_rejects_of_the_same_ids(entry: dict[str, Any]) -> None:
    step = _step(entry["asset"])
    parsed = step.parse(Ask(entry["row"], entry["fill"], entry["attempt"]), json.loads(entry["answer"]))
    assert [row[step.table.key] for row in parsed.rows] == entry["row_ids"]
    told = [[reject.reason, reject.row_id] for reject in parsed.rejects if reject.reason != "relation_missing"]
    assert told == entry["rejects"]
