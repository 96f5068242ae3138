"""How a table becomes an asset: partitions, gates, automation, metadata. Every asset is built here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from persona_assets.checks.gates import CheckOutcome, description, gate_names, run_gates
from persona_assets.defs.metadata import column_schema, partition_metadata
from persona_assets.defs.partitions import SHARDS
from persona_assets.defs.pipeline import Pipeline
from persona_assets.engines.base import EngineUnavailable
from persona_assets.lake import Lake, Table
from persona_assets.steps.budget import BudgetReached
from persona_assets.steps.runner import Context, Report

# Runs for one key; yields each partition that it wrote (its own, and for dumps those that were waiting before it).
Run = Callable[[Context, str], Iterator[tuple[str, Report]]]

FOLLOW = dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()


def one(run: Callable[[Context, str], Report]) -> Run:
    """A `Run` of a function that writes just the partition it is asked for."""

    def runs(context: Context, key: str) -> Iterator[tuple[str, Report]]:
        yield key, run(context, key)

    return runs


def partitioned_asset(
    table: Table,
    run: Run,
    *,
    group: str,
    text: str,
    deps: Sequence[dg.AssetDep | str] = (),
    partitions: dg.DynamicPartitionsDefinition = SHARDS,
    follows: bool = True,
    judge: Callable[[Lake], Iterator[dg.AssetCheckEvaluation]] | None = None,
    kinds: frozenset[str] = frozenset({"parquet"}),
) -> dg.AssetsDefinition:
    """The asset of a table. Its gates run inside it, so that they also run in automated single-partition runs.

    `judge` evaluates advisory checks, of this or another asset, on which what was written has a bearing.
    """
    gates = [
        dg.AssetCheckSpec(
            name, asset=table.name, blocking=True, description=description(name), partitions_def=partitions
        )
        for name in gate_names(table)
    ]

    @dg.asset(
        name=table.name,
        group_name=group,
        description=text,
        deps=list(deps),
        partitions_def=partitions,
        check_specs=gates,
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=FOLLOW if follows else None,
        metadata={"dagster/column_schema": column_schema(table)},
        kinds=set(kinds),
    )
    def materialise(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
        asked = list(context.partition_keys)
        outcomes: dict[str, list[CheckOutcome]] = {}
        metadata: dict[str, dict[str, Any]] = {}
        key = ""
        try:
            with pipeline.open(context) as step:
                for key in asked:
                    for written, report in run(step, key):
                        gated = run_gates(step.lake, table, written, step.settings, step.run_id)
                        outcomes[written] = gated
                        metadata[written] = partition_metadata(step.lake, table, written, report)
        except (BudgetReached, EngineUnavailable) as stop:
            # What is done stands; the partition that is not says why.
            _log_done(context, table, metadata)
            _log_evaluations(context, table, outcomes, [])
            note = {"stopped by": "budget" if isinstance(stop, BudgetReached) else "engine", "detail": str(stop)}
            context.log_event(dg.AssetObservation(table.name, partition=key, metadata=note))
            raise
        for written in metadata.keys() & set(asked):
            context.add_asset_metadata(metadata.pop(written), partition_key=written)
        _log_done(context, table, metadata)
        if list(outcomes) != asked or len(asked) > 1:
            _log_evaluations(context, table, outcomes, asked)
        for evaluation in judge(pipeline.lake) if judge else ():
            context.log_event(evaluation)
        return dg.MaterializeResult(check_results=_results(outcomes))

    return materialise


def _log_done(context: dg.AssetExecutionContext, table: Table, metadata: Mapping[str, dict[str, Any]]) -> None:
    """Materialisations of partitions for which the step itself does not stand."""
    for key, values in metadata.items():
        context.log_event(dg.AssetMaterialization(table.name, partition=key, metadata=values))


def _log_evaluations(
    context: dg.AssetExecutionContext, table: Table, outcomes: dict[str, list[CheckOutcome]], asked: list[str]
) -> None:
    """Evaluations by partition, where the step's own results stand for several partitions together."""
    for key, gates in outcomes.items():
        if asked == [key]:
            continue  # the step's own result carries this one
        for gate in gates:
            context.log_event(
                dg.AssetCheckEvaluation(
                    asset_key=dg.AssetKey(table.name),
                    check_name=gate.name,
                    passed=gate.passed,
                    metadata=_check_metadata({key: gate}),
                    blocking=True,
                    partition=key,
                )
            )


def _results(outcomes: dict[str, list[CheckOutcome]]) -> list[dg.AssetCheckResult]:
    by_name: dict[str, dict[str, CheckOutcome]] = {}
    for key, gates in outcomes.items():
        for gate in gates:
            by_name.setdefault(gate.name, {})[key] = gate
    return [
        dg.AssetCheckResult(
            check_name=name,
            passed=all(gate.passed for gate in gates.values()),
            metadata=_check_metadata(gates),
        )
        for name, gates in by_name.items()
    ]


def _check_metadata(gates: dict[str, CheckOutcome]) -> dict[str, dg.MetadataValue[Any]]:
    failing = {key: gate for key, gate in gates.items() if not gate.passed}
    metadata: dict[str, dg.MetadataValue[Any]] = {
        "failing rows": dg.MetadataValue.int(sum(gate.failing for gate in failing.values()))
    }
    for key, gate in failing.items():
        metadata[f"head {key}"] = dg.MetadataValue.json([_plain(row) for row in gate.head])
    return metadata


def _plain(row: dict[str, object]) -> dict[str, object]:
    return {name: value if isinstance(value, int | float | str | None) else str(value) for name, value in row.items()}
