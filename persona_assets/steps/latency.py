"""How long calls took, as a histogram of fixed size: a run of a billion calls has one too."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

PER_DOUBLING = 4  # bins for each doubling: a bin is 19 % wide
LEAST_S = 0.001  # what is shorter falls into the first bin


@dataclass
class Latency:
    """Counts of calls by logarithmic bins of their seconds."""

    bins: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: Iterable[float]) -> None:
        """Count calls."""
        self.bins.update(round(PER_DOUBLING * math.log2(max(value, LEAST_S) / LEAST_S)) for value in seconds)

    @property
    def count(self) -> int:
        """Calls counted."""
        return self.bins.total()

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the calls was answered, to a bin's width; 0 where there are none."""
        left = share * self.count
        for number in sorted(self.bins):
            left -= self.bins[number]
            if left <= 0:
                return self._seconds(number)
        return 0.0

    def rows(self) -> list[tuple[float, int]]:
        """(seconds at most, calls) by doublings, from the first to the last that holds any; for a plot."""
        doublings: Counter[int] = Counter()
        for number, count in self.bins.items():
            doublings[number // PER_DOUBLING] += count
        if not doublings:
            return []
        return [
            (self._seconds((number + 1) * PER_DOUBLING), doublings[number])
            for number in range(min(doublings), max(doublings) + 1)
        ]

    @staticmethod
    def _seconds(number: int) -> float:
        return LEAST_S * math.exp2(number / PER_DOUBLING)
