"""What stands on the lines of an answer: list items of all usual kinds, headings, tables, rules, fences, paragraphs."""

import re
from dataclasses import dataclass
from typing import Literal

from persona_assets.constraints.words import normal

LineKind = Literal["blank", "text", "bullet", "number", "heading", "title", "table", "rule", "fence", "code"]
_RULE = re.compile(r"(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,}|={3,}")
_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_BULLET = re.compile(r"(?:[-*+–][ \t]+|-(?=[^\W\d_])|[•●○▪■‣◦∙・][ \t]*|·[ \t]*)(?=\S)")
_NUMBER = re.compile(
    r"(?:\*\*)?(?:[(（][ \t]?(?:\d{1,2}|[一二三四五六七八九十]{1,3})[ \t]?[)）]|[①-⑳]|\d{1,2}[.．、)）](?!\d)"
    r"|[一二三四五六七八九十]{1,3}[、.．])[ \t]*(?=\S)"
)
_TITLE = re.compile(r"<<[^<>\n]{1,300}>>")
_DOUBLE_ANGLES = re.compile(r"<<([^<>\n]{1,300})>>|《《([^《》\n]{1,300})》》")
_SEPARATOR = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?")
_CELL_END = re.compile(r"(?<!\\)\|")
_FENCE = re.compile(r"(?:```|~~~)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an answer: what it is, how far it is indented (a tab is four), and its text without the mark."""

    kind: LineKind
    indent: int
    text: str
    level: int = 0  # of a heading, 1 to 6


def lines(text: str) -> list[Line]:
    """The lines in order. A line within a code fence is `code`, whatever it looks like."""
    found, fenced = [], False
    for raw in text.expandtabs(4).splitlines():
        stripped = raw.strip()
        indent = len(raw) - len(raw.lstrip())
        if _FENCE.match(stripped):
            fenced = not fenced
            found.append(Line("fence", indent, stripped))
        elif fenced:
            found.append(Line("code", indent, stripped))
        else:
            found.append(_line(stripped, indent))
    return found


def _line(text: str, indent: int) -> Line:
    if text.startswith(">"):  # a quotation
        text = text.lstrip("> ")
    if not text:
        return Line("blank", indent, "")
    if _RULE.fullmatch(text):
        return Line("rule", indent, text)
    if _TITLE.fullmatch(text):
        return Line("title", indent, text)
    if heading := _HEADING.match(text):
        return Line("heading", indent, heading[2].rstrip("# "), len(heading[1]))
    if text.startswith("|") and len(text) > 1:
        return Line("table", indent, text)
    if mark := _BULLET.match(text):
        return Line("bullet", indent, text[mark.end() :])
    if mark := _NUMBER.match(text):
        return Line("number", indent, text[mark.end() :])
    return Line("text", indent, text)


def items(text: str, kind: Literal["bullet", "number"]) -> int:
    """How many items of the outermost level the lists of a kind have."""
    indents = [line.indent for line in lines(text) if line.kind == kind]
    # An item that is indented by one space more than the first is meant to stand beside it.
    return sum(1 for indent in indents if indent <= min(indents) + 1)


def paragraphs(text: str) -> list[str]:
    """What blank lines divide; rules between paragraphs are none."""
    found: list[list[str]] = [[]]
    for raw in text.splitlines():
        stripped = raw.strip()
        if not stripped or _RULE.fullmatch(stripped):
            found.append([])
        else:
            found[-1].append(stripped)
    return ["\n".join(part) for part in found if part]


def parts(text: str) -> list[str]:
    """What lines of three asterisks, or more, divide; an empty part is one too."""
    found: list[list[str]] = [[]]
    for raw in text.splitlines():
        if re.fullmatch(r"(?:\*[ \t]*){3,}", raw.strip()):
            found.append([])
        else:
            found[-1].append(raw)
    return ["\n".join(part).strip() for part in found]


def sections(text: str) -> list[tuple[int, str, bool]]:
    """The headings in order: level, what it says, and whether anything stands under it, be it a lower heading."""
    found: list[tuple[int, str, bool]] = []
    above: list[int] = []  # the headings that a line stands under, by their places, the highest first
    for line in lines(text):
        if line.kind in ("blank", "rule"):
            continue
        if line.kind == "heading":
            while above and found[above[-1]][0] >= line.level:
                above.pop()
        if above:
            level, told, _ = found[above[-1]]
            found[above[-1]] = (level, told, True)
        if line.kind == "heading":
            above.append(len(found))
            found.append((line.level, line.text, False))
    return found


def tables(text: str) -> list[list[int]]:
    """The Markdown tables: for each the number of cells of its rows, the header first, without the line of dashes."""
    found: list[list[int]] = []
    rows = [line.strip() for line in text.splitlines()]
    at = 1
    while at < len(rows):
        if "-" in rows[at] and "|" in rows[at - 1] and _is_separator(rows[at]):
            table = [_cells(rows[at - 1]), _cells(rows[at])]
            at += 1
            while at < len(rows) and "|" in rows[at]:
                table.append(_cells(rows[at]))
                at += 1
            found.append(table[:1] + table[2:] if table[0] == table[1] else table)
        at += 1
    return found


def _is_separator(row: str) -> bool:
    return "|" in row and _SEPARATOR.fullmatch(row) is not None


def _cells(row: str) -> int:
    inner = row.removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return len(_CELL_END.findall(inner)) + 1


def titles(text: str) -> list[str]:
    """What stands in double angle brackets."""
    return [(one or other).strip() for one, other in _DOUBLE_ANGLES.findall(normal(text)) if (one or other).strip()]
