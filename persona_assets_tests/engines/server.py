"""A chat completions server on the loopback address that answers well, or as badly as it is told to."""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

Body = dict[str, Any]
Fault = str  # a name in `FAULTS`, or "" for a good answer
RETRY_AFTER_S = "0.05"
LATE_S = 1.0
STALL_S = 30.0
LARGE = 1 << 20  # bytes
# A fifth of the requests in one of nine ways, for `shares`.
MIXTURE = dict.fromkeys(
    ("rate", "error", "unavailable", "garbage", "half", "close", "wrong", "refusal", "late"), 0.2 / 9
)


def status(code: int, message: str, **headers: str) -> web.Response:
    """An error in the usual form."""
    body = {"error": {"message": message, "type": "error", "code": None}}
    return web.json_response(body, status=code, headers={key.replace("_", "-"): text for key, text in headers.items()})


FAULTS: Mapping[str, Callable[[], web.Response]] = {
    "rate": lambda: status(429, "too many requests", Retry_After=RETRY_AFTER_S),
    "busy": lambda: status(429, "too many requests"),
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
    "refusal": lambda: web.json_response(completion(None, refusal="I will not.")),
    "large": lambda: web.Response(body=b" " * LARGE),
}


@dataclass
class Server:
    """What it is told to do, and what it saw. `faults` is used up first, one per request; then come `shares`.

    Beyond `takes` requests in flight it answers `busy` at once. `paid` counts the answers that were sent, by messages.
    """

    answer: Callable[[Body], str]
    faults: list[Fault] = field(default_factory=list)
    shares: Mapping[Fault, float] = field(default_factory=dict)
    refuse: Callable[[Body], Fault] = lambda body: ""
    own: Callable[[Body], tuple[int, Body] | None] = lambda body: None  # status and body of an answer instead
    delay_s: float = 0.0
    takes: int | None = None
    seed: int = 0
    url: str = ""
    bodies: list[Body] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    cancelled: int = 0
    met: Counter[Fault] = field(default_factory=Counter)
    paid: Counter[bytes] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.queries.append(request.query_string)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.takes is not None and self.in_flight > self.takes:
                self.met["busy"] += 1
                return FAULTS["busy"]()
            own = self.own(body)
            if own and own[0] != 200:
                return web.json_response(own[1], status=own[0])
            await asyncio.sleep(self.delay_s)
            if own:
                return web.json_response(own[1])
            fault = self._next_fault(body)
            self.met[fault] += 1
            response = await self._respond(request, body, fault)
            if fault in ("", "wrong", "refusal", "late"):
                self.paid[orjson.dumps(body["messages"])] += 1
            return response
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
        if fault in ("late", "stall"):
            await asyncio.sleep(LATE_S if fault == "late" else STALL_S)
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
def serve(
    answer: Callable[[Body], str], faults: Iterable[Fault] = (), port: int = 0, **options: Any
) -> Iterator[Server]:
    """A running server; `url` is its base URL. `port`: of its own choice, or that of a server that was there before."""
    server = Server(answer, list(faults), **options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    application = web.Application()
    application.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        return int(runner.addresses[0][1])

    server.url = f"http://127.0.0.1:{asyncio.run_coroutine_threadsafe(start(), loop).result()}/v1"
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
