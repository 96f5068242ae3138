"""What answers come to: shares with intervals, weights that meet given margins, and distances between shares."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.errors import UsageError

Z = 1.959963984540054  # of a normal distribution: 95 % lie within
SWEEPS = 1000
CLOSE = 1e-9  # to which margins are met; 1e-6 is asked for


def wilson(share: float, size: float) -> tuple[float, float]:
    """The 95 % interval of a share of `size` answers (Wilson 1927), within 0 and 1; all that there is where size is 0.

    It covers the error of sampling and no other: not what a model makes of a persona.
    """
    if size <= 0:
        return 0.0, 1.0
    spread = Z * Z / size
    centre = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / size + spread / (4 * size))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def raked(values: pl.DataFrame, margins: Mapping[str, Mapping[str, float]]) -> NDArray[np.float64]:
    """A weight for each row, so that the weighted shares of the values in each column are the margins, to `CLOSE`.

    Iterative proportional fitting (Deming and Stephan 1940). Weights add up to the rows that have one; a row whose
    value no margin names has weight 0.

    Raises:
        UsageError: a value has a margin and no row, or no weights meet all margins.
    """
    codes, shares, counted = [], [], np.ones(values.height, dtype=bool)
    for column, wanted in margins.items():
        place = {value: at for at, value in enumerate(_named(wanted))}
        own = np.array([place.get(value, -1) for value in values[column].cast(pl.String).to_list()], dtype=np.int64)
        codes.append(own)
        shares.append(np.array([wanted[value] for value in place]))
        counted &= own >= 0
    for (column, wanted), own, share in zip(margins.items(), codes, shares, strict=True):
        there = np.bincount(own[counted], minlength=len(share))
        if (empty := np.flatnonzero(there == 0)).size:
            said = f"the margin of {column} {_named(wanted)[empty[0]]} has nobody who answered"
            raise UsageError(f"{said}: ask more people, or join it with another value")
    weights = counted.astype(np.float64)
    size = weights.sum()
    for _ in range(SWEEPS):
        for own, share in zip(codes, shares, strict=True):
            sums = np.bincount(own[counted], weights=weights[counted], minlength=len(share))
            weights[counted] *= (share * size / sums)[own[counted]]
        if _off(weights, codes, shares, counted) <= CLOSE:
            return weights
    off = _off(weights, codes, shares, counted)
    said = f"no weights meet all margins: after {SWEEPS:,} rounds they are off by {off:.2g}"
    raise UsageError(f"{said}. Some pairs of values that they ask for have no respondent; name fewer margins")


def _named(wanted: Mapping[str, float]) -> list[str]:
    return [value for value, share in wanted.items() if share > 0]


def _off(
    weights: NDArray[np.float64],
    codes: Sequence[NDArray[np.int64]],
    shares: Sequence[NDArray[np.float64]],
    counted: NDArray[np.bool_],
) -> float:
    """How far the farthest share is from its margin."""
    size = weights.sum()
    found = [
        np.abs(np.bincount(own[counted], weights=weights[counted], minlength=len(share)) / size - share).max()
        for own, share in zip(codes, shares, strict=True)
    ]
    return float(max(found, default=0.0))


def effective(weights: NDArray[np.float64]) -> float:
    """How many answers of one weight tell as much as these (Kish 1965); 0 where none has a weight."""
    squares = float((weights * weights).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def total_variation(one: Sequence[float], other: Sequence[float]) -> float:
    """Half the sum of the differences of two lists of shares: 0 alike, 1 nothing in common."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / 2


def kolmogorov_smirnov(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference of the sums from the first option on, which is of options in an order; 0 to 1."""
    return float(np.abs(np.cumsum(one) - np.cumsum(other)).max())
