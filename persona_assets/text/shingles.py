"""Shingles: runs of five words in a row, by which pages are compared.

Where a script has no spaces tokens are letters, and two of them count as a word: there a run is of ten letters. Pages
that share their sentences share most shingles; pages that are only about the same share few.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.text.sets import TokenSets, ends_of
from persona_assets.text.token_hashes import Hashes, Index, marked_token_runs, mix, unique_sorted

WORDS = 5  # of a shingle
LETTERS = 2  # of a script without spaces that count as a word
_FACTOR = 0x9E3779B97F4A7C15  # odd, so that it can be divided by
_INVERSE = pow(_FACTOR, -1, 1 << 64)


def shingle_sets(texts: pl.Series) -> TokenSets:
    """The shingles of n texts as sets of 64-bit hashes, the same on any machine.

    A text that is shorter than a shingle has one, of all its tokens; a text without tokens, or null, has none.
    """
    parts = [_of_runs(*runs) for runs in marked_token_runs(texts.fill_null(""))]
    return TokenSets.concat([TokenSets(ends_of(sizes), hashes) for sizes, hashes in parts])


def _of_runs(offsets: Index, tokens: Hashes, letters: NDArray[np.bool_]) -> tuple[Index, Hashes]:
    """Distinct shingles per text, ascending; see `marked_token_runs`."""
    weights = ends_of(np.where(letters, 1, LETTERS))
    sizes = np.diff(offsets)
    last = np.repeat(offsets[1:], sizes)  # where a token's text ends
    starts = np.arange(len(tokens))
    ends = np.searchsorted(weights, weights[:-1] + WORDS * LETTERS) if letters.any() else starts + WORDS
    whole = ends <= last
    alone = offsets[:-1][sizes > 0]  # of a text without a whole run, all its tokens
    alone = alone[~whole[alone]]
    whole[alone], ends[alone] = True, last[alone]
    starts, ends = starts[whole], ends[whole]
    with np.errstate(over="ignore"):
        powers = _powers(_FACTOR, len(tokens))
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mix(tokens, 3) * powers)])
        hashes = mix((sums[ends] - sums[starts]) * _powers(_INVERSE, len(tokens))[starts], 4)
    counts = np.diff(np.concatenate([np.zeros(1, np.int64), np.cumsum(whole)])[offsets])
    return unique_sorted(counts, hashes)


def _powers(factor: int, count: int) -> Hashes:
    powers = np.full(count, factor, np.uint64)
    powers[:1] = 1
    raised: Hashes = np.multiply.accumulate(powers)
    return raised
