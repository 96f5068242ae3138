"""Casts: who is made a character. A profile is a cast of one, a YAML file a query over the personas.

```yaml
title: Fishermen of the north
where: {language: [en, ru], region: [northern_europe]}   # columns of the personas, or of `persona_attributes`
mentions: [fisherman, рыбак]        # words of which a persona's text holds one; without regard to case
types: mbti                         # each with the type that `persona_types` has of this set of poles
size: 1000
seed: 0
scenes: 5                           # how often each profile is asked for scenes, at most
```
"""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from persona_assets.characters.profile import Unusable, profile_of
from persona_assets.draws import lots
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.prompts.data_rows import row_as

TEXTS = ("text", "title", "where", "mentions", "types", "size", "seed", "scenes")  # what a file may hold
PERSONAS, ATTRIBUTES, TYPES = "deduped_personas", "persona_attributes", "persona_types"
WRITTEN = 10  # paragraphs of a profile that a model writes: four to eight stages of a life, and four more
OF_PERSONAS = ("language", "hop", "document_id", "persona_id", "shard")


class Cast(BaseModel):
    """What a YAML file of a cast declares."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str = ""
    where: dict[str, tuple[str | int, ...]] = Field(default_factory=dict)
    mentions: tuple[str, ...] = ()
    types: str = ""
    size: int = Field(ge=1)
    seed: int = 0
    scenes: int | None = Field(None, ge=1)

    @property
    def of_attributes(self) -> tuple[str, ...]:
        """The columns of `where` that the personas themselves do not have."""
        return tuple(name for name in self.where if name not in OF_PERSONAS)


def cast_of(row: Mapping[str, Any]) -> Cast:
    """The cast that a row of the data files declares.

    Raises:
        UsageError: it is none; the message names file and key.
    """
    return row_as(row, Cast, "cast")


def chosen(cast: Cast, file: str, personas: pl.LazyFrame, attributes: pl.LazyFrame | None) -> pl.DataFrame:
    """The personas of a cast with `persona_id`, `language` and `document_id`, in the order of their lots.

    `personas` is `deduped_personas`; `attributes` is there where the cast looks at them. Those with the lowest digests
    of seed and id are taken: the same ones are taken again, and a larger cast holds the smaller one.

    Raises:
        UsageError: there is no such column, or nobody fits; the message names file and remedy.
    """
    people = personas
    known = {*OF_PERSONAS}
    if cast.of_attributes and attributes is not None:
        told = attributes.collect_schema().names()
        known |= {*told}
        for name in cast.of_attributes:
            if name not in told:
                raise UsageError(f"{file}: where.{name}: there is no such attribute; {did_you_mean(name, known)}")
        own = attributes.select(*cast.of_attributes, persona_id=pl.col("persona_ids").list.first())
        people = people.join(own, on="persona_id")
    for name, values in cast.where.items():
        people = people.filter(pl.col(name).cast(pl.String).is_in([str(one) for one in values]))
    if cast.mentions:
        text = pl.col("text").str.to_lowercase()
        people = people.filter(text.str.contains_any([one.lower() for one in cast.mentions]))
    found = people.select("persona_id", "language", "document_id").collect(engine="streaming")
    if not found.height:
        raise UsageError(f"{file}: no persona is as the cast wants: ask for less in `where` and `mentions`")
    return found.with_columns(_lot=lots(found["persona_id"], cast.seed)).sort("_lot").head(cast.size).drop("_lot")


def sizes_of(rows: Iterable[Mapping[str, Any]], prompts: int) -> tuple[int, int, int]:
    """How many characters the casts of data files have, how many paragraphs their profiles, and the prompts for scenes.

    `prompts` is how often a profile from a file is asked. A profile that is not written yet has `WRITTEN` paragraphs.
    """
    characters = paragraphs = asked = 0
    for row in rows:
        if row.get("text") is None:
            cast = cast_of(row)
            of_each, times, size = WRITTEN, cast.scenes or WRITTEN, cast.size
        else:
            try:
                of_each, times, size = len(profile_of(row["text"]).paragraphs), prompts, 1
            except Unusable:
                continue
        characters, paragraphs, asked = characters + size, paragraphs + size * of_each, asked + size * times
    return characters, paragraphs, asked


def looked_at(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The tables that the casts of data files look at, each where those before it are too."""
    casts = [cast_of(row) for row in rows if row.get("text") is None]
    if any(one.types for one in casts):
        return PERSONAS, ATTRIBUTES, TYPES
    if any(one.of_attributes for one in casts):
        return PERSONAS, ATTRIBUTES
    return (PERSONAS,) if casts else ()
