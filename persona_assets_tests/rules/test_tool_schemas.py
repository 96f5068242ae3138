"""Schemas that models designed: values are checked with them, and nothing else happens."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.rules.tool_schemas import UnusableSchema, arguments_in, faults, faults_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array"}
    for _ in range(depth):
        schema = {"allOf": [schema]}
    return schema


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "http://127.0.0.1:9/schema"}, r"uses \$ref"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {}}}, r"uses \$ref"),
        ({"$dynamicRef": "#x"}, r"uses \$dynamicRef"),
        ({"$id": "http://example.org/x"}, r"uses \$id"),
        ({"type": "whole"}, "no JSON Schema"),
        ({"pattern": "(?=x)"}, "no JSON Schema"),
        ({"pattern": "((a{100}){100}){100}"}, "no JSON Schema"),
        ({"pattern": "("}, "no JSON Schema"),
        (nested(5000), "no JSON Schema"),
        ([], "not an object"),
        (None, "not an object"),
    ],
)
def test_a_schema_that_cannot_be_used_is_told(schema: Any, said: str) -> None:
    with pytest.raises(UnusableSchema, match=said):
        faults(schema)


def test_a_schema_that_is_no_json_is_told() -> None:
    with pytest.raises(UnusableSchema, match="no JSON"):
        faults_of("{")


def test_a_value_that_does_not_fit_is_told_with_its_place() -> None:
    fault = faults({"type": "object", "properties": {"a": {"items": {"type": "integer"}}}, "required": ["b"]})
    assert fault({"a": [1, 2.0], "b": None}) is None
    assert str(fault({"a": [1, "x"], "b": 1})).startswith("a/1: ")
    assert str(fault({"a": []})) == '"b" is a required property'


def test_a_pattern_takes_time_with_the_text_alone() -> None:
    fault = faults({"pattern": "^(a+)+$"})
    began = time.monotonic()
    assert fault("a" * 100_000 + "b")
    assert time.monotonic() - began < 5


@given(JSON)
def test_any_json_is_a_schema_or_none(schema: Any) -> None:
    try:
        fault = faults(schema)
    except UnusableSchema as error:
        assert len(str(error)) < 300
        return
    fault([])


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": Infinity}', '{"a": 99999999999999999999}', None, 3, {"a": 1}])
def test_what_is_no_json_text_of_an_object_has_no_arguments(text: Any) -> None:
    assert arguments_in(text) is None
