"""Small questionnaires: one in the own form, and one in the JSON layout with the traps that real ones have."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from persona_assets.questionnaires.items import items_of
from persona_assets.questionnaires.questionnaire import read
from persona_assets.tasks.load import FILES

BUNDLED = FILES / "questionnaires" / "everyday.yaml"

OWN: dict[str, Any] = {
    "title": "Tea",
    "scale": {"min": 1, "max": 3, "labels": {"en": ["no", "maybe", "yes"]}},
    "dimensions": [{"id": "drink", "poles": ["T", "C"]}],
    "items": [
        {"id": "a", "dimension": "drink", "pole": "T", "text": {"en": "I would put the kettle on."}},
        {"id": "b", "dimension": "drink", "pole": "C", "text": {"en": "I would grind the beans."}},
    ],
}

_LABELS = ("strongly disagree", "disagree", "neither", "agree", "strongly agree")
_EN = ", ".join(f"{number} denotes '{label}'" for number, label in enumerate(_LABELS, 1))
_ZH = "1代表“非常不同意”，2代表“不同意”，3代表“都不是”，4代表“同意”，5代表“非常同意”。"


def _question(text: str, dimension: str | None, category: str) -> dict[str, Any]:
    return {"origin_en": text, "origin_zh": f"{text}（中文）", "dimension": dimension, "category": category}


# Its lowest number agrees most, all items of second poles are reversed, item 5 is keyed T and reversed all the same,
# the last dimension begins with P, and item 9 is a filler.
LAYOUT: dict[str, Any] = {
    "name": "small",
    "full_name": "A small one",
    "psychobench_prompt_choice_instruction": "1 denotes 'strongly agree', and 5 denotes 'strongly disagree'.",
    "scale": 6,
    "range": [1, 5],
    "reverse": [2, 4, 5, 6, 8],
    "categories": [
        {"cat_name": "E/I", "cat_questions": [1, 2]},
        {"cat_name": "S/N", "cat_questions": [3, 4]},
        {"cat_name": "T/F", "cat_questions": [5, 6, 10]},
        {"cat_name": "P/J", "cat_questions": [7, 8]},
    ],
    "questions": {
        "1": _question("I would ring somebody up.", "E/I", "E"),
        "2": _question("I would close the door.", "E/I", "I"),
        "3": _question("I would read the manual.", "S/N", "S"),
        "4": _question("I would guess how it works.", "S/N", "N"),
        "5": _question("I would say what is wrong.", "T/F", "T"),
        "6": _question("I would say something kind.", "T/F", "F"),
        "7": _question("I would see tomorrow.", "P/J", "P"),
        "8": _question("I would make a list.", "P/J", "J"),
        "9": _question("I would drink water.", "None", "positive"),
        "10": _question("I would add up the costs.", "T/F", "T"),
    },
    "prompts": {"llm_choice_instruction": {"en": _EN, "zh": _ZH}},
}


def changed(told: dict[str, Any], *place: str | int, to: Any = None, gone: bool = False) -> dict[str, Any]:
    """The same with another value in one place, or without it."""
    found = deepcopy(told)
    at: Any = found
    for part in place[:-1]:
        at = at[part]
    if gone:
        del at[place[-1]]
    else:
        at[place[-1]] = to
    return found


def items(told: dict[str, Any], language: str = "en") -> pl.DataFrame:
    """The items in one language."""
    return items_of(read("some.yaml", told)).filter(language=language)


def bundled(language: str = "en") -> pl.DataFrame:
    """The items of the package's own questionnaire."""
    return items(told_in(BUNDLED), language)


def told_in(path: Path) -> dict[str, Any]:
    """What a YAML file holds."""
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found
