"""The tables of items and grades: their columns, and the names that stand in them."""

from typing import Any

import polars as pl

MATHS, CONSTRAINTS, LOSS, PREFERENCE = "maths", "constraints", "loss", "preference"
KINDS = (MATHS, CONSTRAINTS, LOSS, PREFERENCE)
BASE, TUNED = "base", "tuned"
CHOSEN, REJECTED = "chosen", "rejected"
NO_CHECKER = "no_checker"  # why an item is not asked: no program can check what its answer is held to

ITEMS: dict[str, Any] = {
    "row_id": pl.String,  # of the row itself; grades say which rows they came from
    "item_id": pl.String,  # the same for every system and seed
    "suite": pl.String,
    "kind": pl.String,
    "stratum": pl.String,
    "problem_kind": pl.String,  # items that one answer may fit, as they are asked alike
    "family": pl.String,  # items that are not independent, as those of a page; null: the item alone
    "language": pl.String,
    "system": pl.String,
    "seed": pl.Int64,
    "gold": pl.String,
    "rote": pl.String,  # what somebody says who always gives the commonest answer of the kind in training
    "prompt": pl.String,
    "request": pl.String,  # what an answer is to repeat, where that is not all of the prompt
    "group": pl.String,
    "role": pl.String,
    "answer": pl.String,
    "logprob": pl.Float64,
    "tokens": pl.Int64,
}
GRADES: dict[str, Any] = {
    **{name: ITEMS[name] for name in ("item_id", "suite", "kind", "stratum", "problem_kind", "family", "language")},
    **{name: ITEMS[name] for name in ("system", "seed", "gold", "rote")},
    "value": pl.Float64,
    "weight": pl.Float64,
    "verdict": pl.String,
    "found": pl.String,
    "margin": pl.Float64,
    "row_ids": pl.List(pl.String),
}
NULLABLE = ("stratum", "problem_kind", "seed", "gold", "rote", "value", "verdict", "found", "margin")
