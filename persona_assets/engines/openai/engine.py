"""The engine for any server that speaks OpenAI's chat completions: vLLM, OpenAI, Ollama and the rest."""

import logging
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NoReturn

from persona_assets.engines.base import (
    EMPTY,
    Completion,
    EngineUnavailable,
    Failure,
    ModelIdentity,
    Request,
    Result,
    not_supported,
)
from persona_assets.engines.openai.client import Client
from persona_assets.engines.openai.faults import (
    Forbidden,
    GiveUpRow,
    OtherForm,
    Sent,
    TryAgain,
    clean,
    delay_s,
    error_of,
    raise_fault,
)
from persona_assets.engines.openai.form import Form
from persona_assets.engines.openai.limits import Bucket, TokenEstimate
from persona_assets.engines.openai.servers import Pool, Server
from persona_assets.engines.openai.wire import (
    ErrorWithin,
    NoContent,
    chat_body,
    endpoints,
    headers,
    read_completion,
    secret_texts,
)
from persona_assets.engines.pump import Answer, Pump
from persona_assets.errors import UsageError
from persona_assets.prompts import Template
from persona_assets.settings import Settings

REMEDY = (
    "the first requests were all refused so: check PERSONA_MAX_TOKENS, PERSONA_TEMPERATURE, PERSONA_TOP_P and "
    "PERSONA_EXTRA_BODY, or leave the field out with PERSONA_DROP_FIELDS"
)
logger = logging.getLogger(__name__)


class OpenAIEngine:
    """Asks the servers of `settings.base_url`, at most `settings.concurrency` requests at once.

    The key goes into one header, nowhere else.
    """

    def __init__(self, settings: Settings) -> None:
        """Check the settings; no connection is made before the first request.

        Raises:
            UsageError: no model is named, or an address or the key is malformed.

        """
        if not settings.model.strip():
            raise UsageError(
                "the engine openai needs a model: set PERSONA_MODEL to the name that the server knows it by"
            )
        self.settings = settings
        self._endpoints = endpoints(settings.base_url)
        self._headers, self._secrets = headers(settings), secret_texts(settings)
        self._forms: dict[str, Form] = {}  # template digest -> the form that its questions are sent in
        self._requests = Bucket(settings.requests_per_minute) if settings.requests_per_minute else None
        self._tokens = Bucket(settings.tokens_per_minute) if settings.tokens_per_minute else None
        self._estimate = TokenEstimate()
        self._pools: list[Pool] = []  # that no stream uses: their connections, and what was learnt of the servers
        self._pumps: set[Pump] = set()

    def identity(self, template: Template) -> ModelIdentity:
        """The model of the settings, whichever the template."""
        return ModelIdentity(self.settings.model, self.settings.model_revision)

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        """Answer requests, in any order; see `Engine.stream`. `requests` is iterated by one other thread.

        Raises:
            EngineUnavailable: no server can be reached, or one refuses key, model or address.

        """
        pump = Pump(requests, lambda: self._session(pump), self.settings.concurrency)
        self._pumps.add(pump)
        try:
            yield from pump.results()
        finally:
            self._pumps.discard(pump)

    def close(self) -> None:
        """End the streams that are still open; their requests in flight are given up, servers may finish them."""
        for pump in list(self._pumps):
            pump.cancel()
        self._pools.clear()

    @asynccontextmanager
    async def _session(self, pump: Pump) -> AsyncIterator[Answer]:
        pool = self._pools.pop() if self._pools else self._new_pool()
        yield partial(self._answer, pump, pool)
        pool.leave_loop()
        self._pools.append(pool)  # not after an error: then requests may still be in flight

    def _new_pool(self) -> Pool:
        settings = self.settings
        servers = [
            Server(str(address), Client(address, self._headers, settings), settings.concurrency)
            for address in self._endpoints
        ]
        return Pool(servers, settings.concurrency, settings.max_retries, self._requests, self._tokens)

    # One request

    async def _answer(self, pump: Pump, pool: Pool, request: Request) -> Result:
        """Ask until there is an answer, a fault that another try would not mend, or no try left.

        A scoring request is not sent: chat completions give no log-probabilities of a message that is given.
        """
        if request.scores:
            return not_supported(request, "openai")
        faults: tuple[str, ...] = ()
        tokens = self._tokens_of(request)
        try:
            while True:
                slot = await pool.acquire(tokens)
                try:
                    completion = await self._ask(slot.server, request, faults)
                except GiveUpRow as fault:
                    pool.release(slot)
                    self._spent(tokens, 0)
                    return Failure(request.call_id, fault.reason, self._clean(fault.detail), faults)
                except TryAgain as fault:
                    pool.release(slot, fault)
                    if fault.reason != "timeout":  # then the server may have worked all the same
                        self._spent(tokens, 0)
                    # A model that says nothing is paid for each time: it is asked once more and not over and over.
                    if len(faults) == self.settings.max_retries or (fault.reason == EMPTY and EMPTY in faults):
                        return Failure(request.call_id, fault.reason, self._clean(fault.detail), faults)
                    faults += (fault.reason,)
                    if not fault.unreachable:  # the pool knows when that server is tried again, others may be free
                        await pump.rest(delay_s(_backoff(slot.server, faults), fault.after_s))
                else:
                    pool.release(slot)
                    self._learn(tokens, completion)
                    return completion
        except EngineUnavailable as error:
            pool.stop(error)
            raise

    async def _ask(self, server: Server, request: Request, faults: tuple[str, ...]) -> Completion:
        template = request.template.digest
        while True:
            form = self._form(template)
            try:
                return await self._post(server, request, form, faults)
            except OtherForm as fault:
                if server.forms.get(template) == form:  # it answered others in this one
                    raise GiveUpRow("bad_request", fault.detail) from fault
                if self._form(template) == form:  # else another one in flight met it before, and it is sent so already
                    logger.warning("%s: %s; now sent %s", server.address, self._clean(fault.detail), fault.form)
                    self._forms[template] = fault.form
            except Forbidden as error:
                if not await server.answers_others():
                    raise
                raise GiveUpRow("bad_request", str(error)) from error

    def _form(self, template: str) -> Form:
        """The form that the questions of a template, by its digest, are sent in."""
        return self._forms.get(template) or Form.of(self.settings)

    async def _post(self, server: Server, request: Request, form: Form, faults: tuple[str, ...]) -> Completion:
        """One HTTP request.

        Raises:
            TryAgain, GiveUpRow, OtherForm, EngineUnavailable: see `faults`.

        """
        body = chat_body(request, self.settings.model, form)
        sent = time.monotonic()
        reply = await server.client.post(body)
        if reply.status != 200:
            self._refuse(server, request, form, reply.status, reply.body, reply.retry_after)
        try:
            answer = read_completion(reply.body)
        except ErrorWithin as error:
            self._refuse(server, request, form, error.status, error.body, reply.retry_after)
        except NoContent as error:
            raise TryAgain(EMPTY, str(error)) from error
        except ValueError as error:
            raise TryAgain("protocol", str(error)) from error
        server.answered = True
        server.forms[request.template.digest] = form
        return answer.completion(request.call_id, time.monotonic() - sent, faults)

    def _refuse(
        self, server: Server, request: Request, form: Form, status: int, body: bytes, retry_after: str
    ) -> NoReturn:
        """Raise what a refusal means; the run stops where the first ones all say the same of a parameter."""
        try:
            raise_fault(
                status, {"Retry-After": retry_after}, body, answered=server.answered, sent=Sent.of(request, form)
            )
        except GiveUpRow as fault:
            template = request.template.digest
            if template not in server.forms and server.refused_alike(template, _complaint(request, form, body)):
                raise EngineUnavailable(f"{self._clean(f'{server.address}: {fault.detail}')}; {REMEDY}") from None
            raise
        except Forbidden as error:
            raise Forbidden(self._clean(f"{server.address}: {error}")) from None
        except EngineUnavailable as error:
            raise EngineUnavailable(self._clean(f"{server.address}: {error}")) from None

    # Tokens per minute

    def _tokens_of(self, request: Request) -> float:
        if self._tokens is None:
            return 0.0
        characters = sum(len(message["content"]) for message in request.messages)
        return self._estimate.of(characters, request.sampling.max_tokens)

    def _learn(self, tokens: float, completion: Completion) -> None:
        if used := completion.tokens_in + completion.tokens_out:  # else the server does not tell: the estimate stands
            self._estimate.learn(completion.tokens_out)
            self._spent(tokens, used)

    def _spent(self, tokens: float, used: int) -> None:
        """Set right what the estimate of a request was wrong by."""
        if self._tokens is not None:
            self._tokens.give(tokens - used)

    def _clean(self, text: str) -> str:
        return clean(text, self._secrets)


def _complaint(request: Request, form: Form, body: bytes) -> str:
    """What a refusal says of a field of the request that is set, by the name that it was sent by; "" for others."""
    return error_of(body).complaint([*map(form.name, request.sampling.fields), *request.sampling.extra_body])


def _backoff(server: Server, faults: tuple[str, ...]) -> int:
    """The retry as which the next one counts for its delay; 0 after a chance fault.

    Waits that grow are for a server in trouble. One that answered another request a moment ago is not relieved by them,
    unless it keeps count of requests.
    """
    if faults[-1] == "rate_limited":
        return faults.count("rate_limited")
    return min(len(faults), server.in_a_row) if server.in_a_row > 1 else 0
