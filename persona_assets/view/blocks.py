"""What a page is made of, with nothing said of how it looks: `terminal`, `markdown` and `html` render it.

Texts may be anybody's: every renderer shows them as text. What others wrote stands in a `Code` or a `Quote` all the
same, which Markdown cannot make a link of.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

Tone = Literal["blue", "green", "amber", "red", "grey", "none"]
WIDTH = 24  # characters of a bar of full length


@dataclass(frozen=True, slots=True)
class Code:
    """A text of others, set apart from the words around it."""

    text: str


@dataclass(frozen=True, slots=True)
class Kind:
    """What a part of a bar stands for: its name, its colour, and its character where there are no colours."""

    name: str
    tone: Tone = "blue"
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


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its interval on an axis from 0 to 1, whose middle is marked; without an interval the value alone."""

    at: float
    low: float
    high: float
    kind: Kind = PLAIN

    def drawn(self, width: int = WIDTH) -> str:
        """It in characters: the axis as dots, the interval as a line, the value as a point."""
        first, point, last = (round(place * width) for place in (self.low, self.at, self.high))
        axis = ["│" if 2 * place == width else "─" if first <= place <= last else "·" for place in range(width + 1)]
        axis[point] = "●"
        return "".join(axis)


Cell = Line | Bar | Interval


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


@dataclass(frozen=True, slots=True)
class Radar:
    """Shares, 0 to 1, on axes in a circle, a ring for each kind. Where nothing can be drawn its figures are told."""

    axes: Sequence[str]
    rings: Sequence[tuple[Kind, Sequence[float]]]

    def point(self, axis: int, share: float) -> tuple[float, float]:
        """Where a share of an axis lies in a circle of radius 100 around 0; the first axis points up."""
        angle = 2 * math.pi * axis / len(self.axes)
        across, down = 100 * share * math.sin(angle), -100 * share * math.cos(angle)
        return round(across, 2) + 0.0, round(down, 2) + 0.0  # no -0.0

    @property
    def half(self) -> int:
        """Half the width of the circle with the names of its axes."""
        return max(150, 114 + 6 * max(len(axis) for axis in self.axes))

    def polygon(self, shares: Sequence[float]) -> str:
        """The points of a ring, as SVG takes them."""
        return " ".join(f"{x},{y}" for x, y in (self.point(axis, share) for axis, share in enumerate(shares)))

    @property
    def lines(self) -> list[str]:
        """It in words."""
        return [
            f"{kind.name}: {', '.join(f'{axis} {share:.2f}' for axis, share in zip(self.axes, shares, strict=True))}"
            for kind, shares in self.rings
        ]


LEVELS = "▁▂▃▄▅▆▇█"
FEW = 12  # points that are told one by one where nothing is drawn


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a place, with its interval or without one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """Values over places, a line for each kind. Where nothing can be drawn its figures are told.

    `across` and `up` say what the axes are. `log`: places are as far apart as their ratio says; they are above 0.
    `zero`: the axis of values has 0 on it.
    """

    across: str
    up: str
    rows: Sequence[tuple[Kind, Sequence[Point]]]
    log: bool = False
    zero: bool = True
    SIZE: ClassVar = (640, 250)  # of the drawing
    ROOM: ClassVar = (64, 10, 16, 40)  # left, top, right and below of what is drawn in

    @property
    def across_ends(self) -> tuple[float, float]:
        """The first and the last place, as they are drawn."""
        places = [self._drawn(one.x) for _, points in self.rows for one in points] or [0.0]
        return (min(places), max(places)) if min(places) < max(places) else (min(places) - 1, max(places) + 1)

    @property
    def up_ends(self) -> tuple[float, float]:
        """The lowest and the highest value, ends of intervals too."""
        found = [value for _, points in self.rows for one in points for value in (one.y, one.low, one.high)]
        values = [value for value in found if value is not None] + [0.0] * (self.zero or not found)
        return (min(values), max(values)) if min(values) < max(values) else (min(values) - 0.5, max(values) + 0.5)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where a value lies in the drawing."""
        (width, height), (left, top, right, below) = self.SIZE, self.ROOM
        (first, last), (low, high) = self.across_ends, self.up_ends
        across = left + (self._drawn(x) - first) / (last - first) * (width - left - right)
        down = height - below - (y - low) / (high - low) * (height - top - below)
        return round(across, 1), round(down, 1)

    def path(self, points: Sequence[Point]) -> str:
        """The points of a line, as SVG takes them."""
        return " ".join(f"{x},{y}" for x, y in (self.point(one.x, one.y) for one in points))

    @property
    def ticks_up(self) -> list[tuple[str, float]]:
        """Names of values, and how far down each lies."""
        (low, high), x = self.up_ends, self.rows[0][1][0].x if self.rows and self.rows[0][1] else 1.0
        return [(f"{value:,.4g}", self.point(x, value)[1]) for value in steps(low, high)]

    @property
    def ticks_across(self) -> list[tuple[str, float]]:
        """Names of places, and how far across each lies; of ratios those of the points."""
        first, last = self.across_ends
        own = sorted({one.x for _, points in self.rows for one in points})
        places = [*own[:: -(-len(own) // 8)]] if self.log and own else steps(first, last)
        return [(f"{place:,.6g}", self.point(place, self.up_ends[0])[0]) for place in places]

    @property
    def lines(self) -> list[str]:
        """It in words; a line of many points in characters, between its first and its last value."""
        return [f"{self.up}, {kind.name}: {self._told(points)}" for kind, points in self.rows if points]

    def _told(self, points: Sequence[Point]) -> str:
        if len(points) <= FEW:
            return ", ".join(f"{one.y:.4g} at {one.x:,.6g}" for one in points)
        values = [points[at * (len(points) - 1) // (WIDTH - 1)].y for at in range(WIDTH)]
        least, most = min(values), max(values)
        levels = (round((len(LEVELS) - 1) * (one - least) / (most - least)) if most > least else 0 for one in values)
        return f"{points[0].y:.4g} {''.join(LEVELS[one] for one in levels)} {points[-1].y:.4g}"

    def _drawn(self, x: float) -> float:
        return math.log(x) if self.log else x


def steps(low: float, high: float, count: int = 5) -> list[float]:
    """About so many round numbers between two, `low` below `high`."""
    raw = (high - low) / count
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= raw)
    return [round(place * step, 12) + 0.0 for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


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


Block = Chart | Figures | Legend | Lines | Quotes | Radar | Section | Table


@dataclass(frozen=True, slots=True)
class Page:
    """Blocks under a title, with a note on what they are."""

    title: Line
    note: Line
    blocks: Sequence[Block]
