"""Hits as overlaps: for each text the item that it shares the longest piece with, and which words these are."""

from dataclasses import dataclass

import polars as pl

from persona_assets.contamination.index import HITS, BenchmarkIndex
from persona_assets.contamination.items import Item
from persona_assets.view.safe import one_line

CONTAMINATED = "contaminated"  # reason under which a row is set aside
SHOWN = 200  # characters of the shared words in a detail


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a text shares with a benchmark: its number, the item, how many words, which, and how many items in all."""

    row: int
    item: Item
    part: str  # `question` or `answer`
    words: int
    shared: str
    items: int

    @property
    def detail(self) -> str:
        """In words, such as `test.jsonl item 17: 14 words of its question: ...`."""
        shown = one_line(self.shared)
        shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"
        return f"{one_line(self.item.told)}: {self.words} words of its {self.part}: {shown}"


def overlaps(index: BenchmarkIndex, hits: pl.DataFrame) -> list[Overlap]:
    """The overlaps of texts that have hits, in the order of their numbers.

    Of several items the one of the longest piece is named, of equal ones the first.
    """
    if not hits.height:
        return []
    owners = pl.Series(index.owners)
    pieces = (
        hits.select(HITS.names())
        .with_columns(way=pl.col("start") - pl.col("place"))
        .sort("row", "source", "way", "start")
        .with_columns(
            new=(
                (pl.col("start") - pl.col("start").shift(1) != 1)
                | (pl.col("way") != pl.col("way").shift(1))
                | (pl.col("source") != pl.col("source").shift(1))
                | (pl.col("row") != pl.col("row").shift(1))
            ).fill_null(value=True)
        )
        .with_columns(piece=pl.col("new").cum_sum())
        .group_by("piece", maintain_order=True)
        .agg(
            pl.col("row", "source", "place").first(),
            words=pl.col("start").last() - pl.col("start").first() + pl.col("size").last(),
        )
    )
    pieces = pieces.with_columns(item=owners.gather(pieces["source"]))
    best = (
        pieces.with_columns(items=pl.col("item").n_unique().over("row"))
        .sort("row", "words", "source", "place", descending=[False, True, False, False])
        .unique("row", keep="first", maintain_order=True)
    )
    return [
        Overlap(
            row,
            index.items[item],
            "question" if index.is_question[source] else "answer",
            words,
            index.words_of(source, place, words),
            items,
        )
        for row, source, place, words, item, items in best.select(
            "row", "source", "place", "words", "item", "items"
        ).iter_rows()
    ]
