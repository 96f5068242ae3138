"""Runs programs, several at a time, in whatever contains them here."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Protocol, Self

from persona_assets.contained.mechanism import Mechanism, containment
from persona_assets.contained.monty import MontyRunner
from persona_assets.contained.process import Gone, Limits, NotStarted, Server, folders_of
from persona_assets.contained.programs import Program, Run, read, wire
from persona_assets.errors import UsageError

AHEAD = 16  # programs per worker that are read ahead of the one whose turn it is
TRIES = 2  # a server may be ended by the system while it runs a program that is not to blame


class Runner(Protocol):
    """Runs programs one at a time."""

    def run(self, program: Program) -> Run:
        """Run one program to its end."""
        ...

    def stop(self) -> None:
        """End the processes that it has."""
        ...


class WalledRunner:
    """Runs them in a fork server, which it starts when the first one comes."""

    def __init__(self, server: Server, why: str = "") -> None:
        """`why` is what keeps the server from starting, once something did."""
        self._server, self._why = server, why

    def run(self, program: Program) -> Run:
        """Run one program; a second time where the server was lost over it."""
        if (asked := wire(program)) is None:
            return Run("error", detail="too long, or its arguments are no JSON")
        for _ in range(TRIES):
            if self._why:
                break
            try:
                return read(self._server.run(*asked), len(program.calls))
            except NotStarted as error:
                self._why = str(error)
            except Gone as error:
                lost = Run("killed", detail=str(error))
        return Run("not_contained", detail=self._why) if self._why else lost

    def stop(self) -> None:
        """End the server."""
        self._server.stop()


class NoRunner:
    """Where nothing contains them, nothing runs."""

    def run(self, program: Program) -> Run:
        """Say so."""
        return Run("not_contained", detail=str(containment()))

    def stop(self) -> None:
        """There is nothing to end."""


class Contained:
    """Runs programs that nobody has read. Use it as a context; any thread may call it.

    A program gets `seconds` on the clock, `megabytes` beside what the packages take, and may print and return
    `output_bytes` each. It may import the standard library and `packages`.
    """

    def __init__(
        self,
        seconds: float = 5,
        megabytes: int = 512,
        workers: int = 2,
        packages: tuple[str, ...] = ("sympy", "numpy"),
        output_bytes: int = 64 << 10,
        mechanism: Mechanism | None = None,
    ) -> None:
        """`mechanism` is what contains them, by default the strongest that does here.

        Raises:
            UsageError: a package is not installed.
        """
        self.mechanism = mechanism or containment().mechanism
        if missing := [name for name in packages if not folders_of(name)]:
            raise UsageError(f"programs may import {', '.join(missing)}: pip install {' '.join(missing)}")
        limits = Limits(seconds, megabytes, output_bytes)
        self._runners = [self._runner(limits, packages) for _ in range(workers)]
        self._idle: SimpleQueue[Runner] = SimpleQueue()
        for runner in self._runners:
            self._idle.put(runner)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="contained")

    def _runner(self, limits: Limits, packages: tuple[str, ...]) -> Runner:
        match self.mechanism:
            case "landlock" | "bubblewrap" as walls:
                return WalledRunner(Server(walls, limits, packages))
            case "monty":
                return MontyRunner(limits)
        return NoRunner()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)
        for runner in self._runners:
            runner.stop()

    def run(self, program: Program) -> Run:
        """Run one program."""
        runner = self._idle.get()
        try:
            return runner.run(program)
        finally:
            self._idle.put(runner)

    def run_many(self, programs: Iterable[Program]) -> Iterator[Run]:
        """Run programs as they come; how each ended, in their order. Holds a few per worker."""
        waiting: deque[Future[Run]] = deque()
        try:
            for program in programs:
                waiting.append(self._threads.submit(self.run, program))
                while waiting and (waiting[0].done() or len(waiting) >= AHEAD * len(self._runners)):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
