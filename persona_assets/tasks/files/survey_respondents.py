"""Who is asked in a survey."""

import polars as pl

from persona_assets.surveys.respondents import OPTION, drawn, options_for
from persona_assets.surveys.survey import survey_of
from persona_assets.tasks.derived import data_files, derived

_TEXTS = ("question", "announcement", "product", "options", "where", "strata", "by", "margins", "second_round", "real")


@derived(
    reads=(data_files("surveys/*.yaml", table="survey_files", texts=_TEXTS), "persona_attributes", "deduped_personas"),
    columns={
        "persona_ids": pl.List(pl.String),
        "attributes_id": pl.String,
        "language": pl.String,
        "stratum": pl.String,
        "question": pl.String,
        "announcement": pl.String,
        "product": pl.String,
        "options": pl.List(OPTION),
    },
    description="The personas that are asked in a survey, each with the options in an order of its own (Persona Hub, "
    "section 5).",
    cites={"persona_ids": "deduped_personas", "attributes_id": "persona_attributes"},
    nullable=("stratum", "announcement", "product"),
    modules=("draws", "ids", "surveys.respondents", "prompts.data_rows", "surveys.survey"),
)
def survey_respondents(surveys: pl.LazyFrame, attributes: pl.LazyFrame, _personas: pl.LazyFrame) -> pl.DataFrame:
    """One row a respondent; they are drawn from the personas whose attributes are known."""
    rows = surveys.collect()
    found = survey_of(rows)
    if found is None:
        return pl.DataFrame(schema=survey_respondents.schema)
    file, survey = found
    people = drawn(survey, file, attributes)
    texts = {
        name: pl.col("language").replace_strict(of, default=None, return_dtype=pl.String)
        for name in ("question", "announcement", "product")
        if (of := getattr(survey, name))
    }
    return (
        people.with_columns(options_for(survey, people["persona_id"].to_list(), people["language"].to_list()), **texts)
        .with_columns(
            pl.lit(None, pl.String()).alias(name) for name in ("announcement", "product") if name not in texts
        )
        .select(
            parent_ids=pl.lit([rows["row_id"][0]]),
            persona_ids=pl.concat_list("persona_id"),
            attributes_id="sample_id",
            **{name: name for name in ("language", "stratum", "question", "announcement", "product", "options")},
        )
    )
