"""The demonstrations that few-shot prompts show, as their files have them."""

from functools import cache
from typing import Any

import yaml

from persona_assets.prompts.fields import with_schemas
from persona_assets.tasks.load import FILES
from persona_assets_tests.tasks.people import TASKS

ANSWER_KINDS = ["choice", "number", "order", "yes_no", "free"]
LOGIC: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["kind", "problem", "answer_kind", "answer"],
    "properties": {
        "kind": {"enum": ["logical", "spatial", "wordplay"]},
        "problem": {"type": "string", "minLength": 1},
        "answer_kind": {"enum": ANSWER_KINDS},
        "answer": {"type": ["string", "null"]},
    },
}


@cache
def as_given(name: str) -> tuple[dict[str, Any], ...]:
    """The demonstrations of a task, as its file has them and a model would answer."""
    return tuple(yaml.safe_load((FILES / "demonstrations" / f"{name}.yaml").read_text(encoding="utf-8")))


@cache
def rows(name: str) -> tuple[dict[str, Any], ...]:
    """The demonstrations of a task, with the answers as rows hold them."""
    schemas = TASKS[name].schemas
    return tuple({**row, "answer": with_schemas(row["answer"], schemas)} for row in as_given(name))


def pool(name: str, language: str) -> list[dict[str, Any]]:
    """The answers of a task's demonstrations in a language."""
    return [row["answer"] for row in rows(name) if row["language"] == language]


def schema_of(name: str) -> dict[str, Any]:
    """What an answer to a task has to be."""
    return LOGIC if name == "logic_problems" else dict(TASKS[name].response_schema)
