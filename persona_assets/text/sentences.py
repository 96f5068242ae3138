"""Sentence ends in English, Chinese and Russian text, and the cut of a long document at one of them.

A document's length is counted in bytes of UTF-8, four to a token: close to what large models spend on all three
languages, the same for every model, and so cheap that a million documents can be looked at before any is asked about.
"""

import re
from collections.abc import Iterator

BYTES_PER_TOKEN = 4
LOOK_BACK = 256  # characters before the cut that are searched for a sentence end first; doubled until there is one
LOOK_AHEAD = 64  # characters behind the cut that tell whether a full stop before it ends a sentence

_ENDS = re.compile(
    r"[.!?…]+[\"'”’»)\]]*(?=\s|$)"  # en, ru: closed by white space, so 3.14 and example.com hold together
    r"|(?:[。！？｡…]+|[!?]+(?=[\u3400-\u9fff]))[”’」』》）\"')\]]*"  # zh: no space follows
    r"|[ \t]*\n\s*"  # a line of a page is a unit of its own: headings, list items, posts
)
_ABBREVIATIONS_EN = """
mr mrs ms dr prof st jr sr rev gen sen rep gov capt lt col sgt vs etc e.g i.e cf al no vol fig eq sec ch pp p ed eds inc
ltd co corp dept univ approx est ca jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k a.m p.m ph.d
"""
_ABBREVIATIONS_RU = """
т т.е т.д т.п т.к т.н др пр гг в вв ул пр-т пер просп пл д кв стр с рис табл гл см ср тыс млн млрд руб коп обл р н э н.э
им проф акад доц напр
"""
_ABBREVIATIONS = frozenset((_ABBREVIATIONS_EN + _ABBREVIATIONS_RU).split())
_LAST_WORD = re.compile(r"[\w.\-]+$")
_NEXT = re.compile(r"[\s\"'“‘«(\[—–-]*(\S)")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, stripped, empty ones left out; line breaks end a sentence too."""
    return [text[start:end] for start, end in sentence_spans(text)]


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a text start and end, without white space around them; line breaks end a sentence too."""
    spans, start = [], 0
    for end in [*_sentence_ends(text), len(text)]:
        part = text[start:end]
        if sentence := part.strip():
            begin = start + len(part) - len(part.lstrip())
            spans.append((begin, begin + len(sentence)))
        start = end
    return spans


def cut(text: str, tokens: int) -> str:
    """The longest prefix of `text` that ends at a sentence end and has at most `tokens` tokens of four bytes.

    Where the first sentence alone is longer, it is cut at the end of its last whole word that fits, and a single
    over-long word between characters. Trailing white space of a cut is removed; a text that fits is returned as it is.
    """
    end = _fitting(text, max(0, tokens) * BYTES_PER_TOKEN)
    if end == len(text):
        return text
    if kept := text[: _last_sentence_end(text, end)].rstrip():
        return kept
    return _whole_words(text, end).rstrip()


def windows(text: str, tokens: int) -> list[tuple[int, int]]:
    """Start and end of the parts that `cut` makes of a text, one after the other; the first one is `cut` itself.

    A rest of less than a quarter of `tokens` is no part of its own.
    """
    found: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = start + len(cut(text[start : start + tokens * BYTES_PER_TOKEN + LOOK_AHEAD], tokens))
        is_rest = bool(found) and end == len(text) and len(text[start:end].encode()) * 4 < tokens * BYTES_PER_TOKEN
        if end == start or is_rest:
            break
        found.append((start, end))
        start = end + len(text[end:]) - len(text[end:].lstrip())
    return found


def _fitting(text: str, budget: int) -> int:
    """How many characters of a text have at most `budget` bytes of UTF-8."""
    if text.isascii():
        return min(len(text), budget)
    if len(text) * 4 <= budget:
        return len(text)
    return len(text[:budget].encode()[:budget].decode(errors="ignore"))


def _last_sentence_end(text: str, end: int) -> int:
    """Offset behind the last sentence end of `text[:end]`; 0 where there is none."""
    window = LOOK_BACK
    while True:
        start = max(0, end - window)
        found = [at for at in _sentence_ends(text[: end + LOOK_AHEAD], start) if at <= end]
        if found or not start:
            return max(found, default=0)
        window *= 2


def _sentence_ends(text: str, start: int = 0) -> Iterator[int]:
    """Offsets just behind each sentence end from `start` on, ascending."""
    for match in _ENDS.finditer(text, start):
        if match.group().lstrip(" \t").startswith("\n") or not _is_inner(text, match):
            yield match.end()


def _is_inner(text: str, match: re.Match[str]) -> bool:
    """Whether a full stop or ellipsis stands inside a sentence: in an abbreviation or before a lower-case word."""
    mark = match.group()
    if mark[0] not in ".…":
        return False
    following = _NEXT.match(text, match.end())
    if following and following.group(1).islower() and "\n" not in following.group():
        return True
    if mark != "." or following is None:
        return False
    word = _LAST_WORD.search(text, max(0, match.start() - 20), match.start())
    if word is None:
        return False
    return word.group().lower() in _ABBREVIATIONS or (len(word.group()) == 1 and word.group().isupper())


def _whole_words(text: str, end: int) -> str:
    """`text[:end]` without a word that the cut goes through, unless it is the only one; CJK is cut anywhere."""
    if not (_joins(text[end - 1 : end]) and _joins(text[end : end + 1])):
        return text[:end]
    start = end
    while start > 0 and _joins(text[start - 1]):
        start -= 1
    return text[:start] if text[:start].strip() else text[:end]


def _joins(character: str) -> bool:
    """Whether a character is part of a word that spaces delimit."""
    return character.isalnum() and not "\u2e80" <= character <= "\u9fff" and not "\uac00" <= character <= "\ud7a3"
