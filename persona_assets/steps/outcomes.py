"""Outcomes to tables: the rows of a step with their call and run columns, and what was set aside."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from persona_assets.lake.schemas import CALL_COLUMNS, REJECTED, RUN_COLUMNS
from persona_assets.steps.model import Outcome, Reject, Step

_GIVEN = frozenset((*(column.name for column in (*CALL_COLUMNS, *RUN_COLUMNS)), "call_ids"))


def outcome_frames(
    step: Step, outcomes: Sequence[Outcome], shard: str, run_id: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows (of the step's table) and rejects (of `REJECTED`) with their call and run columns."""
    run = {
        "shard": pl.lit(shard),
        "run_id": pl.lit(run_id),
        "created_at": pl.lit(datetime.now(UTC), pl.Datetime("us", "UTC")),
    }
    by_row = [(outcome, row) for outcome in outcomes if outcome.call for row in outcome.parsed.rows]
    answered = [(outcome.call, row) for outcome, row in by_row if outcome.call]
    content = {name: dtype for name, dtype in step.table.polars.items() if name not in _GIVEN}
    rows = pl.DataFrame(
        [pl.Series(name, [row[name] for _, row in answered], dtype) for name, dtype in content.items()]
        + [
            pl.Series("call_id", [call.call_id for call, _ in answered], pl.String()),
            pl.Series("model", [call.model for call, _ in answered], pl.String()),
        ]
        + ([_call_ids([outcome for outcome, _ in by_row])] if "call_ids" in step.table.polars else [])
    ).with_columns(
        template=pl.lit(step.template.name), template_version=pl.lit(step.template.version, pl.Int32()), **run
    )
    found = [(outcome, reject) for outcome in outcomes for reject in _rejects(outcome)]
    cells: dict[str, list[str | None]] = {
        "row_id": [reject.row_id or outcome.ask.question_id for outcome, reject in found],
        "parent_id": [reject.parent_id or outcome.ask.parent_id for outcome, reject in found],
        "reason": [reject.reason for _, reject in found],
        "detail": [reject.detail for _, reject in found],
        "call_id": [outcome.call.call_id if outcome.call else None for outcome, _ in found],
    }
    rejects = pl.DataFrame([pl.Series(name, values, pl.String()) for name, values in cells.items()]).with_columns(
        asset=pl.lit(step.table.name), file=pl.lit(None, pl.String()), record_offset=pl.lit(None, pl.Int64()), **run
    )
    return rows.select(step.table.polars.names()), rejects.select(REJECTED.polars.names())


def _call_ids(outcomes: Sequence[Outcome]) -> pl.Series:
    """The calls of all turns that each row came from."""
    calls = [[*outcome.before, outcome.call] for outcome in outcomes]
    return pl.Series("call_ids", [[call.call_id for call in of if call] for of in calls], pl.List(pl.String()))


def _rejects(outcome: Outcome) -> list[Reject]:
    """What an outcome refuses; where that is all, and only parts of the answer, the question as a whole too.

    Where each of several rows gets an answer of its own, the question as a whole is all of these.
    """
    rejects = outcome.parsed.rejects
    if items := outcome.ask.items:
        rows = [(item, row_id) for item, (_, row_id) in zip(items, outcome.ask.about, strict=True)]
        return [
            one
            for reject in rejects
            for one in ([reject] if reject.row_id else [replace(reject, row_id=i, parent_id=r) for i, r in rows])
        ]
    if not outcome.parsed.rows and all(reject.row_id for reject in rejects):
        return [*rejects, Reject("nothing_left", f"none of {len(rejects)} parts of the answer was kept")]
    return rejects
