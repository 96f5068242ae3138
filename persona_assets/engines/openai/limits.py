"""How much a server is asked at once and in a minute: a window that finds its limit, and buckets of set limits."""

import threading
import time
from collections.abc import Callable

FIRST = 128  # requests in flight before a server has answered any
ROUND = 16  # answers at least that are judged together
STRAY = 0.03  # share of overload signs that is nothing to act on
USUAL = 0.3  # a share above this is overload, whatever it was before
HELPED = 0.6  # what halving leaves of the share where load was its cause
STEP = 16  # the window grows by this part of itself, and by one at least
MINUTE_S = 60.0
BURST_S = 0.1  # what is not used of a limit per minute is kept for this long


class Window:
    """The requests that one server takes at once, by additive increase and multiplicative decrease.

    It doubles in a round trip until the first overload, then grows in steps, and is halved once a round in which too
    many answers were overload signs. Where halving does not lessen them, load is not what causes them (a proxy that
    drops one connection in ten, say): then that share is taken as usual and the window goes back to what it was.
    """

    def __init__(self, ceiling: int) -> None:
        """Start in the middle: at half the ceiling, at most `FIRST`."""
        self.requests = 0  # sent so far
        self._ceiling = ceiling
        self._after_s = 0.0
        self.start_over()

    def start_over(self) -> None:
        """Forget what was found out."""
        self.limit = min((self._ceiling + 1) // 2, FIRST)
        self._usual = 0.0
        self._doubling = True
        self._cut_from, self._cut_share = 0, 0.0
        self._begin_round()

    @property
    def room(self) -> int:
        """Requests that may be in flight now: each overload sign takes a place until the round is over.

        A server that says no at once would otherwise be asked over and over within one round trip.
        """
        return max(1, self.limit - self._overloads)

    def sent(self) -> int:
        """Count a request; its number, for `ended`."""
        self.requests += 1
        return self.requests

    def ended(self, number: int, overload: bool, after_s: float = 0.0) -> float:
        """Count an answer or fault; the longest `after_s` of the round where this one made the window be halved."""
        if self._doubling and not overload:
            self.limit = min(self._ceiling, self.limit + 1)
        if number <= self._before:  # sent before the last change: it says nothing about it
            return 0.0
        self._answers += 1
        self._overloads += overload
        self._after_s = max(self._after_s, after_s)
        return self._end_round() if self._answers >= max(self.limit, ROUND) else 0.0

    def _begin_round(self) -> None:
        self._before = self.requests
        self._answers = self._overloads = 0
        self._after_s = 0.0

    def _end_round(self) -> float:
        share, after_s = self._overloads / self._answers, 0.0
        if self._cut_from and HELPED * self._cut_share < share <= USUAL:
            self._usual, self._doubling = share, True
            self.limit, self._cut_from = max(self.limit, self._cut_from), 0
        elif share <= 1.5 * self._usual + STRAY:
            self._grow(share)
        else:
            self._cut_from, self._cut_share = self.limit, share
            self.limit, self._doubling = max(1, self.limit // 2), False
            after_s = self._after_s
        self._begin_round()
        return after_s

    def _grow(self, share: float) -> None:
        self._cut_from = 0
        if share < self._usual:
            self._usual += (share - self._usual) / 8
        if not self._doubling:
            self.limit = min(self._ceiling, self.limit + max(1, self.limit // STEP))


class Bucket:
    """A limit per minute, spent evenly: in no minute is more taken than the limit, but for one last amount."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds."""
        self._most = max(1.0, per_minute * BURST_S / MINUTE_S)
        self._per_s = (per_minute + 1 - self._most) / MINUTE_S
        self._clock = clock
        self._level, self._at = self._most, clock()
        self._lock = threading.Lock()  # streams of one engine share it

    def take(self, amount: float) -> float:
        """Take `amount`; returns 0, or the seconds after which to ask again where it cannot be had yet.

        An amount beyond what the bucket holds is had when it is full, and paid off after that.
        """
        with self._lock:
            now = self._clock()
            self._level = min(self._most, self._level + (now - self._at) * self._per_s)
            self._at = now
            lacking = min(amount, self._most) - self._level
            if lacking > 1e-9:
                return lacking / self._per_s
            self._level -= amount
            return 0.0

    def give(self, amount: float) -> None:
        """Give back what was not used after all; what was used beyond, where `amount` is below 0."""
        with self._lock:
            self._level = min(self._most, self._level + amount)


class TokenEstimate:
    """How many tokens a request will use, told before it is answered: four characters each, and the mean answer."""

    def __init__(self) -> None:
        """Nothing is known before the first answer: then a request is taken to use all that it may."""
        self._answers = self._tokens = 0

    def of(self, characters: int, most: int) -> float:
        """Tokens of a prompt of `characters` and its answer of at most `most` tokens."""
        return characters / 4 + (min(most, self._tokens / self._answers) if self._answers else most)

    def learn(self, tokens: int) -> None:
        """Count the tokens of an answer."""
        self._answers += 1
        self._tokens += tokens
