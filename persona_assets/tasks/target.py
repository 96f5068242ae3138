"""Exact targets: a task that asks for N accepted rows asks more personas until its table has them."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import DEDUPED_PERSONAS
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.steps.runner import Ask, Outcome, Parsed, Reject, StepRunner

REACHED = "target_reached"  # reason under which a persona that was not asked is set aside
WAVE = 65_536  # most questions between two looks at how many rows are still missing


def target_of(settings: Settings, task: Template) -> int | None:
    """The accepted rows that the task's table, all partitions together, is to have; None: as many as there are."""
    return settings.targets.get(task.name, task.target)


def missing_rows(lake: Lake, table: Table, target: int, without: str | None = None) -> int:
    """How many accepted rows the table lacks; the partition `without` counts as empty."""
    return max(0, target - sum(lake.row_count(table, key) for key in lake.keys(table) if key != without))


def is_short(lake: Lake, table: Table, shard: str, target: int | None) -> bool:
    """Whether a partition left personas unasked whose rows the table now lacks, as its target was raised."""
    aside = lake.rejects(table, shard).filter(pl.col("reason") == REACHED).limit(1).collect()
    return not aside.is_empty() and (target is None or missing_rows(lake, table, target) > 0)


def outcomes_to_target(runner: StepRunner, target: int, columns: list[str]) -> Iterator[Outcome]:
    """Outcomes of a shard's personas in the order of their ids, digests, until the table has `target` rows.

    Each wave asks as many as are missing, so that no call is made for a row too many. Personas that are left are set
    aside as `target_reached`. `extra` of the report says how it ended.
    """
    lake, shard, extra = runner.context.lake, runner.shard, runner.report.extra
    missing = missing_rows(lake, runner.step.table, target, without=shard)
    last = ""
    while missing and (rows := personas_behind(lake, shard, columns, last, min(missing, WAVE))):
        for outcome in runner.run(lambda rows=rows: map(persona_ask, rows), len(rows)):  # type: ignore[misc]
            missing -= len(outcome.parsed.rows)
            yield outcome
        last = rows[-1]["persona_id"]
    extra["target"] = target
    extra["ended"] = "personas ended" if missing else "target reached"
    extra["rows missing"] = missing
    for batch in lake.batches(DEDUPED_PERSONAS, shard):
        for persona_id in batch.filter(pl.col("persona_id") > last)["persona_id"]:
            reject = Reject(REACHED, f"not asked: the table has the {target:,} rows asked for")
            yield Outcome(Ask({}, {"persona_id": persona_id}), None, Parsed(rejects=[reject]))


def personas_behind(lake: Lake, shard: str, columns: list[str], last: str, count: int) -> list[dict[str, Any]]:
    """The next `count` personas behind the id `last`."""
    behind = lake.scan(DEDUPED_PERSONAS, [shard]).select(columns).filter(pl.col("persona_id") > last)
    return behind.bottom_k(count, by="persona_id").sort("persona_id").collect(engine="streaming").to_dicts()


def persona_ask(row: dict[str, Any]) -> Ask:
    """A task's question of a persona."""
    return Ask(row, {"persona_id": row["persona_id"]})
