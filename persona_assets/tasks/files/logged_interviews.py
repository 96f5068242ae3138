"""Interviews with characters that others logged."""

import polars as pl

from persona_assets.characters.logs import COLUMNS, NULLABLE, TEXTS, interviews_of
from persona_assets.characters.page import logged_shown
from persona_assets.tasks.derived import data_files, derived


@derived(
    reads=data_files("interview_logs/**/*", table="interview_logs", texts=TEXTS),
    columns=COLUMNS,
    description="Interviews with characters as others logged them, single or in turns; what a system wrote for others, "
    "or only thought, is flagged (Character-LLM).",
    nullable=NULLABLE,
    modules=("characters.logs",),
    per_row=lambda _: 1.0,
    shows=logged_shown,
)
def logged_interviews(logs: pl.LazyFrame) -> pl.DataFrame:
    """One row for each interview."""
    return interviews_of(logs.collect())
