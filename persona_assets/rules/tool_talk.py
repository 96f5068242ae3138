"""The rules of conversations in which an assistant calls a tool."""

import re
from collections.abc import Iterator
from fractions import Fraction

import orjson

from persona_assets.ids import Json
from persona_assets.maths.numbers import clean, number
from persona_assets.maths.solution import figures
from persona_assets.maths.words import Number
from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample
from persona_assets.rules.texts import words

_ALL = 6  # numbers of a result that an answer states all of; of a longer list it may tell a part
_PART = 3
_DECIMALS = 12  # more are not looked at
_CLOSE = Fraction(1, 100)  # a figure that is rounded further says something else
_WORD = re.compile(r"\s?([^\W\d_]{1,20})")
_IN_CHINESE = re.compile("[零〇一二两三四五六七八九十百千万亿点]{1,20}")
_SHOWN = 80


@rule()
def states_result(sample: Sample, field: str) -> str | None:
    """The answer states the numbers of the tool's result, rounded or in words where it likes; 0 may be "nothing"."""
    wanted = [one for one in dict.fromkeys(_numbers_of(sample.about.get("result"))) if one]
    if not wanted:
        return None
    missing = wanted
    for numbers in (_in_digits, _in_words):  # the second looks at every word, and is seldom needed
        if missing:
            stated = list(numbers(sample.text(field), sample.language))
            missing = [one for one in missing if not any(_says(found, one) for found in stated)]
    allowed = 0 if len(wanted) <= _ALL else len(wanted) - _PART
    if len(missing) <= allowed:
        return None
    shown = ", ".join(str(float(one)).removesuffix(".0") for one in missing[:_PART])
    return f"{field} does not state {shown}, which the tool gave"


@rule()
def names_no_tool(sample: Sample, field: str) -> str | None:
    """The text does not say the name of the function that was asked about."""
    name = sample.about.get("function_name")
    return f"{field} names {name[:_SHOWN]}" if isinstance(name, str) and name and name in sample.text(field) else None


def _numbers_of(result: Json) -> Iterator[Fraction]:
    """The numbers in a result, given as JSON text."""
    try:
        pending = [orjson.loads(result)] if isinstance(result, str) else [result]
    except orjson.JSONDecodeError:
        return
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += reversed(value.values())
        elif isinstance(value, list):
            pending += reversed(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield Fraction(value)


def _in_digits(text: str, language: str) -> Iterator[Number]:
    """The numbers that a text states in digits."""
    body, at = clean(text), 0
    for figure in figures(text):
        at = max(body.find(figure, at), at) + len(figure)
        unit = _WORD.match(body, at)
        for written in (f"{figure} {unit[1]}" if unit else figure, figure):  # "1.2 million" is one number
            if found := number(written, language):
                yield found


def _in_words(text: str, language: str) -> Iterator[Number]:
    """The numbers that a text states in up to three words."""
    found = words(text)
    phrases = {" ".join(found[at : at + count]) for count in (1, 2, 3) for at in range(len(found))}
    for phrase in sorted(phrases | set(_IN_CHINESE.findall(text))):
        if not phrase[0].isdigit() and (read := number(phrase, language)):
            yield read


def _says(stated: Number, wanted: Fraction) -> bool:
    """Whether a number is the one that is wanted, as far as it is written out; "30 short" says -30."""
    values = [stated.value, stated.value / 100] if stated.percent else [stated.value]
    return any(_is_rounded(abs(value), abs(wanted)) for value in values)


def _is_rounded(value: Fraction, wanted: Fraction) -> bool:
    if value == wanted:
        return True
    decimals = next((count for count in range(_DECIMALS) if (value * 10**count).denominator == 1), _DECIMALS)
    difference = abs(value - wanted)
    return difference <= Fraction(1, 2 * 10**decimals) and difference <= _CLOSE * wanted
