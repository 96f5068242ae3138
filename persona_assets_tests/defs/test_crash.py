"""`kill -9` at any moment, then the same command again: the tables of an undisturbed run, no stored call made again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import ASSET_TABLES
from persona_assets.ledger.ledger import Ledger
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets

TABLES = [*ASSET_TABLES.values(), *(step.table for step in datasets(Settings()).values())]
COMMAND = [sys.executable, "-m", "persona_assets", "run"]


def content(lake: Lake, table: Table) -> pl.DataFrame:
    """All rows of a table without run ids and times, in id order."""
    return lake.scan(table).drop(table.volatile).sort(table.key).collect()


def rejects(lake: Lake) -> pl.DataFrame:
    return lake.rejects().drop("run_id", "created_at").sort("asset", "row_id", "reason").collect()


def start(place: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PERSONA_LAKE": str(place / "lake")}
    place.mkdir(exist_ok=True)
    return subprocess.Popen(COMMAND, env=environment, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(place: Path) -> float:
    """A run to its end; seconds it took."""
    started = time.monotonic()
    process = start(place)
    output, _ = process.communicate()
    assert process.returncode == 0, output.decode()[-3000:]
    return time.monotonic() - started


def test_a_run_killed_at_random_moments_ends_as_an_undisturbed_one(drop: Callable[..., Path], workplace: Path) -> None:
    drop("crawl-1", "a.jsonl", 1, 2)
    drop("crawl-1", "b.jsonl", 2, 3)
    seconds = finish(workplace / "calm")
    calm, moments = Lake(workplace / "calm" / "lake"), random.Random()
    stored: dict[str, str] = {}
    for _ in range(2):
        process = start(workplace / "storm")
        time.sleep(seconds * moments.uniform(0.4, 0.95))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        ledger = Ledger(Lake(workplace / "storm" / "lake"))
        stored |= dict(ledger.scan().select("call_id", "run_id").collect().iter_rows())
    finish(workplace / "storm")
    storm = Lake(workplace / "storm" / "lake")
    for table in TABLES:
        assert content(storm, table).equals(content(calm, table)), table.name
    assert rejects(storm).equals(rejects(calm))
    after = dict(Ledger(storm).scan().select("call_id", "run_id").collect().iter_rows())
    assert set(after) == set(Ledger(calm).scan().select("call_id").collect()["call_id"])
    assert {call: after[call] for call in stored} == stored  # the killed runs' answers are still used
