"""Lexical near-duplicates: every pair of token sets with Jaccard at or above the threshold (paper section 2.3).

Sets that share a blocking key are a group. All pairs of a group are compared, first by size, then by a sketch of 128
bits, then on their tokens. A group with more than `GROUP_PAIRS` pairs is split again by the words that are rare in it,
by which no near pair is lost; what does not get smaller is a mass of near-copies, whose pairs nobody could hold. It
stays *open*: only pairs with its first sets are taken, and `OpenGroups` gives further ones where these do not decide
it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from persona_assets.dedup.keys import (
    TOLERANCE,
    Scheme,
    keys_of,
    most_differences,
    rows_of,
)
from persona_assets.text.minhash import estimates
from persona_assets.text.sets import Pairs, TokenSets, ends_of, spans
from persona_assets.text.token_hashes import Hashes, Index, in_threads, mix

CANDIDATES = 1 << 18  # candidate pairs looked at at once, by each thread
PAIRS = 1 << 14  # likely pairs that a thread verifies at a time
PAIR_TOKENS = 1 << 20  # tokens of pairs verified at once
GROUP_PAIRS = 1 << 11  # pairs of one group (64 sets) above which it is split again
SPLITS = 3  # times that a group is split
PROBED = 32  # sets of a group that tell whether it is a mass of near-copies
COUNTED = 1 << 12  # sets of a group in which its words are counted
CUTS = 64  # slices of candidates that wait to be verified
FIRST_PIVOTS = 4  # sets of an open group that are compared with all of it at first; doubled each time


@dataclass
class Found:
    """The near pairs of some sets, and the groups whose pairs are not all among them."""

    pairs: Pairs
    open: "OpenGroups"
    candidates: int = 0  # pairs compared, but for those of the open groups


@dataclass
class Sketched:
    """Token sets with what comparing needs of each: its size, and 128 bits in which near sets hardly differ."""

    sets: TokenSets
    scheme: Scheme
    sizes: Index = field(init=False)
    bits: tuple[Hashes, Hashes] = field(init=False)

    def __post_init__(self) -> None:
        """Compute sizes and sketches."""
        self.sizes = self.sets.sizes
        self.bits = parity_sketches(self.sets)

    def are_likely(self, left: Index, right: Index) -> NDArray[np.bool_]:
        """Which of the given pairs sizes and sketches allow."""
        if self.scheme.strategy == "paper":  # whose estimate can be within where the sets are not
            return np.not_equal(left, right)
        low, high = self.bits
        differing = np.bitwise_count(low[left] ^ low[right]) + np.bitwise_count(high[left] ^ high[right])
        most = most_differences(self.sizes[left], self.sizes[right], self.scheme.threshold)
        likely: NDArray[np.bool_] = (left != right) & (differing <= most)
        return likely

    def likely(self, left: Index, right: Index) -> Hashes:
        """Those of the given pairs that sizes and sketches allow, as `left << 32 | right`."""
        near = self.are_likely(left, right)
        joined: Hashes = ((left[near] << 32) | right[near]).astype(np.uint64)
        return joined

    def near(self, likely: Sequence[Hashes]) -> Pairs:
        """Those of the likely pairs that are within the threshold, each once, sorted by (left, right)."""
        joined = np.sort(np.concatenate([np.zeros(0, np.uint64), *likely]))
        joined = joined[np.append(True, joined[1:] != joined[:-1])[: len(joined)]].astype(np.int64)

        def of_slice(start: int) -> Pairs:
            left, right = joined[start : start + PAIRS] >> 32, joined[start : start + PAIRS] & 0xFFFFFFFF
            compare = estimates if self.scheme.strategy == "paper" else jaccard
            similarity = compare(self.sets, left, right)
            return Pairs(left, right, similarity).where(similarity >= self.scheme.threshold)

        return Pairs.concat(in_threads(of_slice, range(0, len(joined), PAIRS)))


def lexical_pairs(sets: TokenSets, scheme: Scheme, ascending: Hashes, known: int | None = None) -> Found:
    """All pairs within the threshold among distinct token sets, given the entries of their keys, ascending.

    With `known`, only pairs of one of the first `known` sets and one after them. Exact unless the strategy is MinHash:
    candidates come from keys that lose no pair. Sorted by (left, right).
    """
    sketched = Sketched(sets, scheme)
    groups = _groups(ascending)
    parts, masses = [], []
    for _ in range(SPLITS):
        hot = groups.pairs(known) > GROUP_PAIRS
        parts.append(groups.where(~hot))
        groups, whole = _split(groups.where(hot), sketched, known)
        masses.append(whole)
    parts.append(groups.where(groups.pairs(known) <= GROUP_PAIRS))
    masses.append(groups.where(groups.pairs(known) > GROUP_PAIRS))
    if known is not None:  # a new set near any known one goes, so these pairs decide everything: none is left open
        parts, masses = parts + masses, []
    open_groups = OpenGroups(sketched, _Groups.concat(masses))
    found = [sketched.near(likely) for part in parts for likely in part.likely(sketched, known)]
    found += [sketched.near(likely) for likely in open_groups.further()]
    return Found(Pairs.concat(found).unique(), open_groups, sum(int(part.pairs(known).sum()) for part in parts))


def jaccard(sets: TokenSets, left: Index, right: Index) -> NDArray[np.float64]:
    """Exact Jaccard similarity of pairs of sets, shape (p,); 1 for two empty sets."""
    sizes = sets.sizes
    shared = np.zeros(len(left), np.int64)
    lengths = sizes[left] + sizes[right]
    bounds = ends_of(lengths)
    start = 0
    while start < len(left):  # as many pairs at once as have that many tokens, and at least one
        fit = int(np.searchsorted(bounds, bounds[start] + PAIR_TOKENS, "right")) - 1
        end = max(fit, start + 1)
        shared[start:end] = _overlaps(sets, left[start:end], right[start:end])
        start = end
    union = lengths - shared
    similarity: NDArray[np.float64] = np.divide(shared, union, out=np.ones(len(left)), where=union > 0)
    return similarity


def _overlaps(sets: TokenSets, left: Index, right: Index) -> Index:
    """Tokens shared by each pair: a token of both stands twice in the pair's sorted tokens."""
    sizes = sets.sizes
    bits = np.uint64(max(len(left).bit_length(), 1))  # in which a pair is numbered; the others hold the token's hash
    pair = np.arange(len(left), dtype=np.uint64) << (np.uint64(64) - bits)
    entries = np.concatenate(
        [
            np.repeat(pair, sizes[side]) | (sets.tokens[spans(sets.offsets[side], sizes[side])] >> bits)
            for side in (left, right)
        ]
    )
    entries.sort()
    twice = entries[1:][entries[1:] == entries[:-1]]
    return np.bincount((twice >> (np.uint64(64) - bits)).astype(np.int64), minlength=len(left))


def parity_sketches(sets: TokenSets) -> tuple[Hashes, Hashes]:
    """128 bits per set, as two arrays of shape (n,): each token flips one.

    Two sets' bits differ in at most as many places as the sets have tokens that are not shared.
    """

    def of_slice(item: tuple[int, TokenSets]) -> tuple[Hashes, Hashes]:
        _, part = item
        place = mix(part.tokens, 5) >> np.uint64(57)
        bit = np.left_shift(np.uint64(1), place & np.uint64(63))
        low = np.where(place < 64, bit, np.uint64(0))
        return part.reduced(np.bitwise_xor, low), part.reduced(np.bitwise_xor, bit ^ low)

    slices = in_threads(of_slice, sets.slices())
    none = np.zeros(0, np.uint64)
    return np.concatenate([none, *(low for low, _ in slices)]), np.concatenate([none, *(high for _, high in slices)])


@dataclass
class _Groups:
    """Sets that share a key: group i is `members[offsets[i]:offsets[i + 1]]`, ascending."""

    offsets: Index
    members: Index

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def concat(cls, parts: Sequence["_Groups"]) -> "_Groups":
        sizes = np.concatenate([np.zeros(0, np.int64), *(part.sizes for part in parts)])
        return cls(ends_of(sizes), np.concatenate([np.zeros(0, np.int64), *(part.members for part in parts)]))

    @property
    def sizes(self) -> Index:
        sizes: Index = np.diff(self.offsets)
        return sizes

    def where(self, wanted: NDArray[np.bool_]) -> "_Groups":
        sizes = self.sizes[wanted]
        return _Groups(ends_of(sizes), self.members[spans(self.offsets[:-1][wanted], sizes)])

    def pairs(self, known: int | None) -> Index:
        """Pairs to compare, by group."""
        sizes = self.sizes
        if known is None:
            return sizes * (sizes - 1) // 2
        old = self._old(known)
        return old * (sizes - old)

    def _old(self, known: int) -> Index:
        return np.diff(ends_of((self.members < known).astype(np.int64))[self.offsets])

    def likely(self, sketched: Sketched, known: int | None) -> Iterator[list[Hashes]]:
        """The likely ones among all pairs to compare, some at a time."""
        sizes = self.sizes
        places = np.arange(len(self.members))
        ends = np.repeat(self.offsets[1:], sizes)
        if known is None:
            starts = places + 1
        else:  # the partners of an old set are the new ones, which come after all old ones
            starts = np.where(self.members < known, np.repeat(self.offsets[:-1] + self._old(known), sizes), ends)
        partners = ends - starts
        bounds = ends_of(partners)

        def of_slice(item: tuple[int, int]) -> Hashes:
            start, end = item
            left = np.repeat(self.members[start:end], partners[start:end])
            return sketched.likely(left, self.members[spans(starts[start:end], partners[start:end])])

        yield from _batched(of_slice, _cuts(bounds, CANDIDATES))


def _batched(function: Callable[[tuple[int, int]], Hashes], cuts: Iterator[tuple[int, int]]) -> Iterator[list[Hashes]]:
    """What a function gives for ranges of pairs, in lists of some ranges: bounds what waits to be verified."""
    while some := list(islice(cuts, CUTS)):
        yield in_threads(function, some)


def _cuts(bounds: Index, most: int) -> Iterator[tuple[int, int]]:
    """Ranges of items that hold at most `most` pairs together, or are one item; `bounds` (n + 1,) counts pairs."""
    start = 0
    while start < len(bounds) - 1:
        end = max(int(np.searchsorted(bounds, bounds[start] + most, "right")) - 1, start + 1)
        if bounds[end] > bounds[start]:
            yield start, end
        start = end


def _groups(ascending: Hashes) -> _Groups:
    """The groups of at least two sets, from entries."""
    return _runs(keys_of(ascending), rows_of(ascending))


def _runs(keys: Hashes, members: Index) -> _Groups:
    """The runs of at least two equal keys."""
    same = np.zeros(len(keys) + 1, bool)
    np.equal(keys[1:], keys[:-1], out=same[1:-1])
    shared = np.flatnonzero(same[1:] | same[:-1])
    starts = np.flatnonzero(~same[shared])
    return _Groups(np.append(starts, len(shared)), members[shared])


def _split(groups: _Groups, sketched: Sketched, known: int | None) -> tuple[_Groups, _Groups]:
    """Groups as smaller ones, and those that do not get much smaller or are masses of near-copies.

    A set goes where its rarest words in the group are: by the prefix filter two near sets of a group have one of them
    in common, so no near pair is lost, and words that the whole group shares lead nowhere. Where estimates decide what
    is near (`paper`), that does not hold, and no group is split.
    """
    if not len(groups) or sketched.scheme.strategy == "paper":
        return _Groups.concat([]), groups
    mass = _are_masses(groups, sketched)
    looser = groups.where(~mass)
    if not len(looser):
        return looser, groups
    group_of = np.repeat(np.arange(len(looser)), looser.sizes)
    keys, places = _rare_words(looser, group_of, sketched)
    order = np.lexsort((places, keys))
    runs = _runs(keys[order], places[order])
    parent = group_of[runs.members[runs.offsets[:-1]]]
    smaller = _Groups(runs.offsets, looser.members[runs.members])
    left = np.bincount(parent, smaller.pairs(known), minlength=len(looser))
    apart = 2 * left <= looser.pairs(known)
    return smaller.where(apart[parent]), _Groups.concat([groups.where(mass), looser.where(~apart)])


def _are_masses(groups: _Groups, sketched: Sketched) -> NDArray[np.bool_]:
    """Whether the first set of each group is likely near half of a sample of the others."""
    sizes = groups.sizes
    sampled = np.minimum(sizes - 1, PROBED)
    group = np.repeat(np.arange(len(groups)), sampled)
    rank = spans(np.zeros(len(groups), np.int64), sampled)
    others = groups.members[groups.offsets[group] + 1 + rank * (sizes[group] - 1) // sampled[group]]
    near = sketched.are_likely(groups.members[groups.offsets[group]], others)
    return 2 * np.bincount(group, near, minlength=len(groups)) >= sampled


def _rare_words(groups: _Groups, group_of: Index, sketched: Sketched) -> tuple[Hashes, Index]:
    """Keys of group and word, and the place in `groups.members` of the set that has it among its rarest there."""
    sizes, threshold = sketched.sizes[groups.members], sketched.scheme.threshold
    least = np.minimum.reduceat(sizes, groups.offsets[:-1])[group_of]
    most = np.maximum.reduceat(sizes, groups.offsets[:-1])[group_of]
    partner = np.maximum(
        least, np.ceil(threshold * sizes - TOLERANCE).astype(np.int64)
    )  # the smallest that can be near
    partner = np.minimum(np.minimum(partner, sizes), most)
    shared = np.ceil(threshold / (1 + threshold) * (sizes + partner) - TOLERANCE).astype(np.int64)
    lengths = np.clip(sizes - np.minimum(shared, sizes) + 1, 0, sizes)
    words, counts = _frequent_words(groups, group_of, sketched.sets)
    of_group = mix(group_of.astype(np.uint64))

    def of_slice(item: tuple[int, int]) -> tuple[Hashes, Index]:
        start, end = item
        part = sketched.sets.take(groups.members[start:end])
        rows = np.repeat(np.arange(start, end), part.sizes)
        keys = mix(part.tokens ^ of_group[rows])
        at = np.minimum(np.searchsorted(words, keys), max(len(words) - 1, 0))
        often = np.where(words[at] == keys, counts[at], 0) if len(words) else np.zeros(len(keys), np.int64)
        order = np.lexsort((keys, often, rows))
        rarest = order[spans(part.offsets[:-1], lengths[start:end])]
        return keys[rarest], rows[rarest]

    found = in_threads(of_slice, _cuts(ends_of(sizes), PAIR_TOKENS))
    return np.concatenate([keys for keys, _ in found]), np.concatenate([rows for _, rows in found])


def _frequent_words(groups: _Groups, group_of: Index, sets: TokenSets) -> tuple[Hashes, Index]:
    """Keys of group and word, ascending, that stand in several of the group's first sets, and in how many."""
    rank = np.arange(len(group_of)) - groups.offsets[group_of]
    sampled = np.flatnonzero(rank < COUNTED)
    part = sets.take(groups.members[sampled])
    keys = np.sort(mix(part.tokens ^ np.repeat(mix(group_of[sampled].astype(np.uint64)), part.sizes)))
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    counts = np.diff(np.append(starts, len(keys)))
    return keys[starts][counts > 1], counts[counts > 1]


@dataclass
class OpenGroups:
    """Groups with more near pairs than can be held, compared as far as it takes to decide them.

    A *pivot* has been compared with its whole group. The greedy outcome is right when no two kept sets of a group are
    without a comparison, that is, when at most one kept set of each is not a pivot.
    """

    sketched: Sketched
    groups: _Groups
    pivot: NDArray[np.bool_] = field(init=False)
    compared: int = 0  # pairs
    wanted: int = FIRST_PIVOTS

    def __post_init__(self) -> None:
        """No pivot yet."""
        self.pivot = np.zeros(len(self.groups.members), bool)

    @property
    def skipped(self) -> int:
        """Pairs of the groups that nobody compared, as no outcome hung on them."""
        sizes = self.groups.sizes
        pivots = np.add.reduceat(self.pivot, self.groups.offsets[:-1], dtype=np.int64) if len(sizes) else sizes
        left = sizes - pivots
        return int((left * (left - 1) // 2).sum())

    def compare(self, kept: NDArray[np.bool_]) -> Pairs:
        """Pairs of further pivots, where two sets of a group are kept (mask over all sets) and no pivots."""
        return Pairs.concat([self.sketched.near(likely) for likely in self.further(kept)]).unique()

    def further(self, kept: NDArray[np.bool_] | None = None) -> Iterator[list[Hashes]]:
        """Likely pairs of the next pivots of each group, of those that are kept; none where all is decided."""
        groups = self.groups
        waiting = ~self.pivot if kept is None else ~self.pivot & kept[groups.members]
        before = ends_of(waiting.astype(np.int64))
        sizes = groups.sizes
        rank = before[:-1] - np.repeat(before[groups.offsets[:-1]], sizes)
        several = np.repeat(before[groups.offsets[1:]] - before[groups.offsets[:-1]] > 1, sizes)
        chosen = np.flatnonzero(waiting & several & (rank < self.wanted))
        self.pivot[chosen] = True
        self.wanted *= 2
        group = np.searchsorted(groups.offsets, chosen, "right") - 1
        starts, lengths = groups.offsets[group], sizes[group]
        self.compared += int(lengths.sum())

        def of_slice(item: tuple[int, int]) -> Hashes:
            some = slice(*item)
            one = np.repeat(groups.members[chosen[some]], lengths[some])
            other = groups.members[spans(starts[some], lengths[some])]
            return self.sketched.likely(np.minimum(one, other), np.maximum(one, other))

        yield from _batched(of_slice, _cuts(ends_of(lengths), CANDIDATES))
