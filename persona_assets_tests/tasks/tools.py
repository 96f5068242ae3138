"""Tools of the offline engine: definitions, implementations and what running them gives, in a lake or as frames."""

import json
from typing import Any

import polars as pl

from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS, RAW_DOCUMENTS
from persona_assets.lineage.audit import audit
from persona_assets.lineage.model import Verification
from persona_assets.settings import Settings
from persona_assets.steps.model import Report
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import datasets
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.rows import SHARD, context, document, persona, put

STEPS = datasets(Settings())
TEXTS = {
    "en": "A careful {} who compares notes at night",
    "zh": "一名{}，想了解“红烧豆腐”",
    "ru": "{}, который читает о теме «борщ»",
}
TRADES = {
    "en": ("nurse", "baker", "librarian", "plumber", "farmer", "teacher", "driver", "tailor"),
    "zh": ("厨师", "护士", "教师", "农民", "司机", "裁缝", "记者", "木匠"),
    "ru": ("Повар", "Врач", "Учитель", "Фермер", "Водитель", "Портной", "Журналист", "Плотник"),
}


def people(lake: Lake, each: int = 8, languages: tuple[str, ...] = ("en", "zh", "ru")) -> None:
    """Personas of a page, so many in each language."""
    found = [
        persona(f"{language}{number}", "a", text=TEXTS[language].format(trade), language=language)
        for language in languages
        for number, trade in enumerate(TRADES[language][:each])
    ]
    put(lake, RAW_DOCUMENTS, document("a"))
    put(lake, DEDUPED_PERSONAS, *found)


def make(lake: Lake, *names: str) -> dict[str, Report]:
    """Make a partition of each of these datasets, by the offline engine where a model is asked."""
    found: dict[str, Report] = {}
    for name in names:
        step, given = STEPS[name], context(lake, Settings())
        if isinstance(step, TaskStep):
            found[name] = run_task(given, step, SHARD)
        elif isinstance(step, DerivedStep):
            found[name] = step.run(given, SHARD)
    return found


def rows_of(lake: Lake, name: str) -> list[dict[str, Any]]:
    """The rows of a dataset."""
    return lake.read(STEPS[name].table, SHARD).to_dicts()


def audited(lake: Lake, row_id: str) -> list[tuple[str, list[Verification]]]:
    """The tables of a row and of all that it came from, each with what was verified of it and of its calls."""
    waiting, found = [audit(lake, Settings(), row_id).root], []
    for node in waiting:  # grows while it is walked
        calls = node.call.verifications if node.call else []
        if node.table:
            found.append((node.table, [*node.verifications, *calls]))
        waiting += node.parents
    return found


def implementation(
    code: str,
    *arguments: Any,
    parameters: Any = None,
    returns: Any = None,
    description: str = "Counts.",
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A row of an implementation of the function `f`, and one of its definition."""
    examples = [{"arguments": one if isinstance(one, str) else json.dumps(one)} for one in arguments]
    own = {"sample_id": "smp_code", "parent_ids": ["smp_tool"], "code": code, "examples": json.dumps(examples)}
    schema = {"type": "object", "properties": {"count": {"type": "integer"}}} if parameters is None else parameters
    tool = {
        "sample_id": "smp_tool",
        "function_name": "f",
        "description": description,
        "parameters": json.dumps(schema),
        "returns": json.dumps({"type": "integer"} if returns is None else returns),
    }
    return own, tool


def run(*pairs: tuple[dict[str, Any], dict[str, Any]]) -> pl.DataFrame:
    """What `tool_runs` gives for implementations, each of a definition of its own."""
    step = STEPS["tool_runs"]
    assert isinstance(step, DerivedStep)
    codes, tools = [], []
    for number, (own, tool) in enumerate(pairs):
        codes.append(own | {"sample_id": f"smp_code{number}", "parent_ids": [f"smp_tool{number}"]})
        tools.append(tool | {"sample_id": f"smp_tool{number}"})
    return step.declared.function(pl.LazyFrame(codes), pl.LazyFrame(tools)).lazy().collect()
