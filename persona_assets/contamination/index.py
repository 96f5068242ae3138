"""The pieces of a benchmark by their hashes, and where they stand in texts.

Which pieces count (`Limits`): 13 words in a row of an item, or 20 characters where it is mostly in a script without
spaces. A shorter item counts by all of its words in a row, from 8 words or 12 characters on; still shorter ones decide
nothing. Of answers only whole pieces count. What most questions of a file begin or end with ("Please reason step by
step ...") is no part of them, and a piece that stands in many places between other words does not count: both are the
benchmark's form. What several questions about one passage share stands between the same words, and counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.contamination.form import spans_of_questions
from persona_assets.contamination.grams import Grams, Runs
from persona_assets.contamination.items import Item
from persona_assets.contamination.words import normalised
from persona_assets.text.token_hashes import Hashes, Index
from persona_assets.text.tokens import token_lists

VERSION = 1  # of what counts as an overlap
_MARK_BITS = 24  # at most, by which a piece is looked up at first: 16 MiB
_VERIFIED = 1 << 16  # hits whose words are compared at once
_QUICK_TEXTS = 1 << 14  # of the benchmark whose words are held at once
_SPARSE_BITS = 4  # marks are 16 times as many as pieces where they may be
# row: number of the text; start: its word; gram: a number that is equal for equal pieces; around: one that is equal for
# equal words on either side, in the row; source, place: the text of the benchmark and its word; size: words.
HITS = pl.Schema(
    {
        "row": pl.Int64,
        "start": pl.Int64,
        "gram": pl.UInt64,
        "around": pl.UInt64,
        "source": pl.Int64,
        "place": pl.Int64,
        "size": pl.Int64,
    }
)


@dataclass(frozen=True)
class Limits:
    """Which pieces count."""

    words: int = 13  # as is usual for benchmarks: shorter pieces are chance, longer ones miss what was reworded
    characters: int = 20  # which say about as much as 13 words
    least_words: int = 8  # of an item that is looked for whole
    least_characters: int = 12
    most_places: int = 4  # with other words around them that a piece may stand in ...
    most_places_share: float = 0.001  # ... or so many of this share of the items, whichever is more
    hash_bits: int = 64  # of a piece; fewer lose no hit and find none that is not there

    def size(self, words: int, unspaced: int, *, whole: bool) -> int:
        """Words of a piece of a text; 0: it decides nothing. `whole`: whether a shorter text counts as a whole."""
        is_unspaced = 2 * unspaced > words
        full = self.characters if is_unspaced else self.words
        least = self.least_characters if is_unspaced else self.least_words
        return full if words >= full else words if whole and words >= least else 0


@dataclass(frozen=True)
class _Sized:
    """The pieces of one size, by hash: `keys` ascending and distinct, `starts` (n + 1,) into sources and places.

    `marks` say by the first bits of a hash, which `shift` leaves, whether a piece begins with them.
    """

    size: int
    unspaced: bool
    keys: Hashes
    grams: Hashes
    starts: Index
    sources: Index
    places: Index
    marks: NDArray[np.bool_]
    shift: np.uint64


class BenchmarkIndex:
    """The pieces of benchmark items."""

    def __init__(self, items: Iterable[Item], limits: Limits | None = None) -> None:
        """Index these items."""
        self.items, self.limits = list(items), limits or Limits()
        self._mask = np.uint64((1 << self.limits.hash_bits) - 1)
        owners, texts, whole = _texts(self.items)
        self.owners = np.array(owners, np.int64)  # item of each text
        self.is_question = np.array(whole, bool)
        series = normalised(pl.Series(texts, dtype=pl.String))
        runs = Runs.of(series)
        self._words = token_lists(series).explode(empty_as_null=False)
        self._offsets = runs.offsets
        self._low, self._high = spans_of_questions(runs, [self.items[one].file for one in owners], self.is_question)
        counts = (self._high - self._low).tolist()
        sizes = [
            self.limits.size(words, unspaced, whole=one)
            for words, unspaced, one in zip(counts, runs.unspaced.tolist(), whole, strict=True)
        ]
        self.undecided = len(self.items) - len({owner for owner, size in zip(owners, sizes, strict=True) if size})
        self.form_pieces = 0  # that stand in too many places
        self._sized = list(self._by_size(runs, np.array(sizes, np.int64)))

    def hits(self, texts: pl.Series) -> pl.DataFrame:
        """Where pieces of items stand in texts (n,): `HITS`, by row and start; every hit is one of equal words."""
        series = normalised(texts)
        found = [pl.DataFrame(schema=HITS)]
        for first, runs in Runs.of(series).pieces():
            grams = Grams(runs)
            for sized in self._sized:
                found.append(self._of_size(grams, sized, first))
        hits = pl.concat(found)
        return self._verified(series, hits).sort("row", "source", "place", "start") if hits.height else hits

    @cached_property
    def _quick(self) -> dict[int, NDArray[np.int64]]:
        """By size the hashes that Python gives all pieces in this process, ascending."""
        found: dict[int, list[NDArray[np.int64]]] = {}
        for first in range(0, len(self.owners), _QUICK_TEXTS):
            last = min(first + _QUICK_TEXTS, len(self.owners))
            low = int(self._offsets[first])
            words = self._words.slice(low, int(self._offsets[last]) - low).to_list()
            for sized in self._sized:
                mine = (sized.sources >= first) & (sized.sources < last)
                starts = self._offsets[sized.sources[mine]] + sized.places[mine] - low
                hashes = (hash(tuple(words[start : start + sized.size])) for start in starts.tolist())
                found.setdefault(sized.size, []).append(np.fromiter(hashes, np.int64, len(starts)))
        return {size: np.unique(np.concatenate(parts)) for size, parts in found.items()}

    def may_have(self, words: Sequence[str]) -> bool:
        """Whether one text of these words may have a hit: a quick look, for texts that come one by one."""
        for size, pieces in self._quick.items():
            count = len(words) - size + 1
            if count > 0:
                own = np.fromiter((hash(tuple(words[at : at + size])) for at in range(count)), np.int64, count)
                if (pieces[np.minimum(np.searchsorted(pieces, own), len(pieces) - 1)] == own).any():
                    return True
        return False

    def words_of(self, source: int, place: int, count: int) -> str:
        """Some words of a benchmark's text, as they are compared; letters of scripts without spaces stand together."""
        start = int(self._offsets[source]) + place
        words = self._words.slice(start, count).to_list()
        glue = ["" if _alone(one) and _alone(other) else " " for one, other in pairwise(words)]
        return "".join(part for pair in zip(words, [*glue, ""], strict=True) for part in pair)

    # Making

    def _by_size(self, runs: Runs, sizes: Index) -> Iterable[_Sized]:
        grams = Grams(runs)
        unspaced = 2 * runs.unspaced > runs.sizes
        for size, in_letters in sorted({(int(one), bool(two)) for one, two in zip(sizes, unspaced, strict=True)}):
            if not size:
                continue
            places, hashes = grams.of(size, unspaced=False)
            texts = grams.text[places]
            within = places - runs.offsets[texts]
            mine = (sizes[texts] == size) & (unspaced[texts] == in_letters)
            mine &= (within >= self._low[texts]) & (within + size <= self._high[texts])
            places, hashes, texts = places[mine], hashes[mine], texts[mine]
            kept = ~self._in_many(hashes, grams.around(places, size))
            self.form_pieces += len(np.unique(hashes[~kept]))
            if kept.any():
                texts, places = texts[kept], places[kept]
                yield _sized(size, in_letters, hashes[kept], texts, places - runs.offsets[texts], self._mask)

    def _in_many(self, hashes: Hashes, around: Hashes) -> NDArray[np.bool_]:
        """Which pieces stand in more places than may share one; copies of an item are one place."""
        frame = pl.DataFrame({"gram": hashes, "around": around})
        most = max(self.limits.most_places, int(self.limits.most_places_share * len(self.items)))
        return frame.select(pl.col("around").n_unique().over("gram") > most).to_series().to_numpy()

    # Looking up

    def _of_size(self, grams: Grams, sized: _Sized, first: int) -> pl.DataFrame:
        """Where hashes of one size are equal; `start` is the word in its text."""
        places, hashes = grams.of(sized.size, unspaced=sized.unspaced)
        hashes &= self._mask
        likely = np.flatnonzero(sized.marks[(hashes >> sized.shift).astype(np.int64)])
        places, hashes = places[likely], hashes[likely]
        at = np.minimum(np.searchsorted(sized.keys, hashes), len(sized.keys) - 1)
        equal = sized.keys[at] == hashes
        places, at = places[equal], at[equal]
        around = grams.around(places, sized.size)
        counts = (sized.starts[1:] - sized.starts[:-1])[at]
        which = np.repeat(sized.starts[at] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        places = np.repeat(places, counts)
        rows = grams.text[places]
        return pl.DataFrame(
            {
                "row": rows + first,
                "start": places - grams.runs.offsets[rows],
                "gram": sized.grams[which],
                "around": np.repeat(around, counts),
                "source": sized.sources[which],
                "place": sized.places[which],
                "size": np.full(len(which), sized.size),
            },
            schema=HITS,
        )

    def _verified(self, texts: pl.Series, hits: pl.DataFrame) -> pl.DataFrame:
        """The hits whose words are equal, looked at one by one, some at a time."""
        rows = hits["row"].unique().sort()
        lists = token_lists(texts.gather(rows))
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lists.list.len().to_numpy().astype(np.int64))])
        words = lists.explode(empty_as_null=False)
        sound = []
        for part in hits.iter_slices(_VERIFIED):
            size = part["size"].to_numpy()
            ends = np.cumsum(size)
            step = np.arange(ends[-1]) - np.repeat(ends - size, size)
            here = starts[rows.search_sorted(part["row"]).to_numpy()] + part["start"].to_numpy()
            there = self._offsets[part["source"].to_numpy()] + part["place"].to_numpy()
            mine, theirs = words.gather(np.repeat(here, size) + step), self._words.gather(np.repeat(there, size) + step)
            equal = np.logical_and.reduceat((mine == theirs).to_numpy(), ends - size)
            sound.append(part.filter(pl.Series(equal)))
        return pl.concat(sound)


def _texts(items: Sequence[Item]) -> tuple[list[int], list[str], list[bool]]:
    """The texts of items: the number of each one's item, the text, and whether it is the question."""
    owners, texts, whole = list[int](), list[str](), list[bool]()
    for number, item in enumerate(items):
        for text, question in ((item.question, True), *((answer, False) for answer in item.answers)):
            owners.append(number)
            texts.append(text)
            whole.append(question)
    return owners, texts, whole


def _sized(size: int, unspaced: bool, grams: Hashes, sources: Index, places: Index, mask: np.uint64) -> _Sized:
    hashes = grams & mask
    order = np.lexsort((places, sources, hashes))
    keys, starts = np.unique(hashes[order], return_index=True)
    bits = min(len(keys).bit_length() + _SPARSE_BITS, _MARK_BITS)
    marks, shift = np.zeros(1 << bits, bool), np.uint64(64 - bits)
    marks[(keys >> shift).astype(np.int64)] = True
    ends = np.append(starts, len(order))
    return _Sized(size, unspaced, keys, grams[order], ends, sources[order], places[order], marks, shift)


def _alone(word: str) -> bool:
    """Whether a word is a letter of a script without spaces."""
    return len(word.encode()) >= 3 and word[0] >= "\u0e00" and len(word) <= 2
