"""What a system got for items, as a matrix, and its sums and means by family and seed."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measured:
    """What one system got: `values` (n, s), `weights` (n, s), such as tokens, and `families` (n,) as numbers."""

    values: Values
    weights: Values
    families: NDArray[np.int64]

    @classmethod
    def of(cls, values: Values, families: NDArray[np.int64], weights: Values | None = None) -> "Measured":
        """Values (n,) or (n, s), of one weight where none are given."""
        table = values.reshape(len(values), -1).astype(np.float64)
        each = np.ones_like(table) if weights is None else weights.reshape(len(weights), -1).astype(np.float64)
        return cls(table, np.broadcast_to(each, table.shape), families)

    def where(self, kept: NDArray[np.bool_]) -> "Measured":
        """Some of the items."""
        return Measured(self.values[kept], self.weights[kept], self.families[kept])

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which items have a value in some seed."""
        return np.asarray(~np.isnan(self.values).all(axis=1), bool)

    @property
    def seed_means(self) -> Values:
        """The weighted mean of each seed (s,); NaN where it has no value."""
        return ratio(*(one.sum(axis=0) for one in self._parts()))

    @property
    def mean(self) -> float:
        """The mean of the seeds' means; NaN where there is no value."""
        means = self.seed_means
        return float(np.nanmean(means)) if not np.isnan(means).all() else math.nan

    def _parts(self) -> tuple[Values, Values]:
        """Weighted values and weights; 0 where there is nothing."""
        there = ~np.isnan(self.values)
        weights = np.where(there, self.weights, 0.0)
        return np.where(there, self.values, 0.0) * weights, weights

    def sums(self, codes: NDArray[np.int64], count: int) -> tuple[Values, Values]:
        """The parts added up by family (families, s)."""
        found = []
        for part in self._parts():
            total = np.zeros((count, part.shape[1]))
            np.add.at(total, codes, part)
            found.append(total)
        return found[0], found[1]


def coded(families: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Families (n,) as numbers from 0 on without a gap, and how many there are."""
    found, codes = np.unique(families, return_inverse=True)
    return codes.astype(np.int64), len(found)


def mean_there(means: Values) -> Values:
    """The mean of what is no NaN in each row; NaN where all is."""
    there = ~np.isnan(means)
    return ratio(np.where(there, means, 0.0).sum(axis=1), there.sum(axis=1).astype(np.float64))


def ratio(above: Values, below: Values) -> Values:
    """The quotient; NaN where it would be by 0."""
    found: Values = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
    return found
