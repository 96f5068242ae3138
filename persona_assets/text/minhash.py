"""MinHash: signatures of 128 permutations (datasketch's), banded for a stated recall (paper section 2.3).

A signature is what `datasketch.MinHash(num_perm=128, scheme="affine32", hashfunc=value_of)` gives for the set's tokens
(`value_of`: the upper 32 bits of a token's hash), with datasketch's own permutations, computed for a whole column.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from persona_assets.text.sets import TokenSets
from persona_assets.text.token_hashes import Hashes, Index, mix

PERMUTATIONS = 128  # paper section 2.3
Signatures = NDArray[np.uint32]
Values = NDArray[np.uint32]


@cache
def _permutations() -> tuple[Values, Values]:
    """Multipliers and addends of datasketch's permutations, each of shape (128,)."""
    from datasketch import MinHash

    multipliers, addends = MinHash(num_perm=PERMUTATIONS, seed=1, scheme="affine32").permutations
    return multipliers, addends


def signatures(sets: TokenSets, permutations: int = PERMUTATIONS) -> Signatures:
    """Minimum of each of the first permutations over each set's tokens, shape (n, permutations).

    All ones for a set without tokens.
    """
    values = _stirred((sets.tokens >> np.uint64(32)).astype(np.uint32))
    made = np.full((permutations, len(sets)), np.iinfo(np.uint32).max, np.uint32)
    filled = np.flatnonzero(sets.sizes)
    if len(filled):
        for row, multiplier, addend in zip(made, *_permutations(), strict=False):
            row[filled] = np.minimum.reduceat(values * multiplier + addend, sets.offsets[filled])
    return made.T


def _stirred(values: Values) -> Values:
    """The finaliser of MurmurHash3, which datasketch applies before its permutations."""
    values = (values ^ (values >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    values = (values ^ (values >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return values ^ (values >> np.uint32(16))


def bands(threshold: float, recall: float) -> tuple[int, int]:
    """Bands and rows per band: the most rows (the fewest false candidates) that reach the recall at the threshold."""
    for rows in range(PERMUTATIONS, 0, -1):
        count = PERMUTATIONS // rows
        if found_share(np.array(threshold), count, rows) >= recall:
            return count, rows
    return PERMUTATIONS, 1


def fewest_bands(threshold: float, recall: float) -> tuple[int, int]:
    """The same rows per band, and no more bands than the recall takes."""
    most, rows = bands(threshold, recall)
    enough = (count for count in range(1, most) if found_share(np.array(threshold), count, rows) >= recall)
    return next(enough, most), rows


def found_share(similarity: NDArray[np.float64], count: int, rows: int) -> NDArray[np.float64]:
    """Probability that sets of these similarities share a band."""
    share: NDArray[np.float64] = 1 - (1 - similarity**rows) ** count
    return share


def band_keys(sets: TokenSets, threshold: float, recall: float) -> tuple[Hashes, Index]:
    """One key per band and set with tokens, and the set that each belongs to."""
    count, rows = bands(threshold, recall)
    filled = np.flatnonzero(sets.sizes)
    return keys_of_bands(sets, count, rows)[filled].ravel(), np.repeat(filled, count)


def keys_of_bands(sets: TokenSets, count: int, rows: int) -> Hashes:
    """A key for each set and band, shape (n, count); those of sets without tokens say nothing."""
    signed = signatures(sets, count * rows).astype(np.uint64).reshape(len(sets), count, rows)
    keys = np.zeros((len(sets), count), np.uint64)
    for row in range(rows):
        keys = mix(keys ^ signed[:, :, row], row)
    return mix(keys ^ np.arange(count, dtype=np.uint64), rows)


def estimates(sets: TokenSets, left: Index, right: Index) -> NDArray[np.float64]:
    """Share of equal signature entries of each pair, shape (p,): MinHash's estimate of the Jaccard similarity."""
    wanted, where = np.unique(np.concatenate([left, right]), return_inverse=True)
    signed = signatures(sets.take(wanted))
    one, other = signed[where[: len(left)]], signed[where[len(left) :]]
    share: NDArray[np.float64] = (one == other).mean(axis=1)
    return share


def expected_recall(threshold: float, recall: float, similarity: NDArray[np.float64]) -> float:
    """Share of the near pairs that shared a band, estimated from the similarities of those that did.

    Each pair found stands for as many as its chance of being found is small (Horvitz and Thompson's estimator).
    """
    if not len(similarity):
        return 1.0
    return float(len(similarity) / (1 / found_share(similarity, *bands(threshold, recall))).sum())
