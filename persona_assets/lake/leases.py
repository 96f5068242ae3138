"""Leases: of all runs, on any machine, one writes a partition at a time; the others wait for it and do not pay too.

A partition's history is a log: its records (`lake.records`), n = 1, 2, ..., each created once and never changed. A file
is the commit record of generation n, or a void, which closes n without a commit. The highest record counts.

`<lake>/_leases/<asset>/<key>@<n>.json` says who may write generation n. It is created once by its holder, which raises
a counter in it. A waiter that sees no beat for `stale_s` takes over: it creates the void of generation n and goes on
with n + 1. The commit of n and the void of n compete for one exclusive create, so exactly one of them is there,
whatever was stopped, cut off or slow in between: that is the fence, and the lease file only saves money.

| a process is killed | what the next one does |
| --- | --- |
| after it took the lease | sees no beat, creates the void, writes n + 1 |
| after the void of another's lease | finds n closed, takes n + 1 |
| after its commit | finds n closed, takes n + 1; the lease file that was left goes then |
| while it gives the lease back | finds the lease file or does not: voids n or takes n again |

A holder that leaves without a commit removes its lease file, and the next one writes the same n. That is safe, as the
first one beats no more, and its `Lease.commit` refuses from then on.

Whoever cleans up a log keeps its highest file, record or void. A lower void may go: what a fenced writer then
creates in its place is below the current generation, and nobody reads it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import orjson

from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import heartbeat
from persona_assets.lake.durable import create_once, create_own, names, read, remove, write_durably
from persona_assets.lake.heartbeat import HEART, Holder, Timing, Watch, holder_of, this_process
from persona_assets.lake.records import record_folder, record_path
from persona_assets.lake.store import Lake, check_key

LEASES = "_leases"
OnWait = Callable[[Holder, float], None]
logger = logging.getLogger(__name__)


class LeaseLost(PersonaAssetsError):
    """Another run has taken the partition over; what this one made was not committed."""


class LeaseHeld(PersonaAssetsError):
    """Another run writes the partition, longer than the caller wants to wait."""


def highest(lake: Lake, asset: str, key: str) -> int:
    """The highest generation that is closed, by a commit or a void; 0 where there is none."""
    return max(_generations(lake, record_folder(lake.root, asset, check_key(key))), default=0)


def _generations(lake: Lake, folder: str) -> list[int]:
    found = (name.removesuffix(".json") for name in names(lake, folder) if name.endswith(".json"))
    return [int(stem) for stem in found if stem.isdecimal()]


@dataclass(frozen=True)
class _Target:
    """One partition of one lake."""

    lake: Lake
    asset: str
    key: str

    def __str__(self) -> str:
        return f"{self.asset} {self.key}"

    def record(self, generation: int) -> str:
        return record_path(self.lake.root, self.asset, self.key, generation)

    def lease(self, generation: int) -> str:
        return f"{self.lake.root}/{LEASES}/{check_key(self.asset)}/{check_key(self.key)}@{generation}.json"

    def highest(self) -> int:
        return highest(self.lake, self.asset, self.key)

    def is_closed(self, generation: int) -> bool:
        return read(self.lake, self.record(generation)) is not None


class Lease:
    """The right to write one generation of a partition, as long as nobody takes it over."""

    def __init__(self, target: _Target, generation: int, holder: Holder) -> None:
        """Made by `hold`."""
        self.generation, self.holder = generation, holder
        self.waited = False  # whether another run was met: what there is to do may have changed
        self._target = target
        self._beat = 0
        self._lost = False
        self._over = False  # committed or given back
        self._lock = threading.Lock()  # the beat is written on the thread of the heart

    @property
    def lost(self) -> bool:
        """Whether another run is known to have taken over; there is no point in paying for more calls then."""
        return self._lost

    @property
    def record_path(self) -> str:
        """Where this generation's record goes."""
        return self._target.record(self.generation)

    def check(self) -> None:
        """Raise LeaseLost where the lease is known to be lost."""
        if self._lost:
            raise self._loss()

    def look(self) -> None:
        """Beat now, which shows whether another run has taken over; for who may have stood still."""
        self._renew()

    def commit(self, record: bytes) -> None:
        """Create this generation's record, which makes it the current one. Nothing else may create it.

        `record` must differ from what any other writer would write: put `holder.token` or the run's id into it.

        Raises:
            LeaseLost: another run has taken over; the lake is as that run left it.
        """
        with self._lock:
            if self._over or self._lost or self._target.highest() >= self.generation:
                self._lost = True
            elif create_own(self._target.lake, self.record_path, record):
                self._over = True
                return
            else:
                self._lost = True
        raise self._loss()

    def _loss(self) -> LeaseLost:
        return LeaseLost(
            f"{self._target}: another run took it over as generation {self.generation + 1}, since this one had been "
            f"stopped or could not reach the lake; generation {self.generation} was not committed, run it again"
        )

    def _content(self) -> bytes:
        return self.holder.content(self._beat)

    def _create(self) -> bool:
        return create_own(self._target.lake, self._target.lease(self.generation), self._content(), sync=False)

    def _renew(self) -> None:
        """One beat."""
        target = self._target
        with self._lock:
            if self._over or self._lost:
                return
            path = target.lease(self.generation)
            if target.is_closed(self.generation) or not self._is_own(path):
                logger.warning("%s: another run took over generation %s", target, self.generation)
                self._lost = True
                return
            self._beat += 1
            write_durably(target.lake, path, self._content(), sync=False)

    def _is_own(self, path: str) -> bool:
        content = read(self._target.lake, path)
        return content is not None and holder_of(content).token == self.holder.token

    def _give_back(self) -> None:
        """Remove the lease file, after a commit or without one; what is left of it by a failure does no harm."""
        path = self._target.lease(self.generation)
        with self._lock:
            self._over = True
            try:
                if self._is_own(path):
                    remove(self._target.lake, path)
            except OSError as error:
                logger.warning("%s: the lease could not be given back, others will wait for it: %s", path, error)


_HELD: set[tuple[str, str, str, int]] = set()  # partitions with the thread of this process that holds them


@contextmanager
def hold(
    lake: Lake,
    asset: str,
    key: str,
    *,
    run_id: str,
    wait: float | None = None,
    on_wait: OnWait | None = None,
    timing: Timing | None = None,
) -> Iterator[Lease]:
    """Hold the lease of a partition; other runs that want it wait meanwhile.

    What there is to do has to be decided inside, or again: another run may have committed since it was decided. Where
    it was decided at generation g, nothing has happened if `lease.generation` is g + 1; `lease.waited` says whether
    another run was met. A holder of several leases takes them in the order of asset and key, so that no two wait for
    each other.

    Args:
        lake: The lake.
        asset: The partition's asset.
        key: The partition's key.
        run_id: Shown to those who wait.
        wait: Seconds to wait at most; None waits as long as the holder lives.
        on_wait: Called at every look while another run holds the lease, with that holder and the seconds so far.
        timing: Seconds between beats and looks; `heartbeat.TIMING` where it is None.

    Raises:
        LeaseHeld: another run still holds it after `wait` seconds.
        RuntimeError: this thread holds it already, so it would wait for itself.
    """
    target = _Target(lake, asset, key)
    mark = (lake.root, asset, key, threading.get_ident())
    if mark in _HELD:
        raise RuntimeError(f"{target}: this thread holds the lease already")
    timing = timing or heartbeat.TIMING
    lease = _acquire(target, run_id, timing, wait, on_wait)
    _HELD.add(mark)
    beats = HEART.add(lease._renew, timing.beat_s)
    try:
        yield lease
    finally:
        HEART.remove(beats)
        _HELD.discard(mark)
        lease._give_back()


def _acquire(target: _Target, run_id: str, timing: Timing, wait: float | None, on_wait: OnWait | None) -> Lease:
    began = time.monotonic()
    holder = this_process(run_id)
    met = False
    while True:
        lease = Lease(target, target.highest() + 1, holder)
        if not lease._create():
            _wait(target, lease, timing, began, wait, on_wait)
        elif _is_next(target, lease):
            lease.waited = met
            return lease
        met = True


def _is_next(target: _Target, lease: Lease) -> bool:
    """Whether the generation is still open, now that its lease is held; the lease is given back where it is not."""
    is_open = False
    try:
        is_open = target.highest() < lease.generation  # else another run was quicker, from lease to commit
        if is_open:
            _tidy(target, lease.generation)
    finally:
        if not is_open:
            lease._give_back()
    return is_open


def _wait(
    target: _Target, lease: Lease, timing: Timing, began: float, wait: float | None, on_wait: OnWait | None
) -> None:
    """Until a generation is closed, or its lease is given back; where its holder is dead it is closed by a void."""
    generation, path = lease.generation, target.lease(lease.generation)
    watch = Watch(timing)
    while (content := read(target.lake, path)) is not None and not target.is_closed(generation):
        holder, waited_s = holder_of(content), time.monotonic() - began
        if watch.is_dead(content):
            _close(target, generation, lease.holder, holder)
            return
        if wait is not None and waited_s >= wait:
            raise LeaseHeld(f"{target} is being written by {holder}; wait for that run, or end it and run this again")
        if on_wait:
            on_wait(holder, waited_s)
        time.sleep(timing.poll_s)


def _close(target: _Target, generation: int, holder: Holder, dead: Holder) -> None:
    """Close the generation of a dead holder, unless it has committed after all."""
    void = orjson.dumps({"void": True, "by": holder.token, "run_id": holder.run_id, "of": dead.token})
    try:
        create_once(target.lake, target.record(generation), void)
    except FileExistsError:
        return
    logger.warning("%s: %s is dead; generation %s is closed without a commit", target, dead, generation)


def _tidy(target: _Target, generation: int) -> None:
    """Remove lease files that were left below a generation: all of these are closed."""
    for key, below in _leases(target.lake, target.asset):
        if key == target.key and below < generation:
            remove(target.lake, target.lease(below))


def _leases(lake: Lake, asset: str) -> list[tuple[str, int]]:
    """Keys and generations of the lease files of an asset; few, as a lease is given back when its run is done."""
    found = (name.removesuffix(".json").rpartition("@") for name in names(lake, f"{lake.root}/{LEASES}/{asset}"))
    return [(key, int(number)) for key, _, number in found if number.isdecimal()]


def left_behind(lake: Lake, asset: str) -> set[str]:
    """The partitions of an asset that a run began to write and did not end, or writes now."""
    return {key for key, _ in _leases(lake, asset)}
