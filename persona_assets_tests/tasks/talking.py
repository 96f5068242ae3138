"""Instructions, their answers and what becomes of them, made by the offline engine of personas in three languages."""

from collections import Counter
from typing import Any

from persona_assets.engines.base import Engine
from persona_assets.engines.offline import OfflineEngine
from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS, RAW_DOCUMENTS
from persona_assets.settings import Settings
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import datasets
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.conftest import context
from persona_assets_tests.rows import NOW, SHARD, document, persona, put

FEW = {
    "en": ["A nurse who compares fever charts at night", "A retired baker who collects rye flour"],
    "zh": ["一名护士，想了解“红烧豆腐”", "一名修手机屏幕的师傅"],
    "ru": ["Повар, который читает о теме «борщ»", "Учительница, которая решает квадратные уравнения"],
}


def people(lake: Lake, texts: dict[str, list[str]] = FEW) -> None:
    """Published personas with these texts, by language."""
    found = [
        persona(f"{language}{number}", "a", text=text, language=language)
        for language, some in texts.items()
        for number, text in enumerate(some)
    ]
    put(lake, RAW_DOCUMENTS, document("a"))
    put(lake, DEDUPED_PERSONAS, *found)


def make(lake: Lake, *names: str, engine: Engine | None = None, **values: Any) -> Counter[str]:
    """Make a partition of each of these datasets; of the last one, how many rows it has and how many rejects."""
    settings = Settings(**values)
    steps = datasets(settings)
    found: Counter[str] = Counter()
    for name in names:
        step, given = steps[name], context(lake, engine or OfflineEngine(settings), **values)
        assert isinstance(step, TaskStep | DerivedStep)
        report = run_task(given, step, SHARD) if isinstance(step, TaskStep) else step.run(given, SHARD)
        found = Counter({"kept": report.kept}) + Counter(report.rejected)
    return found


def instructions(lake: Lake, *texts: str, language: str = "en", person: str = "A nurse who reads") -> None:
    """Instructions with these texts, of one persona."""
    people(lake, {language: [person]})
    table = datasets(Settings())["instructions"].table
    rows = [
        {
            "sample_id": f"smp_{number}",
            "task": "instructions",
            "persona_ids": [f"per_{language}0"],
            "document_id": "doc_a",
            "language": language,
            "question_id": f"per_{language}0",
            "mode": "zero_shot",
            "instruction": text,
            "call_id": "call_1",
            "template": "instructions",
            "template_version": 2,
            "model": "m",
            "shard": SHARD,
            "run_id": "run",
            "created_at": NOW,
        }
        for number, text in enumerate(texts)
    ]
    put(lake, table, *rows)


def rows_of(lake: Lake, name: str) -> list[dict[str, Any]]:
    """The rows of a dataset."""
    return lake.read(datasets(Settings())[name].table, SHARD).to_dicts()


def rejects_of(lake: Lake, name: str) -> list[dict[str, Any]]:
    """What a dataset sets aside."""
    return lake.rejects(datasets(Settings())[name].table, SHARD).collect().to_dicts()
