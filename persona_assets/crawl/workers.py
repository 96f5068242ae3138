"""Processes that examine records: as many as there are cores, each of which can be ended.

A page from the web can keep a parser busy for minutes, or end the process that parses it. So pages are examined in
other processes, and one that takes too long, or ends its process, is a reject. Processes stay for the next file.
"""

import atexit
import os
import pickle
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any

from persona_assets.crawl.examine import Examined
from persona_assets.crawl.items import Record, Refused
from persona_assets.errors import PersonaAssetsError
from persona_assets.settings import Settings

WORKER = "persona_assets.crawl.worker"
SIZE_BYTES = 8  # before each message, its length
START_S = 120.0  # for a process to come up
IDLE_S = 30.0  # after which processes that nothing was asked of are ended
MOST_RECORDS = 20_000  # that one process examines: parsers keep caches
AHEAD = 3  # jobs for each process that are held at once


@dataclass(frozen=True, slots=True)
class Job:
    """Records of a file in a format, and what the caller wants to know again."""

    records: Sequence[Record]
    form: str
    about: Any = None


@dataclass(frozen=True, slots=True)
class _Failed:
    """A process that did not answer: reason and detail of the reject."""

    reason: str
    detail: str

    def of(self, record: Record) -> Refused:
        return Refused(record.offset, self.reason, self.detail)


class Workers:
    """A number of processes; see the module. May be used by several callers at a time, who share them."""

    def __init__(self, count: int) -> None:
        """Start none yet."""
        self.count = count
        self._children = [_Child() for _ in range(count)]
        self._free: SimpleQueue[_Child] = SimpleQueue()
        for child in self._children:
            self._free.put(child)
        self._lock = threading.Lock()
        self._users = 0
        self._timer: threading.Timer | None = None

    def examine(self, jobs: Iterator[Job], settings: Settings) -> Iterator[tuple[Job, list[Examined]]]:
        """What becomes of the records of each job, in order; a bounded number of jobs is held.

        Raises:
            UsageError: the column map of the settings is wrong.
            PersonaAssetsError: no process can be started.
        """
        waiting: deque[tuple[Job, Future[list[Examined]]]] = deque()
        with self._in_use(), ThreadPoolExecutor(self.count) as pool:
            try:
                for job in jobs:
                    waiting.append((job, pool.submit(self._examined, job, settings)))
                    if len(waiting) > AHEAD * self.count:
                        first, future = waiting.popleft()
                        yield first, future.result()
                while waiting:
                    first, future = waiting.popleft()
                    yield first, future.result()
            finally:
                for _, future in waiting:
                    future.cancel()

    def close(self) -> None:
        """End all processes that nothing is asked of."""
        with suppress(Empty):
            resting = []
            try:
                while True:
                    resting.append(self._free.get_nowait())
            finally:
                for child in resting:
                    child.end()
                    self._free.put(child)

    def _examined(self, job: Job, settings: Settings) -> list[Examined]:
        child = self._free.get()
        try:
            found = child.examine(job, settings)
            if not isinstance(found, _Failed):
                return found
            alone = [Job([record], job.form) for record in job.records] if len(job.records) > 1 else []
            if not alone:
                return [found.of(job.records[0])]
            return [one for single in alone for one in _or_refused(child.examine(single, settings), single)]
        finally:
            self._free.put(child)

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        with self._lock:
            self._users += 1
            if self._timer:
                self._timer.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._timer = threading.Timer(IDLE_S, self._rest)
                    self._timer.daemon = True
                    self._timer.start()

    def _rest(self) -> None:
        with self._lock:
            if not self._users:
                self.close()


def _or_refused(found: "list[Examined] | _Failed", job: Job) -> list[Examined]:
    return [found.of(job.records[0])] if isinstance(found, _Failed) else found


class _Child:
    """One process, started when it is asked for the first time, and again after it was ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = 0

    def examine(self, job: Job, settings: Settings) -> list[Examined] | _Failed:
        """What becomes of the records of a job; nothing where they take too long, or end the process."""
        if self._asked >= MOST_RECORDS:
            self.end()
        process = self._process or self._start()
        self._asked += len(job.records)
        try:
            _send(process, pickle.dumps((job.records, job.form, settings)))
            answer = _receive(process, settings.page_seconds)
        except TimeoutError:
            self.end()
            return _Failed("too_slow", f"reading it takes longer than {settings.page_seconds:g} s")
        except OSError:
            self.end()
            return _Failed("reader_ended", "the process that read it ended")
        found = pickle.loads(answer)
        if isinstance(found, Exception):
            raise found
        examined: list[Examined] = found
        return examined

    def end(self) -> None:
        """End the process, whatever it does."""
        process, self._process, self._asked = self._process, None, 0
        if process:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    if pipe:
                        pipe.close()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", WORKER]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}
        process = self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
        )
        try:
            _receive(process, START_S)
        except OSError as error:
            self.end()
            raise PersonaAssetsError(f"no process to read pages in can be started: try {' '.join(command)}") from error
        return process


def _send(process: "subprocess.Popen[bytes]", message: bytes) -> None:
    assert process.stdin
    rest = memoryview(len(message).to_bytes(SIZE_BYTES, "big") + message)
    while rest:
        rest = rest[process.stdin.write(rest) :]


def _receive(process: "subprocess.Popen[bytes]", seconds: float) -> bytes:
    """The next message of a process.

    Raises:
        TimeoutError: none in time.
        OSError: it ended.
    """
    assert process.stdout
    place, until = process.stdout.fileno(), time.monotonic() + seconds
    found, size = bytearray(), SIZE_BYTES
    while len(found) < size:
        ready, _, _ = select.select([place], [], [], max(until - time.monotonic(), 0))
        if not ready:
            raise TimeoutError
        piece = os.read(place, 1 << 20)
        if not piece:
            raise ConnectionResetError
        found += piece
        if len(found) >= SIZE_BYTES:
            size = SIZE_BYTES + int.from_bytes(found[:SIZE_BYTES], "big")
    return bytes(found[SIZE_BYTES:])


@cache
def workers(count: int) -> Workers:
    """The processes of this program; `count` 0: one for each core that it may use."""
    made = Workers(count or len(os.sched_getaffinity(0)))
    atexit.register(made.close)
    return made
