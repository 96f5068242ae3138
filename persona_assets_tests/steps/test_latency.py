import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.steps.latency import PER_DOUBLING, Latency

SECONDS = st.lists(st.floats(0.001, 3600), min_size=1, max_size=60)


@given(SECONDS, st.floats(0.01, 1))
def test_a_quantile_is_right_to_a_bins_width(seconds: list[float], share: float) -> None:
    latency = Latency()
    latency.add(seconds)
    ranked = sorted(seconds)
    exact = next(value for at, value in enumerate(ranked, 1) if at >= share * len(ranked))
    assert latency.quantile(share) == pytest.approx(exact, rel=2 ** (0.51 / PER_DOUBLING) - 1)


@given(SECONDS, SECONDS)
def test_counts_add_up(one: list[float], other: list[float]) -> None:
    latency = Latency()
    latency.add(one)
    latency.add(other)
    assert latency.count == len(one) + len(other) == sum(count for _, count in latency.rows())


def test_nothing_counted_is_nothing() -> None:
    assert (Latency().quantile(0.5), Latency().rows()) == (0.0, [])


def test_rows_run_from_the_first_doubling_to_the_last_with_the_empty_ones_between() -> None:
    latency = Latency()
    latency.add([0.0015, 0.0015, 0.012])
    assert [count for _, count in latency.rows()] == [2, 0, 0, 1]
