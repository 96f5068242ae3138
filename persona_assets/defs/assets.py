"""Every asset of the graph as a Dagster asset: partitions, gates, automation, metadata. All of them are built here."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION
from dagster._core.storage.tags import AUTOMATION_CONDITION_TAG, SCHEDULE_NAME_TAG, SENSOR_NAME_TAG

from persona_assets.checks.gates import description, gate_names
from persona_assets.defs.automation import LakeWants
from persona_assets.defs.checks import JUDGES
from persona_assets.defs.metadata import column_schema, partition_metadata
from persona_assets.defs.partitions import definition_of, lake_key, mapping, partition_key
from persona_assets.defs.pipeline import Pipeline, progress_of
from persona_assets.engines.base import EngineUnavailable
from persona_assets.errors import PersonaAssetsError
from persona_assets.graph import Asset, assets
from persona_assets.lake.records import GateOutcome, Record
from persona_assets.lake.schemas import SHARD_FILES
from persona_assets.lake.store import dump_of
from persona_assets.making import Made, make
from persona_assets.recipes import Recipe, recipe_digest
from persona_assets.settings import Settings, load_settings
from persona_assets.state import LakeState
from persona_assets.steps.budget import BudgetReached
from persona_assets.steps.model import Context
from persona_assets.tasks.data_files import GONE

# A run with this tag leaves partitions alone that are as they would be made now. Without it, a person asked for them.
ONLY_NEEDED = "persona_assets/only_needed"
# Runs that automation asked for: those of conditions and their backfills, of sensors, and of schedules.
AUTOMATED = (AUTOMATION_CONDITION_TAG, SENSOR_NAME_TAG, SCHEDULE_NAME_TAG)
# The result of a step with this mark makes Dagster log no materialisation of its own for each partition of the range,
# which would hide those that the step has logged, with their metadata and versions.
_LOGGED: dict[str, Any] = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}


def _deps(asset: Asset, graph: Mapping[str, Asset]) -> Iterator[dg.AssetDep]:
    for name in asset.reads:
        only = asset.looks_into.get(name)
        above = mapping(asset.table.partition, graph[name].table.partition, only)
        yield dg.AssetDep(name, partition_mapping=above)


def code_version(recipe: Recipe) -> str:
    """What Dagster shows as the code version: what shapes rows, in short."""
    return recipe_digest(recipe)[:12]


def dagster_asset(asset: Asset, graph: Mapping[str, Asset], settings: Settings) -> dg.AssetsDefinition:
    """The Dagster asset. Its gates run inside it, before the commit, so that they also run in automated runs."""
    table, partitions = asset.table, definition_of(asset.table.partition)
    gates = [
        dg.AssetCheckSpec(
            name, asset=table.name, blocking=True, description=description(name, table), partitions_def=partitions
        )
        for name in gate_names(table)
    ]

    @dg.asset(
        name=table.name,
        group_name=asset.group,
        description=asset.description,
        deps=list(_deps(asset, graph)),
        partitions_def=partitions,
        check_specs=gates,
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=LakeWants() if asset.reads or asset.data else None,
        code_version=code_version(asset.recipe(settings, asset.identity(settings))),
        metadata={"dagster/column_schema": column_schema(table), "dagster/code_references": _code_reference(asset)},
        kinds=set(asset.kinds),
        pool=_pool(asset, settings),
    )
    def materialise(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
        return _Step(context, pipeline, asset).run()

    return materialise


def _code_reference(asset: Asset) -> dg.CodeReferencesMetadataValue:
    file, line = asset.source
    return dg.CodeReferencesMetadataValue(
        code_references=[dg.LocalFileCodeReference(file_path=str(file), line_number=line)]
    )


def _pool(asset: Asset, settings: Settings) -> str | None:
    """The pool of the model that is asked: a limit on it holds for all assets that ask this model."""
    identity = asset.identity(settings)
    return "model_" + re.sub(r"[^a-z0-9]+", "_", identity.model.lower()).strip("_") if identity else None


class _Step:
    """One step: the partitions that it was asked for, and those that were written with them, by the lake's keys."""

    def __init__(self, context: dg.AssetExecutionContext, pipeline: Pipeline, asset: Asset) -> None:
        self.context, self.pipeline, self.asset = context, pipeline, asset
        self.asked = [lake_key(key) for key in context.partition_keys]
        self.made: dict[str, Made] = {}
        self.empty: dict[str, str] = {}  # combinations of which nothing is made, and why
        self.failures: list[str] = []

    def run(self) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with self.pipeline.open(self.context) as context:
            self._make_all(context)
        alone = len(self.asked) == 1 and not self.failures
        if not (alone and list(self.made) == self.asked):
            self._log(others_than=self.asked[0] if alone else "")
        for judge in JUDGES.get(self.asset.name, ()):
            for evaluation in judge(self.pipeline.lake):
                self.context.log_event(evaluation)
        if self.failures:
            of = f"{len(self.failures)} of {len(self.asked)} partitions failed: " if len(self.asked) > 1 else ""
            raise dg.Failure(of + "; ".join(self.failures), allow_retries=False)
        if not alone:
            return dg.MaterializeResult(metadata=_LOGGED, check_results=_results({}, self.asset))
        return self._result(self.asked[0])

    def _make_all(self, context: Context) -> None:
        again = not any(tag in self.context.run.tags for tag in (ONLY_NEEDED, *AUTOMATED))
        state = LakeState(context.lake, context.settings)
        for key in self.asked:
            if nothing := self._nothing_at(state, key):
                self.empty[key] = nothing
                continue
            try:
                told = replace(context, progress=progress_of(self.context, key))
                for made in make(told, state, state.assets[self.asset.name], key, again=again):
                    self.made[made.key] = made
            except (BudgetReached, EngineUnavailable) as stop:
                self._stop(key, stop)
                raise
            except PersonaAssetsError as error:  # the other partitions of a ranged run do not hang on this one
                if len(self.asked) == 1:
                    raise
                self.failures.append(f"{key}: {error}")
        if len(self.asked) > 1:
            failed = {key: made.record.failed for key, made in self.made.items() if made.record.failed}
            self.failures += [f"{key}: gates not passed: {', '.join(names)}" for key, names in failed.items()]

    def _nothing_at(self, state: LakeState, key: str) -> str:
        """Why a key has nothing to make, a combination of dump and part or one of a named set; "" where it has."""
        kind = self.asset.table.partition
        if kind in state.sets:
            return "" if key in state.sets[kind].sources else f"left out: {GONE}"
        if kind == "dump":
            return ""
        if key in state.skipped:
            return f"left out: {state.skipped[key].reason}"
        return "" if self.pipeline.lake.exists(SHARD_FILES, key) else "no such shard"

    def _stop(self, key: str, stop: PersonaAssetsError) -> None:
        """What is done stands; the partition that is not says why."""
        self._log()
        note = {"stopped by": "budget" if isinstance(stop, BudgetReached) else "engine", "detail": str(stop)}
        self.context.log_event(dg.AssetObservation(self.asset.name, partition=partition_key(key), metadata=note))

    def _result(self, key: str) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """The result of a step with one partition, which stands for it."""
        if key in self.empty:
            return dg.MaterializeResult(metadata=_empty(self.empty[key]), check_results=_results({}, self.asset))
        made = self.made[key]
        return dg.MaterializeResult(
            metadata=self._metadata(made),
            data_version=dg.DataVersion(made.record.rows.content),
            check_results=_results({key: made.record.gates}, self.asset),
        )

    def _log(self, others_than: str = "") -> None:
        """Materialisations and evaluations by partition, where the step's result does not stand for one."""
        name = self.asset.name
        for key, why in self.empty.items():
            if key != others_than:
                self.context.log_event(
                    dg.AssetMaterialization(name, partition=partition_key(key), metadata=_empty(why))
                )
        for key, made in self.made.items():
            if key == others_than:
                continue
            self.context.log_event(
                dg.AssetMaterialization(
                    name,
                    partition=partition_key(key),
                    metadata=self._metadata(made),
                    tags=version_tags(made.record, self.asset),
                )
            )
            for gate in made.record.gates:
                self.context.log_event(
                    dg.AssetCheckEvaluation(
                        asset_key=dg.AssetKey(name),
                        check_name=gate.name,
                        passed=gate.passed,
                        metadata=_check_metadata({key: gate}),
                        blocking=True,
                        partition=partition_key(key),
                    )
                )

    def _metadata(self, made: Made) -> dict[str, Any]:
        return partition_metadata(self.pipeline.lake, self.asset, made)


def _empty(why: str) -> dict[str, Any]:
    return {"nothing was written": why, "dagster/partition_row_count": 0}


def version_tags(record: Record, asset: Asset) -> dict[str, str]:
    """The versions that Dagster shows of a partition: of its content, of what shaped it, and of what it was made from.

    Of what it was made from, the parents that are one partition each.
    """
    made_from = {name: _content_of(record, name) for name in asset.reads}
    return {
        DATA_VERSION_TAG: record.rows.content,
        DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
        CODE_VERSION_TAG: code_version(record.recipe),
        **{get_input_data_version_tag(dg.AssetKey(name)): content for name, content in made_from.items() if content},
        **{get_input_event_pointer_tag(dg.AssetKey(name)): NULL_EVENT_POINTER for name in asset.reads},
    }


def _content_of(record: Record, parent: str) -> str:
    """The content that a partition's parent of the same key, or of its dump, had; "" where its parents are many."""
    key, made_from = record.partition, record.made_from
    return made_from.get(f"{parent}/{key}") or made_from.get(f"{parent}/{dump_of(key)}", "")


def _results(gates_of: Mapping[str, tuple[GateOutcome, ...]], asset: Asset) -> list[dg.AssetCheckResult]:
    """The results of a step's own: of its one partition; passed where every partition has an evaluation of its own."""
    by_name: dict[str, dict[str, GateOutcome]] = {name: {} for name in gate_names(asset.table)}
    for key, gates in gates_of.items():
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


def _check_metadata(gates: Mapping[str, GateOutcome]) -> dict[str, dg.MetadataValue[Any]]:
    failing = {key: gate for key, gate in gates.items() if not gate.passed}
    metadata: dict[str, dg.MetadataValue[Any]] = {
        "failing rows": dg.MetadataValue.int(sum(gate.failing for gate in failing.values()))
    }
    for key, gate in failing.items():
        metadata[f"head {key}"] = dg.MetadataValue.json([_plain(row) for row in gate.head])
    return metadata


def _plain(row: dict[str, object]) -> dict[str, object]:
    return {name: value if isinstance(value, int | float | str | None) else str(value) for name, value in row.items()}


def build_assets() -> list[dg.AssetsDefinition]:
    """The assets of the environment's settings, with one for each task file.

    Raises:
        UsageError: a setting, or a task file, is wrong.
    """
    settings = load_settings()
    graph = assets(settings)
    return [dagster_asset(asset, graph, settings) for asset in graph.values()]


dagster_assets = build_assets()
