"""The job `plan`: what a backfill would take, in a run of its own that makes nothing."""

import dagster as dg
from pydantic import Field

from persona_assets.defs.pipeline import Pipeline
from persona_assets.engines.select import Engines
from persona_assets.plan import report
from persona_assets.plan.plan import Scope, make_plan
from persona_assets.steps.runner import Context
from persona_assets.view import blocks as view
from persona_assets.view.markdown import render


class PlanConfig(dg.Config):
    """What to plan; empty lists are everything."""

    dumps: list[str] = Field(default_factory=list, description="Dumps to plan for")
    shards: list[str] = Field(default_factory=list, description="Shards (partitions) to plan for")
    assets: list[str] = Field(default_factory=list, description="Assets to plan for")
    everything: bool = Field(False, description="Whether to plan again what is materialised already")
    tokens_per_second: float = Field(
        0.0,
        ge=0,
        description="Answer tokens a second of all GPUs together, for GPU-hours; 0: as in the last day's calls",
    )
    gpus: float = Field(0.0, ge=0, description="GPUs that give this throughput; 0: those of the settings")


@dg.op(name="estimate", out=dg.Out(dg.Nothing, description="Nothing is made; the figures are in the metadata."))
def plan_op(context: dg.OpExecutionContext, config: PlanConfig, pipeline: Pipeline) -> None:
    """Calls, tokens, money, GPU-hours, disk and accepted rows of a backfill, as a table and bars in the metadata."""
    scope = Scope(tuple(config.dumps), tuple(config.shards), tuple(config.assets), config.everything)
    lake = pipeline.lake
    engines = Engines(lake)
    try:
        asked = Context(lake, pipeline.settings, engines, context.run_id)
        plan = make_plan(asked, scope, tokens_per_second=config.tokens_per_second or None, gpus=config.gpus or None)
    finally:
        engines.close()
    table, (unit, bars) = render(report.table(plan)), report.bars(plan)
    told = [*report.token_lines(plan), *(cap.line for cap in plan.caps), *report.held_lines(plan.held), *plan.notes]
    context.log.info("what the run would take:\n" + "\n".join([table, *told]))
    context.add_output_metadata(
        {
            "plan": dg.MetadataValue.md(table),
            f"{unit} by asset": dg.MetadataValue.md(render(view.Legend([*report.KINDS.values()]), bars)),
            "notes": dg.MetadataValue.md(render(view.Lines([view.Code(line) for line in told])) or "none"),
            "new calls": round(plan.total("calls").value),
            "calls reused": int(plan.sum("reused")),
            "tokens in": round(plan.sum("tokens_in")),
            "tokens out": round(plan.sum("tokens_out")),
            "cost": round(plan.sum("cost"), 6),
        }
    )


@dg.job(
    name="plan",
    executor_def=dg.in_process_executor,
    description="What a backfill would take: calls new and reused, tokens, money, GPU-hours, disk, accepted rows. "
    "Asks no model and materialises nothing; the figures are in the metadata of the run's one step.",
)
def plan() -> None:
    """Plan, and do nothing else."""
    plan_op()
