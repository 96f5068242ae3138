from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.dedup import keys as keys_module
from persona_assets.dedup import lexical as lexical_module
from persona_assets.dedup.keys import blocking_keys, differences
from persona_assets.dedup.lexical import jaccard, lexical_pairs, parity_sketches
from persona_assets.dedup.sets import TokenSets, token_sets

WORDS = [f"w{number}" for number in range(24)] + ["教", "师", "повар", "ก็"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=26).map(" ".join), max_size=24)
THRESHOLDS = st.sampled_from([0.3, 0.5, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0])


def distinct(texts: list[str]) -> TokenSets:
    sets = token_sets(pl.Series(texts, dtype=pl.String))
    return sets.take(np.flatnonzero(sets.first_equal() == np.arange(len(sets))))


def members(sets: TokenSets) -> list[set[int]]:
    return [set(sets.codes[a:b].tolist()) for a, b in zip(sets.offsets[:-1], sets.offsets[1:], strict=True)]


def brute_force(sets: TokenSets, threshold: float) -> dict[tuple[int, int], float]:
    found = {}
    for (i, x), (j, y) in combinations(enumerate(members(sets)), 2):
        if x and y and len(x & y) / len(x | y) >= threshold:
            found[i, j] = len(x & y) / len(x | y)
    return found


@settings(max_examples=80, deadline=None)
@given(TEXTS, THRESHOLDS)
def test_the_pairs_are_those_of_brute_force(texts: list[str], threshold: float) -> None:
    sets = distinct(texts)
    pairs = lexical_pairs(sets, threshold)
    found = dict(zip(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True), pairs.similarity, strict=True))
    assert found == brute_force(sets, threshold)


@settings(max_examples=30, deadline=None)
@given(TEXTS, st.integers(0, 24))
def test_pairs_among_known_sets_are_left_out_and_no_others(texts: list[str], known: int) -> None:
    sets = distinct(texts)
    pairs = lexical_pairs(sets, 0.5, known)
    expected = [pair for pair in brute_force(sets, 0.5) if pair[1] >= known]
    assert sorted(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)) == sorted(expected)


def test_small_chunks_give_the_same_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    sets = distinct([" ".join(rng.choice(WORDS[:16], 14)) for _ in range(150)])
    whole = lexical_pairs(sets, 0.6)
    monkeypatch.setattr(lexical_module, "CANDIDATES", 50)
    monkeypatch.setattr(lexical_module, "TOKENS", 60)
    chunked = lexical_pairs(sets, 0.6)
    assert len(whole) > 20
    assert (whole.left == chunked.left).all()
    assert (whole.right == chunked.right).all()


def test_equal_sets_collapse_whatever_order_case_and_repeats() -> None:
    sets = token_sets(pl.Series(["a b c", "d", "C, b! A a", "", "d d"]))
    assert sets.first_equal().tolist() == [0, 1, 0, 3, 1]


def test_codes_are_rarest_first_and_hashes_do_not_depend_on_the_corpus() -> None:
    one, other = token_sets(pl.Series(["a b", "a c", "a b"])), token_sets(pl.Series(["zz a"]))
    assert one.codes[one.offsets[1] : one.offsets[2]].tolist()[0] == 0  # c, seen once
    assert set(one.token_hashes.tolist()) & set(other.token_hashes.tolist())


@settings(max_examples=40, deadline=None)
@given(TEXTS)
def test_sketches_never_differ_in_more_bits_than_the_sets_in_tokens(texts: list[str]) -> None:
    sets = distinct(texts)
    sketches, tokens = parity_sketches(sets), members(sets)
    for i, j in combinations(range(len(sets)), 2):
        assert np.bitwise_count(sketches[i] ^ sketches[j]).sum() <= len(tokens[i] ^ tokens[j])


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.95])
def test_long_texts_get_few_keys_and_their_near_copies_are_found(threshold: float) -> None:
    long = [f"token{number}" for number in range(10_000)]
    copy = [*long[: int(10_000 * (1 + threshold) / 2)], *(f"other{number}" for number in range(100))]
    sets = distinct([" ".join(long), " ".join(copy)])
    keys, _ = blocking_keys(sets, threshold)
    pairs = lexical_pairs(sets, threshold)
    assert len(keys) < 3 * sets.sizes.sum()
    assert len(pairs) == 1
    assert pairs.similarity[0] == jaccard(sets, np.array([0]), np.array([1]))[0]


def test_sets_whose_only_common_part_is_empty_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "LEVELS", 0)
    rng = np.random.default_rng(1)
    sets = distinct([" ".join(rng.choice(WORDS[:10], 9)) for _ in range(200)])
    assert len(lexical_pairs(sets, 0.8)) == len(brute_force(sets, 0.8))


def test_differences_are_never_rounded_down() -> None:
    sizes = np.arange(2, 5000)
    exact = np.floor((1 - 0.9) / (1 + 0.9) * sizes)
    rounded = differences(sizes, 0.9)
    assert (rounded >= exact).all()
    assert (rounded <= exact * 1.13 + 1).all()
    assert (np.diff(rounded) >= 0).all()


@pytest.mark.parametrize("texts", [[], [""], ["", "🙂", "..."], ["one"], ["one", ""]])
def test_wordless_and_single_texts_are_in_no_pair(texts: list[str]) -> None:
    assert len(lexical_pairs(token_sets(pl.Series(texts, dtype=pl.String)), 0.9)) == 0
