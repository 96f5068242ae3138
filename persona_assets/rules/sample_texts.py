"""Rules about any text of a sample: length, language, contact data, and what models say instead of doing their task."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Literal

import orjson

from persona_assets.rules.contact import contact_in
from persona_assets.rules.patterns import pattern
from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample
from persona_assets.rules.texts import prose, sentences, size, unquoted, words
from persona_assets.text.language import identify

Names = Literal["instruction", "problem", "text"]

_ECHO_GRAM = 4  # words in a row that two texts seldom share by chance
_ECHO_SHARE = 0.6
_MIN_CONFIDENCE = 0.8  # below it the identification of a few sentences is a guess
_MIN_IDENTIFIED = 5  # words; fewer are too few to identify a language by
_MIN_OWN_SCRIPT = 0.3  # share of words in the language's script; names, formulas and code are in another
_MAX_RUN = 3  # times the same word may follow itself
_MAX_RUN_OF_LETTERS = 6  # and the same letter or Chinese character
_MAX_SAME = 2  # times a sentence of some length may stand in a text
_SAME_WORDS = 3  # words from which a sentence is of some length
_LOOP_WORDS = 24  # shorter texts repeat words by chance
_MIN_DISTINCT_PAIRS = 0.4  # of neighbouring words; lists and refrains have 0.5 and more
_SHOWN = 80
_LONG = 25  # characters: longer than any word on average, formulas and code included
_SHOWS = re.compile(r"[:：\n\"“”«»「」《》‘’`]|…|\.\.\.")  # what introduces or holds the text that is spoken of
_REFUSAL = 160  # characters in which one declines
_OPENING = 400  # characters within which a refusal that opens a text stands
_ENGLISH = frozenset(
    {
        *("the", "of", "and", "to", "is", "that", "it", "for", "was", "with", "are", "this", "have", "from", "they"),
        *("which", "what", "how", "many", "at", "by", "be", "if", "he", "she", "you"),
    }
)
_ENGLISH_SHARE = 0.15
# Words that English lacks and that seldom stand in its names; two of one language tell a text too short to identify.
_FOREIGN = {
    "de": "der das und ist nicht wie ein eine einen mit für auf dem wann warum welche welcher ich wir wo zwei lange",
    "fr": "le les des une est pas comment pourquoi quel quelle avec pour dans sur du je vous combien qui deux trois",
    "es": "el los las una es cómo qué por para con del cuál cuántos cuánto cuántas dónde un dos tres puedo escribe",
    "it": "il lo gli una è come perché che con per della quanto quanti quale sono due tre posso scrivi di",
    "pt": "os as um uma é como que por para não qual quantos quanto onde dois três posso escreva do da em",
    "pl": "jak czy nie się jest ile dlaczego gdzie który która napisz dwa trzy oraz",
    "tr": "bir ve için nasıl ne kaç neden nerede mi mı iki üç yaz",
}
_FOREIGN_WORDS = {language: frozenset(told.split()) for language, told in _FOREIGN.items()}
_FOREIGN_SHARE = 0.3
_ONLY_RUSSIAN, _NOT_RUSSIAN = re.compile("[ыэъ]", re.I), re.compile("[іїєўґ]", re.I)
_HAN = re.compile("[\u3400-\u9fff]")
_DRAWN = re.compile(r"\[asy\]|\\begin\{|\|.*\|.*\|")  # a drawing or table that stands in the text
_SYMBOL = re.compile(r"(?:[a-z]|ln|log|lg|sin|cos|tan|tg|ctg|lim|max|min|mod|exp)\d{0,3}", re.I)  # of a formula
_LETTER = re.compile(r"[^\W\d_]")
_SCRIPTS = {
    "zh": re.compile(r"[\u3400-\u9fff]"),
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "en": re.compile(r"[A-Za-z]"),
}


def _texts(sample: Sample, field: str) -> Iterator[str]:
    """The text of a field, or where none is named every text."""
    return iter([sample.text(field)]) if field else sample.texts()


@rule(version=2)
def min_words(sample: Sample, field: str, words: int) -> str | None:
    """At least so many words (Chinese and Japanese: characters); commands and operators of formulas count."""
    found = size(sample.text(field))
    return f"{field} has {found} words, fewer than {words}" if found < words else None


@rule(version=2, repairs=True)
def max_words(sample: Sample, field: str, words: int) -> str | None:
    """At most so many words (Chinese and Japanese: characters), and characters as of words of `_LONG` each."""
    text = sample.text(field)
    if len(text) > _LONG * words:
        return f"{field} has {len(text)} characters, more than {_LONG * words}"
    found = _count(text)
    return f"{field} has {found} words, more than {words}" if found > words else None


def _count(text: str) -> int:
    return len(words(text))


@rule(version=2)
def no_meta_talk(sample: Sample, field: str = "", names: Names = "text") -> str | None:
    """No text announces or names itself, or speaks of the persona behind it.

    `names` says what the text is: `instruction`, `problem` or `text`. "Here is the problem:" announces a problem; in an
    instruction "Here is my problem" is ordinary speech.
    """
    return next((said for text in _texts(sample, field) if (said := _meta(text, names))), None)


def _meta(text: str, names: Names) -> str | None:
    opening = text[:400]
    if _is_json(text):
        return f"found: JSON, {opening[:_SHOWN]}"
    if found := pattern("announces", names, start=True).match(opening):
        return _seen(found)
    if agreed := pattern("consent").match(opening):
        rest = opening[agreed.end() :]
        if re.match(r"\s*[!！]", rest) or pattern("announces", names, start=True).match(rest):
            return _seen(agreed)
    found = pattern("label").match(opening) or pattern("persona").search(text)
    if not found and names == "problem":
        found = pattern("about_itself").match(opening) or pattern("label_problem").match(opening)
    if not found and names == "instruction":
        found = pattern("reported").match(opening)
    return _seen(found) if found else None


def _is_json(text: str) -> bool:
    """Whether a whole text is an object, or a list of some: an answer within an answer."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict) for one in value))


@rule()
def no_refusal(sample: Sample, field: str = "") -> str | None:
    """No text declines where nothing else is said: "I can't help but ask: why ...?" asks all the same."""
    for text in _texts(sample, field):
        found = pattern("refuses").match(text[:_OPENING])
        opening = text[:_REFUSAL]
        words_of_one = [pattern(name).search(opening) for name in ("sorry", "unable", "assists")]
        if not found and not (all(words_of_one) and len(text) < 2 * _REFUSAL):
            continue
        rest = pattern("offer").sub(" ", text[found.end() :] if found else text)
        asks = pattern("request").search(rest) or (found and not _HAN.search(rest) and pattern("asks").search(rest))
        if not asks:
            return _seen(found) if found else f"found: {opening[:_SHOWN]}"
    return None


@rule(version=2)
def no_ai_self_reference(sample: Sample, field: str = "") -> str | None:
    """Nobody calls themselves a language model."""
    found = (match for text in _texts(sample, field) if (match := pattern("ai").search(text)))
    return next(map(_seen, found), None)


@rule(version=2)
def no_placeholder(sample: Sample, field: str = "") -> str | None:
    """No blank is left to be filled in, but where the text speaks of blanks."""
    for text in _texts(sample, field):
        found = pattern("placeholder").search(text)
        if found and not pattern("template").search(text[: found.start()] + text[found.end() :]):
            return _seen(found)
    return None


@rule()
def no_missing_file(sample: Sample, field: str = "") -> str | None:
    """No text points at a picture, file or text that nobody has; what is quoted or drawn may."""
    texts = (
        unquoted(text) for text in _texts(sample, field) if pattern("file").search(text) and not _DRAWN.search(text)
    )
    found = (match for text in texts if (match := pattern("missing").search(text)))
    absent = (
        match for text in _texts(sample, field) if not _SHOWS.search(text) and (match := pattern("absent").search(text))
    )
    return next(map(_seen, chain(found, absent)), None)


@rule()
def no_unfinished(sample: Sample, field: str = "") -> str | None:
    """No text breaks off, but where it asks for the rest."""
    for text in _texts(sample, field):
        found = pattern("unfinished").search(text)
        if found and not _SHOWS.search(text) and not pattern("goes_on").search(text):
            return f"found: {text[-_SHOWN:]}"
    return None


@rule()
def no_contact_data(sample: Sample, field: str = "") -> str | None:
    """No number, address or account leads to somebody; the detail names the kind and repeats nothing.

    Reserved domains and numbers lead to nobody; a link that a text is about is part of the task.
    """
    return next((kind for text in _texts(sample, field) if (kind := contact_in(text))), None)


@rule()
def no_repetition(sample: Sample, field: str = "") -> str | None:
    """No word, sentence or phrase stands there over and over."""
    return next((said for text in _texts(sample, field) if (said := _loop(text))), None)


def _loop(text: str) -> str | None:
    tokens = words(prose(text))
    run = 1
    for before, token in pairwise(tokens):
        run = run + 1 if token == before and token[0].isalpha() else 1
        most = _MAX_RUN if len(token) > 1 else _MAX_RUN_OF_LETTERS
        if run > most:
            return f"one word over {most} times in a row: {token[:_SHOWN]}"
    long = [one.lower() for one in sentences(text) if _count(one) >= _SAME_WORDS and one[0] != "["]
    if long and (same := Counter(long).most_common(1)[0])[1] > _MAX_SAME and 2 * same[1] > len(long):
        return f"one sentence {same[1]} times: {same[0][:_SHOWN]}"
    letters = [token for token in tokens if token[0].isalpha()]
    share = len(set(pairwise(letters))) / max(len(letters) - 1, 1)
    if len(letters) >= _LOOP_WORDS and share < _MIN_DISTINCT_PAIRS:
        return f"{share:.2f} of neighbouring pairs differ"
    return None


@rule()
def no_persona_echo(sample: Sample, field: str) -> str | None:
    """The text does not merely repeat the persona."""
    persona, text = _grams(sample.persona), _grams(sample.text(field))
    share = len(persona & text) / len(persona) if persona else 0.0
    return f"{field} repeats {share:.0%} of the persona" if share > _ECHO_SHARE else None


def _grams(text: str) -> set[tuple[str, ...]]:
    tokens = words(text)
    return {tuple(tokens[start : start + _ECHO_GRAM]) for start in range(len(tokens) - _ECHO_GRAM + 1)}


@rule(version=2, repairs=True)
def language_matches(sample: Sample, field: str) -> str | None:
    """The text is in the language that was asked for, by script and, beside Chinese, by identification.

    Formulas, code, addresses and quotations don't count, nor what follows a first sentence in the language.
    """
    text = prose(sample.text(field))
    script = _SCRIPTS.get(sample.language)
    if script:
        own = max((_share(script, part) for part in [text, *sentences(text)[:1]]), default=0.0)
        if own < _MIN_OWN_SCRIPT and _LETTER.search(text):
            return f"{field} has {own:.0%} words in the script of {sample.language}"
    if sample.language == "en" and (foreign := _in_other_words(text)):
        return f"{field} is in {foreign}, asked for en"
    if (
        sample.language == "zh" or _count(text) < _MIN_IDENTIFIED or _is_plainly(sample.language, text)
    ):  # identification adds only mistakes there
        return None
    (found, confidence), *_ = identify([text])
    if found != sample.language and confidence >= _MIN_CONFIDENCE:
        return f"{field} is in {found} ({confidence:.2f}), asked for {sample.language}"
    return None


def _is_plainly(language: str, text: str) -> bool:
    """Whether words or letters that other languages lack tell it, at a hundredth of the time of identification."""
    if language == "ru":
        return _ONLY_RUSSIAN.search(text) is not None and _NOT_RUSSIAN.search(text) is None
    found = words(text)
    return language == "en" and sum(word in _ENGLISH for word in found) > _ENGLISH_SHARE * len(found)


def _in_other_words(text: str) -> str:
    """The language of a short text in Latin script by its commonest words; "" where none tells."""
    found = words(text)
    if len(found) > 3 * _MIN_IDENTIFIED or any(word in _ENGLISH for word in found):
        return ""
    counts = {language: sum(word in common for word in found) for language, common in _FOREIGN_WORDS.items()}
    language = max(counts, key=lambda one: counts[one])
    return language if counts[language] >= max(2, _FOREIGN_SHARE * len(found)) else ""


def _share(script: re.Pattern[str], text: str) -> float:
    """The share of a text's words that are in a script; of Chinese, each character is one."""
    found = [word for word in words(text) if _LETTER.search(word) and not _SYMBOL.fullmatch(word)]
    return sum(script.search(word) is not None for word in found) / max(len(found), 1)


def _seen(found: re.Match[str]) -> str:
    return f"found: {found.group(0).strip()[:_SHOWN]}"
