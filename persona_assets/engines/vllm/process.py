"""The process that vLLM runs in, seen from ours: what is asked, what comes back, and whether it still works.

JSON lines both ways (`vllm_worker` is the other side). Three threads per process: one writes, one keeps its log, and
one listens and watches. Whatever ends the process, each request in flight gets a result.
"""

import logging
import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from itertools import count
from queue import SimpleQueue
from typing import Any

import orjson

from persona_assets.engines.base import Completion, EngineUnavailable, Failure, Request, Result
from persona_assets.engines.openai.faults import DETAIL_CHARACTERS
from persona_assets.errors import UsageError

START_S = 1800.0  # a large model may load and compile for minutes; a start that takes longer has hung
BURST_S = 30.0  # errors in a log that follow each other closer than this have one cause
CLOSE_S = 20.0  # a process that is told to end may take this long before it is killed
TICK_S = 0.1  # how often the watchdog looks
READ_BYTES = 1 << 20
ERROR = re.compile(r"\b\w+(Error|Exception|Interrupt): .+")  # in a log; the first one is the cause of those that follow
# Nothing is reported to anyone, and no model is fetched unless the environment says so.
PRIVATE = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
DEFAULTS = {"HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "WARNING", "VLLM_WORKER_MULTIPROC_METHOD": "spawn"}
REMEDIES = "PERSONA_MODEL, PERSONA_GPU_MEMORY, PERSONA_MAX_MODEL_LEN or PERSONA_VLLM_OPTIONS"
logger = logging.getLogger(__name__)


class Process:
    """A running worker. `ready` holds how many requests it works on at once, or why it did not start."""

    def __init__(self, command: Sequence[str], arguments: Mapping[str, Any], stall_s: float) -> None:
        """Start it; nothing is waited for."""
        self.ready: Future[int] = Future()
        self.ended = False
        self.why = ""  # it ended
        self._stall_s = stall_s
        self._numbers = count()
        self._in_flight: dict[int, tuple[Future[Result], str, float]] = {}
        self._heard_at = time.monotonic()
        self._lock = threading.Lock()
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._cause, self._cause_at = "", float("-inf")  # the first error of the latest burst in the log
        # A session of its own: a kill of the group takes vLLM's own processes along, and Ctrl-C is ours to handle.
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=DEFAULTS | os.environ | PRIVATE,
            start_new_session=True,
        )
        self._send(arguments)
        self._threads = [
            threading.Thread(target=target, name=f"vllm-{target.__name__.strip('_')}", daemon=True)
            for target in (self._write, self._read_log, self._listen)
        ]
        for thread in self._threads:
            thread.start()

    def ask(self, request: Request) -> Future[Result]:
        """Hand over one request. The future always gets a result; to cancel it takes the request back."""
        future: Future[Result] = Future()
        with self._lock:
            if self.ended:
                future.set_result(Failure(request.call_id, "stalled", self.why))
                return future
            number = next(self._numbers)
            if not self._in_flight:
                self._heard_at = time.monotonic()
            self._in_flight[number] = (future, request.call_id, time.monotonic())
        future.add_done_callback(lambda done: self._take_back(number) if done.cancelled() else None)
        self._send(
            {
                "number": number,
                "messages": request.messages,
                "schema": request.response_schema,
                "sampling": request.sampling.fields,
                "scores": request.scores,
            }
        )
        return future

    def stop(self) -> None:
        """End it and all processes that it started; returns when they are gone."""
        self.why = self.why or "vLLM was closed"
        self._outbox.put(None)
        writer, log, listener = self._threads
        listener.join(CLOSE_S)
        if not self.ended:
            self._kill()
        for thread in (listener, writer, log):
            thread.join(CLOSE_S)

    def _take_back(self, number: int) -> None:
        with self._lock:
            asked = self._in_flight.pop(number, None)
        if asked is not None:
            self._send({"abort": number})

    def _send(self, message: Mapping[str, Any]) -> None:
        self._outbox.put(orjson.dumps(message) + b"\n")

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)

    # On the writing thread: a process that hangs reads nothing, and must not make us hang

    def _write(self) -> None:
        assert self._child.stdin is not None
        with suppress(BrokenPipeError), self._child.stdin as pipe:
            while (message := self._outbox.get()) is not None:
                pipe.write(message)
                pipe.flush()

    # On the log's thread

    def _read_log(self) -> None:
        """Read what the process and its children write; they have all gone when this returns."""
        assert self._child.stderr is not None
        with self._child.stderr as pipe:
            for line in pipe:
                text = line.decode(errors="replace").rstrip()
                if text:
                    if found := ERROR.search(text):
                        if time.monotonic() - self._cause_at > BURST_S:
                            self._cause = found[0]
                        self._cause_at = time.monotonic()
                    logger.debug("vllm: %s", text)

    # On the listening thread

    def _listen(self) -> None:
        try:
            self._read_answers()
        finally:
            self._end()  # whatever happened: nobody else gives those that wait a result

    def _read_answers(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as pipe:
            poll, descriptor, rest = select.poll(), pipe.fileno(), b""
            poll.register(descriptor, select.POLLIN)
            while not self._is_stalled():
                if not poll.poll(TICK_S * 1000):
                    if self._has_exited():  # though one that it started may hold the pipe open
                        break
                    continue
                data = os.read(descriptor, READ_BYTES)
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._receive(orjson.loads(line))

    def _has_exited(self) -> bool:
        """Whether the process has ended, which is not to be waited for before its group is killed."""
        return os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _is_stalled(self) -> bool:
        started = self.ready.done()
        limit = self._stall_s if started else START_S
        with self._lock:
            waited = bool(self._in_flight) or not started
            silent = time.monotonic() - self._heard_at > limit
        if waited and silent:
            self.why = f"vLLM gave no answer for {limit:g} s" if started else f"vLLM did not start in {limit:g} s"
            return True
        return False

    def _receive(self, message: dict[str, Any]) -> None:
        if "slots" in message:
            self._settle(message["slots"])
        elif "refused" in message:
            self._settle(error=_refusal(message["refused"], message["detail"]))
        else:
            self._hand_over(message)

    def _hand_over(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._heard_at = now = time.monotonic()
            asked = self._in_flight.pop(message.pop("number"), None)
        if asked is None:  # taken back meanwhile
            return
        future, call_id, sent = asked
        with suppress(InvalidStateError):
            if "reason" in message:
                future.set_result(Failure(call_id, message["reason"], message["detail"][:DETAIL_CHARACTERS]))
            else:
                future.set_result(Completion(call_id, latency_s=now - sent, **message))

    def _settle(self, slots: int = 0, error: Exception | None = None) -> None:
        with self._lock:
            self._heard_at = time.monotonic()
        with suppress(InvalidStateError):
            if error is None:
                self.ready.set_result(slots)
            else:
                self.ready.set_exception(error)

    def _end(self) -> None:
        """Kill what is left, wait for it, and let everyone know who waits for an answer."""
        self._kill()  # before the wait: until then the number cannot be anyone else's
        status = self._child.wait()
        self._outbox.put(None)
        self._threads[1].join(CLOSE_S)
        said = self._cause if time.monotonic() - self._cause_at < BURST_S else ""
        died = f"vLLM ended with status {status}" + (f": {said}" if said else "")
        self.why = (self.why or died)[:DETAIL_CHARACTERS]
        with self._lock:
            self.ended = True
            left, self._in_flight = self._in_flight, {}
        self._settle(error=EngineUnavailable(f"{self.why}; check {REMEDIES}"))
        for future, call_id, _ in left.values():
            with suppress(InvalidStateError):
                future.set_result(Failure(call_id, "stalled", self.why))


def _refusal(kind: str, detail: str) -> UsageError:
    """Why vLLM cannot be started, as it says itself."""
    if kind == "missing":
        return UsageError('the engine vllm needs vLLM: pip install "persona-assets[vllm]"')
    return UsageError(f"PERSONA_VLLM_OPTIONS: {detail[:DETAIL_CHARACTERS]}")
