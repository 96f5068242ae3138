"""Intervals, weights that meet margins, and distances between shares."""

from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from persona_assets.errors import UsageError
from persona_assets.surveys.shares import effective, kolmogorov_smirnov, raked, total_variation, wilson

SHARES = (
    st.lists(st.integers(0, 50), min_size=2, max_size=6)
    .filter(any)
    .map(lambda counts: [c / sum(counts) for c in counts])
)
AGES, REGIONS = ("young", "middle", "old"), ("north", "south")


def weighted(values: pl.DataFrame, weights: np.ndarray, column: str) -> dict[str, float]:
    sums = values.with_columns(w=pl.Series(weights)).group_by(column).agg(pl.col("w").sum())
    return {value: w / weights.sum() for value, w in sums.iter_rows()}


@pytest.mark.parametrize(
    ("share", "size", "low", "high"),
    [(0.0, 10, 0.0, 0.2775), (0.5, 10, 0.2366, 0.7634), (1.0, 10, 0.7225, 1.0), (0.3, 1000, 0.2724, 0.3291)],
)
def test_an_interval_is_that_of_wilson(share: float, size: int, low: float, high: float) -> None:
    assert wilson(share, size) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(0, 200), st.integers(1, 200))
def test_an_interval_holds_its_share_and_narrows_with_more_answers(chose: int, size: int) -> None:
    assume(chose <= size)
    low, high = wilson(chose / size, size)
    assert 0 <= low <= chose / size + 1e-12
    assert chose / size - 1e-12 <= high <= 1
    wider = wilson(chose / size, 4 * size)
    assert wider[1] - wider[0] < high - low


@given(
    st.lists(st.tuples(st.sampled_from(AGES), st.sampled_from(REGIONS)), max_size=60),
    st.tuples(*[st.integers(1, 20)] * 3),
    st.tuples(*[st.integers(1, 20)] * 2),
)
def test_weighted_shares_are_the_margins(
    people: list[tuple[str, str]], ages: tuple[int, ...], regions: tuple[int, ...]
) -> None:
    every = [(age, region) for age in AGES for region in REGIONS]  # with somebody in each cell there are such weights
    values = pl.DataFrame(every + people, schema=["age", "region"], orient="row")
    margins = {
        "age": {age: n / sum(ages) for age, n in zip(AGES, ages, strict=True)},
        "region": {region: n / sum(regions) for region, n in zip(REGIONS, regions, strict=True)},
    }
    weights = raked(values, margins)
    for column, wanted in margins.items():
        assert weighted(values, weights, column) == pytest.approx(wanted, abs=1e-6)
    assert weights.sum() == pytest.approx(values.height)
    assert (weights > 0).all()


def test_who_has_a_value_without_a_margin_has_no_weight() -> None:
    values = pl.DataFrame({"age": ["young", "old", "unknown", "old"]})
    weights = raked(values, {"age": {"young": 0.5, "old": 0.5}})
    assert weights.tolist() == pytest.approx([1.5, 0.75, 0, 0.75])


def test_a_margin_of_nobody_is_an_error_that_names_it() -> None:
    with pytest.raises(UsageError, match="margin of age middle has nobody"):
        raked(pl.DataFrame({"age": ["young", "old"]}), {"age": {"young": 0.4, "middle": 0.3, "old": 0.3}})


def test_margins_that_no_weights_meet_are_an_error() -> None:
    values = pl.DataFrame({"age": ["young", "old"], "region": ["north", "south"]})  # who is young is in the north
    with pytest.raises(UsageError, match="no weights meet all margins"):
        raked(values, {"age": {"young": 0.9, "old": 0.1}, "region": {"north": 0.1, "south": 0.9}})


@given(SHARES)
def test_a_distance_to_itself_is_nothing(shares: list[float]) -> None:
    assert total_variation(shares, shares) == kolmogorov_smirnov(shares, shares) == 0


@given(SHARES, st.randoms())
def test_no_option_order_changes_total_variation_and_ks_is_no_larger(shares: list[float], random: Random) -> None:
    other = [*shares]
    random.shuffle(other)
    places = list(range(len(shares)))
    random.shuffle(places)
    whole = total_variation(shares, other)
    assert total_variation([shares[at] for at in places], [other[at] for at in places]) == pytest.approx(whole)
    assert kolmogorov_smirnov(shares, other) <= whole + 1e-9 <= 1 + 2e-9


def test_equal_weights_are_worth_their_number_and_one_large_one_little_more_than_one() -> None:
    assert effective(np.ones(8)) == pytest.approx(8)
    assert effective(np.array([1000.0, 1, 1, 1])) == pytest.approx(1.006, abs=1e-3)
    assert effective(np.zeros(3)) == 0
