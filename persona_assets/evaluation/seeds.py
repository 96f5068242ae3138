"""What training seeds add to how unsure a figure is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from persona_assets.evaluation.measured import Values

LEVEL = 0.95  # of intervals
TAIL = (1 - LEVEL) / 2


@dataclass(frozen=True, slots=True)
class Spread:
    """The standard error that seeds make, and how many degrees of freedom it stands on; 0 and 0 where unknown."""

    error: float = 0.0
    freedom: float = 0.0


def spread(*means: Values) -> Spread:
    """The standard error of a sum or difference of means over seeds, with its degrees of freedom (Welch 1947).

    Each of `means` (s,) are a system's means by seed; one with a single seed adds nothing, as nothing is known of it.
    """
    known = [one[~np.isnan(one)] for one in means]
    return joined(
        *(Spread(float(one.std(ddof=1)) / math.sqrt(len(one)), len(one) - 1) for one in known if len(one) > 1)
    )


def pooled(systems: Sequence[Values], *of: Values) -> Spread:
    """The same of `of`, with one variance for all `systems`, whose seeds are taken to differ alike (n systems of (s,)).

    So three models of three seeds each give six degrees of freedom, and one with a single seed has a spread too.
    """
    known = [one[~np.isnan(one)] for one in systems]
    freedom = sum(len(one) - 1 for one in known if len(one) > 1)
    if not freedom:
        return Spread()
    variance = sum(float(one.var(ddof=1)) * (len(one) - 1) for one in known if len(one) > 1) / freedom
    share_of_each = sum(1 / max(int((~np.isnan(one)).sum()), 1) for one in of)
    return Spread(math.sqrt(variance * share_of_each), freedom)


def joined(*spreads: Spread) -> Spread:
    """The standard error of a sum of what varies by itself (Satterthwaite's degrees of freedom)."""
    squares = [(one.error**2, one.freedom) for one in spreads if one.error and one.freedom]
    total = sum(square for square, _ in squares)
    if not total:
        return Spread()
    return Spread(math.sqrt(total), 1 / sum((square / total) ** 2 / freedom for square, freedom in squares))


def student(freedom: float) -> float:
    """Within how many standard errors 95 % of Student's t lies."""
    from scipy.special import stdtrit  # where it is needed: it takes a while to load

    return float(stdtrit(freedom, 1 - TAIL))


def student_draws(freedom: float, count: int) -> Values:
    """Evenly spread quantiles of Student's t: draws without chance."""
    from scipy.special import stdtrit

    found: Values = stdtrit(freedom, (np.arange(count) + 0.5) / count)
    return found
