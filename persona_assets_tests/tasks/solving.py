"""Solutions of problems of every bundled variant by the offline engine, asked as the tasks ask."""

from functools import cache
from typing import Any

from persona_assets.engines.offline import OfflineEngine
from persona_assets.settings import Settings
from persona_assets.steps.runner import Ask
from persona_assets.tasks.load import datasets
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.engines.asking import requests, values_of
from persona_assets_tests.tasks.people import samples

Solved = tuple[dict[str, Any], dict[str, Any]]


def bundled(name: str) -> TaskStep:
    """The step of a bundled task."""
    step = datasets(Settings())[name]
    assert isinstance(step, TaskStep)
    return step


@cache
def problems(task: str, language: str) -> tuple[dict[str, Any], ...]:
    """About 150 problems, as rows of their task; every variant is among them."""
    found = []
    for number, (_, answer, _) in enumerate(samples(task, language)):
        ids = {"sample_id": f"smp_{number}", "persona_ids": [f"per_{number}"], "document_id": f"doc_{number}"}
        found.append({**answer, **ids, "language": language})
    return tuple(found)


def solve(name: str, rows: list[dict[str, Any]], attempt: int, **over: str) -> list[Solved]:
    """Each row with the answer of the task `name` to one attempt at it."""
    step = bundled(name)
    asks = [Ask(row, {"over": over} if over else {}, attempt, (), "") for row in rows]
    asked = requests(step.template, [step.variables(ask) for ask in asks], seed=attempt)
    return list(zip(rows, values_of(OfflineEngine(Settings()), asked, step.template), strict=True))
