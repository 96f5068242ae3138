"""What systems answered as characters, each answer with the statements that matter to it."""

import polars as pl

from persona_assets.characters.answers import COLUMNS, NULLABLE, answers_of
from persona_assets.characters.evidence import evidence_for
from persona_assets.characters.page import answers_shown
from persona_assets.characters.questions import about
from persona_assets.ids import make_id
from persona_assets.lake import Lake
from persona_assets.rules.leaks import leaks
from persona_assets.tasks.derived import derived

OF_QUESTION = 5  # statements by the question; those by the answer come after them
_OWN = {"leaks": pl.List(pl.String), "evidence_ids": pl.List(pl.String), "evidence": pl.List(pl.String)}


@derived(
    reads=(
        *("characters", "interviews", "interview_talks", "logged_interviews"),
        *("statements", "interview_questions"),
    ),
    columns=COLUMNS | _OWN,
    description="What each system answered as a character to each question, in interviews of ours and logged ones, "
    "with what is odd in it and the statements of the profile that matter to it (Character-LLM).",
    cites={
        "answer_id": ("interviews", "interview_talks", "logged_interviews"),
        "question_id": "interview_questions",
        "evidence_ids": "statements",
    },
    nullable=NULLABLE,
    settings=("encoder",),
    given=("lake",),
    modules=(
        *("characters.answers", "characters.dates", "characters.evidence", "characters.logs", "characters.profile"),
        *("characters.questions", "characters.training", "ids", "lake.vectors", "prompts.scripts"),
        *("rules.dated_terms", "rules.leaks", "rules.patterns", "rules.registry", "rules.sample", "rules.scripts"),
        *(
            "rules.texts",
            "text.bert",
            "text.encoder",
            "text.fast_encoder",
            "text.sentences",
            "text.tokens",
            "text.universal",
        ),
    ),
    per_row=lambda *_, **__: {"interviews": 1.0, "interview_talks": 1.0},
    shows=answers_shown,
)
def interview_answers(
    characters: pl.LazyFrame,
    interviews: pl.LazyFrame,
    talks: pl.LazyFrame,
    logged: pl.LazyFrame,
    statements: pl.LazyFrame,
    questions: pl.LazyFrame,
    *,
    encoder: str,
    lake: Lake,
) -> pl.DataFrame:
    """One row a system and question; a character whom nobody interviewed is set aside as `not_interviewed`.

    `evidence` are texts of statements: those nearest in meaning to the question, then those nearest to the answer.
    """
    who = characters.collect().sort("sample_id")
    who = who.with_columns(about=pl.Series([about(text) for text in who["profile"]], dtype=pl.String))
    found = answers_of(who, questions.collect(), interviews.collect(), talks.collect(), logged.collect())
    near = _evidence(found, statements, encoder, lake)
    none = pl.lit([], pl.List(pl.String))
    said = _leaks(found.join(who.select("character_id", "last_year"), on="character_id", maintain_order="left"))
    rows = found.join(near, on="id", how="left", maintain_order="left").select(
        *COLUMNS,
        parent_ids=pl.concat_list("parent"),
        leaks=said,
        evidence_ids=pl.col("statement_ids").fill_null(none),
        evidence=pl.col("statements").fill_null(none),
    )
    left = who.filter(~pl.col("sample_id").is_in(found["parent"].implode())).select(
        parent_ids=pl.concat_list("sample_id"),
        reason=pl.lit("not_interviewed"),
        detail=pl.lit("nobody asked them anything"),
    )
    return pl.concat([rows, left], how="diagonal")


def _leaks(found: pl.DataFrame) -> pl.Series:
    """The terms and years of each answer that the character cannot know, each once."""
    talk = found.with_row_index("answer").select("answer", "last_year", "talk").explode("talk").unnest("talk")
    told = leaks(talk["said"], talk["last_year"], talk["asked"])
    by_answer = (
        told.select("term", answer=talk["answer"].gather(told["row"]))
        .group_by("answer")
        .agg(leaks=pl.col("term").unique().sort())
    )
    whole = (
        found.with_row_index("answer").select("answer").join(by_answer, on="answer", how="left", maintain_order="left")
    )
    return whole.select(pl.col("leaks").fill_null(pl.lit([], pl.List(pl.String)))).to_series()


def _evidence(found: pl.DataFrame, statements: pl.LazyFrame, encoder: str, lake: Lake) -> pl.DataFrame:
    """The statements for each answer, by its `id`; each question is looked at once, whoever answered it."""
    own = statements.select("sample_id", "shard", "character_id", "text", "start", "date").collect()
    told = found.with_columns(asked=_ids(found), date=pl.lit(None, pl.String))
    shared = ("shard", "language", "character_id", "date")
    questions = told.unique("asked", maintain_order=True).select(
        *shared, id="asked", text="question", cited=pl.lit([], pl.List(pl.String))
    )
    by_question = evidence_for(questions, own, lake, encoder, OF_QUESTION).select("statement_ids", asked="id")
    answers = told.join(by_question, on="asked", maintain_order="left").select(
        "id", *shared, text="words", cited="statement_ids"
    )
    return evidence_for(answers, own, lake, encoder)


def _ids(found: pl.DataFrame) -> pl.Series:
    """What stands for the question of each answer."""
    asked = found.select("character_id", "question").iter_rows()
    return pl.Series([make_id("rec", *one) for one in asked], dtype=pl.String)
