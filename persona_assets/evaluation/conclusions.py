"""What may be concluded from figures, in sentences, and what can not."""

from collections.abc import Sequence

from persona_assets.evaluation.figures import MINUS, Row, figure_of, signed_of
from persona_assets.evaluation.results import CHANCE, COMMONEST, NATS, REWARD
from persona_assets.evaluation.tables import BASE, TUNED
from persona_assets.view import blocks as view

LIMITS = [
    "Intervals, at 95 %, are of the items that were asked, those of a page together, and of the training seeds. They "
    "say nothing of problems of another kind, nor of another model trained on the same rows.",
    "What the held-out items share with the rows that were trained on, a model may know by heart: words, kinds of "
    "problem, numbers. Only a stratum in which these are new shows more than that, and only as far as they are new.",
    "A base that was never trained gets next to nothing whatever the rows are. That the tuned model is above it shows "
    "that training works, not that these rows are good: for that compare recipes, with three seeds and more.",
    "Of twenty differences without a cause, one is outside its interval by chance. Decide beforehand which one counts.",
    "McNemar's p takes items for independent of each other. Where a page has several, go by the interval.",
]


def conclusions(rows: Sequence[Row]) -> list[view.Line]:
    """What may and may not be said of each suite and stratum, in sentences, over all languages."""
    found: list[view.Line] = []
    for row in rows:
        if row["system"] == BASE and row["of_language"] is None and row["tuned_minus"] is not None:
            found.append(_concluded(row, rows))
        elif row["measure"] == REWARD and row["system"] == CHANCE and row["of_language"] is None:
            moved_apart = f": the training moved {row['value'] + row['tuned_minus']:.1%} of the pairs apart; "
            found.append((*_named(row), moved_apart, _against(row, "a coin"), "."))
    if any(row["system"] == TUNED and row["seeds"] < 2 for row in rows):
        found.append(
            "One seed was trained: this is about these weights. Whether the recipe makes such models needs three."
        )
    return found or ["There is nothing that two systems both answered, so nothing can be concluded."]


def _concluded(row: Row, rows: Sequence[Row]) -> view.Line:
    alike = [one for one in rows if all(one[name] == row[name] for name in ("suite", "measure", "stratum"))]
    beside = {one["system"]: one for one in alike if one["of_language"] is None}
    tuned = beside[TUNED]
    figure = figure_of(row["measure"])
    said: view.Line = (*_named(row), f": tuned {figure(tuned['value'])}, base {figure(row['value'])}; ")
    said = (*view.spans(said), _against(row, "base"), ".")
    baseline = beside.get(COMMONEST)
    if baseline and baseline["tuned_minus"] is not None:
        always = f"always giving the commonest answer ({figure(baseline['value'])})"
        above = baseline["tuned_minus_low"] is not None and baseline["tuned_minus_low"] > 0
        more = f" It is more than {always} would get." if above else f" It is not shown to be more than {always}."
        said = (*said, more)
    return said


def _against(row: Row, other: str) -> str:
    return moved(row["measure"], other, *(row[name] for name in MINUS))


def moved(measure: str, other: str, value: float, low: float | None, high: float | None) -> str:
    """How far a system lies from another one by a measure, as far as the interval says, in words."""
    figure, unit = signed_of(measure)
    unit = " nats a token" if measure == NATS else f" {unit}" if unit else ""
    if low is None or high is None:
        return f"{figure(value)}{unit} from {other}, of too few pages to say how sure that is"
    if low > 0 or high < 0:
        better = (low > 0) != (measure == NATS)
        word = "better" if better else "worse"
        return f"{figure(value)}{unit} from {other}, {word} (95 %: {figure(low)} to {figure(high)})"
    return f"no difference from {other} can be told (95 %: {figure(low)} to {figure(high)}{unit})"


def _named(row: Row) -> tuple[view.Span, ...]:
    return (view.Code(row["suite"]), *((", ", view.Code(row["stratum"])) if row["stratum"] else ()))
