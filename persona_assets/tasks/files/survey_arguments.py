"""What respondents are shown before they answer a second time."""

import polars as pl

from persona_assets.surveys.others import ARGUMENT, SHOWN_SHARE, others_for, percents
from persona_assets.surveys.respondents import OPTION
from persona_assets.surveys.survey import survey_of
from persona_assets.tasks.derived import derived

_ASKED = ("question", "announcement", "options")


@derived(
    reads=("survey_answers", "survey_respondents", "survey_files"),
    columns={
        "respondent_id": pl.String,
        "question": pl.String,
        "announcement": pl.String,
        "options": pl.List(OPTION),
        "first_choice": pl.String,
        "first_reason": pl.String,
        "shares": pl.List(SHOWN_SHARE),
        "arguments": pl.List(ARGUMENT),
    },
    description="The shares of the first round, and reasons of others, that respondents see before they answer again.",
    cites={"respondent_id": "survey_respondents"},
    nullable=("announcement", "first_choice"),
    modules=("draws", "surveys.others", "prompts.data_rows", "surveys.survey"),
)
def survey_arguments(answers: pl.LazyFrame, respondents: pl.LazyFrame, surveys: pl.LazyFrame) -> pl.DataFrame:
    """One row an answer; the answers whose reasons are shown are parents of it too.

    Where a survey has no second round, its answers are set aside as `not_selected`.
    """
    found = survey_of(surveys.collect())
    shows = found[1].second_round if found else ()
    own = answers.select("sample_id", "choice", "reason", respondent_id=pl.col("parent_ids").list.first())
    asked = respondents.select("language", *_ASKED, respondent_id="sample_id")
    rows = own.join(asked, on="respondent_id").sort("sample_id").collect()
    others = others_for(rows, found[1].seed if found else 0, arguments="arguments" in shows)
    shares = percents(rows, found[1] if found and "shares" in shows else None)
    no_round = "the survey has no second round"
    return rows.select(
        "respondent_id",
        *_ASKED,
        others["arguments"],
        parent_ids=pl.concat_list(pl.concat_list("sample_id"), others["other_ids"]),
        first_choice="choice",
        first_reason="reason",
        shares=pl.lit(shares),
        reason=pl.lit(None if shows else "not_selected", pl.String()),
        detail=pl.lit(None if shows else no_round, pl.String()),
    )
