"""What killed processes leave behind goes; what anybody may still use stays."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from persona_assets.engines.offline import OfflineEngine
from persona_assets.lake import Lake
from persona_assets.lake.heartbeat import Holder, mark, marked, this_process
from persona_assets.lake.leftovers import KEPT_S, clear_leftovers
from persona_assets.making import sweep
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.model import Context

MAKING = """
import sys, time
from persona_assets.lake import Lake
from persona_assets.lake.schemas import RAW_DOCUMENTS
from persona_assets.ledger.claims import Claims
lake = Lake(sys.argv[1])
claims = Claims(lake, "killed")
claims.take("t", ["call_" + "0" * 32], lambda on_their_way, changed: None)
open(lake.temporary(), "w").close()
with lake.partition(RAW_DOCUMENTS, "d.0000", "r"):
    print("begun", flush=True)
    time.sleep(600)
"""


@contextmanager
def making(lake: Lake) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the midst of its work."""
    process = subprocess.Popen([sys.executable, "-c", MAKING, lake.root], stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"begun\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def temporary(lake: Lake) -> set[str]:
    return {path.name for path in Path(lake.root, "_tmp").iterdir()}


def members(lake: Lake) -> set[str]:
    return {path.name for path in Path(lake.root, "_claims", "members").iterdir()}


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


@pytest.mark.skipif(not this_process("r").machine, reason="this system has no /proc")
def test_a_run_removes_what_killed_processes_left_and_nothing_of_living_ones(lake: Lake) -> None:
    with making(lake):
        pass
    left, joined = temporary(lake), members(lake)
    assert (len(left), len(joined)) == (2, 1)
    with making(lake):
        living, alive = temporary(lake) - left, members(lake) - joined
        for name in living:  # however old: its process lives
            age(Path(lake.root, "_tmp", name), 2 * KEPT_S)
        own = Path(lake.temporary())
        own.touch()
        age(own, 2 * KEPT_S)
        settings = Settings(lake=lake.root)
        sweep(Context(lake, settings, OfflineEngine(settings), "r"), LakeState(lake, settings))
        assert temporary(lake) == living | {own.name}
        assert members(lake) == alive


def test_of_processes_that_cannot_be_looked_up_only_what_is_old_goes(lake: Lake) -> None:
    root = Path(lake.root, "_tmp")
    names = ["0123abcd-12-345.f00", "f00", "write-old", "-7-.f00"]
    for kind in ("new", "old"):
        for name in names:
            folder = root / f"{name}{kind}"
            folder.mkdir(parents=True)
            (folder / "rows").touch()
    for name in names:
        age(root / f"{name}old" / "rows", KEPT_S + 60)
        age(root / f"{name}old", KEPT_S + 60)
        age(root / f"{name}new", KEPT_S + 60)  # but not what is in it
    assert clear_leftovers(lake) == len(names)
    assert temporary(lake) == {f"{name}new" for name in names}


def test_a_sign_of_life_that_does_not_say_whose_it_is_goes_when_it_is_old(lake: Lake) -> None:
    folder = Path(lake.root, "_claims", "members")
    folder.mkdir(parents=True)
    for name in ("new.json", "old.json"):
        (folder / name).touch()
    age(folder / "old.json", KEPT_S + 60)
    settings = Settings(lake=lake.root)
    sweep(Context(lake, settings, OfflineEngine(settings), "r"), LakeState(lake, settings))
    assert members(lake) == {"new.json"}


def test_a_store_keeps_what_is_new_and_a_lake_without_leftovers_is_left_alone() -> None:
    lake = Lake("memory://leftovers")
    assert clear_leftovers(lake) == 0
    with lake.fs.open(lake.temporary(), "wb") as file:
        file.write(b"x")
    with lake.fs.open(f"{lake.root}/_tmp/0123abcd-1-2.f00", "wb") as file:
        file.write(b"x")
    assert clear_leftovers(lake) == 0
    assert len(lake.fs.ls(f"{lake.root}/_tmp")) == 2
    lake.fs.store.clear()


def test_a_name_says_which_process_gave_it() -> None:
    here = this_process("r")
    assert marked(f"{mark()}.write-x1_2") == Holder(pid=here.pid, machine=here.machine, started=here.started)
    assert marked("write-x1_2") == marked("f00") == marked("") == Holder()
