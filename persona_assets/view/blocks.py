"""What a page is made of, with nothing said of how it looks: `terminal`, `markdown` and `html` render it.

Texts may be anybody's: every renderer shows them as text. What others wrote stands in a `Code` or a `Quote` all the
same, which Markdown cannot make a link of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

WIDTH = 24  # characters of a bar of full length


@dataclass(frozen=True, slots=True)
class Code:
    """A text of others, set apart from the words around it."""

    text: str


@dataclass(frozen=True, slots=True)
class Kind:
    """What a part of a bar stands for: its name, its colour, and its character where there are no colours."""

    name: str
    tone: Literal["blue", "green", "amber", "red", "grey", "none"] = "blue"
    mark: str = "█"


PLAIN = Kind("")  # of bars with one part
Span = str | Code | Kind
Line = Span | tuple[Span, ...]


def spans(line: Line) -> tuple[Span, ...]:
    """The pieces of a line."""
    return line if isinstance(line, tuple) else (line,)


def words(line: Line) -> str:
    """A line as a string, as it came: no renderer has made it safe."""
    return "".join(
        span.text if isinstance(span, Code) else span.name if isinstance(span, Kind) else span for span in spans(line)
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """Parts of a bar, each with its share of the full length; 1 in all at most."""

    parts: tuple[tuple[Kind, float], ...]

    def drawn(self, width: int = WIDTH) -> str:
        """The bar in characters; what is there at all has one."""
        parts = [(kind, share) for kind, share in self.parts if share > 0]
        sizes = [max(1, round(width * share)) for _, share in parts]
        room = round(width * sum(share for _, share in parts))
        while sum(sizes) > room and max(sizes) > 1:
            sizes[sizes.index(max(sizes))] -= 1
        return "".join(kind.mark * size for (kind, _), size in zip(parts, sizes, strict=True))


def bar(most: float, *parts: tuple[Kind, float]) -> Bar:
    """A bar of these amounts, beside others of which the longest is `most`."""
    return Bar(tuple((kind, amount / most) for kind, amount in parts if amount and most))


Cell = Line | Bar


@dataclass(frozen=True, slots=True)
class Head:
    """The heading of a column; `whole`: a terminal does not break its cells."""

    text: str
    right: bool = False
    whole: bool = False


def left(*texts: str) -> list[Head]:
    """Columns of words."""
    return [Head(text) for text in texts]


def right(*texts: str) -> list[Head]:
    """Columns of figures."""
    return [Head(text, right=True) for text in texts]


def whole(*texts: str) -> list[Head]:
    """Columns of names."""
    return [Head(text, whole=True) for text in texts]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under headings; where all headings are empty, just the rows."""

    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    foot: Sequence[Cell] = ()

    @property
    def bare(self) -> bool:
        """Whether it has no headings."""
        return not any(head.text for head in self.heads)


def bars(rows: Iterable[tuple[Line, str, float]], what: str = "") -> Table:
    """A table of names, figures and bars; the longest bar is that of the largest amount."""
    found = list(rows)
    most = max((amount for _, _, amount in found), default=0)
    drawn = [(name, figure, bar(most, (PLAIN, amount))) for name, figure, amount in found]
    return Table([*whole(""), *right(what), *whole("")], drawn)


BARS = [*whole(""), *right(""), *whole("")]  # the heads of names, figures and bars that say themselves what they are


def facts(rows: Iterable[tuple[Line, Line]]) -> Table:
    """A table of names and what they are."""
    return Table(left("", ""), list(rows))


@dataclass(frozen=True, slots=True)
class Figures:
    """The few figures that a page begins with: name, figure, and a note or none."""

    figures: Sequence[tuple[str, str, str]]

    @property
    def line(self) -> str:
        """All of them on one line."""
        return "; ".join(f"{name}: {figure}{f' ({note})' if note else ''}" for name, figure, note in self.figures)


@dataclass(frozen=True, slots=True)
class Legend:
    """What the parts of bars stand for."""

    kinds: Sequence[Kind]

    @property
    def line(self) -> str:
        """It in characters."""
        return "  ".join(f"{kind.mark} {kind.name}" for kind in self.kinds)


@dataclass(frozen=True, slots=True)
class Lines:
    """Sentences, each on a line of its own."""

    lines: Sequence[Line]


Pieces = Sequence[tuple[str, bool]]  # of a text, and whether a piece is marked


@dataclass(frozen=True, slots=True)
class Quote:
    """A text of others with marked pieces, kept or gone."""

    label: str
    pieces: Pieces
    kept: bool = False

    @property
    def bracketed(self) -> str:
        """The text with its marked pieces in brackets."""
        return "".join(f"[{text}]" if marked else text for text, marked in self.pieces)


@dataclass(frozen=True, slots=True)
class Quotes:
    """Texts that belong together, and what they show."""

    head: Line
    quotes: Sequence[Quote]


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a heading, or under none."""

    title: Line
    blocks: "Sequence[Block]"


Block = Figures | Legend | Lines | Quotes | Section | Table


@dataclass(frozen=True, slots=True)
class Page:
    """Blocks under a title, with a note on what they are."""

    title: Line
    note: Line
    blocks: Sequence[Block]
