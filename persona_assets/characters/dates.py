"""Dates and years as profiles and diaries write them, in English, Chinese and Russian, and as ISO 8601."""

import re
from collections.abc import Iterator

_EN = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_RU = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
]
_MONTHS = {name: number for names in (_EN, _RU) for number, name in enumerate(names, 1)}
_MONTHS |= {name[:3]: number for number, name in enumerate(_EN, 1)}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATE = re.compile(
    r"(?P<zh_year>\d{4})年(?:(?P<zh_month>\d{1,2})月(?:(?P<zh_day>\d{1,2})[日号])?)?"
    r"|(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?(?!\d)"
    rf"|(?P<day_first>\d{{1,2}})\.?\s(?P<of>{_MONTH})\.?,?\s(?P<of_year>\d{{4}})(?:\sг(?:ода)?)?"
    rf"|(?P<in>{_MONTH})\.?\s(?P<in_day>\d{{1,2}}),?\s(?P<in_year>\d{{4}})",
    re.IGNORECASE,
)
_AFTER = re.compile(r"\s*[:：.。]\s*(?!\d)|\s+[-–—]\s+|\s*$|[ \t]*\n\s*")  # what closes the date of an entry
_SPAN = re.compile(r"[(（]([^()（）]{4,300}?)[-–—－−~～至]([^()（）]{1,120})[)）]")
_YEAR = re.compile(
    r"(?<![\d.,:/])(?P<year>[1-9]\d{2,3}|(?<=AD )[1-9]\d?|[1-9]\d?(?=\s?(?:BCE?|AD|CE|до н)))(?!\d|[.,:]\d|%)"
)
_BEFORE_OUR_ERA = re.compile(r"\s?(?:BCE?\b|B\.C\.|до\s+н\.?\s*э|до\s+нашей\s+эры)", re.IGNORECASE)
_ZH_BEFORE = "前"
_LATEST = 2100
_MOST_DAYS = 31


def leading_date(text: str) -> tuple[str, int]:
    """The date that a text begins with as `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, and where what follows it begins.

    `("", 0)` where it begins with none, or goes on as a sentence does: "1802 was a hard year".
    """
    found = _DATE.match(text)
    if not found:
        return "", 0
    after = _AFTER.match(text, found.end())
    date = _iso(found)
    return (date, after.end()) if after and date else ("", 0)


def _iso(found: re.Match[str]) -> str:
    """A date as ISO 8601; "" where no calendar has it."""
    part = {name: value for name, value in found.groupdict().items() if value}
    year = part.get("year") or part.get("zh_year") or part.get("of_year") or part["in_year"]
    named = part.get("of") or part.get("in")
    month = int(part.get("month") or part.get("zh_month") or (_MONTHS[named.lower()] if named else 0))
    day = int(part.get("day") or part.get("zh_day") or part.get("day_first") or part.get("in_day") or 0)
    if month > 12 or day > _MOST_DAYS or (day and not month):
        return ""
    return "-".join([year, *(f"{one:02}" for one in (month, day) if one)])


def is_known_by(date: str | None, now: str | None) -> bool:
    """Whether what is of a date is known at another one; of a month or a year that is not over, nothing is.

    What has no date is known at any time, and without a present everything is.
    """
    return date is None or now is None or last_day(date) <= last_day(now)


def last_day(date: str) -> str:
    """A date that sorts as the last day of what it names."""
    return date + "-99" * (2 - date.count("-"))


def years_in(text: str) -> Iterator[int]:
    """The numbers of a text that may be years, in order; those before our era are below 0.

    These are numbers of three or four digits up to 2100 which are no part of a longer number, and shorter ones beside
    the name of an era.
    """
    for found in _YEAR.finditer(text):
        year = int(found["year"])
        before = _BEFORE_OUR_ERA.match(text, found.end()) or text[: found.start()].rstrip().endswith(_ZH_BEFORE)
        if year <= _LATEST:
            yield -year if before else year


def span_of_life(text: str) -> tuple[int, int] | None:
    """The first years and the last of a life as an encyclopaedia has them in brackets: (17 December 1770 – 1827).

    None where a text has none. The first year is before our era where the last is and nothing else is said.
    """
    for found in _SPAN.finditer(text):
        born, died = [*years_in(found[1])], [*years_in(found[2])]
        if born and died:
            first, last = born[-1], died[-1]
            if last < 0 < first:
                first = -first
            if first <= last:
                return first, last
    return None
