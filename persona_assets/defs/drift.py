"""Advisory checks that compare an asset's partitions with one another; they warn and never block."""

from collections.abc import Iterable

import dagster as dg

from persona_assets.checks.gates import DRIFT_CHECKS, description, run_drift
from persona_assets.defs.pipeline import Pipeline
from persona_assets.lake import Table
from persona_assets.lake.schemas import DEDUPED_PERSONAS, EXTRACTED_PERSONAS, RAW_DOCUMENTS
from persona_assets.settings import load_settings
from persona_assets.tasks.step import load_tasks, task_table


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


drift_checks = [
    _drift(table)
    for table in (
        RAW_DOCUMENTS,
        EXTRACTED_PERSONAS,
        DEDUPED_PERSONAS,
        *(task_table(template) for template in load_tasks(load_settings()).values()),
    )
]
