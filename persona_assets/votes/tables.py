"""Ballots of many problems as a table, and what they come to."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import polars as pl

from persona_assets.ids import digest
from persona_assets.votes.ballots import ANSWERED, REPEATED, Verdict

ROWS = 4096  # solutions whose texts are held at once
BALLOT = pl.Struct(
    {
        "sample_id": pl.String(),
        "method": pl.String(),
        "attempt": pl.Int32(),
        "answer": pl.String(),
        "outcome": pl.String(),
    }
)
VERDICT: Mapping[str, pl.DataType] = {
    "answer": pl.String(),
    "votes": pl.Int64(),
    "voters": pl.Int64(),
    "consensus": pl.String(),
}
Read = Callable[[pl.DataFrame], Sequence[tuple[str, str]]]
Decide = Callable[[Sequence[str], Mapping[str, object]], Verdict]


def slices(solutions: pl.LazyFrame, rows: int = ROWS) -> Iterator[pl.DataFrame]:
    """The rows of a table in their order, some at a time."""
    count = int(solutions.select(pl.len()).collect().item())
    for start in range(0, count, rows):
        yield solutions.slice(start, rows).collect()


def read_ballots(solutions: pl.LazyFrame, read: Read) -> pl.DataFrame:
    """One row a solution: `problem` (the id of its problem), and the columns of a ballot.

    `read` gives for some rows each one's answer, "" where there is none, and its outcome. A solution whose text another
    one of the same problem has, but for spaces, is `repeated`: the first by method and attempt counts.
    """
    wanted = solutions.select(
        "sample_id", "language", "solution", "answer", "attempt", *_given(solutions), problem=_problem()
    )
    found = [_ballots(part, read) for part in slices(wanted)]
    empty = pl.DataFrame(schema={"problem": pl.String(), "text": pl.String(), **dict(BALLOT.to_schema())})
    ballots = pl.concat([empty, *found]).sort("problem", "method", "attempt", "sample_id", nulls_last=True)
    again = ~pl.struct("problem", "text").is_first_distinct()
    return ballots.with_columns(
        outcome=pl.when(again).then(pl.lit(REPEATED)).otherwise("outcome"),
    ).drop("text")


def _given(solutions: pl.LazyFrame) -> list[pl.Expr]:
    """The column `method`; null in a table that has none."""
    there = "method" in solutions.collect_schema().names()
    return [pl.col("method") if there else pl.lit(None, pl.String()).alias("method")]


def _problem() -> pl.Expr:
    return pl.col("parent_ids").list.first()


def _ballots(part: pl.DataFrame, read: Read) -> pl.DataFrame:
    read_as = list(read(part))
    texts = [digest(" ".join(text.split()).encode()) for text in part["solution"]]
    return part.select(
        "problem",
        pl.Series("text", texts, dtype=pl.String()),
        "sample_id",
        "method",
        pl.col("attempt").cast(pl.Int32()),
        pl.Series("answer", [answer or None for answer, _ in read_as], dtype=pl.String()),
        pl.Series("outcome", [outcome for _, outcome in read_as], dtype=pl.String()),
    )


def count_votes(ballots: pl.DataFrame, decide: Decide, beside: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row a problem: `problem`, `parent_ids`, `ballots`, and its verdict.

    `decide` is given the answers that count, in the order of the ballots, and the problem's row of `beside`, which has
    the column `problem`; a problem that it lacks gets an empty row.
    """
    names = list(BALLOT.to_schema())
    problems = ballots.group_by("problem", maintain_order=True).agg(
        parent_ids=pl.col("sample_id").sort(),
        ballots=pl.struct(names),
        counted=pl.col("answer").filter(pl.col("outcome") == ANSWERED),
    )
    rows = {} if beside is None else {str(row["problem"]): row for row in beside.iter_rows(named=True)}
    verdicts = [
        decide(answers, rows.get(problem, {})) for problem, answers in problems.select("problem", "counted").iter_rows()
    ]
    told = [{name: getattr(one, name) for name in VERDICT} for one in verdicts]
    return pl.concat([problems.drop("counted"), pl.DataFrame(told, schema=dict(VERDICT))], how="horizontal")
