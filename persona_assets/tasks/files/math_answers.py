"""What most of the solutions of a maths problem say (Persona Hub, section 4.1)."""

from collections.abc import Mapping, Sequence

import polars as pl

from persona_assets.contained import MODULES
from persona_assets.contained.pool import Contained
from persona_assets.maths.compare import Comparer
from persona_assets.tasks.derived import derived
from persona_assets.tasks.split import split_of
from persona_assets.votes.ballots import ANSWERED, UNREADABLE, Verdict, decide
from persona_assets.votes.formulas import SameFormula
from persona_assets.votes.plain import plain_answer, solved_answer
from persona_assets.votes.programs import MEGABYTES, SECONDS, run_programs
from persona_assets.votes.tables import BALLOT, count_votes, read_ballots

PROGRAM = "program_of_thought"


@derived(
    reads=("math_solutions", "math_problems"),
    columns={
        "answer": pl.String,
        "votes": pl.Int64,
        "voters": pl.Int64,
        "consensus": pl.String,
        "stated": pl.String,
        "agrees_with_stated": pl.Boolean,
        "ballots": pl.List(BALLOT),
        "split": pl.String,
    },
    description="The answer to a maths problem on which its independent solutions agree (Persona Hub, section 4.1).",
    nullable=("answer", "stated", "agrees_with_stated"),
    set_checks=("no_family_parted",),
    settings=("held_out_share",),
    modules=(
        *MODULES,
        *("maths.compare", "maths.numbers", "maths.solution", "maths.words", "maths.worker"),
        *("tasks.split", "votes.ballots", "votes.formulas", "votes.plain", "votes.programs", "votes.tables"),
    ),
)
def math_answers(solutions: pl.LazyFrame, problems: pl.LazyFrame, held_out_share: float) -> pl.DataFrame:
    """One row a problem that has a solution; a program is run, of other solutions the answer is read."""
    with Contained(seconds=SECONDS, megabytes=MEGABYTES) as contained:
        ballots = read_ballots(solutions, lambda part: _read(part, contained))
    pages = solutions.select("document_id", problem=pl.col("parent_ids").list.first()).unique("problem", keep="any")
    about = problems.select("language", problem="sample_id", stated="answer")
    beside = pages.join(about, on="problem", how="left").collect()
    with Comparer() as comparer:
        same = SameFormula(comparer)
        counted = count_votes(ballots, lambda answers, _: _decided(answers, same))
        rows = counted.join(beside, on="problem", how="left", maintain_order="left")
        agrees = [_agrees(row, same) for row in rows.select("answer", "stated", "language").iter_rows(named=True)]
    return rows.with_columns(
        pl.Series("agrees_with_stated", agrees, dtype=pl.Boolean()),
        split_of(rows["document_id"], held_out_share),
    ).drop("problem", "document_id", "language")


def _read(part: pl.DataFrame, contained: Contained) -> Sequence[tuple[str, str]]:
    """The answers of some solutions, and how each came to be; programs of one text are run once."""
    texts = list(dict.fromkeys(part.filter(pl.col("method") == PROGRAM)["solution"]))
    printed = dict(zip(texts, run_programs(texts, contained), strict=True))
    found = []
    for row in part.iter_rows(named=True):
        if row["method"] == PROGRAM:
            found.append(printed[row["solution"]])
        else:
            answer = solved_answer(row["answer"], row["solution"], row["language"])
            found.append((answer, ANSWERED if answer else UNREADABLE))
    return found


def _decided(answers: Sequence[str], same: SameFormula) -> Verdict:
    same.begin()
    return decide(answers, same)


def _agrees(row: Mapping[str, str | None], same: SameFormula) -> bool | None:
    """Whether the winner is the answer that came with the problem; None where one of them is missing."""
    stated = plain_answer(row["stated"] or "", row["language"] or "en")
    if not row["answer"] or not stated:
        return None
    same.begin()
    return same(row["answer"], stated)
