"""The process of one program: contained first, then the program, its calls, and a report of them."""

import builtins
import json
import os
import random
import resource
import sys
import traceback
import types
from dataclasses import dataclass
from typing import Any

from persona_assets.contained.inside import kernel, landlock, seccomp

OUT, REPORT = 1, 3  # descriptors of a child
DESCRIPTORS = 64  # that a process may have open
FILE = "<program>"
SEED = 0  # so that a program that draws numbers prints the same again
DETAIL_CHARACTERS = 500  # the parent cuts again
RESERVE = 4 << 20  # bytes put by, to report from once a program has taken all the rest


@dataclass(frozen=True)
class Walls:
    """What every child is put behind, made once."""

    rules: int | None  # descriptor of Landlock's; None where a mount namespace is in its place
    filter: bytes
    seconds: int
    bytes: int  # of address space, with what the server had mapped before it forked


def enter(walls: Walls, null: int, out: int, report: int, parent: int) -> None:
    """Contain this process. The first byte of the report says that nothing here failed."""
    kernel.die_with_parent(parent)
    os.setsid()
    if walls.rules is not None:
        landlock.restrict(walls.rules)
    for wanted, given in enumerate((null, out, null, report)):
        os.dup2(given, wanted)
    os.closerange(REPORT + 1, DESCRIPTORS)
    for name, limit in (
        (resource.RLIMIT_AS, walls.bytes),
        (resource.RLIMIT_CPU, walls.seconds),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
    ):
        _limit(name, limit)
    seccomp.restrict(walls.filter)
    os.write(REPORT, b"1")


def _limit(name: int, limit: int) -> None:
    _, hard = resource.getrlimit(name)
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(name, (limit, limit))


def execute(source: bytes, calls: bytes) -> None:
    """Run a program and report. Nothing from here on is to be relied on by anyone else."""
    random.seed(SEED)
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]  # a TextIOWrapper
    sys.argv[:] = sys.orig_argv[:] = ["program.py"]
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]  # which the module `site` would bring
    reserve = [bytearray(RESERVE)]
    report: dict[str, Any] = {"outcome": "ok", "detail": "", "results": []}
    try:
        asked = json.loads(calls)
        module = types.ModuleType("program" if asked else "__main__")
        sys.modules[module.__name__] = module
        _run(compile(source, FILE, "exec"), module)
        for function, arguments in asked:
            if function not in vars(module):
                raise NameError(f"name {function!r} is not defined")
            result = vars(module)[function](**arguments)
            json.dumps(result, allow_nan=False)
            report["results"].append(result)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - whatever a program raises is its end
        reserve.clear()
        report |= {"outcome": "memory" if isinstance(error, MemoryError) else "error", "detail": _said(error)}
    data = json.dumps(report).encode()
    while data:
        data = data[os.write(REPORT, data) :]


def _run(code: types.CodeType, module: types.ModuleType) -> None:
    try:
        exec(code, vars(module))
    except SystemExit as end:
        if end.code not in (None, 0):
            raise


def _said(error: BaseException) -> str:
    """The last line of the traceback, and the program's line where it was."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    try:
        text = traceback.format_exception_only(error)[-1].strip()[:DETAIL_CHARACTERS]
    except BaseException:  # noqa: BLE001 - its own words are a program too
        text = type(error).__name__
    return f"{text} (line {line})" if line else text
