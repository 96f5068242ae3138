"""Runs of the graph in this process, as the command line and the UI start them."""

from collections.abc import Callable

import dagster as dg
from dagster import DagsterInstance

from persona_assets.crawl.arrival import plan_shards
from persona_assets.defs.launch import Materialised, RunOutcome, Wanted, materialise
from persona_assets.defs.partitions import partition_key
from persona_assets.lake import Lake
from persona_assets.settings import load_settings


def lake() -> Lake:
    """The lake of the environment."""
    return Lake(load_settings().lake)


def planned() -> list[str]:
    """The lake's keys of the shards that new files became."""
    settings = load_settings()
    return [shard.shard for shard in plan_shards(Lake(settings.lake), settings, 2e9).shards]


def silent(asset: str, partition: str) -> Callable[..., None]:
    return lambda done, total=None, note="": None


def run(
    instance: DagsterInstance, definitions: dg.Definitions, wanted: Wanted | None = None
) -> tuple[list[Materialised], RunOutcome]:
    """What `persona-assets run` does."""
    outcome = RunOutcome()
    return list(materialise(instance, definitions, wanted or Wanted(), silent, outcome)), outcome


def run_all(instance: DagsterInstance, definitions: dg.Definitions, wanted: Wanted | None = None) -> list[Materialised]:
    """The same, where nothing may fail or wait."""
    steps, outcome = run(instance, definitions, wanted)
    assert (outcome.failures, outcome.waiting) == ([], []), outcome
    return steps


def run_job(
    instance: DagsterInstance, definitions: dg.Definitions, job: str, first: str, last: str = "", *assets: str
) -> dg.ExecuteInProcessResult:
    """A run of one partition, as a person launches it, or of a range as a backfill does; keys are the lake's."""
    ends = {
        "dagster/asset_partition_range_start": partition_key(first),
        "dagster/asset_partition_range_end": partition_key(last),
    }
    chosen = [dg.AssetKey(asset) for asset in assets] or None
    found = definitions.resolve_job_def(job)
    if last:
        return found.execute_in_process(instance=instance, tags=ends, asset_selection=chosen, raise_on_error=False)
    return found.execute_in_process(
        instance=instance, partition_key=partition_key(first), asset_selection=chosen, raise_on_error=False
    )
