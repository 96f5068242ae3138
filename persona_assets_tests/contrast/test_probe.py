import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.contrast.probe import LEAST, stance_probe
from persona_assets.text.encoder import Vectors

PAIRS = 600
NAMES = [f"task {place}" for place in range(PAIRS)]


def differences(seed: int, stance: float, pairs: int = PAIRS, dimension: int = 24) -> Vectors:
    """Noise, and a part along one axis that all pairs share."""
    found = np.random.default_rng(seed).normal(size=(pairs, dimension)).astype(np.float32)
    found[:, 0] += np.float32(stance)
    return found


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 3))
def test_the_order_of_the_poles_changes_nothing(seed: int, stance: float) -> None:
    found = differences(seed, stance)
    one, other = stance_probe(found, NAMES), stance_probe(-found, NAMES)
    assert one
    assert other
    assert one.accuracy == pytest.approx(other.accuracy)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 3))
def test_with_labels_shuffled_it_is_right_for_half(seed: int, stance: float) -> None:
    found = stance_probe(differences(seed, stance), NAMES, seed)
    assert found
    assert 0.45 <= found.shuffled <= 0.55


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_the_rows_changes_nothing(seed: int) -> None:
    found, order = differences(seed, 1), np.random.default_rng(seed).permutation(PAIRS)
    one = stance_probe(found, NAMES)
    other = stance_probe(found[order], [NAMES[place] for place in order])
    assert one
    assert other
    assert one.accuracy == other.accuracy


def test_poles_that_differ_throughout_are_told_apart() -> None:
    found = stance_probe(differences(0, 2), NAMES)
    assert found
    assert found.accuracy > 0.93
    assert found.low < found.accuracy < found.high


def test_answers_that_differ_by_chance_are_not_told_apart() -> None:
    found = stance_probe(differences(0, 0), NAMES)
    assert found
    assert found.accuracy == pytest.approx(0.5, abs=0.07)


def test_pairs_of_one_instruction_are_held_out_together() -> None:
    """Each instruction has a difference of its own, many times: who learned it by heart would know all of its pairs."""
    times = 5
    found = stance_probe(np.repeat(differences(0, 0, dimension=700), times, axis=0), np.repeat(NAMES, times).tolist())
    assert found
    assert found.pairs == times * PAIRS
    assert found.accuracy < 0.6


def test_the_same_seed_gives_the_same_result() -> None:
    found = differences(0, 0.3)
    assert stance_probe(found, NAMES, 7) == stance_probe(found, NAMES, 7)
    assert stance_probe(found, NAMES, 7) != stance_probe(found, NAMES, 8)


@pytest.mark.parametrize(
    "names",
    [NAMES[: LEAST - 1], [f"task {place % (LEAST - 1)}" for place in range(PAIRS)], []],
    ids=["few pairs", "few instructions", "none"],
)
def test_fewer_instructions_than_needed_are_not_measured(names: list[str]) -> None:
    assert stance_probe(differences(0, 3, len(names)), names) is None


def test_pairs_without_a_difference_are_not_counted() -> None:
    found = differences(0, 3)
    found[: PAIRS - LEAST + 1] = 0
    assert stance_probe(found, NAMES) is None
    found[0, 0] = 1
    assert (probe := stance_probe(found, NAMES))
    assert probe.pairs == LEAST
