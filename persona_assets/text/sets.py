"""Token sets of many texts as flat arrays, and the pairs that comparing them yields."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.text.token_hashes import Hashes, Index, hashed_token_sets, in_threads, mix

SLICE_TOKENS = 1 << 19  # tokens that one step of a computation over sets holds: fits a core's cache, bounds memory


@dataclass(frozen=True)
class Pairs:
    """Pairs `left < right` (each of shape (p,), int64) with their similarity (float64), each pair once."""

    left: Index
    right: Index
    similarity: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.left)

    def where(self, wanted: NDArray[np.bool_]) -> "Pairs":
        """The pairs that a mask of shape (p,) selects."""
        return Pairs(self.left[wanted], self.right[wanted], self.similarity[wanted])

    def unique(self) -> "Pairs":
        """Each pair once, sorted by (left, right)."""
        order = np.lexsort((self.right, self.left))
        first = np.ones(len(order), bool)
        left, right = self.left[order], self.right[order]
        first[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
        return Pairs(left[first], right[first], self.similarity[order][first])

    @classmethod
    def empty(cls) -> "Pairs":
        """No pairs."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))

    @classmethod
    def concat(cls, parts: Sequence["Pairs"]) -> "Pairs":
        """The pairs of all parts, in order."""
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([part.left for part in parts]),
            np.concatenate([part.right for part in parts]),
            np.concatenate([part.similarity for part in parts]),
        )


@dataclass(frozen=True)
class TokenSets:
    """n token sets, one after the other: set i is `tokens[offsets[i]:offsets[i + 1]]`, 64-bit hashes, ascending."""

    offsets: Index
    tokens: Hashes

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sizes(self) -> Index:
        """Tokens per set, shape (n,)."""
        sizes: Index = np.diff(self.offsets)
        return sizes

    def reduced(self, function: np.ufunc, per_token: Hashes) -> Hashes:
        """A value per token reduced over each set, shape (n,); 0 for a set without tokens."""
        reduced = np.zeros(len(self), np.uint64)
        filled = self.offsets[:-1] < self.offsets[1:]
        if filled.any():
            reduced[filled] = function.reduceat(per_token, self.offsets[:-1][filled])
        return reduced

    def whole_hashes(self) -> tuple[Hashes, Hashes]:
        """Two hashes of each whole set, each of shape (n,): sets with both equal are taken for equal."""

        def of_slice(item: tuple[int, TokenSets]) -> tuple[Hashes, Hashes]:
            _, part = item
            return part.reduced(np.add, mix(part.tokens, 1)), part.reduced(np.add, mix(part.tokens, 2))

        slices = in_threads(of_slice, self.slices())
        none = np.zeros(0, np.uint64)
        return np.concatenate([none, *(one for one, _ in slices)]), np.concatenate([none, *(two for _, two in slices)])

    def where(self, wanted: NDArray[np.bool_]) -> "TokenSets":
        """The sets that a mask of shape (n,) selects."""
        sizes = self.sizes
        offsets = ends_of(sizes[wanted])
        tokens = np.empty(offsets[-1], np.uint64)
        places = ends_of(wanted.astype(np.int64))  # of each set among the wanted ones

        def of_slice(item: tuple[int, TokenSets]) -> None:
            start, part = item
            end = start + len(part)
            kept = part.tokens[np.repeat(wanted[start:end], sizes[start:end])]
            tokens[offsets[places[start]] : offsets[places[end]]] = kept

        in_threads(of_slice, self.slices())
        return TokenSets(offsets, tokens)

    def take(self, which: Index) -> "TokenSets":
        """The sets at these places, in this order."""
        sizes = self.sizes[which]
        return TokenSets(ends_of(sizes), self.tokens[spans(self.offsets[which], sizes)])

    def slices(self) -> Iterator[tuple[int, "TokenSets"]]:
        """Runs of sets with about SLICE_TOKENS tokens, without a copy, each with the place of its first set."""
        start = 0
        while start < len(self):
            fit = int(np.searchsorted(self.offsets, self.offsets[start] + SLICE_TOKENS, "right")) - 1
            end = max(fit, start + 1)
            offsets = self.offsets[start : end + 1]
            yield start, TokenSets(offsets - offsets[0], self.tokens[offsets[0] : offsets[-1]])
            start = end

    @classmethod
    def concat(cls, parts: Sequence["TokenSets"]) -> "TokenSets":
        """The sets of all parts, in order."""
        sizes = [np.zeros(0, np.int64), *(part.sizes for part in parts)]
        return cls(ends_of(np.concatenate(sizes)), np.concatenate([np.zeros(0, np.uint64), *(p.tokens for p in parts)]))


def ends_of(sizes: Index) -> Index:
    """Where each of n runs of these sizes begins, and where the last one ends, shape (n + 1,)."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])


def spans(starts: Index, lengths: Index) -> Index:
    """All integers of the ranges `[start, start + length)`, one range after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    places: Index = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
    return places


def token_sets(texts: pl.Series) -> TokenSets:
    """The token sets of n texts (1-grams, paper section 2.3); a null or blank text has the empty set."""
    return TokenSets(*hashed_token_sets(texts))


def first_equal(low: Hashes, high: Hashes) -> Index:
    """For each set the place of the first set with the same two hashes, shape (n,)."""
    order = np.argsort(low, kind="stable")
    same = low[order][1:] == low[order][:-1]
    if (same & (high[order][1:] != high[order][:-1])).any():  # one hash does not do
        order = np.lexsort((low, high))
        same = (low[order][1:] == low[order][:-1]) & (high[order][1:] == high[order][:-1])
    starts = np.append(True, ~same)[: len(order)]
    first = np.empty(len(order), np.int64)
    first[order] = order[starts][np.cumsum(starts) - 1]
    return first
