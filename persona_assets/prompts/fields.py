"""A JSON Schema of an object as a model gives it: a list of fields.

A server that holds a model to a schema takes no object with keys of its own, and so no JSON Schema in an answer. It
takes a list of fields, each with a name, a type and a description, which is read into the JSON Schema of the row.

| field | the property has |
| --- | --- |
| `type`, of lists also `items` | that type; items of that type |
| `description` | that description |
| `values`, where it is a list | just these values (`enum`) |
| `required` | its name among `required` |
"""

from collections.abc import Collection, Mapping
from typing import Any

from persona_assets.ids import Json

_SINGLE = ("string", "integer", "number", "boolean", "object")
_PARTS: dict[str, Any] = {
    "name": {"type": "string"},
    "type": {"type": "string", "enum": [*_SINGLE, "array"]},
    "items": {"type": ["string", "null"], "enum": [*_SINGLE, None], "description": "of a list; else null"},
    "description": {"type": "string"},
    "values": {"type": ["array", "null"], "items": {"type": "string"}, "description": "the only ones; null for any"},
    "required": {"type": "boolean"},
}
FIELDS: dict[str, Any] = {
    "type": "array",
    "items": {"type": "object", "additionalProperties": False, "required": [*_PARTS], "properties": _PARTS},
}


def asked_for(schema: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The schema of an answer in which these properties are lists of fields."""
    properties = {name: FIELDS if name in names else part for name, part in schema["properties"].items()}
    return {**schema, "properties": properties}


def with_schemas(answer: Json, names: Collection[str]) -> Json:
    """An answer with a JSON Schema for each list of fields; what is no such list stays as it is."""
    if not isinstance(answer, dict):
        return answer
    return {name: _schema_of(value) if name in names else value for name, value in answer.items()}


def _schema_of(value: Json) -> Json:
    """The JSON Schema of an object with these fields."""
    if not isinstance(value, list) or not all(map(_is_field, value)):
        return value
    if len({field["name"] for field in value}) < len(value):
        return value  # which of two of one name counts nobody can tell
    schema: dict[str, Any] = {"type": "object", "properties": {field["name"]: _property_of(field) for field in value}}
    if required := [field["name"] for field in value if field.get("required")]:
        schema["required"] = required
    return schema


def _is_field(value: Json) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get("type"), str)


def _property_of(field: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"type": field["type"]}
    if field["type"] == "array" and field.get("items"):
        found["items"] = {"type": field["items"]}
    if values := field.get("values"):
        found["enum"] = values
    if field.get("description"):
        found["description"] = field["description"]
    return found
