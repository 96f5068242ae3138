"""Peak memory of inspecting a large WET file, made by repeating slightly varied records and read in a child process.

python benchmarks/inspect_memory.py [--gigabytes 1.0]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

GOAL_MB = 500
_SENTENCES = (
    "The old mill stands by the river, a mile below the bridge.",
    "Its wheel has not turned since the spring flood, and the yard is full of beehives.",
    "Старая мельница стоит у реки, и её колесо не вертелось с весеннего паводка.",
    "老磨坊立在河边，自从春天发过大水，水轮就再也没有转动。",
    "On market days the miller's daughter carries honey up the hill and sells it from a handcart.",
)
RECORD_SENTENCES = 90  # about 6.5 kB a record, what a Common Crawl WET record holds on average


def _record(number: int) -> bytes:
    """One conversion record; the number stands in every line, so that no two texts are equal."""
    # Three in five records keep to one language, the rest mix, as pages do.
    pool = _SENTENCES[number % 5 : number % 5 + 1] if number % 5 < 3 else _SENTENCES
    lines = (f"{pool[line % len(pool)]} ({number}.{line})" for line in range(RECORD_SENTENCES))
    text = "\n".join(lines).encode()
    head = (
        "WARC/1.0\r\nWARC-Type: conversion\r\n"
        f"WARC-Target-URI: http://site{number % 997}.example/page/{number}\r\nWARC-Date: 2024-05-18T01:58:10Z\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012x}>\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text + b"\r\n\r\n"


def _write(path: Path, size: int) -> int:
    number = written = 0
    with path.open("wb") as file:
        while written < size:
            written += file.write(_record(number))
            number += 1
    return number


def _child(path: Path) -> None:
    from persona_assets.crawl.inspect import inspect_files
    from persona_assets.settings import Settings

    report = inspect_files([path], Settings()).files[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux gives kB
    sys.stdout.write(json.dumps({"documents": report.documents, "records": report.records, "peak_mb": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--child", type=Path)
    arguments = parser.parse_args()
    if arguments.child:
        _child(arguments.child)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "large.wet"
        records = _write(path, int(arguments.gigabytes * 1e9))
        started = time.monotonic()
        run = subprocess.run(
            [sys.executable, __file__, "--child", str(path)], check=True, capture_output=True, text=True
        )
        seconds = time.monotonic() - started
        result = json.loads(run.stdout)
        size = path.stat().st_size / 1e6
    assert result["records"] == records, f"{records:,} records were written, {result['records']:,} accounted for"
    figures = {
        "gigabytes": round(size / 1e3, 2),
        "accounted_for": records,
        "documents": result["documents"],
        "seconds": round(seconds),
        "peak_mb": round(result["peak_mb"]),
        "goal_mb": GOAL_MB,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
