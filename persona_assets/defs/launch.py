"""Runs the graph from the command line, through the same Dagster instance that the UI shows."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from persona_assets.defs.assets import ONLY_NEEDED
from persona_assets.defs.partitions import lake_key, named_sets, partition_key, register
from persona_assets.defs.pipeline import LISTENER, SPENT, Listener, Pipeline, engines_of, release_engines
from persona_assets.graph import stages
from persona_assets.lake.store import dump_of
from persona_assets.making import sweep
from persona_assets.plan.figures import PartitionPlan
from persona_assets.plan.needs import Needs
from persona_assets.state import LakeState, Standing, State
from persona_assets.steps.budget import BudgetReached, Spent
from persona_assets.steps.model import Context

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # the display says what matters


@dataclass(frozen=True)
class Materialised:
    """One asset partition that has been materialised, with its funnel."""

    asset: str
    partition: str
    given: int
    kept: int
    rejected: int
    calls_made: int
    calls_reused: int
    failed_checks: tuple[str, ...]
    run_id: str


@contextmanager
def project_instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, or the one that `dagster dev` started in `folder` uses."""
    if os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.get() as instance:
            yield instance
        return
    home = folder / ".dagster"
    home.mkdir(parents=True, exist_ok=True)
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), config_dir=str(folder))) as instance:
        yield instance


@dataclass(frozen=True)
class Wanted:
    """What a run is to make: of these dumps and assets (none: all), what is needed, or with `again` everything."""

    dumps: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    again: bool = False

    def covers(self, asset: str, key: str) -> bool:
        """Whether it speaks of a partition."""
        return (not self.assets or asset in self.assets) and (not self.dumps or dump_of(key) in self.dumps)


@dataclass
class RunOutcome:
    """How a run ended: what failed, what waits and why, what is stale and was kept as it is, and what was spent."""

    runs: int = 0
    failures: list[str] = field(default_factory=list)
    waiting: list[Standing] = field(default_factory=list)
    held: list[PartitionPlan] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)
    stopped: bool = False  # by a budget


def materialise(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    wanted: Wanted,
    listen: Listener,
    outcome: RunOutcome,
    state: LakeState | None = None,
) -> Iterator[Materialised]:
    """Make what is wanted, stage by stage: shards, then their dumps, then the shards again; named sets in between.

    What there is to do is judged before each stage, on what stands then (of a dump: when its turn comes, as it may wait
    for the one before it), and again inside each step: an asset whose inputs were made anew and came out the same is
    left alone. A run that fails does not stop the others: `outcome` gets a line that names asset, partition and cause,
    and what depends on it waits. Where a budget is reached, nothing further runs. `state` is that of the lake, where it
    has been looked at just now.
    """
    if state is None:
        state = LakeState(Pipeline().lake, Pipeline().settings)
    lake, settings = state.lake, state.settings
    context = Context(lake, settings, engines_of(lake), "run")
    register(instance, state.shards, named_sets(state))
    sweep(context, state)
    judged = 0  # the runs that were over when the lake was last looked at

    def look() -> None:
        nonlocal judged
        if outcome.runs > judged:
            state.refresh()
            judged = outcome.runs

    def made(stage: str, key: str, names: Sequence[str]) -> Iterator[Materialised]:
        result = _run(instance, definitions, stage, key, names, listen, outcome.spent, wanted.again)
        outcome.runs += 1
        failed = _failed_gates(result)
        for event in result.get_asset_materialization_events():
            name = event.asset_key.to_user_string() if event.asset_key else ""
            yield _materialised(event, tuple(failed.get(name, ())), result.run_id)
        if not result.success:
            outcome.failures.append(_why(result, key, failed))
            outcome.stopped = _budget_reached(result)

    try:
        for stage, members in stages(state.assets).items():
            look()
            for key, names in _work(state, Needs(context, state), members, wanted, outcome, look):
                yield from made(stage, key, names)
                if outcome.stopped:
                    return
            for key, names in _off_target(state, members, wanted, look):
                yield from made(stage, key, names)
                if outcome.stopped:
                    return
        look()
        outcome.waiting += [
            one for one in state.all() if one.state is State.WAITING and wanted.covers(one.asset, one.key)
        ]
    finally:
        release_engines()


def count(state: LakeState, wanted: Wanted) -> int:
    """How many partitions a run may have to make, as far as that can be told before it."""
    seen: set[tuple[str, str]] = set()
    for asset in state.assets.values():
        for key in state.keys(asset.name):
            above = any(parent in seen for parent in state.parents(asset.name, key))
            if wanted.covers(asset.name, key) and (wanted.again or above or state.of(asset.name, key).to_do):
                seen.add((asset.name, key))
    return len(seen)


def _work(
    state: LakeState,
    needs: Needs,
    names: Sequence[str],
    wanted: Wanted,
    outcome: RunOutcome,
    look: Callable[[], None],
) -> Iterator[tuple[str, list[str]]]:
    """The partitions of a stage that have something to do, each with the assets to run, in the order of the graph.

    A dump that waits for one before it is looked at once more when its turn comes.
    """
    for key in state.keys(names[0]):
        chosen: list[str] = []
        for name in names:
            standing = state.of(name, key)
            if not wanted.covers(name, key) or standing.state is State.LEFT_OUT:
                continue
            if standing.state is State.WAITING and state.assets[name].table.partition == "dump":
                look()
                standing = state.of(name, key)
            if wanted.again or set(state.assets[name].reads) & set(chosen):
                chosen.append(name)
            elif standing.to_do:
                held = needs.held_back(standing)
                if held is None:
                    chosen.append(name)
                else:
                    held.why = standing.why
                    outcome.held.append(held)
        if chosen and _can_begin(state, key, chosen):
            yield key, chosen


def _off_target(
    state: LakeState, names: Sequence[str], wanted: Wanted, look: Callable[[], None]
) -> Iterator[tuple[str, list[str]]]:
    """The partitions of a stage that have other rows than their targets leave them, as one before them has changed.

    With what reads them; looked at in order, each after those before it were made.
    """
    targets = [name for name in names if state.has_target(name)]
    for key in state.keys(names[0]) if targets else ():
        look()
        chosen: list[str] = []
        for name in names:
            follows = bool(set(state.assets[name].reads) & set(chosen))
            if wanted.covers(name, key) and (follows or (name in targets and state.is_off_target(name, key))):
                chosen.append(name)
        if chosen:
            yield key, chosen


def _can_begin(state: LakeState, key: str, chosen: Sequence[str]) -> bool:
    """Whether the first of the assets has what it reads; with `again` what failed upstream may leave it waiting."""
    return state.of(chosen[0], key).state is not State.WAITING


def _failed_gates(result: dg.ExecuteInProcessResult) -> dict[str, list[str]]:
    failed: dict[str, list[str]] = {}
    for evaluation in result.get_asset_check_evaluations():
        if not evaluation.passed and evaluation.blocking:
            failed.setdefault(evaluation.asset_key.to_user_string(), []).append(evaluation.check_name)
    return failed


def _run(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    stage: str,
    key: str,
    names: Sequence[str],
    listen: Listener,
    spent: Spent,
    again: bool,
) -> dg.ExecuteInProcessResult:
    listening, spending = LISTENER.set(listen), SPENT.set(spent)
    try:
        return definitions.resolve_job_def(stage).execute_in_process(
            instance=instance,
            partition_key=partition_key(key),
            asset_selection=[dg.AssetKey(name) for name in names],
            run_config=_QUIET,
            raise_on_error=False,
            tags={} if again else {ONLY_NEEDED: "true"},
        )
    finally:
        LISTENER.reset(listening)
        SPENT.reset(spending)


def _materialised(event: dg.DagsterEvent, failed_checks: tuple[str, ...], run_id: str) -> Materialised:
    materialization = event.step_materialization_data.materialization
    numbers = {name: value.value for name, value in materialization.metadata.items()}

    def number(name: str) -> int:
        value = numbers.get(name)
        return value if isinstance(value, int) else 0

    return Materialised(
        materialization.asset_key.to_user_string(),
        lake_key(str(materialization.partition)),
        number("in"),
        number("kept"),
        number("rejected"),
        number("calls made"),
        number("calls reused"),
        failed_checks,
        run_id,
    )


def _budget_reached(result: dg.ExecuteInProcessResult) -> bool:
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    causes = [error.cause or error for error in errors if error]
    return any(cause.cls_name == BudgetReached.__name__ for cause in causes)


def _why(result: dg.ExecuteInProcessResult, key: str, failed: dict[str, list[str]]) -> str:
    if failed:
        gates = "; ".join(f"{asset} {key}: {', '.join(names)}" for asset, names in failed.items())
        return f"gate not passed: {gates} (the failing rows are in the check's metadata in the UI)"
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            error = data.error.cause or data.error if data.error else None
            message = error.message.strip() if error else "unknown error"
            return f"{event.step_key} {key}: {message}"
    return f"run {result.run_id} of {key} failed"
