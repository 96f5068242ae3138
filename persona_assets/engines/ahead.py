"""Runs an iterator a few items ahead on a thread of its own: what waits for disks or compresses does so meanwhile."""

import threading
from collections.abc import Iterator
from queue import Full, Queue
from typing import TypeVar

T = TypeVar("T")
AHEAD = 2  # items that wait to be taken
LOOK_S = 0.1  # how soon a thread that waits for room notices that nobody takes any more


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The items of an iterator, which another thread runs; where it raises, so does this, after the items before.

    Closed early it ends the thread at its next item; then the iterator is in nobody's use.
    """
    made: Queue[T | _End] = Queue(AHEAD)
    closed = threading.Event()

    def run() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not _put(made, item, closed):
                    return
        except BaseException as raised:  # noqa: BLE001 - raised again where the items are taken
            error = raised
        _put(made, _End(error), closed)

    thread = threading.Thread(target=run, name="ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := made.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        closed.set()
        thread.join()


class _End:
    """Stands behind the last item."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _put(queue: "Queue[T | _End]", item: "T | _End", closed: threading.Event) -> bool:
    """Put an item as soon as there is room; False where nobody takes it any more."""
    while not closed.is_set():
        try:
            queue.put(item, timeout=LOOK_S)
        except Full:
            continue
        return True
    return False
