"""Answers to one instruction from opposite poles, side by side."""

import polars as pl

from persona_assets.tasks.derived import derived
from persona_assets.tasks.poles import POLES, check_poles


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
    modules=("tasks.poles",),
    check=check_poles,
)
def pole_pairs(answers: pl.LazyFrame, seeds: pl.LazyFrame, poles: pl.LazyFrame) -> pl.DataFrame:
    """One row for each instruction and dimension; its parents are both answers, that of the first pole first.

    A pair stands or falls together: an answer whose other side was refused is set aside as `other_pole_refused`, one of
    a pole that has no opposite as `no_opposite`.
    """
    known = poles.select("dimension", "opposite", dimension_set="set", pole="id", at="place")
    sides = (
        answers.select("pole", "language", "answer", id="sample_id", seed_id=pl.col("parent_ids").list.first())
        .join(known, on="pole", how="left")
        .join(_manners(poles), on=("pole", "language"), how="left")
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


def _manners(poles: pl.LazyFrame) -> pl.LazyFrame:
    """The manner of each pole, a row by language."""
    told = poles.select("manner", pole="id").unnest("manner")
    return told.unpivot(index="pole", variable_name="language", value_name="manner")
