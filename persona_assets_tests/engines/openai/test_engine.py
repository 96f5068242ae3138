import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from persona_assets.engines.base import Completion, EngineUnavailable, Failure, Request, Result, Sampling
from persona_assets.engines.openai import client, faults
from persona_assets.engines.openai import engine as openai
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.engines.select import make_engine
from persona_assets.errors import UsageError
from persona_assets_tests.engines.server import LARGE, Server, completion, serve
from persona_assets_tests.engines.tiny import TEMPLATE, page, reader, settings

SAMPLING = Sampling(0.7, 0.95, 100, 3)
KEY = "secret-key-of-the-test"


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "FIRST_DELAY_S", 0.01)


def requests(count: int) -> Iterator[Request]:
    for number in range(count):
        messages = TEMPLATE.render({"text": f"Page {number} on bees"})
        yield Request(f"call_{number}", messages, TEMPLATE.response_schema, SAMPLING, TEMPLATE)


def answers(server: Server, count: int = 1, **values: Any) -> dict[str, Result]:
    engine = OpenAIEngine(settings(server.url, **values))
    return {result.call_id: result for results in engine.stream(requests(count)) for result in results}


def test_every_request_is_answered_with_its_usage() -> None:
    with serve(reader) as server:
        results = answers(server, 50)
    assert sorted(results) == sorted(f"call_{number}" for number in range(50))
    one = results["call_7"]
    assert isinstance(one, Completion)
    assert one.text == '{"persona": "A beekeeper who reads page 7"}'
    assert (one.finish_reason, one.tokens_in, one.tokens_out, one.retries) == ("stop", 11, 7, 0)
    assert one.latency_s > 0


def test_the_request_holds_model_messages_sampling_and_schema() -> None:
    with serve(reader) as server:
        answers(server)
    assert server.bodies == [
        {
            "model": "m",
            "messages": TEMPLATE.render({"text": "Page 0 on bees"}),
            **SAMPLING.as_dict(),
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "tiny", "schema": TEMPLATE.response_schema, "strict": True},
            },
        }
    ]


def test_nothing_is_sent_to_be_scored() -> None:
    with serve(reader) as server:
        asked = [replace(request, scores=request.call_id != "call_1") for request in requests(3)]
        engine = OpenAIEngine(settings(server.url))
        results = {result.call_id: result for found in engine.stream(asked) for result in found}
    assert [page(body) for body in server.bodies] == [1]
    detail = "the engine openai does not score: use transformers or vllm"
    assert results["call_0"] == Failure("call_0", "not_supported", detail)
    assert results["call_2"] == Failure("call_2", "not_supported", detail)
    assert isinstance(results["call_1"], Completion)


def test_no_more_requests_are_in_flight_than_set_and_few_are_read_ahead() -> None:
    pulled = 0

    def counted() -> Iterator[Request]:
        nonlocal pulled
        for request in requests(100):
            pulled += 1
            yield request

    with serve(reader, delay_s=0.01) as server:
        engine = OpenAIEngine(settings(server.url, concurrency=4))
        ahead = [pulled - len(server.bodies) for _ in engine.stream(counted())]
    assert server.most_in_flight == 4
    assert max(ahead) <= 8


def test_answers_come_before_the_iterator_is_through() -> None:
    first = threading.Event()

    def slow() -> Iterator[Request]:
        for request in requests(3):
            yield request
            assert first.wait(10)

    with serve(reader) as server:
        stream = OpenAIEngine(settings(server.url)).stream(slow())
        assert len(next(stream)) == 1
        first.set()
        assert sum(len(results) for results in stream) == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("rate", "rate_limited"),
        ("error", "server_error"),
        ("unavailable", "server_error"),
        ("garbage", "protocol"),
        ("no_choice", "protocol"),
        ("close", "connection"),
        ("half", "connection"),
    ],
)
class TestPassingFault:
    def test_is_tried_again(self, fault: str, reason: str) -> None:
        with serve(reader, faults=[fault, fault]) as server:
            result = answers(server)["call_0"]
        assert isinstance(result, Completion)
        assert result.retries == 2

    def test_that_does_not_pass_fails_the_row(self, fault: str, reason: str) -> None:
        with serve(reader, refuse=lambda body: fault if page(body) == 1 else "") as server:
            results = answers(server, 3, max_retries=1)
        failed = results.pop("call_1")
        assert isinstance(failed, Failure)
        assert (failed.reason, failed.retries) == (reason, 1)
        assert all(isinstance(result, Completion) for result in results.values())
        assert Counter(map(page, server.bodies)) == {0: 1, 1: 2, 2: 1}


def test_an_answer_that_is_late_times_out_and_is_tried_again() -> None:
    with serve(reader, faults=["late"]) as server:
        result = answers(server, timeout_s=0.3)["call_0"]
    assert isinstance(result, Completion)
    assert result.retries == 1


def test_a_request_that_always_times_out_fails_its_row() -> None:
    with serve(reader, delay_s=5) as server:
        result = answers(server, timeout_s=0.1, max_retries=1)["call_0"]
    assert result == Failure("call_0", "timeout", "no answer within 0.1 s", ("timeout",))


def test_a_server_that_stalls_is_told_from_one_that_is_slow() -> None:
    with serve(reader, shares={"stall": 1.0}) as server:
        result = answers(server, read_timeout_s=0.1, max_retries=0)["call_0"]
    assert result == Failure("call_0", "timeout", "no byte of an answer for 0.1 s")


def test_a_server_that_accepts_no_connection_stops_the_run_after_the_time_for_that() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        host, port = full.getsockname()
        with socket.create_connection((host, port)), ExitStack() as more:
            for _ in range(3):  # fill the queue of connections that nobody accepts
                waiting = more.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex((host, port))
            engine = OpenAIEngine(settings(f"http://{host}:{port}/v1", connect_timeout_s=0.1, max_retries=0))
            with pytest.raises(EngineUnavailable, match=r"no connection within 0\.1 s; start the server"):
                list(engine.stream(requests(1)))


def test_an_answer_that_is_too_large_for_memory_fails_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_BYTES", LARGE - 1)
    with serve(reader, faults=["large"]) as server:
        results = answers(server, 2, concurrency=1)
    assert results["call_0"] == Failure("call_0", "protocol", "the answer is larger than 0 MiB")
    assert isinstance(results["call_1"], Completion)
    assert len(server.bodies) == 2


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serve(reader) as server:
        assert isinstance(answers(server)["call_0"], Completion)


def test_the_wait_that_a_server_asks_for_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float | None] = []

    def recorded(retry: int, after_s: float | None) -> float:
        asked.append(after_s)
        return 0.0

    monkeypatch.setattr(openai, "delay_s", recorded)
    with serve(reader, faults=["rate", "error"]) as server:
        answers(server)
    assert asked == [0.05, None]


@pytest.mark.parametrize(("fault", "retries"), [("error", [0, 2, 3]), ("busy", [1, 2, 3])])
def test_waits_grow_while_a_server_answers_nobody_or_counts_requests(
    fault: str, retries: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def recorded(retry: int, after_s: float | None) -> float:
        asked.append(retry)
        return 0.0

    monkeypatch.setattr(openai, "delay_s", recorded)
    with serve(reader, faults=[fault] * 3) as server:
        answers(server)
    assert asked == retries


def test_a_fault_by_chance_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def recorded(retry: int, after_s: float | None) -> float:
        asked.append(retry)
        return 0.0

    monkeypatch.setattr(openai, "delay_s", recorded)
    with serve(reader, faults=["", "error", "", "error", "", "error", ""]) as server:
        answers(server, 9, concurrency=1)
    assert asked == [0, 0, 0]


def test_a_bad_request_fails_its_row_only_and_is_not_repeated() -> None:
    with serve(reader, refuse=lambda body: "bad" if page(body) == 1 else "") as server:
        results = answers(server, 3)
    detail = "HTTP 400: the prompt is too long for the context"
    assert results["call_1"] == Failure("call_1", "bad_request", detail)
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        ("key", "PERSONA_API_KEY"),
        ("forbidden", "PERSONA_API_KEY"),
        ("model", "PERSONA_MODEL"),
        ("path", "PERSONA_BASE_URL"),
        ("redirect", "PERSONA_BASE_URL"),
    ],
)
def test_what_is_wrong_with_every_request_stops_the_run_with_a_remedy(fault: str, remedy: str) -> None:
    with serve(reader, shares={fault: 1.0}) as server, pytest.raises(EngineUnavailable, match=remedy):
        answers(server, 3, concurrency=1)
    assert len(server.bodies) == 1


def test_a_refused_input_after_an_answer_is_its_rows_fault() -> None:
    with serve(reader, refuse=lambda body: "forbidden" if page(body) == 1 else "") as server:
        results = answers(server, 3, concurrency=1)
    assert isinstance(results["call_1"], Failure)
    assert isinstance(results["call_2"], Completion)


def test_answers_before_the_engine_is_lost_are_still_handed_over() -> None:
    with serve(reader, refuse=lambda body: "key" if page(body) == 5 else "") as server:
        got: list[Result] = []
        with pytest.raises(EngineUnavailable):
            for results in OpenAIEngine(settings(server.url, concurrency=1)).stream(requests(9)):
                got.extend(results)
    assert [result.call_id for result in got] == [f"call_{number}" for number in range(5)]


def test_a_server_that_is_not_there_stops_the_run_with_its_address() -> None:
    with serve(reader) as server:
        gone = server.url
    engine = OpenAIEngine(settings(gone, max_retries=1))
    with pytest.raises(EngineUnavailable, match=f"{gone}/chat/completions: .*start the server"):
        list(engine.stream(requests(3)))


def test_a_refusal_is_an_answer_with_that_reason() -> None:
    with serve(reader, faults=["refusal"]) as server:
        result = answers(server)["call_0"]
    assert isinstance(result, Completion)
    assert (result.text, result.finish_reason) == ("I will not.", "refusal")


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_the_finish_reason_is_handed_on(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = completion("I will", reason, refusal=None)
    monkeypatch.setattr("persona_assets_tests.engines.server.completion", lambda text: body)
    with serve(reader) as server:
        result = answers(server)["call_0"]
    assert isinstance(result, Completion)
    assert (result.text, result.finish_reason) == ("I will", reason)


def test_usage_that_is_not_told_counts_as_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"choices": [{"message": {"content": "x"}}], "usage": None}
    monkeypatch.setattr("persona_assets_tests.engines.server.completion", lambda text: body)
    with serve(reader) as server:
        result = answers(server)["call_0"]
    assert isinstance(result, Completion)
    assert (result.tokens_in, result.tokens_out, result.finish_reason) == (0, 0, "unknown")


def test_a_server_without_schemas_is_asked_in_json_mode_with_the_schema_in_words() -> None:
    lacks = {"json_schema"}

    def refuse(body: dict[str, Any]) -> str:
        return "no_schema" if body.get("response_format", {}).get("type") in lacks else ""

    with serve(reader, refuse=refuse) as server:
        results = answers(server, 20, concurrency=1)
    assert all(isinstance(result, Completion) and result.retries == 0 for result in results.values())
    assert len(server.bodies) == 21  # asked once in vain, then never again
    assert server.bodies[-1]["response_format"] == {"type": "json_object"}
    assert '"minLength":3' in server.bodies[-1]["messages"][0]["content"]
    assert server.bodies[-1]["messages"][1:] == TEMPLATE.render({"text": "Page 19 on bees"})[1:]


def test_a_server_without_any_json_mode_is_asked_in_words_only() -> None:
    with serve(reader, refuse=lambda body: "no_schema" if "response_format" in body else "") as server:
        results = answers(server, 40)
    assert all(isinstance(result, Completion) for result in results.values())
    assert "response_format" not in server.bodies[-1]


def test_the_key_is_sent_in_the_header_and_shown_nowhere() -> None:
    with serve(reader, shares={"key": 1.0}) as server, pytest.raises(EngineUnavailable) as caught:
        answers(server, api_key=KEY)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in str(caught.value)
    assert "no such key: ***" in str(caught.value)


def test_no_key_sends_no_header() -> None:
    with serve(reader) as server:
        answers(server)
    assert "Authorization" not in server.headers[0]


def engine_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("engine", "requests"))]


def test_a_consumer_that_stops_early_cancels_what_is_in_flight() -> None:
    with serve(reader, refuse=lambda body: "late" if page(body) else "") as server:
        stream = OpenAIEngine(settings(server.url, concurrency=4)).stream(requests(1000))
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert engine_threads() == []
    assert len(server.bodies) < 20


def test_close_ends_an_open_stream() -> None:
    with serve(reader, refuse=lambda body: "late" if page(body) else "") as server:
        engine = OpenAIEngine(settings(server.url, concurrency=4))
        stream = engine.stream(requests(1000))
        next(stream)
        engine.close()
        list(stream)
        assert engine_threads() == []
    assert len(server.bodies) < 20


def test_an_error_of_the_request_iterator_reaches_the_consumer() -> None:
    def broken() -> Iterator[Request]:
        yield from requests(2)
        raise UsageError("template tiny: 'text' is undefined")

    with serve(reader) as server, pytest.raises(UsageError, match="undefined"):
        list(OpenAIEngine(settings(server.url)).stream(broken()))
    assert engine_threads() == []


def test_no_requests_need_no_server() -> None:
    assert list(OpenAIEngine(settings("http://127.0.0.1:1/v1")).stream(iter(()))) == []


def test_the_identity_is_model_and_revision() -> None:
    engine = make_engine(settings("http://127.0.0.1/v1", model="large", model_revision="r2"))
    assert (engine.identity(TEMPLATE).model, engine.identity(TEMPLATE).revision) == ("large", "r2")


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"model": " "}, "PERSONA_MODEL"),
        ({"base_url": "ftp://host/v1"}, "PERSONA_BASE_URL"),
        ({"base_url": "localhost:8000/v1"}, "PERSONA_BASE_URL"),
        ({"base_url": "http://user:word@host/v1"}, "PERSONA_API_KEY"),
        ({"base_url": "http://host:99999999/v1"}, "PERSONA_BASE_URL"),
        ({"base_url": "http://one/v1,two/v1"}, "PERSONA_BASE_URL"),
        ({"base_url": " , "}, "PERSONA_BASE_URL"),
        ({"api_key": "two\nlines"}, "PERSONA_API_KEY"),
    ],
)
def test_wrong_settings_are_named_before_any_request(values: dict[str, str], name: str) -> None:
    with pytest.raises(UsageError, match=name) as caught:
        make_engine(settings(**{"url": "http://127.0.0.1/v1"} | values))
    assert "word" not in str(caught.value).replace("password", "")
