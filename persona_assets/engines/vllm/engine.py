"""The engine that runs vLLM on this machine: no server, no key, the GPUs (or the CPU) to itself while it works."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from persona_assets.engines.base import EngineUnavailable, ModelIdentity, Request, Result
from persona_assets.engines.pump import Answer, Pump
from persona_assets.engines.vllm.process import REMEDIES, Process
from persona_assets.engines.weights import local_revision, place_of
from persona_assets.errors import UsageError
from persona_assets.prompts import Template
from persona_assets.settings import Settings

COMMAND = (sys.executable, "-m", "persona_assets.engines.vllm.worker")
REFILL = 2  # requests given to vLLM per sequence that it runs at once: as many wait as run, so it never runs dry


class VllmEngine:
    """Runs vLLM in a process of its own, which is started by the first request and ended by `close`.

    The process can be killed where it hangs, gives back all GPU memory when it ends, and needs no lock of ours.
    """

    def __init__(self, settings: Settings, command: Sequence[str] = COMMAND) -> None:
        """Check the settings; neither is vLLM imported nor the process started before the first request.

        `command` starts a program that speaks the protocol of `vllm_worker`.

        Raises:
            UsageError: no model is named, or the further options are no JSON object.

        """
        if not settings.model.strip():
            raise UsageError("the engine vllm needs a model: set PERSONA_MODEL to its folder or its name")
        self.settings = settings
        self.arguments = engine_arguments(settings)
        self._command = command
        self._process: Process | None = None
        self._lock = threading.Lock()
        self._pumps: set[Pump] = set()

    def identity(self, template: Template) -> ModelIdentity:
        """The model of the settings, whichever the template."""
        return ModelIdentity(self.settings.model, local_revision(self.settings))

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        """Answer requests, in any order; see `Engine.stream`. `requests` is iterated by one other thread.

        Where vLLM stalls or dies, the requests in flight fail as `stalled` and it is started again, once a stream.

        Raises:
            UsageError: vLLM is not installed, or refuses an option.
            EngineUnavailable: it does not start, or stalled twice.

        """
        iterator = iter(requests)
        first = next(iterator, None)
        if first is None:
            return
        slots = self._running().ready.result()
        pump = Pump(chain((first,), iterator), self._session, REFILL * slots)
        self._pumps.add(pump)
        try:
            yield from pump.results()
        finally:
            self._pumps.discard(pump)

    def close(self) -> None:
        """End open streams and the process, with all that it started; all memory is free when this returns."""
        for pump in list(self._pumps):
            pump.cancel()
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.stop()

    def _running(self) -> Process:
        """The process; another one where there is none or it has ended."""
        with self._lock:
            if self._process is None or self._process.ended:
                self._process = Process(self._command, self.arguments, self.settings.stall_s)
            return self._process

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Answer]:
        yield partial(self._answer, _Restarts(self._running()))

    async def _answer(self, restarts: "_Restarts", request: Request) -> Result:
        async with restarts.lock:
            process = restarts.process
            if process.ended:
                if restarts.used:
                    raise EngineUnavailable(
                        f"vLLM failed again after it was started anew: {process.why}; raise PERSONA_STALL_S if its "
                        f"answers take longer, or check {REMEDIES}"
                    )
                restarts.used = True
                restarts.process = process = self._running()
                await asyncio.shield(asyncio.wrap_future(process.ready))
        return await asyncio.wrap_future(process.ask(request))


class _Restarts:
    """The process that a stream asks, and whether its one restart is used up."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.used = False
        self.lock = asyncio.Lock()


def engine_arguments(settings: Settings) -> dict[str, Any]:
    """What vLLM's `AsyncEngineArgs` are made from; the further options of the settings come last and win.

    One backend for all schemas and no free whitespace: vLLM's own choice holds for the first schema that it meets, and
    a small model may write blanks to the end of its answer.

    Raises:
        UsageError: the further options are no JSON object.
    """
    arguments: dict[str, Any] = {
        "model": place_of(settings),
        "tensor_parallel_size": settings.tensor_parallel,
        "data_parallel_size": settings.data_parallel,
        "gpu_memory_utilization": settings.gpu_memory,
        "enable_prefix_caching": True,
        "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True},
        "disable_log_stats": True,
    }
    if settings.max_model_len is not None:
        arguments["max_model_len"] = settings.max_model_len
    if settings.model_revision and not Path(place_of(settings)).is_dir():
        arguments["revision"] = settings.model_revision
    return arguments | _options(settings.vllm_options)


def _options(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        options = orjson.loads(text)
    except ValueError as error:
        raise UsageError(f"PERSONA_VLLM_OPTIONS is not JSON: {error}") from error
    if not isinstance(options, dict):
        raise UsageError('PERSONA_VLLM_OPTIONS must be a JSON object, as {"max_num_seqs": 128}')
    return options
