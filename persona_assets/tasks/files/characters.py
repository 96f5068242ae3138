"""Characters, the paragraphs of their profiles, and the statements in these."""

from typing import Any

import polars as pl

from persona_assets.characters.casts import sizes_of
from persona_assets.characters.generated import told_as_profile
from persona_assets.characters.profile import names_of, profile_of
from persona_assets.draws import portions
from persona_assets.ids import make_id
from persona_assets.tasks.derived import DataRows, derived

_MODULES = ("characters.dates", "characters.generated", "characters.profile", "ids", "text.sentences")


@derived(
    reads=("cast_members", "character_profiles"),
    columns={
        "character_id": pl.String,
        "name": pl.String,
        "names": pl.List(pl.String),
        "profile": pl.String,
        "profile_id": pl.String,
        "last_year": pl.Int64,
        "is_dated": pl.Boolean,
        "type": pl.String,
        "poles": pl.List(pl.String),
        "unknown": pl.String,
        "scenes": pl.Int64,
    },
    description="Characters with their profiles: as a file has them, or as a model wrote them of a persona "
    "(Character-LLM, 4.1).",
    cites={"profile_id": "character_profiles"},
    nullable=("profile_id", "last_year", "type", "poles", "unknown", "scenes"),
    modules=_MODULES,
)
def characters(members: pl.LazyFrame, profiles: pl.LazyFrame) -> pl.DataFrame:
    """One row a character; who has no profile is set aside as `no_profile`."""
    written = profiles.select(
        *("name", "life", "people", "places", "beliefs", "way_of_speaking", "unknown_to_them"),
        profile_id="sample_id",
        parent=pl.col("parent_ids").list.first(),
    )
    rows = members.join(written, left_on="sample_id", right_on="parent", how="left").sort("sample_id").collect()
    return pl.DataFrame([_character(row) for row in rows.iter_rows(named=True)], schema=characters.schema)


def _character(row: dict[str, Any]) -> dict[str, Any]:
    own = {name: row[name] for name in ("character_id", "type", "poles", "scenes")} | {"parent_ids": [row["sample_id"]]}
    if row["profile"] is None and row["profile_id"] is None:
        return own | {"reason": "no_profile", "detail": "no usable profile was written of the persona"}
    text = row["profile"] if row["profile"] is not None else told_as_profile(row, row["language"])
    profile = profile_of(text)
    return own | {
        "name": profile.name,
        "names": names_of(profile.name),
        "profile": text,
        "profile_id": row["profile_id"],
        "last_year": profile.last_year if row["profile_id"] is None else None,
        "is_dated": profile.dated,
        "unknown": row["unknown_to_them"],
    }


def paragraphs_told(rows: DataRows, scene_prompts: int) -> float:
    """How many paragraphs a profile has, on average over all characters."""
    characters, paragraphs, _ = sizes_of(rows("casts"), scene_prompts)
    return paragraphs / max(characters, 1)


def prompts_told(rows: DataRows, scene_prompts: int) -> float:
    """How often a paragraph is asked for scenes, on average."""
    _, paragraphs, asked = sizes_of(rows("casts"), scene_prompts)
    return asked / max(paragraphs, 1)


@derived(
    reads="characters",
    columns={
        "character_id": pl.String,
        "name": pl.String,
        "paragraph": pl.Int64,
        "paragraph_id": pl.String,
        "section": pl.String,
        "date": pl.String,
        "start": pl.Int64,
        "text": pl.String,
        "scenes_asked": pl.Int64,
    },
    description="The paragraphs of profiles, and how often scenes are asked of each (Character-LLM, 4.1).",
    nullable=("section", "date"),
    settings=("scene_prompts",),
    modules=(
        *("characters.casts", "characters.dates", "characters.profile", "draws", "ids", "prompts.data_rows"),
        "text.sentences",
    ),
    per_row=paragraphs_told,
    means={"scenes_asked": prompts_told},
)
def profile_paragraphs(characters: pl.LazyFrame, scene_prompts: int) -> pl.DataFrame:
    """One row a paragraph. Each is asked once where there are prompts enough, and the longer ones more often.

    `paragraph_id` follows from character and text alone, so that the same paragraph is on the same side of the split
    whatever else changes in the profile.
    """
    rows = []
    for character in characters.collect().iter_rows(named=True):
        found = profile_of(character["profile"]).paragraphs
        most = character["scenes"] or (len(found) if character["profile_id"] else scene_prompts)
        for one, asked in zip(found, _asked([len(one.text) for one in found], most), strict=True):
            rows.append(
                {
                    "parent_ids": [character["sample_id"]],
                    "character_id": character["character_id"],
                    "name": character["name"],
                    "paragraph": one.number,
                    "paragraph_id": make_id("rec", character["character_id"], one.text),
                    "section": one.section,
                    "date": one.date,
                    "start": one.start,
                    "text": one.text,
                    "scenes_asked": asked,
                }
            )
    return pl.DataFrame(rows, schema=profile_paragraphs.schema)


def _asked(lengths: list[int], prompts: int) -> list[int]:
    """How often each paragraph is asked: once each where that can be, the rest by length."""
    once = 1 if prompts >= len(lengths) else 0
    shares = {str(number): length / sum(lengths) for number, length in enumerate(lengths)}
    return [once + more for more in portions(shares, prompts - once * len(lengths)).values()]


@derived(
    reads=("profile_paragraphs", "characters"),
    columns={
        "character_id": pl.String,
        "paragraph": pl.Int64,
        "number": pl.Int64,
        "start": pl.Int64,
        "end": pl.Int64,
        "text": pl.String,
        "date": pl.String,
    },
    description="The sentences of profiles, with where they stand in it, so that all that follows can cite them.",
    nullable=("date",),
    modules=("characters.dates", "characters.profile", "text.sentences"),
)
def statements(paragraphs: pl.LazyFrame, characters: pl.LazyFrame) -> pl.DataFrame:
    """One row a sentence; `start` and `end` are characters of the profile, `number` counts from 1 in a paragraph."""
    found = paragraphs.select("character_id", "paragraph", "sample_id").collect()
    above = {(character, number): sample for character, number, sample in found.iter_rows()}
    rows = []
    for character in characters.select("character_id", "profile").collect().iter_rows(named=True):
        for paragraph in profile_of(character["profile"]).paragraphs:
            for number, (start, end) in enumerate(paragraph.statements(), 1):
                rows.append(
                    {
                        "parent_ids": [above[(character["character_id"], paragraph.number)]],
                        "character_id": character["character_id"],
                        "paragraph": paragraph.number,
                        "number": number,
                        "start": start,
                        "end": end,
                        "text": character["profile"][start:end],
                        "date": paragraph.date,
                    }
                )
    return pl.DataFrame(rows, schema=statements.schema)
