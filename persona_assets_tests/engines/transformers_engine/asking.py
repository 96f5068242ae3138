"""Requests to a tiny model, and their results."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from persona_assets.engines.base import Completion, Engine, Request, Result, Sampling
from persona_assets.prompts import Message
from persona_assets_tests.engines.tiny import TEMPLATE

GREEDY, SAMPLED = Sampling(0.0, 0.95, 12, 3), Sampling(0.9, 0.95, 12, 3)


def ask(number: int, sampling: Sampling = GREEDY, text: str = "", **values: Any) -> Request:
    """A question whose prompt is the longer the higher its number."""
    content = text or f"Page {number} on bees" + " and honey" * number
    request = Request(f"call_{number}", [Message(role="user", content=content)], {}, sampling, TEMPLATE)
    return replace(request, **values)


def score(number: int, continuation: str, text: str = "") -> Request:
    """A continuation to be scored after such a question."""
    asked = ask(number, text=text)
    said = Message(role="assistant", content=continuation)
    return replace(asked, messages=[*asked.messages, said], scores=True)


def results(engine: Engine, requests: Iterable[Request]) -> dict[str, Result]:
    """All results by call."""
    return {result.call_id: result for found in engine.stream(iter(requests)) for result in found}


def texts(found: dict[str, Result]) -> dict[str, str]:
    """The answers by call; every result has to be one."""
    for result in found.values():
        assert isinstance(result, Completion), result
    return {call_id: result.text for call_id, result in found.items() if isinstance(result, Completion)}


def alone(engine: Engine, requests: Iterable[Request]) -> dict[str, str]:
    """The answers to requests that are asked one by one."""
    return {call_id: text for request in requests for call_id, text in texts(results(engine, [request])).items()}


def scored(text: str) -> tuple[float, int]:
    """The log-probability and the number of tokens that an answer tells."""
    value = orjson.loads(text)
    assert list(value) == ["logprob", "tokens"]
    return value["logprob"], value["tokens"]
