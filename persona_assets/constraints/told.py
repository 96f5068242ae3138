"""Whether a message tells a constraint in its own words: what it is about, and every argument."""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from persona_assets.constraints.constraint import Constraint, Value
from persona_assets.constraints.kinds import kind_named, language_name
from persona_assets.constraints.words import folded, normal, times
from persona_assets.maths.numbers import number

_TOKEN = re.compile(r"[^\W\d_]+")
_ZH_NUMERALS = re.compile("[零〇一二两三四五六七八九十百千]{1,9}")
_MOST_WORDS = 6  # of a number in words
_FOLLOWS = frozenset({"and", "hundred", "thousand"})  # go on with a number, and begin none
_ABOUT = {
    "en": re.compile(r"\b(?:about|around|roughly|approximately|nearly|almost|circa)\s*\Z"),
    "zh": re.compile(r"(?:大约|大概|约|差不多)\s*\Z"),
    "ru": re.compile(r"(?:около|примерно|приблизительно|порядка|почти)\s*\Z"),
}
_OR_SO = {  # which may stand with what is counted between
    "en": re.compile(r"(?:\s+\w+)?\s+or so\b"),
    "zh": re.compile(r"\s*[个]?[字句段条次]?(?:左右|上下|来[字句段条次个])"),
    "ru": re.compile(r"(?:\s+\w+)?\s+(?:или около того|плюс-минус)"),
}
_ENDINGS = {"en": 0, "zh": 1, "ru": 2}  # of a language's name: 英语 and 英文; of an adjective any case
_EN_FORMS = {"twice": "two", "thrice": "three", "double": "two"}
_RU_CASES = {
    "двух": "два", "двум": "два", "двумя": "два", "трех": "три", "трем": "три", "тремя": "три", "четырех": "четыре",
    "четырем": "четыре", "четырьмя": "четыре", "сорока": "сорок", "девяноста": "девяносто", "ста": "сто",
    "двухсот": "двести", "трехсот": "триста", "четырехсот": "четыреста",
    "дважды": "два", "трижды": "три", "четырежды": "четыре",
}  # fmt: skip
_RU_SOFT = {"восьми": "восемь", "восемью": "восемь"} | {  # whose nominative ends in a soft sign
    f"{stem}{ending}": f"{stem}ь"
    for stem in ("пят", "шест", "сем", "девят", "десят", "двадцат", "тридцат", *(
        f"{unit}надцат" for unit in ("один", "две", "три", "четыр", "пят", "шест", "сем", "восем", "девят")))
    for ending in ("и", "ью")
}  # fmt: skip
_RU_TENS = {
    f"{genitive}десяти": f"{told}десят"
    for genitive, told in (("пяти", "пять"), ("шести", "шесть"), ("семи", "семь"), ("восьми", "восемь"))
}
_RU_FORMS = _RU_CASES | _RU_SOFT | _RU_TENS


def untold(constraint: Constraint, message: str, language: str) -> str | None:
    """None where a message tells a constraint, else a short English sentence on what is missing.

    A number may stand in digits or words, but not beside a word such as "about". Whether it is told in such a way that
    it means the same, no program sees.

    Raises:
        UsageError: the kind is unknown or has no meaning in the language.
    """
    kind_named(constraint.kind, language)
    text = folded(message)
    if not all(any(cue in text for cue in cues) for cues in _cues(constraint.kind, language)):
        return f"nothing tells the condition: {constraint.text}"
    for name, value in constraint.args.items():
        for one in value if isinstance(value, list) else [value]:
            if not _says(message, text, name, one, language):
                return f"“{one}” is missing, or not told exactly, of the condition: {constraint.text}"
    return None


@cache
def _cues(kind: str, language: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(one.split("|")) for one in _all()[kind].get(language, ()))


@cache
def _all() -> Mapping[str, Any]:
    return yaml.safe_load(Path(__file__).with_name("told.yaml").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _says(message: str, text: str, name: str, value: Value, language: str) -> bool:
    """Whether an argument stands in a message, of which `text` is the folded form."""
    if isinstance(value, int):
        return says_number(message, value, language)
    told = str(value)
    if name == "to":
        stem = folded(language_name(told, language))
        return stem[: len(stem) - _ENDINGS[language]] in text
    if name in ("word", "letter"):
        return times(message, told, language) > 0
    return folded(told).strip(".。") in text


def says_number(message: str, wanted: int, language: str) -> bool:
    """Whether a whole number stands in a text in digits or words, and not only beside a word such as "about"."""
    text = normal(message).lower()
    return any(
        value == wanted
        and not _ABOUT[language].search(text[max(0, start - 24) : start])
        and not _OR_SO[language].match(text, end)
        for start, end, value in _numbers(text, language)
    )


def _numbers(text: str, language: str) -> Iterator[tuple[int, int, int]]:
    """Where whole numbers begin and end in a text, and which."""
    for found in re.finditer(r"(?<!\d)(?<!\d[.,])\d{1,6}(?!\d)(?![.,]\d)", text):
        yield *found.span(), int(found[0])
    if language == "zh":
        for found in _ZH_NUMERALS.finditer(text):
            if (value := _value(found[0], "zh")) is not None:
                yield *found.span(), value
        return
    tokens = list(_TOKEN.finditer(text.replace("ё", "е")))
    at = 0
    while at < len(tokens):
        end = at
        while end < len(tokens) and end - at < _MOST_WORDS and _goes_on(tokens[end][0], language, first=end == at):
            end += 1
        while end > at and tokens[end - 1][0] == "and":
            end -= 1
        words = " ".join(_plain(token[0], language) for token in tokens[at:end])
        if words and (value := _value(words, language)) is not None:
            yield tokens[at].start(), tokens[end - 1].end(), value
        at = max(end, at + 1)


def _goes_on(word: str, language: str, *, first: bool) -> bool:
    """Whether a word is part of a number, or begins one."""
    if language == "en" and word in _FOLLOWS:
        return not first or word == "hundred"  # as in "a hundred"
    return _value(_plain(word, language), language) is not None


def _plain(word: str, language: str) -> str:
    """A number word in the form in which it is counted with."""
    return (_RU_FORMS if language == "ru" else _EN_FORMS).get(word, word)


@lru_cache(maxsize=4096)
def _value(words: str, language: str) -> int | None:
    """The whole number that words are; None where they are none."""
    found = number(f"one {words}" if words.startswith("hundred") else words, language)
    return int(found.value) if found and found.value.denominator == 1 and not found.percent else None
