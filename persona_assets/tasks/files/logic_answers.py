"""What most of the solutions of a logic problem say; plays on words are explained, and have no vote."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from persona_assets.tasks.derived import derived
from persona_assets.tasks.split import split_of
from persona_assets.votes.ballots import ANSWERED, UNREADABLE
from persona_assets.votes.judged import decide_by_kind, same_answer
from persona_assets.votes.kinds import said_answer
from persona_assets.votes.tables import BALLOT, count_votes, read_ballots


@derived(
    reads=("logic_solutions", "logic_problems", "logic_verdicts"),
    columns={
        "kind": pl.String,
        "answer_kind": pl.String,
        "answer": pl.String,
        "votes": pl.Int64,
        "voters": pl.Int64,
        "consensus": pl.String,
        "stated": pl.String,
        "agrees_with_stated": pl.Boolean,
        "ballots": pl.List(BALLOT),
        "split": pl.String,
    },
    description="The answer to a logic problem on which its independent solutions agree (Persona Hub, section 4.2).",
    nullable=("kind", "answer_kind", "answer", "stated", "agrees_with_stated"),
    set_checks=("no_family_parted",),
    settings=("held_out_share",),
    modules=(
        *("maths.compare", "maths.numbers", "maths.solution", "maths.words", "tasks.split"),
        *("votes.ballots", "votes.judged", "votes.kinds", "votes.plain", "votes.tables"),
    ),
)
def logic_answers(
    solutions: pl.LazyFrame, problems: pl.LazyFrame, verdicts: pl.LazyFrame, held_out_share: float
) -> pl.DataFrame:
    """One row a problem that has a solution; answers of the kind `free` are compared as the verdicts say."""
    ballots = read_ballots(solutions, _read)
    own = solutions.select("document_id", problem=pl.col("parent_ids").list.first()).unique("problem", keep="any")
    about = problems.select(
        "language", "kind", "answer_kind", problem="sample_id", text="problem", stated="answer"
    ).join(_judged(ballots, verdicts).lazy(), on="problem", how="left")
    beside = own.join(about, on="problem", how="left").collect()
    rows = count_votes(ballots, decide_by_kind, beside).join(beside, on="problem", how="left", maintain_order="left")
    agrees = [_agrees(row) for row in rows.iter_rows(named=True)]
    return rows.with_columns(
        pl.Series("agrees_with_stated", agrees, dtype=pl.Boolean()),
        split_of(rows["document_id"], held_out_share),
    ).drop("problem", "document_id", "language", "text", "judged")


def _read(part: pl.DataFrame) -> Sequence[tuple[str, str]]:
    found = (said_answer(answer, text) for answer, text in part.select("answer", "solution").iter_rows())
    return [(answer, ANSWERED if answer else UNREADABLE) for answer in found]


def _judged(ballots: pl.DataFrame, verdicts: pl.LazyFrame) -> pl.DataFrame:
    """For each problem pairs of answers that mean the same, as the verdicts on its solutions say."""
    pairs = verdicts.select(sample_id=pl.col("parent_ids").list.first(), other_id="same_as").collect()
    answers = ballots.select("sample_id", "problem", one="answer")
    others = answers.select(other_id="sample_id", other="one")
    joined = answers.join(pairs, on="sample_id").join(others, on="other_id").drop_nulls()
    return joined.group_by("problem").agg(judged=pl.struct("one", "other").unique().sort())


def _agrees(row: Mapping[str, Any]) -> bool | None:
    """Whether the winner is the answer that came with the problem, where both are there and rules can tell."""
    return same_answer(row["answer"], row["stated"], row) if row["answer"] and row["stated"] else None
