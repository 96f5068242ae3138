"""Whether a text says the same again: lines, phrases, words. After MassiveText's rules (arXiv 2112.11446, A.1.1)."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from persona_assets.crawl.quality.function_words import JOINING
from persona_assets.crawl.quality.look import look
from persona_assets.rules.registry import rule
from persona_assets.settings import Settings

_MIN_LINES = 4  # repeated ones: a refrain is not boilerplate
_MIN_WORDS = 20
_CJK_FACTOR = 1.5  # characters for each word
_MIN_CLAUSE = 4  # characters
_LOOKED_AT = 10  # of the names that come most often
_SUSPICIOUS = 0.75  # share of distinct pairs of words above which no phrase can come again and again


@rule("document", version=2)
def repeated_lines(
    text: str,
    settings: Settings,
    *,
    share: Annotated[float, "share of the text in lines that were there before"] = 0.7,
) -> str | None:
    """Much of the text stands in lines that were there before. A song's chorus and a meal plan stay below."""
    lines = look(text).lines
    distinct = dict.fromkeys(lines)
    if len(lines) - len(distinct) < _MIN_LINES:
        return None
    found = 1 - sum(map(len, distinct)) / sum(map(len, lines))
    return f"{found:.0%} of the text repeats earlier lines" if found > share else None


@rule("document")
def repeated_phrases(
    text: str,
    settings: Settings,
    *,
    share: Annotated[float, "share of the words in phrases that were there before; each line counts once"] = 0.9,
    share_of_little: Annotated[float, "the same where little is left without these phrases"] = 0.5,
    little: Annotated[int, "words, or half as many again in Chinese, that are little"] = 35,
    words: Annotated[int, "words of such a phrase; of Chinese, a clause is one"] = 5,
) -> str | None:
    """Much of the text is one phrase after another that was there before, within lines too."""
    seen = look(text)
    if len(seen.words) < _MIN_WORDS:
        return None
    part = _repeated_clauses(seen.clauses) if seen.is_cjk else _repeated_words(seen.words, int(words))
    left = (1 - part) * len(seen.words) / (_CJK_FACTOR if seen.is_cjk else 1)
    if part <= (share_of_little if left < little else share):
        return None
    return f"{part:.0%} of the words stand in phrases that were there before"


def _repeated_clauses(clauses: Sequence[str]) -> float:
    long = [clause for clause in clauses if len(clause) >= _MIN_CLAUSE]
    return 1 - sum(map(len, set(long))) / max(sum(map(len, long)), 1)


def _repeated_words(words: Sequence[str], size: int) -> float:
    if len(set(pairwise(words))) > _SUSPICIOUS * len(words):
        return 0.0
    known: set[tuple[str, ...]] = set()
    repeated = covered_to = 0
    for start, gram in enumerate(zip(*(words[shift:] for shift in range(size)), strict=False)):
        if gram in known:
            repeated += start + size - max(start, covered_to)
            covered_to = start + size
        known.add(gram)
    return repeated / len(words)


@rule("document")
def stuffed(
    text: str,
    settings: Settings,
    *,
    share: Annotated[float, "share of the words in the name that comes most often"] = 0.22,
    times: Annotated[int, "how often it comes at least"] = 7,
) -> str | None:
    """One name of one to three words over and over, as for a search engine: "plumber in Leeds"."""
    seen = look(text)
    found = seen.words
    if len(found) < _MIN_WORDS:
        return None
    most = max((count for word, count in seen.counts.items() if word not in JOINING), default=0)
    if most < times or 3 * most <= share * len(found):
        return None
    for size in (3, 1) if seen.is_cjk else (3, 2, 1):
        names = Counter(zip(*(found[shift:] for shift in range(size)), strict=False))
        for name, count in names.most_common(_LOOKED_AT):
            if count < times or size * count <= share * len(found):
                break
            if name[0] not in JOINING and name[-1] not in JOINING and (size == 1 or name[0] != name[-1]):
                said = ("" if seen.is_cjk else " ").join(name)
                return f"{said!r} {count} times, {size * count / len(found):.0%} of the words"
    return None
