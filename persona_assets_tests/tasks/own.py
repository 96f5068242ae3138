"""Task files of a test's own, the rows that they read, and runs of them by an engine in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from persona_assets.checks.gates import Around, run_gates
from persona_assets.engines.base import Request
from persona_assets.lake import Lake
from persona_assets.lake.records import GateOutcome
from persona_assets.lake.schemas import DEDUPED_PERSONAS, RAW_DOCUMENTS
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.runner import Report
from persona_assets.tasks.load import datasets
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.conftest import context
from persona_assets_tests.engines.doubles import Scripted
from persona_assets_tests.rows import SHARD, document, draft, persona, put

Task = dict[str, Any]


def listed(**properties: str) -> Any:
    """A schema of a list of objects with these required properties."""
    return {"type": "array", "items": answer_of(**properties)}


def answer_of(**properties: Any) -> Any:
    """A schema of an object with these required properties, each a type or a schema."""
    parts = {name: {"type": part} if isinstance(part, str) else part for name, part in properties.items()}
    return {"type": "object", "required": list(parts), "properties": parts}


def task(name: str, prompt: str, schema: Any, **keys: Any) -> Task:
    """What a task file holds."""
    messages = [{"role": "user", "content": prompt}]
    told = {"name": name, "version": 1, "title": name, "description": f"{name}.", "messages": messages}
    return told | {"response_schema": schema} | keys


def turn(prompt: str, schema: Any, **keys: Any) -> Task:
    """A further turn of a task."""
    return {"messages": [{"role": "user", "content": prompt}], "response_schema": schema} | keys


def write(folder: Path, *tasks: Task) -> Settings:
    """Write task files; settings that name their folder."""
    folder.mkdir(exist_ok=True)
    for one in tasks:
        (folder / f"{one['name']}.yaml").write_text(yaml.safe_dump(one, sort_keys=False), encoding="utf-8")
    return Settings(tasks=str(folder))


def steps(folder: Path, *tasks: Task) -> list[TaskStep]:
    """The steps of these tasks, whose files are written."""
    found = datasets(write(folder, *tasks))
    return [found[one["name"]] for one in tasks]


def people(lake: Lake, *names: str, shard: str = SHARD, **values: Any) -> None:
    """Published personas, each of a page of its own."""
    put(lake, RAW_DOCUMENTS, *(document(name, shard=shard) for name in names), shard=shard)
    put(lake, DEDUPED_PERSONAS, *(persona(name, name, shard=shard) | values for name in names), shard=shard)


class Run:
    """A partition of a task, made by an engine that answers with a function of what a request says last."""

    def __init__(
        self, lake: Lake, step: TaskStep, answer: Callable[[str], str], shard: str = SHARD, **values: Any
    ) -> None:
        self.lake, self.step, self.shard = lake, step, shard
        self.engine = Scripted(lambda request: answer(said(request)))
        self.report: Report = run_task(context(lake, self.engine, **values), step, shard)

    @property
    def prompts(self) -> list[str]:
        """What was asked, in order."""
        return [said(request) for request in self.engine.asked]

    @property
    def call_ids(self) -> list[str]:
        """The calls that were made, in order."""
        return [request.call_id for request in self.engine.asked]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows that were kept, in order."""
        return self.lake.read(self.step.table, self.shard).to_dicts()

    @property
    def rejects(self) -> list[dict[str, Any]]:
        """What was set aside, in order."""
        return self.lake.rejects(self.step.table, self.shard).collect().to_dicts()

    def gates(self, settings: Settings) -> dict[str, GateOutcome]:
        """The gates of the partition as it stands."""
        around = LakeState(self.lake, settings).around(self.step.table.name)
        assert isinstance(around, Around)
        found = run_gates(self.lake, draft(self.lake, self.step.table, self.shard), settings, around)
        return {gate.name: gate for gate in found}


def said(request: Request) -> str:
    """The last message of a request."""
    return request.messages[-1]["content"]


def without_run(frame: pl.DataFrame, step: TaskStep) -> list[dict[str, Any]]:
    """Rows without what two runs may differ in."""
    return frame.drop(step.table.volatile).to_dicts()
