"""JSON Schemas that a model gives as lists of fields."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.engines.openai.wire import is_strict
from persona_assets.prompts.fields import FIELDS, with_schemas
from persona_assets.settings import Settings
from persona_assets.steps.answers import read_answer
from persona_assets.tasks.load import load_tasks

TOOL = load_tasks(Settings())["tool_definitions"]


def field(name: str, kind: str = "number", **values: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "items": None, "description": "d", "values": None, "required": True} | values


def tool(parameters: object, returns: object = ()) -> str:
    given = {"name": "Dose", "description": "Computes a dose from a weight.", "function_name": "dose"}
    return json.dumps(given | {"parameters": parameters, "returns": list(returns), "dependencies": []})  # type: ignore[call-overload]


def test_a_list_of_fields_becomes_the_schema_of_an_object() -> None:
    fields = [
        field("weight"),
        field("unit", "string", values=["kg", "lb"], required=False),
        field("doses", "array", items="number"),
    ]
    value, problem = read_answer(tool(fields, [field("dose", required=False)]), TOOL)
    assert problem == ""
    assert value["parameters"] == {
        "type": "object",
        "properties": {
            "weight": {"type": "number", "description": "d"},
            "unit": {"type": "string", "enum": ["kg", "lb"], "description": "d"},
            "doses": {"type": "array", "items": {"type": "number"}, "description": "d"},
        },
        "required": ["weight", "doses"],
    }
    assert value["returns"] == {"type": "object", "properties": {"dose": {"type": "number", "description": "d"}}}


def test_a_schema_in_place_of_the_list_is_taken_as_it_is() -> None:
    schema = {"type": "object", "properties": {"weight": {"type": "number", "description": "d"}}}
    value, problem = read_answer(tool(schema), TOOL)
    assert (value["parameters"], problem) == (schema, "")


BAD = [[field("a"), field("a")], [{"name": "a"}, {"name": "b"}], ["a"], "a"]


@pytest.mark.parametrize("fields", BAD, ids=["twice", "no type", "texts", "text"])
def test_what_is_no_list_of_fields_does_not_fit(fields: object) -> None:
    value, problem = read_answer(tool(fields), TOOL)
    assert (value, problem) == (None, "$.parameters: is not of type object")


NAMES = st.text("abc_", min_size=1, max_size=3)
GIVEN = st.lists(
    st.builds(
        field,
        NAMES,
        st.sampled_from(["string", "integer", "number", "boolean", "object", "array"]),
        items=st.sampled_from([None, "string", "object"]),
        description=st.text(),
        values=st.none() | st.lists(st.text(), unique=True),
        required=st.booleans(),
    ),
    unique_by=lambda one: one["name"],
)


@given(GIVEN)
def test_whatever_fits_the_schema_of_fields_becomes_a_schema_with_all_of_them(fields: list[dict[str, Any]]) -> None:
    jsonschema.validate(fields, FIELDS)
    schema = with_schemas({"parameters": fields}, ["parameters"])["parameters"]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(schema["properties"]) == [one["name"] for one in fields]
    assert schema.get("required", []) == [one["name"] for one in fields if one["required"]]


def test_every_bundled_schema_is_taken_by_a_server_that_holds_to_the_letter() -> None:
    loose = [name for name, task in load_tasks(Settings()).items() if not is_strict(task.asked_schema)]
    assert loose == []


LOOSE = [
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": [], "additionalProperties": False},
    {"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"], "additionalProperties": False},
    {"type": "array", "items": {"type": ["object", "null"]}},
]


@pytest.mark.parametrize("schema", LOOSE)
def test_a_schema_with_open_or_optional_parts_is_not_strict(schema: dict[str, Any]) -> None:
    assert not is_strict(schema)
