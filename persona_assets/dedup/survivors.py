"""Who survives: greedy in canonical order over the table of near pairs.

A node is one distinct text; nodes are numbered in canonical order (seal, then persona id, which is a digest of the
content). Node x is kept unless a kept node before it, or a survivor from before all nodes, is near it. That is not the
same as one node per connected component: in a chain a - b - c where a and c are not near, b goes and a and c stay.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from persona_assets.text.sets import Pairs
from persona_assets.text.token_hashes import Index

UNDECIDED, KEPT, REMOVED = 0, 1, 2
METHODS = ("exact", "lexical", "semantic")  # in the order in which a removal is explained


@dataclass(frozen=True)
class Hits:
    """By node, the earliest survivor from before all nodes that is near it (each of shape (n,)).

    `survivor` counts back from the first node: -1 is the last survivor before it; 0 means that none is near. `method`
    is the place in METHODS.
    """

    survivor: Index
    similarity: NDArray[np.float64]
    method: Index

    @classmethod
    def none(cls, nodes: int) -> "Hits":
        """No survivor near any of so many nodes."""
        return cls(np.zeros(nodes, np.int64), np.ones(nodes), np.zeros(nodes, np.int64))

    def take(self, which: Index) -> "Hits":
        """The hits of these nodes."""
        return Hits(self.survivor[which], self.similarity[which], self.method[which])

    def better(self, other: "Hits") -> "Hits":
        """By node the hit that explains it first: exact before lexical before semantic, then the earlier survivor."""
        mine = np.where(self.survivor < 0, self.method, len(METHODS))
        theirs = np.where(other.survivor < 0, other.method, len(METHODS))
        use = (theirs < mine) | ((theirs == mine) & (other.survivor < self.survivor))
        return Hits(
            np.where(use, other.survivor, self.survivor),
            np.where(use, other.similarity, self.similarity),
            np.where(use, other.method, self.method),
        )


@dataclass(frozen=True)
class Graph:
    """Which nodes are near each other, and which are near an earlier survivor and so go in any case.

    `set_of` (n,) gives each node its token set: nodes of one set are exact duplicates. `lexical` holds pairs of sets,
    `semantic` pairs of nodes.
    """

    set_of: Index
    lexical: Pairs
    semantic: Pairs
    hits: Hits

    def __len__(self) -> int:
        return len(self.set_of)


@dataclass(frozen=True)
class Removals:
    """Why nodes went, each of shape (r,): the node, who stands for it, the similarity, the place in METHODS.

    The survivor is a kept node before the node or, where negative, an earlier survivor (see `Hits`).
    """

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
    kept: NDArray[np.bool_] = graph.hits.survivor == 0
    nodes, part = _entangled(graph)
    state: NDArray[np.int8] = np.where(part.hits.survivor < 0, REMOVED, UNDECIDED).astype(np.int8)
    while (state == UNDECIDED).any():
        undecided = np.flatnonzero(state == UNDECIDED)
        part = _open(part, state)
        near_kept = _first_near(part, state == KEPT)
        state[undecided[near_kept[undecided] < undecided]] = REMOVED
        near_undecided = _first_near(part, state == UNDECIDED)
        undecided = np.flatnonzero(state == UNDECIDED)
        state[undecided[near_undecided[undecided] >= undecided]] = KEPT
    kept[nodes] = state == KEPT
    return kept


def _entangled(graph: Graph) -> tuple[Index, Graph]:
    """The nodes that others are near, and the graph of these alone; the others are most, and decided by themselves."""
    sets = np.bincount(graph.set_of) > 1
    sets[graph.lexical.left] = sets[graph.lexical.right] = True
    wanted = sets[graph.set_of]
    wanted[graph.semantic.left] = wanted[graph.semantic.right] = True
    nodes = np.flatnonzero(wanted)
    sets[graph.set_of[nodes]] = True
    new_set, new_node = np.cumsum(sets) - 1, np.cumsum(wanted) - 1
    lexical, semantic = graph.lexical, graph.semantic
    return nodes, Graph(
        new_set[graph.set_of[nodes]],
        Pairs(new_set[lexical.left], new_set[lexical.right], lexical.similarity),
        Pairs(new_node[semantic.left], new_node[semantic.right], semantic.similarity),
        graph.hits.take(nodes),
    )


def explain(graph: Graph, kept: NDArray[np.bool_]) -> Removals:
    """For every removed node the earliest survivor near it, exact before lexical before semantic."""
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
    for place in range(len(METHODS)):
        hit = (graph.hits.survivor < 0) & (graph.hits.method == place)
        survivor[place, hit], similarity[place, hit] = graph.hits.survivor[hit], graph.hits.similarity[hit]
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
