"""One process at a time, where two at once would end well and yet meet errors: the second one waits for the first.

Unlike a lease it fences nobody: a holder that stands still for long, and goes on, works beside the next one.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from persona_assets.lake import heartbeat
from persona_assets.lake.durable import create_own, read, remove, write_durably
from persona_assets.lake.heartbeat import HEART, Holder, Timing, Watch, holder_of, this_process
from persona_assets.lake.store import Lake

logger = logging.getLogger(__name__)


@contextmanager
def alone(
    lake: Lake, name: str, run_id: str, on_wait: Callable[[Holder, float], None], timing: Timing | None = None
) -> Iterator[None]:
    """Hold `<lake>/_leases/<name>.json`; `on_wait` is told for whom this waits, and for how many seconds so far."""
    path, timing, holder = f"{lake.root}/_leases/{name}.json", timing or heartbeat.TIMING, this_process(run_id)
    began, watch = time.monotonic(), Watch(timing)
    while not create_own(lake, path, holder.content(0), sync=False):
        content = read(lake, path)
        if content is not None and watch.is_dead(content):
            logger.warning("%s is dead; this run goes on with its work", holder_of(content))
            remove(lake, path)
        elif content is not None:
            on_wait(holder_of(content), time.monotonic() - began)
            time.sleep(timing.poll_s)
    beats = count(1)
    handle = HEART.add(lambda: write_durably(lake, path, holder.content(next(beats)), sync=False), timing.beat_s)
    try:
        yield
    finally:
        HEART.remove(handle)
        remove(lake, path)
