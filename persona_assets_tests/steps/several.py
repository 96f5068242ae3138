"""Runs of the tiny step in processes of their own, over shards that share prompts; also stopped and killed by tests.

A process serves one run after the other, as each takes a second to import what it needs. As a program it reads what to
run from stdin, a JSON object a line, and writes the exit code of each run to stdout.
"""

import subprocess
import sys
from typing import Any

import orjson

from persona_assets.engines.openai import faults
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.lake import Lake, heartbeat
from persona_assets.lake.heartbeat import Timing
from persona_assets.steps import budget, runner
from persona_assets.steps.budget import BudgetReached
from persona_assets.steps.runner import Context, StepRunner, write_outcomes
from persona_assets_tests.engines.tiny import TinyStep, asks, settings
from persona_assets_tests.steps import talks

TIMING = Timing(beat_s=0.05, stale_s=2.0, poll_s=0.05)
BUDGET = 3  # a run's exit code
AT_ONCE = budget.AT_ONCE


class Worker:
    """A process that runs what it is told."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def begin(self, lake: Lake, url: str, name: str, first: int, count: int, **values: Any) -> None:
        """A run over the documents from `first` on, in a shard of its own; its key at the server is its name.

        With `talks` each is a talk of four turns.
        """
        assert self.process.stdin
        self.process.stdin.write(orjson.dumps([lake.root, url, name, first, count, values]) + b"\n")
        self.process.stdin.flush()

    def end(self) -> int:
        """Wait for the run's end; its exit code."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the process has died"
        return int(line)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Workers:
    """Processes that are used again by the next test, if they live."""

    def __init__(self) -> None:
        self._all: list[Worker] = []

    def take(self, count: int) -> list[Worker]:
        self._all = [worker for worker in self._all if worker.process.poll() is None]
        self._all += [Worker() for _ in range(count - len(self._all))]
        return self._all[:count]

    def close(self) -> None:
        for worker in self._all:
            worker.kill()


def _run(root: str, url: str, name: str, first: int, count: int, values: dict[str, Any]) -> int:
    budget.AT_ONCE = values.pop("at_once", AT_ONCE)
    talking = values.pop("talks", False)
    chosen = settings(url, api_key=name, **values)
    context = Context(Lake(root), chosen, OpenAIEngine(chosen), name)
    runner = StepRunner(talks.STEP if talking else TinyStep(), context, f"d.{name}")
    try:
        write_outcomes(runner, runner.run(lambda: (talks.asks if talking else asks)(count, first)))
    except BudgetReached:
        return BUDGET
    return 0


if __name__ == "__main__":
    heartbeat.TIMING = TIMING
    faults.FIRST_DELAY_S = 0.01
    runner.BATCH = 16  # so that runs over small shards take turns
    for line in sys.stdin.buffer:
        sys.stdout.write(f"{_run(*orjson.loads(line))}\n")
        sys.stdout.flush()
