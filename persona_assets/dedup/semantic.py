"""Semantic near-duplicates: pairs of texts with cosine at or above the threshold (paper section 2.3).

Vectors are stored as float16, decisions are made on float32. Rounding to float16 changes a cosine by about 2e-5 (one
standard deviation, 384 components), so every pair within `BAND` of the threshold is decided by encoding both texts
again, each one alone, in float32. What a pair's decision depends on is therefore the two texts and the model: neither
the batch in which a vector was first computed, nor the run, nor the order of rows.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from persona_assets.dedup.embeddings import Half
from persona_assets.dedup.sets import Index, Pairs

BAND = 2.5e-4  # more than ten standard deviations of the float16 rounding of a cosine
QUERY_BLOCK, BASE_BLOCK = 2048, 16384  # one block of cosines is 128 MiB
EXACT_PRODUCTS = 2_500_000_000  # cosines computed in full, 50,000 x 50,000; above, an index is faster
FIRST_PROBE = 16  # neighbours asked for at first; doubled until the farthest is below the threshold
INDEX_SLACK = 0.01  # what the index's own i8 arithmetic may be off by

Reencode = Callable[[Index], NDArray[np.float32]]


def semantic_pairs(vectors: Half, known: int, threshold: float, reencode: Reencode) -> Pairs:
    """All pairs with cosine >= threshold among unit vectors (n, d), but for those among the first `known`.

    Up to `EXACT_PRODUCTS` cosines nothing is missed. Above, candidates come from an HNSW index (usearch) that is probed
    until the farthest neighbour is below the threshold, so large groups are found whole. Every pair is verified.
    `reencode` gives the float32 vectors of the texts at some places, each encoded alone.
    """
    queries = len(vectors) - known
    if queries <= 0 or len(vectors) < 2:
        return Pairs.empty()
    exact = queries * len(vectors) <= EXACT_PRODUCTS
    blocks = _products(vectors, known, threshold) if exact else _probes(vectors, known, threshold)
    pairs = Pairs.concat([_cosines(vectors, left, right) for left, right in blocks])
    pairs = pairs.where(pairs.similarity >= threshold - BAND)
    return _settle(pairs, threshold, reencode)


def _products(vectors: Half, known: int, threshold: float) -> Iterator[tuple[Index, Index]]:
    """Candidates from blocked matrix products: each query against everything before it."""
    for start in range(known, len(vectors), QUERY_BLOCK):
        end = min(start + QUERY_BLOCK, len(vectors))
        query = vectors[start:end].astype(np.float32)
        for base in range(0, end, BASE_BLOCK):
            products = query @ vectors[base : min(base + BASE_BLOCK, end)].astype(np.float32).T
            right, left = np.nonzero(products >= threshold - 2 * BAND)
            left, right = left + base, right + start
            before = left < right
            yield left[before], right[before]


def _probes(vectors: Half, known: int, threshold: float) -> Iterator[tuple[Index, Index]]:
    """Candidates from an HNSW index, filled by one thread in order of place so that it is the same each time."""
    from usearch.index import Index as Hnsw

    index: Any = Hnsw(ndim=vectors.shape[1], metric="cos", dtype="i8", connectivity=32, expansion_add=128)
    index.add(np.arange(len(vectors)), vectors.astype(np.float32), threads=1)
    waiting, probe = np.arange(known, len(vectors)), FIRST_PROBE
    while len(waiting):
        wanted = min(probe, len(vectors))
        index.expansion_search = max(128, 2 * wanted)
        again: list[Index] = []
        for start in range(0, len(waiting), QUERY_BLOCK):
            places = waiting[start : start + QUERY_BLOCK]
            matches = index.search(vectors[places].astype(np.float32), wanted)
            found = np.arange(wanted) < np.asarray(matches.counts)[:, None]
            near = np.less_equal(matches.distances, 1 - threshold + INDEX_SLACK) & found
            more = np.asarray(near.all(axis=1)) & (wanted < len(vectors))
            again.append(places[more])
            rows, columns = np.nonzero(near & ~more[:, None])
            one, other = places[rows], matches.keys[rows, columns].astype(np.int64)
            joined = np.unique(np.minimum(one, other) * len(vectors) + np.maximum(one, other))
            left, right = joined // len(vectors), joined % len(vectors)
            yield left[left < right], right[left < right]
        waiting, probe = np.concatenate(again), probe * 4


def _cosines(vectors: Half, left: Index, right: Index) -> Pairs:
    """Float32 cosines of stored vectors, normalised again after their rounding, summed in one order for every pair."""
    similarity = np.zeros(len(left))
    for start in range(0, len(left), BASE_BLOCK):
        one, other = (vectors[side[start : start + BASE_BLOCK]].astype(np.float32) for side in (left, right))
        norms = np.sqrt(np.einsum("ij,ij->i", one, one) * np.einsum("ij,ij->i", other, other))
        similarity[start : start + BASE_BLOCK] = np.einsum("ij,ij->i", one, other) / norms
    return Pairs(left, right, similarity)


def _settle(pairs: Pairs, threshold: float, reencode: Reencode) -> Pairs:
    """Decide the pairs that float16 leaves open; drop repeats; sort by (left, right)."""
    _, first = np.unique(pairs.left * (pairs.right.max(initial=0) + 1) + pairs.right, return_index=True)
    pairs = Pairs(pairs.left[first], pairs.right[first], pairs.similarity[first])
    open_ = np.flatnonzero(np.abs(pairs.similarity - threshold) <= BAND)
    if not len(open_):
        return pairs
    places, where = np.unique(np.concatenate([pairs.left[open_], pairs.right[open_]]), return_inverse=True)
    exact = reencode(places)
    one, other = exact[where[: len(open_)]], exact[where[len(open_) :]]
    pairs.similarity[open_] = np.einsum("ij,ij->i", one, other)
    return pairs.where(pairs.similarity >= threshold)
