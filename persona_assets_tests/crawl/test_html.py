import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.crawl.html import MAX_DEPTH, is_html
from persona_assets.crawl.page import PageText, main_text, text_of, text_or_html
from persona_assets_tests.crawl.conftest import EN

LIMIT = 1_000_000
TEXT = EN.format(3)
OTHER = "Every autumn the pilots of the harbour meet in the old lighthouse, and each of them tells of a night at sea. "

TEXTS = {
    "a tag in a sentence": f"Use the <div> element to group things. {TEXT} Then close it with </div>. {OTHER}",
    "an element in a sentence": f"{TEXT} Write <title>My page</title> within the <head> of a page. {OTHER}",
    "a comparison": f"{TEXT} It holds where a < b and c > d, or a <b and c> d. {OTHER}",
    "one break": f"{TEXT}<br>{OTHER}",
    "one element": f"{TEXT} <i>Hello</i>, said the miller. {OTHER}",
    "a fenced example": f"{TEXT}\n```html\n<html><body><p>{OTHER * 9}</p></body></html>\n```\n{OTHER}",
    "a lesson": f"{TEXT}\n<p>This is a paragraph.</p>\n<p>This is another.</p>\n{OTHER}\n{TEXT}",
    "a word at the front": f"<html> is the root of a page. {TEXT}",
    "types of a program": f"A List<String> is not a vector<i>, nor a Map<a, b>. {TEXT}",
    "a readme": f'<p align="center"><img src="a.png"></p>\n\n# The mill\n\n{TEXT}<br>\n{OTHER}',
    "a table of markdown": f"| a | b |\n|---|---|\n| x<br>y | z |\n\n{TEXT}",
    "an address": f"John <john@example.com> wrote: {TEXT}",
    "nothing": "",
}
PAGES = {
    "a document": f"<!DOCTYPE html><html><head><title>A mill</title></head><body><p>{TEXT}</p><p>{OTHER}</p></body>",
    "a document that is cut": f"<html lang='en'>\n<body><p>{TEXT}<p>{OTHER}",
    "xhtml": f'<?xml version="1.0"?>\n<!-- a -->\n<html xmlns="x"><body><p>{TEXT}</p><p>{OTHER}</p></body></html>',
    "paragraphs": f"<p>{TEXT}</p><p>{OTHER}</p>",
    "one element": f'<div class="post">{TEXT}<br>{OTHER}</div>',
    "open paragraphs": f"<p>{TEXT}\n<p>{OTHER}\n<p>{TEXT[::-1]}\n<p>{OTHER[::-1]}",
    "lines": f"{TEXT}<br>{OTHER}<br /><br />\n{TEXT[::-1]}<br/>{OTHER[::-1]}",
    "nested elements": f'<font size="2">{TEXT}<b>{OTHER}</b></font>',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_text_with_a_few_tags_stays_as_it_is(text: str) -> None:
    assert text_or_html(text) == text


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_html_becomes_its_main_text(page: str) -> None:
    text = text_or_html(page)
    assert isinstance(text, str)
    assert "<" not in text
    assert TEXT in text
    assert OTHER.strip() in text


@given(st.lists(st.sampled_from(["<p>", "</p>", "<br>", "<div>", "</div>", "<b a=c>", "</b>", "a < b", "word ", "`"])))
def test_any_tags_are_told(parts: list[str]) -> None:
    assert isinstance(is_html("".join(parts)), bool)


@pytest.mark.parametrize(
    "media",
    ["text/html", "application/xhtml+xml", "application/xml", "text/xml", "application/octet-stream", "text/plain", ""],
)
def test_a_page_is_extracted_whatever_its_type(media: str) -> None:
    assert text_of(PAGES["xhtml"].encode(), media, LIMIT) == PageText(f"{TEXT}\n{OTHER.strip()}", "utf-8")


@pytest.mark.parametrize("media", ["text/html", "text/plain", ""])
def test_a_text_without_tags_stays_as_it_is_under_any_type(media: str) -> None:
    text = f"{TEXT}\n\n  {OTHER}\nif a < b"
    assert text_of(text.encode(), media, LIMIT) == PageText(text, "utf-8")


@pytest.mark.parametrize("media", ["application/xml", "application/rss+xml", "application/json", "image/svg+xml"])
def test_other_media_are_refused(media: str) -> None:
    refused = text_of(b"<?xml version='1.0'?><rss><item>" + TEXT.encode() + b"</item></rss>", media, LIMIT)
    assert refused == ("not_text", f"media type '{media}'")


@pytest.mark.parametrize(
    "trouble",
    ["&#1; &#x1f; &#xFFFF;", "\x01 \x0b", "<html lang='en'/>", "\ud800"],
    ids=["references", "controls", "root", "half"],
)
def test_what_the_parser_stumbles_over_costs_no_page(trouble: str) -> None:
    read = main_text(f"{trouble}<body><article><p>{TEXT}</p><p>{OTHER} {trouble}</p></article></body>")
    assert isinstance(read, PageText)
    assert TEXT in read.text


NESTED = {
    "elements": ("<div>", "</div>"),
    "open elements": ("<b><font>", ""),
    "lists": ("<ul><li>", "</li></ul>"),
    "tables": ("<table><tbody><tr><td>", ""),
    "quotes": ("<blockquote><p>", ""),
}


@pytest.mark.parametrize("levels", [MAX_DEPTH + 10, 3000, 40_000])
@pytest.mark.parametrize(("start", "end"), NESTED.values(), ids=NESTED.keys())
def test_a_page_that_is_nested_too_deep_is_kept_and_marked(start: str, end: str, levels: int) -> None:
    read = main_text(
        f"<html><body><article><p>{TEXT}</p>{start * levels}{OTHER}{end * levels}<p>{TEXT[::-1]}</p></article>"
    )
    assert isinstance(read, PageText)
    assert read.cut == "nesting"
    assert TEXT in read.text
    assert OTHER.strip() in read.text
    assert TEXT[::-1] in read.text


def test_a_page_of_common_depth_is_whole() -> None:
    read = main_text(f"<html><body>{'<div>' * 60}<p>{TEXT}</p>{'</div>' * 60}</body></html>")
    assert read == PageText(TEXT)


@pytest.mark.parametrize("value", ['="x"', "=x", "", "='>'", ' = "<p>"'])
def test_an_element_of_a_great_many_attributes_takes_no_time(value: str) -> None:
    attributes = " ".join(f"a{number}{value}" for number in range(60_000))
    started = time.monotonic()
    read = main_text(f"<html><body><div {attributes}><p>{TEXT}</p></div></body></html>")
    assert read == PageText(TEXT)
    assert time.monotonic() - started < 5


def test_one_long_attribute_is_kept() -> None:
    page = f"<html><body><article title='{'a word ' * 5000}'><p>{TEXT}</p></article></body></html>"
    assert main_text(page) == PageText(TEXT)
