"""What each answer and each score is worth."""

import polars as pl

from persona_assets.evaluation.grades import grades
from persona_assets.evaluation.tables import GRADES, NULLABLE
from persona_assets.tasks.derived import derived
from persona_assets.training import CHECKERS

COLUMNS = {**{name: dtype for name, dtype in GRADES.items() if name != "row_ids"}, "answer_ids": pl.List(pl.String)}


@derived(
    reads=("evaluation_items", "evaluation_answers", "evaluation_scores"),
    columns=COLUMNS,
    description="Whether each answer is right, and how probable each text was: one row for each item, model and seed.",
    cites={"answer_ids": ("evaluation_answers", "evaluation_scores")},
    nullable=NULLABLE,
    modules=(
        *(*CHECKERS, "evaluation.grades", "evaluation.grading", "evaluation.tables"),
        *("maths.compare", "maths.numbers", "maths.solution", "maths.words", "maths.worker"),
    ),
)
def evaluation_grades(items: pl.LazyFrame, answers: pl.LazyFrame, scores: pl.LazyFrame) -> pl.DataFrame:
    """One row for each item, or group of texts, and model; what could not be asked is `unanswered`.

    Items that nobody is asked are set aside, with why.
    """
    parent = pl.col("parent_ids").list.first().alias("row_id")
    told = items.rename({"sample_id": "row_id"}).drop("parent_ids").collect()
    aside = told.drop_nulls("left_out").select(
        parent_ids=pl.concat_list("row_id"), reason="left_out", detail=pl.format("nobody is asked it: {}", "left_out")
    )
    told = told.filter(pl.col("left_out").is_null())
    texts = answers.select(parent, "answer", _answer_id="sample_id").collect()
    scored = scores.select(parent, "logprob", "tokens", _score_id="sample_id").collect()
    joined = told.join(texts, on="row_id", how="left", maintain_order="left")
    joined = joined.join(scored, on="row_id", how="left", maintain_order="left")
    answered = joined.select("row_id", answer_id=pl.coalesce("_answer_id", "_score_id"))
    found = grades(joined)
    ids = (
        found.select("row_ids")
        .with_row_index("_at")
        .explode("row_ids")
        .join(answered, left_on="row_ids", right_on="row_id", how="left", maintain_order="left")
        .group_by("_at", maintain_order=True)
        .agg(answer_ids=pl.col("answer_id").drop_nulls())
    )
    graded = found.with_columns(answer_ids=ids["answer_ids"], parent_ids="row_ids").select("parent_ids", *COLUMNS)
    return pl.concat([graded, aside], how="diagonal")
