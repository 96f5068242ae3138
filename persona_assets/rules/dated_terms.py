"""Things, words and people that nobody knew before some year: `data/dated_terms.tsv`, own compilation.

A line has the term's id, the year from which somebody somewhere could know it, its forms in English, Chinese and
Russian, and texts within which a form means something else (`unless`). Several stand with `|` between them. A form in
small letters is found in any case, one with capitals as it is written. In English the last word of a form may have a
plural or possessive ending, in Russian `*` stands for the ending of a noun or an adjective, or for none; both are whole
words. A hyphen is a space, `ё` is `е`. Words that meant something else before their year are left out, or stand among
others that make them plain. Years are those of the Old World, to a decade: in America potatoes are older.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import polars as pl

FILE = Path(__file__).with_name("data") / "dated_terms.tsv"
LANGUAGES = ("en", "zh", "ru")
_LETTER = "A-Za-z0-9À-ɏЀ-ӿ"
_HAN = re.compile("[\u3400-\u9fff]")
_FINAL_Y = re.compile("[^aeiou ]y$")
_ENGLISH = "(?:s|es|'s|s'|es')?"
_RUSSIAN = (
    "а я о е и ы у ю ь й ой ей ий ый ою ею ью ом ем им ым ам ям ах ях их ых ами ями ими ыми ов ев ье ья ьи ию ия ии ие"
    " ием ией иям иях иями ая яя ое ее ые ого его ому ему ую юю"
)
# One character for one, so that places in a text stay what they are.
_FOLDED = {**dict.fromkeys("\t\n\r\v\f\u00a0\u3000-\u2010\u2011", " "), "ё": "е", "Ё": "Е", "’": "'", "İ": "I"}


class Found(NamedTuple):
    """A term in the text of number `row`, from `start` to `end` (characters), and its year."""

    row: int
    term: str
    year: int
    start: int
    end: int


class _Form(NamedTuple):
    term: str
    year: int
    pattern: str
    unless: re.Pattern[str] | None
    cased: bool  # looked for in the text as it is written


def find(texts: pl.Series) -> list[Found]:
    """Every term in each text (strings, nulls as ""), by text and place; of terms that overlap the longest."""
    folded = texts.cast(pl.String).fill_null("").str.replace_many(_FOLDED)
    lower = folded.str.to_lowercase()
    candidates = lower.str.extract_many(list(_forms()), overlapping=True).list.unique(maintain_order=True)
    found: list[Found] = []
    for row, needles in enumerate(candidates.to_list()):
        if needles:
            found += _longest([one for form in _named(needles) for one in _of_form(form, row, folded[row], lower[row])])
    return found


def _named(needles: Sequence[str]) -> Iterator[_Form]:
    return (form for needle in needles for form in _forms()[needle])


def _of_form(form: _Form, row: int, folded: str, lower: str) -> Iterator[Found]:
    others = [one.span() for one in form.unless.finditer(lower)] if form.unless else []
    for match in _compiled(form.pattern).finditer(folded if form.cased else lower):
        start, end = match.span()
        if not any(first <= start and end <= last for first, last in others):
            yield Found(row, form.term, form.year, start, end)


def _longest(found: list[Found]) -> list[Found]:
    """What is left where the longer of two that overlap counts, in the order of places."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda one: (one.start - one.end, one.start, one.year, one.term)):
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


@cache
def _forms() -> Mapping[str, tuple[_Form, ...]]:
    """By the letters with which they begin, small and folded, the forms of all terms."""
    found: dict[str, dict[str, _Form]] = defaultdict(dict)
    for line in lines():
        others = [re.escape(_fold(one).lower()) for one in line["unless"].split("|") if one]
        unless = re.compile("|".join(others)) if others else None
        for told in (one for language in LANGUAGES for one in line[language].split("|") if one):
            needle, pattern = _expression(_fold(told))
            cased = told != told.lower()
            found[needle.lower()][f"{line['term']} {told}"] = _Form(
                line["term"], int(line["year"]), pattern, unless, cased
            )
    return {needle: tuple(forms.values()) for needle, forms in found.items()}


@cache  # one by one, as few are ever met
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@cache
def lines() -> tuple[dict[str, str], ...]:
    """The lines of the file, with `term`, `year`, a column of each language, and `unless`."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _fold(text: str) -> str:
    return text.translate({ord(one): other for one, other in _FOLDED.items()})


def _expression(form: str) -> tuple[str, str]:
    """The letters with which a form begins, and what finds it."""
    if _HAN.search(form):
        return form, re.escape(form)
    if "*" in form or re.search("[а-яё]", form, re.IGNORECASE):
        ending = f"(?:{'|'.join(_RUSSIAN.split())})?"
        return form.partition("*")[0], _whole(ending.join(map(re.escape, form.split("*"))))
    if _FINAL_Y.search(form):
        return form[:-1], _whole(f"{re.escape(form[:-1])}(?:y|y's|ies|ies')")
    return form, _whole(re.escape(form) + _ENGLISH)


def _whole(pattern: str) -> str:
    """What finds whole words alone."""
    return f"(?<![{_LETTER}]){pattern}(?![{_LETTER}])"
