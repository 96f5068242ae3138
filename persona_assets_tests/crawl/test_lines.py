"""What the filter of lines takes out of a page's plain text, and what it leaves."""

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.crawl.lines import filter_lines
from persona_assets.settings import Settings
from persona_assets_tests.crawl.conftest import EN, ReadBytes, WarcMaker

HERE = Path(__file__).parent
KINDS = ("verse", "recipes", "threads", "code", "unpunctuated")


@cache
def texts(name: str) -> Any:
    return yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))


def language(text: str) -> str:
    return "zh" if re.search("[\u4e00-\u9fff]", text) else "ru" if re.search("[а-я]", text) else "en"


def wrapped(text: str) -> list[tuple[str, str, str]]:
    """The text in each wrapper of its language: what stands before it, it, and what stands after it."""
    return [(one["before"], text, one["after"]) for one in texts("wrappers")[language(text)]]


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[\u4e00-\u9fff]|\w+", text))


def lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def lost(kind: str) -> float:
    gone = total = 0
    for text in texts("survivors")[kind]:
        for before, body, after in wrapped(text):
            filtered = filter_lines(before + body + after).text
            total += words(body).total()
            gone += (words(body) - words(filtered)).total()
    return gone / total


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_twenty_texts_of_each_kind_in_two_languages_at_least(kind: str) -> None:
    assert len(texts("survivors")[kind]) == 20
    assert len({language(text) for text in texts("survivors")[kind]}) >= (1 if kind in ("code", "unpunctuated") else 3)


def test_texts_without_sentences_survive_between_menus_and_footers() -> None:
    gone = {kind: lost(kind) for kind in KINDS}
    assert sum(gone.values()) / len(gone) <= 0.03, gone
    assert max(gone.values()) <= 0.06, gone  # of threads: names, dates and a line or two


def test_most_lines_of_menus_and_footers_go() -> None:
    left = total = 0
    for kind in KINDS:
        for text in texts("survivors")[kind]:
            for before, body, after in wrapped(text):
                filtered = Counter(lines(filter_lines(before + body + after).text))
                total += len(lines(before)) + len(lines(after))
                left += (filtered - Counter(lines(body))).total()
    assert left <= 0.01 * total


def test_paragraphs_and_the_heading_between_them_stay_and_the_lines_around_go_by_name() -> None:
    page = (
        "Home\nAbout us\nContact\nHome » News » Mills\nBy The Editors\n"
        "The old mill stands by the river, a mile below the bridge, and its wheel has not turned since the flood.\n"
        "The bees\n"
        "The miller's daughter now keeps bees in the yard, and on market days she carries honey up the hill.\n"
        "Share this on Facebook\nRelated articles\nTen walks by the water\n© 2019 The Mill. All rights reserved.\n"
        "We use cookies to improve this site.\n"
    )
    filtered = filter_lines(page)
    assert filtered.text.split("\n") == page.split("\n")[5:8]
    assert set(filtered.removed) >= {"menu", "links", "share", "related", "copyright", "cookies"}
    assert sum(filtered.removed.values()) == len(lines(page)) - 3


@pytest.mark.parametrize(
    "title",
    ["River wall to be rebuilt after the floods", "Как выбрать зимние ботинки для ребёнка", "老街最后一家理发店要搬了"],
)
def test_the_title_just_before_the_body_stays_and_the_menu_before_it_goes(title: str) -> None:
    body = "The wall that kept the river out of the street will be built anew this summer, the council said. " * 3
    page = f"Home\nNews\nSport\n{title}\n\n{body}\nPrivacy Policy"
    assert lines(filter_lines(page).text) == [title, body]
    assert filter_lines(filter_lines(page).text).text == filter_lines(page).text


@pytest.mark.parametrize(
    "line",
    [
        "随笔(12)",
        "Fruit(8)",
        "发布时间：2019-11-05 点击数：",
        "You may not post new threads in this forum",
        "Вернуться наверх",
    ],
)
def test_counts_dates_and_notices_of_forums_go(line: str) -> None:
    body = "The wall that kept the river out of the street will be built anew this summer, the council said. " * 3
    assert filter_lines(f"{line}\n{body}\n{line}").text == body


@pytest.mark.parametrize("text", ["", "\n\n", "Home\nAbout us\nContact", "首页\n关于我们"])
def test_a_page_without_a_line_of_text_is_left_as_it_is(text: str) -> None:
    assert filter_lines(text).text == text
    assert filter_lines(text).removed == {}


ANY_LINE = st.text(max_size=60) | st.sampled_from(
    [
        "Home",
        "About us",
        "© 2019",
        "Related",
        "3 comments",
        "The old mill stands by the river, a mile below.",
        "你好。",
        "",
    ]
)


@given(st.lists(ANY_LINE, max_size=30).map("\n".join))
def test_what_stays_are_lines_of_the_text_in_order_and_all_others_are_counted(text: str) -> None:
    filtered = filter_lines(text)
    rest = iter(text.split("\n"))
    assert all(line in rest for line in filtered.text.split("\n"))
    assert sum(filtered.removed.values()) == len(lines(text)) - len(lines(filtered.text))


@given(st.lists(ANY_LINE, max_size=30).map("\n".join))
def test_filtering_twice_gives_what_once_gives(text: str) -> None:
    once = filter_lines(text).text
    assert filter_lines(once).text == once


@pytest.mark.parametrize("text", ["a " * 500_000, "Home\n" * 100_000, "| " * 300_000, "«" * 300_000, "1 " * 300_000])
def test_hostile_text_is_filtered_at_once(text: str) -> None:
    assert filter_lines(text).text in text


def test_a_wet_record_is_a_document_without_its_menu_and_the_rest_is_counted(read: ReadBytes) -> None:
    menu = "Home\nAbout us\nContact\nLog in\n"
    data = WarcMaker().conversion("http://a.example/", menu + EN.format(3) + "\n© 2019 The Mill\n").bytes
    result = read(data)
    assert result.documents.select("text", "lines_removed").rows() == [(EN.format(3), 5)]
    assert sum((batch.lines_removed for batch in result.batches), Counter()).total() == 5
    whole = read(data, Settings(wet_lines=False)).documents
    assert whole.select("text", "lines_removed").rows() == [(menu + EN.format(3) + "\n© 2019 The Mill", 0)]
