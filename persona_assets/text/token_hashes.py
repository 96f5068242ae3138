"""Token sets of many texts as 64-bit hashes: what `tokens.py` says a token is, at the speed of NumPy.

ASCII texts (with typographic signs or without) are cut byte by byte with table look-ups, the others by the regular
expression of `tokens.py`; one hash function serves both, so a token has the same hash on any machine, in any text and
in any corpus.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from persona_assets.text.tokens import token_lists

Index = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Given = TypeVar("Given")
Made = TypeVar("Made")

CHUNK_ROWS, CHUNK_BYTES = 1 << 15, 1 << 24  # texts hashed at once by each thread
LEAST_WIDTH = 8  # tokens: shorter texts are sorted as if they had so many
WORDLESS = np.uint64(0xA0761D6478BD642F)  # sets the hash of a text without words apart from that of a word
NONE = np.uint64(0xFFFFFFFFFFFFFFFF)  # no token

_LOWER = np.zeros(256, np.uint8)  # ASCII letters in lower case and digits; 0 for every other byte
for _byte in b"abcdefghijklmnopqrstuvwxyz0123456789":
    _LOWER[_byte] = _byte
for _byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ":
    _LOWER[_byte] = _byte + 32
# U+2010 to U+2027 (dashes, quotation marks, dots) in UTF-8, but U+2017, which NFKC makes a space and a mark.
_SIGN_BYTES = (0xE2, 0x80)
_SIGN_ENDS = np.zeros(256, bool)
_SIGN_ENDS[0x90:0xA8] = True
_SIGN_ENDS[0x97] = False
# Where blocks of the scripts without spaces begin and end: Thai to Myanmar, Khmer, Han and kana.
_UNSPACED = np.array(
    [
        *(0x0E00, 0x10A0, 0x1780, 0x1800, 0x2E80, 0x3130, 0x31F0, 0x3200, 0x3400, 0xA000),
        *(0xA9E0, 0xAA00, 0xAA60, 0xAA80, 0xF900, 0xFB00, 0x1B000, 0x1B170, 0x20000, 0x33480),
    ]
)
_FIRST_BYTES = np.array([(1 << (8 * count)) - 1 for count in range(9)], np.uint64)


def mix(values: Hashes, salt: int = 0) -> Hashes:
    """A well-stirred 64-bit hash of 64-bit values (the finaliser of splitmix64); `salt` gives another function."""
    with np.errstate(over="ignore"):
        mixed = values + np.uint64((0x9E3779B97F4A7C15 * (salt + 1)) & 0xFFFFFFFFFFFFFFFF)
        mixed ^= mixed >> np.uint64(30)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(27)
        mixed *= np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
        return mixed


def in_threads(function: Callable[[Given], Made], items: Iterable[Given]) -> list[Made]:
    """`function` of every item, in order, on all cores: for NumPy work on large arrays, which lets threads run."""
    with ThreadPoolExecutor(_cores()) as pool:
        return list(pool.map(function, items))


def _cores() -> int:
    """Cores that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def hashed_token_sets(texts: pl.Series) -> tuple[Index, Hashes]:
    """The token sets of n texts: offsets (n + 1,) into hashes that ascend within each set.

    A text without any word (only emoji, only punctuation) has itself, stripped, as its one token: it equals only what
    is written like it. A null or blank text has the empty set. Hashes have 64 bits: that two of ten million different
    words share one has a probability of 3 in a million.
    """
    chunks = in_threads(_chunk, _slices(texts))
    sizes = np.concatenate([np.zeros(1, np.int64), *(chunk[0] for chunk in chunks)])
    return np.cumsum(sizes), joined([chunk[1] for chunk in chunks])


def hashed_token_runs(texts: pl.Series) -> tuple[Index, Hashes]:
    """The tokens of n texts in their order, repeats kept: offsets (n + 1,) into hashes.

    A text without any word, null or blank has none.
    """
    chunks = in_threads(_run, _slices(texts))
    sizes = np.concatenate([np.zeros(1, np.int64), *(chunk[0] for chunk in chunks)])
    return np.cumsum(sizes), joined([chunk[1] for chunk in chunks])


def marked_token_runs(texts: pl.Series) -> Iterator[tuple[Index, Hashes, NDArray[np.bool_]]]:
    """The same, some texts at a time, and which tokens are single letters of a script without spaces."""
    for some in _slices(texts):
        sizes, hashes, letters = _marked_run(some)
        yield np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]), hashes, letters


def joined(parts: Sequence[Hashes]) -> Hashes:
    """The parts one after the other, copied on all cores."""
    ends = np.cumsum([0, *(len(part) for part in parts)])
    whole = np.empty(ends[-1], np.uint64)

    def copy(number: int) -> None:
        whole[ends[number] : ends[number + 1]] = parts[number]

    in_threads(copy, range(len(parts)))
    return whole


def _slices(texts: pl.Series) -> Iterator[pl.Series]:
    """Slices of at most CHUNK_ROWS texts and, unless a single text is larger, CHUNK_BYTES bytes."""
    ends = np.cumsum(texts.str.len_bytes().fill_null(0).to_numpy().astype(np.int64))
    start = 0
    while start < len(texts):
        before = ends[start - 1] if start else 0
        fit = int(np.searchsorted(ends, before + CHUNK_BYTES, "right"))
        end = min(max(fit, start + 1), start + CHUNK_ROWS)
        yield texts.slice(start, end - start)
        start = end


def _run(texts: pl.Series) -> tuple[Index, Hashes]:
    """Words per text, and their hashes in order, of at most CHUNK_ROWS texts."""
    sizes, hashes, other, lists = _cut(texts)
    if lists is not None:
        hashes = _merged(sizes, hashes, other, _hash_array(lists))
    return sizes, hashes


def _marked_run(texts: pl.Series) -> tuple[Index, Hashes, NDArray[np.bool_]]:
    sizes, hashes, other, tokens = _cut(texts)
    if tokens is None:
        return sizes, hashes, np.zeros(len(hashes), bool)
    marks = _merged(sizes, np.zeros(len(hashes), np.uint64), other, _are_letters(tokens).astype(np.uint64))
    return sizes, _merged(sizes, hashes, other, _hash_array(tokens)), marks != 0


def _cut(texts: pl.Series) -> tuple[Index, Hashes, Index, pa.LargeStringArray | None]:
    """Words per text; hashes of those of ASCII texts; the other texts, and their tokens, where there are any."""
    data, offsets = _bytes(texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()))
    other = _beyond_ascii(data, offsets)
    sizes, hashes = _ascii_tokens(data, offsets, other)
    if not len(other):
        return sizes, hashes, other, None
    lists = token_lists(texts.gather(other)).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    sizes[other] = np.diff(lists.offsets.to_numpy())
    return sizes, hashes, other, lists.flatten()


def _are_letters(tokens: pa.LargeStringArray) -> NDArray[np.bool_]:
    """Whether tokens are letters of a script without spaces, as their first characters say."""
    data, offsets = _bytes(tokens)
    first, second, third, fourth = (np.append(data, np.zeros(4, np.uint8))[offsets[:-1] + at] for at in range(4))
    low = (second & 63).astype(np.int64) << 6 | third & 63
    point = np.where(first >= 0xF0, (first.astype(np.int64) & 7) << 18 | low << 6 | fourth & 63, 0)
    point = np.where((first >= 0xE0) & (first < 0xF0), (first.astype(np.int64) & 15) << 12 | low, point)
    within: NDArray[np.bool_] = np.searchsorted(_UNSPACED, point, "right") % 2 == 1
    return within


def _chunk(texts: pl.Series) -> tuple[Index, Hashes]:
    """Distinct tokens per text, and their hashes, of at most CHUNK_ROWS texts."""
    sizes, hashes = _run(texts)
    wordless = np.flatnonzero(sizes == 0)
    if len(wordless):
        whole = texts.gather(wordless).fill_null("").str.strip_chars()
        filled = (whole.str.len_bytes() > 0).to_numpy()
        wordless = wordless[filled]
        sizes[wordless] = 1
        hashes = _merged(sizes, hashes, wordless, mix(_hash_strings(whole.filter(pl.Series(filled))) ^ WORDLESS))
    return unique_sorted(sizes, hashes)


def _beyond_ascii(data: NDArray[np.uint8], offsets: Index) -> Index:
    """The texts with a character that is neither ASCII nor a typographic sign, which parts words as ASCII signs do."""
    filled = np.flatnonzero(offsets[:-1] < offsets[1:])
    if not len(filled):
        return filled
    high = data >= 128
    if 0 < np.count_nonzero(high) < len(data) // 8:  # else hardly a text has only such signs
        first = np.flatnonzero(data[:-2] == _SIGN_BYTES[0])
        first = first[(data[first + 1] == _SIGN_BYTES[1]) & _SIGN_ENDS[data[first + 2]]]
        for place in range(3):
            high[first + place] = False
    return filled[np.logical_or.reduceat(high, offsets[filled])]


def _merged(sizes: Index, hashes: Hashes, rows: Index, added: Hashes) -> Hashes:
    """`hashes`, which have none of some rows, with those of these rows; `sizes` (n,) count both."""
    is_added = np.zeros(len(sizes), bool)
    is_added[rows] = True
    place = np.repeat(is_added, sizes)
    merged = np.empty(len(place), np.uint64)
    merged[place], merged[~place] = added, hashes
    return merged


def unique_sorted(sizes: Index, hashes: Hashes) -> tuple[Index, Hashes]:
    """Each text's hashes ascending and without repeats; texts of about one length are the rows of one matrix."""
    starts = np.cumsum(sizes) - sizes
    widths = np.left_shift(1, np.frexp(np.maximum(sizes, LEAST_WIDTH) - 0.5)[1])  # next power of two
    unique_sizes = np.zeros(len(sizes), np.int64)
    sorted_parts = []
    for width in np.flatnonzero(np.bincount(widths, minlength=1)).tolist():
        rows = np.flatnonzero((widths == width) & (sizes > 0))
        used = np.arange(width) < sizes[rows][:, None]
        matrix = np.full(used.shape, NONE)
        matrix[used] = hashes[
            np.repeat(starts[rows] - (np.cumsum(sizes[rows]) - sizes[rows]), sizes[rows]) + np.arange(sizes[rows].sum())
        ]
        matrix.sort(axis=1)
        first = matrix != NONE
        first[:, 1:] &= matrix[:, 1:] != matrix[:, :-1]
        unique_sizes[rows] = first.sum(axis=1)
        sorted_parts.append((rows, matrix[first]))
    offsets = np.cumsum(unique_sizes) - unique_sizes
    if len(sorted_parts) == 1:
        return unique_sizes, sorted_parts[0][1]
    tokens = np.empty(int(unique_sizes.sum()), np.uint64)
    for rows, values in sorted_parts:
        of_row = unique_sizes[rows]
        tokens[np.repeat(offsets[rows] - (np.cumsum(of_row) - of_row), of_row) + np.arange(len(values))] = values
    return unique_sizes, tokens


def _ascii_tokens(data: NDArray[np.uint8], offsets: Index, other: Index) -> tuple[Index, Hashes]:
    """Words per text, and their hashes, repeats included; none of the texts `other`, which have other letters."""
    lower = np.zeros(len(data) + 8, np.uint8)  # 8 more, so that a word can be read at any place
    np.take(_LOWER, data, out=lower[: len(data)])
    for row in other.tolist():
        lower[offsets[row] : offsets[row + 1]] = 0
    is_word = lower[: len(data)] != 0
    filled = offsets[:-1] < offsets[1:]
    starts, ends = is_word.copy(), is_word.copy()
    starts[1:] &= ~is_word[:-1]
    ends[:-1] &= ~is_word[1:]
    firsts, lasts = offsets[:-1][filled], offsets[1:][filled] - 1
    starts[firsts], ends[lasts] = is_word[firsts], is_word[lasts]  # texts stand side by side: no word goes across
    start = np.flatnonzero(starts)
    hashes = _hash_spans(lower, start, np.flatnonzero(ends) + 1 - start)
    return np.diff(np.searchsorted(start, offsets)), hashes


def _hash_strings(strings: pl.Series) -> Hashes:
    return _hash_array(strings.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()))


def _hash_array(strings: pa.LargeStringArray) -> Hashes:
    data, offsets = _bytes(strings)
    return _hash_spans(np.append(data, np.zeros(8, np.uint8)), offsets[:-1], np.diff(offsets))


def _bytes(array: pa.LargeStringArray) -> tuple[NDArray[np.uint8], Index]:
    """The bytes of n strings, one after the other, and where each begins (n + 1,); null is empty."""
    if not len(array):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    _, offsets_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer else np.zeros(0, np.uint8)
    return data[offsets[0] : offsets[-1]], offsets - offsets[0]


def _hash_spans(data: NDArray[np.uint8], starts: Index, lengths: Index) -> Hashes:
    """Hash of each span of bytes, eight bytes at a time; `data` has 8 bytes more than the spans need."""
    words: Hashes = np.ndarray((max(len(data) - 7, 0),), "<u8", data, strides=(1,))
    hashes = mix(words[starts] & _FIRST_BYTES[np.minimum(lengths, 8)])
    longer, done = np.flatnonzero(lengths > 8), 8
    while len(longer):
        word = words[starts[longer] + done] & _FIRST_BYTES[np.minimum(lengths[longer] - done, 8)]
        hashes[longer] = mix(hashes[longer] ^ word, done)
        done += 8
        longer = longer[lengths[longer] > done]
    return hashes
