import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.characters.dates import is_known_by, last_day, leading_date, span_of_life, years_in


@pytest.mark.parametrize(
    ("text", "date", "rest"),
    [
        ("1802-10-06: It rained.", "1802-10-06", "It rained."),
        ("1802-10", "1802-10", ""),
        ("1802", "1802", ""),
        ("6 October 1802", "1802-10-06", ""),
        ("6. October 1802: It rained.", "1802-10-06", "It rained."),
        ("October 6, 1802. It rained.", "1802-10-06", "It rained."),
        ("6 октября 1802 г. Шёл дождь.", "1802-10-06", "Шёл дождь."),
        ("6 октября 1802 года — Шёл дождь.", "1802-10-06", "Шёл дождь."),
        ("1802年10月6日：下雨了。", "1802-10-06", "下雨了。"),
        ("1802年10月", "1802-10", ""),
        ("1802-10-06\nIt rained.", "1802-10-06", "It rained."),
    ],
)
def test_an_entry_begins_with_its_date(text: str, date: str, rest: str) -> None:
    found, after = leading_date(text)
    assert (found, text[after:]) == (date, rest)


@pytest.mark.parametrize(
    "text",
    [
        "1802 was a hard year.",
        "1780–1792: Bonn",
        "1780-1792: Bonn",
        "1802-13-06: no month",
        "1802-10-32: no day",
        "18021: a number",
        "Room 12: a door",
        "1802.5 metres",
        "October was wet.",
        "",
    ],
)
def test_what_only_looks_like_a_date_is_none(text: str) -> None:
    assert leading_date(text) == ("", 0)


@pytest.mark.parametrize(
    ("date", "now", "known"),
    [
        ("1802-10-06", "1802-10-06", True),
        ("1802-10-07", "1802-10-06", False),
        ("1802", "1802-10-06", False),  # the year is not over
        ("1802-10", "1802-11-01", True),
        (None, "1802-10-06", True),
        ("1802-10-06", None, True),
    ],
)
def test_what_is_of_a_later_date_is_not_known_yet(date: str | None, now: str | None, known: bool) -> None:
    assert is_known_by(date, now) is known


@given(st.dates(), st.dates())
def test_whole_dates_are_known_in_the_order_of_the_calendar(one: object, other: object) -> None:
    assert is_known_by(str(one), str(other)) is (str(one) <= str(other))
    assert last_day(str(one)) == str(one)


@pytest.mark.parametrize(
    ("text", "life"),
    [
        ("Ludwig (baptised 17 December 1770 – 26 March 1827) was", (1770, 1827)),
        ("Spartacus (Greek: Σπάρτακος; c. 103–71 BC) was", (-103, -71)),
        ("Caesar (12 July 100 BC – 15 March 44 BC) was", (-100, -44)),
        ("Livia (59 BC – AD 29) was", (-59, 29)),
        ("林秋月（1871年3月2日－1932年11月5日）是", (1871, 1932)),
        ("孔子（前551年－前479年）是", (-551, -479)),
        ("Иван (17 декабря 1801 — 26 марта 1869) был", (1801, 1869)),
        ("Сократ (470 до н. э. — 399 до н. э.) был", (-470, -399)),
        ("Ada (born 1970) is", None),
        ("Opened (1990-2001 metres)", (1990, 2001)),
        ("It ran (2001 – 1990)", None),
        ("nothing", None),
    ],
)
def test_a_life_is_told_in_brackets(text: str, life: tuple[int, int] | None) -> None:
    assert span_of_life(text) == life


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("In 1802 and 1815.", [1802, 1815]),
        ("1,802 men, 12.1802, 18023 and 3 dogs", []),
        ("71 BC", [-71]),
        ("公元前551年", [-551]),
        ("в 44 до н. э.", [-44]),
        ("the year 9999", []),
    ],
)
def test_years_are_numbers_that_stand_alone(text: str, years: list[int]) -> None:
    assert [*years_in(text)] == years
