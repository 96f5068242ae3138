import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from persona_assets.engines import pump as pumps
from persona_assets.engines.base import Completion, EngineUnavailable, Request, Result
from persona_assets.engines.pump import Answer, Pump
from persona_assets.errors import UsageError
from persona_assets_tests.engines.openai.test_engine import engine_threads, requests


def answer_of(request: Request) -> Completion:
    return Completion(request.call_id, "text", "stop", 1, 1, 0.0)


def pump_of(source: Iterator[Request], answer: Answer, concurrency: int = 4) -> Pump:
    @asynccontextmanager
    async def session() -> AsyncIterator[Answer]:
        yield answer

    return Pump(source, session, concurrency)


async def at_once(request: Request) -> Result:
    return answer_of(request)


def ids(pump: Pump) -> list[str]:
    return [result.call_id for batch in pump.results() for result in batch]


def test_each_request_is_handed_over_once() -> None:
    assert sorted(ids(pump_of(requests(5000), at_once))) == sorted(f"call_{number}" for number in range(5000))
    assert engine_threads() == []


def test_what_was_pulled_before_the_iterator_broke_is_answered_first() -> None:
    def broken() -> Iterator[Request]:
        yield from requests(3)
        raise UsageError("template tiny: 'text' is undefined")

    got: list[Result] = []
    with pytest.raises(UsageError):
        for batch in pump_of(broken(), at_once).results():
            got.extend(batch)
    assert len(got) == 3


def test_what_is_under_way_when_one_raises_is_handed_over_and_nothing_is_begun() -> None:
    begun: list[str] = []

    async def answer(request: Request) -> Result:
        begun.append(request.call_id)
        if request.call_id == "call_2":
            raise EngineUnavailable("gone")
        await asyncio.sleep(0.3)
        return answer_of(request)

    got: list[Result] = []
    with pytest.raises(EngineUnavailable):
        for batch in pump_of(requests(50), answer).results():
            got.extend(batch)
    assert sorted(result.call_id for result in got) == sorted(set(begun) - {"call_2"})
    assert len(begun) <= 4


def test_nothing_is_tried_again_once_the_engine_is_lost() -> None:
    async def answer(request: Request) -> Result:
        if request.call_id == "call_0":
            await pump.rest(60)
        if request.call_id == "call_1":
            await asyncio.sleep(0.2)
            await pump.rest(60)
        if request.call_id == "call_2":
            await asyncio.sleep(0.1)
            raise EngineUnavailable("gone")
        return answer_of(request)

    began = time.monotonic()
    pump = pump_of(requests(3), answer)
    with pytest.raises(EngineUnavailable):
        ids(pump)
    assert time.monotonic() - began < pumps.GRACE_S


def test_what_takes_longer_than_the_grace_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pumps, "GRACE_S", 0.1)

    async def answer(request: Request) -> Result:
        if request.call_id == "call_1":
            raise EngineUnavailable("gone")
        await asyncio.sleep(60)
        return answer_of(request)

    began = time.monotonic()
    with pytest.raises(EngineUnavailable):
        ids(pump_of(requests(50), answer))
    assert time.monotonic() - began < 30


def test_a_request_that_rests_gives_its_place_to_another() -> None:
    order: list[str] = []

    async def answer(request: Request) -> Result:
        if request.call_id == "call_0":
            await pump.rest(0.2)
        order.append(request.call_id)
        return answer_of(request)

    pump = pump_of(requests(3), answer, concurrency=1)
    ids(pump)
    assert order == ["call_1", "call_2", "call_0"]


def test_no_more_requests_rest_than_memory_should_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pumps, "RESTING", 5)
    resting = most = 0

    async def answer(request: Request) -> Result:
        nonlocal resting, most
        resting += 1
        most = max(most, resting)
        await pump.rest(0.02)
        resting -= 1
        return answer_of(request)

    pump = pump_of(requests(60), answer, concurrency=2)
    assert len(ids(pump)) == 60
    assert most == 7


def test_a_caller_that_is_slow_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pumps, "UNTAKEN", 10)
    monkeypatch.setattr(pumps, "HAND_OVER_S", 0.01)
    pulled = 0

    def counted() -> Iterator[Request]:
        nonlocal pulled
        for request in requests(200):
            pulled += 1
            yield request

    taken = 0
    for batch in pump_of(counted(), at_once).results():
        taken += len(batch)
        time.sleep(0.02)
        assert pulled - taken <= 10 + 4 + 4 + 4
    assert taken == 200


def test_an_iterator_that_blocks_delays_no_answer() -> None:
    blocked = threading.Event()

    def slow() -> Iterator[Request]:
        for number, request in enumerate(requests(5)):
            if number == 3:
                assert blocked.wait(10)
            yield request

    results = pump_of(slow(), at_once).results()
    assert sum(len(next(results)) for _ in range(1)) == 3
    blocked.set()
    assert sum(map(len, results)) == 2
