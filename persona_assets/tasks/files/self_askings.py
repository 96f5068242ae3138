"""Who is asked which question about themselves, and what of them the answer is to show."""

from collections.abc import Sequence

import polars as pl

from persona_assets.ids import canonical_json, digest
from persona_assets.tasks.derived import DataRows, data_files, derived
from persona_assets.tasks.poles import POLES, types_in, types_of

THEMES = data_files("mindset/themes/*.yaml", table="self_themes")


def types_told(rows: DataRows, types: Sequence[str]) -> float:
    """How many types are asked, which is how many rows a question has."""
    return len(types) or types_of(rows(POLES.name)).height


@derived(
    reads=("self_questions", THEMES, POLES),
    columns={
        "theme": pl.String,
        "question": pl.String,
        "dimension_set": pl.String,
        "type": pl.String,
        "poles": pl.List(pl.String),
        "shows": pl.List(pl.String),
    },
    description="Each question about oneself for each type, with the poles that the answer is to show (Machine "
    "Mindset, self-awareness).",
    settings=("types",),
    modules=("tasks.poles",),
    per_row=types_told,
)
def self_askings(
    questions: pl.LazyFrame, themes: pl.LazyFrame, poles: pl.LazyFrame, types: tuple[str, ...]
) -> pl.DataFrame:
    """One row for each question and type of the setting `types`, else of all that there are; `poles` are the type's.

    `shows` are half of them, at least one. The questions of a theme, in an order that digests of type and question
    draw, take the dimensions in turn, from one on that digests of type and theme draw: two questions show all of them,
    and the next two begin a dimension later. So each pole of a type shows in a third or more of its rows on a theme
    that has at least two questions. A question in whose language no type has all its manners is set aside as `no_type`.
    """
    known = poles.collect()
    there = types_in(known)
    wanted = there.filter(pl.col("type").is_in(types)) if types else there
    asked = (
        questions.select("question", "language", parent="sample_id", theme_id=pl.col("parent_ids").list.first())
        .join(themes.select(theme="id", theme_id="row_id"), on="theme_id", how="left")
        .collect()
    )
    rows = asked.join(_speaking(wanted, known), on="language").with_columns(
        size=pl.col("poles").list.len(),
        order=_digests(pl.struct("type", "parent")),
        start=_digests(pl.struct("type", "theme")),
    )
    rank = pl.col("order").rank("ordinal").over("dimension_set", "type", "theme").cast(pl.Int64) - 1
    half = (pl.col("size") + 1) // 2
    start = pl.col("start").str.slice(0, 8).str.to_integer(base=16)
    rows = rows.with_columns(first=(start + rank * half + rank // 2) % pl.col("size"))
    shown = pl.concat_list("poles", "poles").list.slice("first", half)  # dimensions come round
    none = asked.join(rows, on="parent", how="anti").select(
        parent_ids=pl.concat_list("parent"),
        reason=pl.lit("no_type"),
        detail=pl.format("no type has all its manners in {}", "language"),
    )
    made = rows.select(
        *("theme", "question", "dimension_set", "type", "poles"), parent_ids=pl.concat_list("parent"), shows=shown
    )
    return pl.concat([made, none], how="diagonal")


def _speaking(types: pl.DataFrame, poles: pl.DataFrame) -> pl.DataFrame:
    """Types with each `language` in which all their poles have a manner."""
    told = (
        poles.select(pole="id", manner="manner").unnest("manner").unpivot(index="pole", variable_name="language")
    ).filter(pl.col("value").str.contains(r"\S"))
    by_language = types.with_columns(pole="poles").explode("pole").join(told, on="pole")
    return (
        by_language.group_by(*types.columns, "language", maintain_order=True)
        .agg(there=pl.len())
        .filter(pl.col("there") == pl.col("poles").list.len())
        .drop("there")
    )


def _digests(of: pl.Expr) -> pl.Expr:
    """The digests of structs of texts."""
    return of.map_elements(lambda row: digest(canonical_json(list(row.values()))), return_dtype=pl.String)
