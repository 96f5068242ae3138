"""Near-duplicates of any number of texts, part by part in canonical order, in bounded memory.

A part is compared with itself and with the segments of the survivors before it, and decided for good; its survivors
then become a segment. As the greedy rule looks back only, the outcome does not depend on where parts begin: a dump
that is larger than memory is many parts, a new dump beside a million published personas is one.
"""

import ctypes
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.dedup.compare import Clock, Comparison
from persona_assets.dedup.keys import MOST_SETS, Scheme, rows_of
from persona_assets.dedup.lexical import lexical_pairs
from persona_assets.dedup.segments import Keyed, Segment
from persona_assets.dedup.strands import Semantic
from persona_assets.dedup.survivors import METHODS, Graph, Hits, explain
from persona_assets.text.scripts import scripts_of
from persona_assets.text.sets import Pairs, first_equal, token_sets
from persona_assets.text.token_hashes import Index

# Memory of one part per row, measured on texts of 19 words: tokens, keys and what comparing them takes; with the
# semantic stage also vectors of up to 512 components and their index. The rest is for the interpreter and its
# libraries.
ROW_BYTES, SEMANTIC_ROW_BYTES, FIXED_BYTES = 1_500, 4_300, 600_000_000


SEMANTIC = METHODS.index("semantic")


@dataclass
class Decision:
    """The verdicts on a part, aligned with its rows, and what comparing them took.

    `verdicts`: kept, survivor_id, survivor_shard, survivor_dump (of the row itself where kept), similarity, method
    (null where kept), semantic_compared.
    """

    verdicts: pl.DataFrame
    pairs: Counter[str] = field(default_factory=Counter)  # near by stage; candidates compared; pairs skipped
    encoded: Counter[str] = field(default_factory=Counter)  # texts that have a vector, by strand
    recall: dict[str, float] = field(default_factory=dict)  # by stage, estimated share of the near pairs found
    seconds: dict[str, float] = field(default_factory=dict)


def part_rows(limit: int, *, semantic: bool) -> int:
    """Rows of a part such that deciding it stays within `limit` bytes of memory; at least 10,000."""
    fit = (limit - FIXED_BYTES) // (SEMANTIC_ROW_BYTES if semantic else ROW_BYTES)
    return min(max(fit, 10_000), MOST_SETS // 2)


class Deduper:
    """Decides parts in canonical order; see the module."""

    def __init__(
        self,
        scheme: Scheme,
        semantic: Semantic | None,
        scratch: Path,
        earlier: Sequence[Segment] = (),
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Compare with `earlier` segments; the parts' own go to `scratch`. `progress` is told of rows encoded."""
        self.scheme, self.semantic, self.scratch = scheme, semantic, scratch
        self.earlier = list(earlier)
        self.written: list[Segment] = []
        self.progress = progress or (lambda rows: None)

    @property
    def segments(self) -> list[Segment]:
        """What the next part is compared with, in canonical order."""
        return self.earlier + self.written

    def add(self, rows: pl.DataFrame, dump: str, *, last: bool = False) -> Decision:
        """Decide the rows of a part: persona_id, shard and text (other columns are ignored), in canonical order.

        No segment is written of the `last` part, which nothing is compared with any more.
        """
        clock = Clock()
        keyed, node_of, first_row, set_of = self._nodes(rows["text"])
        nodes = rows[first_row].select("persona_id", "shard", pl.col("text").str.strip_chars())
        nodes = nodes.with_columns(script=scripts_of(nodes["text"]))
        clock.tick("tokens and keys")
        hits, candidates = self._lexical_hits(keyed)
        gone = hits.survivor < 0
        entries = keyed.entries[~gone[rows_of(keyed.entries)]] if gone.any() else keyed.entries
        found = lexical_pairs(keyed.sets, self.scheme, entries)
        clock.tick("lexical")
        graph = Graph(set_of, found.pairs, Pairs.empty(), hits.take(set_of))
        comparison = Comparison(nodes, graph, found, self.segments, self.semantic, clock, self.progress)
        kept = comparison.settle()
        verdicts = self._verdicts(rows.select("persona_id", "shard"), dump, node_of, first_row, comparison, kept)
        clock.tick("verdicts")
        if not last:
            self._write_segment(dump, nodes, keyed, set_of, kept)
            clock.tick("segment")
        _give_memory_back()
        return Decision(
            verdicts,
            Counter(
                lexical=len(comparison.graph.lexical),
                semantic=len(comparison.graph.semantic),
                candidates=found.candidates + candidates + comparison.open.compared,
                skipped=comparison.open.skipped,
            ),
            comparison.encoded(),
            comparison.recall() | {"lexical": self.scheme.recall_of(comparison.graph.lexical.similarity)},
            clock.seconds,
        )

    def hold(self, rows: pl.DataFrame) -> None:
        """Take rows (as in `add`) that stand whatever is near them; what is added later is compared with all of them.

        Texts of one set of words are held in segments of their own, as a segment has each set once.
        """
        keyed, _, first_row, set_of = self._nodes(rows["text"])
        nodes = rows[first_row].select("persona_id", "shard", pl.col("text").str.strip_chars())
        nodes = nodes.with_columns(script=scripts_of(nodes["text"]))
        rank = pl.DataFrame({"set": set_of}).select(pl.int_range(pl.len()).over("set")).to_series().to_numpy()
        for number in range(int(rank.max(initial=-1)) + 1):
            self._write_segment("", nodes, keyed, set_of, rank == number)
        _give_memory_back()

    def _nodes(self, texts: pl.Series) -> tuple[Keyed, Index, Index, Index]:
        """The distinct token sets with keys, the node of each row, the first row of each node, the set of each node.

        Rows of one text are one node. Where meaning does not count, texts of one set are as good as one.
        """
        if self.semantic is None:
            keyed, node_of = self._keyed(texts)
            return keyed, node_of, _firsts(node_of), np.arange(len(keyed.sets))
        texts = texts.str.strip_chars()
        first = first_equal(texts.hash(1).to_numpy(), texts.hash(2).to_numpy())
        starts = first == np.arange(len(first))
        keyed, set_of = self._keyed(texts.filter(pl.Series(starts)))
        return keyed, (np.cumsum(starts) - 1)[first], np.flatnonzero(starts), set_of

    def _keyed(self, texts: pl.Series) -> tuple[Keyed, Index]:
        """The distinct token sets in order of first appearance, with keys, and the set of each text."""
        sets = token_sets(texts)
        first = first_equal(*sets.whole_hashes())
        distinct = first == np.arange(len(sets))
        number = np.cumsum(distinct) - 1
        if not distinct.all():
            sets = sets.where(distinct)
        return Keyed.of(sets, self.scheme), number[first]

    def _lexical_hits(self, keyed: Keyed) -> tuple[Hits, int]:
        """By set the first survivor of the earlier segments that is near it, and how many pairs were compared."""
        hits, candidates = Hits.none(len(keyed.sets)), 0
        after = sum(len(segment) for segment in self.segments)
        for segment in self.segments:
            after -= len(segment)
            waiting = hits.survivor == 0
            found, compared = segment.near(keyed, self.scheme, waiting)
            found.survivor[found.survivor < 0] -= after
            hits, candidates = hits.better(found), candidates + compared
        return hits, candidates

    def _verdicts(
        self,
        ids: pl.DataFrame,
        dump: str,
        node_of: Index,
        first_row: Index,
        comparison: Comparison,
        kept: NDArray[np.bool_],
    ) -> pl.DataFrame:
        removals = explain(comparison.graph, kept)
        survivor = np.arange(len(kept))  # node, or an earlier survivor where negative
        similarity, method = np.ones(len(kept)), np.zeros(len(kept), np.int64)
        survivor[removals.node], similarity[removals.node] = removals.survivor, removals.similarity
        method[removals.node] = removals.method
        first = first_row[node_of] == np.arange(len(node_of))
        stays = kept[node_of] & first
        of_row = survivor[node_of]
        return (
            pl.DataFrame(
                {
                    "kept": stays,
                    "similarity": similarity[node_of].round(4),
                    "method": pl.Series(method[node_of]).replace_strict(
                        dict(enumerate(METHODS)), return_dtype=pl.String
                    ),
                    "semantic_compared": comparison.compared[node_of] & (stays | (method[node_of] == SEMANTIC)),
                }
            )
            .with_columns(
                similarity=pl.when(~pl.col("kept")).then("similarity"), method=pl.when(~pl.col("kept")).then("method")
            )
            .hstack(self._survivors(ids, dump, np.where(of_row < 0, of_row, first_row[np.maximum(of_row, 0)])))
        )

    def _survivors(self, ids: pl.DataFrame, dump: str, places: Index) -> pl.DataFrame:
        """survivor_id, survivor_shard and survivor_dump of rows of the part or, where negative, earlier survivors."""
        tables, start, place = [ids.with_columns(dump=pl.lit(dump))], len(ids), places.copy()
        end = 0  # the survivor just after those of a segment
        for segment in reversed(self.segments):
            mine = np.flatnonzero((places < end) & (places >= end - len(segment)))
            end -= len(segment)
            if len(mine):
                wanted, at = np.unique(places[mine] - end, return_inverse=True)
                tables.append(segment.survivors(wanted))
                place[mine] = start + at
                start += len(wanted)
        return pl.concat(tables)[place].select(survivor_id="persona_id", survivor_shard="shard", survivor_dump="dump")

    def _write_segment(
        self, dump: str, nodes: pl.DataFrame, keyed: Keyed, set_of: Index, kept: NDArray[np.bool_]
    ) -> None:
        survivors = np.flatnonzero(kept)
        folder = self.scratch / f"{len(self.written):05d}"
        self.written.append(Segment.write(folder, dump, nodes[survivors], keyed, set_of[survivors]))


def _give_memory_back() -> None:
    """Let the system have what a part took: glibc would keep it, in pieces, and a later part would take more."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _firsts(numbers: Index) -> Index:
    """Where each of the numbers 0, 1, 2, ... appears first; they first appear in this order."""
    return np.flatnonzero(numbers > np.concatenate([np.full(1, -1), np.maximum.accumulate(numbers)[:-1]]))
