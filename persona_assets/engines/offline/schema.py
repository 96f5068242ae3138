"""An answer for a template that brings no phrasing of its own: plain sentences in the shape of its response schema."""

from collections.abc import Mapping
from typing import Any

from persona_assets.engines.offline.data import Language, Person
from persona_assets.engines.offline.phrasing import Draws
from persona_assets.ids import Json

_SENTENCES: dict[Language, tuple[str, ...]] = {
    "en": (
        "For {who}, {first} comes up together with {second} more often than outsiders expect.",
        "Notes on {first}, kept by {who} who also has to think about {second}.",
        "How {who} weighs {first} against {second} in an ordinary week.",
    ),
    "zh": (
        "对{who}来说，“{first}”常常和“{second}”一起出现。",
        "{who}关于“{first}”和“{second}”的日常笔记。",
        "{who}在平常的一周里如何兼顾“{first}”与“{second}”。",
    ),
    "ru": (
        "Заметки о темах «{first}» и «{second}», их ведёт {who}.",
        "Темы «{first}» и «{second}» глазами человека, чьё занятие — {who}.",
        "Что {who} знает о темах «{first}» и «{second}».",
    ),
}
_MOST_DEPTH = 8  # a schema that refers to itself is not followed; deeper ones are answered with null


def answer_schema(schema: Mapping[str, Any], person: Person, topics: list[str], draws: Draws) -> Json:
    """A value of the schema's shape (type, enum, const, bounds, required); what it cannot express stays unmet."""
    return _value(schema, person, topics, draws, "")


def _value(schema: Mapping[str, Any], person: Person, topics: list[str], draws: Draws, path: str) -> Json:
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][draws.below(len(schema["enum"]), path)]
    if path.count("/") > _MOST_DEPTH:
        return None
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind if isinstance(kind, str) else kind[0]
    if kind == "object":
        return {
            name: _value(part, person, topics, draws, f"{path}/{name}")
            for name, part in schema.get("properties", {}).items()
        }
    if kind == "array":
        count = max(int(schema.get("minItems", 1)), 0)
        return [_value(schema.get("items", {}), person, topics, draws, f"{path}/{n}") for n in range(count)]
    return _plain(kind, schema, person, topics, draws, path)


def _plain(
    kind: str, schema: Mapping[str, Any], person: Person, topics: list[str], draws: Draws, path: str
) -> str | int | float | bool | None:
    if kind in ("integer", "number"):
        low = int(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
        number = draws.number([low, max(low, int(schema.get("maximum", low + 9)))], path)
        return number if kind == "integer" else float(number)
    if kind == "boolean":
        return draws.below(2, path) == 1
    if kind == "null":
        return None
    sentences = _SENTENCES[person.language]
    sentence = sentences[draws.below(len(sentences), path)]
    text = sentence.format(who=person.indef, first=topics[0], second=topics[1 % len(topics)])
    text = text[:1].upper() + text[1:]
    return text[: schema["maxLength"]] if "maxLength" in schema else text
