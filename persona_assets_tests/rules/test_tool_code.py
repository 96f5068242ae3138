"""The rules of implementations: what they see in code that nobody runs here."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.judging import SampleJudge
from persona_assets.rules.sample import Sample
from persona_assets.rules.tool_code import valid_examples, valid_implementation
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets
from persona_assets.tasks.step import TaskStep

PARAMETERS = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 0}, "note": {"type": "string"}},
    "required": ["count"],
}
GOOD = 'import math\n\n_STEP = 3\n\n\ndef f(count, note=""):\n    return math.ceil(count / _STEP)\n'


def seen(code: str, parameters: Any = PARAMETERS) -> str | None:
    about = {"function_name": "f", "parameters": json.dumps(parameters)}
    return valid_implementation(Sample({"code": code}, "", "en", about))


def of_examples(*arguments: Any, parameters: Any = PARAMETERS) -> str | None:
    examples = [{"arguments": one if isinstance(one, str) else json.dumps(one)} for one in arguments]
    return valid_examples(Sample({"examples": examples}, "", "en", {"parameters": json.dumps(parameters)}))


@pytest.mark.parametrize(
    "code",
    [
        GOOD,
        '"""Counts."""\nfrom fractions import Fraction\nimport re\n_P = re.compile(r"\\d+")\n' + GOOD,
        "from dataclasses import dataclass\n@dataclass\nclass Row:\n    n: int = 0\n" + GOOD,
        "import numpy as np\nimport sympy\n_TABLE: dict = {'a': [1, 2]}\ndef _g(x): return x\n" + GOOD,
        "def f(*, count, note='x'): return 1\n",
        "def f(count: int, note: str | None = None) -> dict: return {'n': count}\n",
    ],
)
def test_code_that_can_be_run_is_kept(code: str) -> None:
    assert seen(code) is None


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(count, note=''):\n  return (", "does not parse: '(' was never closed (line 2)"),
        ("def g(count, note=''): pass", "defines no functions called f"),
        (GOOD + GOOD, "defines 2 functions called f"),
        (GOOD + "f = 3\n", "gives f another value"),
        (GOOD + "from math import ceil as f\n", "gives f another value"),
        ("async def f(count, note=''): pass", "async function"),
        ("def f(count): pass", "lacks the parameters note"),
        ("def f(count, note='', more=1): pass", "has the parameters more beside"),
        ("def f(count, note): pass", "note is not required, so give it a default"),
        ("def f(count, /, note=''): pass", "named arguments"),
        ("def f(**given): pass", "named arguments"),
        ("import os\n" + GOOD, "line 1 imports os, which is not allowed"),
        ("from urllib.request import urlopen\n" + GOOD, "imports urllib.request"),
        ("def f(count, note=''):\n    import socket\n", "line 2 imports socket"),
        ("from . import x\n" + GOOD, "a package that is not there"),
        ("from math import *\n" + GOOD, "name what is used"),
        (GOOD + "print(f(1))\n", "line 8 does something outside of a function"),
        ("for x in range(9): pass\n" + GOOD, "line 1 does something outside"),
        ("_X = [x for x in range(9)]\n" + GOOD, "line 1 does something outside"),
        ("_X = sum(range(9))\n" + GOOD, "line 1 does something outside"),
        ("def f(count, note=''): return open('x').read()", "calls open"),
        ("def f(count, note=''): return eval(note)", "calls eval"),
        ("from datetime import date\ndef f(count, note=''): return date.today()", "reads the clock"),
        ("import numpy\ndef f(count, note=''): return numpy.random.default_rng()", "without a seed"),
        ("", "defines no functions"),
        ("def f(count, note=''): return '\ud800'", "a character that no code has"),
        ("(" * 5000, "does not parse"),
        ("-" * 19_000 + "1", ""),
        ("x" + ".x" * 9_000 + "\n", ""),
        ("1" + "+1" * 9_990, ""),
        ("x = 1\n" * 9_000, "more than 20000"),
    ],
)
def test_what_is_wrong_with_code_is_told_in_words_that_let_it_be_mended(code: str, said: str) -> None:
    found = seen(code)
    assert found is not None
    assert said in found
    assert len(found) < 500


@given(st.text(max_size=200))
def test_no_text_ends_the_rule(code: str) -> None:
    assert seen(code) is None or isinstance(seen(code), str)


def test_a_parameter_that_is_a_keyword_ends_in_an_underscore() -> None:
    schema = {"type": "object", "properties": {"from": {"type": "integer"}}, "required": ["from"]}
    assert seen("def f(from_): return from_", schema) is None
    assert "lacks the parameters from_" in str(seen("def f(start): return start", schema))


def test_rows_of_a_file_are_judged_with_the_definition_that_stands_in_them() -> None:
    step = datasets(Settings())["tool_implementations"]
    assert isinstance(step, TaskStep)
    row = {"code": GOOD, "examples": "[]", "function_name": "f", "parameters": json.dumps(PARAMETERS)}
    judge = SampleJudge(step.template, step.checks)
    one, other = judge.judge([(row, "en"), (row | {"function_name": "g"}, "en")])
    assert one is None
    assert other is not None
    assert other[0] == "valid_implementation"


def test_without_a_definition_the_code_alone_is_looked_at() -> None:
    assert valid_implementation(Sample({"code": "def other(x): return x"}, "", "en")) is None


def test_examples_that_fit_are_kept() -> None:
    assert of_examples({"count": 1}, {"count": 0, "note": "день"}, {"count": 2, "note": "一天"}) is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([{"count": 1}, "{'count': 1}"], "example 2: arguments are not the JSON text of an object"),
        (["[1]"], "not the JSON text of an object"),
        (['{"count": NaN}'], "not the JSON text of an object"),
        (['{"count": 1e999}'], "not the JSON text of an object"),
        (["[" * 100_000], "not the JSON text of an object"),
        ([{"note": "x"}], 'do not fit the parameters: "count" is a required property'),
        ([{"count": "3"}], "count:"),
        ([{"count": 1}, {"count": 1}], "example 2 is the same as one before"),
    ],
)
def test_examples_that_do_not_fit_are_told(arguments: list[Any], said: str) -> None:
    assert said in str(of_examples(*arguments))


def test_a_schema_that_nothing_is_checked_with_leaves_the_examples_to_the_run() -> None:
    assert of_examples({"count": 1}, parameters={"$ref": "https://example.org/schema"}) is None
