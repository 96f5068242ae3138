"""Answers to one instruction from opposite poles, side by side."""

from collections.abc import Mapping

import polars as pl

from persona_assets.errors import UsageError
from persona_assets.lake import Table
from persona_assets.tasks.derived import data_files, derived

POLES = data_files("mindset/dimensions.yaml", rows="poles", table="poles")
_COLUMNS = ("id", "set", "dimension", "opposite", "manner")


def _has_columns(tables: Mapping[str, Table]) -> None:
    """That poles are told by the keys that are looked at.

    Raises:
        UsageError: no pole has one of the keys.
    """
    if missing := [name for name in _COLUMNS if name not in tables[POLES.name].polars]:
        raise UsageError(f"{POLES.file}: no pole has `{missing[0]}`; each needs {', '.join(_COLUMNS)}")


@derived(
    reads=("pole_answers", "instruction_seeds", POLES),
    columns={
        "seed_id": pl.String,
        "dimension_set": pl.String,
        "dimension": pl.String,
        "one_pole": pl.String,
        "other_pole": pl.String,
        "one_manner": pl.String,
        "other_manner": pl.String,
        "instruction": pl.String,
        "one": pl.String,
        "other": pl.String,
    },
    description="Both answers to an instruction of each two opposite poles (Machine Mindset).",
    cites={"seed_id": "instruction_seeds"},
    check=_has_columns,
)
def pole_pairs(answers: pl.LazyFrame, seeds: pl.LazyFrame, poles: pl.LazyFrame) -> pl.DataFrame:
    """One row for each instruction and dimension; its parents are both answers, that of the first pole first.

    A pair stands or falls together: an answer whose other side was refused is set aside as `other_pole_refused`, one of
    a pole that has no opposite as `no_opposite`.

    Raises:
        UsageError: a pole names an opposite that is none; the message names file and pole.
    """
    told = poles.select("file", "dimension", "opposite", "manner", dimension_set="set", pole="id", at="place").collect()
    known, manners = _checked(told.drop("manner")), _manners(told)
    sides = (
        answers.select("pole", "language", "answer", id="sample_id", seed_id=pl.col("parent_ids").list.first())
        .join(known.lazy(), on="pole", how="left")
        .join(manners.lazy(), on=("pole", "language"), how="left")
        .join(seeds.select("instruction", seed_id="sample_id"), on="seed_id", how="left")
        .sort("seed_id", "dimension", "at")
        .collect()
    )
    pairs = sides.join(sides, left_on=("seed_id", "pole"), right_on=("seed_id", "opposite"), suffix="_other").filter(
        pl.col("at") < pl.col("at_other")
    )
    made = pairs.select(
        parent_ids=pl.concat_list("id", "id_other"),
        seed_id="seed_id",
        dimension_set="dimension_set",
        dimension="dimension",
        one_pole="pole",
        other_pole="pole_other",
        one_manner="manner",
        other_manner="manner_other",
        instruction="instruction",
        one="answer",
        other="answer_other",
    )
    alone = sides.filter(~pl.col("id").is_in(made["parent_ids"].explode().implode()))
    has_opposite = pl.col("opposite").is_not_null()
    aside = alone.select(
        parent_ids=pl.concat_list("id"),
        reason=pl.when(has_opposite).then(pl.lit("other_pole_refused")).otherwise(pl.lit("no_opposite")),
        detail=pl.when(has_opposite)
        .then(pl.format("{} has no answer to {}", "opposite", "seed_id"))
        .otherwise(pl.format("{} is the opposite of no pole", "pole")),
    )
    return pl.concat([made, aside], how="diagonal")


def _manners(poles: pl.DataFrame) -> pl.DataFrame:
    """The manner of each pole, a row by language."""
    return (
        poles.select("pole", "manner")
        .unnest("manner")
        .unpivot(index="pole", variable_name="language", value_name="manner")
    )


def _checked(poles: pl.DataFrame) -> pl.DataFrame:
    """The poles, whose opposites are poles of the same dimension and name them in turn."""
    theirs = poles.select("dimension_set", "dimension", opposite="pole", back="opposite")
    joined = poles.join(theirs, on=("dimension_set", "dimension", "opposite"), how="left").sort("at")
    is_one = pl.col("back").eq_missing(pl.col("pole")) & (pl.col("opposite") != pl.col("pole"))
    wrong = joined.filter(pl.col("opposite").is_not_null(), ~is_one)
    for file, pole, opposite in wrong.select("file", "pole", "opposite").iter_rows():
        said = f"its opposite {opposite} is no pole of its dimension whose opposite it is"
        raise UsageError(f"{file}: pole {pole}: {said}; name both by one another")
    return poles
