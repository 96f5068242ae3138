"""Who survives: greedy in canonical order over the table of near pairs.

A node is one distinct text; nodes are numbered in canonical order (seal, then persona id, which is a digest of the
content). Node x is kept unless a kept node before it is within a threshold of it. That is not the same as one node per
connected component: in a chain a - b - c where a and c are not near, b goes and a and c stay.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from persona_assets.dedup.sets import Index, Pairs

UNDECIDED, KEPT, REMOVED = 0, 1, 2
METHODS = ("exact", "lexical", "semantic")  # in the order in which a removal is explained


@dataclass(frozen=True)
class Graph:
    """Which nodes are near each other.

    `set_of` (n,) gives each node its token set: nodes of one set are exact duplicates. `lexical` holds pairs of sets,
    `semantic` pairs of nodes. The first `published` nodes survived an earlier dump and stay.
    """

    set_of: Index
    lexical: Pairs
    semantic: Pairs
    published: int = 0

    def __len__(self) -> int:
        return len(self.set_of)


@dataclass(frozen=True)
class Removals:
    """Why nodes went, each of shape (r,): the node, the kept node before it, the similarity, the place in METHODS."""

    node: Index
    survivor: Index
    similarity: NDArray[np.float64]
    method: Index


def greedy(graph: Graph) -> NDArray[np.bool_]:
    """Which nodes are kept, shape (n,).

    In rounds: a node goes when a kept node before it is near; it is kept when no node before it that is near is still
    undecided. Each round decides the first undecided node at least, and in practice nearly all: canonical order is
    random with respect to the texts, so chains are short.
    """
    state: NDArray[np.int8] = np.full(len(graph), UNDECIDED, np.int8)
    state[: graph.published] = KEPT
    while (state == UNDECIDED).any():
        undecided = np.flatnonzero(state == UNDECIDED)
        graph = _open(graph, state)
        near_kept = _first_near(graph, state == KEPT)
        state[undecided[near_kept[undecided] < undecided]] = REMOVED
        near_undecided = _first_near(graph, state == UNDECIDED)
        undecided = np.flatnonzero(state == UNDECIDED)
        state[undecided[near_undecided[undecided] >= undecided]] = KEPT
    kept: NDArray[np.bool_] = state == KEPT
    return kept


def explain(graph: Graph, kept: NDArray[np.bool_]) -> Removals:
    """For every removed node the earliest kept node near it, exact before lexical before semantic."""
    nodes = len(graph)
    first = _first_of_set(graph, kept)
    survivor = np.full((len(METHODS), nodes), nodes, np.int64)
    similarity = np.ones((len(METHODS), nodes))
    survivor[0] = first[graph.set_of]
    pairs = graph.lexical
    sides = np.concatenate([pairs.left, pairs.right]), np.concatenate([pairs.right, pairs.left])
    set_survivor, set_similarity = _earliest(len(first), sides[0], first[sides[1]], np.tile(pairs.similarity, 2), nodes)
    survivor[1], similarity[1] = set_survivor[graph.set_of], set_similarity[graph.set_of]
    pairs = graph.semantic
    source = np.where(kept[pairs.left], pairs.left, nodes)
    survivor[2], similarity[2] = _earliest(nodes, pairs.right, source, pairs.similarity, nodes)
    removed = np.flatnonzero(~kept)
    method = (survivor[:, removed] < removed).argmax(axis=0)
    return Removals(removed, survivor[method, removed], similarity[method, removed], method)


def _first_of_set(graph: Graph, chosen: NDArray[np.bool_]) -> Index:
    """For each set the first chosen node that has it, or n."""
    first = np.full(int(graph.set_of.max(initial=-1)) + 1, len(graph), np.int64)
    nodes = np.flatnonzero(chosen)[::-1]
    first[graph.set_of[nodes]] = nodes  # of repeated places the last assignment stands: the first node
    return first


def _first_near(graph: Graph, chosen: NDArray[np.bool_]) -> Index:
    """For each node the first chosen node that is near it or is itself, or n.

    A node's own set and the sets near it are enough to look at: if the first chosen node there is not before it, none
    is.
    """
    first = _first_of_set(graph, chosen)
    around = first.copy()
    np.minimum.at(around, graph.lexical.left, first[graph.lexical.right])
    np.minimum.at(around, graph.lexical.right, first[graph.lexical.left])
    near = around[graph.set_of]
    pairs = graph.semantic
    np.minimum.at(near, pairs.right, np.where(chosen[pairs.left], pairs.left, len(graph)))
    return near


def _open(graph: Graph, state: NDArray[np.int8]) -> Graph:
    """The graph without pairs that can decide nothing any more."""
    undecided = _first_of_set(graph, state == UNDECIDED) < len(graph)
    lexical, semantic = graph.lexical, graph.semantic
    return replace(
        graph,
        lexical=lexical.where(undecided[lexical.left] | undecided[lexical.right]),
        semantic=semantic.where((state[semantic.right] == UNDECIDED) & (state[semantic.left] != REMOVED)),
    )


def _earliest(
    targets: int, target: Index, source: Index, similarity: NDArray[np.float64], none: int
) -> tuple[Index, NDArray[np.float64]]:
    """For each target its least source below `none` and the similarity to it; `none` and 1 where there is none."""
    order = np.lexsort((source, target))
    order = order[source[order] < none]
    found, place = np.unique(target[order], return_index=True)
    least, value = np.full(targets, none, np.int64), np.ones(targets)
    least[found], value[found] = source[order[place]], similarity[order[place]]
    return least, value
