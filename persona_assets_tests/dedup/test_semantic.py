import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.dedup import semantic as module
from persona_assets.dedup.semantic import BAND, semantic_pairs


def unit_vectors(seed: int, groups: int, size: int, spread: float) -> np.ndarray:
    """`groups` clusters of `size` unit vectors each, in 32 dimensions."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(groups, 32)), size, axis=0)
    vectors = centres + spread * rng.normal(size=centres.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def pairs_of(vectors: np.ndarray, known: int = 0, threshold: float = 0.9) -> set[tuple[int, int]]:
    found = semantic_pairs(vectors.astype(np.float16), known, threshold, lambda places: vectors[places])
    return set(zip(found.left.tolist(), found.right.tolist(), strict=True))


def brute_force(vectors: np.ndarray, known: int = 0, threshold: float = 0.9) -> set[tuple[int, int]]:
    cosines = np.einsum("id,jd->ij", vectors, vectors)
    left, right = np.nonzero(np.triu(cosines, 1) >= threshold)
    return {(i, j) for i, j in zip(left.tolist(), right.tolist(), strict=True) if j >= known}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 60), st.floats(0.2, 0.5))
def test_the_pairs_are_those_of_float32_brute_force(seed: int, known: int, spread: float) -> None:
    vectors = unit_vectors(seed, 12, 5, spread)
    assert pairs_of(vectors, known) == brute_force(vectors, known)


def test_blocks_cover_every_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit_vectors(3, 10, 7, 0.25)
    whole = pairs_of(vectors, 20)
    monkeypatch.setattr(module, "QUERY_BLOCK", 6)
    monkeypatch.setattr(module, "BASE_BLOCK", 11)
    assert pairs_of(vectors, 20) == whole == brute_force(vectors, 20)


def test_the_index_finds_groups_larger_than_its_first_probe_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit_vectors(4, 6, 50, 0.2)
    monkeypatch.setattr(module, "EXACT_PRODUCTS", 0)
    assert pairs_of(vectors) == brute_force(vectors)
    assert pairs_of(vectors, 100) == brute_force(vectors, 100)


def test_pairs_that_float16_leaves_open_are_decided_by_encoding_again() -> None:
    """The stored vectors say 0.9 and a little; the texts, encoded alone, say just below."""
    stored = np.array([[1, 0], [0.9, np.sqrt(1 - 0.81)]], dtype=np.float16)
    below = np.array([[1, 0], [0.89999, np.sqrt(1 - 0.89999**2)]], dtype=np.float32)
    asked = []

    def alone(places: np.ndarray) -> np.ndarray:
        asked.append(places.tolist())
        return below[places]

    assert len(semantic_pairs(stored, 0, 0.9, alone)) == 0
    assert asked == [[0, 1]]


def test_pairs_clear_of_the_band_are_not_encoded_again() -> None:
    def alone(places: np.ndarray) -> np.ndarray:
        raise AssertionError("no pair is open")

    angle = np.arccos(0.9 + 4 * BAND)
    stored = np.array([[1, 0], [np.cos(angle), np.sin(angle)]], dtype=np.float16)
    assert len(semantic_pairs(stored, 0, 0.9, alone)) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_none_or_one_vector_has_no_pair(count: int) -> None:
    assert pairs_of(np.eye(4, dtype=np.float32)[:count]) == set()
