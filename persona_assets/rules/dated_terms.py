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
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("data") / "dated_terms.tsv"
LANGUAGES = ("en", "zh", "ru")
_LETTER = "A-Za-z0-9À-ɏЀ-ӿ"
_HAN, _CYRILLIC = re.compile("[\u3400-\u9fff]"), re.compile("[А-Яа-я]")
_HAN_RUN = re.compile("[\u3400-\u9fff]+")
_WORD, _LETTER_OR_DIGIT = re.compile(f"[{_LETTER}]+"), re.compile(f"[{_LETTER}]")
_FINAL_Y = re.compile("[^aeiou ]y$")
_ENGLISH = "(?:s|es|'s|s'|es')?"
_RUSSIAN = (
    "а я о е и ы у ю ь й ой ей ий ый ою ею ью ом ем им ым ам ям ах ях их ых ами ями ими ыми ов ев ье ья ьи ию ия ии ие"
    " ием ией иям иях иями ая яя ое ее ые ого его ому ему ую юю"
)
# One character for one, so that places in a text stay what they are.
_FOLDED = str.maketrans(
    {**dict.fromkeys("\t\n\r\v\f\u00a0\u3000-\u2010\u2011", " "), "ё": "е", "Ё": "Е", "’": "'", "İ": "I"}
)


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
    whole: bool  # begins with a word


def find(texts: Iterable[str | None]) -> Iterator[Found]:
    """Every term in each text, by text and place; of two that overlap the longer one."""
    for row, text in enumerate(texts):
        folded = _fold(text or "")
        lower = folded.lower()
        yield from _longest([one for form in _begun(lower) for one in _of_form(form, row, folded, lower)])


def _begun(lower: str) -> Iterator[_Form]:
    """The forms whose first letters begin a word of a text, or stand somewhere in its Chinese."""
    known, most = _forms()
    for word in set(_WORD.findall(lower)):
        for end in range(1, min(len(word), most) + 1):
            yield from known.get(word[:end], ())
    for run in set(_HAN_RUN.findall(lower)):
        for start in {run[at : at + most] for at in range(len(run))}:
            for end in range(1, len(start) + 1):
                yield from known.get(start[:end], ())


def _of_form(form: _Form, row: int, folded: str, lower: str) -> Iterator[Found]:
    others = [one.span() for one in form.unless.finditer(lower)] if form.unless else []
    for match in _compiled(form.pattern).finditer(folded if form.cased else lower):
        start, end = match.span()
        begins_word = not form.whole or start == 0 or not _LETTER_OR_DIGIT.match(lower, start - 1)
        if begins_word and not any(first <= start and end <= last for first, last in others):
            yield Found(row, form.term, form.year, start, end)


def _longest(found: list[Found]) -> list[Found]:
    """What is left where the longer of two that overlap counts, in the order of places."""
    kept: list[Found] = []
    for one in sorted(set(found), key=lambda one: (one.start, -one.end, one.year, one.term)):
        if not kept or kept[-1].end <= one.start:
            kept.append(one)
        elif one.end - one.start > kept[-1].end - kept[-1].start:
            kept[-1] = one
    return kept


@cache
def _forms() -> tuple[Mapping[str, tuple[_Form, ...]], int]:
    """The forms of all terms by the letters with which they begin, small and folded, and the most letters of these."""
    found: dict[str, list[_Form]] = defaultdict(list)
    for line in lines():
        others = [re.escape(_fold(one).lower()) for one in line["unless"].split("|") if one]
        unless = re.compile("|".join(others)) if others else None
        for told in dict.fromkeys(one for language in LANGUAGES for one in line[language].split("|") if one):
            form = _fold(told)
            is_whole = not _HAN.search(form)
            first = _WORD.match(form.lower()) or _HAN_RUN.match(form)
            found[first.group() if first else ""].append(
                _Form(line["term"], int(line["year"]), _expression(form), unless, told != told.lower(), is_whole)
            )
    return {first: tuple(forms) for first, forms in found.items()}, max(map(len, found))


@cache  # one by one, as few are ever met
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@cache
def lines() -> tuple[dict[str, str], ...]:
    """The lines of the file, with `term`, `year`, a column of each language, and `unless`."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _fold(text: str) -> str:
    return text.translate(_FOLDED)


def _expression(form: str) -> str:
    """What finds a form; what stands before it is looked at where it is found, which is faster."""
    if _HAN.search(form):
        return re.escape(form)
    if "*" in form or _CYRILLIC.search(form):
        ending = f"(?:{'|'.join(_RUSSIAN.split())})?"
        pattern = ending.join(map(re.escape, form.split("*")))
    elif _FINAL_Y.search(form):
        pattern = f"{re.escape(form[:-1])}(?:y|y's|ies|ies')"
    else:
        pattern = re.escape(form) + _ENGLISH
    return f"{pattern}(?![{_LETTER}])"
