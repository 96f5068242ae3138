"""Reads the layout of InCharacter's JSON files (arXiv 2310.17976), which sixteen-type and other questionnaires come in.

| key | what it says |
| --- | --- |
| `questions` | by number the texts (`origin_<language>`), the dimension, and as `category` what agreement speaks for |
| `categories` | by dimension the numbers that are scored |
| `range` | the lowest and the highest number of the scale |
| `scale` | the sum of these two, by which reversed answers are turned round; not how many numbers there are |
| `reverse` | the numbers whose answers are turned round |
| `prompts.llm_choice_instruction` | by language a label for each number |
| `psychobench_prompt_choice_instruction` | what the numbers mean in the questionnaire itself |

`category` is a pole of a dimension called `<pole>/<pole>`, else `positive` or `negative`. What is scored is what
`categories` lists: all else is a filler. Of a dimension with named poles `category` counts, whatever `reverse` says.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from persona_assets.errors import did_you_mean

_TEXT = "origin_"
_SIGNS = {"positive": "high", "negative": "low"}
_NO_DIMENSION = (None, "", "None")
_LABEL = re.compile(
    r"""['"‘“]?(\d+)['"’”]?\s*(?:denotes?|means?|is|代表|表示)\s*(?:'([^']+)'|"([^"]+)"|“([^”]+)”|‘([^’]+)’)"""
)
_AGAINST = re.compile(r"\bdis|\bnot\b|\bno\b|\binaccurate|不|否", re.IGNORECASE)  # a label that disagrees


def from_layout(told: Mapping[str, Any]) -> dict[str, Any]:
    """The same in the own form.

    Raises:
        ValueError: something is missing or contradicts itself; the message names item or key.
    """
    questions = told["questions"]
    if not isinstance(questions, Mapping) or not questions:
        raise ValueError("questions: give the items by their numbers")
    low, high = _range(told)
    dimension_of = _dimensions(told, questions)
    poles = {name: _poles(name, [one for one, of in dimension_of.items() if of == name], questions)
             for name in dict.fromkeys(dimension_of.values())}  # fmt: skip
    reverse = {str(one) for one in told.get("reverse") or ()}
    items = [_item(number, one, dimension_of.get(number), poles, reverse) for number, one in questions.items()]
    labels = {language: _labels(told, language, low, high) for language in items[0]["text"]}
    return {
        "title": str(told.get("full_name") or told.get("name") or ""),
        "scale": {"min": low, "max": high, "labels": labels},
        "dimensions": [{"id": name, "poles": of} for name, of in poles.items()],
        "items": items,
        "falls": _falls(told, low),
    }


def _range(told: Mapping[str, Any]) -> tuple[int, int]:
    found = told.get("range")
    if found is None:
        raise ValueError("range: the scale is missing; give its lowest and its highest number")
    if not (isinstance(found, list) and len(found) == 2 and all(type(one) is int for one in found)):
        raise ValueError(f"range: {found!r} is no scale; give its lowest and its highest number")
    low, high = found
    if "scale" in told and told["scale"] != low + high:
        raise ValueError(f"scale: it is {told['scale']}, and the numbers of range add up to {low + high}")
    return low, high


def _dimensions(told: Mapping[str, Any], questions: Mapping[str, Any]) -> dict[str, str]:
    """By number the dimension of each item that is scored; of the order of `categories`."""
    found: dict[str, str] = {}
    for category in told.get("categories") or ():
        for number in map(str, category["cat_questions"]):
            if number not in questions:
                raise ValueError(
                    f"item {number}: {category['cat_name']} lists it, and questions has none of that number"
                )
            if number in found:
                raise ValueError(f"item {number}: categories lists it twice")
            found[number] = str(category["cat_name"])
    for number, one in questions.items():
        if not isinstance(one, Mapping) or "dimension" not in one:
            raise ValueError(f"item {number} names no dimension; that of one which is not to be scored is null")
        named = one["dimension"]
        if named not in _NO_DIMENSION and named != found.get(number):
            other = found.get(number, "none of categories")
            raise ValueError(f"item {number}: its dimension is {named}, and {other} lists it")
    if not found:
        raise ValueError("categories: no item is of any dimension")
    return found


def _poles(name: str, numbers: Sequence[str], questions: Mapping[str, Any]) -> list[str]:
    """The poles of a dimension: `low` and `high`, or those that its name holds."""
    keys = {number: questions[number].get("category") for number in numbers}
    if set(keys.values()) <= _SIGNS.keys():
        return ["low", "high"]
    poles = name.split("/")
    if len(poles) != 2:
        poles = list(_SIGNS)
    for number, key in keys.items():
        if key not in poles:
            said = "names no pole" if key is None else f"{key} is no pole of {name}"
            raise ValueError(f"item {number}: category: {said}; {did_you_mean(str(key), poles)}")
    return poles


def _item(
    number: str, one: Mapping[str, Any], dimension: str | None, poles: Mapping[str, Sequence[str]], reverse: set[str]
) -> dict[str, Any]:
    text = {key.removeprefix(_TEXT): value for key, value in one.items() if key.startswith(_TEXT)}
    if not text:
        raise ValueError(f"item {number} has no text; it stands under {_TEXT}<language>")
    item = {"id": number, "text": {language: value or "" for language, value in text.items()}}
    if dimension is None:
        return {**item, "filler": True}
    key = one["category"]
    if key in _SIGNS and (key == "negative") != (number in reverse):
        raise ValueError(f"item {number}: it is {key}, and reverse {'has' if number in reverse else 'lacks'} it")
    return {**item, "dimension": dimension, "pole": _SIGNS.get(key, key)}


def _labels(told: Mapping[str, Any], language: str, low: int, high: int) -> list[str]:
    """A label for each number, from the least agreement to the most."""
    prompts = told.get("prompts")
    by_language = prompts.get("llm_choice_instruction") if isinstance(prompts, Mapping) else None
    text = by_language.get(language, "") if isinstance(by_language, Mapping) else ""
    found = _said(text)
    if sorted(found) != list(range(low, high + 1)):
        where = f"prompts.llm_choice_instruction.{language}"
        raise ValueError(f"{where}: it has labels for {sorted(found) or 'no number'}, and the scale is {low} to {high}")
    labels = [found[number] for number in sorted(found)]
    against = [bool(_AGAINST.search(labels[0])), bool(_AGAINST.search(labels[-1]))]
    return labels[::-1] if against == [False, True] else labels


def _said(text: str) -> dict[int, str]:
    """By number the label that a text gives it."""
    return {int(number): next(filter(None, labels)).strip() for number, *labels in _LABEL.findall(text)}


def _falls(told: Mapping[str, Any], low: int) -> bool:
    """Whether the lowest number stands for the most agreement in the questionnaire itself."""
    label = _said(str(told.get("psychobench_prompt_choice_instruction") or "")).get(low)
    return label is not None and not _AGAINST.search(label)
