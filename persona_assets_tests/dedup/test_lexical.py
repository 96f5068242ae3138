from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.dedup import keys as keys_module
from persona_assets.dedup import lexical as module
from persona_assets.dedup.keys import Scheme, blocking_keys, most_differences
from persona_assets.dedup.lexical import Found, jaccard, lexical_pairs, parity_sketches
from persona_assets.text.sets import Pairs, TokenSets, first_equal, token_sets

WORDS = [f"w{number}" for number in range(24)] + ["教", "师", "повар", "ก็", "the", "who"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=26).map(" ".join), max_size=24)
THRESHOLDS = st.sampled_from([0.3, 0.5, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0])
Table = dict[tuple[int, int], float]


def sets_of(texts: list[str]) -> TokenSets:
    return token_sets(pl.Series(texts, dtype=pl.String))


def distinct(texts: list[str]) -> TokenSets:
    sets = sets_of(texts)
    return sets.where(first_equal(*sets.whole_hashes()) == np.arange(len(sets)))


def found(sets: TokenSets, scheme: Scheme, known: int | None = None) -> Found:
    return lexical_pairs(sets, scheme, np.sort(blocking_keys(sets, scheme)), known)


def table(pairs: Pairs) -> Table:
    made = dict(
        zip(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True), pairs.similarity.tolist(), strict=True)
    )
    assert len(made) == len(pairs)
    return made


def members(sets: TokenSets) -> list[set[int]]:
    return [set(sets.tokens[a:b].tolist()) for a, b in zip(sets.offsets[:-1], sets.offsets[1:], strict=True)]


def brute_force(sets: TokenSets, threshold: float) -> Table:
    near = {}
    for (i, x), (j, y) in combinations(enumerate(members(sets)), 2):
        if x and y and len(x & y) / len(x | y) >= threshold:
            near[i, j] = len(x & y) / len(x | y)
    return near


@settings(max_examples=100, deadline=None)
@given(TEXTS, THRESHOLDS)
def test_the_pairs_are_those_of_brute_force(texts: list[str], threshold: float) -> None:
    sets = distinct(texts)
    assert table(found(sets, Scheme("exact", threshold)).pairs) == brute_force(sets, threshold)


@settings(max_examples=40, deadline=None)
@given(TEXTS, THRESHOLDS)
def test_minhash_reports_true_pairs_only(texts: list[str], threshold: float) -> None:
    sets = distinct(texts)
    assert table(found(sets, Scheme("minhash", threshold)).pairs).items() <= brute_force(sets, threshold).items()


@settings(max_examples=50, deadline=None)
@given(TEXTS, st.integers(0, 24), THRESHOLDS)
def test_with_known_sets_only_pairs_of_a_known_and_a_new_one_are_found(
    texts: list[str], known: int, threshold: float
) -> None:
    sets = distinct(texts)
    pairs = table(found(sets, Scheme("exact", threshold), known).pairs)
    assert pairs == {(i, j): s for (i, j), s in brute_force(sets, threshold).items() if i < known <= j}


@settings(max_examples=60, deadline=None)
@given(TEXTS, THRESHOLDS, st.integers(0, 24))
def test_groups_that_are_split_again_lose_no_pair(texts: list[str], threshold: float, known: int) -> None:
    sets, scheme = distinct(texts), Scheme("exact", threshold)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "GROUP_PAIRS", 2)
        near = brute_force(sets, threshold)
        assert table(found(sets, scheme, known).pairs) == {
            pair: s for pair, s in near.items() if pair[0] < known <= pair[1]
        }
        whole = found(sets, scheme)
        missing = near.keys() - table(whole.pairs).keys()
        assert table(whole.pairs).items() <= near.items()
        assert len(missing) <= whole.open.skipped


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.data())
def test_open_groups_leave_no_two_kept_sets_uncompared(texts: list[str], data: st.DataObject) -> None:
    sets, scheme = distinct(texts), Scheme("exact", 0.3)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(sets), max_size=len(sets))), dtype=bool)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "GROUP_PAIRS", 2)
        patch.setattr(module, "FIRST_PIVOTS", 1)
        whole = found(sets, scheme)
        pairs = table(whole.pairs)
        compared = -1
        while whole.open.compared > compared:
            compared = whole.open.compared
            pairs |= table(whole.open.compare(kept))
    near = brute_force(sets, 0.3)
    assert pairs.items() <= near.items()
    assert all(pair in pairs for pair in near if kept[list(pair)].all())


def test_a_mass_of_near_copies_is_not_compared_pair_by_pair() -> None:
    """2,000 copies with one word of their own have two million near pairs; the first few stand for all."""
    common = " ".join(f"common{n}" for n in range(40))
    sets = distinct([f"{common} own{n}" for n in range(2000)])
    whole = found(sets, Scheme("exact", 0.9))
    assert 0 < len(whole.open.groups) <= 9  # the keys of one set: what splitting does not make smaller stays whole
    assert len(whole.pairs) < 2000 * 2 * module.FIRST_PIVOTS
    assert set(range(1, 2000)) <= set(whole.pairs.right.tolist())
    assert whole.open.skipped > 1_900_000


def test_small_slices_give_the_same_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    sets, scheme = distinct([" ".join(rng.choice(WORDS[:16], 14)) for _ in range(150)]), Scheme("exact", 0.6)
    whole = table(found(sets, scheme).pairs)
    for name, value in {"CANDIDATES": 50, "PAIR_TOKENS": 60, "PAIRS": 7}.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr("persona_assets.text.sets.SLICE_TOKENS", 40)
    assert len(whole) > 20
    assert table(found(sets, scheme).pairs) == whole


def test_equal_sets_collapse_whatever_order_case_and_repeats() -> None:
    sets = sets_of(["a b c", "d", "C, b! A a", "", "d d", " "])
    assert first_equal(*sets.whole_hashes()).tolist() == [0, 1, 0, 3, 1, 3]


def test_first_equal_looks_at_both_hashes() -> None:
    low, high = np.array([1, 1, 1, 2, 1], np.uint64), np.array([5, 6, 5, 5, 6], np.uint64)
    assert first_equal(low, high).tolist() == [0, 1, 0, 3, 1]


@settings(max_examples=40, deadline=None)
@given(TEXTS)
def test_sketches_never_differ_in_more_bits_than_the_sets_in_tokens(texts: list[str]) -> None:
    sets = distinct(texts)
    (low, high), tokens = parity_sketches(sets), members(sets)
    for i, j in combinations(range(len(sets)), 2):
        differing = np.bitwise_count(low[i] ^ low[j]) + np.bitwise_count(high[i] ^ high[j])
        assert differing <= len(tokens[i] ^ tokens[j])


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.95])
def test_long_texts_get_few_keys_and_their_near_copies_are_found(threshold: float) -> None:
    long = [f"token{number}" for number in range(10_000)]
    copy = [*long[: int(10_000 * (1 + threshold) / 2)], *(f"other{number}" for number in range(100))]
    sets, scheme = distinct([" ".join(long), " ".join(copy)]), Scheme("exact", threshold)
    pairs = found(sets, scheme).pairs
    assert len(blocking_keys(sets, scheme)) < 3 * sets.sizes.sum()
    assert len(pairs) == 1
    assert pairs.similarity[0] == jaccard(sets, np.array([0]), np.array([1]))[0]


def test_sets_whose_only_common_part_is_empty_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "LEVELS", 0)
    rng = np.random.default_rng(1)
    sets = distinct([" ".join(rng.choice(WORDS[:10], 9)) for _ in range(200)])
    assert len(found(sets, Scheme("exact", 0.8)).pairs) == len(brute_force(sets, 0.8))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), THRESHOLDS)
def test_most_differences_is_the_most_that_the_threshold_allows(one: int, other: int, threshold: float) -> None:
    allowed = [
        one + other - 2 * shared
        for shared in range(min(one, other) + 1)
        if shared / (one + other - shared) >= threshold - 1e-12
    ]
    assert most_differences(np.array([one]), np.array([other]), threshold)[0] == max(allowed, default=-1)


@pytest.mark.parametrize("texts", [[], [""], ["", "🙂", "..."], ["one"], ["one", ""]])
@pytest.mark.parametrize("strategy", ["exact", "minhash", "paper"])
def test_wordless_and_single_texts_are_in_no_pair(texts: list[str], strategy: str) -> None:
    assert len(found(sets_of(texts), Scheme(strategy, 0.9)).pairs) == 0  # type: ignore[arg-type]


def test_the_paper_preset_decides_by_the_estimate() -> None:
    common = [f"w{n}" for n in range(19)]
    texts = [" ".join([*common, f"own{n}"]) for n in range(60)]  # Jaccard 19 / 21 for every two
    pairs = found(distinct(texts), Scheme("paper", 0.9)).pairs
    assert 0 < len(pairs) < 60 * 59 // 2
    assert (pairs.similarity >= 0.9).all()
    assert set((pairs.similarity * 128 % 1).tolist()) == {0.0}
