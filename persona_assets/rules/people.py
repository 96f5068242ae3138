"""The rule of cards: an invented person bears no name of somebody real."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache

from persona_assets.rules.known_people import CHINESE, CYRILLIC, LATIN
from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample

_WORD = re.compile(r"[^\W\d_]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_CYRILLIC = re.compile(r"[а-я]")
_LEAST = 4  # letters of a family name, or of what is left of it without its ending
_MOST = 1_000_000  # characters of a page that are looked at; a prompt shows far fewer
_ENDING = 2  # letters that a Russian name may lose or change in a sentence


@rule(repairs=True)
def invented_name(sample: Sample, field: str, source: str = "") -> str | None:
    """The name is not that of a well-known person, and no family name of the persona's text or its source.

    `source` names the column of what the persona came from, as `raw_documents.text`.
    """
    name = sample.text(field)
    if known := _known(name):
        return f"{field}: {known} is known to many"
    for text in (sample.persona, _source(sample.about, source)):
        if there := _stands_in(name, text):
            return f"{field}: {there} stands in the text that the persona came from"
    return None


def _source(about: Mapping[str, object], place: str) -> str:
    table, _, column = place.partition(".")
    above = about.get(table)
    return str(above.get(column) or "")[:_MOST] if isinstance(above, Mapping) else ""


def _known(name: str) -> str | None:
    """The well-known person whose name it is, in whatever order; of a single word also by the family name alone."""
    if _HAN.search(name):
        return name if "".join(_words(name)) in _chinese() else None
    own = frozenset(_words(name))
    for word in own:
        for words, shown in _by_family_name().get(word, ()):
            if words <= own or len(own) == 1:
                return shown
    return None


def _stands_in(name: str, text: str) -> str | None:
    """The part of a name that a text has as a name: the whole in Chinese, else a word behind the first."""
    if _HAN.search(name):
        return name if "".join(_words(name)) in "".join(_words(text)) else None
    words = list(_words(name))
    wanted = [word for word in words[1:] if len(word) >= _LEAST] or words[:1]
    there = {_plain(word) for word in set(_WORD.findall(text)) if word[0].isupper()}
    for word in wanted:
        if word in there or any(_is_form(word, other) for other in there if _CYRILLIC.search(word)):
            return word.capitalize()
    return None


def _is_form(word: str, other: str) -> bool:
    """Whether two Russian words may be forms of one name."""
    stem = word[: max(_LEAST, len(word) - _ENDING)]
    return other.startswith(stem) and abs(len(other) - len(word)) <= _ENDING + 1


def _words(text: str) -> Iterator[str]:
    return map(_plain, _WORD.findall(text))


def _plain(word: str) -> str:
    """A word in small letters, without accents, with е for ё."""
    apart = unicodedata.normalize("NFKD", word.casefold().replace("ё", "е").replace("й", "\0"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).replace("\0", "й")


@cache
def _by_family_name() -> dict[str, list[tuple[frozenset[str], str]]]:
    """By the last word of each name in Latin or Cyrillic letters its words, and the name as it is written."""
    found: dict[str, list[tuple[frozenset[str], str]]] = {}
    for line in (LATIN + CYRILLIC).splitlines():
        if words := list(_words(line)):
            found.setdefault(words[-1], []).append((frozenset(words), line))
    return found


@cache
def _chinese() -> frozenset[str]:
    return frozenset("".join(_words(line)) for line in CHINESE.splitlines())
