"""Rules about what a sample is: a request, a problem without its solution."""

import re
from functools import cache

from persona_assets.rules.patterns import LANGUAGES, of_language, pattern
from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample
from persona_assets.rules.texts import prose, spans

_SHOWN = 80
_BLANK = re.compile(r"[?？]|_{2,}|（\s*）|\(\s*\)|\.{5,}|…{2,}|(?:^|\s|[。.])\(?A[.)、．:].*\(?B[.)、．:]", re.DOTALL)
_LONGEST_ANSWER = 24  # characters; longer ones are phrases, which a problem may hold by chance
_NEGATIVE = re.compile(r"\s*[-−–]\s*\d")


@rule()
def no_person_description(sample: Sample, field: str) -> str | None:
    """The text asks or tells something; it is not the description of a person, nor advice where a request belongs.

    A text that begins as a persona does, or as an answer, and has no question and no request in it.
    """
    text = sample.text(field)
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
    if _BLANK.search(text) or pattern("asks").search(text):
        return None
    return f"{field} sets no problem: {text[:_SHOWN]}"


@rule(version=2)
def has_number(sample: Sample, field: str) -> str | None:
    """The text holds what can be reckoned with: numbers in digits or words, symbols, figures; a proof needs none."""
    text = sample.text(field)
    if pattern("number").search(text) or pattern("proves").search(text) or "\\" in text:
        return None
    return f"{field} holds no number"


@rule(version=2)
def no_solution(sample: Sample, field: str, answer_field: str = "") -> str | None:
    """The problem holds no worked solution and does not conclude with its answer.

    A solution follows what is asked: under a heading, as a conclusion, as a sum that is worked out, or with the answer
    in it. What is said before belongs to the problem, and so does how to answer.
    """
    text = sample.text(field)
    first, last = asked(text)
    if found := _heading().search(text, first):
        return f"{field} holds a solution: {found.group(0).strip()[:_SHOWN]}"
    after = prose(text[last:]).strip()
    if not after or not last or pattern("form").match(after):
        return None
    if found := pattern("concludes").search(after):
        return f"{field} concludes: {after[found.start() :][:_SHOWN]}"
    if found := pattern("arithmetic").search(after):
        return f"{field} works out a sum: {found.group(0).strip()[:_SHOWN]}"
    answer = sample.text(answer_field).strip() if answer_field else ""
    if answer and len(answer) <= _LONGEST_ANSWER and _says(after, answer):
        return f"{field} concludes with its answer {answer}: {after[:_SHOWN]}"
    return None


def asked(text: str) -> tuple[int, int]:
    """Where the first and the last sentence end that ask for something; 0 where none does."""
    first = last = 0
    for start, end in spans(text):
        if "?" in text[start:end] or "\uff1f" in text[start:end] or pattern("asks").search(text[start:end]):
            first, last = first or end, end
    return first, last


@cache
def _heading() -> re.Pattern[str]:
    labels = "|".join(of_language(language)["label_of_solution"] for language in LANGUAGES)
    mark = r"(?:[:\uff1a=]|[\u2014\u2013-]\s|[.\uff0e]\s+(?=\S))"
    return re.compile(rf"(?:^|(?<=[\s*#.(（。?？!！]))(?:{labels})\s*\**\s*{mark}\s*\**\s*\S", re.IGNORECASE)


def _says(after: str, answer: str) -> bool:
    """Whether what follows the question says the answer, as a number or words of its own."""
    return re.search(rf"(?<![\w.,]){re.escape(answer)}(?!\w|[.,]\d)", after, re.IGNORECASE) is not None


@rule()
def no_impossible_answer(sample: Sample, field: str, answer_field: str) -> str | None:
    """A question about how many has no answer below zero: the numbers of the problem contradict each other."""
    answer = sample.text(answer_field)
    if _NEGATIVE.match(answer) and (found := pattern("counts").search(sample.text(field))):
        return f"{answer_field} {answer[:_SHOWN]} to a question of {found.group(0)}"
    return None
