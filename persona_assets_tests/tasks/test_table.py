from typing import Any

import polars as pl
import pytest

from persona_assets.errors import UsageError
from persona_assets.prompts import Template
from persona_assets.tasks.table import OutOfRange, cells, holds_texts, kinds_of, task_table
from persona_assets_tests.tasks.people import TASKS


def task(properties: dict[str, Any], required: list[str] | None = None) -> Template:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }
    return Template.model_validate(
        {
            "name": "tried",
            "version": 1,
            "title": "T",
            "description": "D",
            "messages": [{"role": "user", "content": "x"}],
            "response_schema": schema,
        }
    )


@pytest.mark.parametrize(
    ("part", "dtype", "nullable"),
    [
        ({"type": "string"}, pl.String, False),
        ({"type": "integer"}, pl.Int64, False),
        ({"type": "number"}, pl.Float64, False),
        ({"type": "boolean"}, pl.Boolean, False),
        ({"type": ["string", "null"]}, pl.String, True),
        ({"type": ["integer", "null"]}, pl.Int64, True),
        ({"type": "object"}, pl.String, False),
        ({"type": "array"}, pl.String, False),
        ({"type": ["string", "integer"]}, pl.String, False),
        ({"enum": ["a", "b"]}, pl.String, False),
        ({"enum": ["a", None]}, pl.String, True),
        ({}, pl.String, True),
    ],
)
def test_a_property_becomes_a_column_of_its_type(part: dict[str, Any], dtype: pl.DataType, nullable: bool) -> None:
    column = next(column for column in task_table(task({"value": part})).columns if column.name == "value")
    assert (column.dtype, column.nullable) == (dtype, nullable)


def test_a_property_that_may_be_missing_is_nullable() -> None:
    table = task_table(task({"value": {"type": "string"}}, required=[]))
    assert "value" not in table.required


def test_lineage_columns_stand_around_the_answer_and_parents_are_named() -> None:
    table = task_table(TASKS["math_problems"])
    assert table.polars.names() == [
        *("sample_id", "task", "persona_ids", "document_id", "language", "question_id", "mode"),
        *("field", "level", "problem", "working", "answer"),
        *("call_id", "template", "template_version", "model", "shard", "run_id", "created_at"),
    ]
    assert [(parent.column, parent.tables, parent.key) for parent in table.parents] == [
        ("persona_ids", ("deduped_personas",), "persona_id"),
        ("document_id", ("raw_documents",), "document_id"),
    ]
    assert table.generated


@pytest.mark.parametrize("name", ["language", "call_id", "shard", "Title", "a b", "1st", "select;"])
def test_a_property_that_cannot_be_a_column_is_an_error(name: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}'"):
        task_table(task({name: {"type": "string"}}))


@pytest.mark.parametrize("schema", [{}, {"type": "array"}, {"type": "object"}, {"type": "object", "properties": {}}])
def test_an_answer_must_be_an_object_with_properties(schema: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="must be of type object"):
        task_table(task({"x": {}}).model_copy(update={"response_schema": schema}))


def test_cells_hold_values_and_canonical_json() -> None:
    template = task(
        {
            "text": {"type": "string"},
            "whole": {"type": "integer"},
            "share": {"type": "number"},
            "data": {"type": "object"},
            "gone": {"type": "string"},
        },
        required=["text"],
    )
    answer = {"text": "t", "whole": 3.0, "share": 2, "data": {"b": [1], "a": "é"}, "extra": 1}
    made = cells(kinds_of(template), answer)
    assert made == {"text": "t", "whole": 3, "share": 2.0, "data": '{"a":"é","b":[1]}', "gone": None}


def test_a_number_that_no_column_holds_is_told_apart() -> None:
    with pytest.raises(OutOfRange, match="whole is"):
        cells(kinds_of(task({"whole": {"type": "integer"}})), {"whole": 2**63})


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, True),
        ({"type": ["null", "string"]}, True),
        ({"type": "integer"}, False),
        ({"type": ["number", "null"]}, False),
        ({"type": "array", "items": {"type": "integer"}}, False),
        ({"type": "array"}, True),
        ({"type": "object", "properties": {"a": {"type": "boolean"}}}, False),
        ({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}}, True),
        ({}, True),
    ],
)
def test_a_row_holds_texts_where_its_schema_allows_one(schema: dict[str, Any], expected: bool) -> None:
    assert holds_texts(task({"value": schema})) == expected
