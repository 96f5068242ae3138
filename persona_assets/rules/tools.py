"""The rule of tool definitions: a usable one."""

import keyword
import re
from collections.abc import Mapping
from typing import Any

import jsonschema

from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample

_SHOWN = 80
_TYPES = frozenset({"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"})  # say what a value may be
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@rule(version=3, repairs=True)
def valid_tool(sample: Sample) -> str | None:
    """`function_name` is an identifier, `parameters` a JSON Schema whose properties are told, `returns` a schema."""
    name, parameters, returns = (sample.content.get(key) for key in ("function_name", "parameters", "returns"))
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name) or keyword.iskeyword(name):
        return f"function_name {str(name)[:_SHOWN]!r} is not an identifier"
    return _bad_parameters(parameters) or _bad_returns(returns)


def _bad_parameters(parameters: Any) -> str | None:  # noqa: ANN401 - any JSON value
    if problem := _bad_schema("parameters", parameters):
        return problem
    properties = parameters.get("properties")
    if parameters.get("type") != "object" or not isinstance(properties, Mapping):
        return "parameters is no JSON Schema of type object with properties"
    bad = [name for name in properties if not _IDENTIFIER.fullmatch(name)]
    if bad:
        return f"parameters: {bad[0][:_SHOWN]!r} is not an identifier"
    missing = [name for name in parameters.get("required", []) if name not in properties]
    if missing:
        return f"parameters: required names {missing[0][:_SHOWN]!r}, which is not a property"
    for name, part in properties.items():
        if not isinstance(part, Mapping) or not _TYPES & part.keys():
            return f"parameters: {name[:_SHOWN]!r} has no type"
        if not isinstance(part.get("description"), str) or not part["description"].strip():
            return f"parameters: {name[:_SHOWN]!r} has no description"
    return None


def _bad_returns(returns: Any) -> str | None:  # noqa: ANN401 - any JSON value
    nothing = not returns or (isinstance(returns, Mapping) and returns.get("properties") == {})
    return "returns says nothing" if nothing else _bad_schema("returns", returns)


def _bad_schema(name: str, schema: Any) -> str | None:  # noqa: ANN401 - any JSON value
    if not isinstance(schema, Mapping):
        return f"{name} is not an object"
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return f"{name} is no JSON Schema: {error.json_path}: {error.message[:_SHOWN]}"
    except RecursionError:
        return f"{name} is nested too deeply"
    return None
