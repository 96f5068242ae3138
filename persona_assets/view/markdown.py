"""Blocks as Markdown with tables; texts of others stand in code spans that they cannot leave."""

from collections.abc import Sequence

from persona_assets.view.blocks import (
    Bar,
    Block,
    Cell,
    Chart,
    Code,
    Interval,
    Line,
    Lines,
    Page,
    Quotes,
    Radar,
    Section,
    Table,
    spans,
    words,
)
from persona_assets.view.safe import code_span, escaped


def render_page(page: Page) -> str:
    """A page as a file."""
    return render(Section(page.title, [Lines([page.note]), *page.blocks]), level=1) + "\n"


def render(*blocks: Block, level: int = 2) -> str:
    """Blocks, one below the other; the headings of sections are of this level."""
    return "\n\n".join(filter(None, (_block(block, level) for block in blocks)))


def _block(block: Block, level: int) -> str:
    if isinstance(block, Section):
        inside = render(*block.blocks, level=level + 1)
        return f"{'#' * level} {_line(block.title)}\n\n{inside}" if block.title else inside
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Quotes):
        quotes = [f"    - {escaped(quote.label)}: {code_span(quote.bracketed)}" for quote in block.quotes]
        return "\n".join([f"- {_line(block.head)}", *quotes])
    if isinstance(block, Chart | Radar):
        return "\n".join(f"- {escaped(line)}" for line in block.lines)
    if isinstance(block, Lines):
        return "\n".join(f"- {_line(line)}" if len(block.lines) > 1 else _line(line) for line in block.lines)
    return escaped(block.line)


def _table(table: Table) -> str:
    rule = "|".join("---:" if head.right else ":---" for head in table.heads)
    lines = [_row([head.text for head in table.heads]), f"|{rule}|", *map(_row, table.rows)]
    return "\n".join([*lines, _row(table.foot)] if table.foot else lines)


def _row(cells: Sequence[Cell]) -> str:
    return f"| {' | '.join(cell.drawn() if isinstance(cell, Bar | Interval) else _line(cell) for cell in cells)} |"


def _line(line: Line) -> str:
    return "".join(code_span(span.text) if isinstance(span, Code) else escaped(words(span)) for span in spans(line))
