"""Whether a text is running language: letters, sentences, words that join others."""

import re
from typing import Annotated

from persona_assets.crawl.quality.look import Look, look
from persona_assets.rules.registry import rule
from persona_assets.settings import Settings

_NOT_LETTERS = re.compile(r"[\W\d_]+")
_COMBINING = re.compile(r"[\u0300-\u036f\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
# Scripts that close no sentence with a mark of their own.
_UNPUNCTUATED = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff]{12}")
_DIGITS = "0123456789"
_BARS = "|•·»›→"
_VERSE_CHARACTERS = (5, 7)  # of a line of classical Chinese verse
_MIN_VERSE_LINES = 4


@rule("document", version=2)
def mostly_symbols(
    text: str, settings: Settings, *, letters: Annotated[float, "share of letters below which it is refused"] = 0.4
) -> str | None:
    """Fewer letters than digits, punctuation and signs."""
    if _surely_has_letters(look(text), letters):
        return None
    solid = "".join(text.split())
    others = sum(map(len, _NOT_LETTERS.findall(solid)))
    found = len(solid) - others + (0 if text.isascii() else len(_COMBINING.findall(solid)))
    share = min(found / max(len(solid), 1), 1.0)
    return f"{share:.0%} of the characters are letters" if share < letters else None


def _surely_has_letters(seen: Look, share: float) -> bool:
    """Whether its words without their digits come to so much, without counting exactly."""
    return sum(map(len, seen.words)) - sum(map(seen.text.count, _DIGITS)) >= share * seen.solid


@rule("document", version=2)
def no_prose(
    text: str,
    settings: Settings,
    *,
    sentences: Annotated[float, "share of the text in sentences from which it passes"] = 0.1,
    joining: Annotated[float, "share of joining words (the, of, и) below which it is refused"] = 0.08,
    joining_cjk: Annotated[float, "the same for Chinese (的, 了)"] = 0.04,
    joining_titles: Annotated[float, "the same where most words begin with a capital, as in titles"] = 0.25,
) -> str | None:
    """A list of things or titles: hardly a sentence, and few words that join others. A recipe or a poem has these."""
    seen = look(text)
    if seen.has_sentences(sentences) or _passes_unpunctuated(seen):
        return None
    share = seen.function_share
    least = joining_cjk if seen.is_cjk else joining
    if share >= least and (share >= joining_titles or not _is_titles(seen)):
        return None
    return f"{share:.0%} of the words join others, and less than {sentences:.0%} of the text stands in sentences"


@rule("document")
def menu(
    text: str,
    settings: Settings,
    *,
    sentences: Annotated[float, "share of the text in sentences from which it passes"] = 0.2,
    words: Annotated[float, "words a line on average below which it is refused"] = 2.5,
    joining: Annotated[float, "share of joining words from which it passes"] = 0.25,
    joining_cjk: Annotated[float, "the same for Chinese"] = 0.15,
) -> str | None:
    """Nothing but short lines, or parts between bars, as of a menu; a poem has more words that join others."""
    seen = look(text)
    parts = len(set(seen.lines)) + sum(map(seen.text.count, _BARS))
    length = len(seen.words) / max(parts, 1) / (2 if seen.is_cjk else 1)
    if length >= words or seen.function_share >= (joining_cjk if seen.is_cjk else joining):
        return None
    if seen.has_sentences(sentences) or _passes_unpunctuated(seen):
        return None
    return f"lines of {length:.1f} words"


def _is_titles(seen: Look) -> bool:
    """Whether three in five words begin with a capital."""
    return 5 * sum(chunk[0].isupper() for chunk in seen.chunks) >= 3 * len(seen.chunks)


def _passes_unpunctuated(seen: Look) -> bool:
    return _UNPUNCTUATED.search(seen.text) is not None or (seen.is_cjk and _is_verse(seen.lines))


def _is_verse(lines: list[str]) -> bool:
    """Whether four in five lines have five, or seven, characters."""
    sizes = [len(line) for line in lines]
    return len(sizes) >= _MIN_VERSE_LINES and 5 * max(map(sizes.count, _VERSE_CHARACTERS)) >= 4 * len(sizes)
