"""Keyphrases of Chinese text without a segmenter: known words, and strings that recur in varied surroundings.

Accessor variety (how many different characters stand left and right of a string) tells words from their fragments.
"""

import re
from collections import Counter
from functools import cache

from persona_assets.engines.offline.data import occupations, words

READ_CHARACTERS = 1500
_LONGEST = 6
_KNOWN_WEIGHT = 2.5
_HAN = re.compile(r"[\u3400-\u9fff]+")
_FOREIGN_NAME = re.compile(r"[\u3400-\u9fff]{1,6}(?:[·•‧][\u3400-\u9fff]{1,6})+")


def keyphrases(text: str, limit: int) -> list[str]:
    """Up to `limit` topics, best first."""
    runs = _HAN.findall(_FOREIGN_NAME.sub(" ", text[:READ_CHARACTERS]))
    segments = [part for run in runs for part in _stops().split(run) if len(part) > 1]
    scores = _known(runs)
    for phrase, score in _recurring(segments).items():
        scores[phrase] = scores.get(phrase, 0.0) + score
    if len(scores) < limit:
        for segment in segments:  # a short text repeats nothing: take what stands between stop characters
            if 2 <= len(segment) <= 5 and _is_bounded(segment):
                scores.setdefault(segment, 0.1)
    return _distinct(scores, limit)


def _known(runs: list[str]) -> dict[str, float]:
    """Words of the occupation table that stand in the text; they may hold a stop character."""
    table, found = known_words(), Counter[str]()
    for run in runs:
        for size in range(2, _LONGEST + 1):
            for start in range(len(run) - size + 1):
                if run[start : start + size] in table:
                    found[run[start : start + size]] += 1
    return {word: _KNOWN_WEIGHT * count**0.5 * (len(word) - 1) for word, count in found.items()}


def _recurring(segments: list[str]) -> dict[str, float]:
    counts = Counter(
        segment[start : start + size]
        for segment in segments
        for size in range(2, _LONGEST + 1)
        for start in range(len(segment) - size + 1)
    )
    repeated = {phrase for phrase, count in counts.items() if count > 1 and _is_bounded(phrase)}
    left: dict[str, set[str]] = {phrase: set() for phrase in repeated}
    right: dict[str, set[str]] = {phrase: set() for phrase in repeated}
    for number, segment in enumerate(segments):
        padded = f"\x00{segment}\x00"
        for size in range(2, _LONGEST + 1):
            for start in range(1, len(padded) - size):
                phrase = padded[start : start + size]
                if phrase in repeated:  # a segment's end counts as a neighbour of its own
                    left[phrase].add(padded[start - 1] if start > 1 else f"^{number}")
                    right[phrase].add(padded[start + size] if start + size < len(padded) - 1 else f"${number}")
    variety = {phrase: min(len(left[phrase]), len(right[phrase])) for phrase in repeated}
    return {phrase: value * (len(phrase) - 1) ** 0.5 for phrase, value in variety.items() if value > 1}


def _is_bounded(phrase: str) -> bool:
    """Whether a string may be a topic: no edge character at its ends, and not like a person's name."""
    lists = words()["zh"]
    if phrase in known_words():
        return True
    is_name = len(phrase) == 3 and phrase[0] in lists["surnames"]
    return not is_name and phrase[0] not in lists["edge_characters"] and phrase[-1] not in lists["edge_characters"]


def _distinct(scores: dict[str, float], limit: int) -> list[str]:
    """The best ones, none of which shares two neighbouring characters with a better one."""
    chosen: list[str] = []
    taken: set[str] = set()
    for phrase in sorted(scores, key=lambda phrase: (-scores[phrase], phrase)):
        pairs = {phrase[start : start + 2] for start in range(len(phrase) - 1)}
        if not pairs & taken:
            chosen.append(phrase)
            taken |= pairs
        if len(chosen) == limit:
            break
    return chosen


@cache
def known_words() -> frozenset[str]:
    """Chinese cue words of at least two characters."""
    return frozenset(cue for occupation in occupations() for cue in occupation.cues["zh"] if len(cue) > 1)


@cache
def _stops() -> re.Pattern[str]:
    """Splits at stop words and stop characters."""
    lists = words()["zh"]
    stop_words = sorted(lists["stop_words"].split(), key=len, reverse=True)
    return re.compile("|".join(stop_words) + f"|[{lists['stop_characters']}]")
