"""The report on a deduplicated file."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.dedup.file import dedup_file
from persona_assets.dedup.keys import Scheme
from persona_assets.dedup.outcome import Job, Outcome
from persona_assets.dedup.report import LEAD, SHOWN, _shares, cut, differing
from persona_assets.view.safe import one_line
from persona_assets_tests.browser import CHROMIUM, browser

HOSTILE = "<script>document.title='x'</script> & \"quoted\" 'a' `code` | cell \x1b[31m \u202eevil\u202c # head\n- item"
BEE = "a beekeeper who paints the hives of her village in the colours of old ships"
LONG = " ".join(f"word{place}" for place in range(400))


def report(folder: Path, suffix: str, texts: list[str | None], scheme: Scheme | None = None) -> tuple[str, Outcome]:
    path = folder / "in <b>`|.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    page = folder / f"report{suffix}"
    outcome = dedup_file(Job(path, scheme or Scheme("exact", 0.9), report=page))
    assert sorted(folder.iterdir()) == sorted([path, page])
    return page.read_text(encoding="utf-8"), outcome


TEXTS = [
    BEE, BEE + " daily", BEE.upper(), HOSTILE, HOSTILE + "!", HOSTILE, None, "",
    LONG, LONG + " end", "研究唐代诗歌和宋代绘画的大学生在北京", "研究唐代诗歌和宋代绘画的大学生在上北京",
]  # fmt: skip


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.shown += f" {data}"


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_the_page_escapes_what_a_file_holds_and_loads_nothing(tmp_path: Path) -> None:
    page, _ = report(tmp_path, ".html", TEXTS)
    reader = read(page)
    assert "script" not in reader.tags
    assert "b" not in reader.tags
    assert not {name for name, _ in reader.attributes} & {"src", "href", "onclick", "onerror"}
    assert "url(" not in page
    assert "<script>document.title='x'</script> & \"quoted\"" in reader.shown
    assert not re.search("[\x1b\u202a-\u202e]", page)


def test_the_page_says_what_was_kept_removed_and_set_aside(tmp_path: Path) -> None:
    page, outcome = report(tmp_path, ".html", TEXTS)
    shown = " ".join(read(page).shown.split())
    assert f"rows 12 kept {outcome.kept} 33.33% removed 6 50.00% set aside 2 16.67%" in shown
    assert "exact 3 25.00% lexical 3 25.00%" in shown
    assert "null 1 8.33%" in shown
    assert "estimated recall" not in shown
    assert "strategy exact" in shown


def test_the_words_that_differ_are_marked(tmp_path: Path) -> None:
    page, _ = report(tmp_path, ".html", TEXTS)
    assert "<mark>daily</mark>" in page
    assert "大学生在<mark>上</mark>北京" in page


def test_markdown_holds_hostile_texts_in_code_spans(tmp_path: Path) -> None:
    page, _ = report(tmp_path, ".md", TEXTS)
    for line in page.splitlines():
        outside = re.sub(r"`[^`]*`", "", line)
        assert "`" not in outside or line == "```"
        assert "<" not in outside
        assert "evil" not in outside
        assert line.startswith("|") or "|" not in line
    assert "# head - item" in page
    assert "[daily]" in page
    assert not re.search("[\x1b\u202a-\u202e]", page)


@pytest.mark.parametrize("suffix", [".html", ".md"])
def test_long_texts_are_cut_to_where_they_differ(tmp_path: Path, suffix: str) -> None:
    page, _ = report(tmp_path, suffix, [*TEXTS, LONG + " other"])
    assert one_line(LONG)[: SHOWN - 1] + "…" in page  # of the group
    assert "word200" not in page
    assert re.search(r"…[\w ]+ word399 (\[end]|<mark>end</mark>)", page)


def test_a_cut_text_shows_where_it_differs() -> None:
    text = "x" * 1000 + "y" * 1000
    at = "".join(piece for piece, _ in cut([(text[:1000], False), (text[1000:], True)], 1000))
    assert at == "…" + "x" * LEAD + "y" * (SHOWN - LEAD - 2) + "…"
    assert cut([(text, False)], 2000) == [("…", False), ("y" * (SHOWN - 1), False)]
    assert cut([(text, False)], SHOWN - LEAD) == cut([(text, False)])
    assert cut([("x" * SHOWN, False)], SHOWN) == [("x" * SHOWN, False)]


def test_groups_of_one_and_empty_bins_are_left_out(tmp_path: Path) -> None:
    words = LONG.split()[:30]
    one, two = " ".join(words), " ".join(words[:10])
    texts: list[str | None] = [one, f"{one} a", f"{one} b", two, f"{two} a"]
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    page, _ = report(tmp_path / "one", ".md", texts[:3])
    assert "0.965 to 0.970 for all 2, apart from rows with equal words." in page
    assert "█" not in page
    page, _ = report(tmp_path / "two", ".md", texts, Scheme("exact", 0.8))
    assert re.findall(r"^- (\d+) removed for row (\d+)", page, re.MULTILINE) == [("2", "0")]
    bars = re.findall(r"^\| [\d.]+ to [\d.]+ \| (\d+)", page, re.MULTILINE)
    assert (bars[0], bars[-1], len(bars)) == ("1", "2", 7)


@pytest.mark.parametrize("suffix", [".html", ".md"])
@pytest.mark.parametrize("texts", [[BEE], [None], [BEE, BEE]])
def test_a_file_without_near_copies_has_a_report_too(tmp_path: Path, suffix: str, texts: list[str | None]) -> None:
    page, outcome = report(tmp_path, suffix, texts, Scheme("exact", 1.0))
    assert ("Examples" in page) == (outcome.kept < len(texts) and None not in texts)
    assert "Similarity" not in page


def test_the_largest_groups_and_spread_examples_are_shown(tmp_path: Path) -> None:
    texts: list[str | None] = [f"{letter} {LONG[:60]} {letter * 3}" for letter in "abcdefghijklmno" for _ in range(3)]
    texts += [f"{text} more" for text in texts[:30:3]] + [texts[6]] * 5
    page, outcome = report(tmp_path, ".md", texts, Scheme("exact", 0.85))
    groups = re.findall(r"^- (\d+) removed for row (\d+)", page, re.MULTILINE)
    assert len(groups) == 10
    assert groups[0] == ("8", "6")
    examples = re.findall(r"^- (exact|lexical), ([\d.]+)", page, re.MULTILINE)
    assert len(examples) == 20
    assert sum(method == "lexical" for method, _ in examples) == 10 == outcome.removed["lexical"]


def test_examples_are_shared_out_evenly() -> None:
    assert _shares([100, 3, 100], 20) == [8, 3, 9]
    assert _shares([0, 100, 0], 20) == [0, 20, 0]
    assert _shares([2, 1, 0], 20) == [2, 1, 0]


@given(st.text(), st.text())
def test_pieces_of_a_text_make_the_text_again(one: str, other: str) -> None:
    text = one_line(one)
    assert "".join(piece for piece, _ in differing(text, one_line(other))) == text
    assert not any(marked for _, marked in differing(text, text))
    short = "".join(piece for piece, _ in cut([(text, False), (text, True)]))
    assert short == (text * 2 if len(text) * 2 <= SHOWN else (text * 2)[: SHOWN - 1] + "…")


@given(st.text())
def test_a_cleaned_text_is_one_line_without_control_characters(text: str) -> None:
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", one_line(text))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_the_page_is_shown_in_a_browser_and_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    report(tmp_path / "page", ".html", TEXTS)
    with browser(tmp_path / "profile") as page:
        page.open((tmp_path / "page" / "report.html").as_uri())
        assert page.shows("Largest groups")
        assert page.evaluate("document.title").startswith("Near-duplicates in ")
        assert page.evaluate("document.scripts.length") == 0
        assert page.evaluate("getComputedStyle(document.querySelector('.bar i')).width") != "0px"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        colours = []
        for scheme in ("light", "dark"):
            page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert colours[0] != colours[1]
