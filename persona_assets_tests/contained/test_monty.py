from collections.abc import Iterator

import pytest

from persona_assets.contained import monty
from persona_assets.contained.pool import Contained
from persona_assets.contained.programs import Call, Program

pytestmark = pytest.mark.skipif(bool(monty.why_not()), reason=f"pydantic-monty: {monty.why_not()}")


@pytest.fixture(scope="module")
def contained() -> Iterator[Contained]:
    with Contained(seconds=1, megabytes=64, workers=1, packages=(), mechanism="monty") as running:
        yield running


@pytest.mark.parametrize(
    ("source", "outcome", "output"),
    [
        ("print('Привет, 你好')", "ok", "Привет, 你好\n"),
        ("1/0", "error", ""),
        ("x = (", "error", ""),
        ("import sympy", "error", ""),
        ("\ud800", "error", ""),
        ("while True: pass", "timeout", ""),
        ("import time; time.sleep(1000)", "timeout", ""),
        ("x = 'a' * 10 ** 10", "memory", ""),
        ("def f(): return f()\nf()", "error", ""),
        ("open('/etc/passwd').read()", "error", ""),
        ("import os; print(os.environ)", "error", ""),
        ("import socket", "error", ""),
        ("import subprocess", "error", ""),
        ("import ctypes", "error", ""),
    ],
)
def test_it_runs_what_it_knows_and_lets_nothing_out(
    source: str, outcome: str, output: str, contained: Contained
) -> None:
    run = contained.run(Program(source))
    assert (run.outcome, run.output) == (outcome, output), run


def test_what_prints_without_end_is_cut(contained: Contained) -> None:
    run = contained.run(Program("while True: print('x' * 1000)"))
    assert (run.outcome, len(run.output)) == ("output", 64 << 10)


def test_functions_are_called_with_json_and_return_it(contained: Contained) -> None:
    calls = (Call("f", {"x": 2}), Call("f", {"x": 0}), Call("f", {"x": 1}))
    run = contained.run(Program("def f(x):\n    print(x)\n    return {'half': 1 / x, 'list': [None, '名']}", calls))
    assert (run.outcome, run.results, run.output) == ("error", ({"half": 0.5, "list": [None, "名"]},), "2\n0\n")
    assert "ZeroDivisionError" in run.detail


@pytest.mark.parametrize("body", ["return {1, 2}", "return float('nan')", "return 2 ** 64"])
def test_a_result_that_is_no_json_is_an_error(body: str, contained: Contained) -> None:
    assert contained.run(Program(f"def f(): {body}", (Call("f"),))).outcome == "error"


def test_a_name_is_a_name(contained: Contained) -> None:
    assert contained.run(Program("print(1)", (Call("print(2) or abs"),))).output == "1\n"
