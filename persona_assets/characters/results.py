"""What interviews come to: counts by system, and where a judge is calibrated means by criterion, with intervals."""

from typing import Any

import numpy as np
import polars as pl

from persona_assets.characters.answers import SHOWN

CALIBRATED = "calibrated"
_CONFIDENCE = 0.99
_ABOUT = ("character_id", "kind", "question")  # what an answer of one system shares with that of another
COUNTS: dict[str, Any] = {
    "system": pl.String,
    "kind": pl.String,
    "characters": pl.Int64,
    "answers": pl.Int64,
    "length": pl.Float64,
    "silent": pl.Int64,
    "flagged": pl.Int64,
    "leaking": pl.Int64,
}
FLAGGED: dict[str, Any] = {"flag": pl.String, "system": pl.String, "kind": pl.String, "turns": pl.Int64}
MEANS: dict[str, Any] = {
    **dict.fromkeys(("criterion", "judge", "system"), pl.String),
    "answers": pl.Int64,
    **dict.fromkeys(("mean", "low", "high", "agreement"), pl.Float64),
}
DIFFERENCES: dict[str, Any] = {
    **dict.fromkeys(("criterion", "judge"), pl.String),
    "questions": pl.Int64,
    **dict.fromkeys(("difference", "low", "high"), pl.Float64),
}


def named(answers: pl.DataFrame) -> pl.DataFrame:
    """Answers whose `system` says where the name of the character was hidden from it."""
    hidden = pl.format("{} (name hidden)", "system")
    return answers.with_columns(system=pl.when(pl.col("named") == SHOWN).then("system").otherwise(hidden))


def counts(answers: pl.DataFrame) -> pl.DataFrame:
    """By system and kind, with the columns of `COUNTS`.

    `length` is the median in words; `silent`, `flagged` and `leaking` count answers, the first those without words.
    `answers` are rows of `interview_answers`, as `named` gives them.
    """
    return (
        answers.group_by("system", "kind")
        .agg(
            characters=pl.col("character_id").n_unique(),
            answers=pl.len(),
            length=pl.col("length").median(),
            silent=(pl.col("length") == 0).sum(),
            flagged=(pl.col("flags").list.len() > 0).sum(),
            leaking=(pl.col("leaks").list.len() > 0).sum(),
        )
        .sort("system", "kind")
        .select(pl.col(name).cast(dtype) for name, dtype in COUNTS.items())
    )


def flagged(answers: pl.DataFrame) -> pl.DataFrame:
    """By flag, system and kind how many turns have it, with the columns of `FLAGGED`."""
    return (
        answers.explode("flags", empty_as_null=True, keep_nulls=True)
        .drop_nulls("flags")
        .group_by("system", "kind", flag="flags")
        .agg(turns=pl.len())
        .sort("flag", "system", "kind")
        .select(pl.col(name).cast(dtype) for name, dtype in FLAGGED.items())
    )


def means(scores: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """The mean score of each system by criterion and calibrated judge, with the columns of `MEANS`.

    The interval is Student's over questions, at 99 %. `scores` are rows of `interview_answers_scores`, `answers` as
    `named` gives them. Scores of a judge that is not calibrated are left out.
    """
    found = []
    rated = _rated(scores, answers)
    for about, part in rated.group_by("criterion", "judge", "system", maintain_order=True):
        by_question = part.group_by(_ABOUT, maintain_order=True).agg(pl.col("score").mean())["score"].to_numpy()
        told = dict(zip(("criterion", "judge", "system"), about, strict=True))
        mean, low, high = interval(by_question)
        found.append(
            told
            | {"answers": part.height, "mean": mean, "low": low, "high": high, "agreement": part["agreement"].mean()}
        )
    return pl.DataFrame(found, schema=MEANS).sort("criterion", "judge", "system")


def differences(scores: pl.DataFrame, answers: pl.DataFrame, first: str, second: str) -> pl.DataFrame:
    """How far the second system lies above the first by criterion and calibrated judge, with those of `DIFFERENCES`.

    The interval, at 99 %, is of the differences of single questions, so that what a question adds to both drops out.
    """
    rated = _rated(scores, answers).group_by("criterion", "judge", "system", *_ABOUT).agg(pl.col("score").mean())
    one, other = (rated.filter(system=name).drop("system") for name in (first, second))
    both = one.join(other, on=("criterion", "judge", *_ABOUT), suffix="_second").sort("criterion", "judge", *_ABOUT)
    found = []
    for (criterion, judge), part in both.group_by("criterion", "judge", maintain_order=True):
        difference, low, high = interval((part["score_second"] - part["score"]).to_numpy())
        told = {"criterion": criterion, "judge": judge, "questions": part.height}
        found.append(told | {"difference": difference, "low": low, "high": high})
    return pl.DataFrame(found, schema=DIFFERENCES)


def _rated(scores: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    about = answers.select("system", *_ABOUT, judged_id="sample_id")
    known = scores.filter(pl.col("standing") == CALIBRATED, pl.col("score").is_not_null())
    return known.join(about, on="judged_id").sort("criterion", "judge", "system", "judged_id")


def interval(values: np.ndarray) -> tuple[float, float | None, float | None]:
    """The mean of values, shape (n,), one at least, and Student's interval of it; of one value there is none."""
    mean = float(np.mean(values))
    if values.size < 2:
        return mean, None, None
    from scipy.special import stdtrit  # where it is needed: it takes a while to load

    error = float(np.std(values, ddof=1)) / values.size**0.5
    half = error * float(stdtrit(values.size - 1, (1 + _CONFIDENCE) / 2))
    return mean, mean - half, mean + half
