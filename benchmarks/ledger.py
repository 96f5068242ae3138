"""The call ledger at scale: storing, looking up, merging, the index, and the memory of a process that looks up.

python -m benchmarks.ledger [--calls 5000000]. Answers have about 200 characters. Prints progress on stderr and one JSON
line. `--look LAKE CALLS` is the child whose memory is measured.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import measured
from persona_assets.lake import Lake
from persona_assets.lake.schemas import CALLS
from persona_assets.ledger import ledger as ledger_module
from persona_assets.ledger.ledger import Call, Ledger

TEMPLATE = "text_to_persona"
PART = 100_000  # calls of a part of the large ledger
SHARD_PARTS = 5
SMALL = 1000  # calls of a part as a running hop stores them
ASKED = 4096  # ids per look-up
LOOKED_UP = 400_000  # calls asked for per rate
POOL = 20_000  # different answers
START = datetime(2026, 1, 1, tzinfo=UTC)


def part_ids(part: int, rows: int = PART) -> pl.Series:
    """The ids of a part, the same each time."""
    digests = np.random.default_rng(part).bytes(16 * rows)
    return pl.Series("call_id", [digests[at : at + 16] for at in range(0, len(digests), 16)]).bin.encode("hex")


def part_calls(part: int, rows: int, answers: pl.Series) -> pl.DataFrame:
    ids = "call_" + part_ids(part, rows)
    random = np.random.default_rng(part)
    alike = {
        "asset": "extracted_personas", "shard": _shard(part), "template": TEMPLATE, "template_version": 3,
        "template_digest": "0123456789abcdef" * 2, "model": "some-model-8b", "model_revision": "main",
        "sampling": '{"max_tokens": 1024, "seed": 0, "temperature": 0.7, "top_p": 0.95}', "attempt": 0,
        "finish_reason": "stop", "cost": 0.0, "retries": 0, "faults": "", "run_id": "run-1",
    }  # fmt: skip
    frame = pl.DataFrame(
        {
            "call_id": ids,
            "fill": '{"document_id": "doc_' + ids.str.slice(5).str.reverse() + '"}',
            "answer": answers.gather(random.integers(0, len(answers), rows)),
            "tokens_in": random.integers(200, 900, rows),
            "tokens_out": random.integers(20, 90, rows),
            "latency_s": random.random(rows),
            "created_at": pl.select(
                pl.lit(START) + pl.duration(microseconds=pl.int_range(rows) + part * rows)
            ).to_series(),
        }
    )
    return frame.select(
        (pl.lit(alike[name]) if name in alike else pl.col(name)).cast(dtype).alias(name)
        for name, dtype in CALLS.polars.items()
    )


def pool() -> pl.Series:
    random = np.random.default_rng(0)
    words = np.array(["".join(random.choice(list("etaoinshrdlu"), 7)) for _ in range(4000)])
    return pl.Series(
        "answer", [f'{{"persona": "{" ".join(row)}"}}' for row in words[random.integers(0, 4000, (POOL, 24))]]
    )


def _shard(part: int) -> str:
    return f"crawl.{part // SHARD_PARTS:05d}"


@contextmanager
def timed(figures: dict[str, float], name: str, calls: int) -> Iterator[None]:
    started, used = time.monotonic(), time.process_time()
    yield
    seconds, cpu = time.monotonic() - started, time.process_time() - used
    figures[f"{name}_s"] = round(seconds, 3)
    if calls > SMALL:
        figures[f"{name}_per_s"] = round(calls / seconds)
        figures[f"{name}_per_cpu_s"] = round(calls / cpu)  # what a machine with nothing else to do would show
    print(f"{name}: {calls:,} calls in {seconds:.2f} s, {cpu:.2f} s of CPU", file=sys.stderr, flush=True)


def storing(folder: Path, answers: pl.Series) -> dict[str, float]:
    """Parts as a running hop stores them, then their merge, then a large part and ten of a tenth merged."""
    figures: dict[str, float] = {}
    ledger = Ledger(Lake(folder))
    frames = [part_calls(part, SMALL, answers) for part in range(200)]
    calls = [[Call(*row) for row in frame.iter_rows()] for frame in frames[:50]]
    with timed(figures, "store_rows", 50 * SMALL):
        for rows in calls:
            ledger.store("rows", "s", rows)
    with timed(figures, "store_columns", 200 * SMALL):
        for frame in frames:
            ledger.store_frame("columns", "s", frame)
    ids = [call_id for frame in frames for call_id in frame["call_id"]]
    with timed(figures, "answers_of_small_parts", len(ids)):
        for start in range(0, len(ids), ASKED):
            assert ledger.answers("columns", ids[start : start + ASKED]).height
    with timed(figures, "merge_small_parts", 200 * SMALL):
        ledger.compact("columns", "s")
    ledger.store_frame("large", "s", part_calls(1, 1_000_000, answers))
    ledger.store_frame("large", "s", part_calls(2, SMALL, answers))
    with timed(figures, "compact_beside_a_million", SMALL):
        ledger.compact("large", "s")
    for part in range(3, 13):
        ledger.store_frame("large", "s", part_calls(part, PART, answers))
    before = ledger_module.SMALL_BYTES
    ledger_module.SMALL_BYTES = 1 << 40  # all of them
    with timed(figures, "merge_large_parts", 2_001_000):
        ledger.compact("large", "s")
    ledger_module.SMALL_BYTES = before
    return figures


def filled(folder: Path, calls: int, answers: pl.Series) -> dict[str, float]:
    """A ledger of so many calls in parts of `PART`; its index made along the way, and made again from nothing."""
    figures: dict[str, float] = {}
    ledger = Ledger(Lake(folder))
    for part in range(calls // PART):
        ledger.store_frame(TEMPLATE, _shard(part), part_calls(part, PART, answers))
    figures["megabytes"] = _megabytes(folder / "calls")
    shutil.rmtree(folder / "_index", ignore_errors=True)
    with timed(figures, "build_index", calls):
        Ledger(Lake(folder)).held(TEMPLATE, [])
    figures["index_megabytes"] = _megabytes(folder / "_index")  # none for a small ledger
    figures["levels"] = len(list((folder / "_index").rglob("*.run")))
    return figures


def _megabytes(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 1)


def look(root: str, calls: int) -> None:
    """Look calls up in a ledger by a fresh process; prints rates."""
    figures: dict[str, float] = {}
    ledger = Ledger(Lake(root))
    with timed(figures, "first_look_up", 1):
        ledger.held(TEMPLATE, ["call_" + "0" * 32])
    parts = np.linspace(0, calls // PART - 1, LOOKED_UP // PART).astype(int).tolist()
    asked = [call_id for part in parts for call_id in ("call_" + part_ids(part)).to_list()]
    missing = [call_id for part in range(4) for call_id in ("call_" + part_ids(10**6 + part)).to_list()]
    for name, ids, want in (("held_hits", asked, 1), ("held_misses", missing, 0)):
        with timed(figures, name, len(ids)):
            found = sum(int(ledger.held(TEMPLATE, ids[at : at + ASKED]).sum()) for at in range(0, len(ids), ASKED))
        assert found == want * len(ids)
    with timed(figures, "answers", len(asked)):
        found = sum(ledger.answers(TEMPLATE, asked[at : at + ASKED]).height for at in range(0, len(asked), ASKED))
    assert found == len(asked)
    print(json.dumps(figures))


def main(calls: int) -> dict[str, Any]:
    answers = pool()
    with TemporaryDirectory() as folder:
        figures: dict[str, Any] = {"storing": storing(Path(folder) / "small", answers), "ledgers": []}
        for size in (calls // 10, calls):
            root = Path(folder) / str(size)
            made = filled(root, size, answers)
            command = [sys.executable, "-m", "benchmarks.ledger", "--look", str(root), str(size)]
            usage = asdict(measured(command))
            looked = json.loads(usage.pop("output").splitlines()[-1])
            figures["ledgers"].append({"calls": size, **made, **looked, "look_up_peak_mb": usage["peak_mb"]})
            shutil.rmtree(root)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5_000_000)
    parser.add_argument("--look", nargs=2, metavar=("LAKE", "CALLS"))
    given = parser.parse_args()
    if given.look:
        look(given.look[0], int(given.look[1]))
    else:
        print(json.dumps(main(given.calls)))
