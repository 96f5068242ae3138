"""How right a set of survivors is, against brute force on a sample.

Lexical: 1,000 sampled rows (half of them any rows, half of those that some contender flagged) are compared with all rows
by exact Jaccard on token sets; a *neighbour* is a row at the threshold or above. Semantic: the same with all rows and
all cosines. By a contender's own survivors a sampled row is

- *right*: flagged, and a neighbour of it is kept;
- *wrong*: flagged, and no neighbour of it is kept: what it said is lost, or was said by no other row at all;
- *missed*: kept, and a neighbour before it is kept too.

precision = right / (right + wrong); recall = right / (right + missed), the share of rows that must go which went;
left = the share of the sampled rows' neighbour pairs of which both are kept. So a contender is held to no order: any
greedy choice in any order has recall and precision 1. Rows that every contender overlooks are in the sample only by
its first half.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import csr_array

from persona_assets.text.tokens import token_lists

SAMPLE = 500  # rows of each half: a share of 0.9 is then known to about 0.02
CHUNK = 20_000  # texts compared with the sample at once: 80 MB of counts
BLOCK = 1024  # rows of cosines at once

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Neighbours:
    """Pairs (sampled row, other row) that are near, both ways where both are sampled; and the sample."""

    sample: Rows
    row: Rows
    other: Rows


@dataclass(frozen=True)
class Score:
    """Shares of the definition above; None where there is nothing to take a share of."""

    recall: float | None
    precision: float | None
    left: float | None


def draw_sample(kept: Sequence[Mask], seed: int, size: int = SAMPLE) -> Rows:
    """`size` rows of all and `size` of those that are flagged in any of `kept`, or as many as there are; sorted."""
    random = np.random.default_rng(seed)
    rows = len(kept[0])
    flagged = np.flatnonzero(~np.logical_and.reduce(kept))
    halves = [random.choice(pool, min(size, len(pool)), replace=False) for pool in (np.arange(rows), flagged)]
    return np.unique(np.concatenate(halves))


def lexical_neighbours(file: Path, sample: Rows, threshold: float) -> Neighbours:
    """Rows of the file's column `text` with Jaccard >= threshold to each sampled row, by looking at all of them."""
    reader = pq.ParquetFile(file)
    sampled = pl.read_parquet(file, columns=["text"])["text"].gather(sample)
    entries, sizes = _token_entries(sampled)
    vocabulary = entries.select("token").unique().sort("token").with_row_index("code")
    own = _matrix(entries, vocabulary, len(sample)).toarray().T
    found: list[tuple[Rows, Rows]] = []
    start = 0
    for batch in reader.iter_batches(CHUNK, columns=["text"]):
        texts = pl.Series(batch.column("text"))
        near = _near(texts, vocabulary, own, sizes, threshold)
        found.append((sample[near[1]], near[0] + start))
        start += len(texts)
    return _without_self(sample, *(np.concatenate(side) for side in zip(*found, strict=True)))


def cosine_neighbours(vectors: NDArray[np.float32], threshold: float) -> Neighbours:
    """All pairs of unit vectors with cosine >= threshold, for all rows."""
    found: list[tuple[Rows, Rows]] = []
    for start in range(0, len(vectors), BLOCK):
        row, other = np.nonzero(vectors[start : start + BLOCK] @ vectors.T >= threshold)
        found.append((row + start, other))
    return _without_self(np.arange(len(vectors)), *(np.concatenate(side) for side in zip(*found, strict=True)))


def score(near: Neighbours, kept: Mask) -> Score:
    """Recall, precision and pairs left of one contender's survivors."""
    beside_kept, after_kept = np.zeros(len(kept), bool), np.zeros(len(kept), bool)
    beside_kept[near.row[kept[near.other]]] = True
    after_kept[near.row[kept[near.other] & (near.other < near.row)]] = True
    sample = near.sample
    right = int((~kept & beside_kept)[sample].sum())
    flagged = int((~kept)[sample].sum())
    missed = int((kept & after_kept)[sample].sum())
    left = int((kept[near.row] & kept[near.other]).sum())
    return Score(_share(right, right + missed), _share(right, flagged), _share(left, len(near.row)))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _without_self(sample: Rows, row: Rows, other: Rows) -> Neighbours:
    return Neighbours(sample, row[row != other], other[row != other])


def _token_entries(texts: pl.Series) -> tuple[pl.DataFrame, Rows]:
    """Each unique token of each text as (row, token), and the number of them per text."""
    lists = token_lists(texts).list.unique()
    entries = pl.DataFrame({"token": lists}).with_row_index("row").explode("token").drop_nulls()
    return entries, lists.list.len().to_numpy().astype(np.int64)


def _matrix(entries: pl.DataFrame, vocabulary: pl.DataFrame, rows: int) -> csr_array:
    """Which text has which token of the vocabulary, shape (rows, tokens), as ones."""
    known = entries.join(vocabulary, on="token", how="inner")
    ones = np.ones(len(known), np.float32)
    return csr_array((ones, (known["row"].to_numpy(), known["code"].to_numpy())), (rows, len(vocabulary)))


def _near(
    texts: pl.Series, vocabulary: pl.DataFrame, own: NDArray[np.float32], own_sizes: Rows, threshold: float
) -> tuple[Rows, Rows]:
    """Places of texts, and of sampled texts, that are near each other."""
    entries, sizes = _token_entries(texts)
    shared = _matrix(entries, vocabulary, len(texts)) @ own
    # At most the smaller set is shared, so this leaves few; the exact quotient then decides.
    text, sampled = np.nonzero((shared > 0) & (shared >= threshold * np.maximum(sizes[:, None], own_sizes) - 0.01))
    both = shared[text, sampled].astype(np.float64)
    near = both / (sizes[text] + own_sizes[sampled] - both) >= threshold
    return text[near], sampled[near]


def named_precision(
    verdicts: pl.DataFrame, texts: pl.Series, vectors: NDArray[np.float32], threshold: float, rounding: float
) -> float | None:
    """Share of the removed rows whose named survivor is kept and within the threshold, by Jaccard or by cosine."""
    removed = verdicts.filter(~pl.col("keep"))
    row, survivor = removed["row"].to_numpy(), removed["survivor"].to_numpy()
    cosine = np.einsum("ij,ij->i", vectors[row], vectors[survivor])
    sets = [set(tokens) for tokens in token_lists(texts).to_list()]
    pairs = zip(row.tolist(), survivor.tolist(), strict=True)
    jaccard = np.array([len(sets[one] & sets[other]) / max(len(sets[one] | sets[other]), 1) for one, other in pairs])
    near = (cosine >= threshold - rounding) | (jaccard >= threshold)
    return _share(int((near & verdicts["keep"].to_numpy()[survivor]).sum()), len(removed))
