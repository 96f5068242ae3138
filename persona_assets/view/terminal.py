"""Blocks on a terminal, by rich; a text is neither markup nor control there."""

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from persona_assets.view.blocks import (
    Bar,
    Block,
    Cell,
    Chart,
    Figures,
    Interval,
    Legend,
    Line,
    Lines,
    Quotes,
    Radar,
    Section,
    Table,
    words,
)
from persona_assets.view.safe import plain


def show(console: Console, *blocks: Block) -> None:
    """Print blocks, one below the other."""
    for place, block in enumerate(blocks):
        if isinstance(block, Section):
            if place:
                console.print()
            if block.title:
                console.print(Text(plain(words(block.title)), "bold"), soft_wrap=True)
            show(console, *block.blocks)
        elif isinstance(block, Table):
            console.print(_table(block))
        else:
            say(console, *_lines(block))


def say(console: Console, *lines: Line, end: str = "\n") -> None:
    """Print lines, which are not broken at the terminal's width."""
    for line in lines:
        console.print(Text(plain(words(line))), end=end, soft_wrap=True)


def _lines(block: Chart | Figures | Legend | Lines | Quotes | Radar) -> list[Line]:
    if isinstance(block, Chart | Radar):
        return [*block.lines]
    if isinstance(block, Lines):
        return list(block.lines)
    if isinstance(block, Quotes):
        return [block.head, *(f"  {quote.label}: {quote.bracketed}" for quote in block.quotes)]
    return [block.line]


def _table(table: Table) -> RichTable:
    shown = RichTable.grid(padding=(0, 2, 0, 0)) if table.bare else RichTable(show_footer=bool(table.foot))
    for place, head in enumerate(table.heads):
        foot = _cell(table.foot[place]) if table.foot else ""
        shown.add_column(
            Text(plain(head.text)), foot, justify="right" if head.right else "left", no_wrap=head.whole, overflow="fold"
        )
    for row in table.rows:
        shown.add_row(*map(_cell, row))
    return shown


def _cell(cell: Cell) -> Text:
    return Text(cell.drawn() if isinstance(cell, Bar | Interval) else plain(words(cell)))
