"""What answers to situations come to once judges have placed them, and whether it is what was said of oneself."""

from typing import Any

import polars as pl

from persona_assets.questionnaires.scores import ANSWERS, ITEMS, OPEN, scored

NOT_JUDGED = "no judge was asked"
NOT_CALIBRATED = "the judge is not calibrated"
SCORES: dict[str, Any] = {
    "system": pl.String,
    "language": pl.String,
    "judge": pl.String,
    "standing": pl.String,
    "dimension": pl.String,
    "place": pl.Int64,
    "first_pole": pl.String,
    "second_pole": pl.String,
    "score": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "letter": pl.String,
    "margin": pl.Float64,
    "open_because": pl.String,
    "situations": pl.Int64,
    "asked": pl.Int64,
    "unplaced": pl.Int64,
}
NULLABLE = ("judge", "score", "low", "high", "open_because")
CALIBRATED = "calibrated"
_VERDICTS = {"answer_id": pl.String, "judge": pl.String, "standing": pl.String, "value": pl.Float64}


def placed(answers: pl.DataFrame, situations: pl.DataFrame, verdicts: pl.DataFrame | None) -> pl.DataFrame:
    """A row for each system, language, dimension and judge: where its answers stand on average, with a 99 % interval.

    `answers` has `answer_id`, `system`, `language`, `run` and `situation`; `situations` the columns of
    `situations.COLUMNS`; `verdicts` those of `_VERDICTS`, each `value` from -1, the first pole, to 1, the second, or
    null; None: no judge was asked. An answer without a value is not placed. A letter needs a judge that is calibrated.
    Beside the columns of `SCORES` there are the `answer_ids`.
    """
    said = pl.DataFrame(schema=_VERDICTS) if verdicts is None else verdicts
    judges = [*said.select("judge", "standing").unique().sort("judge").iter_rows()] or [(None, NOT_JUDGED)]
    items = situations.rename({"situation": "item"}).with_columns(toward=pl.lit(1, pl.Int64)).select(*ITEMS)
    parts = [_of_judge(answers, items, said, judge, standing) for judge, standing in judges]
    return pl.concat([pl.DataFrame(schema=SCORES | {"answer_ids": pl.List(pl.String)}), *parts])


def _of_judge(
    answers: pl.DataFrame, items: pl.DataFrame, verdicts: pl.DataFrame, judge: str | None, standing: str
) -> pl.DataFrame:
    own = verdicts.filter(pl.col("judge").eq_missing(pl.lit(judge))).select("answer_id", "value")
    sheet = answers.join(own, on="answer_id", how="left").with_columns(
        item="situation", scale=pl.lit("rising"), answer_ids=pl.concat_list("answer_id")
    )
    found = scored(sheet.select(pl.col(name).cast(dtype) for name, dtype in ANSWERS.items()), items, one_way=True)
    counts = standing == CALIBRATED
    why = None if counts else NOT_JUDGED if judge is None else NOT_CALIBRATED
    return (
        found.filter(pl.col("run").is_null())
        .with_columns(
            judge=pl.lit(judge, pl.String),
            standing=pl.lit(standing),
            situations="items",
            unplaced=pl.col("refused") + pl.col("unreadable"),
            letter="letter" if counts else pl.lit(OPEN),
            margin="margin" if counts else pl.lit(0.0),
            open_because="open_because" if counts else pl.lit(why),
        )
        .select(*SCORES, "answer_ids")
    )


AGREE, DIFFER, UNCLEAR = "agree", "differ", "open"
AGREEMENT: dict[str, Any] = {
    "system": pl.String,
    "language": pl.String,
    "questionnaire": pl.String,
    "judge": pl.String,
    "dimension": pl.String,
    "said_letter": pl.String,
    "shown_letter": pl.String,
    "outcome": pl.String,
    "said": pl.Float64,
    "shown": pl.Float64,
    "apart": pl.Float64,
}
AGREEMENT_NULLABLE = ("judge", "said", "shown", "apart")


def agreement_of(behaviour: pl.DataFrame, questionnaires: pl.DataFrame) -> pl.DataFrame:
    """By system, language, questionnaire and dimension whether what it says of itself is what it shows.

    `behaviour` are rows of situations' scores, `questionnaires` those of questionnaires with the `questionnaire`, both
    with their `sample_id`. They are about the same dimension where its name and its poles are the same. `outcome` is
    `agree` or `differ`, and `open` where one of the letters is. Beside the columns of `AGREEMENT` there are
    `behaviour_id` and `said_id`.
    """
    of = ("system", "language", "dimension", "first_pole", "second_pole")
    said = questionnaires.filter(pl.col("run").is_null()).select(
        *of, "questionnaire", said_id="sample_id", said="score", said_letter="letter"
    )
    shown = behaviour.select(*of, "judge", behaviour_id="sample_id", shown="score", shown_letter="letter")
    both_clear = (pl.col("said_letter") != OPEN) & (pl.col("shown_letter") != OPEN)
    same = pl.when(pl.col("said_letter") == pl.col("shown_letter")).then(pl.lit(AGREE)).otherwise(pl.lit(DIFFER))
    return (
        shown.join(said, on=of)
        .with_columns(
            outcome=pl.when(both_clear).then(same).otherwise(pl.lit(UNCLEAR)),
            apart=(pl.col("said") - pl.col("shown")).abs(),
        )
        .sort("system", "language", "questionnaire", "dimension", "judge")
        .select(*AGREEMENT, "behaviour_id", "said_id")
    )
