"""A server with OpenAI's files and batches on the loopback address, as good or bad as it is told; it can restart."""

import asyncio
import itertools
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from persona_assets_tests.engines.server import FAULTS, Body, completion, status

Line = dict[str, Any]
PAGE = 2  # batches a page of the list holds, so that pages are turned


def good(custom_id: str, text: str) -> Line:
    """A line of the output file."""
    return {"custom_id": custom_id, "response": {"status_code": 200, "body": completion(text)}, "error": None}


def refused(custom_id: str, code: int, message: str, kind: str = "error") -> Line:
    """A line of the error file: the server answered with a status."""
    body = {"error": {"message": message, "code": kind}}
    return {"custom_id": custom_id, "response": {"status_code": code, "body": body}, "error": None}


def unasked(custom_id: str, code: str) -> Line:
    """A line of the error file: the request was never made."""
    return {"custom_id": custom_id, "response": None, "error": {"code": code, "message": f"this is {code}"}}


@dataclass
class BatchServer:
    """What it is told to do, and what it saw.

    `faults`: by endpoint (`chat`, `files`, `create`, `listing`, `retrieve`, `content`), one per call; then none.
    `hold`: endpoints that take no further step until `go` is set; `create` stops before the batch is made,
    `created` after it.
    """

    answer: Callable[[Body], str]
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    hold: set[str] = field(default_factory=set)
    line: Callable[[str, Body], Line | None] | None = None  # instead of a good line; None: no line at all
    ends: list[str] = field(default_factory=list)  # how the next batches end; then they complete
    errors: list[Line] = field(default_factory=list)  # of the batches that fail
    looks: int = 1  # looks at a batch before it has ended
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, Body] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)  # prompts that are paid for
    own: Callable[[Body], tuple[int, Body] | None] = lambda body: None  # what a question asked online gets instead
    queries: set[str] = field(default_factory=set)
    online: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    reached: set[str] = field(default_factory=set)  # endpoints that were held up
    headers: list[dict[str, str]] = field(default_factory=list)
    most_open: int = 0
    go: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    # Endpoints

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        self.online += 1
        if own := self.own(body):
            return web.Response(status=own[0], body=orjson.dumps(own[1]), content_type="application/json")
        self._pay(body)
        return _json(completion(self.answer(body)))

    async def upload(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        assert form["purpose"] == "batch"
        file = form["file"]
        assert isinstance(file, web.FileField)
        return _json({"id": self._keep(file.file.read()), "object": "file", "purpose": "batch"})

    async def create(self, request: web.Request) -> web.StreamResponse:
        order = orjson.loads(await request.read())
        assert (order["endpoint"], order["completion_window"]) == ("/v1/chat/completions", "24h")
        assert order["input_file_id"] in self.files
        await self._held("create")
        batch = {
            "id": f"batch_{next(self._numbers)}",
            "object": "batch",
            "status": "validating",
            "created_at": int(time.time()),
            "input_file_id": order["input_file_id"],
            "metadata": order["metadata"],
            "looks": self.looks,
            "end": self.ends.pop(0) if self.ends else "completed",
        }
        self.batches[batch["id"]] = batch
        if batch["end"] != "failed":
            for line in self._lines(batch):
                self._pay(line["body"])
        self.most_open = max(self.most_open, sum(one["status"] in ("validating", "in_progress") for one in self._all()))
        await self._held("created")
        return _json(batch)

    async def listing(self, request: web.Request) -> web.StreamResponse:
        newest = [batch["id"] for batch in reversed(self._all())]
        after = request.query.get("after")
        rest = newest[newest.index(after) + 1 :] if after else newest
        return _json({"data": [self.batches[one] for one in rest[:PAGE]], "has_more": len(rest) > PAGE})

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return status(404, f"No batch found with id '{request.match_info['id']}'.")
        if batch["looks"] > 0:
            batch["looks"] -= 1
            total = len(self._lines(batch))
            batch |= {"status": "in_progress", "request_counts": {"total": total, "completed": total // 2, "failed": 0}}
        elif batch["status"] == "in_progress" and "end" not in self.hold:
            self._end(batch)
        return _json(batch)

    async def content(self, request: web.Request) -> web.StreamResponse:
        data = self.files[request.match_info["id"]]
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        await self._held("content")
        await response.write(data[len(data) // 2 :])
        return response

    # What they do

    def _pay(self, body: Body) -> None:
        self.asked[orjson.dumps(body["messages"]).decode()] += 1

    def _keep(self, data: bytes) -> str:
        name = f"file-{next(self._numbers)}"
        self.files[name] = data
        return name

    def _all(self) -> list[Body]:
        return [*self.batches.values()]

    def _lines(self, batch: Body) -> list[Line]:
        lines = [orjson.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        assert all((line["method"], line["url"]) == ("POST", "/v1/chat/completions") for line in lines)
        assert len({line["custom_id"] for line in lines}) == len(lines)
        return lines

    def _end(self, batch: Body) -> None:
        batch["status"] = batch["end"]
        if batch["end"] == "failed":
            batch["errors"] = {"object": "list", "data": self.errors}
            return
        batch[f"{batch['end']}_at"] = batch["created_at"] + 60
        out = [self._answer(line["custom_id"], line["body"]) for line in self._lines(batch)]
        told = [line for line in out if line]
        done = [line for line in told if line["response"] and line["response"]["status_code"] == 200]
        failed = [line for line in told if line not in done]
        for key, lines in (("output_file_id", done), ("error_file_id", failed)):
            if lines:
                batch[key] = self._keep(b"".join(orjson.dumps(line) + b"\n" for line in reversed(lines)))
        batch["request_counts"] = {"total": len(out), "completed": len(done), "failed": len(failed)}

    def _answer(self, custom_id: str, body: Body) -> Line | None:
        return self.line(custom_id, body) if self.line else good(custom_id, self.answer(body))

    async def _held(self, moment: str) -> None:
        if moment in self.hold:
            self.reached.add(moment)
            while not self.go.is_set():
                await asyncio.sleep(0.005)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        name = request.match_info.handler.__name__
        name = "files" if name == "upload" else name
        self.calls[name] += 1
        self.headers.append(dict(request.headers))
        self.queries.add(request.query.get("api-version", ""))
        if not self.faults[name]:
            return await handler(request)
        fault = self.faults[name].pop(0)
        if fault in FAULTS:
            await request.read()
            return FAULTS[fault]()
        if fault == "after":  # it does as it is asked, and breaks before it says so
            await handler(request)
            return FAULTS["error"]()
        assert fault in ("close", "half"), fault
        if fault == "half":
            half = web.StreamResponse(headers={"Content-Length": "1000"})
            await half.prepare(request)
            await half.write(b'{"custom_id": "')
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    @contextmanager
    def running(self) -> Iterator["BatchServer"]:
        """Serve; at the same port as before where it has been running already."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        application = web.Application(middlewares=[self.middleware], client_max_size=1 << 28)
        application.router.add_post("/v1/chat/completions", self.chat)
        application.router.add_post("/v1/files", self.upload)
        application.router.add_get("/v1/files/{id}/content", self.content)
        application.router.add_post("/v1/batches", self.create)
        application.router.add_get("/v1/batches", self.listing)
        application.router.add_get("/v1/batches/{id}", self.retrieve)
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)

        async def start() -> int:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True).start()
            return int(runner.addresses[0][1])

        self.port = asyncio.run_coroutine_threadsafe(start(), loop).result()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def _json(value: Any) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
