"""Answerers whose traits are known, many runs at once, and what their answers come to."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.questionnaires.answers import of_forms, scored_items
from persona_assets.questionnaires.scores import scored, types

Values = NDArray[np.int64]
Answerer = Callable[[pl.DataFrame, np.random.Generator], NDArray[np.float64]]


def asked(items: pl.DataFrame, runs: int) -> pl.DataFrame:
    """Every item on both scales in each of some runs, in the order in which it is shown."""
    every = items.with_columns(sample_id=pl.col("item"))
    scales = pl.DataFrame({"scale": ["rising", "falling"]})
    return every.join(scales, how="cross").join(pl.DataFrame({"attempt": range(runs)}), how="cross")


def answered(items: pl.DataFrame, runs: int, answerer: Answerer, seed: int = 0) -> pl.DataFrame:
    """The types over `runs` runs of an answerer, which gives a number of the scale, or NaN for none."""
    return types(scores(items, runs, answerer, seed), scored_items(items))


def scores(items: pl.DataFrame, runs: int, answerer: Answerer, seed: int = 0) -> pl.DataFrame:
    """The scores of an answerer's runs."""
    rows = asked(items, runs)
    given = pl.Series(answerer(rows, np.random.default_rng(seed))).fill_nan(None).cast(pl.Int64)
    answers = rows.select(
        "language", "scale", "attempt", answer=given, sample_id=pl.format("{}/{}/{}", "item", "scale", "attempt"),
        parent_ids=pl.concat_list("sample_id"), model=pl.lit("someone"),
    )  # fmt: skip
    named = items.with_columns(sample_id=pl.col("item"))
    return scored(of_forms(answers, named), scored_items(named))


def shown(rows: pl.DataFrame, agrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """The number on the scale as it is shown that stands for an agreement from 0 to 1."""
    least, most = (rows[name].to_numpy() for name in ("least", "most"))
    share = np.where(rows["scale"].to_numpy() == "rising", agrees, 1 - agrees)
    return np.rint(least + share * (most - least))


def uniform(rows: pl.DataFrame, rng: np.random.Generator) -> NDArray[np.float64]:
    """Any number of the scale."""
    return rng.integers(rows["least"].to_numpy(), rows["most"].to_numpy() + 1).astype(np.float64)


def of_type(wanted: str, *, replaced: float = 0.1, strength: float = 1.0) -> Answerer:
    """One that agrees with the items of a type and with no other; a share of the answers is drawn uniformly instead."""

    def answerer(rows: pl.DataFrame, rng: np.random.Generator) -> NDArray[np.float64]:
        pole = rows.select(
            pl.when(pl.col("toward") > 0).then("second_pole").otherwise("first_pole")
        ).to_series().to_list()  # fmt: skip
        agrees = np.array([one in wanted for one in pole]) * strength + (1 - strength) / 2
        return np.where(rng.random(rows.height) < replaced, uniform(rows, rng), shown(rows, agrees))

    return answerer


def yes_sayer(rows: pl.DataFrame, rng: np.random.Generator) -> NDArray[np.float64]:
    """Agrees with everything, mostly in full."""
    return shown(rows, np.where(rng.random(rows.height) < 0.1, 5 / 6, 1.0))


def always_middle(rows: pl.DataFrame, _: np.random.Generator) -> NDArray[np.float64]:
    return shown(rows, np.full(rows.height, 0.5))


def always_first(rows: pl.DataFrame, _: np.random.Generator) -> NDArray[np.float64]:
    return rows["least"].to_numpy().astype(np.float64)


def all_refusing(rows: pl.DataFrame, _: np.random.Generator) -> NDArray[np.float64]:
    return np.full(rows.height, np.nan)


def self_contradicting(rows: pl.DataFrame, rng: np.random.Generator) -> NDArray[np.float64]:
    """Says of every item on one scale the opposite of what it says on the other."""
    first = rng.random(rows.height) < 0.5
    by_item = {(item, run): one for item, run, one in zip(rows["item"], rows["attempt"], first, strict=True)}
    side = np.array([by_item[key] for key in zip(rows["item"], rows["attempt"], strict=True)])
    return shown(rows, (side == (rows["scale"].to_numpy() == "rising")).astype(np.float64))


def contradicts_by_item(rows: pl.DataFrame, rng: np.random.Generator) -> NDArray[np.float64]:
    """Holds, by item and for good, either fully with a statement or fully against it."""
    sides = {item: rng.random() < 0.5 for item in rows["item"].unique(maintain_order=True)}
    by_run = {
        (item, run): sides[item] ^ (rng.random() < 0.5) for item, run in zip(rows["item"], rows["attempt"], strict=True)
    }
    return shown(rows, np.array([float(by_run[key]) for key in zip(rows["item"], rows["attempt"], strict=True)]))
