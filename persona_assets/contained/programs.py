"""A program, and what became of it when it ran. All that a program says, it may have made up."""

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal, NamedTuple, NoReturn

from persona_assets.ids import Json, canonical_json

Outcome = Literal["ok", "error", "timeout", "memory", "output", "killed", "not_contained"]
DETAIL_CHARACTERS = 500  # of what a program says about its end
SOURCE_BYTES = 1 << 20  # nobody writes a longer program; it would only fill our memory
TOO_LONG, TOO_MUCH = "ran too long", "printed or returned too much"
REPORTED = {"ok", "error", "memory"}  # outcomes that a program reports itself


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function that a program defines, with named arguments."""

    function: str
    arguments: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Program:
    """Python source, and the calls to make once it has run.

    Without calls it runs as a script, `__name__` being `"__main__"`; with calls as a module that is imported.
    """

    source: str
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """How a program ended, what it printed, and the JSON result of each call up to the first one that failed.

    | outcome | the program |
    | --- | --- |
    | `ok` | came to its end, and every call returned JSON |
    | `error` | raised, could not be compiled, or ended before it should |
    | `timeout` | ran or slept longer than it may |
    | `memory` | asked for more memory than it may have, and did not catch that |
    | `output` | printed or returned more than it may; `output` holds the beginning |
    | `killed` | was ended by a signal, such as that of a crash |
    | `not_contained` | did not run, as nothing here contains it |
    """

    outcome: Outcome
    output: str = ""
    detail: str = ""  # the last line of a traceback, or words of ours
    seconds: float = 0.0
    results: tuple[Json, ...] = ()


class Ended(NamedTuple):
    """How the server saw a program end: by itself, or because it ran too long or said too much."""

    end: Literal["exit", "timeout", "output"]
    status: int  # the exit code, or a signal's number below zero
    seconds: float
    output: bytes
    report: bytes  # one byte once it was contained, then JSON of its own


def wire(program: Program) -> tuple[bytes, bytes] | None:
    """Source and calls as the server takes them; None where they are too long or no JSON."""
    try:
        source = program.source.encode("utf-8", "surrogatepass")
        calls = json.dumps([[call.function, dict(call.arguments)] for call in program.calls]).encode()
    except (TypeError, ValueError, RecursionError):
        return None
    return (source, calls) if len(source) <= SOURCE_BYTES and len(calls) <= SOURCE_BYTES else None


def plain(text: str) -> str:
    """The beginning of a text, without what UTF-8 cannot hold."""
    return text[:DETAIL_CHARACTERS].encode("utf-8", "backslashreplace").decode()


def read(ended: Ended, calls: int) -> Run:
    """What became of a program of so many calls. Its report is hostile: it counts only in the form that ours have."""
    output = ended.output.decode("utf-8", "replace")
    if not ended.report:
        return Run("not_contained", detail="the process could not be contained", seconds=ended.seconds)
    if ended.end != "exit":
        return Run(ended.end, output, TOO_LONG if ended.end == "timeout" else TOO_MUCH, ended.seconds)
    if ended.status == -signal.SIGXCPU:
        return Run("timeout", output, TOO_LONG, ended.seconds)
    if ended.status < 0:
        return Run("killed", output, f"ended by signal {-ended.status}", ended.seconds)
    report = _report(ended.report[1:])
    if report is None:
        return Run("error", output, f"ended early, with exit code {ended.status}", ended.seconds)
    outcome, detail, results = report
    if outcome == "ok" and len(results) != calls:
        return Run("error", output, "did not make its calls", ended.seconds)
    return Run(outcome, output, plain(detail), ended.seconds, results)


def parsed(data: bytes | str) -> Json:
    """JSON that a program wrote.

    Raises:
        ValueError: it is none, or rows cannot hold it: an endless number, an integer of over 64 bits, half a character.
    """
    try:
        value = json.loads(data, parse_constant=_refuse, parse_float=_finite)
        canonical_json(value)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"a result is no JSON that can be kept: {error}") from error
    return value


def _report(data: bytes) -> tuple[Outcome, str, tuple[Json, ...]] | None:
    try:
        report: Any = parsed(data)
    except ValueError:
        return None
    match report:
        case {"outcome": str(outcome), "detail": str(detail), "results": list(results)} if outcome in REPORTED:
            return outcome, detail, tuple(results)  # type: ignore[return-value]  # one of REPORTED
    return None


def _finite(digits: str) -> float:
    value = float(digits)
    return value if isfinite(value) else _refuse(digits)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
