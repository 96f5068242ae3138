"""The rule against samples that repeat an example of their prompt, with other numbers and names or without."""

from functools import lru_cache

import orjson

from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample
from persona_assets.rules.texts import words

_GRAM = 4  # words in a row that two texts seldom share by chance
_SHARE = 0.5  # of a sample's grams in one example; texts of one subject by different hands share under a tenth
_SKELETON = 0.55  # of the words of both, in order; one pair in 10,000 of independent school problems has as much
_LEAST = 8  # words; shorter texts are alike by chance
_MOST = 2000  # words that are compared


@rule()
def copies_demonstration(sample: Sample, field: str) -> str | None:
    """The text repeats no example of its prompt, nor the form of one with other names and numbers in it."""
    own = _tokens(sample.text(field))
    if len(own) < _LEAST:
        return None
    for number, shown in enumerate(sample.demonstrations, 1):
        theirs = _tokens_of(shown, field)
        if len(theirs) < _LEAST:
            continue
        grams, there = _grams(own), _grams(theirs)
        share = len(grams & there) / len(grams)
        if share >= _SHARE:
            return f"{share:.0%} of {field} stands in example {number}"
        alike = 2 * common(own, theirs) / (len(own) + len(theirs))
        if alike >= _SKELETON:
            return f"{field} is example {number} with {1 - alike:.0%} of the words exchanged"
    return None


def common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """The length of the longest sequence of words that both hold in order, not necessarily in a row.

    Bit-parallel, a word of `other` a step: Hyyrö 2004.
    """
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    whole = (1 << len(one)) - 1
    row = whole
    for word in other:
        met = row & places.get(word, 0)
        row = (row + met) | (row - met)
        row &= whole
    return len(one) - row.bit_count()


def _tokens(text: str) -> tuple[str, ...]:
    """The words of a text, every number the same."""
    return tuple("0" if word[0].isdigit() else word for word in words(text)[:_MOST])


@lru_cache(maxsize=1024)
def _tokens_of(shown: str, field: str) -> tuple[str, ...]:
    """Those of a field of an example, which is the JSON text of an answer."""
    try:
        value = orjson.loads(shown).get(field)
    except (orjson.JSONDecodeError, AttributeError):
        return ()
    return _tokens(value) if isinstance(value, str) else ()


def _grams(tokens: tuple[str, ...]) -> set[tuple[str, ...]]:
    return {tokens[at : at + _GRAM] for at in range(len(tokens) - _GRAM + 1)}
