"""The asset `deduped_personas`: a shard's personas that survive, the others set aside with who stands for them."""

import time
from collections import Counter
from datetime import UTC, datetime

import polars as pl

from persona_assets.dedup.seals import Seal, seals
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS, FILTERED_PERSONAS, PERSONA_SURVIVORS, REJECTED
from persona_assets.lake.store import dump_of
from persona_assets.steps.runner import Context, Report

_VERDICT = ("persona_id", "kept", "survivor_id", "survivor_dump", "similarity", "method")


def publish_shard(context: Context, shard: str) -> Report:
    """Write the shard's filtered personas that its dump's survivors keep; the removed ones go to the rejects.

    Raises:
        PersonaAssetsError: the dump has no survivors yet, the shard came after the dump was sealed, or its personas
            are no longer those that were compared. The message names the remedy.

    """
    started = time.monotonic()
    lake = context.lake
    lake.require(FILTERED_PERSONAS, shard)
    verdicts = _verdicts(lake, shard)
    report = Report()
    run = {
        "shard": pl.lit(shard),
        "run_id": pl.lit(context.run_id),
        "created_at": pl.lit(datetime.now(UTC), pl.Datetime("us", "UTC")),
    }
    with context.partition(DEDUPED_PERSONAS, shard) as part:
        for batch in lake.batches(FILTERED_PERSONAS, shard):
            judged = batch.join(verdicts, on="persona_id", how="left", maintain_order="left").with_columns(**run)
            stays = judged.filter("kept").select(batch.columns)
            rejects = _rejects(judged.filter(~pl.col("kept")))
            part.rows.append(stays)
            part.rejects.append(rejects)
            report.inputs += batch.height
            report.kept += stays.height
            report.rejected += Counter(dict(rejects["reason"].value_counts().iter_rows()))
    report.seconds = time.monotonic() - started
    return report


def _verdicts(lake: Lake, shard: str) -> pl.DataFrame:
    """The verdicts on a shard's personas, checked to be on exactly these personas."""
    dump = dump_of(shard)
    seal = _require_seal(lake, dump)
    if shard not in seal.shards:
        raise PersonaAssetsError(
            f"shard {shard} was registered after dump {dump} was sealed with {', '.join(seal.shards)}: put its files "
            "into a folder of a new dump"
        )
    of_shard = lake.scan(PERSONA_SURVIVORS, [dump]).filter(pl.col("persona_shard") == shard)
    verdicts = of_shard.select(_VERDICT).collect()
    ids = lake.scan(FILTERED_PERSONAS, [shard]).select("persona_id").collect()
    uncovered = ids.join(verdicts, on="persona_id", how="anti").height
    gone = verdicts.join(ids, on="persona_id", how="anti").height
    if uncovered or gone:
        raise PersonaAssetsError(
            f"shard {shard} changed after dump {dump} was deduped ({uncovered} new personas, {gone} gone): materialise "
            f"persona_survivors for {dump} again, which rebuilds the dumps after it too"
        )
    return verdicts


def _require_seal(lake: Lake, dump: str) -> Seal:
    found = [seal for seal in seals(lake) if seal.dump == dump]
    if not found or not lake.exists(PERSONA_SURVIVORS, dump):
        raise PersonaAssetsError(f"persona_survivors has no partition {dump}: materialise it first")
    return found[0]


def _rejects(removed: pl.DataFrame) -> pl.DataFrame:
    detail = pl.format(
        "{} of {} in dump {}, similarity {}", "method", "survivor_id", "survivor_dump", pl.col("similarity").round(4)
    )
    return removed.select(
        asset=pl.lit(DEDUPED_PERSONAS.name),
        row_id="persona_id",
        parent_id=pl.coalesce("parent_persona_id", "document_id"),
        reason=pl.format("duplicate_{}", "method"),
        detail=detail,
        file=pl.lit(None, pl.String),
        record_offset=pl.lit(None, pl.Int64),
        call_id=pl.lit(None, pl.String),
        shard="shard",
        run_id="run_id",
        created_at="created_at",
    ).select(REJECTED.polars.names())
