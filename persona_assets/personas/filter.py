"""The quality filter over extracted and expanded personas: every persona is kept, or rejected with a reason."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import polars as pl

from persona_assets.lake import Lake
from persona_assets.lake.schemas import EXPANDED_PERSONAS, EXTRACTED_PERSONAS, FILTERED_PERSONAS, REJECTED
from persona_assets.lake.vectors import VectorCache
from persona_assets.personas.rules import reject_reason
from persona_assets.settings import Settings
from persona_assets.steps.runner import Context, Report
from persona_assets.text.encoder import load_encoder

SOURCES = (EXTRACTED_PERSONAS, EXPANDED_PERSONAS)
UNRELATED = "unrelated_to_parent"


def filter_personas(context: Context, shard: str) -> Report:
    """Write a shard's `filtered_personas` and what was set aside. Content columns pass through unchanged.

    `extra` holds `not_compared`: personas whose relatedness was not judged, as the encoder does not know their script.

    Raises:
        PersonaAssetsError: the shard's extracted or expanded personas are not there.
    """
    started, lake, run_id = time.monotonic(), context.lake, context.run_id
    report = Report(extra={"not_compared": 0})
    cache = VectorCache(lake, load_encoder(context.settings.encoder), context.settings.max_unknown_share)
    with context.partition(FILTERED_PERSONAS, shard) as part:
        if context.progress:
            context.progress(0, total=sum(lake.row_count(table, shard) for table in SOURCES))
        for batch in _batches(lake, shard):
            judged, not_compared = judge(batch, _parent_texts(lake, shard, batch), cache, context.settings)
            judged = judged.with_columns(run_id=pl.lit(run_id), created_at=pl.lit(datetime.now(UTC)))
            good = judged.filter(pl.col("reason").is_null()).drop("reason", "detail")
            bad = judged.filter(pl.col("reason").is_not_null())
            part.rows.append(good)
            part.rejects.append(_rejects(bad))
            report.inputs += batch.height
            report.kept += good.height
            report.rejected.update(bad["reason"].to_list())
            report.extra["not_compared"] += not_compared
            if context.progress:
                context.progress(batch.height)
    report.seconds = time.monotonic() - started
    return report


def judge(
    batch: pl.DataFrame, parent_texts: pl.DataFrame, cache: VectorCache, settings: Settings
) -> tuple[pl.DataFrame, int]:
    """`batch` with `reason` and `detail` (null where kept), and how many related personas could not be compared.

    `parent_texts` has `parent_persona_id` and `parent_text`. The semantic floor applies to what the row rules let pass.
    """
    judged = reject_reason(batch).with_row_index("row")
    related = judged.filter(pl.col("reason").is_null()).join(
        parent_texts, on="parent_persona_id", how="inner", maintain_order="left"
    )
    cosine = relatedness(related, cache)
    compared = np.isfinite(cosine)
    low = pl.Series(compared & (cosine < settings.min_relatedness), dtype=pl.Boolean)
    found = related.select(
        "row",
        floor_reason=pl.lit(UNRELATED),
        floor_detail=pl.format("cosine {} to {}", pl.Series("cosine", cosine).round(3), "parent_persona_id"),
    ).filter(low)
    judged = judged.join(found, on="row", how="left", maintain_order="left").select(
        *batch.columns, pl.coalesce("reason", "floor_reason"), pl.coalesce("detail", "floor_detail")
    )
    return judged, int((~compared).sum())


def relatedness(related: pl.DataFrame, cache: VectorCache) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Cosine of each persona to its parent, shape (n,), float32; NaN where the encoder knows too little of either.

    `related` has persona_id, text, shard, parent_persona_id and parent_text. The vectors stay in the lake, where dedup
    finds them.
    """
    cosine = np.full(related.height, np.nan, dtype=np.float32)
    children = related.select("persona_id", "shard", "text")
    parents = related.select(persona_id="parent_persona_id", shard="shard", text="parent_text")
    unique = pl.concat([children, parents]).unique("persona_id", maintain_order=True)
    known, vectors = cache.vectors(unique)
    if not known.any():
        return cosine
    # Place of each persona among the vectors, -1 where it has none.
    place = unique.select("persona_id", place=np.where(known, np.cumsum(known) - 1, -1))
    pairs = np.column_stack(
        [ids.join(place, on="persona_id", how="left", maintain_order="left")["place"] for ids in (children, parents)]
    )
    both = (pairs >= 0).all(axis=1)
    one, other = (vectors[pairs[both, side]].astype(np.float32) for side in (0, 1))
    cosine[both] = np.einsum("nd,nd->n", one, other)
    return cosine


def _batches(lake: Lake, shard: str) -> Iterator[pl.DataFrame]:
    for table in SOURCES:
        for batch in lake.batches(table, shard):
            yield batch.drop("window", strict=False)  # of what was asked, as other columns of the call are


def _parent_texts(lake: Lake, shard: str, batch: pl.DataFrame) -> pl.DataFrame:
    """Id and text of the parents of a batch; personas of one shard have their parents in it."""
    wanted = batch.lazy().select("parent_persona_id").drop_nulls().unique()
    known = pl.concat([lake.scan(table, [shard]).select("persona_id", "text") for table in SOURCES])
    return known.rename({"persona_id": "parent_persona_id", "text": "parent_text"}).join(
        wanted, on="parent_persona_id", how="semi"
    ).collect()  # fmt: skip


def _rejects(bad: pl.DataFrame) -> pl.DataFrame:
    return bad.select(
        asset=pl.lit(FILTERED_PERSONAS.name),
        row_id="persona_id",
        parent_id=pl.coalesce("parent_persona_id", "document_id"),
        reason="reason",
        detail="detail",
        file=pl.lit(None, pl.String()),
        record_offset=pl.lit(None, pl.Int64()),
        call_id="call_id",
        shard="shard",
        run_id="run_id",
        created_at="created_at",
    ).select(REJECTED.polars.names())
