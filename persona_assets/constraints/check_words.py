"""Checkers of words, letters, case, punctuation, and the language of an answer."""

import re
from collections.abc import Callable

from persona_assets.constraints.checked import Asked, checks, counted
from persona_assets.constraints.sentences import last_sentence
from persona_assets.constraints.words import (
    HAN,
    capital_words,
    ends_with,
    first_words,
    folded,
    last_words,
    letter_count,
    normal,
    starts_with,
    times,
)
from persona_assets.text.language import told_language

_COMMA = re.compile("[,，、﹐﹑､،،‚]")
_EXCLAMATION = re.compile("[!！﹗‼⁉⁈❗❕¡]")
_SCRIPTS = {"en": re.compile("[A-Za-zÀ-ɏ]"), "zh": re.compile(f"[{HAN}]"), "ru": re.compile("[\u0400-\u04ff]")}
_WEIGHT = {"en": 1, "zh": 3, "ru": 1}  # a Chinese character says as much as three letters
_SHARE = 0.7  # of the letters of an answer in its language; names and terms of others are usual
_SURE_LENGTH = 60  # letters that are enough to tell languages of one script apart
_AT_END = " \t\n*_~`\"'”’»」』)）】"
_FINAL = ".。!！"


@checks("contains_word")
def contains_word(asked: Asked) -> str | None:
    """A word stands in the answer."""
    word = asked.text("word")
    return None if times(asked.answer, word, asked.language) else f"does not contain “{word}”"


@checks("word_times")
def word_times(asked: Asked) -> str | None:
    """A word stands there at least n times."""
    word = asked.text("word")
    count = times(asked.answer, word, asked.language)
    told = counted(count, "time", "times")
    return f"contains “{word}” {told}, at least {asked.n} wanted" if count < asked.n else None


@checks("avoids_word")
def avoids_word(asked: Asked) -> str | None:
    """A word does not stand there."""
    word = asked.text("word")
    count = times(asked.answer, word, asked.language)
    if count:
        return f"contains “{word}” {counted(count, 'time', 'times')}"
    return None if re.search(r"\w", asked.answer) else "has no word at all"


@checks("first_word")
def first_word(asked: Asked) -> str | None:
    """It begins with a word."""
    word = asked.text("word")
    begins = starts_with(asked.answer, word)
    return None if begins else f"begins with “{first_words(asked.answer)}”, not “{word}”"


@checks("last_word")
def last_word(asked: Asked) -> str | None:
    """It ends with a word, whatever marks follow."""
    word = asked.text("word")
    return None if ends_with(asked.answer, word) else f"ends with “{last_words(asked.answer)}”, not “{word}”"


@checks("last_sentence")
def last_sentence_given(asked: Asked) -> str | None:
    """It ends with a sentence, which nothing but its own end mark and closing marks follows."""
    wanted = folded(asked.text("sentence")).rstrip(_FINAL)
    found = folded(asked.answer.rstrip(_AT_END)).rstrip(_FINAL + _AT_END)
    before = found[: -len(wanted)] if found.endswith(wanted) else None
    if before is not None and (not before or not before[-1].isalnum()):
        return None
    return f"ends with “{_short(last_sentence(asked.answer))}”, not the sentence that was given"


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


@checks("letter_times")
def letter_times(asked: Asked) -> str | None:
    """A letter or character stands there at least n times."""
    letter = asked.text("letter")
    count = letter_count(asked.answer, letter)
    told = counted(count, "time", "times")
    return f"contains “{letter}” {told}, at least {asked.n} wanted" if count < asked.n else None


@checks("lower_case")
def lower_case(asked: Asked) -> str | None:
    """There are letters, and none is a capital."""
    return _case(asked.answer, wanted="small", wrong=lambda one: one.isupper() or one.istitle())


@checks("capitals")
def capitals(asked: Asked) -> str | None:
    """There are letters, and none is small."""
    return _case(asked.answer, wanted="capital", wrong=lambda one: one.islower())


@checks("capital_words")
def words_in_capitals(asked: Asked) -> str | None:
    """At least n words of two letters or more are in capitals."""
    count = capital_words(asked.answer)
    told = counted(count, "word", "words")
    return f"has {told} in capitals, at least {asked.n} wanted" if count < asked.n else None


@checks("no_commas")
def no_commas(asked: Asked) -> str | None:
    """No comma of any script, no enumeration comma."""
    return _none_of(asked.answer, _COMMA, "comma", "commas")


@checks("no_exclamation_marks")
def no_exclamation_marks(asked: Asked) -> str | None:
    """No exclamation mark of any script."""
    return _none_of(asked.answer, _EXCLAMATION, "exclamation mark", "exclamation marks")


@checks("no_digits")
def no_digits(asked: Asked) -> str | None:
    """No digit, be it full-width, raised or in a circle; Chinese numerals are words."""
    count = sum(1 for one in asked.answer if one.isdigit() or "①" <= one <= "⒛")
    if count:
        return f"has {counted(count, 'digit', 'digits')}"
    return None if re.search(r"\w", asked.answer) else "has no word at all"


@checks("ends_with_question")
def ends_with_question(asked: Asked) -> str | None:
    """The last mark but closing ones is a question mark."""
    end = asked.answer.rstrip(_AT_END).rstrip("!！")[-1:]
    return None if end in ("?", "？", "⁇", "⁈", "⁉") else f"ends with “{asked.answer.rstrip()[-20:]}”"


@checks("other_language")
def other_language(asked: Asked) -> str | None:
    """Most of it is in the letters of a language, and what has enough letters is in the language."""
    wanted = asked.text("to")
    text = normal(asked.answer)
    counts = {code: len(found.findall(text)) * _WEIGHT[code] for code, found in _SCRIPTS.items()}
    letters = sum(counts.values())
    if not letters:
        return "has no letters of any of the languages"
    most = max(counts, key=lambda code: counts[code])
    if counts[wanted] < _SHARE * letters:
        return f"is {counts[wanted] / letters:.0%} in letters of {wanted}; most are of {most}"
    if wanted == "zh" or counts[wanted] < _SURE_LENGTH:
        return None
    (found,) = told_language([asked.answer])
    return None if found == wanted else f"is in {found}, not in {wanted}"


def _case(answer: str, *, wanted: str, wrong: Callable[[str], bool]) -> str | None:
    count = sum(1 for one in answer if wrong(one))
    if count:
        other = "capital" if wanted == "small" else "small"
        return f"has {counted(count, f'{other} letter', f'{other} letters')}"
    return None if any(one.isalpha() for one in answer) else "has no letters"


def _none_of(answer: str, unwanted: re.Pattern[str], one: str, many: str) -> str | None:
    count = len(unwanted.findall(answer))
    if count:
        return f"has {counted(count, one, many)}"
    return None if re.search(r"\w", answer) else "has no word at all"
