"""Intervals hold what they promise, over items that belong together and over seeds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binomtest

from persona_assets.evaluation import statistics
from persona_assets.evaluation.measured import Measured
from persona_assets.evaluation.seeds import Spread, joined, pooled, spread, student
from persona_assets.evaluation.statistics import commonest, difference, mcnemar, mean, share
from persona_assets.surveys.shares import wilson
from persona_assets_tests.evaluation.simulated import Values, evaluation, expected

TRIALS = 500


def alone(count: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.arange(count, dtype=np.int64)


def covered(families: int, seeds: int, by_seed: float, *, single: bool = False, one_seed: bool = False) -> float:
    """How often the interval of the difference holds the true one; `single` takes no heed of families."""
    base, tuned = expected(by_seed)
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(TRIALS):
        before, after, of = evaluation(rng, families, seeds, by_seed)
        if single:
            of = alone(len(of))
        first, second = Measured.of(after, of), Measured.of(before, of)
        if one_seed:  # as though every seed were the only one
            first = Measured.of(after.mean(axis=1), of)
        found = difference(first, second, shares=True)
        assert found.low is not None and found.high is not None
        hits += found.low <= tuned - base <= found.high
    return hits / TRIALS


@pytest.mark.parametrize(("families", "seeds", "by_seed"), [(15, 1, 0.0), (60, 1, 0.0), (60, 3, 0.3)])
def test_intervals_of_differences_hold_the_truth_as_often_as_they_say(
    families: int, seeds: int, by_seed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 400)
    assert covered(families, seeds, by_seed) >= 0.92


def test_without_the_variance_by_seed_they_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 400)
    assert covered(60, 3, 1.0, one_seed=True) < 0.7


def test_items_of_a_page_that_are_taken_for_independent_would_make_intervals_too_narrow() -> None:
    rng = np.random.default_rng(3)
    true, hits = 0.5, {"pages": 0, "items": 0}
    for _ in range(TRIALS):
        right = np.repeat(rng.random(40) < true, 8).astype(np.float64)  # a page is right as a whole
        of = np.repeat(np.arange(40), 8)
        for name, families in (("pages", of), ("items", alone(len(of)))):
            found = share(Measured.of(right, families))
            assert found.low is not None and found.high is not None
            hits[name] += found.low <= true <= found.high
    assert hits["pages"] / TRIALS >= 0.93
    assert hits["items"] / TRIALS < 0.7


@given(st.integers(1, 400), st.data())
def test_the_share_of_independent_items_has_wilsons_interval(size: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, size))
    values = np.r_[np.ones(right), np.zeros(size - right)]
    found = share(Measured.of(values, alone(size)))
    low, high = wilson(right / size, size)
    assert found.value == right / size
    assert found.low is not None and found.high is not None
    assert found.low <= low + 1e-9 and found.high >= high - 1e-9  # by Student's t it is a little wider
    wide = student(size - 1) / statistics.Z * 1.2 if size > 2 else math.inf
    assert found.high - found.low <= (high - low) * wide + 1e-9


TABLES = st.tuples(st.integers(2, 30), st.integers(1, 3)).flatmap(
    lambda shape: arrays.arrays(np.float64, shape, elements=st.floats(-5, 5) | st.just(math.nan))
)


@settings(max_examples=40, deadline=None)
@given(TABLES, st.integers(1, 5))
def test_an_interval_holds_its_value_and_moves_and_turns_with_it(table: Values, members: int) -> None:
    families = alone(len(table)) // members
    system, zero = Measured.of(table, families), Measured.of(np.zeros(len(table)), families)
    found, moved = mean(system), mean(Measured.of(table + 3, families))
    if math.isnan(found.value):
        assert found.low is None
        return
    assert moved.value == pytest.approx(found.value + 3)
    if found.low is None or found.high is None:
        assert len(np.unique(families[system.there])) == 1
        return
    assert found.low <= found.value <= found.high
    assert (moved.low, moved.high) == (pytest.approx(found.low + 3), pytest.approx(found.high + 3))
    over, under = difference(system, zero), difference(zero, system)
    assert over.value == pytest.approx(found.value)
    assert under.value == pytest.approx(-over.value)
    if table.shape[1] == 1 and over.high is not None:  # else the draws of seeds meet others of families
        assert under.low == pytest.approx(-over.high)


@settings(max_examples=25, deadline=None)
@given(TABLES, st.randoms())
def test_the_order_of_families_and_items_makes_no_difference_but_for_chance(table: Values, random: object) -> None:
    families = alone(len(table)) // 2
    order = np.random.default_rng(5).permutation(len(table))
    first, again = mean(Measured.of(table, families)), mean(Measured.of(table, families))
    shuffled = mean(Measured.of(table[order], families[order]))
    assert first == again or math.isnan(first.value)
    assert shuffled.value == pytest.approx(first.value, nan_ok=True)
    assert (shuffled.low is None) == (first.low is None)
    if first.low is not None and shuffled.low is not None:
        assert shuffled.low == pytest.approx(first.low)


def test_weights_count() -> None:
    losses = Measured.of(np.array([1.0, 3.0]), alone(2), np.array([30.0, 10.0]))
    assert mean(losses).value == 1.5


def test_few_equal_answers_are_no_proof() -> None:
    all_right, none = Measured.of(np.ones(5), alone(5)), Measured.of(np.zeros(5), alone(5))
    found = difference(all_right, none, shares=True)
    assert found.value == found.high == 1.0
    assert found.low is not None and -0.1 < found.low < 0.7  # as McNemar's p of 0.06 says
    same = difference(none, none, shares=True)
    assert same.low is not None and same.low < -0.2
    many = difference(Measured.of(np.ones(500), alone(500)), Measured.of(np.zeros(500), alone(500)), shares=True)
    assert many.low is not None and many.low > 0.98


def test_items_of_few_pages_that_do_not_go_together_count_each_for_itself() -> None:
    rng = np.random.default_rng(1)
    of, base = np.repeat(np.arange(12), 20), Measured.of(np.zeros(240), np.repeat(np.arange(12), 20))
    single, together = (rng.random(240) < 0.25), np.repeat(rng.random(12) < 0.25, 20)
    lows = [difference(Measured.of(one.astype(np.float64), of), base, shares=True).low for one in (single, together)]
    assert lows[0] is not None and lows[1] is not None
    assert lows[0] > 0.15
    assert lows[1] < 0.05


def test_of_one_family_nothing_can_be_said() -> None:
    one = Measured.of(np.array([1.0, 0.0, 1.0]), np.zeros(3, np.int64))
    assert mean(one).low is None
    assert difference(one, one).low is None
    found = share(one)
    assert found.low is not None and found.high is not None and found.high - found.low > 0.7


def test_items_that_one_of_two_systems_lacks_are_left_out_of_their_difference() -> None:
    first = Measured.of(np.array([1.0, 1.0, 0.0, math.nan]), alone(4))
    second = Measured.of(np.array([0.0, math.nan, 0.0, 1.0]), alone(4))
    assert difference(first, second).value == 0.5


def test_seeds_with_bases_of_their_own_are_compared_seed_by_seed() -> None:
    rng = np.random.default_rng(0)
    luck = np.array([0.0, 5.0, -5.0])
    base = rng.normal(0, 1, (50, 3)) + luck
    tuned = base + 1 + rng.normal(0, 0.1, (50, 3))
    paired = difference(Measured.of(tuned, alone(50)), Measured.of(base, alone(50)), paired=True)
    apart = difference(Measured.of(tuned, alone(50)), Measured.of(base, alone(50)))
    assert paired.low is not None and paired.low > 0.8
    assert apart.low is not None and apart.low < 0


def test_the_spread_of_seeds_has_welchs_degrees_of_freedom() -> None:
    one, other = np.array([1.0, 2.0, 3.0]), np.array([4.0, 4.5, 5.5, 6.0])
    found = spread(one, other)
    errors = [one.var(ddof=1) / 3, other.var(ddof=1) / 4]
    assert found.error == pytest.approx(math.sqrt(sum(errors)))
    assert found.freedom == pytest.approx(sum(errors) ** 2 / (errors[0] ** 2 / 2 + errors[1] ** 2 / 3))
    assert spread(np.array([1.0])) == joined() == Spread()


def test_pooled_seeds_share_their_variance_and_serve_one_that_has_a_single_seed() -> None:
    one, other, single = np.array([1.0, 3.0]), np.array([4.0, 4.0, 7.0]), np.array([2.0])
    found = pooled([one, other, single], one, single)
    variance = (2.0 * 1 + 3.0 * 2) / 3
    assert found.freedom == 3
    assert found.error == pytest.approx(math.sqrt(variance * (1 / 2 + 1)))
    assert pooled([single], single) == Spread()


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_p_is_that_of_the_binomial(gained: int, lost: int) -> None:
    expected_p = binomtest(gained, gained + lost, 0.5).pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(expected_p)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("123")), min_size=1, max_size=40))
def test_nobody_who_answers_by_group_alone_gets_more_than_the_commonest(rows: list[tuple[str, str]]) -> None:
    groups, golds = [one for one, _ in rows], [gold for _, gold in rows]
    got = commonest(golds, groups).sum()
    best = sum(max(sum(row == (group, gold) for row in rows) for gold in "123") for group in "ab")
    assert got == best
