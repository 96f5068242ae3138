"""Characters of a cast who meet."""

import polars as pl

from persona_assets.characters.pairs import COLUMNS, pairs_of
from persona_assets.tasks.derived import derived

SEED = 0


@derived(
    reads="characters",
    columns=COLUMNS,
    description="Two characters of a cast in one language, drawn by lot, who meet and talk.",
    cites={"first_id": "characters", "second_id": "characters"},
    modules=(
        *("characters.dates", "characters.logs", "characters.pairs", "characters.profile", "characters.questions"),
        *("characters.training", "draws", "ids", "prompts.scripts", "text.sentences"),
    ),
)
def character_pairs(characters: pl.LazyFrame) -> pl.DataFrame:
    """One row a pair; each character is in one, and who is alone with a language is set aside."""
    return pairs_of(characters.collect(), SEED)
