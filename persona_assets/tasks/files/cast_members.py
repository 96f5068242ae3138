"""Who is made a character."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from persona_assets.characters.casts import TEXTS, Cast, cast_of, chosen, looked_at
from persona_assets.characters.profile import Unusable, profile_of
from persona_assets.ids import make_id
from persona_assets.tasks.derived import DataRows, data_files, derived
from persona_assets.text.language import identify

CASTS = data_files("casts/*", table="casts", texts=TEXTS)


def members_told(rows: DataRows) -> float:
    """How many characters a file has at most, on average over all files."""
    sizes = [1 if row.get("text") is not None else cast_of(row).size for row in rows(CASTS.name)]
    return sum(sizes) / max(len(sizes), 1)


@derived(
    reads=CASTS,
    columns={
        "character_id": pl.String,
        "persona_ids": pl.List(pl.String),
        "language": pl.String,
        "described": pl.String,
        "profile": pl.String,
        "type": pl.String,
        "poles": pl.List(pl.String),
        "scenes": pl.Int64,
    },
    description="Who is in a cast: whom a profile is of, or the personas that a query chooses (Character-LLM, 4.1).",
    cites={"persona_ids": "deduped_personas"},
    nullable=("described", "profile", "type", "poles", "scenes"),
    modules=(
        *("characters.casts", "characters.dates", "characters.profile", "draws", "ids", "prompts.data_rows"),
        "text.sentences",
    ),
    per_row=members_told,
    looks=lambda rows: looked_at(rows(CASTS.name)),
)
def cast_members(
    casts: pl.LazyFrame,
    personas: pl.LazyFrame | None = None,
    attributes: pl.LazyFrame | None = None,
    types: pl.LazyFrame | None = None,
) -> pl.DataFrame:
    """One row a character; a file that is no profile is set aside.

    Raises:
        UsageError: a cast is wrong, or nobody fits.
    """
    found = [pl.DataFrame(schema=cast_members.schema)]
    for row in casts.collect().iter_rows(named=True):
        if row.get("text") is not None:
            found.append(pl.DataFrame([*_of_profile(row)], schema=cast_members.schema))
        elif personas is not None:  # it looks at them where there is a query
            found.append(_of_query(cast_of(row), row, personas, attributes, types))
    return pl.concat(found)


def _of_profile(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    try:
        profile = profile_of(row["text"])
    except Unusable as fault:
        yield {"parent_ids": [row["row_id"]], "reason": fault.reason, "detail": f"{row['file']}: {fault}"}
        return
    [(language, _)] = identify([" ".join(one.text for one in profile.paragraphs)])
    yield {
        "parent_ids": [row["row_id"]],
        "character_id": make_id("chr", row["shard"]),
        "persona_ids": [],
        "language": language,
        "profile": row["text"],
    }


def _of_query(
    cast: Cast,
    row: dict[str, Any],
    personas: pl.LazyFrame,
    attributes: pl.LazyFrame | None,
    types: pl.LazyFrame | None,
) -> pl.DataFrame:
    people = chosen(cast, row["file"], personas, attributes)
    texts = personas.filter(pl.col("persona_id").is_in(people["persona_id"].implode()))
    people = people.join(texts.select("persona_id", described="text").collect(), on="persona_id", maintain_order="left")
    typed = pl.DataFrame(schema={"persona_id": pl.String, "type": pl.String, "poles": pl.List(pl.String)})
    if cast.types and types is not None:
        typed = (
            types.filter(dimension_set=cast.types)
            .select("type", "poles", persona_id=pl.col("persona_ids").list.first())
            .collect()
        )
    return people.join(typed, on="persona_id", how="left", maintain_order="left").select(
        parent_ids=pl.lit([row["row_id"]]),
        character_id=pl.Series([make_id("chr", one) for one in people["persona_id"]], dtype=pl.String),
        persona_ids=pl.concat_list("persona_id"),
        language="language",
        described="described",
        profile=pl.lit(None, pl.String),
        type="type",
        poles="poles",
        scenes=pl.lit(cast.scenes, pl.Int64),
        reason=pl.lit(None, pl.String),
        detail=pl.lit(None, pl.String),
    )
