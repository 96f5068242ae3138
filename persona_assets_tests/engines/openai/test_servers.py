import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from persona_assets.engines.base import Completion, EngineUnavailable, Failure, Request, Result
from persona_assets.engines.openai import faults, servers
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets_tests.engines.openai.test_engine import requests
from persona_assets_tests.engines.server import MIXTURE, Server, serve
from persona_assets_tests.engines.tiny import page, reader, settings


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "FIRST_DELAY_S", 0.01)


def together(*running: Server) -> str:
    return ",".join(server.url for server in running)


def answered(engine: OpenAIEngine, count: int) -> dict[str, Result]:
    results = [result for batch in engine.stream(requests(count)) for result in batch]
    by_id = {result.call_id: result for result in results}
    assert len(by_id) == len(results) == count
    return by_id


def port_of(server: Server) -> int:
    return int(server.url.split(":")[2].split("/")[0])


# Concurrency


def test_a_server_that_takes_few_at_once_is_asked_no_more_for_long() -> None:
    with serve(reader, delay_s=0.02, takes=20) as server:
        results = answered(OpenAIEngine(settings(server.url, concurrency=256, max_retries=6)), 1500)
    assert all(isinstance(result, Completion) for result in results.values())
    assert server.met["busy"] < 0.2 * 1500


def test_what_was_learnt_of_a_server_is_kept_from_stream_to_stream() -> None:
    with serve(reader, delay_s=0.02, takes=10) as server:
        engine = OpenAIEngine(settings(server.url, concurrency=256))
        answered(engine, 400)
        before = server.met["busy"]
        answered(engine, 400)
    assert server.met["busy"] - before < before / 2


def test_a_request_that_waits_for_its_retry_keeps_no_other_from_being_asked() -> None:
    with serve(reader, refuse=lambda body: "rate" if page(body) == 0 and len(server.bodies) < 5 else "") as server:
        results = answered(OpenAIEngine(settings(server.url, concurrency=1)), 20)
    assert all(isinstance(result, Completion) for result in results.values())
    assert [page(body) for body in server.bodies[:3]] == [0, 1, 2]


def test_a_server_that_is_full_is_left_alone_as_long_as_it_asks() -> None:
    with serve(reader, faults=["rate"] * 16) as server:
        engine = OpenAIEngine(settings(server.url, concurrency=16))
        sent: list[float] = []
        server.refuse = lambda body: sent.append(time.monotonic()) or ""  # type: ignore[func-returns-value]
        answered(engine, 40)
    full = sent[15]
    assert all(at < full + 0.01 or at >= full + 0.04 for at in sent[16:])


def test_requests_per_minute_are_kept() -> None:
    with serve(reader) as server:
        began = time.monotonic()
        answered(OpenAIEngine(settings(server.url, requests_per_minute=1200)), 12)
    assert time.monotonic() - began >= 0.45  # two at once, then one every twentieth of a second


def test_tokens_per_minute_are_kept_over_streams() -> None:
    with serve(reader) as server:
        engine = OpenAIEngine(settings(server.url, tokens_per_minute=6000))
        answered(engine, 2)  # 18 tokens each, at 100 a second
        began = time.monotonic()
        answered(engine, 3)
    assert time.monotonic() - began >= 0.3


# A pool


def test_two_servers_share_the_work() -> None:
    with serve(reader, delay_s=0.01) as one, serve(reader, delay_s=0.01) as other:
        results = answered(OpenAIEngine(settings(together(one, other))), 200)
    assert all(isinstance(result, Completion) for result in results.values())
    assert min(len(one.bodies), len(other.bodies)) > 60
    assert max(one.most_in_flight, other.most_in_flight) <= 8


def test_a_server_that_is_not_there_costs_nothing_but_a_try() -> None:
    with serve(reader) as gone:
        pass
    with serve(reader) as server:
        results = answered(OpenAIEngine(settings(together(gone, server))), 100)
    assert all(isinstance(result, Completion) for result in results.values())
    assert len(server.bodies) == 100


def test_a_server_that_comes_back_is_asked_again() -> None:
    with serve(reader) as gone:
        pass
    with serve(reader, delay_s=0.01) as server, ExitStack() as later:
        back: list[Server] = []

        def starting_it() -> Iterator[Request]:
            for number, request in enumerate(requests(4000)):
                if number == 60:
                    back.append(later.enter_context(serve(reader, port=port_of(gone))))
                if back and back[0].bodies:
                    return
                yield request

        for _ in OpenAIEngine(settings(together(gone, server))).stream(starting_it()):
            pass
        assert back[0].bodies


def test_a_server_that_fails_in_a_row_is_left_to_itself() -> None:
    with serve(reader, shares={"error": 1.0}) as bad, serve(reader, delay_s=0.01) as good:
        results = answered(OpenAIEngine(settings(together(bad, good), max_retries=6)), 300)
    assert all(isinstance(result, Completion) for result in results.values())
    assert servers.IN_A_ROW <= len(bad.bodies) < 100


def test_one_server_that_refuses_everybody_stops_the_run_although_others_answer() -> None:
    with serve(reader, shares={"path": 1.0}) as wrong, serve(reader) as right:
        engine = OpenAIEngine(settings(together(right, wrong)))
        with pytest.raises(EngineUnavailable, match=f"{wrong.url}/chat/completions: .*PERSONA_BASE_URL"):
            list(engine.stream(requests(50)))


def test_no_server_that_can_be_reached_stops_the_run() -> None:
    with serve(reader) as one, serve(reader) as other:
        pass
    engine = OpenAIEngine(settings(together(one, other), max_retries=1))
    with pytest.raises(EngineUnavailable, match="start the server"):
        list(engine.stream(requests(50)))


def test_a_server_that_is_started_again_in_time_is_waited_for() -> None:
    with serve(reader) as server:
        engine = OpenAIEngine(settings(server.url, max_retries=12))
        answered(engine, 20)
    with ExitStack() as later:

        def starting_it() -> Iterator[Request]:
            for number, request in enumerate(requests(20)):
                yield request
                if number == 8:
                    time.sleep(0.05)
                    later.enter_context(serve(reader, port=port_of(server)))

        results = [result for batch in engine.stream(starting_it()) for result in batch]
    assert all(isinstance(result, Completion) for result in results)
    assert len(results) == 20


def test_what_is_in_flight_when_the_engine_is_lost_is_still_answered() -> None:
    def refuse(body: dict[str, object]) -> str:
        return "key" if page(body) == 3 else "late"

    with serve(reader, refuse=refuse) as server:
        got: list[Result] = []
        with pytest.raises(EngineUnavailable):
            for batch in OpenAIEngine(settings(server.url, concurrency=8)).stream(requests(100)):
                got.extend(batch)
    assert {result.call_id for result in got} == {"call_0", "call_1", "call_2"}
    assert len(server.bodies) == 4


# All of it


@pytest.mark.parametrize("seed", range(2))
def test_with_a_fifth_of_all_answers_at_fault_each_request_ends_once_and_is_paid_once(seed: int) -> None:
    with serve(reader, shares=MIXTURE, seed=seed) as server:
        results = answered(OpenAIEngine(settings(server.url, concurrency=64, max_retries=6)), 1500)
    assert set(server.met) == {*MIXTURE, ""}
    assert max(server.paid.values()) == 1  # nothing is asked again after an answer
    failed = [result for result in results.values() if isinstance(result, Failure)]
    assert len(server.paid) == 1500 - len(failed)
    assert all(len(result.faults) == 6 for result in failed)
    met = Counter(fault for result in results.values() for fault in result.faults)
    met.update(result.reason for result in failed)
    assert met["rate_limited"] == server.met["rate"]
    assert met["server_error"] == server.met["error"] + server.met["unavailable"]
    assert met["protocol"] == server.met["garbage"]
    assert met["connection"] == server.met["half"] + server.met["close"]
    refusals = [result for result in results.values() if getattr(result, "finish_reason", "") == "refusal"]
    assert len(refusals) == server.met["refusal"]
