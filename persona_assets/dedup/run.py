"""The asset `persona_survivors`: seal a dump, compare its personas, write who stands for whom.

Of earlier dumps only the survivors' ids, texts and vectors are read. They and the new dump's are held in memory while
they are compared: about 2 KB a persona, and 0.8 KB more for its vector.
"""

import time
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import polars as pl

from persona_assets.dedup.compare import Comparison, compare
from persona_assets.dedup.embeddings import VectorCache
from persona_assets.dedup.publish import publish_shard
from persona_assets.dedup.seals import Seal, changed_shards, seal_again, seal_waiting, seals
from persona_assets.dedup.survivors import METHODS
from persona_assets.engines.hop import Context, Report
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import FILTERED_PERSONAS, PERSONA_SURVIVORS
from persona_assets.text.encoder import load_encoder

__all__ = ["dedup_dump", "kept_ids", "publish_shard"]

BINS = 20  # of the similarity histogram, from 0 to 1
GROUPS = 10  # largest groups shown
SHOWN_CHARACTERS = 160  # of a group's text
IDENTITY = ("persona_id", "shard", "text")


def dedup_dump(context: Context, dump: str) -> list[tuple[str, Report]]:
    """Seal `dump` and what waits before it, and write the survivors of every sealed dump up to it that has none.

    `dump` itself is always computed; where its shards changed since it was sealed, it is sealed again under its number.
    Where the survivors of a dump come out otherwise than they stood, the sealed dumps after it that had been compared
    with them are computed again too. Returns one report per dump written, in the order of the seals.

    Raises:
        PersonaAssetsError: the dump cannot be sealed, or an earlier dump changed after it was deduped.

    """
    lake = context.lake
    seal_waiting(lake, dump, context.run_id)
    sequence = seals(lake)
    place = next(index for index, seal in enumerate(sequence) if seal.dump == dump)
    reports: list[tuple[str, Report]] = []
    moved = False
    for index, seal in enumerate(sequence):
        exists = lake.exists(PERSONA_SURVIVORS, seal.dump)
        wanted = (moved and exists) if index > place else (moved or not exists or index == place)
        if wanted:
            before = kept_ids(lake, seal.dump) if exists else None
            reports.append((seal.dump, _write_survivors(context, seal, sequence[:index])))
            moved = moved or before is None or not before.equals(kept_ids(lake, seal.dump))
    return reports


def kept_ids(lake: Lake, dump: str) -> pl.Series:
    """The ids that survive in a dump, sorted."""
    kept = lake.scan(PERSONA_SURVIVORS, [dump]).filter("kept").select(pl.col("persona_id").sort())
    return kept.collect()["persona_id"]


def _write_survivors(context: Context, seal: Seal, earlier: list[Seal]) -> Report:
    started = time.monotonic()
    lake, settings = context.lake, context.settings
    if changed_shards(lake, [seal]):
        seal = seal_again(lake, seal, context.run_id)
    published = pl.concat([_empty(), *(_published(lake, one) for one in earlier)])
    fresh = _filtered(lake, seal)
    personas = pl.concat([published, fresh])
    cache = VectorCache(lake, load_encoder(settings.encoder), settings.max_unknown_share)
    comparison = compare(personas.select(IDENTITY), published.height, settings, cache)
    rows = _rows(personas, comparison.verdicts).slice(published.height)
    rows = rows.with_columns(
        dump=pl.lit(seal.dump),
        seal=pl.lit(seal.seal, pl.Int64),
        run_id=pl.lit(context.run_id),
        created_at=pl.lit(datetime.now(UTC), pl.Datetime("us", "UTC")),
    )
    lake.write(PERSONA_SURVIVORS, seal.dump, rows.select(PERSONA_SURVIVORS.polars.names()), context.run_id)
    if context.progress:
        context.progress(rows.height)
    return _report(rows, fresh, comparison, time.monotonic() - started)


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema={**dict.fromkeys(IDENTITY, pl.String), "dump": pl.String})


def _filtered(lake: Lake, seal: Seal) -> pl.DataFrame:
    """A sealed dump's filtered personas in canonical order."""
    for shard in seal.shards:
        lake.require(FILTERED_PERSONAS, shard)
    rows = lake.scan(FILTERED_PERSONAS, seal.shards).select(IDENTITY).collect()
    return rows.with_columns(dump=pl.lit(seal.dump)).sort("persona_id", "shard")


def _published(lake: Lake, seal: Seal) -> pl.DataFrame:
    """Texts of an earlier dump's survivors in canonical order; only the three columns and kept rows are held."""
    survivors = lake.scan(PERSONA_SURVIVORS, [seal.dump]).filter("kept")
    ids = survivors.select("persona_id", shard="persona_shard").collect()
    texts = lake.scan(FILTERED_PERSONAS, seal.shards).select(IDENTITY)
    rows = texts.join(ids.lazy(), on=["persona_id", "shard"], how="semi").collect(engine="streaming")
    if rows.height != ids.height:
        raise PersonaAssetsError(
            f"dump {seal.dump} changed after it was deduped: {ids.height - rows.height} of its survivors are no "
            f"longer in filtered_personas; materialise persona_survivors for {seal.dump} again, which rebuilds "
            "the dumps after it too"
        )
    return rows.with_columns(dump=pl.lit(seal.dump)).sort("persona_id", "shard")


def _rows(personas: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    survivor = verdicts["survivor"]
    return pl.concat([personas, verdicts], how="horizontal").with_columns(
        persona_shard="shard",
        survivor_id=personas["persona_id"].gather(survivor),
        survivor_dump=personas["dump"].gather(survivor),
    )


def _report(rows: pl.DataFrame, fresh: pl.DataFrame, comparison: Comparison, seconds: float) -> Report:
    removed = rows.filter(~pl.col("kept"))
    kept = rows.filter("kept")
    counts = dict(removed["method"].value_counts().iter_rows())
    report = Report(inputs=rows.height, kept=kept.height, seconds=seconds)
    report.rejected = Counter({method: counts.get(method, 0) for method in METHODS if counts.get(method)})
    report.extra = {
        "not_compared": int((~kept["semantic_compared"]).sum()),
        "pairs": dict(comparison.pairs),
        "similarity": _histogram(removed),
        "largest_groups": _groups(removed, fresh),
        "seconds_by_step": comparison.seconds,
    }
    return report


def _histogram(removed: pl.DataFrame) -> dict[str, list[float] | list[int]]:
    """Bin edges, and removed rows per method and bin of the similarity to their survivor."""
    edges = np.linspace(0, 1, BINS + 1)
    histogram: dict[str, list[float] | list[int]] = {"bins": edges.round(4).tolist()}
    for method in METHODS:
        values = removed.filter(pl.col("method") == method)["similarity"].to_numpy()
        histogram[method] = np.histogram(values.clip(0, 1), edges)[0].tolist()
    return histogram


def _groups(removed: pl.DataFrame, fresh: pl.DataFrame) -> list[dict[str, str | int]]:
    """The survivors that stand for most personas of this dump, the text of one of these, and how many."""
    texts = fresh.select("persona_id", pl.col("text").str.slice(0, SHOWN_CHARACTERS))
    largest = (
        removed.select("survivor_id", "survivor_dump", "persona_id")
        .group_by("survivor_id", "survivor_dump")
        .agg(removed=pl.len(), persona_id=pl.col("persona_id").min())
        .sort("removed", "survivor_id", descending=[True, False])
        .head(GROUPS)
        .join(texts.unique("persona_id", keep="first"), on="persona_id", how="left", maintain_order="left")
    )
    return largest.select("survivor_id", "survivor_dump", "removed", "text").to_dicts()
