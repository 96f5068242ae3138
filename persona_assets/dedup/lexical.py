"""Lexical near-duplicates: every pair of token sets with Jaccard at or above the threshold (paper section 2.3)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from persona_assets.dedup.keys import blocking_keys, differences
from persona_assets.dedup.sets import Hashes, Index, Pairs, TokenSets, mix, spans

CANDIDATES = 1 << 22  # candidate pairs held at once: bounds the memory of a hot key
TOKENS = 1 << 23  # tokens of pairs verified at once
SKETCH_WORDS = 4  # 256 bits: sets that differ in more than a few tokens are told apart without reading them


def lexical_pairs(sets: TokenSets, threshold: float, known: int = 0) -> Pairs:
    """All pairs with Jaccard >= threshold among distinct token sets, but for those among the first `known` sets.

    Exact: candidates come from keys that lose no pair, and each one is verified on its tokens. Sets without tokens are
    in no pair. Sorted by (left, right).
    """
    keys, rows = blocking_keys(sets, threshold)
    order = np.lexsort((rows, sets.sizes[rows], keys))
    keys, rows = keys[order], rows[order]
    sketches = parity_sketches(sets)
    found = [
        _verified(sets, sketches, left, right, threshold)
        for left, right in _candidates(sets, keys, rows, threshold, known)
    ]
    pairs = Pairs.concat(found)
    _, first = np.unique(pairs.left * max(len(sets), 1) + pairs.right, return_index=True)
    return Pairs(pairs.left[first], pairs.right[first], pairs.similarity[first])


def jaccard(sets: TokenSets, left: Index, right: Index) -> NDArray[np.float64]:
    """Exact Jaccard similarity of pairs of non-empty sets, shape (p,)."""
    sizes = sets.sizes
    shared = np.zeros(len(left), np.int64)
    lengths = sizes[left] + sizes[right]
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    start = 0
    while start < len(left):  # as many pairs at once as have that many tokens, and at least one
        end = max(int(np.searchsorted(bounds, bounds[start] + TOKENS, "right")) - 1, start + 1)
        shared[start:end] = _overlaps(sets, left[start:end], right[start:end])
        start = end
    return shared / (lengths - shared)


def _overlaps(sets: TokenSets, left: Index, right: Index) -> Index:
    """Tokens shared by each pair: a token of both stands twice in the pair's sorted tokens."""
    sizes = sets.sizes
    pair = np.arange(len(left))
    entries = np.concatenate(
        [
            (np.repeat(pair, sizes[side]) << 32) | sets.codes[spans(sets.offsets[side], sizes[side])].astype(np.int64)
            for side in (left, right)
        ]
    )
    entries.sort()
    twice = entries[1:][entries[1:] == entries[:-1]]
    return np.bincount(twice >> 32, minlength=len(left))


def parity_sketches(sets: TokenSets) -> Hashes:
    """Bits per set, shape (n, SKETCH_WORDS): each token flips one.

    Two sets' bits differ in at most as many places as the sets have tokens that are not shared.
    """
    place = mix(sets.token_hashes, 5) % np.uint64(64 * SKETCH_WORDS)
    sketches = np.zeros(len(sets) * SKETCH_WORDS, np.uint64)
    word = (place // np.uint64(64)).astype(np.int64)
    bit = np.left_shift(np.uint64(1), place % np.uint64(64))
    np.bitwise_xor.at(sketches, sets.rows * SKETCH_WORDS + word[sets.codes], bit[sets.codes])
    return sketches.reshape(len(sets), SKETCH_WORDS)


def _candidates(
    sets: TokenSets, keys: Hashes, rows: Index, threshold: float, known: int
) -> Iterator[tuple[Index, Index]]:
    """Pairs that share a key and whose sizes allow the threshold; `keys` are sorted, equal ones by set size."""
    if not len(keys):
        return
    ends = np.append(np.flatnonzero(keys[1:] != keys[:-1]) + 1, len(keys))
    later = np.repeat(ends, np.diff(ends, prepend=0)) - np.arange(len(keys)) - 1
    bounds = np.concatenate([[0], np.cumsum(later)])
    sizes = sets.sizes
    start = 0
    while start < len(keys):
        end = max(int(np.searchsorted(bounds, bounds[start] + CANDIDATES, "right")) - 1, start + 1)
        places = np.arange(start, end)
        one = np.repeat(rows[start:end], later[start:end])
        other = rows[spans(places + 1, later[start:end])]
        left, right = np.minimum(one, other), np.maximum(one, other)
        near = (right >= known) & (sizes[one] / sizes[other] >= threshold) & (left != right)
        yield left[near], right[near]
        start = end


def _verified(sets: TokenSets, sketches: Hashes, left: Index, right: Index, threshold: float) -> Pairs:
    differing = np.bitwise_count(sketches[left] ^ sketches[right]).sum(axis=1, dtype=np.int64)
    sizes = sets.sizes
    near = differing <= differences(sizes[left] + sizes[right], threshold)
    joined = np.unique(left[near] * len(sets) + right[near])
    left, right = joined // max(len(sets), 1), joined % max(len(sets), 1)
    similarity = jaccard(sets, left, right)
    return Pairs(left, right, similarity).where(similarity >= threshold)
