"""What a survey came to."""

import polars as pl

from persona_assets.surveys.page import results_shown
from persona_assets.surveys.results import COLUMNS, NULLABLE, counted
from persona_assets.surveys.survey import survey_of
from persona_assets.tasks.derived import derived

_IDS = pl.List(pl.String)


@derived(
    reads=(
        *("survey_respondents", "survey_answers", "survey_second_answers", "survey_arguments"),
        *("survey_files", "persona_attributes"),
    ),
    columns={**COLUMNS, "answer_ids": _IDS, "second_answer_ids": _IDS},
    description="The share of each option with its 95 % interval, for all and by attribute; weighted to given margins, "
    "and compared with a real survey, where the file names them.",
    cites={"answer_ids": "survey_answers", "second_answer_ids": "survey_second_answers"},
    nullable=NULLABLE,
    modules=("draws", "surveys.results", "surveys.shares", "prompts.data_rows", "surveys.survey"),
    shows=results_shown,
)
def survey_results(
    respondents: pl.LazyFrame,
    answers: pl.LazyFrame,
    second: pl.LazyFrame,
    shown: pl.LazyFrame,
    surveys: pl.LazyFrame,
    attributes: pl.LazyFrame,
) -> pl.DataFrame:
    """A row for each round, group and option; its parents are the respondents of the group.

    The intervals cover sampling only.
    """
    found = survey_of(surveys.collect())
    if found is None:
        return pl.DataFrame(schema=survey_results.schema)
    file, survey = found
    named = [name for name in survey.groups if name != "language"]
    known = attributes.select(*named, attributes_id="sample_id")
    people = respondents.select("sample_id", "language", "attributes_id").join(known, on="attributes_id", how="left")
    whose = shown.select(shown_id="sample_id", respondent="respondent_id")
    rounds = [_answers(answers).rename({"above": "respondent"})]
    if survey.second_round:
        rounds.append(_answers(second).join(whose, left_on="above", right_on="shown_id").drop("above"))
    rows = []
    for number, given in enumerate(rounds, 1):
        there = people.join(given, left_on="sample_id", right_on="respondent", how="left").sort("sample_id").collect()
        own, other = ("answer_ids", "second_answer_ids") if number == 1 else ("second_answer_ids", "answer_ids")
        rows += [{**row, own: row.pop("answer_ids"), other: []} for row in counted(survey, file, there, number)]
    return pl.DataFrame(rows, schema=survey_results.schema)


def _answers(answers: pl.LazyFrame) -> pl.LazyFrame:
    return answers.select("choice", answer_id="sample_id", above=pl.col("parent_ids").list.first())
