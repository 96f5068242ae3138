"""A loopback server of chat completions for `engines`: one process, standard library, uvloop where there is one.

python benchmarks/engines_server.py [--delay SECONDS] [--faults SEED]

Prints its port. A request is known by the number N in "Document N." of its prompt, and the answer repeats it, so every
client's output can be checked. With --faults a fifth of the requests, drawn by number and try, meet one of nine
faults. GET /stats tells what was seen; it counts as paid what a provider would bill: every right answer that was sent.
"""

import argparse
import asyncio
import hashlib
import json
import re
import time
from collections import Counter
from typing import Any

try:
    import uvloop
except ImportError:
    uvloop = None  # type: ignore[assignment]

FAULT_SHARE = 0.2
FAULTS = ("429", "500", "503", "garbage", "half a body", "closed", "wrong schema", "refusal", "late")
LATE_S = 1.0
NUMBER = re.compile(rb"Document (\d+)\.")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"transfer-encoding: *chunked", re.IGNORECASE)
JSON = b"Content-Type: application/json\r\nContent-Length: "
OK = b"HTTP/1.1 200 OK\r\n" + JSON
BEFORE = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"m","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"'
)
AFTER = (
    b'"},"logprobs":null,"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":60,"completion_tokens":40,"total_tokens":100}}'
)
REFUSAL = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"m","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":null,"refusal":"I cannot help with that.' + AFTER
)
MODELS = b'{"object":"list","data":[{"id":"m","object":"model","created":1767225600,"owned_by":"benchmark"}]}'


def answer(number: int) -> str:
    """The right answer to the prompt about document `number`: JSON, in the form of the prompt `text_to_persona`."""
    personas = [
        {"relation": "read", "persona": f"A beekeeper who reads page {number} in the evening"},
        {"relation": "write", "persona": f"A retired teacher who wrote page {number} for her neighbours"},
    ]
    return json.dumps({"nobody": None, "personas": personas})


def quoted(text: str) -> bytes:
    return json.dumps(text)[1:-1].encode()


RIGHT = BEFORE + quoted(answer(0)).replace(b"page 0", b"page %d") + AFTER
WRONG = BEFORE + quoted('{"people": ["A beekeeper"]}') + AFTER
OTHER = BEFORE + quoted('{"name": "Jason", "age": 25}') + AFTER  # what a client asks before it begins


def response(body: bytes) -> bytes:
    return b"%s%d\r\n\r\n%s" % (OK, len(body), body)


def failure(status: bytes, message: bytes) -> bytes:
    body = b'{"error":{"message":"%s","type":"server_error","code":null}}' % message
    return b"HTTP/1.1 %s\r\n%s%d\r\n\r\n%s" % (status, JSON, len(body), body)


class Book:
    """What the server has seen; times are those of `time.monotonic`."""

    def __init__(self) -> None:
        self.requests, self.tries, self.paid = 0, Counter[int](), Counter[int]()
        self.faults = Counter[str]()
        self.first, self.last = 0.0, 0.0
        self.in_flight, self.most_in_flight = 0, 0

    def stats(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "prompts": len(self.tries),
            "paid": self.paid.total(),
            "most_paid": max(self.paid.values(), default=0),
            "faults": dict(self.faults),
            "window_s": self.last - self.first,
            "most_in_flight": self.most_in_flight,
        }


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive; requests of one connection are answered as they become ready."""

    def __init__(self, book: Book, delay: float, seed: str | None) -> None:
        self.book, self.delay, self.seed = book, delay, seed
        self.buffer = b""
        self.transport: Any = None
        self.later = asyncio.get_running_loop().call_later

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            taken = self.body(head, end + 4)
            if taken is None:
                return
            body, size = taken
            self.buffer = self.buffer[size:]
            if head.startswith(b"POST"):
                self.chat(body)
            else:
                self.get(head)

    def body(self, head: bytes, start: int) -> tuple[bytes, int] | None:
        """The body and where it ends in the buffer, or None where it is not all there."""
        if length := LENGTH.search(head):
            end = start + int(length[1])
            return (self.buffer[start:end], end) if len(self.buffer) >= end else None
        if not CHUNKED.search(head):
            return b"", start
        parts: list[bytes] = []
        while (line := self.buffer.find(b"\r\n", start)) >= 0:
            size = int(self.buffer[start:line].partition(b";")[0], 16)
            start = line + 2 + size + 2
            if len(self.buffer) < start:
                return None
            if size == 0:
                return b"".join(parts), start
            parts.append(self.buffer[line + 2 : start - 2])
        return None

    def get(self, head: bytes) -> None:
        path = head.split(b" ", 2)[1]
        if path == b"/stats":
            self.transport.write(response(json.dumps(self.book.stats()).encode()))
        elif path == b"/v1/models":
            self.transport.write(response(MODELS))
        else:
            self.transport.write(failure(b"404 Not Found", b"no such page"))

    def chat(self, body: bytes) -> None:
        book = self.book
        found = NUMBER.search(body)
        if not found:
            self.transport.write(response(OTHER))
            return
        number = int(found[1])
        book.requests += 1
        book.tries[number] += 1
        book.in_flight += 1
        book.most_in_flight = max(book.most_in_flight, book.in_flight)
        if not book.first:
            book.first = time.monotonic()
        fault = self.fault(number) if self.seed else ""
        delay = self.delay + (LATE_S if fault == "late" else 0)
        if delay:
            self.later(delay, self.send, number, fault)
        else:
            self.send(number, fault)

    def fault(self, number: int) -> str:
        draw = hashlib.blake2b(f"{self.seed} {number} {self.book.tries[number]}".encode(), digest_size=8).digest()
        share = int.from_bytes(draw) / 2**64
        return FAULTS[int(share / FAULT_SHARE * len(FAULTS))] if share < FAULT_SHARE else ""

    def send(self, number: int, fault: str) -> None:
        book = self.book
        book.in_flight -= 1
        book.last = time.monotonic()
        if fault:
            book.faults[fault] += 1
        if not fault or fault == "late":
            book.paid[number] += 1
            body = RIGHT % (number, number)
            self.transport.write(b"%s%d\r\n\r\n%s" % (OK, len(body), body))
            return
        self.transport.write(FAULTY[fault])
        if fault in ("half a body", "closed"):
            self.transport.close()


FAULTY = {
    "429": failure(b"429 Too Many Requests", b"rate limit reached"),
    "500": failure(b"500 Internal Server Error", b"internal error"),
    "503": failure(b"503 Service Unavailable", b"overloaded"),
    "garbage": response(b"\x00\xffno JSON at all<html>"),
    "half a body": response(WRONG)[:-60],
    "closed": b"",
    "wrong schema": response(WRONG),
    "refusal": response(REFUSAL),
}


async def serve(arguments: argparse.Namespace) -> None:
    book = Book()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(book, arguments.delay, arguments.faults), "127.0.0.1", arguments.port, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before an answer")
    parser.add_argument("--faults", help="a seed: a fifth of the requests meet a fault")
    (uvloop or asyncio).run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
