"""Advisory checks: they warn and never block. Over the whole lake, or comparing an asset's partitions."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import dagster as dg
import polars as pl

from persona_assets.checks.gates import DRIFT_CHECKS, HEAD, description, run_drift
from persona_assets.dedup.seals import departures
from persona_assets.defs.pipeline import Pipeline
from persona_assets.graph import Asset, assets
from persona_assets.lake import Lake, Table
from persona_assets.ledger.ledger import DamagedPart, Ledger
from persona_assets.settings import load_settings
from persona_assets.tasks.judges.scores import CALIBRATED
from persona_assets.training.mix import TAKEN, nothing_asked, too_few_general

Verdict = Callable[[Lake], tuple[bool, dict[str, dg.MetadataValue[Any]]]]  # whether all is well, and what is not
Judge = Callable[[Lake], Iterator[dg.AssetCheckEvaluation]]


def _advisory(asset: str, name: str, text: str, verdict: Verdict) -> tuple[dg.AssetChecksDefinition, Judge]:
    """A check of an asset, and the same as an event, for steps that can change its verdict and do not run it."""

    @dg.asset_check(asset=asset, name=name, description=text)
    def check(pipeline: Pipeline) -> dg.AssetCheckResult:
        passed, metadata = verdict(pipeline.lake)
        return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)

    def judge(lake: Lake) -> Iterator[dg.AssetCheckEvaluation]:
        passed, metadata = verdict(lake)
        yield dg.AssetCheckEvaluation(
            dg.AssetKey(asset), name, passed, metadata, severity=dg.AssetCheckSeverity.WARN, blocking=False
        )

    return check, judge


# The ledger


def _ledger(lake: Lake) -> tuple[bool, dict[str, dg.MetadataValue[Any]]]:
    found = Ledger(lake).damaged()
    metadata: dict[str, dg.MetadataValue[Any]] = {
        "parts": dg.MetadataValue.int(len(found)),
        "calls": dg.MetadataValue.int(sum(part.calls or 0 for part in found)),
    }
    for part in found[:HEAD]:
        metadata[part.path] = dg.MetadataValue.text(_advice(part))
    return not found, metadata


def _advice(part: DamagedPart) -> str:
    calls = "an unknown number of calls" if part.calls is None else f"{part.calls:,} calls"
    return (
        f"{calls}, which are made and paid again when the partition runs; to avoid that, restore the file from a "
        f"backup as {part.home}. Delete it where it is now to end this warning."
    )


ledger_parts_sound, _judge_ledger = _advisory(
    "extracted_personas",
    "ledger_parts_sound",
    "No part of the ledger, of whichever asset, was found damaged and set aside. Evaluated whenever an asset that "
    "calls a model is materialised; where it warns, its metadata names the parts, the calls lost and what to do.",
    _ledger,
)

# The seals


def _seals(lake: Lake) -> tuple[bool, dict[str, dg.MetadataValue[Any]]]:
    found = departures(lake)
    metadata: dict[str, dg.MetadataValue[Any]] = {"shards": dg.MetadataValue.int(len(found))}
    for one in found[:HEAD]:
        metadata[f"dump {one.dump}, shard {one.shard}"] = dg.MetadataValue.text(f"{one.what}: {one.remedy}")
    return not found, metadata


sealed_shards_unchanged, _judge_seals = _advisory(
    "persona_survivors",
    "sealed_shards_unchanged",
    "No shard of a sealed dump has changed since, and none was added to it. Evaluated whenever filtered_personas or "
    "persona_survivors are materialised; where it warns, its metadata names the shards and what to do.",
    _seals,
)

# Drift


def _drift(table: Table) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"{table.name}_drift",
        specs=[dg.AssetCheckSpec(name, asset=table.name, description=description(name)) for name in DRIFT_CHECKS],
    )
    def check(pipeline: Pipeline) -> Iterable[dg.AssetCheckResult]:
        for outcome in run_drift(pipeline.lake, table):
            yield dg.AssetCheckResult(
                check_name=outcome.name,
                passed=outcome.passed,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"partitions": dg.MetadataValue.json(outcome.head)},
            )

    return check


def _drifts(asset: Asset) -> bool:
    return asset.is_task or asset.name in ("raw_documents", "extracted_personas", "deduped_personas")


# Judges


def _judges(table: Table) -> Verdict:
    """Whether the judges of a table of scores are calibrated, and none of them rated what it wrote itself."""

    def verdict(lake: Lake) -> tuple[bool, dict[str, dg.MetadataValue[Any]]]:
        found = (
            lake.scan(table)
            .group_by("criterion", "judge")
            .agg((pl.col("standing") != CALIBRATED).any(), own=pl.col("same_model").sum(), rows=pl.len())
            .sort("criterion", "judge")
            .collect()
        )
        metadata: dict[str, dg.MetadataValue[Any]] = {}
        for criterion, judge, uncertain, own, rows in found.iter_rows():
            said = ["not calibrated: judge_standing says why, and its scores are no evidence"] if uncertain else []
            said += [f"{own:,} of {rows:,} rows it wrote itself, which a judge tends to prefer"] if own else []
            if said:
                metadata[f"{criterion} by {judge}"] = dg.MetadataValue.text("; ".join(said))
        return not metadata, metadata

    return verdict


def _has_scores(asset: Asset) -> bool:
    return {"judged_id", "standing"} <= set(asset.table.polars)


# Mixes


def _mixes(table: Table) -> Verdict:
    """Whether every stage has the general rows that its recipe wants, and every suite rows to ask."""

    def verdict(lake: Lake) -> tuple[bool, dict[str, dg.MetadataValue[Any]]]:
        metadata: dict[str, dg.MetadataValue[Any]] = {}
        for recipe, stage, general, wanted in too_few_general(lake.scan(table)).iter_rows():
            metadata[f"{recipe}: {stage}"] = dg.MetadataValue.text(f"{general:,} general rows, {wanted:,} wanted")
        for recipe, suite, looked_at in nothing_asked(lake.scan(table)).iter_rows():
            said = f"nothing is asked, of {looked_at:,} rows that were looked at"
            metadata[f"{recipe}: {suite}"] = dg.MetadataValue.text(said)
        return not metadata, metadata

    return verdict


def _is_mix(asset: Asset) -> bool:
    return {"stratum", TAKEN, "wanted"} <= set(asset.table.polars)


_GRAPH = assets(load_settings())
_OVER_ALL = {
    name: _advisory(
        name,
        "judges_hold_up",
        "Every judge of these rows is calibrated, and rated nothing that it wrote itself.",
        _judges(asset.table),
    )
    for name, asset in _GRAPH.items()
    if _has_scores(asset)
} | {
    name: _advisory(
        name,
        "enough_rows",
        "Every stage has as many general rows as its recipe wants, and every suite with rows of its own has some left.",
        _mixes(asset.table),
    )
    for name, asset in _GRAPH.items()
    if _is_mix(asset)
}
advice_checks = [check for check, _ in _OVER_ALL.values()]
drift_checks = [_drift(asset.table) for asset in _GRAPH.values() if _drifts(asset)]
# By asset, the checks over the whole lake on which materialising it has a bearing.
JUDGES: dict[str, tuple[Judge, ...]] = {
    **{asset.name: (_judge_ledger,) for asset in _GRAPH.values() if asset.step},
    **dict.fromkeys(("filtered_personas", "persona_survivors"), (_judge_seals,)),
    **{name: (judge,) for name, (_, judge) in _OVER_ALL.items()},
}
