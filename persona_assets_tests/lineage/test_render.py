import io
import json
import re
from html.parser import HTMLParser

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from persona_assets.lake.schemas import EXPANDED_PERSONAS, EXTRACTED_PERSONAS, RAW_DOCUMENTS
from persona_assets.lineage import Audit, audit
from persona_assets.lineage.render import as_dict, html, tree
from persona_assets.view.safe import one_line, plain
from persona_assets_tests.lineage.small_lake import SHARD, Small, ids, only, seed, setting, tamper

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def hostile(built: Small) -> Audit:
    """The audit of a persona whose page holds escape sequences and markup."""
    page = only(ids(built.lake, RAW_DOCUMENTS, pl.col("url").str.contains("locks")))
    persona_id = only(ids(built.lake, EXTRACTED_PERSONAS, pl.col("document_id") == page))
    return audit(built.lake, built.settings, persona_id)


def printed(found: Audit, **values: object) -> str:
    file = io.StringIO()
    Console(file=file, width=100, **values).print(tree(found))  # type: ignore[arg-type]
    return file.getvalue()


def test_the_terminal_gets_no_control_character_from_a_page(hostile: Audit) -> None:
    text = printed(hostile)
    assert not CONTROL.search(text.replace("\n", ""))
    assert r"\x1b[31mred" in text


def test_the_terminal_shows_markup_of_a_page_as_it_stands(hostile: Audit) -> None:
    assert "[bold]not bold[/bold]" in printed(hostile, force_terminal=True)


def test_the_tree_fits_100_columns_and_names_every_node(built: Small) -> None:
    persona_id = only(ids(built.lake, EXPANDED_PERSONAS, pl.col("hop") == 2))
    found = audit(built.lake, built.settings, persona_id)
    text = printed(found)
    assert max(map(len, text.splitlines())) <= 100
    assert all(node.id in text for node in found.nodes())


def test_the_tree_marks_what_failed_and_what_was_not_verified(small: Small) -> None:
    persona_id = seed(small.lake)
    path = small.lake.path(RAW_DOCUMENTS, SHARD)
    tamper(small.lake, path, lambda frame: frame.clear())
    text = printed(audit(small.lake, small.settings, persona_id))
    assert "FAILED parent_exists" in text
    assert "unverified prompt_renders" in text


def test_the_tree_of_personas_that_name_each_other_ends(small: Small) -> None:
    persona_id = only(ids(small.lake, EXPANDED_PERSONAS, pl.col("hop") == 1))
    path = small.lake.path(EXPANDED_PERSONAS, SHARD)
    tamper(small.lake, path, setting("parent_persona_id", persona_id, "persona_id", persona_id))
    assert "(shown above)" in printed(audit(small.lake, small.settings, persona_id))


def test_json_round_trips_and_is_complete(hostile: Audit) -> None:
    value = as_dict(hostile)
    assert json.loads(json.dumps(value)) == value
    assert [node["kind"] for node in value["chain"]] == ["crawl_record", "document", "persona"]
    document, persona = value["chain"][1:]
    assert "\x1b[31mred" in document["row"]["text"]
    assert persona["parents"] == [{"kind": "document", "id": document["id"]}]
    assert persona["call"]["messages"][1]["content"].count("Volunteers grease the gears") == 1
    assert persona["call"]["row"]["answer"]
    assert {one["status"] for one in persona["verifications"]} == {"ok"}


class Elements(HTMLParser):
    """Which elements a page has, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_html_escapes_the_text_of_a_page(hostile: Audit) -> None:
    page = html(hostile)
    parser = Elements()
    parser.feed(page)
    assert "script" not in {tag for tag, _ in parser.found}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not CONTROL.search(page)


def test_html_loads_nothing(hostile: Audit) -> None:
    parser = Elements()
    parser.feed(html(hostile))
    assert not {tag for tag, _ in parser.found} & {"link", "img", "iframe", "object", "a"}
    assert not any(name in attributes for _, attributes in parser.found for name in ("src", "href", "onclick"))


def test_html_runs_from_the_crawl_record_down_to_the_row(hostile: Audit) -> None:
    page = html(hostile)
    places = [page.index(f"{node.kind.replace('_', ' ')} <code>{node.id}</code>") for node in hostile.nodes()]
    assert places == sorted(places)


def test_html_shows_failures(small: Small) -> None:
    persona_id = seed(small.lake)
    path = small.lake.path(EXTRACTED_PERSONAS, SHARD)
    tamper(small.lake, path, setting("text", "<b>Someone</b> else", "persona_id", persona_id))
    page = html(audit(small.lake, small.settings, persona_id))
    assert '<td class="mark FAILED">FAILED</td>' in page
    assert "&lt;b&gt;Someone" in page
    assert "<b>Someone" not in page


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_plain_leaves_no_control_character(text: str) -> None:
    assert not CONTROL.search(plain(text))


@settings(max_examples=50, deadline=None)
@given(st.text(), st.integers(10, 50))
def test_one_line_is_one_short_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
