"""Rules about what a sample is: a request, a problem without its solution."""

import re
from functools import cache
from typing import Literal

from persona_assets.maths.compare import same_number
from persona_assets.maths.numbers import number
from persona_assets.maths.solution import figures, final_answer
from persona_assets.rules.patterns import LANGUAGES, of_language, pattern
from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample
from persona_assets.rules.texts import prose, spans, words

_SHOWN = 80
_BLANK = re.compile(
    r"[?？]|_{2,}|（\s*）|\(\s*\)|\.{5,}|…{2,}|(?:^|\s|[。.])\(?A[.)、．:].{0,400}\(?B[.)、．:]", re.DOTALL
)
_MARKS = tuple(re.compile(rf"(?:^|[\s(（])([{kind}])[.)、．）]") for kind in ("A-Z", "a-z", "А-Я", "а-я", "1-9"))
_HAN = re.compile("[\u3400-\u9fff]")
_NUMBER = re.compile(r"[-−]?\d[\d.,/]*\d|[-−]?\d")
_ARTICLES = frozenset(("a", "an", "the"))
_FEW_WORDS = 3  # an answer of more is a phrase, of which most words are looked for
_MOST_SHARE = 0.7
_COMMON = "a an the of to in is and or that it на и в не что это 的 是 了"
_DIGITS = re.compile(r"\d{1,15}")
_FIGURES = re.compile(
    r"(?<![\d.,])\d{1,6}(?![\d.,]\d)|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty"
    r"|два|две|три|четыре|пять|шесть|семь|восемь|девять|десять|двенадцать)\b"
)
_GENITIVES = {  # of Russian, as "из пяти" has them
    **{"двух": "два", "трех": "три", "трёх": "три", "четырех": "четыре", "четырёх": "четыре", "пяти": "пять"},
    **{"шести": "шесть", "семи": "семь", "восьми": "восемь", "девяти": "девять", "десяти": "десять"},
    **{"двое": "два", "трое": "три", "четверо": "четыре", "пятеро": "пять", "шестеро": "шесть", "семеро": "семь"},
    **{"двенадцати": "двенадцать", "двадцати": "двадцать", "тридцати": "тридцать"},
}
_NEGATIVE = re.compile(r"\s*[-−–]\s*\d")


@rule(version=2)
def no_person_description(sample: Sample, field: str) -> str | None:
    """The text asks or tells something; it is not the description of a person, nor advice where a request belongs.

    A text that begins as a persona does, or as an answer, and has no question and no request in it; or one that puts a
    person's whole description before what the person meets.
    """
    text = sample.text(field)
    if found := pattern("pasted").match(text):
        return f"{field} begins with the description of a person: {found.group(0).strip()[:_SHOWN]}"
    if pattern("request").search(text):
        return None
    for name in ("person", "reply"):
        if found := pattern(name).match(text):
            said = "describes a person" if name == "person" else "answers rather than asks"
            return f"{field} {said}: {found.group(0).strip()[:_SHOWN]}"
    return None


@rule(version=2)
def is_question_or_task(sample: Sample, field: str) -> str | None:
    """The text sets a problem: a question mark, a blank, choices, or an imperative that begins a sentence."""
    text = sample.text(field)
    if _BLANK.search(text) or has_choices(text) or pattern("asks").search(text):
        return None
    return f"{field} sets no problem: {text[:_SHOWN]}"


def has_choices(text: str) -> bool:
    """Whether three marks of a list stand there that follow on one another, as A) B) C) or 1. 2. 3. do."""
    for kind in _MARKS:
        marks = [ord(found) for found in kind.findall(text)]
        if any(
            (two - one, three - two) == (1, 1) for one, two, three in zip(marks, marks[1:], marks[2:], strict=False)
        ):
            return True
    return False


@rule(version=2)
def has_number(sample: Sample, field: str) -> str | None:
    """The text holds what can be reckoned with: numbers in digits or words, symbols, figures; a proof needs none."""
    text = sample.text(field)
    if pattern("number").search(text) or pattern("proves").search(text) or "\\" in text:
        return None
    return f"{field} holds no number"


@rule(version=2, repairs=True)
def no_solution(sample: Sample, field: str, answer_field: str = "") -> str | None:
    """The problem holds no worked solution and does not conclude with its answer.

    A solution follows what is asked: under a heading, as a conclusion, as a sum that is worked out, or with the answer
    in it. What is said before belongs to the problem, and so does how to answer.
    """
    text = sample.text(field)
    first, last = asked(text)
    if found := _heading().search(text, first):
        return f"{field} holds a solution: {found.group(0).strip()[:_SHOWN]}"
    for start, end in spans(text):
        if start >= first > 0 and (found := pattern("works_out").search(text, start, end)):
            return f"{field} works out a sum: {found.group(0).strip()[:_SHOWN]}"
    after = text[last:].strip()
    if not after or not last or has_choices(after):
        return None
    if found := pattern("answers").match(after):
        return f"{field} answers its question: {found.group(0).strip()[:_SHOWN]}"
    if pattern("form").match(after):
        return None
    if found := pattern("concludes").search(after):
        return f"{field} concludes: {after[found.start() :][:_SHOWN]}"
    plain = prose(after)
    if found := pattern("arithmetic").search(plain):
        return f"{field} works out a sum: {found.group(0).strip()[:_SHOWN]}"
    answer = sample.text(answer_field).strip() if answer_field else ""
    if answer and _says(plain, answer):
        return f"{field} concludes with its answer {answer[:_SHOWN]}: {after[:_SHOWN]}"
    return None


@rule(repairs=True)
def answer_follows(sample: Sample, field: str, answer_field: str) -> str | None:
    """The answer is a number that the working arrives at, or speaks of; where either is no number, nothing is seen."""
    working, answer = sample.text(field), sample.text(answer_field)
    result = final_answer(working, sample.language) if working and answer else ""
    stated, given = number(answer, sample.language), number(result, sample.language)
    if not stated or not given or same_number(stated, given) or stated.value == 100 * given.value:  # as cents are
        return None
    if any((one := number(figure, sample.language)) and same_number(stated, one) for figure in figures(working)):
        return None
    return f"{answer_field} is {answer[:_SHOWN]}, and {field} arrives at {result[:_SHOWN]}"


def asked(text: str) -> tuple[int, int]:
    """Where the first and the last sentence end that ask for something; 0 where none does."""
    first = last = 0
    for start, end in spans(text):
        sentence = text[start:end]
        marked = "?" in sentence or "\uff1f" in sentence
        # In Chinese the words that ask are those that tell: after a question with its mark they ask no more.
        if marked or (pattern("asks").search(sentence) and not (first and _HAN.search(sentence))):
            first, last = first or end, end
    return first, last


@cache
def _heading() -> re.Pattern[str]:
    labels = "|".join(of_language(language)["label_of_solution"] for language in LANGUAGES)
    mark = r"(?:[:\uff1a=]|[\u2014\u2013-]\s|[.\uff0e]\s+(?=\S))"
    return re.compile(rf"(?:^|(?<=[\s*#.(（。?？!！]))(?:{labels})\s*\**\s*{mark}\s*\**\s*\S", re.IGNORECASE)


def _says(after: str, answer: str) -> bool:
    """Whether what follows the question says the answer: its number, its words, or most words of a longer one."""
    if number := _NUMBER.match(answer):
        return re.search(rf"(?<![\d.,]){re.escape(number.group(0))}(?![\d]|[.,]\d)", after) is not None
    wanted, there = words(answer), words(after)
    if len(wanted) > _FEW_WORDS:
        own = {word for word in wanted if word not in words(_COMMON)}
        return len(own & set(there)) >= _MOST_SHARE * len(own) > 0
    said = f" {' '.join(there)} "
    return len(answer) > 1 and f" {' '.join(word for word in wanted if word not in _ARTICLES)} " in said


@rule()
def no_vagueness(sample: Sample, field: str, names: Literal["instruction", "problem"] = "problem") -> str | None:
    """The text says what it is about: a request for more than "it", a problem of more than somebody and something."""
    text = sample.text(field)
    found = pattern("vague_request").match(text)
    if not found and names == "problem":
        found = pattern("vague_problem").search(text)
    return f"found: {found.group(0).strip()[:_SHOWN]}" if found else None


@rule(version=2)
def no_contradiction(sample: Sample, field: str, answer_field: str = "") -> str | None:
    """The numbers agree: no part, and no two parts, are more than the whole, no answer to "how many" below zero."""
    text = sample.text(field)
    for found in pattern("part").finditer(text):
        part = int(next(number for number in found.groups() if number))
        before = [int(number) for number in _DIGITS.findall(text[: found.start()])]
        if before and part > sum(before):
            return f"{found.group(0)}, of {sum(before)} at most"
    for found in pattern("parts").finditer(text):
        whole, one, two = (_counted(figure) for figure in found.groups() if figure)
        if one + two > whole > 0:
            return f"{one} and {two} of {whole}"
    for found in pattern("rest").finditer(text):
        whole, one, two = (_counted(figure) for figure in found.groups() if figure)
        if one + two != whole > 0 and one and two:
            return f"{one} and the other {two} of {whole}"
    for found in pattern("among").finditer(text):
        whole, one = (_counted(figure) for figure in found.groups() if figure)
        if one > whole > 0:
            return f"{one} of {whole}"
    for found in pattern("itemised").finditer(text):
        told, items = (one for one in found.groups() if one)
        whole, parts = _counted(told), [_counted(one) for one in _FIGURES.findall(items)]
        if len(parts) > 1 and max(parts) <= whole < sum(parts):
            return f"{' and '.join(map(str, parts))} of {whole}"
    answer = sample.text(answer_field) if answer_field else ""
    if _NEGATIVE.match(answer) and (counted := pattern("counts").search(text)):
        return f"{answer_field} {answer[:_SHOWN]} to a question of {counted.group(0)}"
    return None


def _counted(figure: str) -> int:
    """How many a figure or number word is; 0 where it is neither, or no whole number."""
    word = figure.lower()
    found = number(_GENITIVES.get(word, word), "ru" if word in _GENITIVES else "en")
    return int(found.value) if found and found.value.denominator == 1 else 0
