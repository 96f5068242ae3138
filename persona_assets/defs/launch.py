"""Runs the graph from the command line, through the same Dagster instance that the UI shows."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from persona_assets.crawl.shards import registered_shards
from persona_assets.defs.assets import ONLY_NEEDED
from persona_assets.defs.partitions import PARTS, lake_key, named_sets, partition_key, register
from persona_assets.defs.pipeline import LISTENER, SPENT, Listener, Pipeline, engines_of, release_engines
from persona_assets.graph import stages
from persona_assets.lake.store import dump_of
from persona_assets.making import sweep
from persona_assets.plan.figures import PartitionPlan
from persona_assets.plan.needs import Needs
from persona_assets.state import LakeState, Standing, State
from persona_assets.steps.budget import BudgetReached, Spent
from persona_assets.steps.model import Context

MOST_TOGETHER = 64  # partitions of a run
MOST_BYTES = 64 << 20  # of their crawl files: what takes minutes gets a run, and lines on the screen, of its own
_Work = tuple[list[str], list[str]]  # the partitions of a run, and its assets
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
    seconds: float
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
    """What a run is to make: of these dumps and assets (none: all), what is needed, or with `again` everything.

    What is made from all dumps together, as surveys and views are, belongs to no one dump: it is made with some dumps
    only where `over_dumps` says so.
    """

    dumps: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    again: bool = False
    over_dumps: bool = False

    def covers(self, state: LakeState, asset: str, key: str) -> bool:
        """Whether it speaks of a partition; those that hang on no dump belong to every one."""
        of_dump = not self.dumps or dump_of(key) in self.dumps or state.is_of_no_dump(asset, key)
        of_dump |= self.over_dumps and state.assets[asset].table.partition in state.sets
        return (not self.assets or asset in self.assets) and of_dump


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
    context = Context(state.lake, state.settings, engines_of(state.lake), "run")
    register(instance, state.shards, named_sets(state))
    sweep(context, state)
    launch = _Launch(instance, definitions, wanted, listen, outcome, state, context)
    try:
        for stage, members in stages(state.assets).items():
            yield from launch.stage(stage, members)
            if outcome.stopped:
                return
        launch.look()
        outcome.waiting += [
            one for one in state.all() if one.state is State.WAITING and wanted.covers(state, one.asset, one.key)
        ]
    finally:
        release_engines()


@dataclass
class _Launch:
    """The runs of one call of `materialise`."""

    instance: dg.DagsterInstance
    definitions: dg.Definitions
    wanted: Wanted
    listen: Listener
    outcome: RunOutcome
    state: LakeState
    context: Context
    judged: int = 0  # the runs that were over when the lake was last looked at

    def look(self) -> None:
        """Look at the lake again where there were runs since."""
        if self.outcome.runs > self.judged:
            self.state.refresh()
            self.judged = self.outcome.runs

    def stage(self, stage: str, members: Sequence[str]) -> Iterator[Materialised]:
        """Make what there is to do in a stage, until a budget is reached."""
        self.look()
        works = self._work(members, self.state.keys(members[0]), self.outcome.held)
        off_target = _off_target(self.state, members, self.wanted, self.look)
        for work in chain(_together(self.instance, self.state, works), off_target):
            yield from self._made(stage, work)
            if self.outcome.stopped:
                return

    def _work(self, names: Sequence[str], keys: Sequence[str], held: list[PartitionPlan]) -> Iterator[_Work]:
        return _work(self.state, Needs(self.context, self.state), names, self.wanted, held, self.look, keys)

    def _made(self, stage: str, work: _Work) -> Iterator[Materialised]:
        """What a run makes; where one of several partitions fails, the others go on in runs of their own."""
        keys, names = work
        result = _run(self.instance, self.definitions, stage, work, self.listen, self.outcome.spent, self.wanted.again)
        self.outcome.runs += 1
        self.outcome.stopped = _budget_reached(result)
        apart = not (result.success or self.outcome.stopped or len(keys) == 1)
        failed = _failed_gates(self.instance, result)
        done: set[tuple[str, str]] = set()
        for step in _materialised(self.instance, result, failed):
            if not (apart and step.failed_checks):
                done.add((step.asset, step.partition))
                yield step
        if not (apart or result.success):
            self.outcome.failures.append(_why(self.instance, result, keys[0], failed))
        for key in keys if apart else ():
            self.look()
            for again in self._work([name for name in names if (name, key) not in done], [key], []):
                yield from self._made(stage, again)
            if self.outcome.stopped:
                return


def count(state: LakeState, wanted: Wanted) -> int:
    """How many partitions a run may have to make, as far as that can be told before it."""
    seen: set[tuple[str, str]] = set()
    for asset in state.assets.values():
        for key in state.keys(asset.name):
            above = any(parent in seen for parent in state.parents(asset.name, key))
            standing = state.of(asset.name, key)
            if standing.state is State.LEFT_OUT or not wanted.covers(state, asset.name, key):
                continue
            if wanted.again or above or standing.to_do:
                seen.add((asset.name, key))
    return len(seen)


def _together(instance: dg.DagsterInstance, state: LakeState, works: Iterable[_Work]) -> Iterator[_Work]:
    """Small shards of a dump, and keys of a set, that have the same to make: as one run each.

    To start a run takes longer than to make them. Dumps run alone, since what there is to do hangs on those before.
    """
    size = {shard.shard: shard.bytes for shard in registered_shards(state.lake)}
    orders: dict[str, dict[str, int]] = {}  # by name of the definition: the place of each key in its ranges

    def place(kind: str, key: str) -> int:
        name = str(PARTS.name) if kind == "shard" else kind
        if name not in orders:
            orders[name] = {one: at for at, one in enumerate(instance.get_dynamic_partitions(name))}
        # What came meanwhile is not there yet: it stands beside nothing.
        return orders[name].get(key.rpartition(".")[2] if kind == "shard" else key, -2)

    def joins(keys: Sequence[str], names: Sequence[str], key: str, others: Sequence[str]) -> bool:
        kind = state.assets[names[0]].table.partition
        if names != others or (kind == "shard" and dump_of(keys[-1]) != dump_of(key)):
            return False
        small = sum(size.get(one, 0) for one in (*keys, key)) <= MOST_BYTES and len(keys) < MOST_TOGETHER
        return small and place(kind, key) == place(kind, keys[-1]) + 1

    keys: list[str] = []
    names: list[str] = []
    for [key], others in works:
        if keys and joins(keys, names, key, others):
            keys.append(key)
            continue
        if keys:
            yield keys, names
        keys, names = [key], others
        if state.assets[names[0]].table.partition == "dump":
            yield keys, names
            keys = []
    if keys:
        yield keys, names


def _work(
    state: LakeState,
    needs: Needs,
    names: Sequence[str],
    wanted: Wanted,
    held_back: list[PartitionPlan],
    look: Callable[[], None],
    keys: Sequence[str],
) -> Iterator[_Work]:
    """Which of these partitions have something to do, each with the assets to run, in the order of the graph.

    A dump that waits for one before it is looked at once more when its turn comes. What is stale and kept as it is goes
    to `held_back`.
    """
    for key in keys:
        chosen: list[str] = []
        for name in names:
            standing = state.of(name, key)
            if not wanted.covers(state, name, key) or standing.state is State.LEFT_OUT:
                continue
            if standing.state is State.WAITING and state.assets[name].table.partition == "dump":
                look()
                standing = state.of(name, key)
            if any(above not in chosen or at != key for above, at in standing.behind):
                continue
            if wanted.again or set(state.assets[name].reads) & set(chosen):
                chosen.append(name)
            elif standing.to_do:
                held = needs.held_back(standing)
                if held is None:
                    chosen.append(name)
                else:
                    held.why = standing.why
                    held_back.append(held)
        if chosen and _can_begin(state, key, chosen):
            yield [key], chosen


def _off_target(state: LakeState, names: Sequence[str], wanted: Wanted, look: Callable[[], None]) -> Iterator[_Work]:
    """The partitions of a stage that have other rows than their targets leave them, as one before them has changed.

    With what reads them; looked at in order, each after those before it were made.
    """
    targets = [name for name in names if state.has_target(name)]
    for key in state.keys(names[0]) if targets else ():
        look()
        chosen: list[str] = []
        for name in names:
            follows = bool(set(state.assets[name].reads) & set(chosen))
            if wanted.covers(state, name, key) and (follows or (name in targets and state.is_off_target(name, key))):
                chosen.append(name)
        if chosen:
            yield [key], chosen


def _can_begin(state: LakeState, key: str, chosen: Sequence[str]) -> bool:
    """Whether the first of the assets has what it reads; with `again` what failed upstream may leave it waiting."""
    return state.of(chosen[0], key).state is not State.WAITING


def _logged(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult, kind: dg.DagsterEventType) -> list[Any]:
    """What a run logged; the result of a run in process lacks some of it where a step failed."""
    entries = instance.all_logs(result.run_id, of_type=kind)
    return [entry.dagster_event.event_specific_data for entry in entries if entry.dagster_event]


def _failed_gates(
    instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult
) -> dict[tuple[str, str], tuple[str, ...]]:
    """The gates that partitions did not pass, by asset and partition."""
    failed: dict[tuple[str, str], tuple[str, ...]] = {}
    for one in _logged(instance, result, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        if not one.passed and one.blocking:
            of = (one.asset_key.to_user_string(), lake_key(str(one.partition)))
            failed[of] = (*failed.get(of, ()), one.check_name)
    return failed


def _run(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    stage: str,
    work: _Work,
    listen: Listener,
    spent: Spent,
    again: bool,
) -> dg.ExecuteInProcessResult:
    keys, names = work
    alone = len(keys) == 1
    ends = {
        ASSET_PARTITION_RANGE_START_TAG: partition_key(keys[0]),
        ASSET_PARTITION_RANGE_END_TAG: partition_key(keys[-1]),
    }
    listening, spending = LISTENER.set(listen), SPENT.set(spent)
    try:
        return definitions.resolve_job_def(stage).execute_in_process(
            instance=instance,
            partition_key=partition_key(keys[0]) if alone else None,
            asset_selection=[dg.AssetKey(name) for name in names],
            run_config=_QUIET,
            raise_on_error=False,
            tags=({} if again else {ONLY_NEEDED: "true"}) | ({} if alone else ends),
        )
    finally:
        LISTENER.reset(listening)
        SPENT.reset(spending)


def _materialised(
    instance: dg.DagsterInstance,
    result: dg.ExecuteInProcessResult,
    failed: Mapping[tuple[str, str], tuple[str, ...]],
) -> Iterator[Materialised]:
    """What a run has materialised, in the order of its steps."""
    for data in _logged(instance, result, dg.DagsterEventType.ASSET_MATERIALIZATION):
        event = data.materialization
        asset, key = event.asset_key.to_user_string(), lake_key(str(event.partition))
        numbers = {name: value.value for name, value in event.metadata.items()}
        given, kept, rejected, made, reused = (
            value if isinstance(value := numbers.get(name), int) else 0
            for name in ("in", "kept", "rejected", "calls made", "calls reused")
        )
        took = numbers.get("seconds")
        seconds = float(took) if isinstance(took, int | float) else 0.0
        gates = failed.get((asset, key), ())
        yield Materialised(asset, key, given, kept, rejected, made, reused, seconds, gates, result.run_id)


def _budget_reached(result: dg.ExecuteInProcessResult) -> bool:
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    causes = [error.cause or error for error in errors if error]
    return any(cause.cls_name == BudgetReached.__name__ for cause in causes)


def _why(
    instance: dg.DagsterInstance,
    result: dg.ExecuteInProcessResult,
    key: str,
    failed: Mapping[tuple[str, str], Sequence[str]],
) -> str:
    """What failed: asset, partition and cause. Of several partitions, the one at which the run was stopped."""
    for seen in _logged(instance, result, dg.DagsterEventType.ASSET_OBSERVATION):
        key = lake_key(str(seen.asset_observation.partition))
    if failed:
        gates = "; ".join(f"{asset} {key}: {', '.join(names)}" for (asset, key), names in failed.items())
        return f"gate not passed: {gates} (the failing rows are in the check's metadata in the UI)"
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            error = data.error.cause or data.error if data.error else None
            message = error.message.strip() if error else "unknown error"
            return f"{event.step_key} {key}: {message}"
    return f"run {result.run_id} of {key} failed"
