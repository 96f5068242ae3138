"""What two answers state that no manner changes: numbers and code.

A number is one in digits, as its language writes it: `1,234.5`, `1 234,5`, `３万`, `50%`. Two texts differ where both
state numbers and one of them has a number that the other has neither in digits nor in words. The number of a point of a
list states nothing, so a list may have more points than the other.
"""

import re
from fractions import Fraction

from persona_assets.maths.numbers import clean, number
from persona_assets.maths.words import in_words

MOST_CHARACTERS = 50_000  # of a text that is read; what follows is left out
_FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n(.*?)(?:^[ \t]*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"^\s*(?:#|//|--|%|/?\*)|\s(?:#|//)\s.*$")
_POINT = re.compile(r"^[ \t]*(?:\*\*)?[(（]?\d{1,3}(?:[.)、．）:：](?!\d)|\*\*)", re.MULTILINE)
_MULTIPLE = r"(?:(?:hundred|thousand|million|billion|trillion|тыс|млн|млрд|тысяч|миллион|миллиард)[а-я]*|[百千万亿]+)"
_DIGITS = re.compile(
    rf"(?<![A-Za-z\d])(?<![A-Za-z]-)(?P<minus>(?:(?<=[\s(（])|^)(?<!\d\s)-)?"
    rf"(?P<figure>\d+(?:[.,' ]\d+)*(?:/\d+(?![/\d]))?)(?P<multiple> ?{_MULTIPLE})?"
)
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_CHINESE = re.compile(r"[零〇一二两俩三四五六七八九十百千万亿点分之半]+")
_LONGEST = 6  # words of a number in words


def code_of(text: str) -> list[str]:
    """The fenced blocks of code of a text in their order, without comments, blank lines and spaces at the ends."""
    blocks = []
    for found in _FENCE.finditer(text[:MOST_CHARACTERS]):
        lines = (_COMMENT.sub("\n", line).partition("\n")[0].rstrip() for line in found[2].splitlines())
        blocks.append("\n".join(line for line in lines if line.strip()))
    return blocks


def numbers_of(text: str, language: str = "en") -> set[Fraction]:
    """The numbers in digits outside code; a percentage is its figure. Points of lists count."""
    found: set[Fraction] = set()
    for match in _DIGITS.finditer(clean_lines(_FENCE.sub("\n", text[:MOST_CHARACTERS]))):
        sign, multiple = (-1 if match["minus"] else 1), match["multiple"] or ""
        whole = number(match["figure"] + multiple, language)
        if whole is not None:
            found.add(sign * whole.value)
            continue
        parts = re.findall(r"\d+(?:[.,]\d+)*", match["figure"])
        for place, part in enumerate(parts):
            value = number(part + (multiple if place == len(parts) - 1 else ""), language)
            if value is not None:
                found.add((sign if place == 0 else 1) * value.value)
            else:
                found |= {Fraction(digits) for digits in re.findall(r"\d{1,400}", part)}
    return found


def clean_lines(text: str) -> str:
    """A text with one form for signs, digits and spaces, line by line."""
    return "\n".join(clean(line) for line in text.split("\n"))


def numbers_apart(one: str, other: str, language: str = "en") -> tuple[list[Fraction], list[Fraction]]:
    """The numbers that each of two texts states and the other lacks, ascending; both empty where they agree.

    Texts agree where one of them states no number.
    """
    texts, all_of = (one, other), (numbers_of(one, language), numbers_of(other, language))
    if not (all_of[0] and all_of[1]) or all_of[0] == all_of[1]:
        return [], []
    lacking = []
    for text, theirs in ((one, 1), (other, 0)):
        found = numbers_of(_POINT.sub(" ", text), language) - all_of[theirs]
        lacking.append(sorted(found - _numbers_in_words(texts[theirs], language) if found else found))
    return lacking[0], lacking[1]


def _numbers_in_words(text: str, language: str) -> set[Fraction]:
    """The numbers that a text states in words; a longer number is not taken for the shorter ones in it."""
    text = text[:MOST_CHARACTERS]
    found = {read.value for part in _CHINESE.findall(text) if (read := in_words(part, "zh"))}
    words = _WORD.findall(text)
    start = 0
    while start < len(words):
        read, end = in_words(words[start], language), start + 1
        if read:  # else no number begins here
            for longer in range(min(start + _LONGEST, len(words)), end, -1):
                if more := in_words(" ".join(words[start:longer]), language):
                    read, end = more, longer
                    break
            found.add(read.value)
        start = end
    return found
