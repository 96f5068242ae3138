"""All benchmarks, one after the other; writes RESULTS.md. python -m benchmarks.run [options of benchmarks.dedup]"""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TEMPLATE = """# Results

Written by `make bench` on {date}: {cores} cores, {machine}, Python {python}. Machines differ and shared ones are noisy; the
figures say what this one did in this run.

| what | figure | goal |
| --- | --- | --- |
| `persona-assets demo` in an empty folder (128 records, 12 assets, {made:,} calls to the offline engine) | {first} s | < 90 s |
| the same command again ({second_made} calls made, {reused:,} answered from the ledger) | {second} s | no call |
| `persona-assets inspect` on a WET file of {gigabytes} GB: peak memory | {peak} MB | < 500 MB |
| the same: time, and records all accounted for | {inspect_s} s, {records:,} | |
"""


def run(module: str, *options: str) -> dict[str, Any]:
    """The JSON that a benchmark prints last."""
    print(f"{module} ...", file=sys.stderr)
    command = [sys.executable, "-m", f"benchmarks.{module}", *options]
    output = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(json.loads(output.strip().splitlines()[-1]))


def main() -> None:
    demo, inspect = run("demo"), run("inspect_memory")
    text = TEMPLATE.format(
        date=datetime.now(UTC).date(),
        cores=os.cpu_count(),
        machine=platform.machine(),
        python=platform.python_version(),
        made=demo["first"]["calls_made"],
        first=demo["first"]["seconds"],
        second=demo["second"]["seconds"],
        second_made=demo["second"]["calls_made"],
        reused=demo["second"]["calls_reused"],
        gigabytes=inspect["gigabytes"],
        peak=inspect["peak_mb"],
        inspect_s=inspect["seconds"],
        records=inspect["accounted_for"],
    )
    results = HERE / "RESULTS.md"
    sections = results.read_text(encoding="utf-8").partition("\n## ") if results.exists() else ("", "", "")
    results.write_text(text + sections[1] + sections[2], encoding="utf-8")
    print(text)
    run("encoders")  # these replace their own sections of the file
    run("engines")
    run("export")
    run("quality")
    run("crawl")
    run("dedup", *sys.argv[1:])


if __name__ == "__main__":
    main()
