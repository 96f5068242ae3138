"""Dedup of a dump of 1 % new personas beside a large one, and whether it gives what a full run gives.

Two equal lakes hold the filtered personas of both dumps. In one the large dump `a` is deduplicated, then `b`; in the
other both in one run. python -m benchmarks.dedup_incremental LAKE DUMP is one such run, and prints its seconds.
"""

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.measure import clean_environment, measured
from persona_assets.dedup.run import dedup_dump
from persona_assets.lake import Lake
from persona_assets.lake.schemas import PERSONA_SURVIVORS
from persona_assets.settings import load_settings
from persona_assets.steps.runner import Context
from persona_assets_tests.dedup.lakes import NoEngine, add_shard

SHARDS = 20  # of the large dump
MAY_DIFFER = ("run_id", "created_at")


def incremental(texts: Sequence[str], new: int, folder: Path) -> dict[str, Any]:
    """Figures of the runs over `a` (all texts but the last `new`), then `b` (these), and over both at once."""
    step, full = folder / "step", folder / "full"
    _fill(step, texts[:-new], texts[-new:])
    shutil.copytree(step, full)
    runs = {"a": _run(step, "a"), "b": _run(step, "b"), "both": _run(full, "b")}
    share = runs["b"]["seconds"] / runs["a"]["seconds"]
    identical = _survivors(step).equals(_survivors(full))
    return {"rows": len(texts) - new, "new_rows": new, "runs": runs, "share": share, "identical": identical}


def _fill(root: Path, old: Sequence[str], new: Sequence[str]) -> None:
    lake = Lake(root)
    size = -(-len(old) // SHARDS)
    for index in range(SHARDS):
        add_shard(lake, f"a.{index:05d}", old[index * size : (index + 1) * size])
    add_shard(lake, "b.00000", new)


def _run(root: Path, dump: str) -> dict[str, Any]:
    settings = {"PERSONA_LAKE": str(root), "PERSONA_SEMANTIC": "false"}
    command = [sys.executable, "-m", "benchmarks.dedup_incremental", str(root), dump]
    usage = asdict(measured(command, {**clean_environment(), **settings}))
    return {**usage, **json.loads(usage.pop("output").splitlines()[-1])}


def _survivors(root: Path) -> pl.DataFrame:
    return Lake(root).scan(PERSONA_SURVIVORS).drop(MAY_DIFFER).sort("seal", "persona_id", "persona_shard").collect()


def main(root: str, dump: str) -> None:
    context = Context(Lake(root), load_settings(), NoEngine(), "benchmark")  # type: ignore[arg-type]
    started = time.monotonic()
    reports = dedup_dump(context, dump)
    seconds = time.monotonic() - started
    rejected = sum(report.inputs - report.kept for _, report in reports)
    print(json.dumps({"seconds": seconds, "dumps": [name for name, _ in reports], "flagged": rejected}))


if __name__ == "__main__":
    main(*sys.argv[1:])
