"""Pairs of answers to one message with constraints: one that keeps to them, and one that was not told of them."""

import polars as pl

from persona_assets.constraints.words import HAN, word_list
from persona_assets.tasks.derived import derived

MOST_TIMES = 3.0  # as long as the other: of answers further apart a model learns length and little else
ALIKE = 0.9  # of the words of both: what differs is too little to prefer one for
_HAN_WEIGHT = 2  # more; a Chinese character says as much as three letters


@derived(
    reads="verified_answers",
    columns={
        "prompt": pl.String,
        "chosen": pl.String,
        "rejected": pl.String,
        "constraints": pl.String,
        "failed": pl.List(pl.String),
    },
    description="A message with constraints, an answer that keeps to them, and one that breaks some.",
    modules=("constraints.words",),
)
def preference_pairs(answers: pl.LazyFrame) -> pl.DataFrame:
    """One pair for each message that has one, of the answers nearest in length; `failed` is of the one rejected.

    The other answers are set aside: `not_needed` where there is a pair, `no_answer_passes`, `no_answer_fails`,
    `lengths_differ` or `nearly_identical` where there is none.
    """
    length = pl.col("answer").str.len_chars() + _HAN_WEIGHT * pl.col("answer").str.count_matches(f"[{HAN}]")
    rows = answers.select(
        *("instruction_id", "instruction", "constraints", "asked", "answer", "passes", "failed"),
        id="sample_id",
        length=length,
    ).collect()
    candidates = _candidates(rows)
    pairs = candidates.filter("fits", "differs").unique("instruction_id", keep="first", maintain_order=True)
    made = pairs.select(
        parent_ids=pl.concat_list("id", "id_rejected"),
        prompt="instruction",
        chosen="answer",
        rejected="answer_rejected",
        constraints="constraints",
        failed="failed_rejected",
    )
    used = made["parent_ids"].explode()
    aside = rows.filter(~pl.col("id").is_in(used.implode())).join(
        _reasons(rows, candidates, pairs), on="instruction_id"
    )
    return pl.concat([made, aside.select("reason", "detail", parent_ids=pl.concat_list("id"))], how="diagonal")


def _candidates(rows: pl.DataFrame) -> pl.DataFrame:
    """Answers that pass with those to the relaxed request that do not, by message, the nearest in length first."""
    chosen = rows.filter(pl.col("asked") == "constrained", "passes")
    rejected = rows.filter(pl.col("asked") == "relaxed", ~pl.col("passes"))
    joined = chosen.join(rejected, on="instruction_id", suffix="_rejected")
    longer = pl.max_horizontal("length", "length_rejected") / pl.min_horizontal("length", "length_rejected")
    alike = [_alike(*texts) for texts in joined.select("answer", "answer_rejected").iter_rows()]
    return joined.with_columns(
        times=longer, fits=longer <= MOST_TIMES, differs=pl.Series(alike, dtype=pl.Float64) < ALIKE
    ).sort("instruction_id", "times", "id", "id_rejected")


def _alike(one: str, other: str) -> float:
    """The share of words that two texts have in common, of all of both; capitals are other words."""
    words, others = set(word_list(one)), set(word_list(other))
    return len(words & others) / len(words | others) if words or others else 1.0


def _reasons(rows: pl.DataFrame, candidates: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """By message why its answers, or those beside its pair, are set aside."""
    passes = (pl.col("asked") == "constrained") & pl.col("passes")
    fails = (pl.col("asked") == "relaxed") & ~pl.col("passes")
    counts = rows.group_by("instruction_id").agg(passes=passes.sum(), fails=fails.sum())
    fitting = candidates.group_by("instruction_id").agg(pl.col("fits").any(), pl.col("times").min())
    told = (
        (pl.col("instruction_id").is_in(pairs["instruction_id"].implode()), "not_needed", pl.lit("there is a pair")),
        (pl.col("passes") == 0, "no_answer_passes", pl.lit("no answer to the message keeps to all constraints")),
        (pl.col("fails") == 0, "no_answer_fails", pl.lit("every answer to the request alone keeps to them by chance")),
        (
            ~pl.col("fits"),
            "lengths_differ",
            pl.format("the nearest in length differ by a factor of {}", pl.col("times").round(1)),
        ),
        (pl.lit(value=True), "nearly_identical", pl.lit("those of a length have nearly the same words")),
    )
    return counts.join(fitting, on="instruction_id", how="left").select(
        "instruction_id",
        reason=pl.coalesce(pl.when(when).then(pl.lit(reason)) for when, reason, _ in told),
        detail=pl.coalesce(pl.when(when).then(detail) for when, _, detail in told),
    )
