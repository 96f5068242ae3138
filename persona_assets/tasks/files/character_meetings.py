"""Characters of a cast who meet."""

import polars as pl

from persona_assets.characters.meetings import COLUMNS, NULLABLE, SIDES, meetings_of
from persona_assets.tasks.derived import derived

SEED = 0


@derived(
    reads="characters",
    columns=COLUMNS,
    description="Two or three characters of a cast in one language, drawn by lot, who meet and talk.",
    cites={f"{side}_id": "characters" for side in SIDES},
    nullable=NULLABLE,
    modules=(
        *("characters.dates", "characters.logs", "characters.meetings", "characters.profile", "characters.questions"),
        *("characters.training", "draws", "ids", "prompts.scripts", "text.sentences"),
    ),
)
def character_meetings(characters: pl.LazyFrame) -> pl.DataFrame:
    """One row a meeting; each character is in one, and who is alone with a language is set aside."""
    return meetings_of(characters.collect(), SEED)
