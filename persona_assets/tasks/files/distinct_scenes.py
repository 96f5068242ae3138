"""Of the scenes of a character, those that differ, with what is known of the character in each."""

import polars as pl

from persona_assets.tasks.derived import derived
from persona_assets.text.near import nearest_kept

TOO_SIMILAR = "too_similar"
_OF_SCENES = ("kind", "place", "people", "background")
_OF_PARAGRAPHS = ("character_id", "name", "paragraph_id", "date")

_OF_CHARACTERS = ("names", "poles", "last_year")


@derived(
    reads=("scenes", "profile_paragraphs", "characters", "statements"),
    columns={
        **dict.fromkeys((*_OF_SCENES, *_OF_PARAGRAPHS), pl.String),
        "names": pl.List(pl.String),
        "poles": pl.List(pl.String),
        "last_year": pl.Int64,
        "statement_ids": pl.List(pl.String),
    },
    description="Scenes of a character that differ from its earlier ones; others are set aside as too similar "
    "(Character-LLM, 4.1).",
    cites={"statement_ids": "statements"},
    nullable=("date", "last_year", "poles"),
    settings=("max_scene_similarity",),
    modules=("text.near", "text.tokens"),
)
def distinct_scenes(
    scenes: pl.LazyFrame,
    paragraphs: pl.LazyFrame,
    characters: pl.LazyFrame,
    _statements: pl.LazyFrame,
    max_scene_similarity: float,
) -> pl.DataFrame:
    """One row a scene; its words are those of place, people and background.

    The order is that of paragraphs, then of ids. A scene is compared with those of its own character alone.
    """
    where = paragraphs.select("paragraph", *_OF_PARAGRAPHS, paragraph_row="sample_id")
    who = characters.select("character_id", *_OF_CHARACTERS)
    rows = (
        scenes.select(
            "sample_id", *_OF_SCENES, statement_ids="rests_on", paragraph_row=pl.col("parent_ids").list.first()
        )
        .join(where, on="paragraph_row")
        .join(who, on="character_id")
        .sort("character_id", "paragraph", "sample_id")
        .collect()
        .with_columns(_text=pl.concat_str("place", "people", "background", separator="\n"))
    )
    parts = rows.partition_by("character_id", maintain_order=True)
    return pl.concat([_apart(part, max_scene_similarity) for part in parts]) if parts else _apart(rows, 1)


def _apart(part: pl.DataFrame, most: float) -> pl.DataFrame:
    """The scenes of one character, those near an earlier one with a reason."""
    others = part.select(other_id="sample_id").with_row_index("other").cast({"other": pl.Int64})
    near = nearest_kept(part["_text"], most).join(others, on="other")
    told = part.with_row_index("row").cast({"row": pl.Int64}).join(near, on="row", how="left", maintain_order="left")
    is_near = pl.col("other").is_not_null()
    return told.select(
        *_OF_SCENES,
        *_OF_PARAGRAPHS,
        *("names", "poles", "statement_ids"),
        last_year=pl.coalesce(pl.col("date").str.head(4).cast(pl.Int64), "last_year"),
        parent_ids=pl.concat_list("sample_id"),
        reason=pl.when(is_near).then(pl.lit(TOO_SIMILAR)),
        detail=pl.when(is_near).then(pl.format("{} to {}", pl.col("similarity").round(2), "other_id")),
    )
