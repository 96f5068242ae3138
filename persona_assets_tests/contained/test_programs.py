"""Ordinary programs come to their end, and what they say comes back."""

import pytest

from persona_assets.contained.pool import Contained
from persona_assets.contained.programs import DETAIL_CHARACTERS, SOURCE_BYTES, Call, Program

PRINTS = [
    ("print(1 + 1)", "2\n"),
    ("print('Привет, 你好, ñandú')", "Привет, 你好, ñandú\n"),
    ("# 计算平方\n数 = 12\nprint(数 ** 2)", "144\n"),
    ("# квадрат\nчисло = 12\nprint(число ** 2)", "144\n"),
    ("if __name__ == '__main__': print('a script')", "a script\n"),
    ("import sys; sys.stdout.write('no newline'); sys.exit()", "no newline"),
    ("print('before'); exit(0)", "before\n"),
    ("from fractions import Fraction; print(Fraction(1, 3) + Fraction(1, 6))", "1/2\n"),
    ("from decimal import Decimal; print(Decimal('0.1') * 3)", "0.3\n"),
    ("import math, statistics; print(math.comb(10, 3), statistics.mean([1, 2, 6]))", "120 3\n"),
    ("import datetime; print(datetime.date(2024, 2, 28) + datetime.timedelta(2))", "2024-03-01\n"),
    ("import time; print(time.gmtime(0).tm_year, time.localtime(0).tm_hour)", "1970 0\n"),
    ("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nprint(P(1))", "P(x=1)\n"),
    ("import re, json; print(json.dumps(re.findall('[0-9]+', 'a1b22')))", '["1", "22"]\n'),
    ("import sqlite3; print(sqlite3.connect(':memory:').execute('select 1 + 1').fetchone())", "(2,)\n"),
    ("import sympy\nx = sympy.symbols('x')\nprint(sympy.solve(x ** 2 - 2, x))", "[-sqrt(2), sqrt(2)]\n"),
    ("from sympy import *\nx = Symbol('x')\nprint(integrate(exp(-x ** 2), (x, -oo, oo)))", "sqrt(pi)\n"),
    ("import sympy.stats, sympy.ntheory; print(sympy.E, sympy.factorint(84))", "E {2: 2, 3: 1, 7: 1}\n"),
    ("import numpy as np; print(np.linalg.det(np.eye(3) * 2).round(6), np.fft.fft([1, 1]).real)", "8.0 [2. 0.]\n"),
    ("import numpy.testing as t; t.assert_allclose([1], [1]); print('close')", "close\n"),
    ("import http.client, logging, inspect, unittest, xml.dom, email.message, asyncio; print('lazy')", "lazy\n"),
    ("import sys; print(repr(sys.stdin.read()), sys.argv)", "'' ['program.py']\n"),
    ("import platform; print(platform.system(), repr(platform.node()))", "Linux ''\n"),
    ("import warnings, sys; warnings.warn('x'); print('to stderr', file=sys.stderr)", ""),
    ("print('\\ud800')", "\\ud800\n"),
    ("import os; os.write(1, b'\\xff\\n')", "�\n"),
    ("", ""),
]  # fmt: skip
FAILS = [
    ("1/0", "error", "ZeroDivisionError: division by zero (line 1)"),
    ("x = 1\nraise ValueError('bad 你')", "error", "ValueError: bad 你 (line 2)"),
    ("def f():\n    g()\ndef g():\n    [][1]\nf()", "error", "IndexError: list index out of range (line 4)"),
    ("x = (", "error", "SyntaxError: '(' was never closed"),
    ("import sys; sys.exit(3)", "error", "SystemExit: 3 (line 1)"),
    ("input()", "error", "EOFError: EOF when reading a line (line 1)"),
    ("def f(n): return f(n + 1)\nf(0)", "error", "RecursionError: maximum recursion depth exceeded (line 1)"),
    ("import scipy.nothing", "error", "ModuleNotFoundError: No module named 'scipy' (line 1)"),
    ("raise KeyboardInterrupt", "error", "KeyboardInterrupt (line 1)"),
    ("\ud800", "error", "SyntaxError: (unicode error) "),
    ("raise MemoryError", "memory", "MemoryError (line 1)"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "output"), PRINTS)
def test_it_prints(source: str, output: str, contained: Contained) -> None:
    run = contained.run(Program(source))
    assert (run.outcome, run.output, run.detail) == ("ok", output, "")
    assert 0 < run.seconds < 1


@pytest.mark.parametrize(("source", "outcome", "detail"), FAILS, ids=range(len(FAILS)))
def test_it_fails_with_the_last_line_of_its_traceback(
    source: str, outcome: str, detail: str, contained: Contained
) -> None:
    run = contained.run(Program(source))
    assert (run.outcome, run.output) == (outcome, "")
    assert run.detail.startswith(detail)


def test_what_was_printed_before_the_end_is_kept(contained: Contained) -> None:
    assert contained.run(Program("print('before')\n1/0")).output == "before\n"
    slow = contained.run(Program("print('before')\nwhile True: pass"))
    assert (slow.outcome, slow.output) == ("timeout", "before\n")
    much = contained.run(Program("while True: print('x')"))
    assert (much.outcome, len(much.output)) == ("output", 64 << 10)


def test_output_up_to_the_limit_is_whole(contained: Contained) -> None:
    run = contained.run(Program("print('x' * (64 * 1024 - 1))"))
    assert (run.outcome, len(run.output)) == ("ok", 64 << 10)


def test_it_says_the_same_each_time(contained: Contained) -> None:
    source = "import random, numpy, sympy.core.random as s\n"
    source += "print(random.random(), numpy.random.rand(), s.random(), {'a', 'b', 'c'})"
    first, second = (contained.run(Program(source)) for _ in range(2))
    assert first.outcome == "ok" and first.output == second.output


def test_functions_are_called_with_json_and_return_it(contained: Contained) -> None:
    source = """
import numpy
def area(width, height=1, *, names=()):
    print("called")
    return {"area": width * height, "names": list(names), "none": None, "名": [True, 0.5]}
if __name__ == "__main__":
    print("not as a script")
"""
    calls = (Call("area", {"width": 2, "height": 3.5}), Call("area", {"width": 10**15, "names": ["ä", "名"]}))
    run = contained.run(Program(source, calls))
    assert (run.outcome, run.output) == ("ok", "called\ncalled\n")
    assert run.results == (
        {"area": 7.0, "names": [], "none": None, "名": [True, 0.5]},
        {"area": 10**15, "names": ["ä", "名"], "none": None, "名": [True, 0.5]},
    )


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("return {1, 2}", "TypeError: Object of type set is not JSON serializable"),
        ("return float('nan')", "ValueError: Out of range float values are not JSON compliant"),
        ("x = []; x.append(x); return x", "ValueError: Circular reference detected"),
        ("return 2 ** 64", "ended early"),
        ("return '\\ud800'", "ended early"),
        ("raise KeyError('no such city')", "KeyError: 'no such city' (line 1)"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
    ],
)
def test_a_result_that_is_no_json_is_an_error(body: str, detail: str, contained: Contained) -> None:
    run = contained.run(Program(f"def f(): {body}", (Call("f"),)))
    assert run.outcome == "error" and run.detail.startswith(detail), run
    assert run.results == ()


def test_results_up_to_the_call_that_fails_are_kept(contained: Contained) -> None:
    run = contained.run(Program("def f(x): return 1 / x", tuple(Call("f", {"x": x}) for x in (1, 2, 0, 4))))
    assert (run.outcome, run.results) == ("error", (1.0, 0.5))


@pytest.mark.parametrize(
    ("call", "detail"),
    [
        (Call("g"), "NameError: name 'g' is not defined"),
        (Call("f", {"y": 1}), "TypeError: f() got an unexpected keyword argument 'y' (line 1)"),
        (Call("f; import os", {}), "NameError"),
        (Call("x"), "TypeError: 'int' object is not callable"),
    ],
)
def test_a_call_of_what_there_is_not(call: Call, detail: str, contained: Contained) -> None:
    run = contained.run(Program("def f(): return 1\nx = 1", (call,)))
    assert run.outcome == "error" and run.detail.startswith(detail.split(" (")[0]), run


def test_what_cannot_be_sent_is_an_error(contained: Contained) -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for program in (
        Program("#" * (SOURCE_BYTES + 1)),
        Program("1", (Call("f", {"x": {1}}),)),
        Program("1", (Call("f", {"x": deep}),)),
    ):
        assert contained.run(program).outcome == "error"


def test_memory_beside_what_the_packages_take(contained: Contained) -> None:
    assert contained.run(Program("x = bytearray(200 << 20); print(len(x))")).output == f"{200 << 20}\n"
    assert contained.run(Program("x = bytearray(300 << 20)")).outcome == "memory"
    caught = contained.run(Program("try:\n    x = bytearray(300 << 20)\nexcept MemoryError:\n    print('caught')"))
    assert (caught.outcome, caught.output) == ("ok", "caught\n")


def test_words_of_its_own_are_cut(contained: Contained) -> None:
    assert len(contained.run(Program("raise ValueError('x' * 10_000)")).detail) <= DETAIL_CHARACTERS
