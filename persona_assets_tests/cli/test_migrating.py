"""`persona-assets migrate` as a process, and what comes after it: a run with nothing to do, an audit that is whole."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from persona_assets_tests.old_lake import unpack

RUN = [sys.executable, "-m", "persona_assets"]
SETTINGS = {"TASKS": "tasks", "RELATIONS": "read", "FANOUT": "1", "HOPS": "2", "MIN_RELATEDNESS": "0.5"}
PROGRESS = re.compile(r"^.+: [\d,]+ of [\d,]+\n", re.MULTILINE)  # said every ten seconds: on a busy machine only


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PERSONA_", "DAGSTER_"))}
    environment |= {f"PERSONA_{name}": value for name, value in (SETTINGS | {"FILES_PER_SHARD": "1"}).items()}
    return subprocess.Popen(
        [*RUN, *arguments], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    process = start(folder, *arguments)
    said, told = process.communicate()
    return process.returncode, said, PROGRESS.sub("", told)


def files(place: Path) -> dict[str, bytes]:
    """All that a lake holds, and where."""
    root = place / "lake"
    found = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items()}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = unpack(tmp_path_factory.mktemp("one"))
    code, _, told = run(place, "migrate")
    assert (code, told) == (0, "")
    return place


def test_two_migrations_at_once_end_with_the_lake_of_one(migrated: Path, tmp_path: Path) -> None:
    place = unpack(tmp_path)
    both = [start(place, "migrate") for _ in range(2)]
    said = [(process.communicate(), process.returncode) for process in both]
    assert [code for _, code in said] == [0, 0], said
    assert [told.startswith("waiting for another migration: run migrate (process") for (_, told), _ in said].count(True)
    one, two = files(migrated), files(place)
    assert set(one) == set(two)
    assert [name for name in one if one[name] != two[name]] == []


def test_a_run_after_it_has_nothing_to_do_and_a_sample_is_whole(migrated: Path) -> None:
    before = files(migrated)
    code, _, told = run(migrated, "run")  # of what came later, the worlds are read, which takes no call
    assert code == 0
    assert {line.split("] ")[1].split()[0] for line in told.splitlines()} == {"worlds"}
    now = files(migrated)
    assert {name: now.get(name) for name in before} == before
    assert all("worlds" in name for name in now.keys() - before.keys())
    code, _, told = run(migrated, "run")
    assert (code, told) == (0, "everything is materialised already; --all does it again from the stored calls\n")
    assert files(migrated) == now
    sample = (
        pl.scan_parquet(migrated / "lake" / "math_problems" / "*" / "*.parquet").select("sample_id").collect()[0, 0]
    )
    code, said, told = run(migrated, "audit", sample, "--json")
    assert (code, told) == (0, "")
    audit = json.loads(said)
    assert audit["ok"]
    assert {found["status"] for node in audit["chain"] for found in node["verifications"]} == {"ok"}
