from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.dedup import semantic as module
from persona_assets.dedup.semantic import (
    BAND,
    ExactStore,
    IndexStore,
    Limits,
    Standing,
    Store,
    near_earlier,
    survivors_of_vectors,
)
from persona_assets.dedup.survivors import Graph, Hits, greedy
from persona_assets.text.sets import Pairs

STORES = [ExactStore, IndexStore]


def unit_vectors(seed: int, groups: int, size: int, spread: float) -> np.ndarray:
    """`groups` clusters of `size` unit vectors each, in 32 dimensions, in random order."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(groups, 32)), size, axis=0)
    vectors = rng.permutation(centres + spread * rng.normal(size=centres.shape))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def naive(vectors: np.ndarray, threshold: float = 0.9) -> list[bool]:
    """The greedy rule over all float32 cosines."""
    cosines = np.einsum("id,jd->ij", vectors, vectors)
    kept: list[bool] = []
    for node in range(len(vectors)):
        kept.append(not any(kept[i] and cosines[i, node] >= threshold for i in range(node)))
    return kept


def standing(vectors: np.ndarray, store: Store, threshold: float = 0.9) -> Standing:
    return Standing(np.zeros(len(vectors), np.uint8), Limits(threshold), lambda places: vectors[places], store)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.2, 0.5), st.sampled_from([3, 2048]), st.sampled_from([0.8, 0.9]))
def test_survivors_are_those_of_the_greedy_rule_over_all_cosines(
    seed: int, spread: float, block: int, threshold: float
) -> None:
    vectors = unit_vectors(seed, 12, 5, spread)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        patch.setattr(module, "BASE_BLOCK", 7)
        assert survivors_of_vectors(vectors, threshold).tolist() == naive(vectors, threshold)
        patch.setattr(module, "EXACT_PRODUCTS", 0)
        assert survivors_of_vectors(vectors, threshold).tolist() == naive(vectors, threshold)


@pytest.mark.parametrize("store", STORES)
def test_every_pair_is_true_and_names_its_cosine(store: type) -> None:
    vectors = unit_vectors(5, 10, 8, 0.3)
    pairs = standing(vectors, store()).compare(
        np.arange(80), lambda at: vectors[at].astype(np.float16), np.ones(80, bool)
    )
    cosines = np.einsum("ij,ij->i", vectors[pairs.left], vectors[pairs.right])
    assert len(pairs)
    assert (pairs.left < pairs.right).all()
    assert (cosines >= 0.9).all()
    assert np.abs(pairs.similarity - cosines).max() < 1e-3


@pytest.mark.parametrize("store", STORES)
def test_a_mass_of_near_copies_takes_one_pair_each(store: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 50)
    vectors = unit_vectors(1, 1, 1000, 0.02)
    pairs = standing(vectors, store()).compare(
        np.arange(1000), lambda at: vectors[at].astype(np.float16), np.ones(1000, bool)
    )
    assert pairs.left.tolist() == [0] * 999
    assert sorted(pairs.right.tolist()) == list(range(1, 1000))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.data())
def test_nodes_that_come_back_are_compared_in_further_rounds(seed: int, data: st.DataObject) -> None:
    """Other reasons remove nodes that stood; what they had removed is compared with what is left."""
    vectors = unit_vectors(seed, 6, 6, 0.35)
    gone = data.draw(st.lists(st.integers(0, 35), max_size=8))
    hits = Hits.none(36)
    stands = standing(vectors, ExactStore())
    pairs = Pairs.empty()
    for _ in range(40):
        kept = greedy(Graph(np.arange(36), Pairs.empty(), pairs, hits))
        fresh = np.flatnonzero(kept & ~stands.stands)
        if not len(fresh):
            break
        pairs = Pairs.concat([pairs, stands.compare(fresh, lambda at: vectors[at].astype(np.float16), kept)]).unique()
        hits.survivor[gone] = -1
    kept = greedy(Graph(np.arange(36), Pairs.empty(), pairs, hits))
    left = [node for node in range(36) if node not in gone]
    assert kept[left].tolist() == naive(vectors[left])


@pytest.mark.parametrize("with_index", [False, True])
def test_earlier_vectors_are_found_whatever_their_order(with_index: bool) -> None:
    vectors = unit_vectors(9, 12, 10, 0.3)
    earlier, new = vectors[:70], vectors[70:]
    order = np.random.default_rng(2).permutation(70)
    index = IndexStore()
    index.put(np.arange(70), earlier)

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, 70, 13):
            places = order[start : start + 13]
            yield places, earlier[places].astype(np.float16)

    alone = (lambda rows: new[rows], lambda places: earlier[places])
    scripts = np.zeros(len(new), np.uint8), np.zeros(70, np.uint8)
    row, place, cosine = near_earlier(
        new.astype(np.float16), blocks(), index if with_index else None, Limits(0.9), scripts, alone
    )
    true = {(i, j) for i, j in np.argwhere(np.einsum("id,jd->ij", new, earlier) >= 0.9).tolist()}
    assert len(true) > 20
    assert set(zip(row.tolist(), place.tolist(), strict=True)) == true
    assert np.abs(cosine - np.einsum("ij,ij->i", new[row], earlier[place])).max() < 1e-3


def test_an_index_is_the_same_after_it_was_saved(tmp_path: object) -> None:
    from pathlib import Path

    vectors, index = unit_vectors(3, 20, 5, 0.3), IndexStore()
    index.add(vectors[:40])
    index.add(vectors[40:])
    path = Path(str(tmp_path)) / "neighbours.usearch"
    index.save(path)
    for one, other in zip(index.near(vectors, 0.9), IndexStore.restore(path).near(vectors, 0.9), strict=True):
        assert one.tolist() == other.tolist()


def test_the_recall_of_an_index_is_measured_and_that_of_products_is_one() -> None:
    vectors = unit_vectors(3, 300, 1, 0.3)
    stored = vectors.astype(np.float16)
    for store in STORES:
        stands = standing(vectors, store(), 0.5)
        stands.compare(np.arange(300), lambda at: stored[at], np.ones(300, bool))
        assert 0.95 <= stands.recall(lambda at: stored[at]) <= 1


def test_pairs_that_float16_leaves_open_are_decided_by_encoding_again() -> None:
    """The stored vectors say 0.9 and a little; the texts, encoded alone, say just below."""
    stored = np.array([[1, 0], [0.9, np.sqrt(1 - 0.81)]], dtype=np.float16)
    below = np.array([[1, 0], [0.89999, np.sqrt(1 - 0.89999**2)]], dtype=np.float32)
    asked: list[list[int]] = []

    def alone(places: np.ndarray) -> np.ndarray:
        asked.append(places.tolist())
        return below[places]

    stands = Standing(np.zeros(2, np.uint8), Limits(0.9), alone, ExactStore())
    assert len(stands.compare(np.arange(2), lambda at: stored[at], np.ones(2, bool))) == 0
    assert asked == [[0], [1]]


def test_pairs_clear_of_the_band_are_not_encoded_again() -> None:
    def alone(places: np.ndarray) -> np.ndarray:
        raise AssertionError("no pair is open")

    angle = np.arccos(0.9 + 4 * BAND)
    stored = np.array([[1, 0], [np.cos(angle), np.sin(angle)]], dtype=np.float16)
    stands = Standing(np.zeros(2, np.uint8), Limits(0.9), alone, ExactStore())
    assert len(stands.compare(np.arange(2), lambda at: stored[at], np.ones(2, bool))) == 1


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("store", STORES)
def test_none_or_one_vector_has_no_pair(count: int, store: type) -> None:
    vectors = np.eye(4, dtype=np.float32)[:count]
    stands = standing(vectors, store())
    assert len(stands.compare(np.arange(count), lambda at: vectors[at].astype(np.float16), np.ones(count, bool))) == 0
