"""A pool of servers: which one takes the next request, when, and which are left alone for a while."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from persona_assets.engines.base import EngineUnavailable
from persona_assets.engines.openai.client import Client
from persona_assets.engines.openai.faults import LONGEST_RETRY_AFTER_S, TryAgain, delay_s
from persona_assets.engines.openai.form import Form
from persona_assets.engines.openai.limits import Bucket, Window

LEAST_S = 0.001  # shorter waits are not worth an event
FIRST_TRIES = 5  # refusals alike, before any answer, after which every request is taken to be refused
ALONE_S = 1.0  # for how long a refused request waits for others to be sent beside it
LOOK_S = 0.02
IN_A_ROW = 8  # faults after which a server is left alone, as long as another one works


class Server:
    """One server: its address, how many requests it takes at once, and whether it works."""

    def __init__(self, address: str, client: Client, ceiling: int) -> None:
        """It is taken to work before it is asked."""
        self.address, self.client = address, client
        self.window = Window(ceiling)
        self.in_flight = 0
        self.answered = False
        self.forms: dict[str, Form] = {}  # by digest of the template: the form in which its questions are answered
        self._blamed = 0  # requests in flight that wait to hear whether others are answered
        self._complaints: Counter[tuple[str, str]] = Counter()
        self.resting = False
        self.refused = 0  # times in a row that no connection could be made
        self.in_a_row = 0  # faults since its last answer
        self._until = 0.0  # it is asked nothing before
        self._broken = self._rests = 0  # faults that no limit explains, and rests, in a row
        self._rested_at = 0  # the number of its last request before it was left alone

    def free_at(self, now: float) -> float | None:
        """When it can take a request: 0 for now, None for when one of its requests in flight has ended."""
        if self._until > now:
            return self._until
        # After a rest, one request finds out whether it works again.
        return None if self.in_flight >= (1 if self.resting else self.window.room) else 0.0

    async def answers_others(self) -> bool:
        """Whether one of the requests in flight beside this one is answered, or any was before; waits to hear it."""
        self._blamed += 1
        alone_until = time.monotonic() + ALONE_S
        while not self.answered and (self.in_flight > self._blamed or time.monotonic() < alone_until):
            await asyncio.sleep(LOOK_S)
        self._blamed -= self.answered
        return self.answered

    def refused_alike(self, template: str, complaint: str) -> bool:
        """Note what a refusal before a template's first answer says; whether all that is asked is refused so."""
        self._complaints[template, complaint] += bool(complaint)
        return self._complaints[template, complaint] >= FIRST_TRIES

    def pause(self, seconds: float) -> None:
        """Ask it nothing for some seconds, as it wished."""
        self._until = max(self._until, time.monotonic() + min(seconds, LONGEST_RETRY_AFTER_S))

    def answered_well(self) -> None:
        """Note an answer."""
        self.in_a_row = 0
        self._lives()

    def _lives(self) -> None:
        if self.resting:
            self.window.start_over()
            self.resting, self._until = False, 0.0
        self.refused = self._broken = self._rests = 0

    def failed(self, number: int, fault: TryAgain, others_work: bool) -> None:
        """Note a fault of request `number`; the server is left alone where it refuses, or fails while others work."""
        self.in_a_row += 1
        if fault.reason == "rate_limited":
            self._lives()
        elif number > self._rested_at:  # those that were on their way together count once
            self._broken += 1
            if fault.unreachable or (others_work and self._broken >= IN_A_ROW):
                self.refused += fault.unreachable
                self._rest()
            elif not others_work:
                self.resting, self.refused = False, 0

    def _rest(self) -> None:
        self._rests += 1
        self._rested_at = self.window.requests
        self.resting, self._until = True, time.monotonic() + delay_s(self._rests, None)


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to have one request in flight at a server."""

    server: Server
    number: int  # among the requests to this server


class Pool:
    """The servers of one stream; all methods belong to one event loop."""

    def __init__(
        self,
        servers: Sequence[Server],
        ceiling: int,
        max_retries: int,
        requests: Bucket | None = None,
        tokens: Bucket | None = None,
    ) -> None:
        """`ceiling`: most requests in flight in all; `requests` and `tokens`: limits per minute."""
        self.servers = servers
        self._ceiling, self._max_retries = ceiling, max_retries
        self._requests, self._tokens = requests, tokens
        self._in_flight = 0
        self._waiting: deque[tuple[float, asyncio.Future[Slot]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped: EngineUnavailable | None = None

    async def acquire(self, tokens: float) -> Slot:
        """The next slot, of the server with the least to do, for a request that will use about `tokens`.

        Raises:
            EngineUnavailable: the stream was stopped.

        """
        if self._stopped:
            raise self._stopped
        if not self._waiting and (slot := self._take(tokens)):
            return slot
        waiting: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiting.append((tokens, waiting))
        return await waiting

    def release(self, slot: Slot, fault: TryAgain | None = None) -> None:
        """Give a slot back, with the fault that its request met.

        Raises:
            EngineUnavailable: none of the servers can be reached.

        """
        server = slot.server
        server.in_flight -= 1
        self._in_flight -= 1
        overload, after_s = (fault.overload, fault.after_s or 0.0) if fault else (False, 0.0)
        if pause_s := server.window.ended(slot.number, overload, after_s):
            server.pause(pause_s)
        if fault is None:
            server.answered_well()
        else:
            server.failed(slot.number, fault, any(not other.resting for other in self.servers if other is not server))
            if all(server.refused > self._max_retries for server in self.servers):
                raise EngineUnavailable(f"{server.address}: {fault.detail}; start the server or check PERSONA_BASE_URL")
        self._serve()

    def stop(self, error: EngineUnavailable) -> None:
        """Grant no further slot."""
        self._stopped = self._stopped or error
        while self._waiting:
            _, waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(error)

    def leave_loop(self) -> None:
        """Be ready for another event loop; nothing may be waiting or in flight."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Granting

    def _serve(self) -> None:
        while self._waiting:
            tokens, waiting = self._waiting[0]
            if not waiting.done():
                if not (slot := self._take(tokens)):
                    return
                waiting.set_result(slot)
            self._waiting.popleft()

    def _take(self, tokens: float) -> Slot | None:
        """A slot, or None; where only time is lacking, `_serve` is called again when it has passed."""
        if self._in_flight >= self._ceiling or not (server := self._choose()):
            return None
        if wait_s := self._limits(tokens):
            self._look_again(wait_s)
            return None
        server.in_flight += 1
        self._in_flight += 1
        return Slot(server, server.window.sent())

    def _choose(self) -> Server | None:
        now = time.monotonic()
        best, least, soonest = None, inf, inf
        for server in self.servers:
            at = server.free_at(now)
            if at:
                soonest = min(soonest, at)
            elif at is not None and (load := server.in_flight / server.window.limit) < least:
                best, least = server, load
        if best is None and soonest < inf:
            self._look_again(soonest - now)
        return best

    def _limits(self, tokens: float) -> float:
        """Take a request and its tokens from the limits per minute; 0, or the seconds to wait."""
        wait_s = self._requests.take(1) if self._requests else 0.0
        if not wait_s and self._tokens and (wait_s := self._tokens.take(tokens)) and self._requests:
            self._requests.give(1)
        return wait_s

    def _look_again(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + max(seconds, LEAST_S)
        if self._timer is None or self._timer.when() > at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(at, self._time_has_passed)

    def _time_has_passed(self) -> None:
        self._timer = None
        self._serve()
