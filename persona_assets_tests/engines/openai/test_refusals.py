"""What a real server on the loopback address refuses, and where it puts its answers."""

from dataclasses import replace
from typing import Any

import pytest

from persona_assets.engines.base import Completion, EngineUnavailable, Failure, Request, Result, Sampling
from persona_assets.engines.openai import faults
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.errors import UsageError
from persona_assets.prompts import Template
from persona_assets.settings import load_settings
from persona_assets_tests.engines.openai.test_engine import requests
from persona_assets_tests.engines.server import Body, Server, completion, serve
from persona_assets_tests.engines.tiny import TEMPLATE, page, reader, settings

SECRET = "a-secret-of-the-test-server"


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "FIRST_DELAY_S", 0.01)


def answers(server: Server, count: int = 1, **values: Any) -> dict[str, Result]:
    engine = OpenAIEngine(settings(server.url, **values))
    return {result.call_id: result for results in engine.stream(requests(count)) for result in results}


def refused(message: str, status: int = 400, **more: Any) -> tuple[int, Body]:
    return status, {"error": {"message": message, **more}}


def all_answered(results: dict[str, Result]) -> bool:
    return all(isinstance(result, Completion) for result in results.values())


# Parameters


def reasoning_model(body: Body) -> tuple[int, Body] | None:
    """As the models do that know `max_completion_tokens` alone, and one temperature."""
    if "max_tokens" in body:
        return refused("'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
    if body.get("temperature", 1) != 1:
        return refused("'temperature' does not support 0.7 with this model. Only the default (1) value is supported.")
    return None


def test_a_server_that_takes_other_parameters_is_asked_in_its_way() -> None:
    with serve(reader, own=reasoning_model) as server:
        results = answers(server, 30)
    assert all_answered(results)
    body = server.bodies[-1]
    assert (body["max_completion_tokens"], body["top_p"], body["seed"]) == (100, 0.95, 3)
    assert not {"max_tokens", "temperature"} & set(body)


def test_what_was_learned_is_asked_in_vain_once() -> None:
    with serve(reader, own=reasoning_model) as server:
        answers(server, 30, concurrency=1)
    assert len(server.bodies) == 32


def test_a_refusal_of_a_form_that_was_answered_is_one_rows_fault() -> None:
    def own(body: Body) -> tuple[int, Body] | None:
        return refused("temperature is not supported for such a prompt") if page(body) == 3 else None

    with serve(reader, own=own) as server:
        results = answers(server, 6, concurrency=1)
    assert isinstance(results["call_3"], Failure)
    assert len(server.bodies) == 6
    assert all("temperature" in body for body in server.bodies)


def test_a_parameter_that_cannot_be_learned_stops_the_run_before_all_is_sent() -> None:
    def own(body: Body) -> tuple[int, Body]:
        return refused(f"max_tokens is too large: {body['max_tokens']}. At most 64 are supported.")

    with serve(reader, own=own) as server, pytest.raises(EngineUnavailable, match="PERSONA_MAX_TOKENS"):
        answers(server, 200, concurrency=2)
    assert len(server.bodies) < 20


def test_prompts_that_do_not_fit_into_the_context_stop_nothing() -> None:
    def own(body: Body) -> tuple[int, Body] | None:
        words = "the maximum context length is 512 tokens, you asked for 700 and max_tokens 100"
        return refused(words) if page(body) < 20 else None

    with serve(reader, own=own) as server:
        results = answers(server, 22, concurrency=1)
    assert isinstance(results["call_21"], Completion)
    assert sum(isinstance(result, Failure) for result in results.values()) == 20


def test_a_limit_stops_a_run_though_another_template_was_answered() -> None:
    other = Template.model_validate(TEMPLATE.model_dump(exclude_unset=True) | {"version": 4})

    def own(body: Body) -> tuple[int, Body] | None:
        return refused("max_tokens is too large") if body["max_tokens"] > 100 else None

    with serve(reader, own=own) as server:
        engine = OpenAIEngine(settings(server.url, concurrency=1))
        list(engine.stream(requests(2)))
        long = [
            replace(request, template=other, sampling=replace(request.sampling, max_tokens=200))
            for request in requests(9)
        ]
        with pytest.raises(EngineUnavailable, match="max_tokens is too large"):
            list(engine.stream(long))


def test_fields_are_dropped_renamed_and_added_as_set() -> None:
    with serve(reader) as server:
        own = settings(
            server.url,
            drop_fields="temperature,seed",
            rename_fields="max_tokens=max_completion_tokens",
            extra_body='{"reasoning_effort": "low", "top_k": 20}',
        )
        sampling = Sampling.of(own, TEMPLATE)
        messages = TEMPLATE.render({"text": "Page 0 on bees"})
        asked = [Request("call_0", messages, TEMPLATE.response_schema, sampling, TEMPLATE)]
        list(OpenAIEngine(own).stream(asked))
    [body] = server.bodies
    fields = {name: value for name, value in body.items() if name not in ("model", "messages", "response_format")}
    assert fields == {"top_p": 0.95, "max_completion_tokens": 2048, "reasoning_effort": "low", "top_k": 20}


@pytest.mark.parametrize("extra", ['{"messages": []}', "stream=true", "temperature=1", '{"response_format": {}}'])
def test_what_the_program_sets_is_not_set_beside_it(extra: str) -> None:
    with pytest.raises(UsageError, match=r"PERSONA_EXTRA_BODY.*is set by the program"):
        load_settings(extra_body=extra)


def test_headers_and_query_are_sent_and_the_key_where_they_place_it() -> None:
    with serve(reader) as server:
        answers(server, api_key=SECRET, headers="api-key={api_key},X-Title=personas", query="api-version=2024-10-21")
    headers = {name.lower(): text for name, text in server.headers[0].items()}
    assert (headers["api-key"], headers["x-title"]) == (SECRET, "personas")
    assert "authorization" not in headers
    assert server.queries == ["api-version=2024-10-21"]


def test_other_headers_leave_the_key_where_it_was() -> None:
    with serve(reader) as server:
        answers(server, api_key=SECRET, headers="X-Title=personas")
    assert server.headers[0]["Authorization"] == f"Bearer {SECRET}"


def test_a_secret_of_headers_or_query_is_shown_in_no_message() -> None:
    refusal = refused(f"bad: {SECRET}1 {SECRET}2", 401)
    with serve(reader, own=lambda body: refusal) as server, pytest.raises(EngineUnavailable) as caught:
        answers(server, headers={"X-Key": f"{SECRET}1"}, query={"key": f"{SECRET}2"})
    assert SECRET not in str(caught.value)
    with pytest.raises(UsageError) as wrong:
        load_settings(headers=f"X-Key={SECRET}\x01")
    assert SECRET not in str(wrong.value)


# Refused content


MODERATION = [
    refused("Your input was flagged by moderation", 403, metadata={"reasons": ["violence"]}),
    refused("Output blocked by content filtering policy", 403),
    (403, {"code": "data_inspection_failed", "message": "Input data may contain inappropriate content."}),
    refused("输入内容包含敏感信息", 403),
    refused("Запрос содержит недопустимое содержание", 403),
]


@pytest.mark.parametrize("refusal", MODERATION, ids=[str(number) for number in range(len(MODERATION))])
def test_a_page_that_moderation_refuses_first_is_its_own_fault(refusal: tuple[int, Body]) -> None:
    with serve(reader, own=lambda body: refusal if page(body) == 0 else None) as server:
        results = answers(server, 3, concurrency=1)
    first = results["call_0"]
    assert isinstance(first, Failure)
    assert first.reason == "bad_request"
    assert isinstance(results["call_2"], Completion)


def test_a_refusal_without_a_cause_waits_for_what_becomes_of_the_others() -> None:
    with serve(reader, own=lambda body: refused("Forbidden", 403) if page(body) == 0 else None, delay_s=0.3) as server:
        results = answers(server, 4)
    assert isinstance(results["call_0"], Failure)
    assert sum(isinstance(result, Completion) for result in results.values()) == 3


@pytest.mark.parametrize("words", ["Forbidden", "Your account was flagged: a violation of our usage policies"])
def test_a_refusal_that_all_in_flight_meet_stops_the_run(words: str) -> None:
    refusal = refused(words, 403)
    with (
        serve(reader, own=lambda body: refusal) as server,
        pytest.raises(EngineUnavailable, match="PERSONA_API_KEY"),
    ):
        answers(server, 500, concurrency=8)
    assert len(server.bodies) < 30


# Where answers are


def reply(body: Body) -> tuple[int, Body]:
    return 200, body


def one(body: Body, **values: Any) -> Result:
    with serve(reader, own=lambda asked: reply(body)) as server:
        return answers(server, **values)["call_0"]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_a_thought_that_the_server_tells_apart_stands_beside_the_answer(field: str) -> None:
    result = one(completion('{"persona": "A baker"}', **{field: "Кто читает это?"}))
    assert isinstance(result, Completion)
    assert (result.text, result.thought) == ('{"persona": "A baker"}', "Кто читает это?")


def test_the_parts_of_an_answer_are_told_apart() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "想一想"}]},
        {"type": "text", "text": '{"persona": '},
        {"type": "text", "text": '"A baker"}'},
    ]
    result = one({"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]})
    assert isinstance(result, Completion)
    assert (result.text, result.thought) == ('{"persona": "A baker"}', "想一想")


@pytest.mark.parametrize(
    "message",
    [
        {"tool_calls": [{"function": {"name": "json", "arguments": '{"persona": "A baker"}'}}]},
        {"tool_calls": [{"function": {"name": "json", "arguments": {"persona": "A baker"}}}]},
        {"function_call": {"name": "json", "arguments": '{"persona": "A baker"}'}},
    ],
)
def test_the_arguments_of_a_tool_call_are_the_answer_where_there_is_no_content(message: Body) -> None:
    result = one(completion(None, "tool_calls", **message))
    assert isinstance(result, Completion)
    assert result.text.replace(" ", "") == '{"persona":"Abaker"}'


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_an_answer_without_content_is_a_fault_that_passes_and_asked_twice(text: str | None) -> None:
    with serve(reader, own=lambda body: reply(completion(text))) as server:
        result = answers(server)["call_0"]
    assert isinstance(result, Failure)
    assert (result.reason, result.faults, len(server.bodies)) == ("empty", ("empty",), 2)


def test_no_content_under_a_limit_is_an_answer_that_was_cut() -> None:
    result = one(completion("", "length"))
    assert isinstance(result, Completion)
    assert (result.text, result.finish_reason) == ("", "length")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (completion("", "error"), "server_error"),
        (completion('{"persona": "A ba', "error"), "server_error"),
        ({"choices": [{"message": {"content": ""}, "error": {"code": 502, "message": "upstream"}}]}, "server_error"),
        ({"error": {"code": 429, "message": "Rate limit exceeded"}}, "rate_limited"),
        ({"error": {"message": "overloaded", "type": "overloaded_error"}}, "server_error"),
    ],
)
def test_an_error_in_place_of_an_answer_is_tried_again_and_passes(body: Body, reason: str) -> None:
    with serve(reader, own=lambda asked: reply(body) if len(server.bodies) == 1 else None) as server:
        mended = answers(server)["call_0"]
    assert isinstance(mended, Completion)
    assert mended.faults == (reason,)
    failed = one(body, max_retries=1)
    assert isinstance(failed, Failure)
    assert failed.reason == reason
