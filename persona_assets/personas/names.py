"""Whether a persona is described under a personal name: the places in a text where a name can stand.

Invented surnames are without bound, so shape decides together with knowledge of given names: capitalised words where a
description would go on in small letters, before a comma, "who", "is" or a bracket. A name elsewhere is somebody else's
("a fan of Taylor Swift") and no fault. `names_en` and `names_ru` judge what stands in such a place; Chinese has no
capitals, there patterns do all (`names_zh`).
"""

import re
from collections.abc import Callable, Iterator
from types import ModuleType

import polars as pl

from persona_assets.personas import names_en, names_ru, names_zh
from persona_assets.personas.given_names import ROLES, is_given, key

_WORD = r"\p{Lu}[\p{L}'’]*(?:[-‑]\p{L}[\p{L}'’]*)*"
_INITIALS = r"\p{Lu}\.(?:[\s-]?\p{Lu}\.)*"
_PARTICLE = r"de|da|di|del|della|van|von|der|den|ter|bin|ibn|al|el|la|le|du|dos|das"
_RUN = rf"(?:{_INITIALS}\s*)?{_WORD}\.?(?:\s+(?:{_INITIALS}|{_PARTICLE}|{_WORD})){{0,5}}"
_MARK = r"(\s*[,，(（:：;—–]|\s+-\s|\.?\s*$|\s*是|\s+(?:" + f"{names_en.FOLLOWING}|{names_ru.FOLLOWING}" + r")(?:\s|$))"
_INTRODUCTION = rf"(?i:({names_en.INTRODUCTION}|{names_ru.INTRODUCTION})\s*[,:—–]?\s+)?"
_LEADING = rf"^\W*{_INTRODUCTION}({_RUN}){_MARK}(.{{0,100}})"
_BESIDE = (
    rf"^\W*((?:[Aa]n?\s|[Tt]he\s)?[^,.;:()（）]{{3,70}}?)\s*[,(（—–]\s*({_RUN})"
    r"(\s*[,—–]|\.?\s*$|\s+(?:who|whose|is|was)\s|"
    r"\s*[)）](?:\s*[,，.;]|\s*$|\s+(?:who|whose|which|is|was|has|from|in|котор[а-я]+|\p{Ll}+s)\s))"
)
_AFTER = (
    rf"^\W*((?:[Aa]n?\s+|[Tt]he\s+)?(?:[\p{{L}}'’-]+\s+){{0,4}}?[\p{{Ll}}-]+|\p{{Lu}}[\p{{Ll}}-]+)\s+({_RUN}){_MARK}"
)
_CALLED_EN = rf"^\W*({names_en.DESCRIPTION}){names_en.CALLED}\s+[\"“'‘]?({_RUN})(.{{0,8}})"
_CALLED_RU = rf"^\W*({names_ru.DESCRIPTION}),?\s+{names_ru.CALLED}\s+[\"«„]?({_RUN})(.{{0,8}})"
_OWN_NAME = rf"(?:^|[.!?;(（]\s*)\W*(?i:{names_en.OWN_NAME}|{names_ru.OWN_NAME})\s+({_RUN})"

_TITLED = (
    r"^\W*(?:Dr|Prof|Mr|Mrs|Ms|Miss|Sir|Dame|Professor|Doctor|Captain|Judge|Rabbi|Pastor)\.?\s+"
    rf"({_WORD}(?:\s+{_WORD})?)\s+(\p{{Ll}}+s)\b"
)
_RELATED_EN = (
    r"\b(?:her|his|their|my)\s+(?:(?:former|old|late|best|elderly|young|younger|older|ex-)\s*)?"
    r"(?:pupil|student|friend|neighbou?r|colleague|wife|husband|partner|son|daughter|brother|sister|mother|father|boss|"
    r"client|patient|roommate|flatmate|cousin|nephew|niece|aunt|uncle|grandson|granddaughter|tenant|apprentice),?\s+"
    rf"({_WORD}\s+{_WORD})"
)
_AFTER_A_CLAUSE = rf",\s+({_WORD}\s+{_WORD})\s+(?:(?:now|still|often|also|always|never)\s+)?\p{{Ll}}+s\b"
_KNOWN_AS = (
    r"\bknown\s+(?:\p{Ll}+\s+){0,5}as\s+(?:(?:Dr|Prof|Mr|Mrs|Ms|Miss|Aunt|Uncle)\.?\s+)?"
    rf"({_WORD}\s+{_WORD})"
)
_AT_THE_END_RU = rf"[—–]\s+({_WORD}\s+{_WORD})(?:\s+из\s|\s*[.,]|\s*$)"
_CALLED_SO_RU = rf",\s+зовут\s+({_WORD}\s+{_WORD})"
_RELATED_RU = (
    r"(.{0,60})\b(\p{Lu}\p{Ll}+\s+\p{Lu}\p{Ll}+(?:[ое]вич|ьич)(?:а|у|ем|ом|е)?|"
    r"\p{Lu}\p{Ll}+\s+\p{Lu}\p{Ll}+(?:[ое]вн|ичн)(?:а|ы|е|у|ой|ою)|\p{Lu}\p{Ll}{2,}\s+[А-ЯЁ]\.\s?[А-ЯЁ]\.)"
)
_TITLES = frozenset((*names_en.TITLES, *names_ru.TITLES))
_FORMAL_TITLES = names_en.FORMAL_TITLES | names_ru.FORMAL_TITLES
_AFTER_A_TITLE = frozenset(
    (",", "，", "(", "（", ":", "—", "–", "-", "is", "was", "who", "whose", "has", "works", "lives", "runs")
)
_CYRILLIC = re.compile(r"[А-Яа-яЁё]")


def see_names(texts: pl.Series) -> pl.Series:
    """Per text, where the person it describes is named ("a name in front", ...), or null."""
    frame = texts.to_frame("text").with_row_index("row")
    found: list[str | None] = [None] * texts.len()
    for hint, pattern, judge, detail in _PLACES:
        likely = frame.filter(pl.col("text").str.contains(hint)) if hint else frame
        if likely.is_empty():
            continue
        groups = likely.select("row", pl.col("text").str.extract_groups(pattern).alias("groups")).unnest("groups")
        for row, *captured in groups.filter(pl.any_horizontal(pl.exclude("row").is_not_null())).iter_rows():
            if found[row] is None and judge(*captured):
                found[row] = detail
    for row, detail in _chinese(frame.filter(pl.col("text").str.contains(r"\p{Han}"))):
        found[row] = found[row] or detail
    return pl.Series(found, dtype=pl.String)


def _chinese(frame: pl.DataFrame) -> Iterator[tuple[int, str]]:
    if frame.is_empty():
        return
    for pattern, exceptions, detail in names_zh.PLACES:
        seen = pl.col("text").str.contains(pattern) & ~pl.col("text").str.contains(exceptions)
        yield from ((row, detail) for row in frame.filter(seen)["row"])


def _in_front(introduction: str | None, run: str, mark: str, rest: str) -> bool:
    """As in "Laura Sonn, a teacher who", "Charlie is a writer", "Meet Oliver"."""
    words = _words(run)
    if not words:
        return False
    if introduction:
        return bool(_language(run).introduced(introduction.lower(), words, mark.strip()))
    if key(run.split()[0]) in _FORMAL_TITLES and len(run.split()) > 1:
        return not names_en.FAN.search(words[-1]) and mark.strip() in _AFTER_A_TITLE
    return bool(_language(run).in_front(words, mark.strip(), rest))


def _beside(description: str, run: str, mark: str) -> bool:
    """As in "A retired judge, Eleanor Voss, who"."""
    words = _words(run)
    return bool(words) and _language(run).beside(description, words, mark.strip())


def _after(description: str, run: str, mark: str) -> bool:
    """As in "Software engineer Priya Patel, who"."""
    words = _words(run)
    return bool(words) and _language(run).after(description, words, mark.strip())


def _called(description: str, run: str, rest: str) -> bool:
    """As in "A man named Tom"."""
    words = _words(run)
    return bool(words) and _language(description).called(description, words, rest)


def _own(run: str) -> bool:
    """As in "Her name is Inga"."""
    return bool(_words(run))


def _titled(run: str, verb: str) -> bool:
    """As in "Dr. Helen Ashworth studies"; not "Mr. Bean fans"."""
    return bool(_words(run)) and not names_en.FAN.search(verb) and verb not in names_en.FANS


def _related(run: str) -> bool:
    """As in "her former pupil Emily Carver": somebody whom nobody knows of."""
    return is_given(run.split()[0])


def _related_ru(before: str, run: str) -> bool:
    """As in "у Галины Аркадьевны Вересовой"; not of somebody who is read, played or honoured."""
    return names_ru.OF_THE_FAMOUS.search(before) is None


# Hint, without which a text need not be looked at; pattern; judge of its groups; detail.
_PLACES: tuple[tuple[str, str, Callable[..., bool], str], ...] = (
    ("", _LEADING, _in_front, "a name in front"),
    (r"\b(?:named|called|name|known|goes by)\b", _CALLED_EN, _called, "introduced by name"),
    (r"зовут|по имени|по фамилии", _CALLED_RU, _called, "introduced by name"),
    (r"(?i)\bname|зовут|имя|\bthe \w+ is", _OWN_NAME, _own, "introduced by name"),
    ("", _BESIDE, _beside, "a name beside the description"),
    ("", _AFTER, _after, "a name after the occupation"),
    (r"^\W*(?:Dr|Prof|M[rs]|Miss|Sir|Dame|Doctor|Captain|Judge|Rabbi|Pastor)", _TITLED, _titled, "a name in front"),
    (r"\b(?:her|his|their|my)\s", _RELATED_EN, _related, "a name of somebody near"),
    (r"^\W*\p{Lu}\p{Ll}+(?:ing|ed)\s", _AFTER_A_CLAUSE, _related, "a name after a clause"),
    (r"\bknown\s", _KNOWN_AS, _related, "introduced by name"),
    (r"[—–]\s+\p{Lu}", _AT_THE_END_RU, _related, "a name beside the description"),
    (r"зовут", _CALLED_SO_RU, _related, "introduced by name"),
    (r"вич|ьич|вн|ичн|[А-ЯЁ]\.\s?[А-ЯЁ]\.", _RELATED_RU, _related_ru, "a full name"),
)


def _words(run: str) -> list[str]:
    """The words of a run of capitalised ones, without titles; none where it opens with an article or is a genitive."""
    words = run.split()
    while len(words) > 1 and key(words[0]) in _TITLES:
        words = words[1:]
    if (
        key(words[0]) in names_en.OPENING
        or words[0].endswith(("'s", "’s"))
        or words[-1].endswith(("'s", "’s", "'", "’"))
    ):
        return []
    return [] if len(words) == 1 and key(words[0]) in _TITLES - ROLES else words


def _language(text: str) -> ModuleType:
    return names_ru if _CYRILLIC.search(text) else names_en
