"""Who a text is about: by name where it names an occupation, by cue words, and in English by the sentence encoder."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from persona_assets.engines.offline.data import Language, Occupation, Person, occupation_index, occupations

if TYPE_CHECKING:
    from persona_assets.text.encoder import Encoder

READ_CHARACTERS: dict[Language, int] = {"en": 4000, "ru": 4000, "zh": 1500}
NOBODY = "resident"  # who stands for a text that gives no hint
_CUE_WEIGHT = 0.05  # of one telling cue word beside a cosine; found on English web pages
_MOST_CUES = 6.0  # more cues than this say no more
_ROLE_MALUS = 0.04  # a role (beggar, prisoner) is close to many texts, and seldom the one who reads or writes them
_MARGIN = 0.06  # second and third best count only where they are this close to the best
_PLAIN = 2.5  # so many cue words, and this many times those of the next one, decide alone: 4 in 10 English texts,
_PLAIN_LEAD = 1.5  # of which the encoder would decide 9 in 10 the same way
_NEAR = 1e-4  # gaps that the rounding of a batched encoding could turn round
_WORD = re.compile(r"[^\W\d_]+")
_MIN_STEM = 4
_LONGEST_ZH = 6

Scores = NDArray[np.float64]


def named(text: str, language: Language) -> Person | None:
    """The occupation or role that a text names first (the longest name where two start together)."""
    match = _names(language)[0].search(text.lower())
    return _names(language)[1][match.group(0)] if match else None


def without_names(text: str, language: Language) -> str:
    """`text` with a break in place of each occupation or role that it names."""
    return _names(language)[0].sub(" \n ", text.lower())


def cue_scores(text: str, language: Language) -> Scores:
    """How many cue words of each occupation stand in a text, shape (occupations,); shared cues count for less."""
    scores = np.zeros(len(occupations()))
    table = _cue_table(language)
    for cue, count in _cues_in(text[: READ_CHARACTERS[language]].lower(), language).items():
        rows = table[cue]
        scores[rows] += (1 + np.log(count)) / len(rows)
    return scores


def _cues_in(text: str, language: Language) -> Counter[str]:
    table = _cue_table(language)
    if language == "zh":
        grams = (
            text[start : start + size] for size in range(2, _LONGEST_ZH + 1) for start in range(len(text) - size + 1)
        )
        return Counter(gram for gram in grams if gram in table)
    stems = [_stem(word, language) for word in _WORD.findall(text.replace("ё", "е"))]
    pairs = (f"{left} {right}" for left, right in pairwise(stems))
    return Counter(stem for stem in (*stems, *pairs) if stem in table)


def _stem(word: str, language: Language) -> str:
    """A crude stem: English without a plural ending, Russian without its last vowels and endings."""
    if language == "en":
        if len(word) > 4 and word.endswith("ies"):
            return word[:-3] + "y"
        return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
    return word[: max(_MIN_STEM, len(word) - 2)]


def _stems(cue: str, language: Language) -> str:
    return " ".join(_stem(word, language) for word in _WORD.findall(cue.replace("ё", "е")))


@cache
def _cue_table(language: Language) -> dict[str, NDArray[np.intp]]:
    """Cue (as stems) to the rows of the occupations that it points at."""
    rows: dict[str, list[int]] = {}
    for row, occupation in enumerate(occupations()):
        for cue in (*occupation.cues[language], *_own_names(occupation, language)):
            key = cue if language == "zh" else _stems(cue, language)
            if len(key) > 1 and len(key.split()) < 3 and row not in rows.setdefault(key, []):
                rows[key].append(row)
    return {key: np.array(found, dtype=np.intp) for key, found in rows.items() if found}


def _own_names(occupation: Occupation, language: Language) -> tuple[str, ...]:
    """The names under which a text may speak of an occupation; words like "child" stand in too many texts."""
    person = occupation.people[language]
    if person.role:
        return ()
    names = (person.name.lower(), *(alias.lower() for alias in occupation.aliases))
    return names if language == "zh" else tuple(name for name in names if name.isascii() == (language == "en"))


@cache
def _names(language: Language) -> tuple[re.Pattern[str], dict[str, Person]]:
    found: dict[str, Person] = {}
    for occupation in occupations():
        person = occupation.people[language]
        for name in (person.name, person.genitive, *(alias.lower() for alias in occupation.aliases)):
            found.setdefault(name.lower(), person)
    ordered = sorted(found, key=len, reverse=True)
    body = "|".join(map(re.escape, ordered))
    return re.compile(body if language == "zh" else rf"\b(?:{body})\b"), found


def rank(
    texts: Sequence[str], gists: Sequence[str], languages: Sequence[Language], encoder_name: str = ""
) -> list[list[Occupation]]:
    """The up to three best occupations of each text, best first; `gists` are short summaries for the encoder.

    The encoder is loaded for the first English text that cue words do not decide.
    """
    scores = [cue_scores(text, language) for text, language in zip(texts, languages, strict=True)]
    unsure = [row for row, language in enumerate(languages) if language == "en" and not _is_plain(scores[row])]
    if unsure:
        vectors = _load_encoder(encoder_name).encode([gists[row] for row in unsure])
        for row, vector in zip(unsure, vectors, strict=True):
            scores[row] = _decide(scores[row], vector, gists[row], encoder_name)
    return [_best(row) for row in scores]


def _decide(cues: Scores, vector: NDArray[np.float32], gist: str, encoder_name: str) -> Scores:
    """Cosine and cues together; 0 for what is far from the best.

    A text that two occupations fit alike is encoded again alone, so that no rounding which depends on the other texts
    of the batch can decide.
    """
    table, bonus = _vectors(encoder_name), _CUE_WEIGHT * np.minimum(cues, _MOST_CUES) - _malus()
    combined: Scores = table @ vector.astype(np.float64) + bonus
    top = np.sort(combined)[-4:]
    if np.diff(top).min() < _NEAR or np.abs(top[-1] - top - _MARGIN).min() < _NEAR:
        combined = table @ _load_encoder(encoder_name).encode([gist])[0].astype(np.float64) + bonus
    return np.where(combined >= combined.max() - _MARGIN, combined, 0.0)


@cache
def _malus() -> Scores:
    return np.array([_ROLE_MALUS if row.people["en"].role else 0.0 for row in occupations()])


@cache
def _vectors(encoder_name: str) -> NDArray[np.float64]:
    """Vectors of the occupations, shape (occupations, dimension)."""
    lines = [f"{row.people['en'].name}: {', '.join(row.cues['en'])}" for row in occupations()]
    return _load_encoder(encoder_name).encode(lines).astype(np.float64)


def _load_encoder(name: str) -> "Encoder":
    from persona_assets.text.encoder import load_encoder

    return load_encoder(name)


def _is_plain(scores: Scores) -> bool:
    """Whether cue words alone decide."""
    second, best = np.partition(scores, -2)[-2:]
    return bool(best >= _PLAIN and best >= _PLAIN_LEAD * second)


def _best(scores: Scores) -> list[Occupation]:
    """The three best rows that score at least half of the best; ties by order of the table."""
    order = np.argsort(-scores, kind="stable")[:3]
    floor = scores[order[0]] / 2
    table = occupations()
    return [table[row] for row in order if scores[row] > 0 and scores[row] >= floor] or [occupation_index()[NOBODY]]
