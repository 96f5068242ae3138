"""Stand-ins for tests of the ledger and of a hop: calls, an engine in memory, a context over HTTP."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from persona_assets.engines.base import Completion, ModelIdentity, Request, Result
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.ids import make_id
from persona_assets.lake import Lake
from persona_assets.ledger.ledger import Call
from persona_assets.prompts import Template
from persona_assets.steps.runner import Context
from persona_assets_tests.engines.server import Server
from persona_assets_tests.engines.tiny import TEMPLATE, settings

NOW = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)


def call(number: int, **values: object) -> Call:
    made = Call(
        call_id=make_id("call", number),
        asset="extracted_personas",
        shard="d.0000",
        template="tiny",
        template_version=1,
        template_digest=TEMPLATE.digest,
        fill=f'{{"document_id": "doc_{number}"}}',
        model="m",
        model_revision="",
        sampling="{}",
        attempt=0,
        answer=f"Ответ {number} 答案 \x00",
        thought="",
        finish_reason="stop",
        tokens_in=5,
        tokens_out=3,
        latency_s=0.25,
        cost=0.0,
        retries=0,
        faults="",
        run_id="run",
        created_at=NOW + timedelta(microseconds=number),
    )
    return replace(made, **values)  # type: ignore[arg-type]


def calls(*numbers: int) -> list[Call]:
    return [call(number) for number in numbers]


def by_id(found: list[Call]) -> dict[str, Call]:
    return {one.call_id: one for one in found}


def over_http(lake: Lake, server: Server, **values: Any) -> Context:
    chosen = settings(server.url, **values)
    return Context(lake, chosen, OpenAIEngine(chosen), "run")


class Scripted:
    """An engine in memory that answers by a function of the request; None is not a result at all."""

    def __init__(self, answer: Callable[[Request], str | None]) -> None:
        self.answer = answer
        self.asked: list[Request] = []

    def identity(self, template: Template) -> ModelIdentity:
        return ModelIdentity("m", "")

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        for request in requests:
            self.asked.append(request)
            text = self.answer(request)
            if text is not None:
                yield [Completion(request.call_id, text, "stop", 11, 7, 0.1)]

    def close(self) -> None:
        """Nothing is open."""


def scripted(text: str | None) -> Scripted:
    return Scripted(lambda request: text)
