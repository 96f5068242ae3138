"""Every renderer shows a text of others as text, whatever stands in it."""

import io
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt  # which rich brings
from markdown_it.token import Token
from rich.console import Console

from persona_assets.view import html, markdown
from persona_assets.view.blocks import (
    Bar,
    Block,
    Chart,
    Code,
    Figures,
    Interval,
    Kind,
    Legend,
    Line,
    Lines,
    Page,
    Point,
    Quote,
    Quotes,
    Radar,
    Section,
    Table,
    bar,
    bars,
    facts,
    left,
    right,
    steps,
)
from persona_assets.view.json import to_json
from persona_assets.view.numbers import duration, money, number, percent, size
from persona_assets.view.safe import code_span, escaped, one_line, plain
from persona_assets.view.terminal import say, show

HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07\x9b2J \u202eesrever\u202c zero\u200bwidth\U000e0041 \udc80 <script>alert(1)</script> "
    "<b onclick=x> | cell `code` ``two`` [red]x[/red] [/] ![i](https://e.example/x.png) *star* __under__ & &amp; "
    "www.e.example # head\n- item\r\n1. one\tend"
)
# What a browser, a reader or a terminal would be given where nothing was done.
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e0fff]")
KIND = Kind(HOSTILE, "red", "░")
LINES: list[Line] = [HOSTILE, Code(HOSTILE), ("a ", Code(HOSTILE), KIND)]
BLOCKS: list[Block] = [
    Figures([(HOSTILE, HOSTILE, HOSTILE)]),
    Section(
        HOSTILE,
        [
            Table([*left(HOSTILE, ""), *right("")], [[*LINES], [HOSTILE, bar(2, (KIND, 1)), ""]], ["", HOSTILE, ""]),
            facts([(HOSTILE, Code(HOSTILE))]),
            bars([(HOSTILE, HOSTILE, 1)], HOSTILE),
            Table(left(HOSTILE), [[Interval(0.5, 0.25, 0.75, KIND)]]),
            Radar([HOSTILE, "b", "c"], [(KIND, [0.1, 0.5, 1.0])]),
            Chart(HOSTILE, HOSTILE, [(KIND, [Point(1, 0.5, 0.25, 0.75), Point(2, 1)])]),
            Legend([KIND]),
            Lines(LINES),
            Lines([HOSTILE]),
        ],
    ),
    Section("", [Quotes(LINES[2], [Quote(HOSTILE, [(HOSTILE, True), (HOSTILE, False)], kept=True)])]),
]
PAGE = Page(LINES[2], HOSTILE, BLOCKS)


def shown(*blocks: Block, **values: object) -> str:
    file = io.StringIO()
    show(Console(file=file, width=200, **values), *blocks)  # type: ignore[arg-type]
    return file.getvalue()


def test_a_terminal_is_neither_driven_nor_styled_by_a_text() -> None:
    text = shown(*BLOCKS, force_terminal=True, color_system="truecolor")
    assert not HIDDEN.search(re.sub("\x1b\\[[0-9;]*m", "", text.replace("\n", "")))
    assert not re.search("\x1b\\[[0-9;]*3[0-9]", text)  # no colour: ours are bold
    assert r"\x1b[31mred\x1b]0;title\x07\x9b2J \u202eesrever" in text
    assert "[red]x[/red] [/]" in text


def markups(text: str) -> set[str]:
    """The kinds of markup that a reader of Markdown finds."""

    def kinds(tokens: list[Token]) -> set[str]:
        return {token.type for token in tokens} | {kind for one in tokens for kind in kinds(one.children or [])}

    return {re.sub("_(open|close)$", "", kind) for kind in kinds(MarkdownIt("commonmark").enable("table").parse(text))}


def test_markdown_shows_a_text_without_markup_links_or_images() -> None:
    text = markdown.render_page(PAGE)
    ours = {"heading", "paragraph", "bullet_list", "list_item", "table", "thead", "tbody", "tr", "th", "td", "inline"}
    assert markups(text) <= ours | {"text", "text_special", "code_inline"}
    assert not HIDDEN.search(text.replace("\n", ""))
    outside = re.sub(r"(?<!\\)`[^`\n]*`", "", text)
    assert not re.search(r"(?<!\\)(://|[<`])", outside)  # the first is what readers make links of


@given(st.text("`*_[]<>|&~#!\\\\()ab \n-+=:/19.)@\t", max_size=30))
def test_words_come_out_of_markdown_as_they_went_in(text: str) -> None:
    assert markups(escaped(text)) <= {"paragraph", "inline", "text", "text_special"}
    table = markdown.render(Table(left("a"), [[("x", text, "x")]]))
    [row] = re.findall("<td[^>]*>(.*)</td>", MarkdownIt("commonmark").enable("table").render(table))
    reader = Reader()
    reader.feed(row)
    assert reader.shown[1:-1] == re.sub(r"\s+", " ", text)
    assert markups(code_span(text)) <= {"paragraph", "inline", "code_inline"}


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.shown += data


def test_a_page_has_no_element_of_a_text_and_loads_nothing() -> None:
    page = html.render_page(PAGE)
    reader = Reader()
    reader.feed(page)
    assert not reader.tags & {"script", "b", "a", "img", "link", "iframe"}
    drawing = {"viewbox", "role", "points", "x", "y", "x1", "y1", "x2", "y2", "text-anchor", "dominant-baseline"}
    ours = {"lang", "charset", "name", "content", "http-equiv", "class", "style", "title", "scope"}
    assert reader.attributes <= ours | drawing
    assert "url(" not in page
    assert not HIDDEN.search(page.replace("\n", ""))
    assert plain(HOSTILE) in reader.shown
    assert "default-src 'none'" in page


def test_json_holds_the_same_values_without_a_hidden_character() -> None:
    value = {"text": HOSTILE.replace("\udc80", ""), "none": None}
    text = to_json(value)
    assert json.loads(text) == value
    assert not HIDDEN.search(text)


def test_a_line_is_not_broken_at_the_terminals_width() -> None:
    file = io.StringIO()
    say(Console(file=file, width=20), "word " * 30, ("a ", Code("b")))
    assert file.getvalue() == "word " * 30 + "\na b\n"


def test_sections_stand_apart_and_tables_without_headings_have_no_lines() -> None:
    text = shown(Section("One", [facts([("a", "b")])]), Section("Two", [Lines(["x"])]))
    assert [line.rstrip() for line in text.splitlines()] == ["One", "a  b", "", "Two", "x"]


def test_the_longest_bar_is_that_of_the_largest_amount() -> None:
    drawn = [row[2] for row in bars([("a", "1", 1), ("b", "1,000", 1000), ("c", "0", 0)]).rows]
    assert [one.drawn() for one in drawn if isinstance(one, Bar)] == ["█", "█" * 24, ""]


@pytest.mark.parametrize(
    ("said", "is_"),
    [
        (number(1234.5), "1,234"), (number(2.5e6), "2.50 M"), (size(999), "999 B"), (size(1.5e6), "1.5 MB"),
        (money(0.0123), "0.012"), (money(0), "0.00"), (percent(1, 3), "33.33%"), (percent(0, 0), "0%"),
        (duration(0.016), "16 ms"), (duration(2.5), "2.5 s"),
    ],
)  # fmt: skip
def test_figures_are_short(said: str, is_: str) -> None:
    assert said == is_


def test_joiners_of_emoji_and_words_stay() -> None:
    assert plain("\U0001f469\u200d\U0001f680 می\u200cخواهم") == "\U0001f469\u200d\U0001f680 می\u200cخواهم"
    assert one_line("a\u00a0b\u3000c\n", 4) == "a b…"


def test_an_interval_is_a_point_on_a_line_on_an_axis_with_a_middle() -> None:
    assert Interval(0.75, 0.5, 1.0).drawn(8) == "····│─●──"
    assert Interval(0.5, 0.5, 0.5).drawn(4) == "··●··"
    assert Interval(0.0, 0.0, 0.25).drawn(4) == "●─│··"


def test_a_radar_has_its_first_axis_above_and_opposite_axes_apart() -> None:
    radar = Radar(["n", "e", "s", "w"], [(Kind("one"), [1, 0.5, 0, 0.5])])
    assert radar.polygon([1, 0.5, 0, 0.5]) == "0.0,-100.0 50.0,0.0 0.0,0.0 -50.0,0.0"
    assert shown(radar) == "one: n 1.00, e 0.50, s 0.00, w 0.50\n"


def test_a_chart_has_its_lowest_value_below_and_places_from_left_to_right() -> None:
    chart = Chart(
        "rows", "right", [(Kind("one"), [Point(100, 0.5, 0.4, 0.6), Point(1000, 1.0), Point(10000, 0.9)])], log=True
    )
    (x1, y1), (x2, y2), (x3, y3) = (chart.point(one.x, one.y) for one in chart.rows[0][1])
    assert x1 < x2 < x3 and x2 - x1 == pytest.approx(x3 - x2)
    assert y1 > y3 > y2
    assert chart.point(100, 0)[1] == chart.SIZE[1] - chart.ROOM[3]
    assert [name for name, _ in chart.ticks_across] == ["100", "1,000", "10,000"]
    assert [name for name, _ in chart.ticks_up] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]
    assert shown(chart) == "right, one: 0.5 at 100, 1 at 1,000, 0.9 at 10,000\n"


@pytest.mark.parametrize("points", [[], [Point(3, 0)], [Point(3, 2), Point(3, 2)]])
def test_a_chart_of_few_points_can_be_drawn(points: list[Point]) -> None:
    assert "NaN" not in html.render_page(Page("a", "b", [Chart("x", "y", [(KIND, points)], zero=False)]))


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_steps_are_a_few_round_numbers_between_the_ends(low: float, width: float) -> None:
    found = steps(low, low + width)
    assert len(found) <= 7
    assert all(low - width * 1e-6 <= one <= low + width * (1 + 1e-6) for one in found)


def test_a_radar_has_room_for_the_names_of_its_axes() -> None:
    short, long = (Radar(["a", name, "c"], [(KIND, [1, 1, 1])]) for name in ("b", "memorization"))
    assert short.half == 150
    assert long.half > long.point(1, 1.14)[0] + 6 * len("memorization") - 6
