"""Between a blocking stream and an event loop: requests are pulled, answered side by side, handed over in batches.

Three threads take part: the caller's, which yields (and, in a hop, stores); one with the event loop; and one that
alone touches the iterator of requests, whose look-ups would stall the loop and delay the storing of answers.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from queue import Empty, SimpleQueue

from persona_assets.engines.base import Request, Result

HAND_OVER_S = 0.2  # an answer waits at most this long for others before it is handed over, to be stored at once
PASS_ON_S = 0.05  # what a slow iterator gave is passed on to the workers at this interval
UNTAKEN = 4096  # answers that the caller has not taken yet; beyond, the workers wait for it
WAIT_S = 0.01  # how long they wait before they look again
Answer = Callable[[Request], Awaitable[Result]]


class Pump:
    """One stream of requests through `concurrency` workers; holds about three times as many requests."""

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
        self._answers: SimpleQueue[Result | None] = SimpleQueue()  # None: there are no more
        self._finished = threading.Event()
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False
        self._error: BaseException | None = None

    def results(self) -> Iterator[list[Result]]:
        """Answers as they come, in lists; where it is closed early all requests in flight are cancelled.

        Raises:
            BaseException: what the answering function or the iterator of requests raised, after the answers so far.

        """
        thread = threading.Thread(target=self._run, name="engine", daemon=True)
        thread.start()
        try:
            more = True
            while more:
                batch, more = self._take()
                if batch:
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
        with self._lock:
            self._finished.set()
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._stop)

    def _take(self) -> tuple[list[Result], bool]:
        """The next answer and all that follow it within the hand-over time, and whether there may be more."""
        answer = self._answers.get()
        if answer is not None:
            self._finished.wait(HAND_OVER_S)
        batch: list[Result] = []
        while answer is not None:
            batch.append(answer)
            try:
                answer = self._answers.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    # On the event loop's thread

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._supervise())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())  # where names are resolved
        finally:
            self._finished.set()
            self._answers.put(None)

    def _stop(self) -> None:
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()

    async def _supervise(self) -> None:
        """Run to the end and keep what was raised, for the caller's thread."""
        if self._cancelled:
            return
        self._task = asyncio.create_task(self._work_off())
        await asyncio.wait({self._task})
        self._error = None if self._task.cancelled() else self._task.exception()

    async def _work_off(self) -> None:
        queue: asyncio.Queue[Request | None] = asyncio.Queue(self._concurrency)
        # Leaving the executor waits for a pull that is under way, so the iterator is not in use when the stream ends.
        with ThreadPoolExecutor(1, "requests") as puller:
            async with self._session() as answer:
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._feed(queue, puller))
                        for _ in range(self._concurrency):
                            group.create_task(self._work(queue, answer))
                except BaseExceptionGroup as raised:
                    raise raised.exceptions[0] from None

    async def _feed(self, queue: asyncio.Queue[Request | None], puller: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        more = True
        while more:
            pulling = loop.run_in_executor(puller, self._pull)
            while not pulling.done():
                # What came is passed on even while the iterator takes its time over the next one.
                await asyncio.wait({pulling}, timeout=PASS_ON_S)
                while self._pulled:
                    await queue.put(self._pulled.popleft())
            more = pulling.result()
        for _ in range(self._concurrency):
            await queue.put(None)

    async def _work(self, queue: asyncio.Queue[Request | None], answer: Answer) -> None:
        while (request := await queue.get()) is not None:
            self._answers.put(await answer(request))
            while self._answers.qsize() > UNTAKEN:
                await asyncio.sleep(WAIT_S)

    # On the pulling thread

    def _pull(self) -> bool:
        """Pull at most `concurrency` further requests; False at the iterator's end."""
        for _ in range(self._concurrency):
            request = next(self._iterator, None)
            if request is None or self._finished.is_set():
                return False
            self._pulled.append(request)
        return True
