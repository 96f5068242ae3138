"""Budgets: hard caps on calls, tokens and money, per run and per day (UTC)."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from persona_assets.errors import PersonaAssetsError
from persona_assets.ledger.ledger import Ledger
from persona_assets.settings import Settings

WHAT = ("calls", "tokens", "cost")
REFRESH_S = 10.0  # how often what other processes spent today is read from the ledger


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
    """The ledger's parts that may hold calls made since: where the store tells it, those written since."""
    found = ledger.lake.fs.glob(f"{ledger.root}/*/*/part-*.parquet", detail=True)
    since = moment.timestamp()
    return sorted(path for path, info in found.items() if float(info.get("mtime", since)) >= since)


class Today:
    """What all runs have spent today: the ledger's parts, each read once, and what was added since."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Bind to a ledger; nothing is read yet."""
        self.ledger, self.clock = ledger, clock
        self._sums: dict[str, tuple[int, int, float]] = {}
        self._day = self._midnight()
        self._stored, self._since = Spent(), Spent()
        self._read_at = float("-inf")

    def _midnight(self) -> datetime:
        return self.clock().replace(hour=0, minute=0, second=0, microsecond=0)

    def add(self, calls: int, tokens: int, cost: float) -> None:
        """Count what this process has just stored."""
        self._since.add(calls, tokens, cost)

    def spent(self) -> Spent:
        """All of today, as of a few seconds ago for other processes."""
        if time.monotonic() - self._read_at >= REFRESH_S or self._midnight() != self._day:
            self._read()
        stored, since = self._stored, self._since
        return Spent(stored.calls + since.calls, stored.tokens + since.tokens, stored.cost + since.cost)

    def _read(self) -> None:
        if self._midnight() != self._day:
            self._day = self._midnight()
            self._sums.clear()
        self._since = Spent()
        sums: dict[str, tuple[int, int, float]] = {}
        for path in parts_since(self.ledger, self._day):
            with suppress(OSError, pa.ArrowException):  # merged away meanwhile, or damaged: not our business
                sums[path] = self._sums.get(path) or self._sum(path)
        self._sums, self._stored = sums, Spent()
        for calls, tokens, cost in sums.values():
            self._stored.add(calls, tokens, cost)
        self._read_at = time.monotonic()

    def _sum(self, path: str) -> tuple[int, int, float]:
        columns = ["created_at", "tokens_in", "tokens_out", "cost"]
        with self.ledger.lake.fs.open(path, "rb") as file:
            frame = pl.DataFrame(pl.from_arrow(pq.read_table(file, columns=columns)))
        today = frame.filter(pl.col("created_at") >= self._day)
        calls, tokens, cost = today.select(pl.len(), pl.sum("tokens_in") + pl.sum("tokens_out"), pl.sum("cost")).row(0)
        return int(calls), int(tokens), float(cost)


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

    def take(self) -> bool:
        """Reserve one call; False, and `reached` says why, where a cap leaves no room for it.

        Calls are counted with those in flight, so their caps are kept exactly; tokens and money are known only
        afterwards, so their caps are exceeded by what was in flight at most.
        """
        if not self.reached:
            self.reached = self._reserve()
        return not self.reached

    def _reserve(self) -> str:
        """Count one call as in flight, or say which cap leaves no room for it."""
        today = self.today.spent() if self._per_day else Spent()  # may read, which takes time: not under the lock
        with self._lock:
            over = self._over(self._per_run, self.run, "run") or self._over(self._per_day, today, "day")
            self._in_flight += not over
        return over

    def _over(self, caps: list[tuple[float, str]], spent: Spent, period: str) -> str:
        for cap, what in caps:
            used = getattr(spent, what) + (self._in_flight if what == "calls" else 0)
            if used >= cap:
                return f"{used:,.6g} of {cap:,.6g} {what} a {period} (PERSONA_MAX_{what.upper()}_PER_{period.upper()})"
        return ""

    def settle(self, ended: int, stored: int, tokens: int, cost: float) -> None:
        """Of the calls reserved `ended` have ended, and `stored` of them were answered and stored."""
        with self._lock:  # what ends is never in neither of the two
            self.run.add(stored, tokens, cost)
            self.today.add(stored, tokens, cost)
            self._in_flight -= ended
