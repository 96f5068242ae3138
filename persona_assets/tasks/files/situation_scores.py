"""What answers to situations show, and whether it is what the same system says of itself."""

import polars as pl

from persona_assets.questionnaires.answers import who_answered
from persona_assets.questionnaires.behaviour import (
    AGREEMENT,
    AGREEMENT_NULLABLE,
    NULLABLE,
    SCORES,
    agreement_of,
    placed,
)
from persona_assets.questionnaires.page import agreement_shown, behaviour_shown
from persona_assets.tasks.derived import derived
from persona_assets.tasks.judges.scores import MIDDLE
from persona_assets.tasks.judges.scores import SCORES as ENDS

_MODULES = ("questionnaires.answers", "questionnaires.scores", "questionnaires.behaviour")


@derived(
    reads=("situation_answers", "situations"),
    also=("situation_answers_scores",),
    columns=SCORES,
    description="By system, language and dimension where blind judges place its answers to situations, with the "
    "interval and the letter or ? (Machine Mindset).",
    nullable=NULLABLE,
    modules=_MODULES,
    shows=behaviour_shown,
)
def situation_scores(
    answers: pl.LazyFrame, situations: pl.LazyFrame, verdicts: pl.LazyFrame | None = None
) -> pl.DataFrame:
    """One row for each judge; without one, and where it is not calibrated, every letter is open.

    A judge's score of 5 stands for the first pole, 1 for the second; one that went by the place alone places nothing.
    """
    about = situations.collect()
    named = about.select("situation", item_id="sample_id")
    given = who_answered(answers.collect()).join(named, on="item_id").rename({"sample_id": "answer_id"})
    value = (MIDDLE - pl.col("score")) / (ENDS[1] - MIDDLE)
    said = None
    if verdicts is not None:
        by_place = pl.col("by_place") if "by_place" in verdicts.collect_schema() else pl.lit(value=False)
        firm = pl.when(~by_place).then(value)
        said = verdicts.select("judge", "standing", answer_id="judged_id", value=firm).collect()
    found = placed(given, about, said)
    return found.rename({"answer_ids": "parent_ids"})


@derived(
    reads=("situation_scores", "questionnaire_scores"),
    columns=AGREEMENT | {"said_id": pl.String},
    description="Whether what a system says of itself in questionnaires is what it shows in situations, by dimension.",
    cites={"said_id": "questionnaire_scores"},
    nullable=AGREEMENT_NULLABLE,
    modules=_MODULES,
    shows=agreement_shown,
)
def mindset_agreement(shown: pl.LazyFrame, said: pl.LazyFrame) -> pl.DataFrame:
    """One row for each questionnaire that has the dimension; a score that none is about is `no_questionnaire`."""
    given = shown.collect()
    found = agreement_of(given, said.rename({"shard": "questionnaire"}).collect())
    left = given.join(found.select(sample_id="behaviour_id"), on="sample_id", how="anti")
    aside = left.select(
        parent_ids=pl.concat_list("sample_id"), reason=pl.lit("no_questionnaire"), detail=pl.col("dimension")
    )
    return pl.concat(
        [found.with_columns(parent_ids=pl.concat_list("behaviour_id")).drop("behaviour_id"), aside], how="diagonal"
    )
