"""OpenAI's files and batches over HTTP: a call a method, files streamed from and to disk, faults as in `faults`.

A call here is seldom and may be large, so each has a connection of its own from the standard library.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import IO, Any, NoReturn, TypeVar, cast
from urllib.parse import quote, urlencode

import orjson

from persona_assets.engines.base import EMPTY, Completion, EngineUnavailable, Request
from persona_assets.engines.openai.faults import GiveUpRow, Sent, TryAgain, clean, delay_s, raise_fault
from persona_assets.engines.openai.form import Form
from persona_assets.engines.openai.wire import (
    ErrorWithin,
    NoContent,
    chat_body,
    endpoint,
    headers,
    read_completion,
    secret_texts,
)
from persona_assets.settings import Settings

CHAT = "/v1/chat/completions"  # what a batch's lines are sent to, whatever the path of the server's address
PIECE = 1 << 20  # bytes of a file that are sent or received at once
LISTED = 100  # batches a page of the server's list holds
CLOCKS_S = 86_400  # by how much the server's clock may be behind this machine's
REMEDY = (
    "PERSONA_BATCH needs a server that has OpenAI's Batch API and a key that may use it; PERSONA_BATCH=false asks one "
    "by one"
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the server shows it; ids of files are "" where there is none, times are Unix seconds."""

    batch_id: str
    status: str
    input_file: str
    output_file: str
    error_file: str
    created_at: float
    seconds: float  # from its creation to its end, 0 before
    done: int
    total: int
    errors: tuple[tuple[str, str], ...]  # code and message, of a batch that failed

    @classmethod
    def of(cls, value: Any) -> "Batch":  # noqa: ANN401 - what a server sent
        """A batch out of its JSON; raises ValueError where it is none."""
        try:
            created = float(value["created_at"])
            ends = [float(value[end]) for end in ("completed_at", "expired_at", "cancelled_at") if value.get(end)]
            counts = value.get("request_counts") or {}
            errors = (value.get("errors") or {}).get("data") or []
            return cls(
                batch_id=str(value["id"]),
                status=str(value["status"]),
                input_file=str(value["input_file_id"]),
                output_file=str(value.get("output_file_id") or ""),
                error_file=str(value.get("error_file_id") or ""),
                created_at=created,
                seconds=max(0.0, ends[0] - created) if ends else 0.0,
                done=int(counts.get("completed") or 0) + int(counts.get("failed") or 0),
                total=int(counts.get("total") or 0),
                errors=tuple((str(error.get("code") or ""), _located(error)) for error in errors),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"no batch: {type(error).__name__} {error}") from error


def _located(error: dict[str, Any]) -> str:
    line = error.get("line")
    return f"{error.get('message') or error}{f' (line {line})' if line is not None else ''}"


class BatchApi:
    """The server at `settings.base_url`. The key goes into one header, nowhere else.

    Every call tries again after a passing fault, `settings.max_retries` times. What it raises else:
        TryAgain: the fault did not pass.
        EngineUnavailable: the server refuses the call; the message says what to do.
    """

    def __init__(self, settings: Settings, closed: threading.Event) -> None:
        """Bind to a server; waits end early when `closed` is set. Raises UsageError as `wire.endpoint` does."""
        self.settings = settings
        self.reached_at = time.monotonic()  # when the server last did as it was asked
        self._closed = closed
        self._base = endpoint(settings.base_url).parent.parent
        self._headers, self._secrets = headers(settings), secret_texts(settings)
        self._answered = False

    def upload(self, file: IO[bytes], size: int) -> str:
        """Upload a file of request lines, `size` bytes; its id at the server."""
        value = self.patiently(partial(self._upload, file, size))
        return str(value["id"])

    def create(self, input_file: str, since: float, name: str) -> Batch:
        """Make a batch of an uploaded file, or find the one that a try before made without our hearing of it."""
        order = {
            "input_file_id": input_file,
            "endpoint": CHAT,
            "completion_window": "24h",
            "metadata": {"persona_assets": name},
        }
        tries = 0

        def attempt() -> Batch:
            nonlocal tries
            tries += 1
            found = self._made_of(input_file, since) if tries > 1 else None
            return found or self._batch("POST", "/batches", orjson.dumps(order))

        return self.patiently(attempt)

    def made_of(self, input_file: str, since: float) -> Batch | None:
        """The batch of an input file that did not fail, made after `since` (Unix seconds); None where there is none."""
        return self.patiently(partial(self._made_of, input_file, since))

    def retrieve(self, batch_id: str) -> Batch:
        """A batch as it is now."""
        return self.patiently(partial(self._batch, "GET", f"/batches/{quote(batch_id, safe='')}"))

    def download(self, file_id: str, into: IO[bytes]) -> None:
        """Write a file's content to `into`."""
        self.patiently(partial(self._download, file_id, into))

    def chat(self, request: Request, form: Form, faults: list[str]) -> Completion:
        """Ask one question at once, at the full price; `faults` takes the reasons of the tries before the last.

        Raises:
            GiveUpRow: the server refuses this request.
            OtherForm: it does not take this form of it.
        """
        return self.patiently(partial(self._chat, request, form, faults), faults)

    def patiently(self, call: Callable[[], T], faults: list[str] | None = None) -> T:
        """Do `call`, again after passing faults, whose reasons go to `faults`."""
        met: list[str] = []
        while True:
            try:
                return call()
            except TryAgain as fault:
                if len(met) == self.settings.max_retries or self._closed.is_set():
                    raise
                met.append(fault.reason)
                if faults is not None:
                    faults.append(fault.reason)
                self._closed.wait(delay_s(len(met), fault.after_s))

    def clean(self, text: str) -> str:
        """A detail fit to be kept: without the key, which some servers repeat, and cut after that."""
        return clean(text, self._secrets)

    # One try

    def _upload(self, file: IO[bytes], size: int) -> dict[str, Any]:
        boundary = secrets.token_hex(16)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--{boundary}\r\n'
            'Content-Disposition: form-data; name="file"; filename="persona_assets.jsonl"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()

        def body() -> Iterator[bytes]:
            yield head
            file.seek(0)
            while piece := file.read(PIECE):
                yield piece
            yield tail

        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + size + len(tail)),
        }
        return self._json("POST", "/files", body(), headers, key="id")

    def _batch(self, method: str, path: str, body: bytes | None = None) -> Batch:
        value = self._json(method, path, body, key="id")
        try:
            return Batch.of(value)
        except ValueError as error:
            raise TryAgain("protocol", str(error)) from error

    def _made_of(self, input_file: str, since: float) -> Batch | None:
        after = ""
        while True:
            page = self._json("GET", f"/batches?limit={LISTED}{after}", key="data")
            try:
                batches = [Batch.of(value) for value in page["data"]]
            except ValueError as error:
                raise TryAgain("protocol", str(error)) from error
            for batch in batches:  # the newest first
                if batch.input_file == input_file and batch.status != "failed":
                    return batch
            if not batches or not page.get("has_more") or batches[-1].created_at < since - CLOCKS_S:
                return None
            after = f"&after={quote(batches[-1].batch_id, safe='')}"

    def _download(self, file_id: str, into: IO[bytes]) -> None:
        into.seek(0)
        into.truncate()
        with self._sent("GET", f"/files/{quote(file_id, safe='')}/content") as response:
            self._check(response)
            while True:
                with self._network():
                    piece = response.read(PIECE)
                if not piece:
                    break
                into.write(piece)
            if response.length:  # `read` with a size ends in silence where a connection breaks off
                raise TryAgain("connection", f"the connection broke off {response.length:,} bytes before the end")

    def _chat(self, request: Request, form: Form, faults: list[str]) -> Completion:
        began = time.monotonic()
        sent = Sent.of(request, form)
        with self._sent("POST", "/chat/completions", chat_body(request, self.settings.model, form)) as response:
            with self._network():
                body = response.read()
            if response.status != 200:
                self._raise_fault(response, response.status, body, answered=self._answered, sent=sent)
        try:
            answer = read_completion(body)
        except ErrorWithin as error:
            self._raise_fault(response, error.status, error.body, answered=self._answered, sent=sent)
        except NoContent as error:
            raise TryAgain(EMPTY, str(error)) from error
        except ValueError as error:
            raise TryAgain("protocol", str(error)) from error
        self._answered = True
        return answer.completion(request.call_id, time.monotonic() - began, tuple(faults))

    # HTTP

    def _json(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
        *,
        key: str,
    ) -> dict[str, Any]:
        """The JSON object of an answer, which must have `key`."""
        with self._sent(method, path, body, headers) as response:
            self._check(response)
            with self._network():
                answer = response.read()
        try:
            value = orjson.loads(answer)
        except ValueError as error:
            raise TryAgain("protocol", f"{path}: the answer is not JSON: {error}") from error
        if not isinstance(value, dict) or key not in value:
            raise TryAgain("protocol", f"{path}: the answer has no {key}")
        self.reached_at = time.monotonic()
        return value

    @contextmanager
    def _sent(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Iterator[HTTPResponse]:
        """The answer to one HTTP request, to be read; redirects are not followed, so the key goes nowhere else."""
        every = {"Accept": "*/*", "User-Agent": "persona-assets", "Connection": "close", **self._headers}
        if headers is None and body is not None:
            headers = {"Content-Type": "application/json"}
        connection = self._connection()
        target = f"{self._base.raw_path.rstrip('/')}{path}"
        if self.settings.query:
            target += f"{'&' if '?' in path else '?'}{urlencode(self.settings.query)}"
        try:
            with self._network(unreachable=True):
                connection.connect()
            connection.sock.settimeout(self.settings.read_timeout_s)
            with self._network():
                # A server that refuses a body may close before it has all of it; its answer says why.
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, target, body, every | (headers or {}))
                response = connection.getresponse()
            yield response
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        kind = HTTPSConnection if self._base.scheme == "https" else HTTPConnection
        return kind(self._base.host or "", self._base.port, timeout=self.settings.connect_timeout_s)

    @contextmanager
    def _network(self, *, unreachable: bool = False) -> Iterator[None]:
        """Turn what a connection raises into a passing fault."""
        try:
            yield
        except TimeoutError as error:
            raise TryAgain("timeout", f"{self._base}: no byte in time", unreachable=unreachable) from error
        except (OSError, HTTPException) as error:
            detail = self.clean(f"{self._base}: {type(error).__name__}: {error}")
            raise TryAgain("connection", detail, unreachable=unreachable) from error

    def _check(self, response: HTTPResponse) -> None:
        """Raise what a status other than 200 means for a call about files or batches."""
        if response.status == 200:
            return
        with self._network():
            body = response.read()
        try:
            self._raise_fault(response, response.status, body, answered=True)
        except GiveUpRow as refused:
            raise EngineUnavailable(f"{self._base}: {refused.detail}; {REMEDY}") from None

    def _raise_fault(
        self, response: HTTPResponse, status: int, body: bytes, *, answered: bool, sent: Sent | None = None
    ) -> NoReturn:
        headers = cast(Mapping[str, str], response.headers)  # blind to case, which a dictionary would not be
        try:
            raise_fault(status, headers, body, answered=answered, sent=sent)
        except EngineUnavailable as error:
            raise EngineUnavailable(self.clean(f"{self._base}: {error}")) from None
        except (TryAgain, GiveUpRow) as fault:
            fault.detail = self.clean(fault.detail)
            raise
