"""Which rows are near no item of a benchmark by their meaning: `<dataset>_apart`.

Pieces of 13 words are found as the rows are made (`contamination`). What is told in other words is found here, by
stored vectors, from the cosine on that dedup takes for near. A new benchmark looks at all rows again without a call.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from persona_assets.contamination.benchmarks import Benchmarks
from persona_assets.contamination.items import Item, read_items
from persona_assets.dedup.strands import Strand, make_strands
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake
from persona_assets.quality.measures import Vectors
from persona_assets.quality.report import encoded
from persona_assets.quality.rows import texts_of
from persona_assets.settings import Settings
from persona_assets.tasks.derived import Derived, derived

SUFFIX = "_apart"
REASON = "near_benchmark"
VERSION = 1  # of how an item is compared
ROWS = 1024  # compared at once with all items
SETTINGS = ("encoder", "semantic_threshold", "max_unknown_share")


def apart_of(dataset: str, text: pl.Expr, benchmarks: Benchmarks) -> Derived:
    """The function that sets rows aside which are near an item of these benchmarks."""

    def apart(rows: pl.LazyFrame, personas: pl.LazyFrame, *, lake: Lake, **settings: object) -> pl.DataFrame:
        how = Settings.model_construct(None, **settings)
        strands = make_strands(lake, how.encoder, how.semantic_threshold, how.max_unknown_share, across=False)
        known = _Items(benchmarks, strands)
        parts = [
            known.judged(dataset, some)
            for batch in texts_of(dataset, text, rows, personas).batches()
            for some in batch.iter_slices(ROWS)
        ]
        judged = pl.concat(parts) if parts else pl.DataFrame(schema=_JUDGED)
        every = rows.select(id="sample_id").collect()  # a row without a text is near nothing
        told = every.join(judged, on="id", how="left", maintain_order="left")
        return told.select(
            "nearest", "similarity", "reason", parent_ids=pl.concat_list("id"), detail=pl.col("detail").fill_null("")
        )

    apart.__name__ = f"{dataset}{SUFFIX}"
    apart.__doc__ = f"One row for each of {dataset} that is near no item, with the item that is nearest."
    return derived(
        reads=(dataset, "deduped_personas"),
        columns={"nearest": pl.String, "similarity": pl.Float64},
        description=f"Rows of {dataset} that are near no item of the benchmarks by meaning; others are set aside.",
        nullable=("nearest", "similarity"),
        settings=SETTINGS,
        modules=("quality.apart", "quality.report", "quality.rows", "contamination.items"),
        packaged={"benchmarks": lambda: {"version": VERSION, "files": dict(benchmarks.files)}},
        given=("lake",),
    )(apart)


_JUDGED = {"id": pl.String, "nearest": pl.String, "similarity": pl.Float64, "reason": pl.String, "detail": pl.String}


class _Items:
    """The items of benchmarks with their vectors, by strand."""

    def __init__(self, benchmarks: Benchmarks, strands: Sequence[Strand]) -> None:
        self._strands = strands
        self._items = list(_items(benchmarks))
        content = digest(canonical_json(dict(benchmarks.files)))[:16]
        frame = pl.DataFrame(
            {
                "persona_id": [f"item_{at:08}" for at in range(len(self._items))],
                "shard": [f"benchmarks-{content}"] * len(self._items),
                "text": [item.question for item in self._items],
            },
            schema={"persona_id": pl.String, "shard": pl.String, "text": pl.String},
        )
        self._vectors = {number: (places, vectors) for number, places, vectors in encoded(strands, frame)}

    def judged(self, dataset: str, rows: pl.DataFrame) -> pl.DataFrame:
        """For each row the nearest item in its script, and why it is set aside where it is too near."""
        nearest: list[Item | None] = [None] * rows.height
        similarity = np.full(rows.height, np.nan)
        limits = np.full(rows.height, np.inf)
        frame = rows.select(persona_id="id", shard=pl.lit(f"{dataset}-") + pl.col("shard"), text="text")
        for number, places, vectors in encoded(self._strands, frame):
            if number not in self._vectors:
                continue
            items, theirs = self._vectors[number]
            best, at = _nearest(vectors, theirs)
            similarity[places], limits[places] = best, self._strands[number].limits.within
            for place, item in zip(places, items[at], strict=True):
                nearest[place] = self._items[item]
        told = [item.told if item else None for item in nearest]
        is_near = similarity >= limits
        details = [
            f"{name}: cosine {value:.3f}" if near else None
            for name, value, near in zip(told, similarity, is_near, strict=True)
        ]
        return pl.DataFrame(
            {
                "id": rows["id"],
                "nearest": told,
                "similarity": pl.Series(similarity).fill_nan(None),
                "reason": [REASON if near else None for near in is_near],
                "detail": details,
            },
            schema=_JUDGED,
        )


def _items(benchmarks: Benchmarks) -> Iterator[Item]:
    for name in benchmarks.files:
        yield from read_items(benchmarks.folder / name, name)


def _nearest(vectors: Vectors, others: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """Of each vector the highest cosine with others, and whose it is."""
    cosines = vectors.astype(np.float32) @ others.astype(np.float32).T
    at = cosines.argmax(axis=1)
    return cosines[np.arange(len(at)), at], at
