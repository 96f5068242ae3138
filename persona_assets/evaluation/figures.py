"""Figures of evaluations as tables: what systems got, how far they lie apart, and how both are written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from persona_assets.evaluation.results import ACCURACY, CHANCE, COMMONEST, NATS, REWARD, SHARES
from persona_assets.evaluation.tables import BASE, TUNED
from persona_assets.view import blocks as view

Row = Mapping[str, Any]
KINDS = {
    TUNED: view.Kind("tuned", "blue", "█"),
    BASE: view.Kind("base", "grey", "▒"),
    COMMONEST: view.Kind("commonest answer", "amber", "░"),
    CHANCE: view.Kind("a coin", "amber", "░"),
}
_ORDER = {name: place for place, name in enumerate(KINDS)}
TITLES = {
    ACCURACY: "share that is right",
    REWARD: "share of pairs that the training moved apart",
    NATS: "nats per token, less is better",
}
MINUS = ("tuned_minus", "tuned_minus_low", "tuned_minus_high")


def legend(rows: Sequence[Row]) -> view.Legend:
    """The systems that there are, with their colours."""
    return view.Legend([KINDS[name] for name in _ORDER if any(row["system"] == name for row in rows)])


def _cells(rows: Sequence[Row]) -> list[Row]:
    """The rows by stratum and language, all of them first, each system in its order."""
    return sorted(rows, key=lambda row: (row["stratum"] or "", row["of_language"] or "", _ORDER.get(row["system"], 9)))


def _where(row: Row, before: Row | None) -> list[view.Cell]:
    """Stratum and language, where they are others than in the row before."""
    names = [row[name] for name in ("stratum", "of_language")]
    if before and names == [before[name] for name in ("stratum", "of_language")]:
        return ["", ""]
    return [(view.Code(name),) if name else "all" for name in names]


def values(rows: Sequence[Row]) -> view.Table:
    """What each system got, stratum by stratum and language by language, with its interval drawn."""
    ordered = [row for row in _cells(rows) if row["value"] is not None]
    figure = figure_of(ordered[0]["measure"]) if ordered else str
    top = _top(ordered)
    heads = [*view.whole("stratum", "language", "system"), *view.right("value", "95 %", "items", "families", "seeds")]
    without = _without(ordered)
    heads += view.right(*without)
    drawn: list[list[view.Cell]] = []
    for row, before in zip(ordered, [None, *ordered], strict=False):
        cells: list[view.Cell] = [*_where(row, before), (KINDS.get(row["system"]) or view.Code(row["system"]),)]
        cells += [figure(row["value"]), span(row["low"], row["high"], figure), f"{row['items']:,}"]
        cells += [f"{row['families']:,}", f"{row['seeds']}" if row["seeds"] else ""]
        asked = row["system"] in (BASE, TUNED)
        cells += [f"{sum(row[name] for name in names):,}" if asked else "" for names in without.values()]
        ends = [row["value"] if row[name] is None else row[name] for name in ("low", "high")]
        at, low, high = ((value - top[0]) / (top[1] - top[0]) for value in (row["value"], *ends))
        drawn.append([*cells, view.Interval(at, low, high, KINDS.get(row["system"], view.PLAIN))])
    return view.Table([*heads, *view.whole(f"{figure(top[0])} to {figure(top[1])}")], drawn)


def _without(rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    """What is counted of answers without a value, by its head; of texts that are scored, only what there is."""
    counted = {"unreadable": ("unreadable", "timed_out"), "no answer": ("unanswered",)}
    if any(row["measure"] == ACCURACY for row in rows):
        return counted
    return {head: names for head, names in counted.items() if any(row[name] for row in rows for name in names)}


def _top(rows: Sequence[Row]) -> tuple[float, float]:
    """The ends of the axis: all there is of shares, else what the rows reach, from 0 where none is below."""
    if not rows or rows[0]["measure"] in SHARES:
        return 0.0, 1.0
    reached = [row[name] for row in rows for name in ("value", "low", "high") if row[name] is not None]
    low, high = min(0.0, *reached), max(reached)
    return (low, high) if high > low else (low, low + 1)


def apart(rows: Sequence[Row]) -> list[view.Block]:
    """How far tuned lies above each other system, drawn around 0."""
    ordered = [row for row in _cells(rows) if row["tuned_minus"] is not None]
    if not ordered:
        return []
    end = max(abs(row[name]) for row in ordered for name in MINUS if row[name] is not None) or 1.0
    figure, unit = signed_of(ordered[0]["measure"])
    tested = any(row["p"] is not None for row in ordered)
    heads = [*view.whole("stratum", "language", "tuned minus"), *view.right(unit or "difference", "95 %")]
    heads += view.right("gained", "lost", "McNemar's p") if tested else []
    drawn: list[list[view.Cell]] = []
    for row, before in zip(ordered, [None, *ordered], strict=False):
        cells: list[view.Cell] = [*_where(row, before), (KINDS.get(row["system"]) or view.Code(row["system"]),)]
        ends = [row["tuned_minus"] if row[name] is None else row[name] for name in MINUS[1:]]
        cells += [figure(row["tuned_minus"]), span(row[MINUS[1]], row[MINUS[2]], figure)]
        if tested:
            known = row["p"] is not None
            cells += [f"{row['gained']:,}", f"{row['lost']:,}", _p(row["p"])] if known else ["", "", ""]
        at, low, high = ((1 + value / end) / 2 for value in (row["tuned_minus"], *ends))
        drawn.append([*cells, view.Interval(at, low, high, KINDS.get(row["system"], view.PLAIN))])
    return [view.Table([*heads, *view.whole(f"{figure(-end)} to {figure(end)}")], drawn)]


def figure_of(measure: str) -> Callable[[float], str]:
    """How a value of a measure is written."""
    return (lambda value: f"{value:.1%}") if measure in SHARES else (lambda value: f"{value:.3f}")


def signed_of(measure: str) -> tuple[Callable[[float], str], str]:
    """How a difference of a measure is written, and its unit."""
    return (lambda value: f"{100 * value:+.1f}", "points") if measure in SHARES else (lambda value: f"{value:+.3f}", "")


def span(low: float | None, high: float | None, figure: Callable[[float], str]) -> str:
    """An interval; "" where there is none."""
    return "" if low is None or high is None else f"{figure(low)} to {figure(high)}"


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"
