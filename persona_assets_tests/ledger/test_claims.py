import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from persona_assets.ids import make_id
from persona_assets.lake import Lake, heartbeat
from persona_assets.lake.durable import names, sizes
from persona_assets.lake.heartbeat import HEART, Timing
from persona_assets.ledger import claims as module
from persona_assets.ledger.claims import KEPT, Claims, Taken

TIMING = Timing(beat_s=0.03, stale_s=0.4, poll_s=0.02)
PATIENT = Timing(beat_s=0.03, stale_s=600, poll_s=0.02)


@pytest.fixture(params=["local", "memory"])
def any_lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    if request.param == "local":
        yield Lake(tmp_path / "lake")
        return
    lake = Lake("memory://claims")
    yield lake
    lake.fs.store.clear()


@pytest.fixture
def joined(any_lake: Lake) -> Iterator["Joined"]:
    made = Joined(any_lake)
    yield made
    for one in made.all:
        one.close()


class Joined:
    """Makes claimants that are closed at the end."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.all: list[Claims] = []

    def __call__(self, timing: Timing = PATIENT) -> Claims:
        self.all.append(Claims(self.lake, f"run {len(self.all)}", timing))
        return self.all[-1]


def calls(*numbers: int) -> list[str]:
    return [make_id("call", number) for number in numbers]


def any_number(on_their_way: int, changed: bool) -> None:
    return None


def take(claimant: Claims, *numbers: int, template: str = "t") -> Taken:
    return claimant.take(template, calls(*numbers), any_number)


def mine(taken: Taken) -> list[bool]:
    return list(taken.mine.tolist())


def claim_files(lake: Lake) -> list[str]:
    return [name for name in names(lake, f"{lake.root}/_claims") if name.endswith(".claim")]


def test_a_call_is_claimed_by_one_run(joined: Joined) -> None:
    first, second = joined(), joined()
    assert mine(take(first, 1, 2, 3)) == [True, True, True]
    assert mine(take(second, 3, 4, 1)) == [False, True, False]
    assert mine(take(first, 4, 5)) == [False, True]


def test_an_id_that_ends_in_zeros_is_told_from_others(any_lake: Lake) -> None:
    first, second = Claims(any_lake, "a"), Claims(any_lake, "b")
    ids = [f"call_{'ab' * 15}00", f"call_{'00' * 16}", f"call_{'ab' * 14}0000"]
    first.take("t", ids[:1], any_number)
    assert mine(second.take("t", ids, any_number)) == [False, True, True]
    first.close()
    second.close()


def test_what_has_landed_is_free_and_others_learn_of_it_once(joined: Joined) -> None:
    first, second = joined(), joined()
    number = take(first, 1, 2).number
    assert take(second, 9).changed
    assert not take(second, 8).changed
    first.landed({number: 1})
    assert mine(take(second, 1)) == [False]
    first.landed({number: 1})
    taken = take(second, 1)
    assert (mine(taken), taken.changed) == ([True], True)


def test_a_claim_that_came_and_went_in_between_is_noticed(joined: Joined) -> None:
    first, second = joined(), joined()
    take(second, 9)
    first.landed({take(first, 1).number: 1})
    assert take(second, 1).changed


def test_what_is_released_is_free(joined: Joined) -> None:
    first, second = joined(), joined()
    take(first, 1)
    first.release()
    assert mine(take(second, 1)) == [True]
    second.close()
    assert mine(take(first, 1)) == [True]


def test_a_run_that_has_left_claims_nothing(joined: Joined) -> None:
    first = joined()
    first.close()
    assert mine(take(first, 1)) == [False]


def test_other_templates_have_other_calls_and_share_the_room(joined: Joined) -> None:
    seen: list[tuple[int, bool]] = []

    def room(on_their_way: int, changed: bool) -> int:
        seen.append((on_their_way, changed))
        return max(0, 4 - on_their_way)

    first, second = joined(), joined()
    take(first, 1, 2, 3)
    taken = second.take("other", calls(1, 2, 3), room)
    assert (mine(taken), taken.is_short) == ([True, False, False], True)
    taken = second.take("other", calls(2), room)
    assert (mine(taken), taken.is_short) == ([False], True)
    assert seen == [(3, True), (4, False)]


def test_runs_that_claim_at_one_time_never_claim_the_same(joined: Joined) -> None:
    """Eight runs want the same calls in different orders; what one holds no other is given."""
    held: set[int] = set()
    asked: list[int] = []
    errors: list[str] = []
    lock = threading.Lock()

    def run(claimant: Claims, turn: int) -> None:
        left = list(range(60))
        left = left[turn * 7 :] + left[: turn * 7]
        while left:
            some, left = left[:5], left[5:]
            taken = take(claimant, *some)
            got = [number for number, is_mine in zip(some, mine(taken), strict=True) if is_mine]
            with lock:
                if held & set(got):
                    errors.append(f"{held & set(got)} claimed twice")
                held.update(got)
                asked.extend(got)
            if got:
                time.sleep(0.001)
                with lock:
                    held.difference_update(got)
                claimant.landed({taken.number: len(got)})

    threads = [threading.Thread(target=run, args=(joined(), turn)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(asked) == set(range(60))


def test_few_files_are_kept_and_numbers_go_on(joined: Joined, any_lake: Lake) -> None:
    first = joined()
    for number in range(3 * KEPT):
        first.landed({take(first, number).number: 1})
    assert len(claim_files(any_lake)) <= KEPT + 1
    found = sizes(any_lake, f"{any_lake.root}/_claims")
    assert {found[name] for name in claim_files(any_lake)} == {0}
    first.close()
    assert take(joined(), 1).number == 3 * KEPT + 1
    assert len(names(any_lake, f"{any_lake.root}/_claims/members")) == 1


def test_a_number_that_came_and_went_is_not_used_again(joined: Joined, any_lake: Lake) -> None:
    slow, quick = joined(), joined()
    take(slow, 0)
    for number in range(2 * KEPT):
        quick.landed({take(quick, 1000 + number).number: 1})
    take(quick, 7)
    looks: list[bool] = []
    look = slow._look

    def slept() -> bool:  # it read before all that, and only now makes its claim
        looks.append(True)
        return False if len(looks) == 1 else look()

    slow._look = slept  # type: ignore[method-assign]
    assert f"{slow._last + 1:012d}.claim" not in claim_files(any_lake)
    assert mine(take(slow, 7, 8)) == [False, True]
    assert len(looks) == 2


# Dead runs


def test_what_a_dead_run_had_claimed_is_free_when_it_is_stale(
    joined: Joined, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as context:
        context.setattr(HEART, "add", lambda beat, every: 0)
        first = joined(TIMING)
        take(first, 1)
    second = joined(TIMING)
    began = time.monotonic()
    while not mine(take(second, 1))[0]:
        second.wait()
    assert time.monotonic() - began >= TIMING.stale_s
    assert "run run 0" in caplog.text


def test_a_run_that_was_stopped_for_long_joins_anew(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        context.setattr(HEART, "add", lambda beat, every: 0)
        first = joined(TIMING)
        take(first, 1, 2)
    assert first.intact()
    second = joined(TIMING)
    while not mine(take(second, 1))[0]:
        second.wait()
    assert not first.intact()
    assert mine(take(first, 1, 2)) == [False, True]
    assert first.intact()


def test_a_run_whose_file_others_removed_notices_at_a_beat(joined: Joined, any_lake: Lake) -> None:
    first = joined()
    take(first, 1)
    [name] = names(any_lake, f"{any_lake.root}/_claims/members")
    any_lake.fs.rm(f"{any_lake.root}/_claims/members/{name}")
    while first.intact():
        time.sleep(0.01)
    assert mine(take(first, 1)) == [True]


def test_what_a_killed_process_of_this_machine_had_claimed_is_free_at_once(lake: Lake) -> None:
    if not heartbeat._machine():
        pytest.skip("this system has no /proc")
    child = os.fork()
    if not child:
        take(Claims(lake, "killed", PATIENT), 1)
        os._exit(0)
    os.waitpid(child, 0)
    claimant = Claims(lake, "r", PATIENT)
    assert mine(take(claimant, 1)) == [True]
    assert len(names(lake, f"{lake.root}/_claims/members")) == 1
    claimant.close()


@pytest.mark.parametrize("data", [b"{", b"\x00\xff", b'{"member": "m", "template": "t", "calls": 2}\n' + b"x" * 16])
def test_a_damaged_claim_holds_nobody_back(lake: Lake, data: bytes) -> None:
    folder = Path(lake.root, module.FOLDER)
    folder.mkdir(parents=True)
    Path(folder, "000000000005.claim").write_bytes(data)
    claimant = Claims(lake, "r")
    taken = take(claimant, 1)
    assert (mine(taken), taken.number) == ([True], 6)
    claimant.close()
