"""What characters are asked in interviews."""

import polars as pl

from persona_assets.characters.questions import COLUMNS, NULLABLE, questions_of
from persona_assets.tasks.derived import data_files, derived

FILES = data_files("interview_questions/*", table="question_files")


@derived(
    reads=("characters", "profile_questions", FILES),
    columns=COLUMNS,
    description="What characters are asked in interviews: questions of files that carry their name, and those that "
    "were written of their profiles (Character-LLM).",
    cites={"file_row_id": "question_files", "written_id": "profile_questions"},
    nullable=NULLABLE,
    modules=(
        *("characters.dates", "characters.logs", "characters.profile", "characters.questions", "characters.training"),
        *("prompts.scripts", "text.sentences"),
    ),
)
def interview_questions(characters: pl.LazyFrame, written: pl.LazyFrame, files: pl.LazyFrame) -> pl.DataFrame:
    """One row a character and question; a character without any is set aside."""
    of = characters.select("character_id", parent="sample_id")
    asked = (
        written.select("sample_id", "topic", "question", parent=pl.col("parent_ids").list.first())
        .join(of, on="parent")
        .collect()
    )
    return questions_of(characters.collect(), files.collect(), asked)
