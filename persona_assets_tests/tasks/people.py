"""Personas of every kind in three languages, and what the offline engine makes of them."""

from functools import cache
from typing import Any

import yaml

from persona_assets.engines.offline.data import LANGUAGES, occupations
from persona_assets.lake.schemas import DEDUPED_PERSONAS
from persona_assets.personas.taxonomy import taxonomy
from persona_assets.settings import Settings
from persona_assets.steps.runner import Ask, Parsed
from persona_assets.tasks.load import FILES, datasets
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.engines.asking import PAGES, answers, kin_variables, page_variables, step_prompt

STEPS = {name: step for name, step in datasets(Settings()).items() if isinstance(step, TaskStep)}
ALL_TASKS = {name: step.template for name, step in STEPS.items()}
# Those that are asked about personas.
TASKS = {name: task for name, task in ALL_TASKS.items() if task.reads.name == DEDUPED_PERSONAS.name}
SKILLS = yaml.safe_load((FILES / "skills" / "general.yaml").read_text(encoding="utf-8"))
LISTED = [{"row_id": f"row_{one['id']}", **one} for one in SKILLS]
WORLD = {"row_id": "row_1", "text": "# Lantern Reach\n\nIslands on the back of a sleeping sea creature."}


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


def ask(text: str, language: str, name: str = "p", task: str = "") -> Ask:
    """A question about a persona, with the first values that a task asks with."""
    row = {"persona_id": f"per_{name}", "document_id": "doc_1", "text": text, "language": language}
    row |= {"worlds": [WORLD], "listed": LISTED, "raw_documents": {"text": text}}
    over = {name: next(iter(one.by_label)) for name, one in TASKS[task].over.items()} if task else {"mode": "zero_shot"}
    return Ask(row, {"over": over}, about=(("deduped_personas", f"per_{name}"),))


@cache
def samples(name: str, language: str) -> tuple[tuple[Ask, Any, Parsed], ...]:
    """Each persona's question of a bundled task, the engine's answer and what the step reads out of it."""
    template = TASKS[name]
    step = STEPS[name]
    asks = [ask(text, language, str(number), name) for number, text in enumerate(personas(language))]
    found = answers(template, [step.variables(one) for one in asks])
    return tuple((one, answer, step.parse(one, answer)) for one, answer in zip(asks, found, strict=True))


__all__ = ["ALL_TASKS", "LANGUAGES", "LISTED", "STEPS", "TASKS", "ask", "personas", "samples"]
