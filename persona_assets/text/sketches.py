"""Sketches: the smallest hashes of a set, from which the Jaccard similarity of two large sets can be told.

Two sketches hold all that their sets have up to the smaller of their largest values. For sets of fewer than `SIZE`
hashes that is everything, and the similarity is exact. Of larger sets it is an even sample of at least `SIZE` hashes: a
similarity of 0.8 is told with a standard error of 0.02. (Bottom-k sketches: Cohen and Kaplan, 2007.)
"""

import numpy as np
from numpy.typing import NDArray

from persona_assets.text.sets import TokenSets, ends_of, spans
from persona_assets.text.token_hashes import Index

SIZE = 256  # hashes of a sketch at most
NONE = np.uint32(0xFFFFFFFF)  # fills the sketch of a smaller set
Values = NDArray[np.uint32]


def sketched(sets: TokenSets) -> tuple[Index, Values]:
    """The sketches of n sets, one after the other: offsets (n + 1,) into 32-bit hashes, ascending in each."""
    sizes = np.minimum(sets.sizes, SIZE)
    values = (sets.tokens[spans(sets.offsets[:-1], sizes)] >> np.uint64(32)).astype(np.uint32)
    return ends_of(sizes), np.minimum(values, NONE - np.uint32(1))


def filled(offsets: Index, values: Values) -> Values:
    """Sketches as rows of shape (n, SIZE), filled up with `NONE`."""
    rows = np.full((len(offsets) - 1, SIZE), NONE)
    rows[np.arange(SIZE) < np.diff(offsets)[:, None]] = values
    return rows


def similarities(some: Values, others: Values) -> NDArray[np.float64]:
    """Similarity of pairs of sketches, each of shape (p, SIZE) or one for all pairs (SIZE,); 0 where both are empty."""
    some, others = np.broadcast_arrays(some, others)
    within = np.minimum(some[:, -1], others[:, -1])[:, None]  # `NONE` where both are whole
    both = np.concatenate([some, others], axis=1)
    both.sort(axis=1)
    counts = ((both <= within) & (both != NONE)).sum(axis=1)
    shared = ((both[:, 1:] == both[:, :-1]) & (both[:, 1:] <= within) & (both[:, 1:] != NONE)).sum(axis=1)
    similar: NDArray[np.float64] = shared / np.maximum(counts - shared, 1)
    return similar
