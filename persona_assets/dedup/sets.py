"""Token sets of many texts as flat arrays, and the pairs that comparing them yields."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from persona_assets.text.tokens import token_lists

Index = NDArray[np.int64]
Hashes = NDArray[np.uint64]

TOKENISE_ROWS = 131_072  # texts tokenised at once: bounds the memory of their token strings


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
    """n token sets, one after the other: set i is `codes[offsets[i]:offsets[i + 1]]`, ascending.

    A code is a token's place in the vocabulary, rarest token first, so a set's first codes are its rarest tokens.
    `token_hashes[code]` is the token's own 64-bit hash, the same on any machine and in any corpus.
    """

    offsets: Index
    codes: NDArray[np.uint32]
    token_hashes: Hashes

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sizes(self) -> Index:
        """Tokens per set, shape (n,)."""
        sizes: Index = np.diff(self.offsets)
        return sizes

    @property
    def rows(self) -> Index:
        """The set that each code belongs to, shape (len(codes),)."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def token_sums(self, per_token: Hashes) -> Hashes:
        """Sum (modulo 2**64) of a value per vocabulary token over each set, shape (n,)."""
        sums = np.zeros(len(self), np.uint64)
        np.add.at(sums, self.rows, per_token[self.codes])
        return sums

    def first_equal(self) -> Index:
        """For each set the place of the first set that equals it (by a 128-bit hash), shape (n,)."""
        low, high = (self.token_sums(mix(self.token_hashes, salt)) for salt in (1, 2))
        order = np.lexsort((low, high))  # stable: equal sets stay in order of place
        starts = np.ones(len(order), bool)
        starts[1:] = (low[order][1:] != low[order][:-1]) | (high[order][1:] != high[order][:-1])
        first = np.empty(len(order), np.int64)
        first[order] = order[starts][np.cumsum(starts) - 1]
        return first

    def take(self, which: Index) -> "TokenSets":
        """The sets at these places, in this order, over the same vocabulary."""
        sizes = self.sizes[which]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        return TokenSets(offsets, self.codes[spans(self.offsets[which], sizes)], self.token_hashes)


def mix(values: Hashes, salt: int = 0) -> Hashes:
    """A well-stirred 64-bit hash of 64-bit values (the finaliser of splitmix64); `salt` gives another function."""
    with np.errstate(over="ignore"):
        mixed = values + np.uint64((0x9E3779B97F4A7C15 * (salt + 1)) & 0xFFFFFFFFFFFFFFFF)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def spans(starts: Index, lengths: Index) -> Index:
    """All integers of the ranges `[start, start + length)`, one range after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    places: Index = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
    return places


def token_sets(texts: pl.Series) -> TokenSets:
    """The token sets of n texts (1-grams, paper section 2.3); a null or wordless text has the empty set."""
    rows, tokens = _row_tokens(texts)
    vocabulary = pa.chunked_array(tokens, type=pa.large_string()).combine_chunks().dictionary_encode()
    local = np.asarray(vocabulary.indices).astype(np.int64)
    hashes = np.array([_token_hash(token) for token in vocabulary.dictionary.to_pylist()], dtype=np.uint64)
    frequency = np.bincount(local, minlength=len(hashes))
    order = np.lexsort((hashes, frequency))
    code = np.empty(len(order), np.int64)
    code[order] = np.arange(len(order))
    entries = np.sort((rows << 32) | code[local])  # by row, then by code
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(texts)))])
    return TokenSets(offsets, (entries & 0xFFFFFFFF).astype(np.uint32), hashes[order])


def _row_tokens(texts: pl.Series) -> tuple[Index, list[pa.Array]]:
    """Every unique token of every text: the text's place, and the token."""
    rows: list[Index] = [np.zeros(0, np.int64)]
    tokens: list[pa.Array] = []
    for start in range(0, len(texts), TOKENISE_ROWS):
        lists = token_lists(texts.slice(start, TOKENISE_ROWS)).list.unique()
        lengths = lists.list.len().to_numpy()
        rows.append(np.repeat(np.arange(start, start + len(lists)), lengths))
        strings = lists.filter(lists.list.len() > 0).explode()
        tokens.append(strings.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_string()))
    return np.concatenate(rows), tokens


def _token_hash(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest(), "big")
