"""What comparing recipes came to, as blocks: how far each lies from one of them, and curves by size."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from persona_assets.evaluation.conclusions import moved
from persona_assets.evaluation.figures import TITLES, Row, figure_of, signed_of, span
from persona_assets.evaluation.results import NATS
from persona_assets.view import blocks as view

_TONES: tuple[tuple[Any, str], ...] = (("blue", "█"), ("amber", "▓"), ("green", "▒"), ("red", "░"), ("grey", "·"))
_ROWS = "rows"  # the size that goes with every other one
_ALIKE = 1.1  # the ratio up to which two sizes are alike
_RATIO = 8  # from which sizes are drawn by their ratio
LIMITS = [
    "Intervals, at 95 %, are of the items, those of a page together, and of the seeds; the variance by seed is taken "
    "to be the same for all recipes. A recipe with one seed borrows it from the others.",
    "Of twenty differences without a cause, one is outside its interval by chance. Decide beforehand which one counts.",
    "A recipe that leaves rows out has fewer of them, unless others take their place, so two causes may be at work. At "
    "fixed epochs more rows are more steps too.",
]


@dataclass(frozen=True)
class Comparison:
    """What comparing recipes came to.

    `rows` are rows of `matrix.MATRIX`, `reference` the recipe that the others are compared with; `sizes` says of each
    recipe how large it is, by name, such as `{"rows": 4000, "personas": 800}`.
    """

    title: str
    reference: str
    rows: Sequence[Row]
    sizes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """It as JSON values."""
        return {
            "title": self.title,
            "reference": self.reference,
            "results": [dict(row) for row in self.rows],
            "sizes": {name: dict(size) for name, size in self.sizes.items()},
            "conclusions": [view.words(line) for line in conclusions(self)],
            "limits": LIMITS,
        }


def comparison_page(comparison: Comparison) -> view.Page:
    """A comparison's page."""
    return view.Page(
        ("Recipes compared: ", view.Code(comparison.title)),
        ("Models trained by each recipe, on the same items, beside those of ", view.Code(comparison.reference), "."),
        blocks(comparison),
    )


def blocks(comparison: Comparison) -> list[view.Block]:
    """What there is to see."""
    if not comparison.rows:
        return [view.Lines(["Nothing was compared yet."])]
    found: list[view.Block] = [view.Section("What may be concluded", [view.Lines(conclusions(comparison))])]
    for suite, measure in dict.fromkeys((row["suite"], row["measure"]) for row in comparison.rows):
        rows = [row for row in comparison.rows if (row["suite"], row["measure"]) == (suite, measure)]
        title = (view.Code(suite), f", {TITLES[measure]}")
        found.append(view.Section(title, [_table(rows, comparison.reference)]))
        for axis, places in _axes(comparison).items():
            found.append(view.Section((*title, f", by {axis}"), [_curve(rows, places, axis)]))
    return [*found, view.Section("What this can't show", [view.Lines(LIMITS)])]


def conclusions(comparison: Comparison) -> list[view.Line]:
    """How far each recipe lies from the reference, in a sentence each, over all languages."""
    found: list[view.Line] = []
    for row in comparison.rows:
        if row["of_language"] is None and row["minus_reference"] is not None:
            where: tuple[view.Span, ...] = (", ", view.Code(row["stratum"])) if row["stratum"] else ()
            ends = (row[f"minus_reference{end}"] for end in ("", "_low", "_high"))
            told = moved(row["measure"], comparison.reference, *ends)
            found.append((view.Code(row["suite"]), *where, ", ", view.Code(row["recipe"]), f": {told}."))
    if any(not row["seed_freedom"] for row in comparison.rows):
        found.append("No recipe has two seeds: what is due to the seed is unknown, and no interval holds it.")
    return found or ["There is one recipe, so nothing can be compared."]


def _table(rows: Sequence[Row], reference: str) -> view.Table:
    """A row for each recipe, the reference first, stratum by stratum and language by language."""
    figure, (signed, unit) = figure_of(rows[0]["measure"]), signed_of(rows[0]["measure"])
    ordered = sorted(rows, key=lambda row: (row["stratum"] or "", row["of_language"] or "", row["recipe"] != reference,
                                            row["recipe"]))  # fmt: skip
    known = [abs(row[name]) for row in ordered for name in _MINUS if row[name] is not None]
    end = max(known, default=1.0) or 1.0
    heads = [*view.whole("stratum", "language", "recipe"), *view.right("value", "95 %", "each seed")]
    heads += [*view.right(unit or "difference", "95 %"), *view.whole(f"{signed(-end)} to {signed(end)}")]
    drawn: list[list[view.Cell]] = []
    before: list[Any] = []
    for row in ordered:
        names = [row["stratum"], row["of_language"]]
        cells: list[view.Cell] = ["", ""] if names == before else [(view.Code(one),) if one else "all" for one in names]
        before = names
        cells += [view.Code(row["recipe"]), figure(row["value"]), span(row["low"], row["high"], figure)]
        drawn.append([*cells, ", ".join(map(figure, row["seed_values"])), *_difference(row, end, signed)])
    return view.Table(heads, drawn)


_MINUS = ("minus_reference", "minus_reference_low", "minus_reference_high")


def _difference(row: Row, end: float, figure: Callable[[float], str]) -> list[view.Cell]:
    value, low, high = (row[name] for name in _MINUS)
    if value is None:
        return ["", "", ""]
    at, first, last = ((1 + one / end) / 2 for one in (value, *(value if one is None else one for one in (low, high))))
    return [figure(value), span(low, high, figure), view.Interval(at, first, last)]


def _axes(comparison: Comparison) -> dict[str, dict[str, float]]:
    """The sizes in which recipes differ, each with the recipes that make a curve of it, and their places.

    Whatever differs, rows do; what is drawn over another size differs from the reference in none of the others.
    """
    sizes = comparison.sizes
    of_reference = sizes.get(comparison.reference, {})
    found: dict[str, dict[str, float]] = {}
    for axis in dict.fromkeys(name for size in sizes.values() for name in size):
        others = () if axis == _ROWS else [name for name in of_reference if name not in (axis, _ROWS)]
        places = {
            recipe: size[axis]
            for recipe, size in sizes.items()
            if axis in size and all(_alike(size.get(name, 0), of_reference[name]) for name in others)
        }
        if len(set(places.values())) > 1:
            found[axis] = places
    return found


def _alike(one: float, other: float) -> bool:
    return max(one, other) <= _ALIKE * min(one, other)


def _curve(rows: Sequence[Row], places: Mapping[str, float], axis: str) -> view.Chart:
    """Values over a size, over all languages; a line for each stratum. Recipes of one size stand above each other."""
    lines = []
    strata = list(dict.fromkeys(row["stratum"] for row in rows if row["of_language"] is None))
    for place, stratum in enumerate(strata):
        own = [row for row in rows if row["of_language"] is None and row["stratum"] == stratum]
        points = [view.Point(places[row["recipe"]], row["value"], row["low"], row["high"]) for row in own
                  if row["recipe"] in places]  # fmt: skip
        points.sort(key=lambda point: (point.x, point.y))
        lines.append((view.Kind(stratum or "all", *_TONES[place % len(_TONES)]), points))
    drawn = [point.x for _, points in lines for point in points]
    ratio = bool(drawn) and min(drawn) > 0 and max(drawn) / min(drawn) >= _RATIO
    measure = rows[0]["measure"]
    return view.Chart(axis, TITLES[measure], lines, log=ratio, zero=measure != NATS)
