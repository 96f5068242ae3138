"""Comparing the personas of one dump with each other and with what earlier dumps published."""

import time
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.dedup.embeddings import Half, VectorCache
from persona_assets.dedup.lexical import lexical_pairs
from persona_assets.dedup.semantic import semantic_pairs
from persona_assets.dedup.sets import Index, Pairs, TokenSets, token_sets
from persona_assets.dedup.survivors import METHODS, Graph, Removals, explain, greedy
from persona_assets.settings import Settings

VERDICT = {
    "kept": pl.Boolean,
    "survivor": pl.Int64,  # place of the surviving row
    "similarity": pl.Float32,
    "method": pl.String,
    "semantic_compared": pl.Boolean,
}


@dataclass
class Comparison:
    """What comparing found: one verdict per row, how many pairs were near, and where the time went."""

    verdicts: pl.DataFrame
    pairs: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class _Vectors:
    """Which nodes have been encoded, in the order of `vectors`, and which were looked at."""

    nodes: Index
    vectors: Half
    tried: NDArray[np.bool_]


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = time.perf_counter()

    def tick(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = round(self.seconds.get(step, 0.0) + now - self.last, 3)
        self.last = now


def compare(personas: pl.DataFrame, published: int, settings: Settings, cache: VectorCache) -> Comparison:
    """Verdicts (`VERDICT`, one per row) over personas in canonical order, the first `published` of which stay.

    `personas` has persona_id, shard and text. Rows of one text are one node. The semantic hop encodes only nodes that
    the lexical hop keeps; where it removes one of them, nodes that had gone for its sake are weighed again, and
    encoded in turn if they stay, until nothing changes. That gives what the greedy rule gives over all pairs, as a
    pair with a removed node before it decides nothing.
    """
    clock = _Clock()
    texts, node_of, first_row = _nodes(personas)
    nodes = personas[first_row].with_columns(text=texts)
    known = int(node_of[:published].max(initial=-1)) + 1
    sets = token_sets(texts)
    clock.tick("tokenise")
    graph = _lexical_graph(sets, known, settings.lexical_threshold)
    kept = greedy(graph)
    clock.tick("lexical")
    state = _Vectors(np.zeros(0, np.int64), np.zeros((0, 0), np.float16), np.zeros(len(nodes), dtype=bool))
    while (fresh := np.flatnonzero(kept & ~state.tried)).size:
        earlier = _encode(nodes, fresh, known, state, cache)
        clock.tick("encode")
        graph = replace(graph, semantic=Pairs.concat([graph.semantic, _near(nodes, state, earlier, settings, cache)]))
        kept = greedy(graph)
        clock.tick("semantic")
    compared = np.zeros(len(nodes), dtype=bool)
    compared[state.nodes] = True
    verdicts = _verdicts(node_of, first_row, kept, explain(graph, kept), compared)
    clock.tick("survivors")
    pairs = Counter({"lexical": len(graph.lexical), "semantic": len(graph.semantic)})
    return Comparison(verdicts, pairs, clock.seconds)


def _nodes(personas: pl.DataFrame) -> tuple[pl.Series, Index, Index]:
    """Distinct texts in order of first appearance, the node of each row, and the first row of each node."""
    rows = personas.select(pl.col("text").str.strip_chars()).with_row_index("row")
    nodes = rows.group_by("text", maintain_order=True).agg(pl.col("row").first()).with_row_index("node")
    node_of = rows.join(nodes.select("text", "node"), on="text", how="left", maintain_order="left")["node"]
    return nodes["text"], node_of.to_numpy().astype(np.int64), nodes["row"].to_numpy().astype(np.int64)


def _lexical_graph(sets: TokenSets, known: int, threshold: float) -> Graph:
    first = sets.first_equal()
    wordless = sets.sizes == 0  # these are near nothing, not near each other
    first[wordless] = np.flatnonzero(wordless)
    distinct, set_of = np.unique(first, return_inverse=True)
    pairs = lexical_pairs(sets.take(distinct), threshold, int((distinct < known).sum()))
    return Graph(set_of.astype(np.int64), pairs, Pairs.empty(), known)


def _encode(nodes: pl.DataFrame, fresh: Index, known: int, state: _Vectors, cache: VectorCache) -> int:
    """Add the vectors of fresh nodes; returns how many vectors at the front need no comparison among themselves."""
    scripts, vectors = cache.vectors(nodes[fresh])
    state.tried[fresh] = True
    earlier = len(state.nodes) + int((fresh[scripts] < known).sum())
    if scripts.any():
        state.nodes = np.concatenate([state.nodes, fresh[scripts]])
        state.vectors = np.concatenate([state.vectors, vectors]) if len(state.vectors) else vectors
    return earlier


def _near(nodes: pl.DataFrame, state: _Vectors, earlier: int, settings: Settings, cache: VectorCache) -> Pairs:
    """Semantic pairs of the vectors from place `earlier` on, as pairs of nodes."""

    def alone(places: Index) -> NDArray[np.float32]:
        return np.concatenate([cache.encoder.encode([text]) for text in nodes["text"].gather(state.nodes[places])])

    pairs = semantic_pairs(state.vectors, earlier, settings.semantic_threshold, alone)
    left, right = state.nodes[pairs.left], state.nodes[pairs.right]
    return Pairs(np.minimum(left, right), np.maximum(left, right), pairs.similarity)


def _verdicts(
    node_of: Index, first_row: Index, kept: NDArray[np.bool_], removals: Removals, compared: NDArray[np.bool_]
) -> pl.DataFrame:
    survivor = np.arange(len(kept))
    similarity = np.ones(len(kept))
    method = np.zeros(len(kept), np.int64)
    survivor[removals.node] = removals.survivor
    similarity[removals.node] = removals.similarity
    method[removals.node] = removals.method
    first = first_row[node_of] == np.arange(len(node_of))
    stays = kept[node_of] & first
    names = np.array(METHODS)[method[node_of]]
    return pl.DataFrame(
        {
            "kept": stays,
            "survivor": first_row[survivor[node_of]],
            "similarity": similarity[node_of].round(4),
            "method": names,
            "semantic_compared": compared[node_of] & (stays | (names == "semantic")),
        }
    ).select(
        "kept",
        "survivor",
        similarity=pl.when(~pl.col("kept")).then("similarity").cast(pl.Float32),
        method=pl.when(~pl.col("kept")).then("method"),
        semantic_compared="semantic_compared",
    )
