"""New crawl files become shards; what is downstream follows. Sensors start stopped: materialising costs money."""

import time
from collections.abc import Sequence

import dagster as dg

from persona_assets.crawl.arrival import Arrival, plan_shards
from persona_assets.crawl.shards import registered_shards
from persona_assets.dedup.seals import sealed_dumps
from persona_assets.defs.partitions import DUMPS, SHARDS, register, unregistered
from persona_assets.defs.pipeline import Pipeline
from persona_assets.lake.store import dump_of

RAW = dg.AssetSelection.assets("raw_documents")


def scan(pipeline: Pipeline) -> Arrival:
    """Group settled new files into shards and write their manifests to the lake."""
    return plan_shards(pipeline.lake, pipeline.settings, time.time(), sealed_dumps(pipeline.lake))


def requests_for(shards: Sequence[str]) -> list[dg.RunRequest]:
    """One ingestion run per shard; the run key keeps a shard from being asked for twice."""
    return [
        dg.RunRequest(run_key=f"ingest-{shard}", partition_key=shard, asset_selection=[dg.AssetKey("raw_documents")])
        for shard in shards
    ]


@dg.sensor(
    target=RAW,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Groups new files under PERSONA_DUMPS into shards once they have stopped growing, and ingests them.",
)
def new_crawl_dumps(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.SensorResult | dg.SkipReason:
    """Diffs the lake's shard manifests against the registered partitions, so a lost tick loses nothing."""
    arrivals = scan(pipeline)
    for warning in arrivals.warnings:
        context.log.warning(warning)
    known = [shard.shard for shard in registered_shards(pipeline.lake)]
    new = unregistered(context.instance, SHARDS, known)[: pipeline.settings.max_shards_per_tick]
    if not new:
        return dg.SkipReason(f"no new settled files under {pipeline.settings.dumps}")
    additions = [SHARDS.build_add_request(new)]
    dumps = unregistered(context.instance, DUMPS, map(dump_of, new))
    if dumps:
        additions.append(DUMPS.build_add_request(dumps))
    return dg.SensorResult(run_requests=requests_for(new), dynamic_partitions_requests=additions)


@dg.schedule(
    target=RAW,
    cron_schedule="0 5 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Once a day, what new_crawl_dumps does, for places where sensors stay off.",
)
def daily_crawl_scan(context: dg.ScheduleEvaluationContext, pipeline: Pipeline) -> list[dg.RunRequest] | dg.SkipReason:
    """Registers what has arrived since yesterday and asks for its ingestion."""
    scan(pipeline)
    known = [shard.shard for shard in registered_shards(pipeline.lake)]
    new = register(context.instance, known)
    return requests_for(new) or dg.SkipReason(f"no new settled files under {pipeline.settings.dumps}")


follow_new_data = dg.AutomationConditionSensorDefinition(
    "follow_new_data",
    target=dg.AssetSelection.all(),
    use_user_code_server=True,  # where the shard-to-dump mapping is known
    default_status=dg.DefaultSensorStatus.STOPPED,
    minimum_interval_seconds=30,
    description="Materialises whatever is downstream of new data, once the gates of what it depends on have passed.",
)
