"""Words in a row of many texts as 64-bit hashes: what finds a shared piece, at the speed of NumPy.

The hash of n words from place i on is a polynomial in their hashes, so that one running sum serves every n. Equal words
have equal hashes; that unequal ones have none in common is nowhere relied on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.text.token_hashes import Hashes, Index, hashed_token_runs, mix

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_INVERSE = pow(_BASE, -1, 1 << 64)
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}&&[\p{L}\p{N}]]"
PIECE_WORDS = 1 << 22  # of a batch that is hashed at once: some 200 MB


@dataclass(frozen=True)
class Runs:
    """The words of n texts as hashes: offsets (n + 1,) into hashes; `unspaced` (n,) letters that are words alone."""

    offsets: Index
    hashes: Hashes
    unspaced: Index

    @classmethod
    def of(cls, texts: pl.Series) -> "Runs":
        """The words of normalised texts."""
        unspaced = np.zeros(len(texts), np.int64)
        foreign = np.flatnonzero(texts.str.len_bytes() != texts.str.len_chars())
        if len(foreign):
            unspaced[foreign] = texts.gather(foreign).str.count_matches(_UNSPACED).to_numpy()
        return cls(*hashed_token_runs(texts), unspaced)

    @property
    def sizes(self) -> Index:
        """Words of each text."""
        sizes: Index = np.diff(self.offsets)
        return sizes

    def pieces(self) -> Iterator[tuple[int, "Runs"]]:
        """Parts of whole texts, each with the number of its first one: a batch of long texts stays in memory."""
        start = 0
        while start < len(self.sizes):
            fit = int(np.searchsorted(self.offsets, self.offsets[start] + PIECE_WORDS, "right")) - 1
            end = max(fit, start + 1)
            low, high = self.offsets[start], self.offsets[end]
            part = Runs(self.offsets[start : end + 1] - low, self.hashes[low:high], self.unspaced[start:end])
            yield start, part
            start = end


class Grams:
    """All runs of n words of some texts, for any n."""

    def __init__(self, runs: Runs) -> None:
        """Of these texts."""
        sizes = runs.sizes
        self.runs, count = runs, len(runs.hashes)
        self.text = np.repeat(np.arange(len(sizes)), sizes)  # of each word
        self._left = np.repeat(runs.offsets[1:], sizes) - np.arange(count)  # words from it to the end of its text
        self._unspaced = (runs.unspaced > 0)[self.text] if runs.unspaced.any() else None
        powers, self._inverses = _powers(1 << max(count - 1, 0).bit_length())
        self._sums = np.zeros(count + 1, np.uint64)
        np.cumsum(runs.hashes * powers[:count], out=self._sums[1:])

    def of(self, size: int, *, unspaced: bool) -> tuple[Index, Hashes]:
        """The places of the words that `size` words begin at, ascending, and the hash of each such run.

        `unspaced`: only of texts that have letters which are words alone.
        """
        fits = self._left >= size
        if unspaced:
            if self._unspaced is None:
                return np.zeros(0, np.int64), np.zeros(0, np.uint64)
            fits &= self._unspaced
        places = np.flatnonzero(fits)
        sums = (self._sums[places + size] - self._sums[places]) * self._inverses[places]
        return places, mix(sums, size)

    def around(self, places: Index, size: int) -> Hashes:
        """For runs of `size` words a hash of the words on either side, as many again, as far as the text has them."""
        starts, ends = self.runs.offsets[self.text[places]], places + self._left[places]
        before, behind = np.maximum(places - size, starts), np.minimum(places + 2 * size, ends)
        left = (self._sums[places] - self._sums[before]) * self._inverses[before]
        after = np.minimum(places + size, len(self._inverses) - 1)  # the last run has nothing behind it
        right = (self._sums[behind] - self._sums[places + size]) * self._inverses[after]
        return mix(mix(left) ^ right, size)


@lru_cache(maxsize=2)
def _powers(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The powers of the base and of its inverse, modulo 2^64."""
    powers = np.full((2, count), np.uint64(1))
    powers[0, 1:], powers[1, 1:] = np.uint64(_BASE), np.uint64(_INVERSE)
    np.cumprod(powers, axis=1, out=powers)
    return powers[0], powers[1]
