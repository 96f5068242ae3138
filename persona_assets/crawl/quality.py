"""Light quality rules: each returns None to keep a text, or what it saw. Pure functions of text and settings.

The shares are close to those of published filters (MassiveText's repetition rules, C4's terminal punctuation), loosened
so that short and unspaced languages pass.
"""

import re

from persona_assets.crawl.mojibake import garbled
from persona_assets.rules.registry import rule, rules
from persona_assets.settings import Settings

CJK_WEIGHT = 3  # one Chinese character carries about what three letters do
MAX_BAD_SHARE = 0.01  # replacement characters and controls: more than a stray one in a hundred is damage
MIN_LETTER_SHARE = 0.5
MAX_REPEATED_SHARE = 0.3  # MassiveText: duplicate lines above 0.3 of a document
MIN_REPEATED_LINES = 4  # a refrain is not boilerplate
SENTENCE_WORDS = 4
SENTENCE_CJK = 8

_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
_NOT_LETTERS = re.compile(r"[\W\d_]+")
_COMBINING = re.compile(r"[\u0300-\u036f\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_BAD = re.compile(r"[\ufffd\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ue000-\uf8ff]")
_BINARY = re.compile(
    r"[\ufffd\x89‰]PNG\n|GIF8[79]a|%PDF-\d|PK\x03\x04|\x7fELF|[\s\S]{2,8}(?:JFIF|Exif)[\x01-\x08\ufffd]|wOF[F2]"
)
# Scripts that close no sentence with a mark of their own.
_UNPUNCTUATED = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff]{12}")
_SENTENCE_END = re.compile(r"[.!?…。！？｡؟۔։।።၊။](?=[\s\"'”’»)\]」』】）]|\Z|[\u3040-\u30ff\u3400-\u9fff])|[。！？｡]")
_WORD = re.compile(r"[^\W\d_]+")


@rule("document")
def too_large(text: str, settings: Settings) -> str | None:
    """More characters than a record may have bytes."""
    limit = settings.max_document_bytes
    return f"{len(text)} characters, the limit is {limit}" if len(text) > limit else None


@rule("document")
def not_text(text: str, settings: Settings) -> str | None:
    """An image or another binary file that was decoded as text."""
    found = _BINARY.match(text.lstrip()[:64])
    return f"begins like a binary file: {found[0][:8]!r}" if found else None


@rule("document")
def undecodable(text: str, settings: Settings) -> str | None:
    """Replacement characters, controls, or text decoded under the wrong charset."""
    size = max(len(text), 1)
    bad = len(_BAD.findall(text))
    if bad > MAX_BAD_SHARE * size:
        return f"{bad} of {size} characters are replacement or control characters"
    return garbled(text)


@rule("document")
def too_short(text: str, settings: Settings) -> str | None:
    """Fewer characters than asked for, white space left out and Chinese, Japanese and Korean ones counted threefold."""
    limit = settings.min_characters
    if len(text) > 2 * limit and text.count(" ") + text.count("\n") < len(text) - limit:
        return None  # surely long enough, without counting exactly
    size = weighted_length(text)
    return f"{size} characters (CJK count {CJK_WEIGHT}), {limit} are asked for" if size < limit else None


def weighted_length(text: str) -> int:
    """Characters without white space, a CJK one counting as `CJK_WEIGHT`."""
    return len("".join(text.split())) + (CJK_WEIGHT - 1) * (0 if text.isascii() else len(_CJK.findall(text)))


@rule("document")
def mostly_symbols(text: str, settings: Settings) -> str | None:
    """Fewer letters than digits, punctuation and signs."""
    solid = "".join(text.split())
    others = sum(map(len, _NOT_LETTERS.findall(solid)))
    letters = len(solid) - others + (0 if text.isascii() else len(_COMBINING.findall(solid)))
    share = min(letters / max(len(solid), 1), 1.0)
    return f"{share:.0%} of the characters are letters" if share < MIN_LETTER_SHARE else None


@rule("document")
def repeated_lines(text: str, settings: Settings) -> str | None:
    """Much of the text stands in lines that were there before."""
    lines = [line for part in text.split("\n") if (line := part.strip())]
    if len(lines) - len(set(lines)) < MIN_REPEATED_LINES:
        return None
    seen: set[str] = set()
    repeated = total = 0
    for line in lines:
        total += len(line)
        if line in seen:
            repeated += len(line)
        seen.add(line)
    share = repeated / total
    return f"{share:.0%} of the text repeats earlier lines" if share > MAX_REPEATED_SHARE else None


@rule("document")
def no_sentence(text: str, settings: Settings) -> str | None:
    """No sentence anywhere: a closing mark after at least four words, or eight Chinese characters, on one line."""
    if _UNPUNCTUATED.search(text):
        return None
    for line in text.split("\n"):
        start = 0
        for end in _SENTENCE_END.finditer(line):
            if _is_sentence(line[start : end.start()]):
                return None
            start = end.end()
    return "no run of words closed by a sentence mark"


def _is_sentence(part: str) -> bool:
    return len(_WORD.findall(part)) >= SENTENCE_WORDS or (
        not part.isascii() and len(_CJK.findall(part)) >= SENTENCE_CJK
    )


def judge(text: str, settings: Settings) -> tuple[str, str] | None:
    """The first rule that a normalised text breaks, as (reason, detail), or None.

    Rules stand in this order above, so that the reason given is the deepest one: damage before length, length before
    style.
    """
    for one in rules("document").values():
        detail = one.see(text, settings)
        if detail:
            return one.name, detail
    return None


def language(code: str, settings: Settings) -> str | None:
    """The document's language is not among those asked for; `code` as `text.language.identify` gives it."""
    return None if code in settings.languages else f"{code}, asked for are {', '.join(settings.languages)}"
