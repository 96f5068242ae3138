"""Maths problems with a solution that ends in the answer on which solutions agree (Persona Hub, section 4.1)."""

import polars as pl

from persona_assets.tasks.derived import derived

_WORDS_FIRST = {"chain_of_thought": 0}  # a solution in words comes before a program


@derived(
    reads=("math_answers", "math_solutions", "math_problems"),
    columns={
        "problem_id": pl.String,
        "solution_id": pl.String,
        "problem": pl.String,
        "solution": pl.String,
        "method": pl.String,
        "answer": pl.String,
        "split": pl.String,
    },
    description="Maths problems with a solution that gives the answer most solutions agree on: what is trained on.",
    cites={"problem_id": "math_problems", "solution_id": "math_solutions"},
    nullable=("method",),
    set_checks=("no_family_parted",),
    per_row=lambda rows: 1.0,
)
def solved_problems(answers: pl.LazyFrame, solutions: pl.LazyFrame, problems: pl.LazyFrame) -> pl.DataFrame:
    """One row for each answer that was agreed on; the others are set aside."""
    told = answers.select("sample_id", "answer", "consensus", "ballots", "split").collect()
    ballots = (
        told.drop_nulls("answer")
        .select("sample_id", "answer", "ballots")
        .explode("ballots")
        .select(
            "sample_id",
            solution_id=pl.col("ballots").struct.field("sample_id"),
            method=pl.col("ballots").struct.field("method"),
            attempt=pl.col("ballots").struct.field("attempt"),
            gives=pl.col("ballots").struct.field("answer") == pl.col("answer"),
        )
        .filter("gives")
        .sort(
            "sample_id",
            pl.col("method").replace_strict(_WORDS_FIRST, default=1, return_dtype=pl.Int64),
            "attempt",
            "solution_id",
        )
        .unique("sample_id", keep="first", maintain_order=True)
    )
    texts = solutions.select(
        "solution", solution_id="sample_id", problem_id=pl.col("parent_ids").list.first()
    ).collect()
    asked = problems.select("problem", problem_id="sample_id").collect()
    found = (
        told.join(ballots.drop("attempt", "gives"), on="sample_id", how="left", maintain_order="left")
        .join(texts, on="solution_id", how="left", maintain_order="left")
        .join(asked, on="problem_id", how="left", maintain_order="left")
    )
    lacks = pl.col("solution_id").is_null()
    return found.select(
        pl.concat_list("sample_id").alias("parent_ids"),
        *("problem_id", "solution_id", "problem", "solution", "method", "answer", "split"),
        reason=pl.when(lacks).then(pl.lit("no_agreement")),
        detail=pl.when(lacks).then(pl.format("its solutions: {}", "consensus")),
    )
