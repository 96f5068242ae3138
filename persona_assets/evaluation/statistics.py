"""How sure a figure is: intervals of means and of differences, over items that belong together and over seeds.

Values are matrices (items, seeds): what a system got for an item when it was trained with a seed; NaN where there is
nothing. A system that is not trained has one column. *Families* (items,) are items that are not independent, such as
those of one page: whole families are drawn, never single items of one.

Two things vary, and an interval covers both: other items would have been asked, so families are resampled; and another
seed would have given another model. Seeds are too few to be resampled (of three values four draws in five have one
twice, and their spread comes out a third too small), so the spread of the seeds' means is added as Student's
distribution, less what the families' spread has in it already. With one seed nothing is known of this, and the
interval is of the items alone.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from persona_assets.evaluation.measured import Measured, Values, coded, mean_there, ratio
from persona_assets.evaluation.seeds import TAIL, Spread, spread, student, student_draws
from persona_assets.surveys.shares import Z, wilson

RESAMPLES = 2000
_BLOCK = 1 << 20  # numbers of a block of resamples
_SEED = 20_240_628  # of resampling: the same values give the same interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; `low` and `high` are None where nothing can be said, as of one family."""

    value: float
    low: float | None = None
    high: float | None = None


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
    codes, count = coded(kept.families)
    worth = float(count)
    if 0 < value < 1 and count > 1:
        residuals = _residuals(kept, codes, count)
        variance = count / (count - 1) * float((mean_there(residuals) ** 2).sum()) * (student(count - 1) / Z) ** 2
        seeds = spread(kept.seed_means) if seeds is None else seeds
        variance += _beyond(seeds, _noise(residuals)) / Z**2
        worth = min(value * (1 - value) / variance, len(kept.values)) if variance else worth
    low, high = wilson(value, worth)
    return Estimate(value, min(low, value), max(high, value))


def mean(system: Measured, seeds: Spread | None = None) -> Estimate:
    """The weighted mean of values of any kind, with an interval by resampling families; `seeds` as of `share`."""
    kept = system.where(system.there)
    noise = _noise(_residuals(kept, *coded(kept.families)))
    return _interval(kept.mean, [(kept, 1.0)], spread(kept.seed_means) if seeds is None else seeds, noise)


def difference(
    first: Measured, second: Measured, *, shares: bool = False, paired: bool = False, seeds: Spread | None = None
) -> Estimate:
    """How far the mean of `first` lies above that of `second`, over the items that both have values for.

    The rows of both are the same items in the same order, and each is resampled with its partner. `shares`: the values
    are 0 or 1; then two made-up families, one for each side, keep the interval of few or equal answers from being of no
    width (Bonett and Price 2012); they are as large as what is worth one independent item. `paired`: the columns of
    both are the same seeds, as where each seed begins with weights of its own. `seeds` is the spread of the difference
    where it is known better than these values say.
    """
    both = first.there & second.there
    one, other = first.where(both), second.where(both)
    residuals = [_residuals(system, *coded(one.families)) for system in (one, other)]
    means = [one.seed_means, other.seed_means]
    if paired:
        residuals, means = [residuals[0] - residuals[1]], [means[0] - means[1]]
    seeds = spread(*means) if seeds is None else seeds
    noise = sum(map(_noise, residuals))
    return _interval(one.mean - other.mean, [(one, 1.0), (other, -1.0)], seeds, noise, made_up=shares)


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
    return ratio(above - np.nan_to_num(system.seed_means) * below, np.broadcast_to(below.sum(axis=0), above.shape))


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


def _interval(
    value: float, systems: Sequence[tuple[Measured, float]], seeds: Spread, noise: float, *, made_up: bool = False
) -> Estimate:
    """The interval of a sum of means, each with its sign, by drawing families; `noise` is that of `_noise`."""
    codes, count = coded(systems[0][0].families)
    if math.isnan(value) or count < 2:
        return Estimate(value)
    sums = [system.sums(codes, count) for system, _ in systems]
    if made_up:
        apart = sum(sign * mean_there(system.values) for system, sign in systems)
        size = _alike(np.asarray(apart), codes, count)
        sums = [_with_made_up(one, sign, size) for one, (_, sign) in zip(sums, systems, strict=True)]
    signs = [sign for _, sign in systems]
    rng = np.random.default_rng(_SEED)
    count = len(sums[0][0])
    drawn = np.concatenate([_combined(sums, signs, counts) for counts in _resampled(count, rng)])
    centre = _combined(sums, signs, np.ones((1, count)))[0]
    # Percentiles of few families are too near each other: stretched to what Student's t would give (Hesterberg 2015).
    drawn = centre + (drawn - centre) * student(count - 1) / Z * math.sqrt(count / (count - 1))
    if beyond := _beyond(seeds, noise):
        error = math.sqrt(beyond) / student(seeds.freedom)
        drawn = drawn + error * rng.permutation(student_draws(seeds.freedom, len(drawn)))
    drawn = drawn[~np.isnan(drawn)]
    low, high = (float(one) for one in np.quantile(drawn, (TAIL, 1 - TAIL)))
    most = 1.0 if made_up else math.inf
    return Estimate(value, max(min(low, value), -most), min(max(high, value), most))


def _with_made_up(sums: tuple[Values, Values], sign: float, size: float) -> tuple[Values, Values]:
    """With two families of `size` items: in one the first system is right alone, in the other the second."""
    above, below = sums
    items = np.full((1, below.shape[1]), size)
    right = (items, 0 * items) if sign > 0 else (0 * items, items)
    return np.concatenate([above, *right]), np.concatenate([below, items, items])


def _alike(apart: Values, codes: NDArray[np.int64], count: int) -> float:
    """How many items (n,) of a family are worth a single one, from 1 to the mean family's: by their variances.

    Where nothing varies it is unknown: all of the family.
    """
    most = len(apart) / count
    centred = apart - apart.mean()
    single = float((centred**2).sum())
    if not single:
        return most
    together = np.bincount(codes, weights=centred, minlength=count)
    return min(max(float((together**2).sum()) / single * count / (count - 1), 1.0), most)


def _combined(sums: Sequence[tuple[Values, Values]], signs: Sequence[float], counts: Values) -> Values:
    """The sum of the means of resamples (b,), of how often each family was drawn (b, families)."""
    found = np.zeros(len(counts))
    for (above, below), sign in zip(sums, signs, strict=True):
        means = ratio(counts @ above, counts @ below)
        found += sign * (means[:, 0] if means.shape[1] == 1 else mean_there(means))
    return found


def _resampled(families: int, rng: np.random.Generator) -> Iterator[Values]:
    """How often each family is drawn, resample by resample, some at a time."""
    at_once = max(1, _BLOCK // families)
    for start in range(0, RESAMPLES, at_once):
        size = min(at_once, RESAMPLES - start)
        places = rng.integers(0, families, size=(size, families)) + np.arange(size)[:, None] * families
        yield np.bincount(places.ravel(), minlength=size * families).reshape(size, families).astype(np.float64)
