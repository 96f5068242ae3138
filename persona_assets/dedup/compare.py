"""Settling one part: which of its nodes are kept, given its lexical pairs and the survivors before it.

Pairs are looked for among nodes that are kept as far as is known, and the greedy rule is applied again, until no two
kept nodes are without a comparison. Then the outcome is that of the rule over all pairs: every removed node has a kept
one near it and before it, and no two kept nodes are near.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.dedup.lexical import Found
from persona_assets.dedup.segments import Segment, TextsOf
from persona_assets.dedup.semantic import EXACT_PRODUCTS, Standing, Vectors, make_store, near_earlier
from persona_assets.dedup.sets import Pairs
from persona_assets.dedup.survivors import METHODS, Graph, Hits, greedy
from persona_assets.lake.vectors import Half, VectorCache
from persona_assets.text.token_hashes import Index


@dataclass(frozen=True)
class Semantic:
    """The semantic stage: its threshold, the vectors, and where to read the texts of earlier survivors again."""

    threshold: float
    cache: VectorCache
    earlier_texts: TextsOf


class Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        """Start now."""
        self.seconds: dict[str, float] = {}
        self.last = time.perf_counter()

    def tick(self, step: str) -> None:
        """Add the time since the last tick to a step."""
        now = time.perf_counter()
        self.seconds[step] = round(self.seconds.get(step, 0.0) + now - self.last, 3)
        self.last = now


class Comparison:
    """The state of settling one part."""

    def __init__(
        self,
        nodes: pl.DataFrame,
        graph: Graph,
        found: Found,
        segments: Sequence[Segment],
        semantic: Semantic | None,
        clock: Clock,
        progress: Callable[[int], None],
    ) -> None:
        """Nodes (persona_id, shard, text) in canonical order, their graph so far, and what came before them."""
        self.nodes, self.graph, self.open = nodes, graph, found.open
        self.segments, self.semantic, self.progress = segments, semantic, progress
        self.clock = clock
        self.row_of = np.full(len(nodes), -1)  # row in `vectors`
        self.tried = np.zeros(len(nodes), bool)
        self.vectors: Half = np.zeros((0, 0), np.float16)
        self.standing: Standing | None = None

    @property
    def compared(self) -> NDArray[np.bool_]:
        """Which nodes the semantic stage looked at."""
        return self.row_of >= 0

    def settle(self) -> NDArray[np.bool_]:
        """Which nodes are kept."""
        while True:
            kept = greedy(self.graph)
            if not (self._open_groups(kept) or (self.semantic and self._semantic(self.semantic, kept))):
                return kept

    def _open_groups(self, kept: NDArray[np.bool_]) -> bool:
        """Compare more of the lexical groups that were too large; whether there was anything to compare."""
        of_sets = np.zeros(int(self.graph.set_of.max(initial=-1)) + 1, bool)
        of_sets[self.graph.set_of[kept]] = True
        before = self.open.compared
        further = self.open.compare(of_sets)
        if len(further):
            lexical = Pairs.concat([self.graph.lexical, further]).unique()
            self.graph = replace(self.graph, lexical=lexical)
        self.clock.tick("lexical")
        return self.open.compared > before

    def _semantic(self, stage: Semantic, kept: NDArray[np.bool_]) -> bool:
        """Compare the kept nodes that have not been compared; whether there were any."""
        untried = np.flatnonzero(kept & ~self.tried)
        if len(untried):
            self._encode(stage, untried)
            self.clock.tick("encode")
            hits = self._hits(stage, untried[self.row_of[untried] >= 0])
            self.clock.tick("semantic")
            if (hits.survivor < 0).any():
                self.graph = replace(self.graph, hits=self.graph.hits.better(hits))
                return True
        if self.standing is None:
            store = make_store(int((kept & self.compared).sum()))
            self.standing = Standing(len(self.nodes), stage.threshold, lambda places: self._alone(stage, places), store)
        fresh = np.flatnonzero(kept & self.compared & ~self.standing.stands)
        if len(fresh):
            pairs = self.standing.compare(fresh, self._stored, kept)
            self.graph = replace(self.graph, semantic=Pairs.concat([self.graph.semantic, pairs]).unique())
        self.clock.tick("semantic")
        return bool(len(fresh))

    def _encode(self, stage: Semantic, nodes: Index) -> None:
        self.tried[nodes] = True
        scripts, vectors = stage.cache.vectors(self.nodes[nodes], self.progress)
        if len(vectors):
            self.row_of[nodes[scripts]] = len(self.vectors) + np.arange(len(vectors))
            self.vectors = np.concatenate([self.vectors, vectors]) if len(self.vectors) else vectors

    def _hits(self, stage: Semantic, nodes: Index) -> Hits:
        """By node the first survivor of the earlier segments whose vector is near; none but for `nodes`."""
        hits, after = Hits.none(len(self.nodes)), 0
        vectors = self.vectors[self.row_of[nodes]] if len(nodes) else self.vectors
        for segment in reversed(self.segments):
            found = self._hits_of_segment(stage, segment, nodes, vectors, after)
            hits, after = hits.better(found), after + len(segment)
        return hits

    def _hits_of_segment(self, stage: Semantic, segment: Segment, nodes: Index, vectors: Half, after: int) -> Hits:
        hits = Hits.none(len(self.nodes))
        if not len(nodes) or not len(segment):
            return hits
        indexed = len(nodes) * len(segment) > EXACT_PRODUCTS
        row, place, cosine = near_earlier(
            vectors,
            segment.vectors(stage.cache, stage.earlier_texts),
            segment.index(stage.cache, stage.earlier_texts) if indexed else None,
            stage.threshold,
            (
                lambda rows: self._alone(stage, nodes[rows]),
                lambda places: _encoded_alone(stage, stage.earlier_texts(segment.survivors(places))),
            ),
        )
        order = np.lexsort((place, row))
        rows, first = np.unique(row[order], return_index=True)
        best = order[first]
        hits.survivor[nodes[rows]] = place[best] - len(segment) - after
        hits.similarity[nodes[rows]] = cosine[best]
        hits.method[nodes[rows]] = METHODS.index("semantic")
        return hits

    def recall(self) -> dict[str, float]:
        """Estimated share of the near pairs that the semantic stage found, where it ran."""
        return {"semantic": self.standing.recall(self._stored)} if self.standing else {}

    def _stored(self, nodes: Index) -> Half:
        stored: Half = self.vectors[self.row_of[nodes]]
        return stored

    def _alone(self, stage: Semantic, nodes: Index) -> Vectors:
        return _encoded_alone(stage, self.nodes["text"].gather(nodes))


def _encoded_alone(stage: Semantic, texts: pl.Series) -> Vectors:
    return np.concatenate([stage.cache.encoder.encode([text]) for text in texts])
