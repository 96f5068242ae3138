"""Wall time, CPU time and peak memory of one command. python benchmarks/measure.py COMMAND...

A child starts with the peak memory of the process that forked it, so the command is forked by this small process, which
imports nothing large, and not by the benchmark, which holds a million texts.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ERROR_LINES = 15  # of a failed command's stderr that are shown


@dataclass(frozen=True)
class Usage:
    """What a command used: seconds, seconds of user and system time, MB at its largest; and what it printed."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str = ""


def measured(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end.

    Raises:
        SystemExit: it failed; the last lines of its stderr are shown.
    """
    launcher = [sys.executable, "-S", __file__, *command]
    run = subprocess.run(launcher, env=dict(environment or clean_environment()), capture_output=True, text=True)
    if run.returncode:
        errors = "\n".join(run.stderr.splitlines()[-ERROR_LINES:])
        raise SystemExit(f"exit code {run.returncode}: {' '.join(command)}\n{errors}")
    output, _, usage = run.stdout.rstrip("\n").rpartition("\n")
    return Usage(**json.loads(usage), output=output)


def clean_environment() -> dict[str, str]:
    """The environment without settings of ours, which would shape what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PERSONA_", "DAGSTER_"))}


def _launch(command: Sequence[str]) -> int:
    started = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - started
    peak_mb = usage.ru_maxrss / 1024  # Linux gives kB
    figures = {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": peak_mb}
    print("\n" + json.dumps(figures), flush=True)
    return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(_launch(sys.argv[1:]))
