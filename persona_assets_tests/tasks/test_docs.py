"""The examples of docs/tasks.md are files that load."""

import re
from pathlib import Path

import pytest

from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "tasks.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(yaml|python)\n(.*?)```", PAGE, re.DOTALL)
SOLUTIONS = """
name: solutions
version: 1
title: Solutions
description: Several solutions of a problem.
reads: math_problems
attempts: 3
messages: [{role: user, content: "Solve {{ problem }}"}]
response_schema: {type: object, required: [answer], properties: {answer: {type: string}}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files in a folder: its task, a talk made of its turns, and its function with what that reads."""
    folder = tmp_path_factory.mktemp("tasks")
    (task, turns, interviews), [function, check] = (
        [text for kind, text in BLOCKS if kind == wanted] for wanted in ("yaml", "python")
    )
    head = "\n".join(line for line in SOLUTIONS.splitlines() if not line.startswith(("reads", "attempts")))
    (folder / "maths_hints.yaml").write_text(task, encoding="utf-8")
    talk = head.replace("solutions", "talk").replace("{{ problem }}", "it")
    (folder / "radio_interviews.yaml").write_text(interviews, encoding="utf-8")
    (folder / "talk.yaml").write_text(f"{talk}\n{turns}", encoding="utf-8")
    (folder / "votes.py").write_text(function, encoding="utf-8")
    (folder / "checks.py").write_text(f"import polars as pl\n{check}", encoding="utf-8")
    return folder


def test_each_example_is_an_asset(folder: Path) -> None:
    found = datasets(Settings(tasks=str(folder)))
    assert {"radio_interviews", "maths_hints", "talk", "math_votes"} <= set(found)
    assert "hint" in found["maths_hints"].table.polars
    assert {"answer", "reason", "score", "call_ids"} <= set(found["talk"].table.polars)


def test_the_example_of_a_score_is_an_asset(tmp_path: Path) -> None:
    [task] = re.findall(r"```yaml\n(name:.*?)```", (DOCS / "engines.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "favourite_tools.yaml").write_text(task, encoding="utf-8")
    columns = datasets(Settings(tasks=str(tmp_path)))["favourite_tools"].table.polars
    assert {"tool", "logprob", "tokens"} <= set(columns)


def test_every_key_of_a_task_file_is_explained(folder: Path) -> None:
    from persona_assets.prompts import Template

    keys = {field.alias or name for name, field in Template.model_fields.items() if not field.exclude}
    plain = {"name", "version", "kind", "title", "description", "messages", "response_schema"}
    explained = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert explained == keys - plain
