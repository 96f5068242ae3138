"""Runs the programs that solutions are, contained, and reads what they print."""

import re
from collections.abc import Iterable, Iterator

from persona_assets.contained.pool import Contained
from persona_assets.contained.programs import Program, Run
from persona_assets.votes.ballots import ANSWERED, UNREADABLE
from persona_assets.votes.plain import printed_answer

SECONDS, MEGABYTES = 5.0, 512  # of one program; a problem's arithmetic takes milliseconds
NOT_CONTAINED = "not_contained"
_FENCED = re.compile(r"```(?:[Pp]ython3?|py)?[ \t]*\n(.*?)(?:\n```|\Z)", re.DOTALL)
# What gives another value each time. Chance is seeded where programs run, clocks and the system's own chance are not.
_VARIES = re.compile(r"\b(?:time|datetime|date|secrets|uuid|urandom|SystemRandom|perf_counter|getpid|id)\b")


def source_of(solution: str) -> str:
    """The program in a solution: its last fenced block, or all of it."""
    blocks = _FENCED.findall(solution)
    return str(blocks[-1]) if blocks else solution


def run_programs(solutions: Iterable[str], contained: Contained) -> Iterator[tuple[str, str]]:
    """For each solution its answer in plain form, "" where there is none, and how that came to be.

    A program that may print something else each time is run twice, and fails where it does.
    """
    programs = [Program(source_of(solution)) for solution in solutions]
    again = iter(contained.run_many(program for program in programs if _VARIES.search(program.source)))
    for program, run in zip(programs, contained.run_many(programs), strict=True):
        second = next(again) if _VARIES.search(program.source) else run
        yield outcome_of(run) if outcome_of(run) == outcome_of(second) else ("", "failed: not the same twice")


def outcome_of(run: Run) -> tuple[str, str]:
    """The answer that a run printed, and `answered`; else why there is none."""
    if run.outcome == "not_contained":
        return "", NOT_CONTAINED
    if run.outcome != "ok":
        return "", f"failed: {run.outcome}"
    answer = printed_answer(run.output)
    return answer, ANSWERED if answer else UNREADABLE
