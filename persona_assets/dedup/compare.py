"""Settling one part: which of its nodes are kept, given its lexical pairs and the survivors before it.

Pairs are looked for among nodes that are kept as far as is known, and the greedy rule is applied again, until no two
kept nodes are without a comparison. Then the outcome is that of the rule over all pairs: every removed node has a kept
one near it and before it, and no two kept nodes are near.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.dedup.lexical import Found
from persona_assets.dedup.segments import Segment, TextsOf
from persona_assets.dedup.semantic import EXACT_PRODUCTS, Scripts, Standing, Vectors, make_store, near_earlier
from persona_assets.dedup.strands import Semantic, Strand
from persona_assets.dedup.survivors import METHODS, Graph, Hits, greedy
from persona_assets.lake.vectors import Half
from persona_assets.text.sets import Pairs
from persona_assets.text.token_hashes import Index


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
        """Nodes (persona_id, shard, text, script) in canonical order, their graph so far, and what came before them."""
        self.nodes, self.graph, self.open = nodes, graph, found.open
        self.segments, self.clock, self.progress = segments, clock, progress
        self.scripts: Scripts = nodes["script"].to_numpy()
        self.texts: TextsOf | None = semantic.earlier_texts if semantic else None
        present = set(np.unique(self.scripts).tolist())
        strands = [strand for strand in semantic.strands if present & set(strand.scripts)] if semantic else []
        self.readings = [_Reading(self, strand) for strand in strands]

    @property
    def compared(self) -> NDArray[np.bool_]:
        """Which nodes the semantic stage looked at."""
        compared = np.zeros(len(self.nodes), bool)
        for reading in self.readings:
            compared |= reading.compared
        return compared

    def settle(self) -> NDArray[np.bool_]:
        """Which nodes are kept."""
        while True:
            kept = greedy(self.graph)
            if not (self._open_groups(kept) or any(reading.compare(kept) for reading in self.readings)):
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

    def recall(self) -> dict[str, float]:
        """Estimated share of the near pairs that the semantic stage found, where it ran."""
        found = [reading.recall() for reading in self.readings if reading.standing]
        return {"semantic": min(found)} if found else {}

    def encoded(self) -> Counter[str]:
        """How many nodes have a vector, by strand."""
        return Counter({reading.strand.name: len(reading.vectors) for reading in self.readings})


class _Reading:
    """What is known of the nodes of one strand."""

    def __init__(self, whole: Comparison, strand: Strand) -> None:
        self.whole, self.strand = whole, strand
        self.row_of = np.full(len(whole.nodes), -1)  # row in `vectors`
        self.tried = ~np.isin(whole.scripts, strand.scripts)  # the nodes of other strands are none of its
        self.vectors: Half = np.zeros((0, 0), np.float16)
        self.standing: Standing | None = None

    @property
    def compared(self) -> NDArray[np.bool_]:
        """Which nodes have a vector."""
        return self.row_of >= 0

    def compare(self, kept: NDArray[np.bool_]) -> bool:
        """Compare the kept nodes that have not been compared; whether there were any."""
        whole = self.whole
        untried = np.flatnonzero(kept & ~self.tried)
        if len(untried):
            self._encode(untried)
            whole.clock.tick("encode")
            hits = self._hits(untried[self.row_of[untried] >= 0])
            whole.clock.tick("semantic")
            if (hits.survivor < 0).any():
                whole.graph = replace(whole.graph, hits=whole.graph.hits.better(hits))
                return True
        if self.standing is None:
            store = make_store(int((kept & self.compared).sum()))
            self.standing = Standing(whole.scripts, self.strand.limits, self._alone, store)
        fresh = np.flatnonzero(kept & self.compared & ~self.standing.stands)
        if len(fresh):
            pairs = self.standing.compare(fresh, self._stored, kept)
            whole.graph = replace(whole.graph, semantic=Pairs.concat([whole.graph.semantic, pairs]).unique())
        whole.clock.tick("semantic")
        return bool(len(fresh))

    def recall(self) -> float:
        """Estimated share of the near pairs that were found."""
        return self.standing.recall(self._stored) if self.standing else 1.0

    def _encode(self, nodes: Index) -> None:
        self.tried[nodes] = True
        known, vectors = self.strand.cache.vectors(self.whole.nodes[nodes], self.whole.progress)
        if len(vectors):
            self.row_of[nodes[known]] = len(self.vectors) + np.arange(len(vectors))
            self.vectors = np.concatenate([self.vectors, vectors]) if len(self.vectors) else vectors

    def _hits(self, nodes: Index) -> Hits:
        """By node the first survivor of the earlier segments whose vector is near; none but for `nodes`."""
        hits, after = Hits.none(len(self.whole.nodes)), 0
        vectors = self.vectors[self.row_of[nodes]] if len(nodes) else self.vectors
        for segment in reversed(self.whole.segments):
            found = self._hits_of_segment(segment, nodes, vectors, after)
            hits, after = hits.better(found), after + len(segment)
        return hits

    def _hits_of_segment(self, segment: Segment, nodes: Index, vectors: Half, after: int) -> Hits:
        hits, strand, texts = Hits.none(len(self.whole.nodes)), self.strand, self.whole.texts
        wanted = np.isin(segment.scripts, strand.scripts)
        if texts is None or not len(nodes) or not wanted.any():
            return hits
        indexed = len(nodes) * int(wanted.sum()) > EXACT_PRODUCTS
        row, place, cosine = near_earlier(
            vectors,
            segment.vectors(strand.cache, texts, wanted),
            segment.index(strand.cache, texts, wanted, strand.name) if indexed else None,
            strand.limits,
            (self.whole.scripts[nodes], segment.scripts),
            (
                lambda rows: self._alone(nodes[rows]),
                lambda places: self._encoded_alone(texts(segment.survivors(places))),
            ),
        )
        order = np.lexsort((place, row))
        rows, first = np.unique(row[order], return_index=True)
        best = order[first]
        hits.survivor[nodes[rows]] = place[best] - len(segment) - after
        hits.similarity[nodes[rows]] = cosine[best]
        hits.method[nodes[rows]] = METHODS.index("semantic")
        return hits

    def _stored(self, nodes: Index) -> Half:
        stored: Half = self.vectors[self.row_of[nodes]]
        return stored

    def _alone(self, nodes: Index) -> Vectors:
        return self._encoded_alone(self.whole.nodes["text"].gather(nodes))

    def _encoded_alone(self, texts: pl.Series) -> Vectors:
        return np.concatenate([self.strand.cache.encoder.encode([text]) for text in texts])
