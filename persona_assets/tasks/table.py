"""The table of a task: lineage columns, and one column per property of its response schema."""

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from persona_assets.errors import UsageError
from persona_assets.ids import canonical_json
from persona_assets.lake import Column, Parent, Table
from persona_assets.lake.schemas import CALL_COLUMNS, RUN_COLUMNS, SAMPLE_COLUMNS
from persona_assets.prompts import Template

Json = Any
_COLUMN_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")  # lower case, as SQL would take Shard for shard
_LINEAGE = frozenset(column.name for column in (*SAMPLE_COLUMNS, *CALL_COLUMNS, *RUN_COLUMNS))
_TYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
}
_INT64 = 2**63


class OutOfRange(ValueError):
    """A whole number that no 64-bit column holds."""


def task_table(template: Template) -> Table:
    """The schema of a task's asset.

    Raises:
        UsageError: the response schema is not an object with properties, or a property cannot be a column.
    """
    schema = template.response_schema
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, dict) or not properties:
        raise UsageError(f"task {template.name}: response_schema must be of type object and have properties")
    required = schema.get("required", [])
    return Table(
        template.name,
        "sample_id",
        (
            *SAMPLE_COLUMNS,
            *(_column(template, name, part, name in required) for name, part in properties.items()),
            *CALL_COLUMNS,
            *RUN_COLUMNS,
        ),
        (
            Parent("persona_ids", ("deduped_personas",), "persona_id"),
            Parent("document_id", ("raw_documents",), "document_id"),
        ),
        accounts_for="persona_ids",
    )


def _column(template: Template, name: str, part: Json, required: bool) -> Column:
    if not _COLUMN_NAME.fullmatch(name):
        raise UsageError(
            f"task {template.name}: response property {name!r} cannot be a column: use lower-case letters, digits and _"
        )
    if name in _LINEAGE:
        raise UsageError(f"task {template.name}: response property {name!r} is a lineage column; name it otherwise")
    kind, nullable = _kind(part)
    fallback = f"{name} of the answer" if kind in _TYPES else f"{name} of the answer, as canonical JSON"
    text = part.get("description", fallback) if isinstance(part, Mapping) else fallback
    return Column(name, _TYPES.get(kind, pl.String()), str(text), nullable or not required)


def _kind(part: Json) -> tuple[str, bool]:
    """The one type of a property ("json" where it is none of the plain ones), and whether it may be null."""
    if not isinstance(part, Mapping):
        return "json", True
    values = part.get("enum", [part["const"]] if "const" in part else None)
    if "type" not in part and values is not None:
        kinds = {"string" if isinstance(value, str) else "null" if value is None else "json" for value in values}
    else:
        declared = part.get("type")
        kinds = {declared} if isinstance(declared, str) else set(declared or ("json", "null"))
    plain = kinds - {"null"}
    kind = plain.pop() if len(plain) == 1 else "json"
    return (kind if kind in _TYPES else "json"), "null" in kinds


def cells(template: Template, answer: Mapping[str, Json]) -> dict[str, Json]:
    """The columns of an answer that fits the response schema; properties it lacks are null.

    Raises:
        OutOfRange: a whole number does not fit into 64 bits.
    """
    return {name: _cell(name, answer.get(name), part) for name, part in template.response_schema["properties"].items()}


def _cell(name: str, value: Json, part: Json) -> Json:
    if value is None:
        return None
    kind, _ = _kind(part)
    if kind == "json":
        return canonical_json(value).decode()
    if kind == "number":
        return float(value)
    if kind == "integer":  # JSON Schema takes 3.0 for a whole number
        whole = int(value)
        if not -_INT64 <= whole < _INT64:
            raise OutOfRange(f"{name} is {whole}")
        return whole
    return value
