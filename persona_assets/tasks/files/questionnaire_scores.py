"""What answers to questionnaires come to."""

import polars as pl

from persona_assets.questionnaires.answers import of_choices, of_forms, scored_items
from persona_assets.questionnaires.page import scores_shown, types_shown
from persona_assets.questionnaires.scores import NULLABLE, SCORES, TYPES, TYPES_NULLABLE, scored, types
from persona_assets.tasks.derived import derived

_MODULES = ("questionnaires.answers", "questionnaires.scores")


@derived(
    reads=("questionnaire_answers", "questionnaire_items"),
    columns=SCORES,
    description="By system, language, run and dimension the score with its interval, the letter or ?, and how far the "
    "answers can be relied on (Machine Mindset).",
    nullable=NULLABLE,
    modules=_MODULES,
    shows=scores_shown,
)
def questionnaire_scores(answers: pl.LazyFrame, items: pl.LazyFrame) -> pl.DataFrame:
    """One row a run, and one over all runs, whose `run` is null; answers to fillers are set aside as `filler`."""
    given, about = answers.collect(), items.collect()
    return _accounted(scored(of_forms(given, about), scored_items(about)), given, "filler")


@derived(
    reads=("questionnaire_choices", "questionnaire_items"),
    columns=SCORES,
    description="The same of forced choices: what the numbers that a model might give agree on average.",
    nullable=NULLABLE,
    modules=_MODULES,
    shows=scores_shown,
)
def questionnaire_choice_scores(choices: pl.LazyFrame, items: pl.LazyFrame) -> pl.DataFrame:
    """As `questionnaire_scores`, of one run; what is not scored is set aside as `filler`, or `no_whole_scale`."""
    given, about = choices.collect(), items.collect()
    return _accounted(scored(of_choices(given, about), scored_items(about)), given, "no_whole_scale")


@derived(
    reads=("questionnaire_scores", "questionnaire_items"),
    columns=TYPES,
    description="The type of each system by its letters, in which a dimension may be open, as in E?TJ.",
    nullable=TYPES_NULLABLE,
    modules=_MODULES,
    shows=types_shown,
)
def questionnaire_types(scores: pl.LazyFrame, items: pl.LazyFrame) -> pl.DataFrame:
    """One row a run, and one over all; scores of dimensions without letters are set aside as `no_letters`."""
    given = scores.collect()
    found = types(given, scored_items(items.collect())).rename({"parents": "parent_ids"})
    return _with_the_rest(found, given, "no_letters", "its poles are no single letters")


def _accounted(rows: pl.DataFrame, given: pl.DataFrame, reason: str) -> pl.DataFrame:
    """Scores, and the answers that went into none."""
    return _with_the_rest(rows.rename({"answer_ids": "parent_ids"}), given, reason, "not scored")


def _with_the_rest(rows: pl.DataFrame, given: pl.DataFrame, reason: str, detail: str) -> pl.DataFrame:
    used = rows["parent_ids"].explode()
    left = given.filter(~pl.col("sample_id").is_in(used.implode()))
    aside = left.select(parent_ids=pl.concat_list("sample_id"), reason=pl.lit(reason), detail=pl.lit(detail))
    return pl.concat([rows, aside], how="diagonal")
