"""Which type of personality a persona is taken to have, and where that is from."""

import polars as pl

from persona_assets.ids import digest
from persona_assets.tasks.derived import derived
from persona_assets.tasks.poles import POLES, speaking, types_in

SURE = ("medium", "high")  # confidences from which a guess of `persona_attributes` counts
STATED, INFERRED, GIVEN = "stated", "inferred", "given"


@derived(
    reads=("deduped_personas", "persona_attributes", POLES),
    columns={
        "dimension_set": pl.String,
        "type": pl.String,
        "poles": pl.List(pl.String),
        "source": pl.String,
        "attributes_id": pl.String,
    },
    description="A type of personality for each persona: stated in its text, inferred from it, or else given (Machine "
    "Mindset).",
    cites={"attributes_id": "persona_attributes"},
    nullable=("attributes_id",),
    modules=("tasks.poles",),
)
def persona_types(personas: pl.LazyFrame, attributes: pl.LazyFrame, poles: pl.LazyFrame) -> pl.DataFrame:
    """One row for each persona and set of poles that makes types. `source` says where its type is from:

    - `stated`: the text names one of the set's types in capital letters, and no other;
    - `inferred`: `persona_attributes`, which `attributes_id` names, guessed one with a confidence of `SURE`;
    - `given`: neither; drawn by the digest of persona and set, all types alike.

    A persona in whose language no type has all its manners is set aside as `no_type`.
    """
    known = poles.collect()
    types = speaking(types_in(known), known)
    guessed = attributes.filter(pl.col("mbti_confidence").is_in(SURE)).select(
        attributes_id="sample_id", guess="mbti", persona_id=pl.col("persona_ids").list.first()
    )
    rows = personas.select("persona_id", "language", "text").join(guessed, on="persona_id", how="left").collect()
    by_set = types.partition_by("dimension_set", "language", maintain_order=True)
    made = [_typed(rows.filter(pl.col("language") == some["language"][0]), some) for some in by_set]
    speaks = pl.col("language").is_in(types["language"].unique().implode())
    none = rows.filter(~speaks).select(
        parent_ids=pl.concat_list("persona_id"),
        reason=pl.lit("no_type"),
        detail=pl.format("no type has all its manners in {}", "language"),
    )
    return pl.concat([*made, none], how="diagonal")


def _typed(people: pl.DataFrame, types: pl.DataFrame) -> pl.DataFrame:
    """A type for each of some people, of the types of one set."""
    names = types["type"].to_list()
    in_capitals = [name for name in names if name.isupper()]
    words = pl.col("text").str.extract_all("[A-Za-z0-9]+")
    named = words.list.set_intersection(pl.lit(in_capitals, pl.List(pl.String)))
    stated = pl.when(named.list.len() == 1).then(named.list.first())
    inferred = pl.when(pl.col("guess").is_in(names)).then("guess")
    drawn = [
        names[int(digest(f"{one} {types['dimension_set'][0]}".encode()), 16) % len(names)]
        for one in people["persona_id"]
    ]
    found = people.with_columns(stated=stated, inferred=inferred, given=pl.Series(drawn, dtype=pl.String))
    source = (
        pl.when(pl.col("stated").is_not_null())
        .then(pl.lit(STATED))
        .when(pl.col("inferred").is_not_null())
        .then(pl.lit(INFERRED))
        .otherwise(pl.lit(GIVEN))
    )
    found = found.with_columns(type=pl.coalesce("stated", "inferred", "given"), source=source)
    return found.join(types, on="type", how="left", maintain_order="left").select(
        *("dimension_set", "type", "poles", "source"),
        parent_ids=pl.concat_list("persona_id"),
        attributes_id=pl.when(pl.col("source") == INFERRED).then("attributes_id"),
    )
