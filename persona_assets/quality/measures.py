"""Measures of diversity, over texts and over unit vectors. All are functions of their arguments alone.

Tokens are those of `text.tokens`: words, and characters of scripts without spaces.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.text.tokens import token_lists

Vectors = NDArray[np.floating]
Gram = tuple[str, ...]

LONGEST = 4  # words of an n-gram that BLEU counts
CELLS = 64  # regions that coverage counts
_ROUNDS = 12  # of k-means


def distinct(texts: pl.Series, n: int) -> float | None:
    """Different n-grams per n-gram (distinct-n, Li et al. 2016), 0 to 1; None where there is none.

    It falls with the number of texts: compare only samples of one size.
    """
    grams = Counter(gram for tokens in token_lists(texts).to_list() for gram in _grams(tokens, n))
    return len(grams) / grams.total() if grams else None


def self_bleu(texts: pl.Series) -> float | None:
    """The mean BLEU-4 of each text with all others as its references (Zhu et al. 2018), 0 to 1; None for one text.

    Precisions of 0 count as 1 of twice the n-grams, as in smoothing by epsilon; a text of fewer than four tokens is
    scored by the n-grams that it has. Time is linear in the n-grams: the largest and the second largest count of each
    are all that clipping needs.
    """
    tokens = [one for one in token_lists(texts).to_list() if one]
    if len(tokens) < 2:
        return None
    logs, orders = np.zeros(len(tokens)), np.zeros(len(tokens))
    for n in range(1, LONGEST + 1):
        matched, total = _clipped([Counter(_grams(one, n)) for one in tokens])
        there = total > 0
        precision = np.where(matched > 0, matched, 0.5) / np.maximum(total, 1)
        logs += np.where(there, np.log(precision), 0)
        orders += there
    return float(np.mean(_brevity(np.array([len(one) for one in tokens])) * np.exp(logs / orders)))


def _grams(tokens: Sequence[str], n: int) -> list[Gram]:
    return [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]


def _clipped(counts: Sequence[Counter[Gram]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By text the n-grams that another text has as often, and all."""
    first: dict[Gram, tuple[int, int]] = {}  # the largest count, and whose it is
    second: dict[Gram, int] = {}
    for number, count in enumerate(counts):
        for gram, times in count.items():
            most, whose = first.get(gram, (0, -1))
            if times > most:
                second[gram] = most
                first[gram] = (times, number)
            else:
                second[gram] = max(second.get(gram, 0), times)
                first[gram] = (most, whose)
    matched = [
        sum(min(times, second[gram] if first[gram][1] == number else first[gram][0]) for gram, times in count.items())
        for number, count in enumerate(counts)
    ]
    return np.array(matched, float), np.array([count.total() for count in counts], float)


def _brevity(lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """BLEU's penalty by text, for the nearest length of another text; of two as near the shorter one."""
    order = np.argsort(lengths, kind="stable")
    ranked = lengths[order].astype(float)
    below, above = np.concatenate([[-np.inf], ranked[:-1]]), np.concatenate([ranked[1:], [np.inf]])
    nearest = np.where(ranked - below <= above - ranked, below, above)
    penalty = np.empty(len(lengths))
    penalty[order] = np.where(nearest > ranked, np.exp(1 - nearest / ranked), 1)
    return penalty


class Vendi:
    """The Vendi score (Friedman and Dieng 2023) with cosines: how many different texts the vectors amount to.

    From 1, where all are the same, to their number, where no two have anything in common. It is the exponential of the
    entropy of the eigenvalues of the similarity matrix over n; those are the eigenvalues of the d x d matrix that is
    summed here, so that any number of vectors takes the memory of one matrix.
    """

    def __init__(self) -> None:
        """No vector yet."""
        self._sum: NDArray[np.float64] | None = None
        self.count = 0

    def add(self, vectors: Vectors) -> None:
        """Add unit vectors, shape (n, d)."""
        if len(vectors):
            wide = vectors.astype(np.float32)
            product = (wide.T @ wide).astype(np.float64)
            self._sum = product if self._sum is None else self._sum + product
            self.count += len(wide)

    @property
    def score(self) -> float | None:
        """The score of all that were added; None where there are none."""
        if self._sum is None:
            return None
        values = np.linalg.eigvalsh(self._sum / self._sum.trace())
        positive = values[values > 1e-12]
        return float(math.exp(-np.sum(positive * np.log(positive))))


def regions(vectors: Vectors, cells: int = CELLS) -> NDArray[np.float32]:
    """Centres of regions that unit vectors (n, d) fall into, shape (at most `cells`, d), by spherical k-means.

    It begins with vectors that are far from one another, the first one first, and draws nothing by chance.
    """
    wide = vectors.astype(np.float32)
    centres = _spread(wide, min(cells, len(wide)))
    for _ in range(_ROUNDS):
        nearest = region_of(wide, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, wide)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        moved = np.where(norms > 0, sums / np.maximum(norms, 1e-12), centres).astype(np.float32)
        if np.allclose(moved, centres):
            break
        centres = moved
    return centres


def _spread(vectors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Some of the vectors, each the farthest from those before it; fewer where the rest are the same as one of them."""
    chosen, nearest = [0], vectors @ vectors[0]
    while len(chosen) < count:
        place = int(nearest.argmin())
        if nearest[place] > 1 - 1e-6:
            break
        chosen.append(place)
        nearest = np.maximum(nearest, vectors @ vectors[place])
    return vectors[chosen].copy()


def region_of(vectors: Vectors, centres: NDArray[np.float32]) -> NDArray[np.int64]:
    """The place of the nearest centre of each vector."""
    return np.asarray((vectors.astype(np.float32) @ centres.T).argmax(axis=1), np.int64)


def similarity_at(
    causes: Vectors, products: Vectors, levels: Sequence[float], width: float
) -> list[tuple[float, int, float | None]]:
    """For each level the pairs whose causes are so similar, and how similar their products are (Persona Hub, 4.1).

    `causes` and `products` are unit vectors, (n, d) and (n, e), row by row. A level's pairs have a cosine of causes
    within `width` of it. Gives level, pairs and the mean cosine of the products, None where there is no pair.
    """
    one, other = np.triu_indices(len(causes), 1)
    between = (causes.astype(np.float32) @ causes.astype(np.float32).T)[one, other]
    found: list[tuple[float, int, float | None]] = []
    wide = products.astype(np.float32)
    for level in levels:
        near = np.flatnonzero(np.abs(between - level) <= width)
        cosine = np.einsum("ij,ij->i", wide[one[near]], wide[other[near]]) if len(near) < len(wide) ** 2 else None
        found.append((level, len(near), float(cosine.mean()) if cosine is not None and len(near) else None))
    return found
