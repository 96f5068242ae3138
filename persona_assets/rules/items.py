"""The rules of lists: an item says something that those before it do not, or names one of the rows that were shown."""

import re
import unicodedata
from collections.abc import Mapping

from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample

_ALIKE = 0.75  # share of pairs of letters in common from which two short names are of one thing
_SHOWN = 80
_APART = re.compile(r"[\W_]+")


@rule()
def differs_from_earlier(sample: Sample, field: str) -> str | None:
    """The text is not nearly that of an item before it in the same answer."""
    own = _pairs(sample.text(field))
    for earlier in sample.before:
        other = earlier.get(field)
        if isinstance(other, str) and own and _alike(own, _pairs(other)):
            return f"{field} is nearly {other[:_SHOWN]!r}, which stands before it"
    return None


@rule(repairs=True)
def one_of_shown(sample: Sample, field: str, shown: str, column: str) -> str | None:
    """The text stands in a column of the rows that the prompt shows as `shown`, and in no item before it."""
    own = sample.text(field)
    rows = sample.about.get(shown)
    known = [row.get(column) for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    if own not in known:
        return f"{field} {own[:_SHOWN]!r} is none of the {len(known)} that were shown"
    if any(earlier.get(field) == own for earlier in sample.before):
        return f"{field} {own!r} stands there before"
    return None


def _pairs(text: str) -> frozenset[str]:
    """The pairs of neighbouring letters of a text, whatever its case, width, spaces and marks."""
    plain = _APART.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()
    return frozenset(plain[at : at + 2] for at in range(max(len(plain) - 1, 1))) if plain else frozenset()


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= _ALIKE * len(one | other)
