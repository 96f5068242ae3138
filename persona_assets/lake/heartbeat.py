"""Whether another process is alive, told by a file that it keeps changing. Clocks of two machines are never compared.

A holder raises a counter in its file every `beat_s`. A watcher that has seen the same bytes for `stale_s`, on its own
monotonic clock, takes the holder for dead. A process of this machine that has ended is known to be dead at once.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from persona_assets.ids import digest

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Seconds between two beats, without a beat until a holder is taken for dead, and between two looks of a waiter."""

    beat_s: float = 5.0
    stale_s: float = 60.0
    poll_s: float = 1.0


TIMING = Timing()


# The holder's side


@dataclass(frozen=True)
class Holder:
    """Who holds something. All but the token may be empty, where a file is damaged or of another version."""

    token: str = ""
    host: str = ""
    pid: int = 0
    run_id: str = ""
    machine: str = ""  # the system's boot and the process namespace, where they can be known
    started: str = ""  # when the process began, in ticks of that boot

    def __str__(self) -> str:
        """For messages: `run r1 (process 12 on host)`."""
        return f"run {self.run_id or 'unknown'} (process {self.pid} on {self.host or 'an unknown host'})"

    def content(self, beat: int) -> bytes:
        """The bytes of the holder's file at a beat."""
        values = {
            "holder": self.token,
            "beat": beat,
            "host": self.host,
            "pid": self.pid,
            "run_id": self.run_id,
            "machine": self.machine,
            "started": self.started,
        }
        return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)


def this_process(run_id: str) -> Holder:
    """This process under a new token."""
    pid = os.getpid()
    return Holder(os.urandom(16).hex(), socket.gethostname(), pid, run_id, _machine(), _stat(pid)[1])


def holder_of(content: bytes) -> Holder:
    """Who wrote a holder's file; unknown keys do not matter, and nor do missing ones."""
    try:
        values: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        return Holder()
    if not isinstance(values, dict):
        return Holder()
    texts = {name: str(values.get(name, "")) for name in ("host", "run_id", "machine", "started")}
    pid = values.get("pid")
    return Holder(token=str(values.get("holder", "")), pid=pid if isinstance(pid, int) else 0, **texts)


class _Entry:
    def __init__(self, beat: Callable[[], None], every: float) -> None:
        self.beat, self.every, self.due = beat, every, time.monotonic() + every


class Heart:
    """One daemon thread that beats for everything that this process holds; there is none while it holds nothing."""

    def __init__(self) -> None:
        """Nothing beats yet."""
        self.reset()

    def reset(self) -> None:
        """Forget everything, as in a child that was forked: what its parent holds is not its own."""
        self._entries: dict[int, _Entry] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._number = 0

    def add(self, beat: Callable[[], None], every: float) -> int:
        """Call `beat` every so many seconds, on the thread of the heart; returns a handle for `remove`."""
        with self._changed:
            self._number += 1
            self._entries[self._number] = _Entry(beat, every)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
                self._thread.start()
            self._changed.notify()
            return self._number

    def remove(self, handle: int) -> None:
        """Call it no more; a call that is under way may still end."""
        with self._changed:
            self._entries.pop(handle, None)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._entries:
                    self._thread = None
                    return
                entry = min(self._entries.values(), key=lambda entry: entry.due)
                left = entry.due - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                entry.due = time.monotonic() + entry.every
            try:
                entry.beat()
            except OSError as error:  # passes, or the holder is taken for dead, which it will notice
                logger.warning("a heartbeat could not be written: %s", error)


HEART = Heart()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=HEART.reset)


# The watcher's side


class Watch:
    """Watches one holder's file."""

    def __init__(self, timing: Timing) -> None:
        """Nothing was seen yet."""
        self._timing = timing
        self._content: bytes | None = None
        self._looked = 0.0
        self._unchanged_s = 0.0

    def is_dead(self, content: bytes) -> bool:
        """Whether the holder is dead, given what its file holds now.

        A watcher may itself have been stopped between two looks, so one gap never counts for more than two polls.
        """
        now = time.monotonic()
        if content == self._content:
            self._unchanged_s += min(now - self._looked, 2 * self._timing.poll_s)
        else:
            self._content, self._unchanged_s = content, 0.0
        self._looked = now
        return self._unchanged_s >= self._timing.stale_s or has_ended(holder_of(content))


def has_ended(holder: Holder) -> bool:
    """Whether a holder is for certain a process of this machine that has ended; False where that cannot be known."""
    if not holder.machine or holder.machine != _machine() or not holder.started or holder.pid <= 0:
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's process
        return False
    state, started = _stat(holder.pid)
    return state in ("Z", "X") or started not in ("", holder.started)  # only its remains, or another with its number


def is_of_this_machine(holder: Holder) -> bool:
    """Whether a holder is for certain a process of this machine since its start, living or not."""
    return bool(holder.machine) and holder.machine == _machine()


def mark() -> str:
    """This process in a file's name, before a dot: machine, number and start. `marked` reads it."""
    return _mark_of(os.getpid())


@cache
def _mark_of(pid: int) -> str:
    return f"{_machine()}-{pid}-{_stat(pid)[1]}"


def marked(name: str) -> Holder:
    """The process that a file's name begins with; an unknown one where it begins with none."""
    machine, _, rest = name.partition(".")[0].partition("-")
    pid, _, started = rest.partition("-")
    return Holder(pid=int(pid), machine=machine, started=started) if pid.isdecimal() else Holder()


@cache
def _machine() -> str:
    """What tells this boot of this machine and this process namespace from all others; empty where nothing does."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        return digest(f"{boot} {os.readlink('/proc/self/ns/pid')}".encode())  # noqa: PTH115 - not a path
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, str]:
    """State and start, in ticks since boot, of a process of this machine; empty where they cannot be read."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    return fields[0], fields[19]
