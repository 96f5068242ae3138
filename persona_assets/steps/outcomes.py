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
    """Rows (of the step's table) and rejects (of `REJECTED`) with their call and run columns.

    Rows of an outcome that no call was made for have null call columns.
    """
    run = {
        "shard": pl.lit(shard),
        "run_id": pl.lit(run_id),
        "created_at": pl.lit(datetime.now(UTC), pl.Datetime("us", "UTC")),
    }
    answered = [(outcome, row) for outcome in outcomes for row in outcome.parsed.rows]
    calls = [outcome.call for outcome, _ in answered]
    content = {name: dtype for name, dtype in step.table.polars.items() if name not in _GIVEN}
    rows = pl.DataFrame(
        [pl.Series(name, [row[name] for _, row in answered], dtype) for name, dtype in content.items()]
        + [
            pl.Series("call_id", [call.call_id if call else None for call in calls], pl.String()),
            pl.Series("model", [call.model if call else None for call in calls], pl.String()),
        ]
        + ([_call_ids([outcome for outcome, _ in answered])] if "call_ids" in step.table.polars else [])
    ).with_columns(
        template=_if_called(step.template.name, pl.String()),
        template_version=_if_called(step.template.version, pl.Int32()),
        **run,
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


def _if_called(value: str | int, dtype: pl.DataType) -> pl.Expr:
    """A value of rows that came out of a call, null of others."""
    return pl.when(pl.col("call_id").is_not_null()).then(pl.lit(value, dtype))


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
