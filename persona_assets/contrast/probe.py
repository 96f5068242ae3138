"""The stance probe: whether the meaning of two answers tells which pole gave which.

A ridge regression learns from the difference of the vectors of two answers which of them is which, and says it of pairs
that it has not seen. Where the poles differ in manner throughout, it is right for nearly all of them; where answers
differ by chance, for half. Each pair counts in both orders, so there is nothing to learn from the order itself: the
model has no intercept, and says of (other, one) the opposite of what it says of (one, other).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from persona_assets.surveys.shares import wilson
from persona_assets.text.encoder import Vectors

FOLDS = 5
LEAST = 200  # instructions whose answers differ; of fewer, nothing is learned that holds for others
RIDGE = 1.0  # added to the squares; vectors have the length 1
EXAMPLES = 10  # pairs that it took for others which are named
SHUFFLES = 20  # of the labels: what the probe would say where there is nothing to tell


@dataclass(frozen=True)
class Probe:
    """What the probe says of held-out pairs, each of which is held out once."""

    pairs: int
    accuracy: float  # share of the pairs whose poles it tells apart; one that it is of two minds about counts half
    low: float  # the 95 % interval of this share (Wilson)
    high: float
    shuffled: float  # the same share where the labels it learns and is held to are drawn by chance, mean of SHUFFLES
    taken: tuple[int, ...] = ()  # places of pairs of which it takes one pole for the other, the surest first, EXAMPLES

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {name: round(value, 4) for name, value in vars(self).items() if name != "taken"}


def stance_probe(differences: Vectors, instructions: Sequence[str], seed: int = 0) -> Probe | None:
    """How well poles are told apart; None, "not measured", where fewer than `LEAST` instructions have unlike answers.

    `differences` are the vectors of one pole minus those of the other, shape (pairs, dimension). All pairs of one
    instruction are held out together. The same arguments give the same result, and the order of rows draws no folds.
    """
    unlike = differences.any(axis=1)
    rows = differences[unlike].astype(np.float64)
    asked = pl.Series("instruction", list(instructions), pl.String).filter(pl.Series(unlike))
    groups = asked.rank("dense").to_numpy().astype(np.int64) - 1
    count = int(groups.max(initial=-1)) + 1
    if count < LEAST:
        return None
    chance = np.random.default_rng(seed)
    fold = (chance.permutation(count) % FOLDS)[groups]
    # The first column is the truth. The squares of the rows are the same whatever the signs: one solution serves all.
    labels = np.hstack([np.ones((len(rows), 1)), chance.choice([-1.0, 1.0], (len(rows), SHUFFLES))])
    said = np.empty_like(labels)
    for one in range(FOLDS):
        held = fold == one
        seen = rows[~held]
        squares = seen.T @ seen + RIDGE * np.eye(rows.shape[1])
        said[held] = rows[held] @ np.linalg.solve(squares, seen.T @ labels[~held])
    right = ((np.sign(said * labels) + 1) / 2).mean(axis=0)
    accuracy = float(right[0])
    surest = np.argsort(said[:, 0], kind="stable")[:EXAMPLES]
    taken = tuple(np.flatnonzero(unlike)[surest[said[surest, 0] < 0]].tolist())
    return Probe(len(rows), accuracy, *wilson(accuracy, len(rows)), float(right[1:].mean()), taken)
