"""The language of a text of a sentence or less, which identification alone gets wrong.

It calls a dozen Chinese characters Japanese and "a big fan of jazz" West Frisian, and takes every language that it does
not know for one that it does, often English. Of five thousand published personas, 4,838 of them in English, this loses
none; the first fourteen words of 3,356 paragraphs of the declaration of human rights in other languages in Latin
letters are taken for English 132 times, most of them in languages that the model does not know.
"""

import re
from collections.abc import Sequence

from persona_assets.text.language import UNDETERMINED, identify

SURE = 0.9  # confidence at which a text is not English, whatever its words
LEAST = 0.5  # confidence at which a text is English, whatever its words
MIN_ENGLISH = 0.15  # share of words by which every other text in Latin letters is told to be English, or not to be
FEW_WORDS = 4  # so few may have none of these words
MIN_HAN, MIN_CYRILLIC = 0.2, 0.4  # of the letters: names in Latin letters stand among few of these

_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+(?:['’‑-][^\W\d_]+)*")
_ENGLISH = re.compile(
    r"\b(?:an?|the|who|whose|and|or|but|with|of|from|for|in|into|to|on|as|by|at|about|that|is|are|has|have|their|my)\b",
    re.IGNORECASE,
)
_HAN, _KANA = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]"), re.compile(r"[\u3040-\u30ff]")
_CYRILLIC = re.compile(r"[\u0400-\u052f]")
_NOT_RUSSIAN = re.compile(r"[\u0400\u0402-\u040f\u0450\u0452-\u052f]")
_OF_CYRILLIC = frozenset({"ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "mn", "tg", "tt", "ba", "cv", "sah", "tyv"})
Told = tuple[str, float]


def identify_short(texts: Sequence[str]) -> list[Told]:
    """Language and confidence of each text, in order, as `text.language.identify` gives them.

    Where script or words decide against the model, the confidence is 0. `und`: a text that is not in the language that
    the model takes it for, or has no letters.
    """
    return [_told(text, code, sure) for text, (code, sure) in zip(texts, identify(texts), strict=True)]


def _told(text: str, code: str, sure: float) -> Told:
    told = _language(text, code, sure)
    return told, (sure if told == code else 0.0)


def _language(text: str, code: str, sure: float) -> str:
    if text.isascii():
        return _latin(text, code, sure)
    letters = max(len(_LETTER.findall(text)), 1)
    if len(_HAN.findall(text)) >= MIN_HAN * letters:
        return "ja" if _KANA.search(text) and code != "zh" else "zh"
    if len(_CYRILLIC.findall(text)) >= MIN_CYRILLIC * letters:
        if code in _OF_CYRILLIC and code != "ru" and sure >= LEAST:
            return code
        return UNDETERMINED if _NOT_RUSSIAN.search(text) else "ru"
    return _latin(text, code, sure)


def _latin(text: str, code: str, sure: float) -> str:
    """The language of a text in letters that many languages share, or in a script of its own."""
    words = len(_WORD.findall(text))
    if not words:
        return UNDETERMINED
    is_english = len(_ENGLISH.findall(text)) >= MIN_ENGLISH * words
    if code == "en":
        return "en" if sure >= LEAST or is_english or words <= FEW_WORDS else UNDETERMINED
    if sure < SURE and (is_english or (words < FEW_WORDS and text.isascii())):
        return "en"
    return UNDETERMINED if code in _OF_CYRILLIC or code == "zh" else code
