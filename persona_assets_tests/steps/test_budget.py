from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.engines.base import Completion, Request
from persona_assets.lake import Lake
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.ledger.ledger import Ledger
from persona_assets.settings import Settings
from persona_assets.steps import budget
from persona_assets.steps.budget import Budget, BudgetReached, Spent, Today
from persona_assets.steps.runner import Context
from persona_assets_tests.conftest import context
from persona_assets_tests.engines.doubles import NOW, Scripted, call, over_http
from persona_assets_tests.engines.server import serve
from persona_assets_tests.engines.tiny import SHARD, page, reader, run_step, table_of


class Answering(Scripted):
    """Answers with what the document's number asks for."""

    def __init__(self) -> None:
        super().__init__(answered)


def answered(request: Request) -> str:
    return f'{{"persona": "A reader of {request.messages[-1]["content"]}"}}'


def test_a_run_stops_at_its_calls_and_the_next_one_goes_on(lake: Lake) -> None:
    engine = Answering()
    with pytest.raises(BudgetReached, match=r"10 of 10 calls a run \(PERSONA_MAX_CALLS_PER_RUN\)"):
        run_step(context(lake, engine, max_calls_per_run=10), 25)
    assert len(engine.asked) == 10
    assert Ledger(lake).scan().collect().height == 10
    assert not lake.exists(EXTRACTED_PERSONAS, SHARD)
    report = run_step(context(lake, engine, max_calls_per_run=15), 25)
    assert (report.calls_made, report.calls_reused, report.kept) == (15, 10, 25)


def test_over_http_no_call_is_made_beyond_the_cap(lake: Lake) -> None:
    with serve(reader, delay_s=0.01) as server:
        with pytest.raises(BudgetReached):
            run_step(over_http(lake, server, max_calls_per_run=20), 60)
        assert len(server.bodies) == 20
        run_step(over_http(lake, server), 60)
        assert sorted(map(page, server.bodies)) == list(range(60))


@pytest.mark.parametrize(
    ("caps", "stored"),
    [
        ({"max_tokens_per_run": 18 * 7}, 7),
        ({"max_cost_per_run": 0.00009, "price_in": 1.0, "price_out": 2.0}, 4),  # 25 millionths a call
        ({"max_tokens_per_day": 18 * 7}, 7),
        ({"max_cost_per_day": 0.00009, "price_in": 1.0, "price_out": 2.0}, 4),
    ],
)
def test_tokens_and_money_stop_a_run_once_they_are_spent(lake: Lake, caps: dict[str, Any], stored: int) -> None:
    with pytest.raises(BudgetReached, match=r" a (run|day) \(PERSONA_MAX"):
        run_step(context(lake, Answering(), **caps), 25)
    assert Ledger(lake).scan().collect().height == stored


def test_steps_of_one_run_share_its_cap(lake: Lake) -> None:
    first = context(lake, Answering(), max_calls_per_run=12)
    run_step(first, 10)
    second = Context(lake, first.settings, first.engine, "run", spent=first.spent)
    with pytest.raises(BudgetReached):
        run_step(second, 20, "crawl.0001")
    assert Ledger(lake).scan().collect().height == 12


def test_what_the_ledger_answers_needs_no_budget(lake: Lake) -> None:
    run_step(context(lake, Answering()), 25)
    before = table_of(lake)
    assert run_step(context(lake, Answering(), max_calls_per_run=0), 25).kept == 25
    assert table_of(lake) == before


def test_an_earlier_partition_stays_when_a_new_one_does_not_fit_the_budget(lake: Lake) -> None:
    run_step(context(lake, Answering()), 5)
    before = lake.record(EXTRACTED_PERSONAS, SHARD)
    with pytest.raises(BudgetReached):
        run_step(context(lake, Answering(), max_calls_per_run=1), 9)
    assert lake.record(EXTRACTED_PERSONAS, SHARD) == before


def test_a_day_counts_the_calls_of_all_runs_since_midnight_and_no_others(lake: Lake) -> None:
    ledger = Ledger(lake)
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    ledger.store("tiny", "d.0000", [call(1, created_at=day, cost=0.5), call(2, created_at=day - timedelta(hours=1))])
    ledger.store("tiny", "d.0001", [call(3, created_at=day + timedelta(hours=1), run_id="other")])
    assert Today(Ledger(lake)).spent() == Spent(2, 16, 0.5)


def test_merging_parts_counts_nothing_twice(lake: Lake) -> None:
    ledger = Ledger(lake)
    for number in range(4):
        ledger.store("tiny", "d.0000", [call(number, created_at=datetime.now(UTC))])
    today = Today(ledger)
    before = today.spent()
    ledger.compact("tiny", "d.0000")
    today._read_at = float("-inf")
    assert today.spent() == before == Spent(4, 32, 0.0)


def test_a_new_day_starts_at_nothing(lake: Lake) -> None:
    ledger = Ledger(lake)
    ledger.store("tiny", "d.0000", [call(1, created_at=NOW)])
    clock = [NOW]
    today = Today(ledger, lambda: clock[0])
    assert today.spent().calls == 1
    clock[0] += timedelta(days=1)
    assert today.spent().calls == 0


@given(st.integers(0, 30), st.lists(st.integers(1, 5), max_size=30))
def test_no_more_calls_are_reserved_than_the_cap_whatever_ends_in_between(cap: int, ends: list[int]) -> None:
    run = Spent()
    budget = Budget(Settings(max_calls_per_run=cap), run, Today(Ledger(Lake("memory://budget"))))
    flying = 0
    for end in ends:
        flying += budget.take()
        assert run.calls + flying <= cap
        ended = min(end, flying)
        budget.settle(ended, ended, 0, 0.0)
        flying -= ended


def test_a_call_that_failed_takes_nothing_from_the_budget() -> None:
    budget = Budget(Settings(max_calls_per_run=1), Spent(), Today(Ledger(Lake("memory://budget"))))
    assert budget.take()
    budget.settle(1, 0, 0, 0.0)
    assert budget.take()


def test_completions_name_the_faults_of_their_tries() -> None:
    assert Completion("call_1", "", "stop", 1, 1, 0.1, ("timeout", "server_error")).retries == 2


def test_a_merge_that_was_cut_short_counts_nothing_twice(lake: Lake) -> None:
    ledger = Ledger(lake)
    for number in range(4):
        ledger.store("tiny", "d.0000", [call(number, created_at=datetime.now(UTC))])
    left = {path: lake.fs.cat_file(path) for path in ledger.paths()}
    early = Today(ledger)
    assert early.spent().calls == 4
    ledger.compact("tiny", "d.0000")
    for path, data in left.items():
        lake.fs.pipe_file(path, data)
    for today in (early, Today(ledger)):
        assert today.spent(fresh=True) == Spent(4, 32, 0.0)


def test_a_part_that_is_merged_away_while_the_day_is_read_is_counted(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(lake)
    for number in range(4):
        ledger.store("tiny", "d.0000", [call(number, created_at=datetime.now(UTC))])
    listed = budget.parts_since

    def then_merged(*arguments: Any) -> list[str]:
        found = listed(*arguments)
        ledger.compact("tiny", "d.0000")
        return found

    monkeypatch.setattr(budget, "parts_since", then_merged)
    assert Today(ledger).spent() == Spent(4, 32, 0.0)


@pytest.mark.parametrize(("on_their_way", "room"), [(0, 3), (2, 1), (3, 0), (9, 0)])
def test_a_days_cap_leaves_room_beside_what_is_on_its_way(lake: Lake, on_their_way: int, room: int) -> None:
    ledger = Ledger(lake)
    ledger.store("tiny", "d.0000", [call(number, created_at=datetime.now(UTC)) for number in range(2)])
    found = Budget(Settings(max_calls_per_day=5), Spent(), Today(ledger))
    assert found.room(on_their_way, changed=True) == room
    found.end_day()
    assert found.reached == ""


def test_a_days_cap_is_reached_where_nothing_is_on_its_way(lake: Lake) -> None:
    ledger = Ledger(lake)
    found = Budget(Settings(max_calls_per_day=2), Spent(), Today(ledger))
    assert found.room(0, changed=True) == 2
    ledger.store("tiny", "d.0000", [call(number, created_at=datetime.now(UTC)) for number in range(2)])
    assert found.room(0, changed=True) == 0
    found.end_day()
    assert found.reached == "2 of 2 calls a day (PERSONA_MAX_CALLS_PER_DAY)"
    assert Budget(Settings(), Spent(), Today(ledger)).room(0, changed=True) is None
