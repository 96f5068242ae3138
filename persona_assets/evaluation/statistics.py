"""How sure a figure is: intervals of means and of differences, over items that belong together and over seeds.

Values are matrices (items, seeds): what a system got for an item when it was trained with a seed; NaN where there is
nothing. A system that is not trained has one column. *Families* (items,) are items that are not independent, such as
those of one page: whole families are drawn, never single items of one.

Two things vary, and an interval covers both: other items would have been asked, so families are resampled; and another
seed would have given another model. Seeds are too few to be resampled (of three values nine draws in ten are not all
different, and their spread comes out a third too small), so the spread of the seeds' means is added as Student's
distribution, less what the families' spread has in it already. With one seed nothing is known of this, and the
interval is of the items alone.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from persona_assets.surveys.shares import Z, wilson

RESAMPLES = 2000
LEVEL = 0.95
_TAIL = (1 - LEVEL) / 2
_BLOCK = 1 << 20  # numbers of a block of resamples
_SEED = 20_240_628  # of resampling: the same values give the same interval

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; `low` and `high` are None where nothing can be said, as of one family."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """The standard error that seeds make, and how many degrees of freedom it stands on; 0 and 0 where unknown."""

    error: float = 0.0
    freedom: float = 0.0


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
        return _ratio(*(one.sum(axis=0) for one in self._parts()))

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


def share(system: Measured, seeds: Spread | None = None) -> Estimate:
    """The share of items that are right, whose values are 0 or 1, with Wilson's interval.

    The interval is that of as many independent items as these are worth: fewer where families are alike, or seeds
    differ (Kish's design effect). The answers of one family alone are worth one. `seeds` is the spread of the mean
    where it is known better than these values say.
    """
    kept = system.where(system.there)
    value = kept.mean
    if math.isnan(value):
        return Estimate(value)
    codes, count = _coded(kept.families)
    worth = float(count)
    if 0 < value < 1 and count > 1:
        residuals = _residuals(kept, codes, count)
        variance = count / (count - 1) * float((_mean_there(residuals) ** 2).sum()) * (student(count - 1) / Z) ** 2
        seeds = spread(kept.seed_means) if seeds is None else seeds
        variance += _beyond(seeds, _noise(residuals)) / Z**2
        worth = min(value * (1 - value) / variance, len(kept.values)) if variance else worth
    low, high = wilson(value, worth)
    return Estimate(value, min(low, value), max(high, value))


def mean(system: Measured, seeds: Spread | None = None) -> Estimate:
    """The weighted mean of values of any kind, with an interval by resampling families; `seeds` as of `share`."""
    kept = system.where(system.there)
    noise = _noise(_residuals(kept, *_coded(kept.families)))
    return _interval(kept.mean, [(kept, 1.0)], spread(kept.seed_means) if seeds is None else seeds, noise)


def difference(
    first: Measured, second: Measured, *, shares: bool = False, paired: bool = False, seeds: Spread | None = None
) -> Estimate:
    """How far the mean of `first` lies above that of `second`, over the items that both have values for.

    The rows of both are the same items in the same order, and each is resampled with its partner. `shares`: the values
    are 0 or 1; then two made-up families, one for each side, keep the interval of few or equal answers from being of no
    width (Bonett and Price 2012). `paired`: the columns of both are the same seeds, as where each seed begins with
    weights of its own. `seeds` is the spread of the difference where it is known better than these values say.
    """
    both = first.there & second.there
    one, other = first.where(both), second.where(both)
    residuals = [_residuals(system, *_coded(one.families)) for system in (one, other)]
    means = [one.seed_means, other.seed_means]
    if paired:
        residuals, means = [residuals[0] - residuals[1]], [means[0] - means[1]]
    seeds = spread(*means) if seeds is None else seeds
    noise = sum(map(_noise, residuals))
    return _interval(one.mean - other.mean, [(one, 1.0), (other, -1.0)], seeds, noise, made_up=shares)


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
    return Spread(math.sqrt(total), total**2 / sum(square**2 / freedom for square, freedom in squares))


def student(freedom: float) -> float:
    """Within how many standard errors 95 % of Student's t lies."""
    from scipy.special import stdtrit  # where it is needed: it takes a while to load

    return float(stdtrit(freedom, 1 - _TAIL))


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p-value that as many items go either way by chance (McNemar 1947, by the binomial).

    `gained` are items that were wrong and are right, `lost` those that were right and are wrong. It takes items for
    independent of each other.
    """
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5))) if gained + lost else 1.0


def commonest(answers: Sequence[str], groups: Sequence[str]) -> Values:
    """Which items (n,) somebody gets right, 1 or 0, who always gives the commonest answer of the item's group.

    The commonest is that of these very items, so nobody who answers by group alone can get more; where a group has few
    items, such a guess gets less on others. Of several that are as common the first in order counts.
    """
    counts: dict[str, dict[str, int]] = {}
    for group, answer in zip(groups, answers, strict=True):
        of = counts.setdefault(group, {})
        of[answer] = of.get(answer, 0) + 1
    best = {group: min(of, key=lambda one: (-of[one], one)) for group, of in counts.items()}
    return np.array([float(best[group] == answer) for group, answer in zip(groups, answers, strict=True)])


def _residuals(system: Measured, codes: NDArray[np.int64], count: int) -> Values:
    """What each family adds to each seed's mean (families, s), beyond what one like the mean would."""
    above, below = system.sums(codes, count)
    return _ratio(above - np.nan_to_num(system.seed_means) * below, np.broadcast_to(below.sum(axis=0), above.shape))


def _noise(residuals: Values) -> float:
    """The variance of the mean over seeds that is due to what only one family in one seed does.

    Both the families' variance and the seeds' have it in them. Of one seed it is unknown: 0, which is never too little.
    """
    known = residuals[:, ~np.isnan(residuals).any(axis=0)]
    count, seeds = known.shape
    if seeds < 2 or count < 2:
        return 0.0
    own = known - known.mean(axis=1, keepdims=True)
    return float((own**2).sum() * count / (count - 1) / (seeds * (seeds - 1)))


def _beyond(seeds: Spread, noise: float) -> float:
    """What seeds add to the square of half the width of an interval, beyond what families have in it."""
    return max(float((seeds.error * student(seeds.freedom)) ** 2 - noise * Z**2), 0.0) if seeds.error else 0.0


def _coded(families: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    found, codes = np.unique(families, return_inverse=True)
    return codes.astype(np.int64), len(found)


def _interval(
    value: float, systems: Sequence[tuple[Measured, float]], seeds: Spread, noise: float, *, made_up: bool = False
) -> Estimate:
    """The interval of a sum of means, each with its sign, by drawing families; `noise` is that of `_noise`."""
    codes, count = _coded(systems[0][0].families)
    if math.isnan(value) or count < 2:
        return Estimate(value)
    sums = [system.sums(codes, count) for system, _ in systems]
    if made_up:
        sums = [_with_made_up(above, below, sign) for (above, below), (_, sign) in zip(sums, systems, strict=True)]
    signs = [sign for _, sign in systems]
    rng = np.random.default_rng(_SEED)
    count = len(sums[0][0])
    drawn = np.concatenate([_combined(sums, signs, counts) for counts in _resampled(count, rng)])
    centre = _combined(sums, signs, np.ones((1, count)))[0]
    # Percentiles of few families are too near each other: stretched to what Student's t would give (Hesterberg 2015).
    drawn = centre + (drawn - centre) * student(count - 1) / Z * math.sqrt(count / (count - 1))
    if beyond := _beyond(seeds, noise):
        error = math.sqrt(beyond) / student(seeds.freedom)
        drawn = drawn + error * rng.permutation(_student_draws(seeds.freedom, len(drawn)))
    drawn = drawn[~np.isnan(drawn)]
    low, high = (float(one) for one in np.quantile(drawn, (_TAIL, 1 - _TAIL)))
    most = 1.0 if made_up else math.inf
    return Estimate(value, max(min(low, value), -most), min(max(high, value), most))


def _with_made_up(above: Values, below: Values, sign: float) -> tuple[Values, Values]:
    """With two families of middling size: in one the first system is right alone, in the other the second."""
    size = below.mean(axis=0, keepdims=True)
    right = (size, 0 * size) if sign > 0 else (0 * size, size)
    return np.concatenate([above, *right]), np.concatenate([below, size, size])


def _combined(sums: Sequence[tuple[Values, Values]], signs: Sequence[float], counts: Values) -> Values:
    """The sum of the means of resamples (b,), of how often each family was drawn (b, families)."""
    found = np.zeros(len(counts))
    for (above, below), sign in zip(sums, signs, strict=True):
        means = _ratio(counts @ above, counts @ below)
        found += sign * (means[:, 0] if means.shape[1] == 1 else _mean_there(means))
    return found


def _mean_there(means: Values) -> Values:
    """The mean of what is no NaN in each row; NaN where all is."""
    there = ~np.isnan(means)
    return _ratio(np.where(there, means, 0.0).sum(axis=1), there.sum(axis=1).astype(np.float64))


def _ratio(above: Values, below: Values) -> Values:
    """The quotient; NaN where it would be by 0."""
    found: Values = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
    return found


def _resampled(families: int, rng: np.random.Generator) -> Iterator[Values]:
    """How often each family is drawn, resample by resample, some at a time."""
    at_once = max(1, _BLOCK // families)
    for start in range(0, RESAMPLES, at_once):
        size = min(at_once, RESAMPLES - start)
        places = rng.integers(0, families, size=(size, families)) + np.arange(size)[:, None] * families
        yield np.bincount(places.ravel(), minlength=size * families).reshape(size, families).astype(np.float64)


def _student_draws(freedom: float, count: int) -> Values:
    """Evenly spread quantiles of Student's t: draws without chance."""
    from scipy.special import stdtrit

    found: Values = stdtrit(freedom, (np.arange(count) + 0.5) / count)
    return found
