"""No hostile program gets out; uncontained, most do, so these tests would notice."""

import subprocess
import sys

import pytest

from persona_assets.contained.pool import Contained, WalledRunner
from persona_assets.contained.programs import Call, Program
from persona_assets_tests.contained.conftest import SECRET, World
from persona_assets_tests.contained.hostile import ALL, PROC, Hostile, source_of

CONTROLS = [one for one in ALL if one.control]


def name(one: Hostile) -> str:
    return one.name.replace(" ", "_")


def server_of(contained: Contained) -> int:
    (runner,) = contained._runners
    assert isinstance(runner, WalledRunner)
    process = runner._server._process
    assert process is not None and process.poll() is None
    return process.pid


@pytest.mark.parametrize("one", ALL, ids=name)
def test_a_hostile_program_fails(one: Hostile, contained: Contained, world: World) -> None:
    contained.run(Program("1"))  # there is a server now
    before = server_of(contained)
    run = contained.run(Program(source_of(one, **world.names())))
    assert "ESCAPED" not in run.output
    assert SECRET not in run.output
    assert run.outcome == one.outcome, run
    world.assert_untouched()
    assert server_of(contained) == before  # nothing has harmed it
    assert contained.run(Program("print('next')")).output == "next\n"


@pytest.mark.parametrize("one", CONTROLS, ids=name)
def test_uncontained_it_gets_out(one: Hostile, own_world: World) -> None:
    command = [sys.executable, "-I", "-c", source_of(one, **own_world.names())]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "ESCAPED" in run.stdout, run.stderr


@pytest.mark.parametrize(
    "one", [*PROC[:2], Hostile("a_leftover", "import math; math.pi = 3; raise SystemExit(1)")], ids=name
)
def test_a_function_is_contained_as_a_program_is(one: Hostile, contained: Contained, world: World) -> None:
    body = "\n    ".join(source_of(one, **world.names()).splitlines())
    run = contained.run(Program(f"def f():\n    {body}", (Call("f"),)))
    assert (run.outcome, run.results) == ("error", ())
    assert "ESCAPED" not in run.output


@pytest.mark.parametrize(
    "report",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"[" * 60_000,
        b'{"outcome": "ok"}',
        b'{"outcome": "not_contained", "detail": "", "results": []}',
        b'{"outcome": "ok", "detail": 1, "results": []}',
        b'{"outcome": "ok", "detail": "", "results": [1, 2]}',
        b'{"outcome": "ok", "detail": "", "results": [NaN]}',
        b'{"outcome": "ok", "detail": "", "results": [1e999]}',
        b'{"outcome": "ok", "detail": "", "results": [' + b"9" * 5000 + b"]}",
        b'{"outcome": "ok", "detail": "", "results": [99999999999999999999]}',
        b'{"outcome": "ok", "detail": "", "results": ["\\ud800"]}',
        b'{"outcome": "ok", "detail": "", "results": [' + b"[" * 1000 + b"]" * 1000 + b"]}",
    ],
)
def test_a_forged_report_is_an_error(report: bytes, contained: Contained) -> None:
    source = f"import os\nreport = {report!r}\nwhile report: report = report[os.write(3, report):]\nos._exit(0)"
    run = contained.run(Program(source, (Call("f"),)))
    assert (run.outcome, run.results) == ("error", ())


def test_frames_that_a_program_writes_are_its_output(contained: Contained) -> None:
    run = contained.run(Program("import os; os.write(1, b'\\0\\0\\0\\x02{}\\0\\0\\0\\0')"))
    assert (run.outcome, run.output) == ("ok", "\0\0\0\x02{}\0\0\0\0")


def test_its_own_words_are_made_text(contained: Contained) -> None:
    run = contained.run(Program("raise ValueError('\\ud800' + 'x' * 10_000)"))
    assert run.outcome == "error" and len(run.detail) < 2_000
    run.detail.encode()


def test_nothing_of_a_program_is_left_for_the_next(contained: Contained) -> None:
    contained.run(Program("import builtins, math, sys; builtins.print = math.pi = None; sys.modules.clear()"))
    assert contained.run(Program("import math; print(round(math.pi, 2))")).output == "3.14\n"
