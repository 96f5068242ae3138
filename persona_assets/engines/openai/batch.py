"""The engine openai through OpenAI's Batch API: half the price, hours to wait, and a crash pays nothing twice.

A batch is recorded in the lake before it is made (`batch_records`) and until its answers are stored, so the next run,
of any shard, finds it at the server and waits on.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Any, NoReturn, TypeVar

import orjson

from persona_assets.engines.base import (
    EMPTY,
    EngineUnavailable,
    Failure,
    ModelIdentity,
    Request,
    Result,
    not_supported,
)
from persona_assets.engines.openai.batch_api import CHAT, Batch, BatchApi
from persona_assets.engines.openai.batch_records import Record, Records
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.engines.openai.faults import GiveUpRow, OtherForm, TryAgain, raise_fault
from persona_assets.engines.openai.form import Form
from persona_assets.engines.openai.wire import ErrorWithin, NoContent, chat_body, read_completion
from persona_assets.lake import Lake
from persona_assets.prompts import Template
from persona_assets.settings import Settings

MOST_BATCHES = 8  # in progress at once; bounds what is read ahead
MOST_BYTES = 190_000_000  # of one batch's lines; the server's limit is 200 MB
HAND_OVER = 1024  # answers in one list
FIRST_TRIES = 5  # questions that are asked online, one after the other, before a server is taken not to answer any
SILENT_S = 3600.0  # a server that has answered no look for this long is taken for gone
LOG_EVERY_S = 60.0
MAKING_POLLS = 2  # times `batch_poll_s` after which a batch that is not at the server was never made
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
QUEUE_FULL = "token_limit_exceeded"  # too many tokens wait at the server: passes when other batches end
NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
REASONS = {"batch_expired": "timeout", "rate_limit_exceeded": "rate_limited"}  # of a line without a response
T = TypeVar("T")
logger = logging.getLogger(__name__)


class BatchEngine:
    """Asks the server of `settings.base_url` in batches of at most `settings.batch_requests` questions.

    The first question of a template is asked online, at the full price: its answer shows in seconds whether key, model
    and the form of the schema are right, which a batch would say after hours.
    """

    def __init__(self, settings: Settings, lake: Lake) -> None:
        """Check the settings; no connection is made before the first request.

        Raises:
            UsageError: no model is named, the address or key is malformed, or there are several addresses.
        """
        self._online = OpenAIEngine(settings)  # checks model and key, and names the model
        self.settings, self.lake = settings, lake
        self.closed = threading.Event()
        self.api = BatchApi(settings, self.closed)
        self.forms: dict[str, Form] = {}  # template digest -> the form that the server takes its questions in

    def identity(self, template: Template) -> ModelIdentity:
        """The model of the settings, whichever the template."""
        return self._online.identity(template)

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        """Answer requests; see `Engine.stream`. Reads ahead what fits into the batches in progress.

        The `latency_s` of an answer is its batch's time from creation to end.

        Raises:
            EngineUnavailable: the server cannot be reached, or refuses key, model or batches; batches in progress stay
                there and in the lake, for the next run.
        """
        yield from _Stream(self, requests).results()

    def close(self) -> None:
        """Stop waiting. Batches in progress are paid for: they stay at the server, and their records in the lake."""
        self.closed.set()
        self._online.close()


@dataclass
class _Waiting:
    """A batch that is waited for, and the calls that this stream wants of it."""

    record: Record
    wanted: set[str] = field(default_factory=set)
    refused: int = 0  # times that the server's queue was full
    logged_at: float = field(default_factory=time.monotonic)


class _Stream:
    """One stream of requests."""

    def __init__(self, engine: BatchEngine, requests: Iterable[Request]) -> None:
        self.engine, self.api, self.settings = engine, engine.api, engine.settings
        self.requests = iter(requests)
        self.more = True
        self.records = Records(engine.lake, self.settings.base_url.strip().rstrip("/"), self.settings.model)
        self.waiting: dict[str, _Waiting] = {}
        self.most = MOST_BATCHES
        self.untold = 0  # questions asked online in a row that were not answered
        self.unavailable: EngineUnavailable | None = None
        self._carried: Request | None = None

    def results(self) -> Iterator[list[Result]]:
        self.api.reached_at = time.monotonic()
        while not self.engine.closed.is_set():
            while self.more and len(self.waiting) < self.most:
                yield from self._collect()
            if not self.waiting:
                return
            ended = 0
            for waiting in list(self.waiting.values()):
                if batch := self._look(waiting):
                    ended += 1
                    yield from self._finish(waiting, batch)
            if not ended:
                self.engine.closed.wait(self.settings.batch_poll_s)

    # Submitting

    def _collect(self) -> Iterator[list[Result]]:
        """Read requests until a batch is full or there are no more, and make it; those it holds already are joined."""
        self.records.refresh()
        call_ids: list[str] = []
        size = 0
        with TemporaryFile() as lines:
            while len(call_ids) < self.settings.batch_requests:
                request = self._next()
                if request is None:
                    break
                if request.scores:
                    yield [not_supported(request, "openai")]
                    continue
                if self._join(request.call_id):
                    continue
                form = self.engine.forms.get(request.template.digest)
                if form is None:
                    yield [self._ask_online(request)]
                    continue
                line = self._line(request, form)
                if call_ids and size + len(line) > MOST_BYTES:
                    self._carried = request
                    break
                size += lines.write(line)
                call_ids.append(request.call_id)
            if call_ids:
                self._submit(lines, size, call_ids)

    def _next(self) -> Request | None:
        request, self._carried = self._carried or next(self.requests, None), None
        self.more = request is not None
        return request

    def _line(self, request: Request, form: Form) -> bytes:
        body = orjson.Fragment(chat_body(request, self.settings.model, form))
        line = {"custom_id": request.call_id, "method": "POST", "url": CHAT, "body": body}
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def _submit(self, lines: IO[bytes], size: int, call_ids: list[str]) -> None:
        record = self.records.make(self._insist(partial(self.api.upload, lines, size)), call_ids)
        self._make(record, _Waiting(record, set(call_ids)))

    def _make(self, record: Record, waiting: _Waiting) -> None:
        """Make the batch of a record; the record tells of it before and after."""
        batch = self._insist(partial(self.api.create, record.input_file, record.since, record.name))
        waiting.record = self.records.made(record, batch.batch_id)
        self.waiting[record.name] = waiting
        logger.info("%s: %s questions submitted", self.api.clean(batch.batch_id), f"{len(record.call_ids):,}")

    def _join(self, call_id: str) -> bool:
        """Wait for the batch that answers a call already, if there is one."""
        record = self.records.holder(call_id)
        if record is None:
            return False
        if record.name not in self.waiting:
            found = self._find(record)
            if found is None:
                self.records.remove(record)
                return False
            self.waiting[record.name] = _Waiting(found)
            logger.info("%s: found again", self.api.clean(found.batch_id))
        self.waiting[record.name].wanted.add(call_id)
        return True

    def _find(self, record: Record) -> Record | None:
        """A record of an earlier run with its batch; None where none was made or it failed, as nothing was paid."""
        if record.batch_id and self._insist(partial(self._retrieve, record)).status != "failed":
            return record
        # One that failed may have been made again just before a crash, and any may just be in the making.
        while True:
            batch = self._insist(partial(self.api.made_of, record.input_file, record.since))
            if batch:
                return self.records.made(record, batch.batch_id)
            if record.batch_id or time.time() - record.since > MAKING_POLLS * self.settings.batch_poll_s:
                return None
            time.sleep(self.settings.batch_poll_s / 4)

    def _ask_online(self, request: Request) -> Result:
        """Ask one question at once, to learn the form that the server takes the template's schema in."""
        faults: list[str] = []
        form = Form.of(self.settings)
        while True:
            try:
                completion = self.api.chat(request, form, faults)
            except OtherForm as fault:
                form = fault.form
                continue
            except (GiveUpRow, TryAgain) as fault:
                self.untold += 1
                if self.untold == FIRST_TRIES or (isinstance(fault, TryAgain) and fault.unreachable):
                    raise EngineUnavailable(
                        f"{fault.detail}; start the server or check PERSONA_BASE_URL and the settings of the request"
                    ) from None
                return Failure(request.call_id, fault.reason, fault.detail, tuple(faults))
            self.untold = 0
            self.engine.forms[request.template.digest] = form
            return completion

    # Waiting

    def _look(self, waiting: _Waiting) -> Batch | None:
        """The batch if it has ended; else None."""
        try:
            batch = self._retrieve(waiting.record)
        except TryAgain as fault:
            if time.monotonic() - self.api.reached_at > SILENT_S:
                self._stop(fault)
            logger.warning("%s; the next look is in %g s", fault.detail, self.settings.batch_poll_s)
            return None
        if batch.status == "failed" and any(code == QUEUE_FULL for code, _ in batch.errors):
            self._make_again(waiting, batch)
            return None
        if time.monotonic() - waiting.logged_at >= LOG_EVERY_S:
            waiting.logged_at = time.monotonic()
            logger.info("%s: %s of %s done", self.api.clean(batch.batch_id), f"{batch.done:,}", f"{batch.total:,}")
        return batch if batch.status in ENDED else None

    def _retrieve(self, record: Record) -> Batch:
        try:
            return self.api.retrieve(record.batch_id)
        except EngineUnavailable as error:
            raise self._with_remedy(error, record) from None

    def _with_remedy(self, error: EngineUnavailable, record: Record) -> EngineUnavailable:
        """Batches that are paid for are never given up without a person's word."""
        path = self.records.path(record.name)
        return EngineUnavailable(f"{error}; if {record.batch_id} is gone for good, delete {path} to ask it again")

    def _make_again(self, waiting: _Waiting, batch: Batch) -> None:
        """Make a batch again that the server had no room for; fewer are kept in progress from then on."""
        message = self.api.clean(batch.errors[0][1])
        alone = len(self.waiting) == 1
        waiting.refused += alone
        if waiting.refused > self.settings.max_retries:
            self.records.remove(waiting.record)
            raise EngineUnavailable(f"{message}; set PERSONA_BATCH_REQUESTS below {len(waiting.record.call_ids)}")
        self.most = max(1, len(self.waiting) - 1)
        logger.warning("%s: %s; it is made again", self.api.clean(batch.batch_id), message)
        self._make(waiting.record, waiting)

    def _insist(self, call: Callable[[], T]) -> T:
        """Do a call that nothing can go on without."""
        try:
            return call()
        except TryAgain as fault:
            self._stop(fault)

    def _stop(self, fault: TryAgain) -> NoReturn:
        raise EngineUnavailable(f"{fault.detail}; batches in progress go on at the server, run again to fetch them")

    # Fetching

    def _finish(self, waiting: _Waiting, batch: Batch) -> Iterator[list[Result]]:
        """Hand over what an ended batch answered, then failures for the rest, then forget it."""
        left = set(waiting.wanted)
        reason, detail = "server_error", f"{batch.batch_id} ended as {batch.status} without an answer"
        if batch.status == "failed":
            reason, detail = self._why(waiting, batch)
        elif batch.status == "expired":
            reason = "timeout"
        for file_id in filter(None, (batch.output_file, batch.error_file)):
            with TemporaryFile() as file:
                self._fetch(waiting.record, file_id, file)
                yield from self._read(file, batch, left)
        if self.unavailable is None:
            failures: list[Result] = [Failure(call_id, reason, self.api.clean(detail)) for call_id in sorted(left)]
            yield from _lists(iter(failures))
        # The caller came back for more: what it was given is stored.
        self.records.settle(waiting.record, waiting.wanted)
        del self.waiting[waiting.record.name]
        if self.unavailable is not None:
            raise self.unavailable

    def _why(self, waiting: _Waiting, batch: Batch) -> tuple[str, str]:
        """Reason and detail for the rows of a batch that failed, as none of them was asked.

        Raises:
            EngineUnavailable: every batch would fail so.
        """
        code, message = batch.errors[0] if batch.errors else ("", "no cause given")
        try:
            self._raise(402 if code in NO_MONEY else 400, {"error": {"code": code, "message": message}})
        except EngineUnavailable:
            self.records.remove(waiting.record)
            raise
        except (GiveUpRow, TryAgain) as fault:
            return fault.reason, f"{batch.batch_id} failed: {message}"

    def _fetch(self, record: Record, file_id: str, file: IO[bytes]) -> None:
        try:
            self._insist(partial(self.api.download, file_id, file))
        except EngineUnavailable as error:
            raise self._with_remedy(error, record) from None
        file.seek(0)

    def _read(self, file: IO[bytes], batch: Batch, left: set[str]) -> Iterator[list[Result]]:
        """The results that a file of answers or errors holds for the calls in `left`, which they leave."""

        def results() -> Iterator[Result]:
            for line in file:
                answer = _answer(line)
                if answer.get("custom_id") in left and (result := self._result(answer, batch.seconds)):
                    left.discard(result.call_id)
                    yield result

        yield from _lists(results())

    def _result(self, answer: dict[str, Any], seconds: float) -> Result | None:
        """What a line says of its call; None where it says that no call can be answered, which is kept for the end."""
        call_id, response = str(answer["custom_id"]), answer.get("response")
        try:
            if not isinstance(response, dict):
                return self._unasked(call_id, answer.get("error"))
            status, body = response.get("status_code"), response.get("body")
            if status != 200:
                self._raise(status if isinstance(status, int) else 500, body)
            return read_completion(orjson.dumps(body)).completion(call_id, seconds)
        except ErrorWithin as error:
            return Failure(call_id, "server_error", self.api.clean(str(error)))
        except NoContent as error:
            return Failure(call_id, EMPTY, str(error))
        except ValueError as error:
            return Failure(call_id, "protocol", self.api.clean(str(error)))
        except (GiveUpRow, TryAgain) as fault:
            return Failure(call_id, fault.reason, self.api.clean(fault.detail))
        except EngineUnavailable as error:
            self.unavailable = EngineUnavailable(self.api.clean(str(error)))
            return None

    def _unasked(self, call_id: str, error: object) -> Failure:
        values = error if isinstance(error, dict) else {}
        code = str(values.get("code") or "")
        if code in NO_MONEY:
            self._raise(402, {"error": values})
        message = f"{code}: {values.get('message') or 'the batch gave no answer'}"
        return Failure(call_id, REASONS.get(code, "server_error"), self.api.clean(message.removeprefix(": ")))

    def _raise(self, status: int, body: object) -> NoReturn:
        raise_fault(status, {}, orjson.dumps(body), answered=True)


def _answer(line: bytes) -> dict[str, Any]:
    """A line of a file of answers; empty, with a warning, where it is none."""
    try:
        value = orjson.loads(line)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    logger.warning("a line of a batch's answers is no JSON object and was skipped")
    return {}


def _lists(results: Iterator[Result]) -> Iterator[list[Result]]:
    while batch := list(islice(results, HAND_OVER)):
        yield batch
