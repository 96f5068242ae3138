"""The resource that gives every asset its lake, settings and engine."""

import atexit
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import dagster as dg

from persona_assets.engines.select import Engines
from persona_assets.lake import Lake
from persona_assets.lake.format import open_lake
from persona_assets.progress import Progress
from persona_assets.settings import Settings, load_settings
from persona_assets.steps.budget import Spent
from persona_assets.steps.runner import Context

Listener = Callable[[str, str], Progress]  # told asset and partition that are begun, gives its progress
# Set by the command line, whose runs are in its own process and thread; elsewhere progress goes to the run's log.
LISTENER: ContextVar[Listener | None] = ContextVar("LISTENER", default=None)
# What a run has spent, for its cap: set by the command line for all its runs together, else kept here by run id.
SPENT: ContextVar[Spent | None] = ContextVar("SPENT", default=None)
_SPENT: defaultdict[str, Spent] = defaultdict(Spent)
_ENGINES: dict[str, Engines] = {}
_LAKES: dict[str, Lake] = {}
LOG_EVERY_S = 10.0  # often enough to see that a step lives, seldom enough to keep the log readable


class Pipeline(dg.ConfigurableResource["Pipeline"]):
    """What the assets share. Everything comes from `PERSONA_*` variables when a step starts."""

    @property
    def settings(self) -> Settings:
        """Settings of this process's environment."""
        return load_settings()

    @property
    def lake(self) -> Lake:
        """The lake that the settings name; one for this process, which keeps the records that were read."""
        url = self.settings.lake
        if url not in _LAKES:
            _LAKES[url] = open_lake(url)
        return _LAKES[url]

    @contextmanager
    def open(self, step: dg.AssetExecutionContext) -> Iterator[Context]:
        """A context for one step. Engines stay for the steps after it: a model takes minutes to load."""
        settings, run_id = self.settings, step.run.run_id
        spent = SPENT.get() or _SPENT[run_id]
        lake = self.lake
        yield Context(lake, settings, engines_of(lake), run_id, spent=spent)


def engines_of(lake: Lake) -> Engines:
    """The engines of this process for one lake."""
    if lake.root not in _ENGINES:
        _ENGINES[lake.root] = Engines(lake)
    return _ENGINES[lake.root]


@atexit.register
def release_engines() -> None:
    """End the engines of this process, which gives back the memory of GPUs; the next step makes them anew."""
    while _ENGINES:
        _ENGINES.popitem()[1].close()


def progress_of(step: dg.AssetExecutionContext, key: str) -> Progress:
    """What the progress of one of a step's partitions goes to."""
    listener = LISTENER.get()
    return log_progress(step.log.info) if listener is None else listener(step.asset_key.to_user_string(), key)


def log_progress(log: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Progress:
    """A progress callback that logs count, rate and time left every ten seconds."""
    state = {"done": 0, "total": 0, "started": clock(), "logged": clock()}

    def progress(done: int, total: int | None = None, note: str = "") -> None:
        if total is not None:
            state.update(total=total, done=0, started=clock())
        state["done"] += done
        now = clock()
        if now - state["logged"] >= LOG_EVERY_S:
            state["logged"] = now
            log(progress_line(int(state["done"]), int(state["total"]), now - state["started"], note))

    return progress


def progress_line(done: int, total: int, seconds: float, note: str = "") -> str:
    """Such as `1,200 of 5,000 done, 40.0/s, 95 s left, 64 in flight, 1,840 tokens/s`."""
    rate = done / seconds if seconds > 0 else 0.0
    of = f" of {total:,}" if total else ""
    left = f", {(total - done) / rate:,.0f} s left" if total > done and rate else ""
    return f"{done:,}{of} done, {rate:,.1f}/s{left}" + (f", {note}" if note else "")
