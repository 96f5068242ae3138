import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from persona_assets.lake import Lake, heartbeat
from persona_assets.lake.alone import alone
from persona_assets.lake.durable import read
from persona_assets.lake.heartbeat import Holder, Timing, holder_of
from persona_assets_tests.lake.leasing import TIMING, start

PATIENT = Timing(beat_s=0.05, stale_s=600, poll_s=0.02)


def nobody(holder: Holder, seconds: float) -> None:
    raise AssertionError(f"waits for {holder}")


def until_told(line: Connection, root: str, machine: str) -> None:
    if machine:
        heartbeat._machine = lambda: machine  # type: ignore[assignment]
    with alone(Lake(root), "work", "first", nobody, TIMING):
        line.send("begun")
        line.recv()


def test_the_second_waits_for_the_first_and_leaves_nothing(lake: Lake) -> None:
    process, line = start(until_told, lake.root, "")
    assert line.recv() == "begun"
    seen: list[float] = []

    def told(holder: Holder, seconds: float) -> None:
        assert (holder.run_id, holder.pid) == ("first", process.pid)
        seen.append(seconds)
        if len(seen) == 40:  # longer than a holder without a beat would live
            line.send("go")

    with alone(lake, "work", "second", told, TIMING):
        assert len(seen) >= 40
    process.join()
    assert list(Path(lake.root, "_leases").iterdir()) == []


@pytest.mark.parametrize("machine", ["", "another machine"])
def test_the_work_of_a_killed_process_is_gone_on_with(lake: Lake, machine: str) -> None:
    if not machine and not heartbeat._machine():
        pytest.skip("this system has no /proc")
    process, line = start(until_told, lake.root, machine)
    line.recv()
    process.kill()
    process.join()
    began, waited = time.monotonic(), []
    timing = TIMING if machine else PATIENT
    with alone(lake, "work", "second", lambda holder, seconds: waited.append(seconds), timing):
        assert holder_of(read(lake, f"{lake.root}/_leases/work.json") or b"").run_id == "second"
    assert (time.monotonic() - began >= TIMING.stale_s) == bool(machine)
