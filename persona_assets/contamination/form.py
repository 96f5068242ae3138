"""The form of a benchmark: what most questions of a file begin or end with, which no text shares with an item alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from persona_assets.contamination.grams import Runs
from persona_assets.text.token_hashes import Index

MOST = 0.5  # share of a file's questions above which what they have in common is form
LEAST_QUESTIONS = 10  # of a file: fewer may be alike by chance
LEAST_WORDS = 5  # of a form: many questions begin with the same few words


def spans_of_questions(runs: Runs, files: Sequence[str], is_question: NDArray[np.bool_]) -> tuple[Index, Index]:
    """By text the word that it begins at without the form of its file, and the one that it ends before, (n,) each.

    Texts that are no questions are taken as they are.
    """
    low, high = np.zeros(len(runs.sizes), np.int64), runs.sizes.copy()
    names = np.array(files, dtype=object)
    for name in dict.fromkeys(files):
        mine = np.flatnonzero((names == name) & is_question)
        if len(mine) < LEAST_QUESTIONS:
            continue
        texts, words = _common(runs, mine, at_end=False)
        low[texts] = words
        texts, words = _common(runs, mine, at_end=True)
        high[texts] = np.maximum(high[texts] - words, low[texts])
    return low, high


def _common(runs: Runs, texts: Index, *, at_end: bool) -> tuple[Index, int]:
    """The most texts that begin (or end) alike, more than `MOST` of them, and with how many words; else none."""
    alike, words = texts, 0
    while True:
        longer = alike[runs.sizes[alike] > words]
        if len(longer) <= MOST * len(texts):
            break
        at = runs.offsets[longer + 1] - 1 - words if at_end else runs.offsets[longer] + words
        values, counts = np.unique(runs.hashes[at], return_counts=True)
        same = longer[runs.hashes[at] == values[counts.argmax()]]
        if len(same) <= MOST * len(texts):
            break
        alike, words = same, words + 1
    return (alike, words) if words >= LEAST_WORDS else (alike[:0], 0)
