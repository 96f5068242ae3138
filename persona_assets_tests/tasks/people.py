"""Personas of every kind in three languages, and what the offline engine makes of them."""

from functools import cache
from typing import Any

from persona_assets.engines.offline.data import LANGUAGES, occupations
from persona_assets.personas.taxonomy import taxonomy
from persona_assets.settings import Settings
from persona_assets.steps.runner import Ask, Parsed
from persona_assets.tasks.load import load_tasks
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.engines.asking import PAGES, answers, kin_variables, page_variables, step_prompt

TASKS = load_tasks(Settings())


@cache
def personas(language: str) -> tuple[str, ...]:
    """About 150 personas: of pages, and one that is tied to every occupation."""
    pages = [page_variables(page, language, personas_per_relation=2) for page in PAGES[language]]
    read = [item["persona"] for answer in answers(step_prompt("text_to_persona"), pages) for item in answer["personas"]]
    relations = taxonomy()
    asked = [
        kin_variables(occupation.people[language].indef, language, relations[number % len(relations)].slug)  # type: ignore[index]
        for number, occupation in enumerate(occupations())
    ]
    return (*read, *(answer["persona"] for answer in answers(step_prompt("persona_to_persona"), asked)))


def ask(text: str, language: str, name: str = "p") -> Ask:
    """A question about a persona."""
    row = {"persona_id": f"per_{name}", "document_id": "doc_1", "text": text, "language": language}
    return Ask(row, {"persona_id": row["persona_id"]})


@cache
def samples(name: str, language: str) -> tuple[tuple[Ask, Any, Parsed], ...]:
    """Each persona's question of a bundled task, the engine's answer and what the step reads out of it."""
    template = TASKS[name]
    step = TaskStep(template)
    asks = [ask(text, language, str(number)) for number, text in enumerate(personas(language))]
    found = answers(template, [step.variables(one) for one in asks])
    return tuple((one, answer, step.parse(one, answer)) for one, answer in zip(asks, found, strict=True))


__all__ = ["LANGUAGES", "TASKS", "ask", "personas", "samples"]
