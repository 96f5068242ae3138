"""Between a blocking stream and an event loop: requests are pulled, answered side by side, handed over in batches.

Three threads take part: the caller's, which yields (and, in a hop, stores); one with the event loop; and one that
alone touches the iterator of requests, whose look-ups would stall the loop and delay the storing of answers.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from queue import Empty, SimpleQueue

from persona_assets.engines.base import Request, Result

HAND_OVER_S = 0.2  # an answer waits at most this long for others before it is handed over, to be stored at once
PULL_S = 0.05  # the iterator is left after this long with what it gave, so that a slow one still feeds the workers
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
        """Nothing runs before `results`; `session` is entered on the event loop and gives the answering function."""
        self._iterator = iter(requests)
        self._session, self._concurrency = session, concurrency
        self._answers: SimpleQueue[Result | None] = SimpleQueue()  # None: there are no more
        self._finished = threading.Event()
        self._cancelled = threading.Event()
        self._error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def results(self) -> Iterator[list[Result]]:
        """Answers as they come, in lists; when it is closed early all requests in flight are cancelled.

        Raises:
            EngineUnavailable: what the answering function raised, after the answers that came before it.

        """
        self._thread.start()
        try:
            more = True
            while more:
                batch, more = self._take()
                if batch:
                    yield batch
        finally:
            self.cancel()
            self._thread.join()
        if self._error is not None:
            raise self._error

    def cancel(self) -> None:
        """Let the stream end as soon as it can; may be called from any thread."""
        self._cancelled.set()
        self._finished.set()

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
            with asyncio.Runner() as runner:
                runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller's thread
            self._error = error
        finally:
            self._finished.set()
            self._answers.put(None)
