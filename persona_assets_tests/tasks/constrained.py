"""Instructions with constraints, their answers and pairs, in a lake that the real steps fill."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from persona_assets.engines.base import Engine
from persona_assets.engines.offline import OfflineEngine
from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS, RAW_DOCUMENTS
from persona_assets.settings import Settings
from persona_assets.steps.model import Context, Report
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import Dataset, datasets
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.engines.asking import SETTINGS
from persona_assets_tests.rows import SHARD, document, persona, put
from persona_assets_tests.tasks.people import personas

NAMES = (
    *("instruction_constraints", "constrained_instructions", "constrained_answers"),
    *("verified_answers", "preference_pairs"),
)


def people(count: int, languages: Sequence[str] = ("en", "zh", "ru")) -> list[dict[str, Any]]:
    """So many personas in each language."""
    return [
        persona(f"{language}_{number}", "a", text=text, language=language)
        for language in languages
        for number, text in enumerate(personas(language)[:count])
    ]


def make(lake: Lake, name: str, engine: Engine | None = None, settings: Settings = SETTINGS) -> Report:
    """Make the partition of one asset."""
    step: Dataset = datasets(settings)[name]
    context = Context(lake, settings, engine or OfflineEngine(settings), "run")
    if isinstance(step, TaskStep):
        return run_task(context, step, SHARD)
    assert isinstance(step, DerivedStep)
    return step.run(context, SHARD)


def fill(
    lake: Lake, who: Sequence[dict[str, Any]], *, last: str = "preference_pairs", engine: Engine | None = None
) -> dict[str, Report]:
    """Make the assets from these personas' instructions up to one; their reports by name."""
    put(lake, RAW_DOCUMENTS, document("a"))
    put(lake, DEDUPED_PERSONAS, *who)
    made = ("instructions", *NAMES[: NAMES.index(last) + 1])
    return {name: make(lake, name, engine) for name in made}


def rows(lake: Lake, name: str, settings: Settings = SETTINGS) -> pl.DataFrame:
    """The rows of an asset."""
    return lake.read(datasets(settings)[name].table, SHARD)


def aside(lake: Lake, name: str, settings: Settings = SETTINGS) -> pl.DataFrame:
    """The rows that an asset set aside."""
    return lake.rejects(datasets(settings)[name].table, SHARD).collect()
