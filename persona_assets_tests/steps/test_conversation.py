"""Talks of several turns: what each turn is told, what becomes of a bad answer, and who pays for what."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from persona_assets.engines.openai import faults
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.engines.select import Engines, make_engine
from persona_assets.lake import Lake, heartbeat
from persona_assets.ledger.asked_again import Again, AskedAgain
from persona_assets.ledger.ledger import Ledger
from persona_assets.settings import Settings
from persona_assets.steps.budget import BudgetReached
from persona_assets.steps.runner import Context
from persona_assets_tests.engines.doubles import over_http
from persona_assets_tests.engines.openai.batch_server import BatchServer
from persona_assets_tests.engines.openai.test_batch import settings as batch_settings
from persona_assets_tests.engines.server import Body, Server, serve
from persona_assets_tests.engines.tiny import SHARD, settings, stored_ids
from persona_assets_tests.steps.several import TIMING, Workers
from persona_assets_tests.steps.talks import (
    JUDGE,
    STEP,
    is_repair,
    key_of,
    mixed_talker,
    number_of,
    run_talks,
    table_of,
    talker,
    turn_of,
)


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "TIMING", TIMING)
    monkeypatch.setattr(faults, "FIRST_DELAY_S", 0.01)


def rows(lake: Lake) -> list[dict[str, Any]]:
    return lake.read(STEP.table, SHARD).to_dicts()


def rejects(lake: Lake) -> list[dict[str, Any]]:
    return lake.rejects(STEP.table).collect().to_dicts()


def of_turn(server: Server, turn: int) -> list[Body]:
    return [body for body in server.bodies if turn_of(body) == turn]


# What is said


def test_the_question_of_each_turn_holds_the_turns_before(lake: Lake) -> None:
    with serve(talker) as server:
        run_talks(over_http(lake, server), 1)
    assert [body["messages"] for body in server.bodies[:3]] == [
        said[:count]
        for said in [
            [
                {"role": "user", "content": "<persona>Person 0</persona> Who are you?"},
                {"role": "assistant", "content": '{"name":"Name of 0"}'},
                {"role": "user", "content": "What do you do, Name of 0?"},
                {"role": "assistant", "content": '{"work":"Person 0 works"}'},
                {"role": "user", "content": "Since when?"},
            ]
        ]
        for count in (1, 3, 5)
    ]


def test_a_turn_without_history_sees_only_its_own_prompt(lake: Lake) -> None:
    with serve(talker) as server:
        run_talks(over_http(lake, server), 1)
    assert server.bodies[3]["messages"] == [
        {"role": "system", "content": JUDGE},
        {"role": "user", "content": "Person 0 works, 0 years: how good is that?"},
    ]


def test_a_row_has_the_answers_of_all_turns_and_the_calls_of_all(lake: Lake) -> None:
    with serve(talker) as server:
        run_talks(over_http(lake, server), 3)
    row = rows(lake)[2]
    assert {name: row[name] for name in ("name", "work", "since", "score")} == {
        "name": "Name of 2",
        "work": "Person 2 works",
        "since": "2 years",
        "score": 2,
    }
    asked = {turn_of(body): key_of(body) for body in server.bodies if number_of(body) == 2}
    assert row["call_ids"] == [asked[turn] for turn in range(4)]
    assert row["call_id"] == row["call_ids"][-1]


def test_each_turn_is_asked_for_by_its_own_schema(lake: Lake) -> None:
    with serve(talker) as server:
        run_talks(over_http(lake, server), 1)
    schemas = [body["response_format"]["json_schema"]["schema"] for body in server.bodies]
    assert [list(schema["properties"]) for schema in schemas] == [["name"], ["work"], ["since"], ["score"]]


def test_a_call_names_the_call_before_it(lake: Lake) -> None:
    with serve(talker) as server:
        run_talks(over_http(lake, server), 1)
    [row] = rows(lake)
    calls = Ledger(lake).scan().collect().to_dicts()
    fills = {call["call_id"]: orjson.loads(call["fill"]) for call in calls}
    before = [fills[call_id].get("after") for call_id in row["call_ids"]]
    assert before == [None, *row["call_ids"][:-1]]


# Bad answers


@pytest.mark.parametrize("turn", range(4))
def test_a_bad_answer_is_repaired_and_the_talk_goes_on_from_the_repaired_one(lake: Lake, turn: int) -> None:
    def slips(body: Body) -> str:
        return '{"wrong": 1}' if turn_of(body) == turn and not is_repair(body) else talker(body)

    with serve(slips) as server:
        report = run_talks(over_http(lake, server), 2)
    assert (report.kept, report.calls_made) == (2, 10)
    assert not any(
        "wrong" in message["content"] for body in server.bodies if not is_repair(body) for message in body["messages"]
    )
    repaired = [key_of(body) for body in server.bodies if is_repair(body)]
    assert sorted(row["call_ids"][turn] for row in rows(lake)) == sorted(repaired)


@pytest.mark.parametrize("turn", range(4))
def test_a_turn_that_stays_bad_rejects_the_question_and_is_named(lake: Lake, turn: int) -> None:
    with serve(lambda body: '{"wrong": 1}' if turn_of(body) == turn else talker(body)) as server:
        report = run_talks(over_http(lake, server), 2)
        assert report.calls_made == 2 * (turn + 2)
        assert run_talks(over_http(lake, server), 2).calls_made == 0
    assert rows(lake) == []
    found = [(row["row_id"], row["reason"]) for row in rejects(lake)]
    assert found == [("per_0", "parse_failure"), ("per_1", "parse_failure")]
    name = ("turn1", "turn2", "third", "turn4")[turn]
    assert all(row["detail"].startswith(f"turn {name}: $: ") for row in rejects(lake))


def test_a_turn_that_the_server_refuses_rejects_the_question_and_is_named(lake: Lake) -> None:
    with serve(talker, refuse=lambda body: "bad" if turn_of(body) == 2 else "") as server:
        run_talks(over_http(lake, server), 1)
    [reject] = rejects(lake)
    assert reject["row_id"] == "per_0"
    assert reject["detail"].startswith("turn third: ")


def test_only_the_turns_after_a_lost_one_are_asked_again(lake: Lake) -> None:
    with serve(talker, refuse=lambda body: "bad" if turn_of(body) == 2 else "") as server:
        run_talks(over_http(lake, server), 3)
    with serve(talker) as server:
        report = run_talks(over_http(lake, server), 3)
        assert sorted(turn_of(body) for body in server.bodies) == [2, 2, 2, 3, 3, 3]
    assert report.kept == 3


# Calls


def test_a_second_run_makes_no_call_and_gives_the_same(lake: Lake) -> None:
    with serve(mixed_talker) as server:
        run_talks(over_http(lake, server), 20)
        before, asked = table_of(lake), len(server.bodies)
        report = run_talks(over_http(lake, server), 20)
        assert len(server.bodies) == asked
    assert report.calls_made == 0
    assert table_of(lake) == before


def test_people_who_say_the_same_share_the_turns_that_follow(lake: Lake) -> None:
    """The turn without history has one prompt for both; the other turns begin with their own question."""

    def alike(body: Body) -> str:
        said = (talker(body), '{"work": "Person 1 works"}', '{"since": "1 years"}', '{"score": 1}')
        return said[turn_of(body)]

    with serve(alike) as server:
        report = run_talks(over_http(lake, server), 3)
    assert (report.kept, len(of_turn(server, 3))) == (3, 1)
    assert len({row["call_id"] for row in rows(lake)}) == 1


def test_a_cap_on_calls_is_kept_within_talks_and_what_was_answered_is_not_asked_again(lake: Lake) -> None:
    with serve(mixed_talker) as server:
        with pytest.raises(BudgetReached):
            run_talks(over_http(lake, server, max_calls_per_run=33), 20)
        assert len(server.bodies) == 33
        run_talks(over_http(lake, server), 20)
        assert max(Counter(key_of(body) for body in server.bodies).values()) == 1


# Two models


MODELS = """
models:
  first: {{engine: openai, model: small, base_url: "{first}", concurrency: 8, price_out: 1}}
  second: {{engine: openai, model: large, base_url: "{second}", concurrency: 8, price_out: 100, temperature: 0.1}}
assets: {{talks: first, talks.turn2: second}}
"""


def two_models(lake: Lake, folder: Path, first: Server, second: Server) -> Context:
    (folder / "models.yaml").write_text(MODELS.format(first=first.url, second=second.url), encoding="utf-8")
    return Context(lake, Settings(models=str(folder / "models.yaml")), Engines(lake), "run")


@pytest.mark.parametrize("waiting", [8192, 3])
def test_a_turn_may_have_a_model_of_its_own(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    monkeypatch.setattr("persona_assets.steps.in_flight.MOST_WAITING", waiting)
    monkeypatch.setattr("persona_assets.steps.runner.BATCH", 8)
    with serve(mixed_talker) as first, serve(mixed_talker) as second:
        context = two_models(lake, tmp_path, first, second)
        report = run_talks(context, 30)
        assert run_talks(two_models(lake, tmp_path, first, second), 30).calls_made == 0
    assert {turn_of(body) for body in second.bodies} == {1}
    assert {turn_of(body) for body in first.bodies} == {0, 2, 3}
    assert (report.kept, report.calls_made) == (25, len(first.bodies) + len(second.bodies))
    assert {body["temperature"] for body in second.bodies} == {0.1}


def test_each_turn_costs_what_its_own_model_does(lake: Lake, tmp_path: Path) -> None:
    with serve(talker) as first, serve(talker) as second:
        report = run_talks(two_models(lake, tmp_path, first, second), 2)
    calls = Ledger(lake).scan().collect()
    assert sorted(calls.group_by("model").len().rows()) == [("large", 2), ("small", 6)]
    assert report.cost == pytest.approx(2 * 7 * (3 * 1 + 100) / 1e6)


def test_with_two_models_the_rows_are_those_of_one_that_says_the_same(lake: Lake, tmp_path: Path) -> None:
    other = Lake(tmp_path / "other")
    with serve(mixed_talker) as first, serve(mixed_talker) as second:
        run_talks(two_models(lake, tmp_path, first, second), 20)
        run_talks(over_http(other, first), 20)
    content = ["sample_id", "persona_ids", "name", "work", "since", "score"]
    assert lake.read(STEP.table, SHARD)[content].equals(other.read(STEP.table, SHARD)[content])


# Killed, and beside others


DOCUMENTS = 60
KILLS = 10
FAULTS = {"rate": 0.04, "error": 0.04, "unavailable": 0.03, "garbage": 0.03, "half": 0.03, "close": 0.03}


def paid(server: Server) -> Counter[str]:
    """The calls that the server has answered, which are paid for, by their ids."""
    return Counter({key_of({"messages": orjson.loads(text)}): times for text, times in list(server.paid.items())})


def test_talks_killed_ten_times_under_a_faulty_server_equal_undisturbed_ones(lake: Lake, tmp_path: Path) -> None:
    undisturbed = Lake(tmp_path / "undisturbed")
    with serve(mixed_talker) as server:
        run_talks(over_http(undisturbed, server), DOCUMENTS)
    moments = random.Random(7)
    with serve(mixed_talker, shares=FAULTS, delay_s=0.03) as server:
        for _ in range(KILLS):
            held = set(stored_ids(lake))
            command = [sys.executable, "-m", "persona_assets_tests.steps.talks", lake.root, server.url, str(DOCUMENTS)]
            process, answers = subprocess.Popen(command), moments.randrange(2, 25)
            while server.paid.total() < answers and process.poll() is None:
                time.sleep(0.002)
            process.kill()
            process.wait()
            assert not held & set(paid(server))
            server.paid.clear()
        held = set(stored_ids(lake))
        chosen = settings(server.url, max_retries=20)
        run_talks(Context(lake, chosen, OpenAIEngine(chosen), "last"), DOCUMENTS)
        assert not held & set(paid(server))
        assert max(paid(server).values()) == 1
    assert table_of(lake) == table_of(undisturbed)
    assert sorted(stored_ids(lake)) == sorted(stored_ids(undisturbed))


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


def test_four_runs_at_once_over_shards_that_share_talks_ask_nothing_twice(lake: Lake, workers: Workers) -> None:
    shards = [("0000", 0, 40), ("0001", 0, 40), ("0002", 20, 40), ("0003", 50, 20)]
    with serve(mixed_talker, delay_s=0.02) as server:
        runs = workers.take(4)
        for run, shard in zip(runs, shards, strict=True):
            run.begin(lake, server.url, *shard, talks=True)
        assert [run.end() for run in runs] == [0, 0, 0, 0]
        made = [key_of(body) for body in server.bodies]
        by_run = Counter(headers["Authorization"] for headers in server.headers)
    assert max(Counter(made).values()) == 1
    assert sorted(stored_ids(lake)) == sorted(made)
    assert len(by_run) > 1
    for name, first, count in shards:
        kept = sum(1 for number in range(first, first + count) if number % 7)
        assert lake.row_count(STEP.table, f"d.{name}") == kept


def test_a_run_asks_the_turns_that_one_beside_it_was_killed_over(lake: Lake, workers: Workers) -> None:
    with serve(talker, delay_s=0.03) as server:
        first, second = workers.take(2)
        for number, run in enumerate((first, second)):
            run.begin(lake, server.url, f"000{number}", 0, 40, talks=True)
        while len(server.bodies) < 60:
            time.sleep(0.002)
        first.kill()
        assert second.end() == 0
        times = Counter(key_of(body) for body in server.bodies)
    held = set(Ledger(lake).scan().filter(pl.col("run_id") == "0000").collect()["call_id"])
    assert not {call for call, count in times.items() if count > 1} & held
    assert lake.row_count(STEP.table, "d.0001") == 40


# Batch mode


def test_turns_go_through_batches_one_after_the_other(lake: Lake, tmp_path: Path) -> None:
    other = Lake(tmp_path / "other")
    with BatchServer(mixed_talker).running() as server:
        chosen = batch_settings(server.url, lake=lake.root)
        report = run_talks(Context(lake, chosen, make_engine(chosen, lake), "run"), 20)
        assert set(server.asked.values()) == {1}
        assert server.online == 4  # the first question of each turn
        batches = len(server.batches)
        assert run_talks(Context(lake, chosen, make_engine(chosen, lake), "again"), 20).calls_made == 0
        assert len(server.batches) == batches
    with serve(mixed_talker) as online:
        run_talks(over_http(other, online), 20)
    assert report.kept == 17
    assert table_of(lake) == table_of(other)


def test_batches_hold_a_turn_of_many_talks(lake: Lake) -> None:
    with BatchServer(talker).running() as server:
        chosen = batch_settings(server.url, lake=lake.root)
        run_talks(Context(lake, chosen, make_engine(chosen, lake), "run"), 20)
        assert len(server.batches) <= 8


# Asked again


@pytest.mark.parametrize("turn", range(4))
def test_a_turn_that_is_asked_again_is_another_call_and_those_before_it_stay(turn: int, lake: Lake) -> None:
    def other(body: Body) -> str:
        return talker(body).replace("years", "winters").replace("Name", "Nickname") if body["seed"] else talker(body)

    with serve(other) as server:
        run_talks(over_http(lake, server), 2)
        before = {row["call_ids"][0]: row["call_ids"] for row in rows(lake)}
        [first, untouched] = before.values()
        AskedAgain(lake).add(STEP.table.name, SHARD, ["parse_failure"], {first[turn]: Again(1)})
        since = len(server.bodies)
        report = run_talks(over_http(lake, server), 2)
        assert next(turn_of(body) for body in server.bodies[since:]) == turn
        assert next(body["seed"] for body in server.bodies[since:]) == 1009
        assert run_talks(over_http(lake, server), 2).calls_made == 0
    asked = [row["call_ids"] for row in rows(lake)]
    assert untouched in asked
    [again] = [calls for calls in asked if calls != untouched]
    assert again[:turn] == first[:turn]
    assert again[turn] != first[turn]
    assert report.calls_made == sum(new != old for new, old in zip(again, first, strict=True))
