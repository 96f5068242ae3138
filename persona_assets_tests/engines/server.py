"""A chat completions server on the loopback address that answers well, or as badly as it is told to."""

import asyncio
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

Body = dict[str, Any]
Fault = str  # a name in `FAULTS`, or "" for a good answer
RETRY_AFTER_S = "0.05"


def status(code: int, message: str, **headers: str) -> web.Response:
    """An error in the usual form."""
    body = {"error": {"message": message, "type": "error", "code": None}}
    return web.json_response(body, status=code, headers={key.replace("_", "-"): text for key, text in headers.items()})


FAULTS: Mapping[str, Callable[[], web.Response]] = {
    "rate": lambda: status(429, "too many requests", Retry_After=RETRY_AFTER_S),
    "error": lambda: status(500, "the model fell over"),
    "unavailable": lambda: status(503, "loading"),
    "bad": lambda: status(400, "the prompt is too long for the context"),
    "forbidden": lambda: status(403, "this input is not allowed"),
    "key": lambda: status(401, "no such key: secret-key-of-the-test"),
    "model": lambda: status(404, "The model `m` does not exist"),
    "path": lambda: status(404, "Not Found"),
    "redirect": lambda: web.Response(status=307, headers={"Location": "/elsewhere"}),
    "no_schema": lambda: status(400, "response_format of type json_schema is not supported"),
    "garbage": lambda: web.Response(body=b"\xff\x00 not json"),
    "no_choice": lambda: web.json_response({"choices": []}),
}


@dataclass
class Server:
    """What it is told to do, and what it saw. `faults` is used up first, one per request; then come `shares`."""

    answer: Callable[[Body], str]
    faults: list[Fault] = field(default_factory=list)
    shares: Mapping[Fault, float] = field(default_factory=dict)
    refuse: Callable[[Body], Fault] = lambda body: ""
    delay_s: float = 0.0
    seed: int = 0
    url: str = ""
    bodies: list[Body] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    cancelled: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.delay_s)
            return await self._respond(request, body, self._next_fault(body))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1

    def _next_fault(self, body: Body) -> Fault:
        if fault := self.refuse(body):
            return fault
        if self.faults:
            return self.faults.pop(0)
        names = list(self.shares)
        return self._random.choices([*names, ""], [*self.shares.values(), 1 - sum(self.shares.values())])[0]

    async def _respond(self, request: web.Request, body: Body, fault: Fault) -> web.StreamResponse:
        if fault in FAULTS:
            return FAULTS[fault]()
        if fault == "late":
            await asyncio.sleep(1.0)
        if fault == "close":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if fault == "half":
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'{"choices": [')
            assert request.transport is not None
            request.transport.close()
            return response
        text = '{"wrong": 1}' if fault == "wrong" else self.answer(body)
        return web.json_response(completion(text), dumps=lambda value: orjson.dumps(value).decode())


def completion(text: str | None, finish_reason: str = "stop", **message: Any) -> Body:
    """A completion body."""
    return {
        "choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7},
    }


@contextmanager
def serve(answer: Callable[[Body], str], faults: Iterable[Fault] = (), **options: Any) -> Iterator[Server]:
    """A running server; `url` is its base URL."""
    server = Server(answer, list(faults), **options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    application = web.Application()
    application.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    port = asyncio.run_coroutine_threadsafe(start(), loop).result()
    server.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
