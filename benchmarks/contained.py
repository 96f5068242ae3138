"""Contained runs a second, beside a plain process for each program. python -m benchmarks.contained [PROGRAMS]

Replaces its own section of RESULTS.md.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path

from persona_assets.contained.mechanism import containment
from persona_assets.contained.pool import Contained
from persona_assets.contained.process import why_not
from persona_assets.contained.programs import Program

PROGRAMS, WORKERS = 600, 2
ROUNDS = 3
KINDS = {
    "`print(1)`": ("print(1)", "1\n"),
    "sympy: solve a quadratic equation": (
        "import sympy\nx = sympy.symbols('x')\nprint(sympy.solve(x**2 - 2, x))",
        "[-sqrt(2), sqrt(2)]\n",
    ),
    "numpy: invert a matrix": (
        "import numpy as np\nprint(round(float(np.linalg.inv(np.eye(3) * 2).sum()), 6))",
        "1.5\n",
    ),
}
RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = "## Contained programs\n"
TEMPLATE = """{head}
Written by `python -m benchmarks.contained` on {date}: {cores} cores, Python {python}, load average at the start {load:.1f}.
Programs a second with {workers} workers, at five seconds and 512 MB, sympy and numpy allowed; the middle of {rounds} rounds that
take turns, and the lowest and highest. Every output is checked. *Plain* is `subprocess.run([python, "-I", "-c", ...])`, two
at a time, which contains nothing. The start of the servers is not counted: {start:.1f} s.

| program | contained by | programs/s | rounds | plain programs/s | ours is x |
| --- | --- | ---: | ---: | ---: | ---: |
{rows}

Goal: 60/s for a trivial program on two cores.
"""


def plain(source: str, count: int) -> list[str]:
    command = [sys.executable, "-I", "-c", source]
    with ThreadPoolExecutor(WORKERS) as threads:
        runs = threads.map(lambda one: subprocess.run(one, stdout=subprocess.PIPE, text=True), repeat(command, count))
        return [run.stdout for run in runs]


def rate(run: Callable[[str, int], list[str]], kind: str, count: int) -> float:
    source, output = KINDS[kind]
    started = time.monotonic()
    outputs = run(source, count)
    taken = time.monotonic() - started
    assert outputs == [output] * count, kind
    return count / taken


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PROGRAMS
    load = os.getloadavg()[0]
    walls = [name for name in ("landlock", "bubblewrap") if not why_not(name)]
    started = time.monotonic()
    pools = {name: Contained(workers=WORKERS, mechanism=name) for name in walls}

    def contained(pool: Contained) -> Callable[[str, int], list[str]]:
        return lambda source, programs: [run.output for run in pool.run_many(repeat(Program(source), programs))]

    for pool in pools.values():
        contained(pool)("print(1)", 2 * WORKERS)
    start = (time.monotonic() - started) / max(1, len(pools))
    lines, figures = [], {}
    for kind in KINDS:
        found: dict[str, list[float]] = {name: [] for name in [*walls, "plain"]}
        for _ in range(ROUNDS):
            for name, pool in pools.items():
                found[name].append(rate(contained(pool), kind, count))
            found["plain"].append(rate(plain, kind, max(10, count // 20)))
        middle = {name: sorted(values)[ROUNDS // 2] for name, values in found.items()}
        figures[kind] = middle
        for name in walls:
            low, high = min(found[name]), max(found[name])
            times = middle[name] / middle["plain"]
            lines.append(
                f"| {kind} | {name} | {middle[name]:.0f} | {low:.0f} to {high:.0f} | {middle['plain']:.1f} | {times:.1f} |"
            )
    for pool in pools.values():
        pool.__exit__(None, None, None)
    text = TEMPLATE.format(
        head=HEAD,
        date=datetime.now(UTC).date(),
        cores=os.cpu_count(),
        python=platform.python_version(),
        load=load,
        workers=WORKERS,
        rounds=ROUNDS,
        start=start,
        rows="\n".join(lines),
    )
    _replace(text)
    print(json.dumps({"mechanism": str(containment()), "rates": figures}))


def _replace(text: str) -> None:
    stored = RESULTS.read_text(encoding="utf-8")
    before, _, rest = stored.partition(HEAD)
    _, mark, after = rest.partition("\n## ")
    RESULTS.write_text(before.rstrip("\n") + "\n\n" + text + (mark + after if after else ""), encoding="utf-8")


if __name__ == "__main__":
    main()
