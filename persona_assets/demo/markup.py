"""The small markup of the demo's pages, and its two forms: the plain text of a WET record and the HTML of a page.

Blocks are separated by blank lines: `## heading`, `- item`, `1. item`, `| cell | cell |`, `@speaker: words`,
code between lines of three backticks; everything else is a paragraph. Inside a line, backticks mark code.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from persona_assets.demo.pages import PACKAGE, Page

BlockKind = Literal["heading", "bullets", "numbers", "table", "voice", "code", "paragraph"]
_STARTS: tuple[tuple[str, BlockKind], ...] = (
    (r"## (?P<text>.*)", "heading"),
    (r"- (?P<text>.*)", "bullets"),
    (r"\d+\. (?P<text>.*)", "numbers"),
    (r"\| (?P<text>.*) \|", "table"),
    (r"@(?P<speaker>[^:]+): (?P<text>.*)", "voice"),
)
_CODE = re.compile(r"(```\n.*?\n```)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block of a page: its lines without their marks."""

    kind: BlockKind
    lines: tuple[str, ...]
    speaker: str = ""

    @property
    def rows(self) -> list[list[str]]:
        """The cells of a table, row by row."""
        return [[cell.strip() for cell in line.split("|")] for line in self.lines]


def _block(chunk: str) -> Block:
    lines = chunk.split("\n")
    if lines[0].startswith("```"):
        return Block("code", tuple(lines[1:-1]))
    for pattern, kind in _STARTS:
        matches = [re.fullmatch(pattern, line) for line in lines]
        if all(matches):
            found = [match.groupdict() for match in matches if match]
            return Block(kind, tuple(match["text"] for match in found), found[0].get("speaker", ""))
    return Block("paragraph", tuple(lines))


def parse(body: str) -> list[Block]:
    """The blocks of a page's body, in order."""
    pieces = _CODE.split(body)
    chunks = [chunk for piece in pieces for chunk in ([piece] if piece.startswith("```\n") else piece.split("\n\n"))]
    return [_block(chunk.strip("\n")) for chunk in chunks if chunk.strip()]


def _colon(language: str) -> str:
    return "：" if language == "zh" else ": "


def _lines(block: Block, language: str) -> list[str]:
    match block.kind:
        case "voice":
            return [f"{block.speaker}{_colon(language)}{block.lines[0]}"]
        case "table":
            return [" ".join(row) for row in block.rows]
        case "code":
            return list(block.lines)
        case _:
            return [line.replace("`", "") for line in block.lines]


@cache
def _chrome() -> dict[str, dict[str, Any]]:
    content: dict[str, dict[str, Any]] = yaml.safe_load((files(PACKAGE) / "chrome.yaml").read_text("utf-8"))
    return content


def to_text(page: Page) -> str:
    """The page as a WET record holds it: title, then one line per paragraph or item."""
    lines = [line for block in parse(page.body) for line in _lines(block, page.language)]
    if page.chrome:
        chrome = _chrome()[page.language]
        lines = [*chrome["nav"], *lines, f"© {page.fetched.year} {page.site}. {chrome['footer']}"]
    return "\n".join([page.title, *lines]) + "\n"


def _inline(text: str) -> Markup:
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts)
    )


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["inline"] = _inline
    return environment.from_string((files(PACKAGE) / "page.html.j2").read_text("utf-8"))


def to_html(page: Page, related: list[Page]) -> bytes:
    """The page as a site would serve it, in the page's encoding, with links to `related` pages beside it."""
    html = _template().render(
        page=page,
        blocks=parse(page.body),
        related=related,
        chrome=_chrome()[page.language],
        colon=_colon(page.language),
    )
    return html.encode(page.encoding)
