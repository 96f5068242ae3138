"""Monty, an interpreter of Python's core in Rust without a door to the outside: for where the kernel has no walls.

It knows few modules of the standard library and no packages, so many programs end in an error. Its workers are
processes of its own. https://github.com/pydantic/monty
"""

import time
from typing import Any, Literal

from persona_assets.contained.process import GRACE_S, Limits
from persona_assets.contained.programs import TOO_MUCH, Outcome, Program, Run, parsed, plain
from persona_assets.ids import Json

OF_LIMITS: dict[type, Outcome] = {TimeoutError: "timeout", MemoryError: "memory"}  # the errors by which it says them
CALL = "import json\njson.dumps({function}(**arguments_of_the_call))"


def why_not() -> str:
    """Why it does not run programs here; empty where it does, which is tried."""
    try:
        runner = MontyRunner(Limits())
    except ImportError:
        return 'not installed: pip install "persona-assets[monty]"'
    except OSError as error:  # it comes without its program
        return str(error)
    try:
        trial = runner.run(Program("print(1)"))
    finally:
        runner.stop()
    return "" if trial.output == "1\n" else trial.detail


class _TooMuch(Exception):
    pass


class _Printed:
    """What a program prints, up to so many bytes."""

    def __init__(self, most: int) -> None:
        self._most, self._data = most, bytearray()
        self.over = False

    def __call__(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        if stream == "stdout" and not self.over:
            self._data += text.encode("utf-8", "backslashreplace")
            self.over = len(self._data) > self._most
        if self.over:
            raise _TooMuch  # it stops at the end of its time; until then nothing more is kept

    def text(self) -> str:
        return self._data[: self._most].decode("utf-8", "replace")


class MontyRunner:
    """Runs programs one at a time. Not for two threads at once."""

    def __init__(self, limits: Limits) -> None:
        """Start a pool of one worker."""
        from pydantic_monty import Monty

        self._limits = limits
        self._pool: Any = Monty(max_processes=1, request_timeout=limits.seconds + GRACE_S)
        self._pool.__enter__()

    def run(self, program: Program) -> Run:
        """Run one program."""
        from pydantic_monty import MontyCrashedError, MontyError

        printed, results, started = _Printed(self._limits.output_bytes), list[Json](), time.monotonic()
        outcome: Outcome = "ok"
        detail = ""
        try:
            self._run(program, printed, results)
        except MontyCrashedError as error:
            outcome, detail = "timeout" if error.timed_out else "killed", str(error)
        except MontyError as error:
            outcome, detail = OF_LIMITS.get(type(error.exception()), "error"), str(error)
        except ValueError as error:
            outcome, detail = "error", str(error)
        if printed.over:
            outcome, detail = "output", TOO_MUCH
        return Run(outcome, printed.text(), plain(detail), time.monotonic() - started, tuple(results))

    def _run(self, program: Program, printed: _Printed, results: list[Json]) -> None:
        """The source and each call have all the seconds for themselves, as Monty counts them."""
        limits = {
            "max_feed_duration_secs": self._limits.seconds,
            "max_total_sleep_secs": self._limits.seconds,
            "max_memory": self._limits.megabytes << 20,
        }
        with self._pool.checkout(limits=limits, os_policy={"random_start": {"seed": 0}}) as session:
            session.feed_run(program.source, print_callback=printed)
            for call in program.calls:
                if not call.function.isidentifier():
                    raise ValueError(f"name {call.function!r} is not defined")
                code, given = CALL.format(function=call.function), {"arguments_of_the_call": dict(call.arguments)}
                result = session.feed_run(code, inputs=given, print_callback=printed)
                if not isinstance(result, str) or len(result) > self._limits.output_bytes:
                    printed.over = True
                    return
                results.append(parsed(result))

    def stop(self) -> None:
        """End its worker."""
        self._pool.__exit__(None, None, None)
