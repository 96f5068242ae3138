"""Blocking keys: two sets within the Jaccard threshold share at least one key, so only key-sharers are compared.

Both schemes are exact: no pair at or above the threshold is lost, whatever the sets.

*Parts* (thresholds from 0.8): sets x and y with J(x, y) >= t differ in at most
d = floor((1 - t) / (1 + t) * (|x| + |y|)) tokens. With tokens split into d + 1 parts by hash, one part at least has no
differing token, so it is identical in both: each part gives one key. A set emits keys for every d it can meet.
*Prefix* (below): with tokens ordered from rare to common, x and y share one of the first |x| - ceil(t * |x|) + 1 tokens
of x. Its keys are less selective, but their number stays small where the parts would shrink to nothing.
"""

from collections.abc import Iterator

import numpy as np

from persona_assets.dedup.sets import Hashes, Index, TokenSets, mix, spans

PARTS_FROM = 0.8  # below it parts hold so few tokens that many are empty
LEVELS = 3  # further splits tried for sets with an empty part before the empty part itself becomes a key
TOLERANCE = 1e-9  # rounding of t must not lower d or raise a prefix bound


def blocking_keys(sets: TokenSets, threshold: float) -> tuple[Hashes, Index]:
    """Keys of all sets (k,) and the set that each belongs to (k,), such that every pair within shares one.

    Equal sets need not share a key: they are collapsed before. Sets without tokens have none.
    """
    parts = list(_parts(sets, threshold) if threshold >= PARTS_FROM else _prefixes(sets, threshold))
    keys = [np.zeros(0, np.uint64), *(keys for keys, _ in parts)]
    rows = [np.zeros(0, np.int64), *(rows for _, rows in parts)]
    return np.concatenate(keys), np.concatenate(rows)


def differences(sizes: Index, threshold: float) -> Index:
    """How many tokens two sets within the threshold may differ in, from the sum of their sizes.

    Counts above 8 are rounded up to a multiple of an eighth of their power of two: a few more parts than needed, but
    a large set then meets two or three counts and not hundreds.
    """
    exact = np.floor((1 - threshold) / (1 + threshold) * sizes + TOLERANCE).astype(np.int64)
    step: Index = np.left_shift(1, np.maximum(np.frexp(exact.astype(float))[1] - 4, 0)).astype(np.int64)
    rounded: Index = (exact + step - 1) // step * step
    return rounded


def _parts(sets: TokenSets, threshold: float) -> Iterator[tuple[Hashes, Index]]:
    sizes = sets.sizes
    met = _met(np.unique(sizes[sizes > 0]), threshold)
    for count, met_sizes in sorted(met.items()):
        rows = np.flatnonzero(np.isin(sizes, met_sizes))
        yield from _part_keys(sets.take(rows), rows, count + 1, LEVELS)


def _met(sizes: Index, threshold: float) -> dict[int, list[int]]:
    """By count of differences (from 1; 0 means equal): the set sizes that can meet it."""
    met: dict[int, list[int]] = {}
    for size in sizes.tolist():
        partners = np.arange(int(size * threshold), int(size / threshold) + 2)
        for count in np.unique(differences(size + partners, threshold)).tolist():
            if count:
                met.setdefault(count, []).append(size)
    return met


def _part_keys(sets: TokenSets, rows: Index, parts: int, levels: int) -> Iterator[tuple[Hashes, Index]]:
    """One key per part.

    A part that is empty in two sets is shared, but would be a key of a great many sets; both of them are then split
    again by another hash, where some other part is shared, up to `levels` times.
    """
    salt = 2 * (parts * (LEVELS + 1) + levels)
    part_of = (mix(sets.token_hashes, salt) % np.uint64(parts)).astype(np.int64)
    sums = np.zeros(len(sets) * parts, np.uint64)
    np.add.at(sums, sets.rows * parts + part_of[sets.codes], mix(sets.token_hashes, salt + 1)[sets.codes])
    part = np.tile(np.arange(parts, dtype=np.uint64), len(sets))
    keys = mix(sums ^ mix(part, salt))
    filled = sums != 0
    if levels == 0:
        filled = np.ones_like(filled)
    yield keys[filled], np.repeat(rows, parts)[filled]
    again = np.flatnonzero(~filled.reshape(len(sets), parts).all(axis=1))
    if len(again):
        yield from _part_keys(sets.take(again), rows[again], parts, levels - 1)


def _prefixes(sets: TokenSets, threshold: float) -> Iterator[tuple[Hashes, Index]]:
    sizes = sets.sizes
    shared = np.ceil(threshold * sizes - TOLERANCE).astype(np.int64)  # least overlap with any partner
    lengths = np.where(sizes > 0, sizes - shared + 1, 0)
    codes = sets.codes[spans(sets.offsets[:-1], lengths)]
    yield mix(codes.astype(np.uint64)), np.repeat(np.arange(len(sets)), lengths)
