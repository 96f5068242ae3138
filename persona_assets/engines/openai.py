"""The engine for any server that speaks OpenAI's chat completions: vLLM, OpenAI, Ollama and the rest."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp

from persona_assets.engines.base import Completion, EngineUnavailable, Failure, ModelIdentity, Request, Result
from persona_assets.engines.faults import GiveUpRow, NoStructuredOutput, TryAgain, delay_s, raise_fault
from persona_assets.engines.pump import Answer, Pump
from persona_assets.engines.wire import Structure, chat_body, endpoint, read_completion
from persona_assets.errors import UsageError
from persona_assets.prompts import Template
from persona_assets.settings import Settings

CONNECT_S = 10.0  # a server that takes longer to accept a connection is taken for down
DETAIL_CHARACTERS = 300  # of a fault's detail that is kept
KEY_SHOWN = "***"  # what stands for the key where a server's error message repeats it


class OpenAIEngine:
    """Asks `settings.base_url`, `settings.concurrency` requests at once. The key goes into one header, nowhere else."""

    def __init__(self, settings: Settings) -> None:
        """Check the settings; no connection is made before the first request.

        Raises:
            UsageError: no model is named, or the address or key is malformed.

        """
        if not settings.model.strip():
            raise UsageError(
                "the engine openai needs a model: set PERSONA_MODEL to the name that the server knows it by"
            )
        self.settings = settings
        self._endpoint = endpoint(settings.base_url)
        self._key = settings.api_key.get_secret_value().strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise UsageError("PERSONA_API_KEY holds characters that no HTTP header may hold")
        self._structures: dict[str, Structure] = {}  # template digest -> the form that the server takes its schema in
        self._answered = False
        self._reached_at = float("-inf")
        self._pumps: set[Pump] = set()

    def identity(self, template: Template) -> ModelIdentity:
        """The model of the settings, whichever the template."""
        return ModelIdentity(self.settings.model, self.settings.model_revision)

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        """Answer requests, in any order; see `Engine.stream`. `requests` is iterated by one other thread.

        Raises:
            EngineUnavailable: the server cannot be reached, or refuses key, model or address.

        """
        pump = Pump(requests, self._session, self.settings.concurrency)
        self._pumps.add(pump)
        try:
            yield from pump.results()
        finally:
            self._pumps.discard(pump)

    def close(self) -> None:
        """End the streams that are still open; their requests in flight are cancelled."""
        for pump in list(self._pumps):
            pump.cancel()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Answer]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        total = self.settings.timeout_s
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.settings.concurrency),
            timeout=aiohttp.ClientTimeout(total=total, sock_connect=min(CONNECT_S, total)),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            yield partial(self._answer, session)

    # One request

    async def _answer(self, session: aiohttp.ClientSession, request: Request) -> Result:
        """Ask until there is an answer, a fault that another try would not mend, or no try left."""
        began = time.monotonic()
        faults: tuple[str, ...] = ()
        while True:
            try:
                return await self._ask(session, request, faults)
            except GiveUpRow as fault:
                return Failure(request.call_id, fault.reason, self._clean(fault.detail), faults)
            except TryAgain as fault:
                if len(faults) == self.settings.max_retries:
                    self._stop_if_gone(fault, began)
                    return Failure(request.call_id, fault.reason, self._clean(fault.detail), faults)
                faults += (fault.reason,)
                await asyncio.sleep(delay_s(len(faults), fault.after_s))

    async def _ask(self, session: aiohttp.ClientSession, request: Request, faults: tuple[str, ...]) -> Completion:
        while True:
            structure = self._structures.get(request.template.digest, Structure.JSON_SCHEMA)
            try:
                return await self._post(session, request, structure, faults)
            except NoStructuredOutput:
                # Other requests in flight may have met it too: the form goes down by one, however many say so.
                known = self._structures.get(request.template.digest, Structure.JSON_SCHEMA)
                self._structures[request.template.digest] = max(known, Structure(structure + 1))

    async def _post(
        self, session: aiohttp.ClientSession, request: Request, structure: Structure, faults: tuple[str, ...]
    ) -> Completion:
        """One HTTP request.

        Raises:
            TryAgain, GiveUpRow, NoStructuredOutput, EngineUnavailable: see `faults`.

        """
        body = chat_body(request, self.settings.model, structure)
        sent = time.monotonic()
        try:
            async with session.post(self._endpoint, data=body, allow_redirects=False) as response:
                self._reached_at = time.monotonic()
                answer = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TryAgain("connection", f"{type(error).__name__}: {error}", unreachable=True) from error
        except TimeoutError as error:
            raise TryAgain("timeout", f"no answer within {self.settings.timeout_s:g} s") from error
        except aiohttp.ClientError as error:
            raise TryAgain("connection", f"{type(error).__name__}: {error}") from error
        if response.status != 200:
            structured = bool(request.response_schema) and structure is not Structure.PROMPT
            self._raise_fault(response, answer, structured)
        try:
            text, finish_reason, tokens_in, tokens_out = read_completion(answer)
        except ValueError as error:
            raise TryAgain("protocol", str(error)) from error
        self._answered = True
        latency_s = time.monotonic() - sent
        return Completion(request.call_id, text, finish_reason, tokens_in, tokens_out, latency_s, faults)

    def _raise_fault(self, response: aiohttp.ClientResponse, body: bytes, structured: bool) -> None:
        try:
            raise_fault(response.status, response.headers, body, answered=self._answered, structured=structured)
        except EngineUnavailable as error:
            raise EngineUnavailable(self._clean(f"{self._endpoint}: {error}")) from None

    def _stop_if_gone(self, fault: TryAgain, began: float) -> None:
        """Stop the run where no connection can be made and the server has answered nobody since this request began.

        A connection that breaks off is the row's fault only: one prompt that makes a server fall over must not end
        the partition.
        """
        if fault.unreachable and self._reached_at < began:
            raise EngineUnavailable(
                f"{self._endpoint}: {self._clean(fault.detail)}; start the server or check PERSONA_BASE_URL"
            )

    def _clean(self, text: str) -> str:
        """A detail fit to be kept: without the key, which some servers repeat, and cut after that."""
        return (text.replace(self._key, KEY_SHOWN) if self._key else text)[:DETAIL_CHARACTERS]
