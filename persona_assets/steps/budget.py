"""Budgets: hard caps on calls, tokens and money, per run and per day (UTC)."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from persona_assets.errors import PersonaAssetsError
from persona_assets.ledger.ledger import Ledger
from persona_assets.settings import Settings

WHAT = ("calls", "tokens", "cost")
REFRESH_S = 10.0  # how often what other processes spent today is read from the ledger
AT_ONCE = 256  # calls that a run claims at once where a day has a cap, so that other runs find room beside it


class BudgetReached(PersonaAssetsError):
    """A cap was reached: nothing more was asked, what was in flight is stored; the partition waits for the next run."""


@dataclass
class Spent:
    """Calls, tokens (in and out) and money."""

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0

    def add(self, calls: int, tokens: int, cost: float) -> None:
        """Count more."""
        self.calls += calls
        self.tokens += tokens
        self.cost += cost


def parts_since(ledger: Ledger, moment: datetime) -> list[str]:
    """The ledger's parts that may hold calls made since: where the store tells it, those written since; small first."""
    ledger.lake.fs.invalidate_cache()
    found = ledger.lake.fs.glob(f"{ledger.root}/*/*/part-*.parquet", detail=True)
    since = moment.timestamp()
    recent = [path for path, info in found.items() if float(info.get("mtime", since)) >= since]
    return sorted(recent, key=lambda path: (found[path]["size"], path))


@dataclass
class _Part:
    """What a part holds of today, its first call, and the parts that it was merged into."""

    calls: int
    tokens: int
    cost: float
    first: str
    merged_into: set[str] = field(default_factory=set)


class Today:
    """What all runs have spent today: the ledger's parts, each read once, and what was added since."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Bind to a ledger; nothing is read yet."""
        self.ledger, self.clock = ledger, clock
        self._parts: dict[str, _Part] = {}
        self._day = self._midnight()
        self._stored, self._since = Spent(), Spent()
        self._read_at = float("-inf")
        self._lock = threading.Lock()  # of all steps of a process, which may run side by side

    def _midnight(self) -> datetime:
        return self.clock().replace(hour=0, minute=0, second=0, microsecond=0)

    def add(self, calls: int, tokens: int, cost: float) -> None:
        """Count what this process has just stored."""
        with self._lock:
            self._since.add(calls, tokens, cost)

    def spent(self, fresh: bool = False) -> Spent:
        """All of today, as of a few seconds ago for other processes, or as of now."""
        with self._lock:
            if fresh or time.monotonic() - self._read_at >= REFRESH_S or self._midnight() != self._day:
                self._read()
            stored, since = self._stored, self._since
            return Spent(stored.calls + since.calls, stored.tokens + since.tokens, stored.cost + since.cost)

    def _read(self) -> None:
        if self._midnight() != self._day:
            self._day = self._midnight()
            self._parts.clear()
        self._since = Spent()
        while not self._read_parts(parts_since(self.ledger, self._day)):
            pass  # one was merged away since it was listed: what it went into may be missing in the list
        self._stored = Spent()
        for part in self._parts.values():
            if not part.merged_into & self._parts.keys():  # a merge that was cut short leaves both
                self._stored.add(part.calls, part.tokens, part.cost)
        self._read_at = time.monotonic()

    def _read_parts(self, paths: Sequence[str]) -> bool:
        """Read those that are new; False where one of them is gone."""
        there = set(paths)
        self._parts = {path: part for path, part in self._parts.items() if path in there}
        for path in paths:
            if path not in self._parts:
                try:
                    self._parts[path] = self._part(path)
                except FileNotFoundError:
                    return False
                except (OSError, pa.ArrowException):
                    continue  # damaged: a look-up will set it aside
        return True

    def _part(self, path: str) -> _Part:
        columns = ["call_id", "created_at", "tokens_in", "tokens_out", "cost"]
        with self.ledger.lake.fs.open(path, "rb") as file:
            frame = pl.DataFrame(pl.from_arrow(pq.read_table(file, columns=columns)))
        folder = path.rpartition("/")[0]
        beside = {name: part for name, part in self._parts.items() if name.rpartition("/")[0] == folder}
        merged = set(frame["call_id"].filter(frame["call_id"].is_in([part.first for part in beside.values()])))
        for part in beside.values():
            if part.first in merged:
                part.merged_into.add(path)
        today = frame.filter(pl.col("created_at") >= self._day)
        calls, tokens, cost = today.select(pl.len(), pl.sum("tokens_in") + pl.sum("tokens_out"), pl.sum("cost")).row(0)
        return _Part(int(calls), int(tokens), float(cost), str(frame["call_id"][0]))


_TODAY: dict[str, Today] = {}


def today_of(ledger: Ledger) -> Today:
    """What all runs have spent today on a ledger; one object for all steps of a process, which reads each part once."""
    return _TODAY.setdefault(ledger.root, Today(ledger))


class Budget:
    """What a run may still spend. Without caps it always says yes and reads nothing."""

    def __init__(self, settings: Settings, run: Spent, today: Today) -> None:
        """`run` is what the run has spent so far, shared by all its steps; `today` likewise."""
        self.settings, self.run, self.today = settings, run, today
        self.reached = ""
        self._in_flight = 0
        self._lock = threading.Lock()  # calls are reserved on the thread that an engine pulls requests on
        self._per_run, self._per_day = (
            [(cap, what) for what in WHAT if (cap := getattr(settings, f"max_{what}_per_{period}")) is not None]
            for period in ("run", "day")
        )
        # Calls of a day are given out by `room`, to all runs.
        self._in_a_day, self._per_day = self._per_day, [(cap, what) for cap, what in self._per_day if what != "calls"]

    @property
    def at_once(self) -> int:
        """The most calls to claim at once."""
        return AT_ONCE if self._in_a_day else sys.maxsize

    def room(self, on_their_way: int, changed: bool) -> int | None:
        """How many calls a day's cap leaves room for beside those on their way, which all runs have claimed.

        None is any number. Claims are made one after the other, each by a run that has read all before it, so the cap
        is kept exactly.

        Args:
            on_their_way: Calls that are claimed and may not be in the ledger yet.
            changed: Whether other runs have claimed or ended anything since the last time.
        """
        spent = self.today.spent(fresh=changed) if self._in_a_day else Spent()
        cap = self.settings.max_calls_per_day
        return None if cap is None else max(0, cap - spent.calls - on_their_way)

    def end_day(self) -> None:
        """There was no room, and nothing is on its way that may fail: `reached` says so, if it is true by now."""
        caps = [(cap, what) for cap, what in self._in_a_day if what == "calls"]
        self.reached = self.reached or self._over(caps, self.today.spent(fresh=True), "day", 0)

    def take(self) -> bool:
        """Reserve one call; False, and `reached` says why, where a cap leaves no room for it.

        Calls of a run are counted with those in flight, so their cap is kept exactly, and those of a day are given out
        by `room`; tokens and money are known only afterwards, so their caps are exceeded by what was in flight at most.
        """
        if not self.reached:
            self.reached = self._reserve()
        return not self.reached

    def _reserve(self) -> str:
        """Count one call as in flight, or say which cap leaves no room for it."""
        today = self.today.spent() if self._per_day else Spent()  # may read, which takes time: not under the lock
        with self._lock:
            flying = self._in_flight
            over = self._over(self._per_run, self.run, "run", flying) or self._over(self._per_day, today, "day", flying)
            self._in_flight += not over
        return over

    def _over(self, caps: list[tuple[float, str]], spent: Spent, period: str, flying: int) -> str:
        for cap, what in caps:
            used = getattr(spent, what) + (flying if what == "calls" else 0)
            if used >= cap:
                return f"{used:,.6g} of {cap:,.6g} {what} a {period} (PERSONA_MAX_{what.upper()}_PER_{period.upper()})"
        return ""

    def settle(self, ended: int, stored: int, tokens: int, cost: float) -> None:
        """Of the calls reserved `ended` have ended, and `stored` of them were answered and stored."""
        with self._lock:  # what ends is never in neither of the two
            self.run.add(stored, tokens, cost)
            self.today.add(stored, tokens, cost)
            self._in_flight -= ended
