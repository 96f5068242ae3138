import numpy as np
import polars as pl
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.dedup.keys import Scheme, keys_of, rows_of
from persona_assets.text.minhash import band_keys, bands, estimates, expected_recall, found_share, signatures
from persona_assets.text.sets import TokenSets, token_sets

TEXTS = st.lists(
    st.lists(st.sampled_from([f"w{n}" for n in range(30)]), max_size=20).map(" ".join), min_size=1, max_size=8
)


def peer(sets: TokenSets, place: int) -> MinHash:
    made = MinHash(num_perm=128, seed=1, scheme="affine32", hashfunc=lambda token: token >> 32)
    made.update_batch(sets.tokens[sets.offsets[place] : sets.offsets[place + 1]].tolist())
    return made


@settings(max_examples=30, deadline=None)
@given(TEXTS)
def test_signatures_and_estimates_are_those_of_datasketch(texts: list[str]) -> None:
    sets = token_sets(pl.Series(texts))
    own = signatures(sets)
    peers = [peer(sets, place) for place in range(len(sets))]
    assert all((own[place] == made.hashvalues).all() for place, made in enumerate(peers))
    left, right = np.triu_indices(len(sets), 1)
    expected = [peers[i].jaccard(peers[j]) for i, j in zip(left, right, strict=True)]
    assert estimates(sets, left, right).tolist() == expected


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("recall", [0.9, 0.99])
def test_bands_reach_the_recall_with_the_most_rows(threshold: float, recall: float) -> None:
    count, rows = bands(threshold, recall)
    assert count * rows <= 128
    assert found_share(np.array(threshold), count, rows) >= recall
    assert found_share(np.array(threshold), 128 // (rows + 1), rows + 1) < recall


def test_the_bands_find_the_stated_share_of_pairs_at_the_threshold() -> None:
    """Pairs of sets of 19 tokens that share 18: Jaccard 0.9."""
    rng = np.random.default_rng(1)
    common = rng.integers(0, 1 << 63, (3000, 18), dtype=np.uint64)
    own = rng.integers(0, 1 << 63, (3000, 2, 1), dtype=np.uint64)
    tokens = np.sort(np.concatenate([np.repeat(common[:, None], 2, axis=1), own], axis=2).reshape(6000, 19), axis=1)
    sets = TokenSets(np.arange(6001) * 19, tokens.ravel())
    keys, rows = band_keys(sets, 0.9, 0.9)
    shared = [set(keys[rows == 2 * n]) & set(keys[rows == 2 * n + 1]) for n in range(0, 3000, 3)]
    assert 0.87 < np.mean([bool(found) for found in shared]) < 0.97


def test_expected_recall_estimates_what_was_missed() -> None:
    """Of many pairs at 0.9 the bands find a known share: so many true ones stand behind those found."""
    share = float(found_share(np.array(0.9), *bands(0.9, 0.8)))
    assert expected_recall(0.9, 0.8, np.full(10, 0.9)) == pytest.approx(share)
    assert expected_recall(0.9, 0.8, np.ones(4)) == 1.0
    assert expected_recall(0.9, 0.8, np.zeros(0)) == 1.0
    assert Scheme("exact", 0.9).recall_of(np.full(3, 0.9)) == 1.0


def test_empty_sets_have_no_band() -> None:
    keys, rows = band_keys(token_sets(pl.Series(["", "a", ""])), 0.9, 0.99)
    assert set(rows.tolist()) == {1}
    assert len(keys) == bands(0.9, 0.99)[0]
    assert keys_of(np.array([1 << 24 | 5], np.uint64)).tolist() == [1]
    assert rows_of(np.array([1 << 24 | 5], np.uint64)).tolist() == [5]
