"""Who talks with whom about a survey."""

import polars as pl

from persona_assets.surveys.others import paired
from persona_assets.surveys.respondents import OPTION
from persona_assets.surveys.survey import survey_of
from persona_assets.tasks.derived import derived

_SIDES = ("first", "second")


@derived(
    reads=("survey_answers", "survey_respondents", "survey_files", "deduped_personas"),
    columns={
        "persona_ids": pl.List(pl.String),
        "question": pl.String,
        "options": pl.List(OPTION),
        **{f"{side}_{name}": pl.String for side in _SIDES for name in ("persona", "stratum", "choice", "reason")},
    },
    description="Respondents of one language who chose differently; where there are strata, of different ones.",
    cites={"persona_ids": "deduped_personas"},
    nullable=tuple(f"{side}_stratum" for side in _SIDES),
    modules=("draws", "surveys.others", "prompts.data_rows", "surveys.survey"),
)
def survey_pairs(
    answers: pl.LazyFrame, respondents: pl.LazyFrame, surveys: pl.LazyFrame, _personas: pl.LazyFrame
) -> pl.DataFrame:
    """One row a pair, as many as the survey wants or there are; every other answer is set aside as `not_selected`."""
    found = survey_of(surveys.collect())
    own = answers.select(
        "sample_id", "choice", "reason", respondent_id=pl.col("parent_ids").list.first(), persona=_first("persona_ids")
    )
    asked = respondents.select("language", "stratum", "question", "options", respondent_id="sample_id")
    rows = own.join(asked, on="respondent_id").sort("sample_id").collect()
    pairs = paired(rows, found[1]) if found else []
    first, second = (rows[[pair[side] for pair in pairs]] for side in (0, 1))
    told = {f"{side}_{name}": part[name] for side, part in zip(_SIDES, (first, second), strict=True) for name in _TOLD}
    talks = pl.DataFrame(told).with_columns(
        question=first["question"],
        options=first["options"],
        parent_ids=_both(first["sample_id"], second["sample_id"]),
        persona_ids=_both(first["persona"], second["persona"]),
    )
    left = rows.filter(~pl.col("sample_id").is_in([*first["sample_id"], *second["sample_id"]]))
    aside = left.select(
        parent_ids=pl.concat_list("sample_id"),
        reason=pl.lit("not_selected"),
        detail=pl.lit("in no dialogue"),
    )
    return pl.concat([talks, aside], how="diagonal")


_TOLD = ("persona", "stratum", "choice", "reason")


def _first(column: str) -> pl.Expr:
    return pl.col(column).list.first()


def _both(one: pl.Series, other: pl.Series) -> pl.Series:
    return pl.DataFrame({"a": one, "b": other}).select(pl.concat_list("a", "b")).to_series()
