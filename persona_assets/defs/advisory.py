"""Advisory checks over the whole lake: they warn and never block."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from persona_assets.defs.pipeline import Pipeline
from persona_assets.lake import Lake

Verdict = Callable[[Lake], tuple[bool, dict[str, dg.MetadataValue[Any]]]]  # whether all is well, and what is not
Judge = Callable[[Lake], Iterator[dg.AssetCheckEvaluation]]


def advisory(asset: str, name: str, text: str, verdict: Verdict) -> tuple[dg.AssetChecksDefinition, Judge]:
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
