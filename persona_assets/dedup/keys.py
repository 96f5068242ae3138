"""Blocking keys: two sets that are near share a key (surely, or with a stated probability), so only those are compared.

Three schemes behind one function, `blocking_keys`. All give a table of keys and sets, which everything after treats
alike: one 64-bit number per entry, the upper `64 - ROW_BITS` bits of the key and the number of the set, so that sorting
numbers sorts by key. That keys share their upper bits by chance costs a comparison of two sets now and then.

*Parts* (exact, thresholds from 0.8): sets x and y with J(x, y) >= t have at least o = ceil(t / (1 + t) * (|x| + |y|))
tokens in common, so they differ in at most d = |x| + |y| - 2 o tokens. With tokens split into d + 1 parts by hash, one
part at least has no differing token and is identical in both: each part gives one key. A set emits keys for every d
that it can meet, which is one or two for a short text.
*Prefix* (exact, below 0.8, where parts would shrink to nothing): with the tokens of all sets in one order, x and y
share one of the first |x| - ceil(t * |x|) + 1 tokens of x. The order is that of the hashes, common words last, the
same in any corpus.
*MinHash* (`text/minhash.py`): bands of a signature, with the recall that the settings ask for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.text.minhash import band_keys, expected_recall
from persona_assets.text.sets import TokenSets, spans, token_sets
from persona_assets.text.token_hashes import Hashes, Index, in_threads, joined, mix

Strategy = Literal["exact", "minhash", "paper"]
PARTS_FROM = 0.8  # below it parts hold so few tokens that many are empty
LEVELS = 3  # further splits tried for sets with an empty part before the empty part itself becomes a key
ROW_BITS = 24  # of an entry, for the number of its set
MOST_SETS = 1 << ROW_BITS
_ROW_BITS = np.uint64(ROW_BITS)
TOLERANCE = 1e-9  # rounding of t must not lower d or raise a prefix bound
# Words so common in descriptions of people that sharing one says nothing: last in the order of tokens.
COMMON = """a an the and or of in on at to for from by with without about into over as is are was be been being has have
had who whose whom that which this these those their his her its they he she it not no but if so than also very more
most new old young former retired aspiring experienced passionate dedicated professional local small large work works
working interested seeking looking wants needs helps lives using student teacher professor engineer manager owner
developer researcher artist writer и в на с по из для который которая что не он она они его её как от о к у 的 一 在 了
是 和 有 人 中 为 个 名 位 者""".split()  # noqa: SIM905 - words, not code


@dataclass(frozen=True)
class Scheme:
    """How near pairs are found: what a stored key depends on."""

    strategy: Strategy
    threshold: float
    recall: float = 0.99  # that MinHash bands are chosen for, at the threshold

    @classmethod
    def of(cls, strategy: str, threshold: float, recall: float) -> "Scheme":
        """The scheme of a strategy by its name; `auto` is exact where that is fast, else MinHash."""
        if strategy == "auto":
            strategy = "exact" if threshold >= PARTS_FROM else "minhash"
        return cls(cast(Strategy, strategy), threshold, recall)

    @property
    def is_exact(self) -> bool:
        """Whether no pair within the threshold is missed."""
        return self.strategy == "exact"

    def recall_of(self, similarity: NDArray[np.float64]) -> float:
        """Estimated share of the near pairs that were found, from the similarities of those that were."""
        return 1.0 if self.is_exact else expected_recall(self.threshold, self.recall, similarity)


def blocking_keys(sets: TokenSets, scheme: Scheme) -> Hashes:
    """Entries (k,), in no order: keys of all sets such that every pair of sets within the threshold shares one.

    Equal sets need not share a key: they are collapsed before. Sets without tokens have none.
    """

    def of_slice(item: tuple[int, TokenSets]) -> Hashes:
        start, part = item
        if scheme.is_exact:
            exact = _parts if scheme.threshold >= PARTS_FROM else _prefixes
            found = list(exact(part, scheme.threshold))
        else:
            found = [band_keys(part, scheme.threshold, scheme.recall)]
        return np.concatenate([np.zeros(0, np.uint64), *(entries(keys, start + rows) for keys, rows in found)])

    return joined(in_threads(of_slice, sets.slices()))


def entries(keys: Hashes, rows: Index) -> Hashes:
    """Keys and the sets that they belong to, in one number each."""
    return keys >> _ROW_BITS << _ROW_BITS | rows.astype(np.uint64)


def keys_of(made: Hashes) -> Hashes:
    """The keys of entries."""
    return made >> _ROW_BITS


def rows_of(made: Hashes) -> Index:
    """The sets of entries."""
    return (made & np.uint64(MOST_SETS - 1)).astype(np.int64)


def with_keys(keys: Hashes, rows: Index) -> Hashes:
    """Entries of keys that `keys_of` gave."""
    return keys << _ROW_BITS | rows.astype(np.uint64)


def most_differences(sizes: Index, other: Index, threshold: float) -> Index:
    """How many tokens sets of these sizes may differ in and be within the threshold; -1 where they can't be."""
    total = sizes + other
    overlap = np.ceil(threshold / (1 + threshold) * total - TOLERANCE).astype(np.int64)
    return np.where(overlap <= np.minimum(sizes, other), total - 2 * overlap, -1)


def _rounded(differences: Index) -> Index:
    """Counts above 8 rounded up to a multiple of an eighth of their power of two.

    A few more parts than needed, but a large set then meets two or three counts and not hundreds.
    """
    step: Index = np.left_shift(1, np.maximum(np.frexp(differences.astype(float))[1] - 4, 0)).astype(np.int64)
    rounded: Index = (differences + step - 1) // step * step
    return rounded


def _parts(sets: TokenSets, threshold: float) -> Iterator[tuple[Hashes, Index]]:
    sizes = sets.sizes
    for count, met_sizes in sorted(_met(np.unique(sizes[sizes > 0]), threshold).items()):
        rows = np.flatnonzero(np.isin(sizes, met_sizes))
        yield from _part_keys(sets.take(rows), rows, count + 1, LEVELS)


def _met(sizes: Index, threshold: float) -> dict[int, list[int]]:
    """By count of differences (from 1; 0 means equal): the set sizes that can meet it."""
    met: dict[int, list[int]] = {}
    for size in sizes.tolist():
        partners = np.arange(int(size * threshold), int(size / threshold) + 2)
        differences = most_differences(np.full_like(partners, size), partners, threshold)
        for count in np.unique(_rounded(differences[differences > 0])).tolist():
            met.setdefault(count, []).append(size)
    return met


def _part_keys(sets: TokenSets, rows: Index, parts: int, levels: int) -> Iterator[tuple[Hashes, Index]]:
    """One key per part.

    A part that is empty in two sets is shared, but would be a key of a great many sets; both of them are then split
    again by another hash, where some other part is shared, up to `levels` times.
    """
    salt = parts * (LEVELS + 1) + levels
    hashes = mix(sets.tokens, salt)
    part = ((hashes >> np.uint64(32)) * np.uint64(parts)) >> np.uint64(32)
    sums = np.zeros(len(sets) * parts, np.uint64)
    np.add.at(sums, np.repeat(np.arange(len(sets)) * parts, sets.sizes) + part.astype(np.int64), hashes)
    filled = sums != 0 if levels else np.ones(len(sums), bool)
    keys = mix(sums ^ mix(np.tile(np.arange(parts, dtype=np.uint64), len(sets)), salt))
    yield keys[filled], np.repeat(rows, parts)[filled]
    again = np.flatnonzero(~filled.reshape(len(sets), parts).all(axis=1))
    if len(again):
        yield from _part_keys(sets.take(again), rows[again], parts, levels - 1)


def _prefixes(sets: TokenSets, threshold: float) -> Iterator[tuple[Hashes, Index]]:
    ordered = _reordered(sets)
    sizes = sets.sizes
    shared = np.ceil(threshold * sizes - TOLERANCE).astype(np.int64)  # least overlap with any partner
    lengths = np.where(sizes > 0, sizes - shared + 1, 0)
    yield ordered[spans(sets.offsets[:-1], lengths)], np.repeat(np.arange(len(sets)), lengths)


def _reordered(sets: TokenSets) -> Hashes:
    """Other hashes of the tokens, ascending within each set, those of common words after all others."""
    hashes = mix(sets.tokens) >> np.uint64(1)
    hashes |= np.isin(sets.tokens, _common_tokens()).astype(np.uint64) << np.uint64(63)
    rows = np.repeat(np.arange(len(sets)), sets.sizes)
    ordered: Hashes = hashes[np.lexsort((hashes, rows))]
    return ordered


@cache
def _common_tokens() -> Hashes:
    return token_sets(pl.Series(COMMON)).tokens


def whole_keys(sets: TokenSets) -> Hashes:
    """One entry per set, whose key only equal sets share, shape (n,)."""
    return entries(mix(sets.whole_hashes()[0]), np.arange(len(sets)))
