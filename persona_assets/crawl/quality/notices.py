"""Whether a text is what a site says in place of a page, or what spam says: by its phrases and its words.

Phrases are sure, but each site has others; words are common to all of them. So a word counts once and a phrase twice
what it covers: a notice comes to a third of its words and more, an article about the matter to a tenth.
"""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Annotated

from ahocorasick_rs import AhoCorasick, MatchKind

from persona_assets.crawl.quality.look import CJK, Look, clauses, look
from persona_assets.crawl.quality.phrases import NOTICE, SPAM
from persona_assets.crawl.quality.vocabulary import OFFER_STEMS, OFFER_TERMS, SITE_STEMS, SITE_TERMS
from persona_assets.rules.registry import rule
from persona_assets.settings import Settings

_SHOWN = 4
_SHORTEST_STEM = 4  # what is shorter is a whole word
_PHRASE = 2  # how often a phrase counts
_QUOTED = re.compile(r"«[^«»\n]{4,200}»|“[^“”\n]{4,200}”|\"[^\"\n]{4,200}\"")  # said of it, not by it


@rule("document", version=2)
def notice(
    text: str,
    settings: Settings,
    *,
    share: Annotated[float, "share of the words that it has in common with such pages; phrases count twice"] = 0.23,
) -> str | None:
    """What a site says in place of a page: consent, a missing page, a check of the browser, a wall, a fault."""
    return _told(_sayings(look(text))[0], share)


@rule("document", version=2)
def spam(
    text: str,
    settings: Settings,
    *,
    share: Annotated[float, "share of the words that it has in common with such pages; phrases count twice"] = 0.18,
) -> str | None:
    """What offers gambling, loans, sex, forged papers, pills, fakes, cracks or links."""
    return _told(_sayings(look(text))[1], share)


_Saying = tuple[float, list[str]]  # the share of a text, and the longest that was found


class _Finder:
    """Finds all phrases and words in one pass, each stretch as the longest of them, whatever their number."""

    def __init__(self, kinds: Iterable[tuple[Iterable[str], Iterable[str]]]) -> None:
        """Take phrases and words of each kind, as they stand in a text that is looked through."""
        self.weights: dict[str, list[int]] = {}
        kinds = list(kinds)
        for kind, (phrases, words) in enumerate(kinds):
            for parts, factor in ((words, 1), (phrases, _PHRASE)):
                for part in parts:
                    self.weights.setdefault(part, [0] * len(kinds))[kind] = factor * _size(part)
        self.parts = list(self.weights)
        self.automaton = AhoCorasick(self.parts, matchkind=MatchKind.LeftmostLongest)

    def find(self, text: str, size: int) -> list[_Saying]:
        """What is found of each kind, as a share of `size`."""
        found = [self.parts[number] for number, _, _ in self.automaton.find_matches_as_indexes(text)]
        sayings: list[_Saying] = []
        for kind in range(2):
            own = [part for part in found if self.weights[part][kind]]
            shown = sorted(dict.fromkeys(own), key=len, reverse=True)[:_SHOWN]
            sayings.append((sum(self.weights[part][kind] for part in own) / max(size, 1), shown))
        return sayings


def _size(part: str) -> int:
    """Words, or characters of Chinese."""
    return len(part) if CJK.search(part) else len(part.split())


@cache
def _of_words() -> _Finder:
    """For words with a blank before each: a stem begins one."""

    def stem(word: str) -> str:
        return f" {word}" if len(word) >= _SHORTEST_STEM else f" {word} "

    def phrase(text: str) -> str:
        return text if CJK.search(text) else " " + " ".join(look(text).words)

    return _Finder(
        (map(phrase, phrases), map(stem, stems)) for phrases, stems in ((NOTICE, SITE_STEMS), (SPAM, OFFER_STEMS))
    )


@cache
def _of_characters() -> _Finder:
    """For Chinese, where nothing stands between words."""
    return _Finder(
        (("".join(clauses(phrase)) for phrase in phrases if CJK.search(phrase)), terms)
        for phrases, terms in ((NOTICE, SITE_TERMS), (SPAM, OFFER_TERMS))
    )


@lru_cache(maxsize=1)
def _sayings(seen: Look) -> list[_Saying]:
    whole = _found(seen, len(seen.words))
    quoted = _QUOTED.findall("\n".join(dict.fromkeys(seen.lines)))
    if not quoted:
        return whole
    said_of = _found(Look(" ".join(quoted)), len(seen.words))
    return [(part - less, shown) for (part, shown), (less, _) in zip(whole, said_of, strict=True)]


def _found(seen: Look, size: int) -> list[_Saying]:
    if seen.is_cjk:
        return _of_characters().find("".join(seen.words), size)
    return _of_words().find(f" {' '.join(seen.words)} ", size)


def _told(saying: _Saying, share: float) -> str | None:
    part, found = saying
    if part < share:
        return None
    shown = ", ".join(repr(one.strip()) for one in found)
    return f"it has {part:.2f} in common with such pages: {shown}"
