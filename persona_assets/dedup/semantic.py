"""Semantic near-duplicates: texts whose embeddings have a cosine at or above the threshold (paper section 2.3).

Vectors are stored as float16, decisions are made on float32. Rounding to float16 changes a cosine by about 2e-5 (one
standard deviation, 384 components), so every pair within `BAND` of its limit is decided by encoding both texts
again, each one alone, in float32. What a pair's decision depends on is therefore the two texts and the model: neither
the batch in which a vector was first computed, nor the run, nor the order of rows.

A node is compared only with nodes that *stand*, that is, that were kept as far as was known: a pair with a removed
node before it decides nothing. So a mass of near-copies costs one comparison each, and not a pair for every two.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from persona_assets.dedup.survivors import Graph, Hits, greedy
from persona_assets.lake.vectors import Half
from persona_assets.text.sets import Pairs
from persona_assets.text.token_hashes import Index

Vectors = NDArray[np.float32]
Alone = Callable[[Index], Vectors]  # float32 vectors of the texts at some places, each encoded alone
Alones = tuple[Alone, Alone]  # of the rows that are compared, and of the earlier places
Stored = Callable[[Index], Half]  # the stored vectors of some nodes, (n, d)
Near = tuple[Index, Index]  # rows of the queries, places of the vectors that may be near

BAND = 2.5e-4  # more than ten standard deviations of the float16 rounding of a cosine
BLOCK, BASE_BLOCK = 2048, 16384  # one block of cosines is 128 MiB
EXACT_PRODUCTS = 2_500_000_000  # cosines computed in full, 50,000 x 50,000; above, an index is faster
FIRST_PROBE = 16  # neighbours asked for at first; more until the farthest is below the threshold
INDEX_SLACK = 0.01  # what the index's own i8 arithmetic may be off by
RECALL_SAMPLE = 256  # queries on which an index's recall is measured


Scripts = NDArray[np.uint8]  # places in SCRIPTS


@dataclass(frozen=True)
class Limits:
    """The least cosine of near texts: of one script, and of two; None where texts of two scripts are never near."""

    within: float
    across: float | None = None

    @property
    def least(self) -> float:
        """The lower one of the limits that there are."""
        return self.within if self.across is None else min(self.within, self.across)

    def of(self, one: Scripts, other: Scripts) -> NDArray[np.float64]:
        """The limit of each pair of texts, whose scripts these are."""
        across = math.inf if self.across is None else self.across
        return np.where(one == other, self.within, across)


class Store(Protocol):
    """Vectors that can be searched, each at the place in which it was added."""

    def add(self, vectors: Vectors) -> None:
        """Add unit vectors at the end."""
        ...

    def near(self, queries: Vectors, floor: float) -> Near:
        """Pairs of query and place whose cosine may be `floor` or more."""
        ...


class ExactStore:
    """Every cosine is computed, in blocks: nothing is missed."""

    def __init__(self) -> None:
        """Nothing stored yet."""
        self.blocks: list[Vectors] = []
        self.filled = 0  # rows of the last block

    def add(self, vectors: Vectors) -> None:
        """Add unit vectors at the end."""
        while len(vectors):
            if not self.blocks or self.filled == BASE_BLOCK:
                self.blocks.append(np.empty((BASE_BLOCK, vectors.shape[1]), np.float32))
                self.filled = 0
            some = vectors[: BASE_BLOCK - self.filled]
            self.blocks[-1][self.filled : self.filled + len(some)] = some
            self.filled += len(some)
            vectors = vectors[len(some) :]

    def near(self, queries: Vectors, floor: float) -> Near:
        """Pairs of query and place with a cosine of `floor` or more."""
        found = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
        for number, block in enumerate(self.blocks):
            used = block if number < len(self.blocks) - 1 else block[: self.filled]
            row, place = products(queries, used, floor)
            found.append((row, place + number * BASE_BLOCK))
        return np.concatenate([row for row, _ in found]), np.concatenate([place for _, place in found])


class IndexStore:
    """An HNSW index (usearch, i8), filled by one thread in order of place so that it is the same each time."""

    def __init__(self, index: Any = None) -> None:  # noqa: ANN401 - usearch has no types
        """Open a given index, or start an empty one with the first vectors."""
        self.index = index

    @classmethod
    def restore(cls, path: Path) -> "IndexStore":
        """An index that `save` wrote, read from the disk as it is searched."""
        from usearch.index import Index as Hnsw

        return cls(Hnsw.restore(str(path), view=True))

    def save(self, path: Path) -> None:
        """Write the index to a file."""
        self.index.save(str(path))

    def add(self, vectors: Vectors) -> None:
        """Add unit vectors at the end."""
        start = len(self.index) if self.index is not None else 0
        self.put(np.arange(start, start + len(vectors)), vectors)

    def put(self, places: Index, vectors: Vectors) -> None:
        """Add unit vectors at these places, which are free."""
        if self.index is None:
            from usearch.index import Index as Hnsw

            self.index = Hnsw(ndim=vectors.shape[1], metric="cos", dtype="i8", connectivity=32, expansion_add=128)
        if len(vectors):
            self.index.add(places, vectors, threads=1)

    def near(self, queries: Vectors, floor: float) -> Near:
        """Pairs of query and place whose cosine may be `floor` or more, probed until the farthest is below it."""
        size = len(self.index) if self.index is not None else 0
        found = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
        waiting, probe = np.arange(len(queries)), FIRST_PROBE
        while size and len(waiting):
            wanted = min(probe, size)
            self.index.expansion_search = max(128, 2 * wanted)
            matches = self.index.search(queries[waiting], wanted)
            keys = np.asarray(matches.keys).reshape(len(waiting), -1).astype(np.int64)
            distances = np.asarray(matches.distances).reshape(keys.shape)
            counts = np.atleast_1d(np.asarray(matches.counts)) if len(waiting) > 1 else np.array([keys.shape[1]])
            near = (distances <= 1 - floor + INDEX_SLACK) & (np.arange(keys.shape[1]) < counts[:, None])
            more = np.asarray(near.all(axis=1)) & (keys.shape[1] < size)
            rows, columns = np.nonzero(near & ~more[:, None])
            found.append((waiting[rows], keys[rows, columns]))
            waiting, probe = waiting[more], probe * 4
        return np.concatenate([row for row, _ in found]), np.concatenate([place for _, place in found])


def products(queries: Vectors, base: Vectors, floor: float) -> Near:
    """Rows of both sides whose cosine is `floor` or more."""
    close = np.greater_equal(queries @ base.T, floor)
    row, place = np.divmod(np.flatnonzero(close), max(len(base), 1))
    return row, place


class Standing:
    """The nodes of one comparison that have been encoded and stand."""

    def __init__(self, scripts: Scripts, limits: Limits, alone: Alone, store: Store) -> None:
        """No node stands yet; `scripts` (nodes,) are theirs, `alone` encodes nodes again."""
        self.scripts, self.limits, self.alone, self.store = scripts, limits, alone, store
        self.order: Index = np.zeros(0, np.int64)  # the standing nodes, in order of place
        self.stands = np.zeros(len(scripts), bool)

    def compare(self, nodes: Index, vectors: Stored, kept: NDArray[np.bool_]) -> Pairs:
        """Semantic pairs of some nodes (ascending, not standing) with those that stand and with each other.

        Nodes for which no kept or new standing node before them is near stand from now on; only these need a look in
        further comparisons. `kept` (mask over all nodes) tells which nodes are kept as far as is known; `vectors`
        gives the stored vectors of nodes.
        """
        found = [Pairs.empty()]
        upright = kept & self.stands
        floor = self.limits.least - 2 * BAND
        for start in range(0, len(nodes), BLOCK):
            block = nodes[start : start + BLOCK]
            stored = vectors(block)
            queries = unit(stored)
            row, place = self.store.near(queries, floor)
            outer = self._verified(self.order[place], block[row], vectors(self.order[place]), stored[row])
            one, two = products(queries, queries, floor)
            first, second = one[one < two], two[one < two]
            inner = self._verified(block[first], block[second], stored[first], stored[second])
            gone = np.isin(block, outer.right[upright[outer.left]])
            new = ~gone & self._undecided_kept(block, inner, gone)
            found += [outer, inner.where(np.isin(inner.left, block[new]))]
            upright[block[new]] = self.stands[block[new]] = True
            self.order = np.concatenate([self.order, block[new]])
            self.store.add(queries[new])
        return Pairs.concat(found)

    def recall(self, vectors: Stored) -> float:
        """Share of the near neighbours of a sample of standing nodes that the store finds; 1 where all are compared."""
        if isinstance(self.store, ExactStore) or not len(self.order):
            return 1.0
        floor = self.limits.least * 0.9  # standing nodes have none above the limit, so those below it are looked for
        places = np.arange(0, len(self.order), max(len(self.order) // RECALL_SAMPLE, 1))
        queries = unit(vectors(self.order[places]))
        row, place = self.store.near(queries, floor)
        found = np.unique(row * len(self.order) + place)
        true = [found[:0]]
        for start in range(0, len(self.order), BASE_BLOCK):
            row, place = products(queries, unit(vectors(self.order[start : start + BASE_BLOCK])), floor)
            true.append(row * len(self.order) + place + start)
        return float(np.isin(np.concatenate(true), found).mean())

    @staticmethod
    def _undecided_kept(block: Index, inner: Pairs, gone: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of a block's nodes are kept among themselves, given that some are gone."""
        left, right = (np.searchsorted(block, side) for side in (inner.left, inner.right))
        hits = Hits(-gone.astype(np.int64), np.ones(len(block)), np.zeros(len(block), np.int64))
        places = np.arange(len(block))
        return greedy(Graph(places, Pairs.empty(), Pairs(left, right, inner.similarity), hits))

    def _verified(self, one: Index, other: Index, vectors: Half, others: Half) -> Pairs:
        """Those pairs of nodes that are within the threshold, in canonical order."""
        limits = self.limits.of(self.scripts[one], self.scripts[other])
        similarity = decided(vectors, others, limits, one, other, self.alone, self.alone)
        near = similarity >= limits
        return Pairs(np.minimum(one, other)[near], np.maximum(one, other)[near], similarity[near])


def near_earlier(
    vectors: Half,
    blocks: Iterable[tuple[Index, Half]],
    index: IndexStore | None,
    limits: Limits,
    scripts: tuple[Scripts, Scripts],
    alone: Alones,
) -> tuple[Index, Index, NDArray[np.float64]]:
    """Pairs of a row of `vectors` (n, d) and an earlier place within the limits: rows, places, cosines.

    `blocks` gives the earlier vectors with their places, in any order. With an index of them only what it finds is
    looked at, otherwise every cosine. `scripts` are those of the rows, and of all places; `alone` encodes rows again,
    and places.
    """
    guesses = list(_guesses(vectors, index, limits.least)) if index else []
    found: list[tuple[Index, Index, NDArray[np.float64]]] = [
        (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    ]
    for places, base in blocks:
        pairs = _within(guesses, places) if index else _all_pairs(vectors, base, limits.least)
        for row, at in pairs:
            limit = limits.of(scripts[0][row], scripts[1][places[at]])
            cosine = decided(vectors[row], base[at], limit, row, places[at], *alone)
            near = cosine >= limit
            found.append((row[near], places[at][near], cosine[near]))
    row, place, cosine = (np.concatenate(side) for side in zip(*found, strict=True))
    return row, place, cosine


def _guesses(vectors: Half, index: IndexStore, least: float) -> Iterator[Near]:
    for start in range(0, len(vectors), BLOCK):
        row, place = index.near(unit(vectors[start : start + BLOCK]), least - 2 * BAND)
        yield row + start, place


def _within(guesses: list[Near], places: Index) -> Iterator[Near]:
    """The guesses at these places, as rows and positions in `places`."""
    order = np.argsort(places)
    for row, place in guesses:
        at = np.minimum(np.searchsorted(places, place, sorter=order), len(places) - 1)
        here = places[order[at]] == place
        yield row[here], order[at[here]]


def _all_pairs(vectors: Half, base: Half, least: float) -> Iterator[Near]:
    for low in range(0, len(base), BASE_BLOCK):
        units = unit(base[low : low + BASE_BLOCK])
        for start in range(0, len(vectors), BLOCK):
            row, at = products(unit(vectors[start : start + BLOCK]), units, least - 2 * BAND)
            yield row + start, at + low


def decided(
    one: Half,
    other: Half,
    limits: NDArray[np.float64],
    rows: Index,
    others: Index,
    alone: Alone,
    alone_other: Alone,
) -> NDArray[np.float64]:
    """Cosines of pairs of stored vectors, (p, d) each, such that comparing them with their limits, (p,), is right.

    Where float16 leaves that open the cosine is that of the texts themselves, `rows` and `others` encoded again.
    """
    similarity = cosines(one, other)
    open_ = np.flatnonzero(np.abs(similarity - limits) <= BAND)
    if len(open_):
        first, at_first = np.unique(rows[open_], return_inverse=True)
        second, at_second = np.unique(others[open_], return_inverse=True)
        exact = np.einsum("ij,ij->i", alone(first)[at_first], alone_other(second)[at_second])
        similarity[open_] = exact
    return similarity


def unit(vectors: Half) -> Vectors:
    """Stored vectors as float32 of length 1, which their rounding took from them."""
    wide = vectors.astype(np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    wide /= norms[:, None]
    return wide


def cosines(one: Half, other: Half) -> NDArray[np.float64]:
    """Cosine of each pair of stored vectors, (p, d) each, summed in one order for every pair."""
    similarity = np.zeros(len(one))
    for start in range(0, len(one), BASE_BLOCK):
        left, right = unit(one[start : start + BASE_BLOCK]), unit(other[start : start + BASE_BLOCK])
        similarity[start : start + BASE_BLOCK] = np.einsum("ij,ij->i", left, right)
    return similarity


def make_store(nodes: int) -> Store:
    """The store for comparing so many nodes with each other."""
    return ExactStore() if nodes * nodes <= 2 * EXACT_PRODUCTS else IndexStore()


def survivors_of_vectors(vectors: Vectors, threshold: float) -> NDArray[np.bool_]:
    """Which of n vectors (n, d) are kept: each one unless a kept one before it has a cosine at or above the threshold.

    Vectors of length 1; those within `BAND` of the threshold are compared in float32.
    """
    nodes = np.arange(len(vectors))
    scripts, store = np.zeros(len(vectors), np.uint8), make_store(len(vectors))
    standing = Standing(scripts, Limits(threshold), lambda places: vectors[places], store)
    stored = vectors.astype(np.float16)
    pairs = standing.compare(nodes, lambda places: stored[places], np.ones(len(vectors), bool))
    return greedy(Graph(nodes, Pairs.empty(), pairs, Hits.none(len(nodes))))
