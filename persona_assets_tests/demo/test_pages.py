import re
from importlib.resources import files
from typing import get_args

import pytest

from persona_assets.demo.markup import parse, to_html, to_text
from persona_assets.demo.pages import PARTS, Page, Trait, describe, edited, load_pages, parts_of

PAGES = load_pages()
DOCUMENTS = [page for page in PAGES if page.trait == "document"]
DUMPS = ("demo-2026-09", "demo-2026-10")


def page_of(**fields: object) -> Page:
    plain = {
        "url": "https://a.example/x", "dump": DUMPS[0], "language": "en", "kind": "forum",
        "site": "A", "title": "T", "fetched": "2026-09-01",
    }  # fmt: skip
    return Page.model_validate({**plain, **fields})


def test_at_least_eighty_documents_in_three_languages() -> None:
    languages = [page.language for page in DOCUMENTS]
    assert {language: languages.count(language) for language in sorted(set(languages))} == {
        "en": 44,
        "ru": 26,
        "zh": 26,
    }


def test_every_trait_of_a_crawl_occurs() -> None:
    assert {page.trait for page in PAGES} == set(get_args(Trait))


def test_the_kinds_that_a_crawl_has_are_there_in_every_language() -> None:
    wanted = {"textbook", "forum", "recipe", "news", "documentation", "clinic leaflet", "interview", "school notice"}
    for language in ("en", "zh", "ru"):
        assert wanted <= {page.kind for page in DOCUMENTS if page.language == language}


def test_encodings_are_declared_in_the_header_and_in_the_page() -> None:
    declared = {(page.encoding, page.declared) for page in DOCUMENTS}
    assert {("windows-1251", "header"), ("gb18030", "meta")} <= declared


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.url)
def test_a_document_has_the_length_of_a_page(page: Page) -> None:
    if page.language == "zh":
        assert 250 <= len(re.sub(r"\s", "", page.body)) <= 600
    else:
        assert 120 <= len(page.body.split()) <= 350


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.url)
def test_no_page_names_a_host_that_could_exist(page: Page) -> None:
    hosts = re.findall(r"(?:https?://|@)([\w-]+(?:\.[\w-]+)+)", page.body + " " + page.url)
    assert all(host.endswith(".example") or host == "example.com" for host in hosts)


def test_addresses_are_unique_within_a_dump() -> None:
    for dump in DUMPS:
        urls = [page.url for page in PAGES if page.dump == dump]
        assert len(urls) == len(set(urls))


def test_documents_differ_in_title_and_body() -> None:
    assert len({page.title for page in DOCUMENTS}) == len({page.body for page in DOCUMENTS}) == len(DOCUMENTS)


def test_no_long_line_of_a_document_stands_in_another_one() -> None:
    lines = [line for page in DOCUMENTS for line in page.body.split("\n") if len(line) > 40]
    assert len(lines) == len(set(lines))


def test_an_exact_copy_has_the_text_of_a_document_of_its_dump() -> None:
    for copy in (page for page in PAGES if page.trait == "exact_copy"):
        originals = [page for page in DOCUMENTS if page.dump == copy.dump]
        assert [to_text(page) for page in originals].count(to_text(copy)) == 1


def test_exact_copies_lie_in_the_same_and_in_another_file_and_after_their_original() -> None:
    same_file = []
    for dump in DUMPS:
        places = {
            page.url: (part, place) for part, pages in enumerate(parts_of(dump)) for place, page in enumerate(pages)
        }
        for copy in (page for page in PAGES if page.dump == dump and page.trait == "exact_copy"):
            (original,) = (page for page in DOCUMENTS if page.dump == dump and page.body == copy.body)
            assert places[original.url] < places[copy.url]
            same_file.append(places[original.url][0] == places[copy.url][0])
    assert set(same_file) == {True, False}


def test_a_near_copy_shares_most_lines_but_not_all_with_a_document() -> None:
    for copy in (page for page in PAGES if page.trait == "near_copy"):
        lines = set(to_text(copy).split("\n"))
        shared = max(len(lines & set(to_text(page).split("\n"))) / len(lines) for page in DOCUMENTS)
        assert 0.5 <= shared < 1


def test_near_copies_occur_within_a_dump_and_across_dumps() -> None:
    dumps = {page.title: page.dump for page in DOCUMENTS}
    across = {dumps.get(page.title) == page.dump for page in PAGES if page.trait == "near_copy"}
    assert across == {True, False}


def test_parts_hold_every_page_once_and_end_with_the_clipped_one() -> None:
    for dump in DUMPS:
        parts = parts_of(dump)
        assert len(parts) == PARTS
        urls = [page.url for part in parts for page in part]
        assert sorted(urls) == sorted(page.url for page in PAGES if page.dump == dump)
        assert all(page.trait != "truncated" for part in parts for page in part[:-1])


def test_describe_counts_add_up() -> None:
    counts = describe()
    assert counts["documents"] == len(DOCUMENTS)
    assert counts["pages"] == sum(dump["pages"] for dump in counts["dumps"].values())
    for dump in counts["dumps"].values():
        assert all(sum(dump[field].values()) == dump["pages"] for field in ("languages", "kinds", "traits"))


def test_package_data_is_found_as_resources() -> None:
    folder = files("persona_assets.demo")
    assert len([file for file in (folder / "pages").iterdir() if file.name.endswith(".yaml")]) == 8
    assert (folder / "page.html.j2").is_file()
    assert (folder / "chrome.yaml").is_file()


def test_markup_knows_its_blocks() -> None:
    body = (
        "Plain `code`.\n\n## Head\n\n- a\n- b\n\n1. one\n\n| x | y |\n| 1 | 2 |\n\n@Ann: hi\n\n```\nraw\n\nmore\n```\n"
    )
    kinds = [block.kind for block in parse(body)]
    assert kinds == ["paragraph", "heading", "bullets", "numbers", "table", "voice", "code"]
    text = to_text(page_of(body=body))
    assert text == "T\nPlain code.\nHead\na\nb\none\nx y\n1 2\nAnn: hi\nraw\n\nmore\n"


def test_an_empty_body_has_no_blocks() -> None:
    assert parse("\n") == []


def test_html_escapes_what_a_page_says() -> None:
    html = to_html(page_of(body="</document> `<b>` & more"), []).decode()
    assert "&lt;/document&gt; <code>&lt;b&gt;</code> &amp; more" in html


def test_html_is_in_the_encoding_of_the_page() -> None:
    page = page_of(body="Привет", language="ru", encoding="windows-1251", declared="meta")
    html = to_html(page, [])
    assert b'<meta charset="windows-1251">' in html
    assert "Привет" in html.decode("windows-1251")


def test_an_edit_of_a_passage_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="must occur once"):
        edited("abc", [("x", "y")], "https://a.example/")
