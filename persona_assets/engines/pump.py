"""Between a blocking stream and an event loop: requests are pulled, answered side by side, handed over in batches.

Three threads take part: the caller's, which yields (and, in a step, stores); one with the event loop; and one that
alone touches the iterator of requests, whose look-ups would stall the loop and delay the storing of answers.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager

from persona_assets.engines.base import Request, Result

try:
    from uvloop import new_event_loop  # half the time per request
except ImportError:  # no uvloop for this system
    from asyncio import new_event_loop  # type: ignore[assignment]

HAND_OVER_S = 0.2  # an answer waits at most this long for others before it is handed over, to be stored at once
GRACE_S = 10.0  # what is in flight when the engine is lost may take so long to be answered: it is paid for
UNTAKEN = 8192  # answers that the caller has not taken yet; beyond, the workers wait for it
RESTING = 1024  # requests that wait for a further try; beyond, no others are begun
Answer = Callable[[Request], Awaitable[Result]]


class Pump:
    """One stream of requests through `concurrency` workers; holds about twice as many, and those that `rest`."""

    def __init__(
        self,
        requests: Iterable[Request],
        session: Callable[[], AbstractAsyncContextManager[Answer]],
        concurrency: int,
    ) -> None:
        """Nothing runs before `results`; `session` is entered on the loop and gives the answering function."""
        self._iterator = iter(requests)
        self._session, self._concurrency = session, concurrency
        self._pulled: deque[Request] = deque()
        self._room = threading.Event()  # for further requests in `_pulled`
        self._hungry = False  # a worker may be started for the next request
        self._exhausted = False
        self._answers: deque[Result] = deque()
        self._any = threading.Event()  # answers to take, or the end
        self._full = False  # workers wait until answers are taken
        self._over = threading.Event()
        self._quit = False  # no further request is wanted
        self._lock = threading.Lock()
        self._loop = new_event_loop()
        self._main: asyncio.Task[None] | None = None
        self._workers: set[asyncio.Task[None]] = set()
        self._resting: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None

    def results(self) -> Iterator[list[Result]]:
        """Answers as they come, in lists; where it is closed early all requests in flight are given up.

        Raises:
            BaseException: what the answering function or the iterator of requests raised, after the answers so far.

        """
        thread = threading.Thread(target=self._run, name="engine", daemon=True)
        thread.start()
        try:
            while not self._over.is_set() or self._answers:
                self._any.wait()
                self._over.wait(HAND_OVER_S)
                if batch := self._take():
                    yield batch
        finally:
            self.cancel()
            thread.join()
            with self._lock:
                self._loop.close()
        if self._error is not None:
            raise self._error

    def cancel(self) -> None:
        """Let the stream end at once; may be called from any thread, at any time."""
        self._over.set()
        self._any.set()
        self._stop_pulling()
        self._call(self._cancel_main)

    async def rest(self, seconds: float) -> None:
        """Wait before another try; meanwhile another request takes the worker's place. No try follows a lost engine."""
        worker = asyncio.current_task()
        assert worker is not None
        if self._stopped.done():
            raise asyncio.CancelledError
        self._resting.add(worker)
        self._start_workers()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._resting.discard(worker)

    def _take(self) -> list[Result]:
        self._any.clear()
        batch = [self._answers.popleft() for _ in range(len(self._answers))]
        if self._over.is_set():
            self._any.set()
        if self._full:
            self._full = False
            self._call(self._taken.set)
        return batch

    def _call(self, function: Callable[[], object]) -> None:
        with self._lock:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(function)

    # On the event loop's thread

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._supervise())
        finally:
            self._over.set()
            self._any.set()

    def _cancel_main(self) -> None:
        if self._main is not None:
            self._main.cancel()

    async def _supervise(self) -> None:
        """Run to the end and keep what was raised, for the caller's thread."""
        if self._over.is_set():
            return
        self._main = asyncio.create_task(self._work_off())
        await asyncio.wait({self._main})
        if not self._main.cancelled():
            self._error = self._main.exception()

    async def _work_off(self) -> None:
        loop = asyncio.get_running_loop()
        self._stopped: asyncio.Future[None] = loop.create_future()  # with an error, or where all is answered
        self._taken = asyncio.Event()
        # Leaving the executor waits for a pull that is under way, so the iterator is not in use when the stream ends.
        with ThreadPoolExecutor(1, "requests") as puller:
            async with self._session() as self._answer:
                pulling = puller.submit(self._pull)
                pulling.add_done_callback(lambda _: self._call(self._end_pulling))
                try:
                    self._start_workers()
                    await asyncio.wait((self._stopped,))
                    if self._workers:
                        await asyncio.wait(self._workers, timeout=GRACE_S)
                finally:
                    self._stop_pulling()
                    await _cancel(self._workers)
                self._stopped.result()
        pulling.result()

    def _end_pulling(self) -> None:
        self._exhausted = True
        self._start_workers()
        self._end_if_done()

    def _start_workers(self) -> None:
        """Start workers for what was pulled, as many as there may be."""
        while len(self._workers) < RESTING + self._concurrency and self._places():
            self._hungry = True
            if not self._pulled:
                return
            self._hungry = False
            worker = self._loop.create_task(self._work(self._next()))
            self._workers.add(worker)
            worker.add_done_callback(self._end_worker)

    def _places(self) -> bool:
        free = len(self._workers) - len(self._resting) < self._concurrency
        return free and not self._stopped.done() and not self._quit

    async def _work(self, request: Request) -> None:
        while True:
            self._answers.append(await self._answer(request))
            if not self._any.is_set():
                self._any.set()
            if len(self._answers) >= UNTAKEN:
                await self._until_taken()
            if not self._pulled or len(self._workers) - len(self._resting) > self._concurrency or self._stopped.done():
                return
            request = self._next()

    def _next(self) -> Request:
        request = self._pulled.popleft()
        if len(self._pulled) == self._concurrency // 2:
            self._room.set()
        return request

    async def _until_taken(self) -> None:
        self._taken.clear()
        self._full = True
        if len(self._answers) >= UNTAKEN:  # still, now that the caller knows that it is waited for
            await self._taken.wait()

    def _end_worker(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        error = None if worker.cancelled() else worker.exception()
        if error is not None and not self._stopped.done():
            self._stopped.set_exception(error)
            for resting in self._resting:
                resting.cancel()
        self._start_workers()
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._exhausted and not self._workers and not self._pulled and not self._stopped.done():
            self._stopped.set_result(None)

    def _stop_pulling(self) -> None:
        self._quit = True
        self._room.set()

    # On the pulling thread

    def _pull(self) -> None:
        """Pull requests as they are needed, at most `concurrency` ahead of the workers."""
        for request in self._iterator:
            if self._quit:
                return
            self._pulled.append(request)
            if self._hungry:
                self._hungry = False
                self._call(self._start_workers)
            if len(self._pulled) >= self._concurrency:
                self._room.clear()
                if len(self._pulled) >= self._concurrency and not self._quit:
                    self._room.wait()


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
