"""New crawl files become shards; what is downstream follows. Sensors start stopped: materialising costs money."""

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

import dagster as dg
from dagster import AutomationCondition

from persona_assets.crawl.arrival import Arrival, plan_shards
from persona_assets.dedup.seals import sealed_shards
from persona_assets.defs.partitions import (
    additions,
    bundled_sets,
    lake_key,
    named_sets,
    partition_key,
    register,
    too_many,
)
from persona_assets.defs.pipeline import Pipeline, engines_of
from persona_assets.errors import PersonaAssetsError
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.plan.needs import Needs
from persona_assets.settings import Settings, load_settings
from persona_assets.state import LakeState, Standing, State
from persona_assets.steps.model import Context

RAW = "raw_documents"
WISH = 12  # characters of a wish that a cursor keeps: it holds one for each partition that is still to come
PRICING_S = 10.0  # a tick goes on after this; what it has not priced by then is priced in the next ones
logger = logging.getLogger(__name__)


class LakeWants(AutomationCondition[dg.AssetKey]):
    """True for a partition that the lake lacks and that can be made now, once for each state of its inputs.

    It can be made if all it reads is there and stays as it is, or is asked for in this same tick under the same key:
    then both go in one run. The cursor keeps, for each partition that was asked for and is not done since, what it was
    to be made from (`LakeState.wish`): one that fails is asked for again when something above it changes, and not
    before. One that fails in a run that made its inputs too is tried once more alone. Partitions in progress, or with
    inputs in progress, wait. Checks and materialisations of Dagster are not asked: a ranged run logs checks without a
    target.
    """

    @property
    def name(self) -> str:
        """Shown in the UI."""
        return "lake_wants"

    @property
    def description(self) -> str:
        """Shown in the UI."""
        return "Not as it would be made now, and all it is made from is there or asked for with it"

    @property
    def children(self) -> list[AutomationCondition[Any]]:
        """What holds a wanted partition back; looked at for the wanted ones only, so it costs nothing at rest."""
        return [AutomationCondition.in_progress(), AutomationCondition.any_deps_in_progress()]

    async def evaluate(  # type: ignore[override]  # Dagster awaits it
        self, context: dg.AutomationContext[dg.AssetKey]
    ) -> dg.AutomationResult[dg.AssetKey]:
        """The partitions to ask for."""
        asset, tick = context.key.to_user_string(), _tick(context.evaluation_time)
        asked: dict[str, str] = json.loads(context.cursor or "{}")
        wants = _Wants(tick, asset, asked, _requested(context))
        subset, held = _subset(context, wants.among(tick.state, tick.state.keys(asset))), []
        for index, busy in enumerate(self.children):
            held.append(await context.for_child_condition(busy, [index], subset).evaluate_async())
            subset = subset.compute_difference(held[-1].true_subset)
        # Looked at again, one by one: a run may have ended since the lake was read.
        now = tick.state.now()
        chosen = wants.among(now, map(lake_key, subset.expensively_compute_partition_keys()))
        subset = subset.compute_intersection(_subset(context, chosen))
        wishes = {key: _wish(now, one) for key, one in chosen.items() if not wants.unsettled(now, one)}
        cursor = json.dumps(_open(tick.state, asset, asked) | wishes, sort_keys=True)
        return dg.AutomationResult(context, subset, cursor=cursor, child_results=held)


class _Tick:
    """The lake as one tick sees it, read once for all assets."""

    def __init__(self, lake: Lake, settings: Settings) -> None:
        self.state = LakeState(lake, settings)
        self.pricing_s = PRICING_S

    @cached_property
    def _needs(self) -> Needs:
        lake = self.state.lake
        return Needs(Context(lake, self.state.settings, engines_of(lake), "automation"), self.state)

    def held_back(self, one: Standing) -> bool:
        """Whether a stale partition stays as it is, as making it anew takes calls that nobody has allowed, or may."""
        if one.state is not State.STALE:
            return False
        state = self.state
        known = (state.lake.root, one.asset, one.key, f"{state.wish(one.asset, one.key)} {state.settings.stale}")
        if known not in _HELD:
            if self.pricing_s <= 0:
                return True
            began = time.monotonic()
            _HELD[known] = self._costs(one)
            self.pricing_s -= time.monotonic() - began
        return _HELD[known]

    def _costs(self, one: Standing) -> bool:
        try:
            return self._needs.held_back(one) is not None
        except PersonaAssetsError as error:
            logger.warning("%s %s stays as it is, as nobody knows its cost: %s", one.asset, one.key, error)
            return True


_HELD: dict[tuple[str, str, str, str], bool] = {}  # what was found of stale partitions: their questions are many


class _Wants:
    """What is wanted of one asset in one tick."""

    def __init__(
        self, tick: _Tick, asset: str, asked: Mapping[str, str], requested: Mapping[str, frozenset[str]]
    ) -> None:
        self.tick, self.asset, self.asked, self.requested = tick, asset, asked, requested

    def among(self, state: LakeState, keys: Iterable[str]) -> dict[str, Standing]:
        """Those of the lake's keys that can be made and were not asked for as things stand."""
        standings = (state.of(self.asset, key) for key in keys)
        return {one.key: one for one in standings if self._possible(state, one)}

    def _possible(self, state: LakeState, one: Standing) -> bool:
        if not (one.to_do or one.state is State.WAITING):
            return False
        if unsettled := self.unsettled(state, one):
            return self._goes_along(state, one, unsettled)
        return one.to_do and self.asked.get(one.key) != _wish(state, one) and not self.tick.held_back(one)

    def unsettled(self, state: LakeState, one: Standing) -> list[tuple[str, str]]:
        """What a partition is made from that is not there, or is to be made anew."""
        if one.state is State.WAITING:
            return list(one.behind)
        parents = (state.of(*parent) for parent in state.parents(one.asset, one.key))
        return [(up.asset, up.key) for up in parents if up.state is State.STALE and not self.tick.held_back(up)]

    def _goes_along(self, state: LakeState, one: Standing, unsettled: Iterable[tuple[str, str]]) -> bool:
        """Whether it is made in the run that makes all that it lacks.

        Not where it also hangs on its dump, which may have to be decided again after that run.
        """
        if any(key != one.key for _, key in state.parents(one.asset, one.key)):
            return False
        return all(key in self.requested.get(parent, ()) for parent, key in unsettled)


def _wish(state: LakeState, one: Standing) -> str:
    return state.wish(one.asset, one.key)[:WISH]


def _open(state: LakeState, asset: str, asked: Mapping[str, str]) -> dict[str, str]:
    """Of what was asked for, what is still to come."""
    keys = set(state.keys(asset)) if asked else ()
    return {key: wish for key, wish in asked.items() if key in keys and state.of(asset, key).state is not State.DONE}


def _requested(context: dg.AutomationContext[dg.AssetKey]) -> dict[str, frozenset[str]]:
    """The lake's keys of the partitions that are asked for in this tick, by asset, of those that this one reads."""
    parents = context.asset_graph.get(context.key).parent_keys
    return {
        key.to_user_string(): frozenset(map(lake_key, subset.expensively_compute_partition_keys()))
        for key, subset in context.request_subsets_by_key.items()
        if key in parents
    }


def _subset(context: dg.AutomationContext[dg.AssetKey], keys: Iterable[str]) -> Any:  # noqa: ANN401 - of Dagster's inner types
    """Those of the lake's keys that the instance knows, as Dagster takes them."""
    definition = context.partitions_def
    assert definition is not None  # every asset of the graph is partitioned
    known = definition.filter_valid_partition_keys({partition_key(key) for key in keys})
    return context.asset_graph_view.get_subset_from_partition_keys(context.key, definition, known)


@lru_cache(maxsize=1)
def _tick(time_of_it: datetime) -> _Tick:
    pipeline = Pipeline()
    return _Tick(pipeline.lake, pipeline.settings)


# Arrival


def scan(pipeline: Pipeline) -> Arrival:
    """Group settled new files into shards and write their manifests to the lake."""
    return plan_shards(pipeline.lake, pipeline.settings, time.time(), sealed_shards(pipeline.lake))


@dg.sensor(
    target=dg.AssetSelection.assets(RAW),
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Groups new files under PERSONA_DUMPS into shards once they have stopped growing, and ingests them.",
)
def new_crawl_dumps(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.SensorResult | dg.SkipReason:
    """Diffs the lake against the instance, so a lost tick loses nothing.

    As in `LakeWants`, the cursor keeps what was asked for and is still to come: a shard that fails is asked for again
    when its files change, and not before.
    """
    for warning in scan(pipeline).warnings:
        context.log.warning(warning)
    state = LakeState(pipeline.lake, pipeline.settings)
    asked: dict[str, str] = json.loads(context.cursor or "{}")
    wishes = {one.key: _wish(state, one) for one in _to_ingest(state)}
    wanted = [key for key, wish in wishes.items() if asked.get(key) != wish][: pipeline.settings.max_shards_per_tick]
    cursor = json.dumps(_open(state, RAW, asked) | {key: wishes[key] for key in wanted}, sort_keys=True)
    new = additions(context.instance, state.shards, bundled_sets(state) if state.shards else {})
    if not (wanted or any(new.values())):
        context.update_cursor(cursor)
        return dg.SkipReason(f"no new settled files under {pipeline.settings.dumps}")
    if any(new.values()) and (warning := too_many(state.shards)):
        context.log.warning(warning)
    adding = [dg.DynamicPartitionsDefinition(name=name).build_add_request(keys) for name, keys in new.items() if keys]
    return dg.SensorResult(run_requests=list(map(_ingest, wanted)), dynamic_partitions_requests=adding, cursor=cursor)


def _to_ingest(state: LakeState) -> Iterator[Standing]:
    standings = (state.of(RAW, key) for key in state.shards)
    return (one for one in standings if one.to_do)


def _ingest(shard: str) -> dg.RunRequest:
    """One ingestion run per shard."""
    return dg.RunRequest(partition_key=partition_key(shard), asset_selection=[dg.AssetKey(RAW)])


@dg.schedule(
    target=dg.AssetSelection.assets(RAW),
    cron_schedule="0 5 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Once a day, what new_crawl_dumps does, for places where sensors stay off.",
)
def daily_crawl_scan(context: dg.ScheduleEvaluationContext, pipeline: Pipeline) -> list[dg.RunRequest] | dg.SkipReason:
    """Registers what has arrived since yesterday and asks for its ingestion, and for what failed."""
    for warning in scan(pipeline).warnings:
        context.log.warning(warning)
    state = LakeState(pipeline.lake, pipeline.settings)
    register(context.instance, state.shards, bundled_sets(state))
    requests = [_ingest(one.key) for one in _to_ingest(state)]
    return requests or dg.SkipReason(f"no new settled files under {pipeline.settings.dumps}")


def _set_sensor() -> dg.SensorDefinition:
    @dg.sensor(
        name="new_data_files",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Registers data files that are new in the folder of tasks as partitions of their named sets; "
        "follow_new_data makes them.",
    )
    def sensor(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.SensorResult | dg.SkipReason:
        state = LakeState(pipeline.lake, pipeline.settings)
        for looked in state.sets.values():
            for warning in looked.warnings:
                context.log.warning(warning)
        new = additions(context.instance, (), named_sets(state))
        adding = [
            dg.DynamicPartitionsDefinition(name=name).build_add_request(new[name]) for name in state.sets if new[name]
        ]
        return dg.SensorResult(dynamic_partitions_requests=adding) if adding else dg.SkipReason("no new data files")

    return sensor


# There where a task or a function reads data files.
set_sensors = [_set_sensor()] if any(asset.data for asset in assets(load_settings()).values()) else []
follow_new_data = dg.AutomationConditionSensorDefinition(
    "follow_new_data",
    target=dg.AssetSelection.all(),
    use_user_code_server=True,  # where conditions of our own are known
    default_status=dg.DefaultSensorStatus.STOPPED,
    minimum_interval_seconds=30,
    description="Materialises whatever is downstream of new data, once all that it is made from is there and has "
    "passed its gates.",
)
