"""Several runs at one time: no prompt is paid twice, whatever is killed or stopped, and a day's cap holds for all."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import orjson
import polars as pl
import pytest

from persona_assets.engines import pump
from persona_assets.engines.base import Request, Result
from persona_assets.engines.openai import faults
from persona_assets.engines.select import make_engine
from persona_assets.lake import Lake, heartbeat
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.ledger.ledger import Ledger
from persona_assets.steps.budget import BudgetReached
from persona_assets.steps.runner import Context, Report, StepRunner, write_outcomes
from persona_assets_tests.conftest import context
from persona_assets_tests.engines.doubles import Scripted, over_http
from persona_assets_tests.engines.openai.batch_server import BatchServer
from persona_assets_tests.engines.openai.test_batch import settings as batch_settings
from persona_assets_tests.engines.server import Server, serve
from persona_assets_tests.engines.tiny import TinyStep, asks, key_of, mixed_reader, reader, stored_ids
from persona_assets_tests.steps.several import BUDGET, TIMING, Workers


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "TIMING", TIMING)
    monkeypatch.setattr(faults, "FIRST_DELAY_S", 0.01)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


def asked(server: Server) -> list[tuple[str, str]]:
    """The run and the call of every request, in order."""
    runs = [headers["Authorization"].removeprefix("Bearer ") for headers in server.headers]
    return [(run, key_of(body)) for run, body in zip(runs, server.bodies, strict=True)]


def by_run(lake: Lake) -> Counter[str]:
    return Counter(Ledger(lake).scan().collect()["run_id"].to_list())


def rows(lake: Lake, name: str) -> int:
    return lake.row_count(EXTRACTED_PERSONAS, f"d.{name}")


# Processes


def test_four_runs_at_once_over_shards_that_share_prompts_ask_none_twice(lake: Lake, workers: Workers) -> None:
    # Two ask the same, one half of it, one as many others.
    shards = [("0000", 0, 100), ("0001", 0, 100), ("0002", 50, 100), ("0003", 120, 60)]
    with serve(mixed_reader, delay_s=0.02) as server:
        runs = workers.take(4)
        for run, shard in zip(runs, shards, strict=True):
            run.begin(lake, server.url, *shard)
        assert [run.end() for run in runs] == [0, 0, 0, 0]
        made = asked(server)
    assert len({call for _, call in made}) == len(made)
    assert len({run for run, _ in made}) > 1
    assert sorted(stored_ids(lake)) == sorted(call for _, call in made)
    # Every 7th answer stays wrong.
    for name, first, count in shards:
        assert rows(lake, name) == sum(1 for number in range(first, first + count) if number % 7)


def until(condition: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < 30
        time.sleep(0.002)


def test_when_one_of_four_is_killed_only_what_it_had_in_flight_is_asked_again(lake: Lake, workers: Workers) -> None:
    with serve(reader, delay_s=0.03) as server:
        runs = workers.take(4)
        for number, run in enumerate(runs):
            run.begin(lake, server.url, f"000{number}", 0, 240)
        until(lambda: by_run(lake)["0000"] >= 8)
        runs[0].kill()
        assert [run.end() for run in runs[1:]] == [0, 0, 0]
        made = asked(server)
    held = set(Ledger(lake).scan().filter(pl.col("run_id") == "0000").collect()["call_id"])
    lost = {call for run, call in made if run == "0000"} - held
    times = Counter(call for _, call in made)
    assert {call for call, count in times.items() if count > 1} <= lost
    assert max(times.values()) <= 2
    assert len(times) == 240
    assert [rows(lake, f"000{number}") for number in (1, 2, 3)] == [240, 240, 240]


def test_one_that_was_stopped_asks_no_more_of_what_the_other_took_over(lake: Lake, workers: Workers) -> None:
    with serve(reader, delay_s=0.03) as server:
        stopped, other = workers.take(2)
        stopped.begin(lake, server.url, "0000", 0, 200)
        until(lambda: by_run(lake)["0000"] >= 8)
        os.kill(stopped.process.pid, signal.SIGSTOP)
        other.begin(lake, server.url, "0001", 0, 200)
        assert other.end() == 0
        before = len(server.bodies)
        os.kill(stopped.process.pid, signal.SIGCONT)
        assert stopped.end() == 0
        made = asked(server)
    times = Counter(call for _, call in made)
    assert len(times) == 200
    in_flight = 2 * 8  # its concurrency, and what it had read ahead
    unstored = int(8 * pump.HAND_OVER_S / 0.03)  # answers that it had not handed over when it was stopped
    assert len(made) - len(times) <= 2 * in_flight + unstored
    assert len(made) - before <= in_flight
    assert [rows(lake, name) for name in ("0000", "0001")] == [200, 200]


@pytest.mark.parametrize("at_once", [4, 256])
def test_a_days_cap_on_calls_is_exact_over_three_runs(lake: Lake, workers: Workers, at_once: int) -> None:
    with serve(mixed_reader, delay_s=0.01) as server:  # each run needs more than the cap
        runs = workers.take(3)
        for run, shard in zip(runs, [("0000", 0, 50), ("0001", 30, 50), ("0002", 100, 50)], strict=True):
            run.begin(lake, server.url, *shard, max_calls_per_day=45, at_once=at_once)
        assert [run.end() for run in runs] == [BUDGET, BUDGET, BUDGET]
        assert len(server.bodies) == 45
    assert len(stored_ids(lake)) == len(set(stored_ids(lake))) == 45


def test_a_days_cap_that_suffices_stops_none_of_three_runs(lake: Lake, workers: Workers) -> None:
    with serve(reader, delay_s=0.01) as server:
        runs = workers.take(3)
        for run, shard in zip(runs, [("0000", 0, 40), ("0001", 20, 40), ("0002", 100, 40)], strict=True):
            run.begin(lake, server.url, *shard, max_calls_per_day=100, at_once=8)
        assert [run.end() for run in runs] == [0, 0, 0]
        assert len(server.bodies) == 100


def test_tokens_of_a_day_are_exceeded_by_what_was_in_flight_at_most(lake: Lake, workers: Workers) -> None:
    of_a_call = 18
    cap = 60 * of_a_call
    with serve(reader, delay_s=0.1) as server:
        runs = workers.take(3)
        for number, run in enumerate(runs):
            run.begin(lake, server.url, f"000{number}", 100 * number, 100, max_tokens_per_day=cap, at_once=8)
        assert [run.end() for run in runs] == [BUDGET, BUDGET, BUDGET]
        # Each has claimed eight, has eight at the server and as many read ahead, and hands over what came within 0.2 s.
        assert 0 <= len(server.bodies) * of_a_call - cap <= 3 * (8 + 8 + 8 + 16) * of_a_call


# Threads


def both(*runs: Callable[[], object]) -> list[BaseException]:
    """Do these at one time; what they raised."""
    raised: list[BaseException] = []

    def attempt(run: Callable[[], object]) -> None:
        try:
            run()
        except BudgetReached as error:
            raised.append(error)

    threads = [threading.Thread(target=attempt, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return raised


def run_over(values: Context, numbers: Iterable[int], shard: str) -> Report:
    found = [ask for number in numbers for ask in asks(1, number)]
    runner = StepRunner(TinyStep(), values, shard)
    return write_outcomes(runner, runner.run(lambda: found))


def test_two_runs_that_want_each_others_prompts_both_end(lake: Lake) -> None:
    with serve(reader, delay_s=0.02) as server:
        # In opposite orders, so each has claimed what the other wants.
        first, second = over_http(lake, server), over_http(Lake(lake.root), server)
        both(
            lambda: run_over(first, range(60), "d.0000"),
            lambda: run_over(second, range(59, -1, -1), "d.0001"),
        )
        assert len(server.bodies) == 60
    assert lake.row_count(EXTRACTED_PERSONAS, "d.0000") == lake.row_count(EXTRACTED_PERSONAS, "d.0001") == 60


def test_a_lake_in_memory_is_shared_by_threads_too() -> None:
    lake = Lake("memory://turns")
    engine = Scripted(slow_answer)
    try:
        both(
            lambda: run_over(context(lake, engine), range(40), "d.0000"),
            lambda: run_over(context(Lake("memory://turns"), engine), range(20, 60), "d.0001"),
        )
        assert len({request.call_id for request in engine.asked}) == len(engine.asked) == 60
    finally:
        lake.fs.store.clear()


def slow_answer(request: Request) -> str:
    time.sleep(0.005)
    return '{"persona": "A reader"}'


def test_more_deferred_questions_than_are_kept_are_settled_in_rounds(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persona_assets.steps.turns.MOST_DEFERRED", 10)
    monkeypatch.setattr("persona_assets.steps.runner.BATCH", 8)
    engine = Scripted(slow_answer)
    reports: list[Report] = []
    both(
        lambda: reports.append(run_over(context(lake, engine), range(100), "d.0000")),
        lambda: reports.append(run_over(context(Lake(lake.root), engine), range(100), "d.0001")),
    )
    assert len(engine.asked) == 100
    assert sum(report.calls_made for report in reports) == 100
    assert [report.calls_made + report.calls_reused for report in reports] == [100, 100]


def test_what_the_other_run_fails_to_get_is_asked_by_this_one(lake: Lake) -> None:
    with serve(reader, delay_s=0.05, refuse=refuse_the_first()) as server:
        first, second = over_http(lake, server), over_http(Lake(lake.root), server)
        both(lambda: run_over(first, range(8), "d.0000"), lambda: run_over(second, range(8), "d.0001"))
        assert len(server.bodies) == 9
    kept = [lake.row_count(EXTRACTED_PERSONAS, shard) for shard in ("d.0000", "d.0001")]
    assert sorted(kept) in ([7, 8], [8, 8])


def refuse_the_first() -> Callable[[object], str]:
    seen: list[object] = []

    def refuse(body: object) -> str:
        seen.append(body)
        return "bad" if len(seen) == 1 else ""

    return refuse


def test_calls_of_an_engine_that_gave_up_are_free(lake: Lake) -> None:
    class Lost(Scripted):
        def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
            next(iter(requests))
            raise ZeroDivisionError
            yield []

    with pytest.raises(ZeroDivisionError):
        run_over(context(lake, Lost(slow_answer)), range(5), "d.0000")
    engine = Scripted(slow_answer)
    run_over(context(lake, engine), range(5), "d.0001")
    assert len(engine.asked) == 5


def test_batches_of_two_runs_share_prompts_too(lake: Lake) -> None:
    with BatchServer(mixed_reader, looks=5).running() as server:
        chosen = batch_settings(server.url, lake=lake.root)

        def run(shard: str) -> Report:
            own = Lake(lake.root)
            return run_over(Context(own, chosen, make_engine(chosen, own), "run"), range(40), shard)

        both(lambda: run("d.0000"), lambda: run("d.0001"))
        assert set(server.asked.values()) == {1}
    assert len(stored_ids(lake)) == len(set(stored_ids(lake))) == len(server.asked)


# Caps


def test_calls_that_fail_leave_room_under_a_days_cap(lake: Lake) -> None:
    with serve(reader, refuse=refuse_the_first()) as server:
        with pytest.raises(BudgetReached, match=r"5 of 5 calls a day \(PERSONA_MAX_CALLS_PER_DAY\)"):
            run_over(over_http(lake, server, max_calls_per_day=5), range(20), "d.0000")
        assert len(server.bodies) == 6
    assert len(stored_ids(lake)) == 5


def test_repairs_count_under_a_days_cap(lake: Lake) -> None:
    with serve(mixed_reader) as server:
        with pytest.raises(BudgetReached):
            run_over(over_http(lake, server, max_calls_per_day=11), range(5, 60, 5), "d.0000")
        assert len(server.bodies) == 11
        run_over(over_http(lake, server, max_calls_per_day=22 + 1), range(5, 60, 5), "d.0000")
        assert max(Counter(orjson.dumps(body["messages"]) for body in server.bodies).values()) == 1


def test_without_a_cap_nothing_of_the_day_is_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("persona_assets.steps.budget.Today._read", fail)
    run_over(context(lake, Scripted(slow_answer)), range(3), "d.0000")


def test_no_claim_is_made_where_the_ledger_answers(lake: Lake) -> None:
    run_over(context(lake, Scripted(slow_answer)), range(3), "d.0000")
    before = sorted(lake.fs.find(f"{lake.root}/_claims"))
    run_over(context(lake, Scripted(slow_answer)), range(3), "d.0001")
    assert sorted(lake.fs.find(f"{lake.root}/_claims")) == before
    assert len(before) == 1
