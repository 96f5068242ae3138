"""The JSON Schemas of tools that models designed, made safe to check values with.

A schema of a model is hostile. It is compiled without references, so that it fetches nothing and stays as large as it
is, and with patterns that take time with the text alone.
"""

import keyword
from collections.abc import Callable, Mapping
from typing import Any

import jsonschema_rs
import orjson

from persona_assets.contained.programs import parsed
from persona_assets.ids import Json

_SHOWN = 120  # characters of what a fault quotes
_HARMLESS = frozenset({"$comment", "$schema", "$defs"})  # keys with a dollar that lead nowhere
_LINEAR = jsonschema_rs.RegexOptions()  # patterns without what has to go back
Fault = Callable[[Json], str | None]


class UnusableSchema(ValueError):
    """A schema that no value is checked with; the message says why."""


def faults(schema: Json) -> Fault:
    """A function that tells what is wrong with a value, None where it fits.

    Raises:
        UnusableSchema: it is no JSON Schema, refers to something, or holds a pattern that takes no bounded time.
    """
    if not isinstance(schema, Mapping):
        raise UnusableSchema("it is not an object")
    if found := _reference(schema):
        raise UnusableSchema(f"it uses {found}: write out what that stands for")
    try:
        validator = jsonschema_rs.Draft202012Validator(
            dict(schema), validate_formats=False, pattern_options=_LINEAR, offline=True
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, RecursionError) as error:
        raise UnusableSchema(f"it is no JSON Schema: {_line(str(error))}") from error
    return lambda value: _first(validator, value)


def faults_of(text: str) -> Fault:
    """`faults` of a schema that is kept as JSON text.

    Raises:
        UnusableSchema: as `faults`, or it is no JSON.
    """
    try:
        return faults(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise UnusableSchema("it is no JSON") from error


def arguments_in(text: Json) -> dict[str, Json] | None:
    """The object that a JSON text holds, None where it is none or holds a number that rows cannot keep."""
    try:
        value = parsed(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def parameter_of(name: str) -> str:
    """What a function calls a parameter of a tool: `from_` for `from`, as no function can have a keyword of Python."""
    return f"{name}_" if keyword.iskeyword(name) else name


def _first(validator: Any, value: Json) -> str | None:  # noqa: ANN401 - jsonschema_rs has one class for each draft
    try:
        if validator.is_valid(value):
            return None
        error = next(iter(validator.iter_errors(value)))
    except (ValueError, RecursionError) as found:
        return _line(str(found))
    place = "/".join(map(str, error.instance_path))
    return _line(f"{place}: {error.message}" if place else error.message)


def _line(text: str) -> str:
    return next(iter(text.splitlines()), "")[:_SHOWN]


def _reference(schema: Mapping[str, Any]) -> str:
    """A key of the schema, or of a part of it, that leads elsewhere; "" where there is none."""
    pending: list[Any] = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, Mapping):
            for key in part:
                if key.startswith("$") and key not in _HARMLESS:
                    return str(key[:_SHOWN])
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
    return ""
