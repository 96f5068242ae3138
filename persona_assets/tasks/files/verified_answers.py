"""Answers with what a program found of them: whether they keep to the constraints that go with their instruction."""

from typing import Any

import polars as pl

from persona_assets.constraints.checkers import failed
from persona_assets.constraints.constraint import from_json
from persona_assets.tasks.derived import derived


@derived(
    reads=("constrained_answers", "constrained_instructions", "instruction_constraints"),
    columns={
        "instruction_id": pl.String,
        "instruction": pl.String,
        "constraints": pl.String,
        "asked": pl.String,
        "attempt": pl.Int64,
        "answer": pl.String,
        "passes": pl.Boolean,
        "failed": pl.List(pl.String),
    },
    description="Answers checked by program: whether each constraint holds, and what was seen where one does not.",
    cites={"instruction_id": "constrained_instructions"},
    modules=(
        *("constraints.blocks", "constraints.check_format", "constraints.check_length", "constraints.check_words"),
        *("constraints.checked", "constraints.checkers", "constraints.constraint", "constraints.kinds"),
        *("constraints.sentences", "constraints.words", "text.language"),
    ),
)
def verified_answers(answers: pl.LazyFrame, messages: pl.LazyFrame, drawn: pl.LazyFrame) -> pl.DataFrame:
    """One row an answer; those to the relaxed request are held to the same constraints.

    An answer whose constraints are gone is set aside as `no_constraints`.
    """
    told = messages.select("instruction", instruction_id="sample_id", drawn_id=pl.col("parent_ids").list.first()).join(
        drawn.select("constraints", drawn_id="sample_id", request="instruction"), on="drawn_id", how="left"
    )
    rows = (
        answers.select(
            *("sample_id", "language", "asked", "answer", pl.col("attempt").cast(pl.Int64)),
            instruction_id=pl.col("parent_ids").list.first(),
        )
        .join(told, on="instruction_id", how="left")
        .sort("sample_id")
        .collect()
    )
    found = [_failed(row) for row in rows.iter_rows(named=True)]
    return rows.with_columns(pl.Series("failed", found, dtype=pl.List(pl.String))).select(
        *("instruction_id", "instruction", "constraints", "asked", "attempt", "answer", "failed"),
        parent_ids=pl.concat_list("sample_id"),
        passes=pl.col("failed").list.len() == 0,
        reason=pl.when(pl.col("constraints").is_null()).then(pl.lit("no_constraints")),
        detail=pl.lit("the constraints that it is held to are not there"),
    )


def _failed(row: dict[str, Any]) -> list[str]:
    if row["constraints"] is None:
        return []
    return failed(from_json(row["constraints"]), row["answer"], row["language"], row["request"])
