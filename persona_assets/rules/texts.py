"""What rules of samples have in common: the words of a text, its sentences, and what it asks for."""

import re
from functools import lru_cache

# Formulas, code and addresses are in no language; what is quoted may be in another.
# Every repeat is bounded, so that a long text without the closing mark takes no time squared.
_FOREIGN = re.compile(
    r"```.{0,9999}?```|`[^`\n]{0,999}`"
    r"|\[asy\].{0,9999}?\[/asy\]|\\begin\{(\w+\*?)\}.{0,4999}?\\end\{\1\}"
    r"|\$\$.{0,999}?\$\$|\$[^$\n]{1,400}\$|\\\[.{0,999}?\\\]|\\\(.{0,400}?\\\)"
    r"|https?://\S+|www\.\S+|\\[A-Za-z]+|[{}]",
    re.DOTALL,
)
_QUOTED = re.compile(r"\"[^\"]{0,999}\"|“[^”]{0,999}”|«[^»]{0,999}»|「[^」]{0,999}」|《[^》]{0,99}》|„[^“]{0,999}“")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n\s*\n")
_LINE_END = re.compile(r"(?<=[.!?;:。！？；：])(?:\s+|(?<=[。！？；：]))|\n+")
_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_TEX = re.compile(r"\\[A-Za-z]+|[-+*/=^<>|]|\\.")


@lru_cache(maxsize=64)  # the rules of a sample look at the same few texts in turn
def words(text: str) -> tuple[str, ...]:
    """Words in lower case; Chinese and Japanese by character."""
    return tuple(_WORD.findall(text.lower()))


def size(text: str) -> int:
    """How much a text says: its words, and the commands and operators of its formulas."""
    return len(words(text)) + len(_TEX.findall(text))


@lru_cache(maxsize=64)
def prose(text: str) -> str:
    """A text without formulas, code and addresses, and without quotations where enough is left."""
    plain = _FOREIGN.sub(" ", text)
    own = unquoted(plain)
    return own if len(_WORD.findall(own)) >= 4 else plain


def unquoted(text: str) -> str:
    """A text without its quotations."""
    return _QUOTED.sub(" ", text)


def spans(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a text start and end, in order, none of them blank."""
    return _spans(text, _SENTENCE_END)


def _spans(text: str, ends: re.Pattern[str]) -> list[tuple[int, int]]:
    found, start = [], 0
    for end in [*ends.finditer(text), None]:
        stop = end.start() if end else len(text)
        if text[start:stop].strip():
            found.append((start, stop))
        start = end.end() if end else stop
    return found


def sentences(text: str) -> list[str]:
    """The sentences, lines and parts before a colon of a text, in order, none of them blank."""
    return [text[start:end].strip() for start, end in _spans(text, _LINE_END)]
