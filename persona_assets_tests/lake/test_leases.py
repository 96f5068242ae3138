import logging
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake, heartbeat
from persona_assets.lake.durable import names, read, remove
from persona_assets.lake.heartbeat import HEART, Holder, Timing, Watch, holder_of, this_process
from persona_assets.lake.leases import LeaseHeld, LeaseLost, highest, hold
from persona_assets.lake.records import record_path
from persona_assets_tests.lake.leasing import (
    ASSET,
    KEY,
    TIMING,
    commit_for_ever,
    commit_when_told,
    on_another_machine,
    start,
)

KILLS = 40
PATIENT = Timing(beat_s=0.05, stale_s=600, poll_s=0.02)


@pytest.fixture(params=["local", "memory"])
def any_lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    if request.param == "local":
        yield Lake(tmp_path / "lake")
        return
    lake = Lake("memory://leases")
    yield lake
    lake.fs.store.clear()


def record(lake: Lake, generation: int) -> bytes | None:
    return read(lake, record_path(lake.root, ASSET, KEY, generation))


def is_void(lake: Lake, generation: int) -> bool:
    data = record(lake, generation)
    return data is not None and data.startswith(b"{") and orjson.loads(data)["void"] is True


def lease_files(lake: Lake) -> set[str]:
    return set(names(lake, f"{lake.root}/_leases/{ASSET}"))


def stop_beating(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on what is held gets no beat, as if this process could not reach the lake."""
    monkeypatch.setattr(HEART, "add", lambda beat, every: 0)


# One after the other


def test_commits_are_generations_and_leave_no_lease_behind(any_lake: Lake) -> None:
    for generation in (1, 2, 3):
        with hold(any_lake, ASSET, KEY, run_id="r") as lease:
            assert (lease.generation, lease.waited, lease.lost) == (generation, False, False)
            lease.commit(f"record {generation}".encode())
    assert [record(any_lake, generation) for generation in (1, 2, 3, 4)] == [
        b"record 1",
        b"record 2",
        b"record 3",
        None,
    ]
    assert highest(any_lake, ASSET, KEY) == 3
    assert lease_files(any_lake) == set()


def test_a_lease_that_is_left_without_a_commit_leaves_its_generation_to_the_next(any_lake: Lake) -> None:
    with pytest.raises(ZeroDivisionError), hold(any_lake, ASSET, KEY, run_id="r") as left:
        raise ZeroDivisionError
    with hold(any_lake, ASSET, KEY, run_id="r") as lease:
        assert lease.generation == 1
    assert names(any_lake, f"{any_lake.root}/_records/{ASSET}/{KEY}") == []
    with pytest.raises(LeaseLost):
        left.commit(b"too late")


def test_leases_of_several_partitions_are_held_at_one_time(any_lake: Lake) -> None:
    with hold(any_lake, ASSET, "d.0000", run_id="r") as first, hold(any_lake, ASSET, "d.0001", run_id="r") as second:
        second.commit(b"second")
        first.commit(b"first")
    assert highest(any_lake, ASSET, "d.0000") == highest(any_lake, ASSET, "d.0001") == 1


def test_a_key_that_begins_like_another_is_another(any_lake: Lake) -> None:
    with hold(any_lake, ASSET, "d.0000.1", run_id="r") as lease:
        lease.commit(b"x")
    assert highest(any_lake, ASSET, "d.0000") == 0


def test_a_thread_does_not_wait_for_itself(lake: Lake) -> None:
    with (
        hold(lake, ASSET, KEY, run_id="r"),
        pytest.raises(RuntimeError, match="holds the lease already"),
        hold(lake, ASSET, KEY, run_id="r"),
    ):
        pass


# Waiting


def test_a_second_process_waits_and_sees_the_commit(lake: Lake) -> None:
    seen: list[tuple[Holder, float]] = []
    process, line = start(commit_when_told, lake.root, "first")
    assert line.recv() == (1, False)

    def told(holder: Holder, waited_s: float) -> None:
        seen.append((holder, waited_s))
        if len(seen) == 3:
            line.send("go")

    with hold(lake, ASSET, KEY, run_id="second", on_wait=told, timing=PATIENT) as lease:
        assert (lease.generation, lease.waited) == (2, True)
        assert record(lake, 1) == b"first"
    assert (seen[0][0].run_id, seen[0][0].pid) == ("first", process.pid)
    process.join()


def test_who_does_not_want_to_wait_is_told_by_whom_it_is_held(lake: Lake) -> None:
    process, line = start(commit_when_told, lake.root, "first")
    line.recv()
    with (
        pytest.raises(LeaseHeld, match=rf"d\.0000 is being written by run first \(process {process.pid} on"),
        hold(lake, ASSET, KEY, run_id="second", wait=0, timing=PATIENT),
    ):
        pass
    line.send("go")
    assert line.recv() == "committed"
    process.join()


def test_threads_of_one_process_take_turns(any_lake: Lake) -> None:
    def commit(number: int) -> int:
        with hold(any_lake, ASSET, KEY, run_id="r", timing=Timing(0.05, 600, 0.001)) as lease:
            lease.commit(str(number).encode())
            return lease.generation

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(commit, range(24))) == list(range(1, 25))
    assert {record(any_lake, generation) for generation in range(1, 25)} == {str(n).encode() for n in range(24)}


def test_the_holder_is_found_alive_as_long_as_it_beats(any_lake: Lake) -> None:
    quick = Timing(beat_s=0.03, stale_s=1.0, poll_s=0.02)
    with (
        hold(any_lake, ASSET, KEY, run_id="first", timing=quick) as lease,
        ThreadPoolExecutor(1) as pool,
    ):
        waiter = pool.submit(_generation, any_lake, "second", quick)
        time.sleep(1.3)
        assert not waiter.done()
        lease.commit(b"first")
    assert waiter.result() == 2


def _generation(lake: Lake, run_id: str, timing: Timing, commit: bytes = b"") -> int:
    with hold(lake, ASSET, KEY, run_id=run_id, timing=timing) as lease:
        if commit:
            lease.commit(commit)
        return lease.generation


# Holders that die


def test_a_killed_holder_of_another_machine_is_taken_over_when_it_is_stale(lake: Lake) -> None:
    process, line = start(on_another_machine, lake.root, "first")
    line.recv()
    process.kill()
    process.join()
    began = time.monotonic()
    with hold(lake, ASSET, KEY, run_id="second", timing=TIMING) as lease:
        assert time.monotonic() - began >= TIMING.stale_s
        assert (lease.generation, lease.waited) == (2, True)
        assert is_void(lake, 1)
        lease.commit(b"second")
    assert lease_files(lake) == set()


def test_a_killed_holder_of_this_machine_is_taken_over_at_once(lake: Lake) -> None:
    if not heartbeat._machine():
        pytest.skip("this system has no /proc")
    process, line = start(commit_when_told, lake.root, "first")
    line.recv()
    process.kill()
    with hold(lake, ASSET, KEY, run_id="second", timing=PATIENT) as lease:
        assert lease.generation == 2


def test_a_stopped_holder_that_was_taken_over_may_not_commit(lake: Lake) -> None:
    process, line = start(commit_when_told, lake.root, "first")
    line.recv()
    os.kill(process.pid or 0, signal.SIGSTOP)
    with hold(lake, ASSET, KEY, run_id="second", timing=TIMING) as lease:
        assert lease.generation == 2
        lease.commit(b"second")
    line.send("go")  # read as soon as it goes on
    os.kill(process.pid or 0, signal.SIGCONT)
    assert "d.0000: another run took it over as generation 2" in line.recv()
    process.join()
    assert is_void(lake, 1)
    assert record(lake, 2) == b"second"
    assert highest(lake, ASSET, KEY) == 2
    assert lease_files(lake) == set()


def test_a_fenced_writer_may_not_commit_where_the_void_was_cleaned_away(
    any_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        stop_beating(context)
        first = hold(any_lake, ASSET, KEY, run_id="first", timing=TIMING)
        lease = first.__enter__()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(_generation, any_lake, "second", TIMING, b"second").result() == 2
    remove(any_lake, record_path(any_lake.root, ASSET, KEY, 1))
    with pytest.raises(LeaseLost):
        lease.commit(b"first")
    with pytest.raises(LeaseLost):
        lease.check()
    first.__exit__(None, None, None)
    assert record(any_lake, 1) is None


def test_the_holder_notices_at_a_beat_that_it_was_taken_over(
    any_lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as context:
        stop_beating(context)
        first = hold(any_lake, ASSET, KEY, run_id="first", timing=TIMING)
        lease = first.__enter__()
    with ThreadPoolExecutor(1) as pool, caplog.at_level(logging.WARNING):
        pool.submit(_generation, any_lake, "second", TIMING).result()
    assert "run first" in caplog.text
    assert not lease.lost
    lease._renew()
    assert lease.lost
    first.__exit__(None, None, None)


def test_a_commit_before_the_void_counts_though_the_holder_was_slow(
    any_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Timing(beat_s=0.05, stale_s=10, poll_s=0.02)
    with monkeypatch.context() as context:
        stop_beating(context)
        first = hold(any_lake, ASSET, KEY, run_id="first", timing=slow)
        lease = first.__enter__()
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(_generation, any_lake, "second", slow)
        time.sleep(0.2)
        lease.commit(b"first")
        assert waiter.result() == 2
    first.__exit__(None, None, None)
    assert record(any_lake, 1) == b"first"


def test_an_unreadable_lease_is_taken_over_when_it_is_stale(lake: Lake) -> None:
    path = Path(f"{lake.root}/_leases/{ASSET}/{KEY}@1.json")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert _generation(lake, "r", TIMING) == 2


def test_a_lease_whose_file_is_deleted_by_hand_is_lost(lake: Lake) -> None:
    with hold(lake, ASSET, KEY, run_id="r", timing=Timing(0.02, 600, 0.02)) as lease:
        Path(f"{lake.root}/_leases/{ASSET}/{KEY}@1.json").unlink()
        while not lease.lost:
            time.sleep(0.01)


def test_forty_kills_leave_a_lake_where_the_next_taker_succeeds(lake: Lake) -> None:
    draw = random.Random(1)
    running = [start(commit_for_ever, lake.root, seed)[0] for seed in range(3)]
    for seed in range(3, KILLS + 3):
        time.sleep(draw.random() / 10)
        process = running.pop(draw.randrange(3))
        process.kill()
        running.append(start(commit_for_ever, lake.root, seed)[0])
    for process in running:
        process.kill()
    for process in running:
        process.join()
    with hold(lake, ASSET, KEY, run_id="last", timing=PATIENT) as lease:
        lease.commit(b"last")
    closed = range(1, lease.generation + 1)
    assert highest(lake, ASSET, KEY) == lease.generation
    assert lease.generation > KILLS
    assert all(record(lake, generation) for generation in closed)
    committed = [generation for generation in closed if not is_void(lake, generation)]
    assert record(lake, committed[-1]) == b"last"
    for generation in committed[:-1]:
        assert (record(lake, generation) or b"").split()[1] == str(generation).encode()
    assert lease_files(lake) == set()


# Clocks


def test_wall_time_is_not_used(any_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Timing(beat_s=0.03, stale_s=1.0, poll_s=0.02)
    clock = random.Random(2)
    monkeypatch.setattr(time, "time", lambda: clock.uniform(0, 4e9))
    monkeypatch.setattr(time, "time_ns", lambda: clock.randrange(4 * 10**18))
    with (
        hold(any_lake, ASSET, KEY, run_id="first", timing=quick) as lease,
        ThreadPoolExecutor(1) as pool,
    ):
        waiter = pool.submit(_generation, any_lake, "second", quick)
        time.sleep(1.3)
        assert not waiter.done()
        lease.commit(b"first")
    assert waiter.result() == 2


def test_a_watcher_that_was_stopped_itself_takes_nobody_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    watch = Watch(Timing(beat_s=5, stale_s=60, poll_s=1))
    assert not watch.is_dead(b"1")
    clock[0] += 3600
    assert not watch.is_dead(b"1")
    for _ in range(57):
        clock[0] += 1
        assert not watch.is_dead(b"1")
    clock[0] += 1
    assert watch.is_dead(b"1")
    assert not watch.is_dead(b"2")


# Beats


def test_one_thread_beats_for_everything_and_none_for_nothing(lake: Lake) -> None:
    timing = Timing(0.02, 600, 0.02)
    with hold(lake, ASSET, "a", run_id="r", timing=timing), hold(lake, ASSET, "b", run_id="r", timing=timing):
        assert [thread.name for thread in threading.enumerate()].count("heartbeat") == 1
        beats = [read(lake, f"{lake.root}/_leases/{ASSET}/{key}@1.json") for key in "ab"]
        time.sleep(0.2)
        assert all(read(lake, f"{lake.root}/_leases/{ASSET}/{key}@1.json") not in beats for key in "ab")
    time.sleep(0.1)
    assert "heartbeat" not in [thread.name for thread in threading.enumerate()]


def test_a_beat_that_fails_once_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    beats: list[int] = []

    def beat() -> None:
        beats.append(1)
        if len(beats) == 1:
            raise OSError("the network is down")

    handle = HEART.add(beat, 0.02)
    while len(beats) < 3:
        time.sleep(0.01)
    HEART.remove(handle)
    assert "the network is down" in caplog.text


def test_a_process_of_this_machine_that_ended_is_known_to_have_ended() -> None:
    if not heartbeat._machine():
        pytest.skip("this system has no /proc")
    own = this_process("r")
    assert not heartbeat.has_ended(own)
    assert heartbeat.has_ended(Holder(own.token, own.host, own.pid, "r", own.machine, "1"))  # its number was used again
    assert not heartbeat.has_ended(Holder(own.token, own.host, own.pid, "r", "another machine", "1"))
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    ended = Holder(own.token, own.host, child, "r", own.machine, heartbeat._stat(child)[1])
    assert heartbeat.has_ended(ended)  # what is left of it waits for its parent
    os.waitpid(child, 0)
    assert heartbeat.has_ended(ended)


def test_a_holders_file_of_another_version_is_understood_as_far_as_it_goes() -> None:
    assert holder_of(b'{"holder": "t", "pid": "x", "new": 1}') == Holder("t")
    assert holder_of(b"[]") == holder_of(b"\x00") == Holder()


def test_losing_a_lease_is_an_error_of_the_project() -> None:
    assert issubclass(LeaseLost, PersonaAssetsError)
    assert issubclass(LeaseHeld, PersonaAssetsError)
