"""What characters are asked in interviews."""

import polars as pl

from persona_assets.characters.casts import sizes_of
from persona_assets.characters.questions import COLUMNS, NULLABLE, questions_of
from persona_assets.tasks.derived import DataRows, data_files, derived

FILES = data_files("interview_questions/*", table="question_files")


def questions_told(rows: DataRows) -> dict[str, float]:
    """How many rows come of a written question, and of a character by the questions in files, on average."""
    characters, *_ = sizes_of(rows("casts"), 1)
    return {"profile_questions": 1.0, "characters": sum(1 for _ in rows(FILES.name)) / max(characters, 1)}


@derived(
    reads=("characters", "profile_questions", FILES),
    columns=COLUMNS,
    description="What characters are asked in interviews: questions of files that carry their name, and those that "
    "were written of their profiles (Character-LLM).",
    cites={"file_row_id": "question_files", "written_id": "profile_questions"},
    nullable=NULLABLE,
    per_row=questions_told,
    modules=(
        *("characters.casts", "characters.dates", "characters.logs", "characters.profile", "characters.questions"),
        *("characters.training", "draws", "prompts.data_rows", "prompts.scripts", "text.sentences"),
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
