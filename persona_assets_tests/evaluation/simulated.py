"""Systems whose accuracy is known, many evaluations at once."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

Values = NDArray[np.float64]


def logistic(values: Values) -> Values:
    return 1 / (1 + np.exp(-values))


def evaluation(
    rng: np.random.Generator, families: int, seeds: int = 1, by_seed: float = 0.0, gain: float = 0.5
) -> tuple[Values, Values, NDArray[np.int64]]:
    """Whether a base (n,) and a tuned system (n, seeds) are right, and the family of each item.

    Items of a page are easy or hard together, pages gain more or less, and seeds are better or worse by `by_seed`.
    """
    of = np.repeat(np.arange(families), rng.integers(1, 6, size=families))
    hard, moved = rng.normal(0, 0.6, families)[of], rng.normal(0, 0.4, families)[of]
    base = rng.random(len(of)) < logistic(hard - 1)
    luck = rng.normal(0, by_seed, seeds)[None, :]
    tuned = rng.random((len(of), seeds)) < logistic(hard[:, None] + moved[:, None] - 1 + gain + luck)
    return base.astype(np.float64), tuned.astype(np.float64), of


def expected(by_seed: float = 0.0, gain: float = 0.5) -> tuple[float, float]:
    """The accuracy of base and tuned over endlessly many pages and seeds."""
    hard, moved, luck = np.random.default_rng(1).normal(0, 1, (3, 2_000_000))
    tuned = logistic(0.6 * hard + 0.4 * moved - 1 + gain + by_seed * luck)
    return float(logistic(0.6 * hard - 1).mean()), float(tuned.mean())


def answers(
    base: Values, tuned: Values, families: NDArray[np.int64], suite: str = "own", stratum: str | None = None
) -> pl.DataFrame:
    """Rows as `grades` takes them: a problem for each item, whose answer is its number or another one."""
    parts = [_of_system(base, "base", None), *(_of_system(one, "tuned", seed) for seed, one in enumerate(tuned.T))]
    return pl.concat(
        part.with_columns(
            item_id=pl.format("{}-{}-{}", pl.lit(suite), pl.lit(stratum or ""), "place"),
            suite=pl.lit(suite),
            kind=pl.lit("maths"),
            stratum=pl.lit(stratum, pl.String),
            family=pl.Series([f"page{one}" for one in families]),
            language=pl.when(pl.col("place") % 2 == 0).then(pl.lit("en")).otherwise(pl.lit("ru")),
            gold=(pl.col("place") % 7).cast(pl.String),
            prompt=pl.format("How much is number {}?", "place"),
        )
        for part in parts
    ).with_columns(row_id=pl.format("{}/{}/{}", "item_id", "system", pl.col("seed").fill_null(-1)))


def _of_system(right: Values, system: str, seed: int | None) -> pl.DataFrame:
    place = np.arange(len(right))
    given = np.where(right == 1, place % 7, 100)
    return pl.DataFrame({"place": place, "answer": [f"1+1=2#{one}" for one in given]}).with_columns(
        system=pl.lit(system), seed=pl.lit(seed, pl.Int64)
    )
