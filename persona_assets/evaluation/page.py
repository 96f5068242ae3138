"""What an evaluation came to, as blocks: figures with intervals, what may be concluded, examples, what is not shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from persona_assets.evaluation.grades import BASE, TUNED
from persona_assets.evaluation.results import ACCURACY, CHANCE, COMMONEST, EXPECTED, NATS, REWARD, SHARES
from persona_assets.ids import digest
from persona_assets.view import blocks as view
from persona_assets.view.safe import one_line

Row = Mapping[str, Any]
EXAMPLES = 2  # of each direction, suite and stratum
SHOWN = 400  # characters of a quoted text
KINDS = {
    TUNED: view.Kind("tuned", "blue", "█"),
    BASE: view.Kind("base", "grey", "▒"),
    COMMONEST: view.Kind("always the commonest answer", "amber", "░"),
    CHANCE: view.Kind("a coin", "amber", "░"),
}
_ORDER = {name: place for place, name in enumerate(KINDS)}
TITLES = {
    ACCURACY: "share that is right",
    REWARD: "share of pairs that the training moved apart",
    NATS: "nats per token, less is better",
    EXPECTED: "number to expect",
}
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


@dataclass(frozen=True, slots=True)
class Change:
    """An item whose answer changed: texts of others, and whether it is right now or was before."""

    suite: str
    stratum: str
    gained: bool
    item_id: str
    asked: str
    gold: str
    before: str
    after: str


@dataclass(frozen=True)
class Evaluation:
    """What a recipe's evaluation came to.

    `rows` are rows of `results.RESULTS`; `facts` are names and values of what was evaluated and against what, such as
    base, rows trained on and seeds; `changes` are examples.
    """

    recipe: str
    rows: Sequence[Row]
    facts: Sequence[tuple[view.Line, view.Line]] = ()
    changes: Sequence[Change] = ()
    charts: Sequence[tuple[view.Line, view.Chart]] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """It as JSON values, without ids."""
        return {
            "recipe": self.recipe,
            "facts": {view.words(name): view.words(value) for name, value in self.facts},
            "results": [{key: value for key, value in row.items() if key != "parent_ids"} for row in self.rows],
            "conclusions": [view.words(line) for line in conclusions(self.rows)],
            "changes": [{name: getattr(one, name) for name in Change.__slots__} for one in self.changes],
            "limits": LIMITS,
        }


def changes(grades: pl.DataFrame, answers: pl.DataFrame, most: int = EXAMPLES) -> list[Change]:
    """Items that one of base and tuned gets right and the other wrong: some of each suite, stratum and direction.

    `grades` has the columns of `grades.GRADES`, `answers` has item_id, suite, system, seed, prompt and answer. Of
    several seeds the first counts. Which items are shown follows from their ids alone.
    """
    first = (
        grades.join(answers.select("suite", "item_id", "system", "seed", "prompt", "answer"),
                    on=("suite", "item_id", "system", "seed"), nulls_equal=True)
        .sort("suite", "item_id", "system", "seed", nulls_last=True)
        .unique(("suite", "item_id", "system"), keep="first", maintain_order=True)
    )  # fmt: skip
    before, after = (first.filter(pl.col("system") == name) for name in (BASE, TUNED))
    told = before.join(after.select("suite", "item_id", "value", "answer"), on=("suite", "item_id"), suffix="_after")
    moved = told.filter((pl.col("value") != pl.col("value_after")) & (pl.col("verdict").is_not_null()))
    found = []
    for (suite, stratum, gained), own in sorted(
        moved.with_columns(stratum=pl.col("stratum").fill_null(""), gained=pl.col("value_after") > pl.col("value"))
        .group_by("suite", "stratum", "gained"),
        key=lambda one: (str(one[0][0]), str(one[0][1]), not one[0][2]),
    ):  # fmt: skip
        some = sorted(own.iter_rows(named=True), key=lambda row: digest(row["item_id"].encode()))[:most]
        found += [
            Change(str(suite), str(stratum), bool(gained), row["item_id"], row["prompt"] or "", row["gold"] or "",
                   row["answer"] or "", row["answer_after"] or "")
            for row in some
        ]  # fmt: skip
    return found


def evaluation_page(evaluation: Evaluation) -> view.Page:
    """An evaluation's page."""
    return view.Page(
        ("Evaluation: ", view.Code(evaluation.recipe)),
        "Base and tuned models on the same items, which neither was trained on.",
        blocks(evaluation),
    )


def blocks(evaluation: Evaluation) -> list[view.Block]:
    """What there is to see."""
    if not evaluation.rows:
        return [view.Lines(["Nothing was evaluated yet."])]
    found: list[view.Block] = [_headline(evaluation.rows)]
    if evaluation.facts:
        found.append(view.Section("What was evaluated", [view.facts(evaluation.facts)]))
    found.append(view.Section("What may be concluded", [view.Lines(conclusions(evaluation.rows))]))
    for suite, measure in _measures(evaluation.rows):
        rows = [row for row in evaluation.rows if (row["suite"], row["measure"]) == (suite, measure)]
        title = (view.Code(suite), f", {TITLES[measure]}")
        found.append(view.Section(title, [_legend(rows), values(rows), *_apart(rows)]))
    found += [view.Section(title, [chart]) for title, chart in evaluation.charts]
    if evaluation.changes:
        found.append(view.Section("Answers that changed", [_quoted(one) for one in evaluation.changes]))
    return [*found, view.Section("What this can't show", [view.Lines(LIMITS)])]


def results_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at in rows of results: the figures of each suite, and how far tuned lies above."""
    told = rows.to_dicts()
    found: list[view.Block] = []
    for suite, measure in _measures(told):
        own = [row for row in told if (row["suite"], row["measure"]) == (suite, measure)]
        found.append(view.Section((view.Code(suite), f", {TITLES[measure]}"), [values(own), *_apart(own)]))
    return [*found, view.Section("What may be concluded", [view.Lines(conclusions(told))])]


def conclusions(rows: Sequence[Row]) -> list[view.Line]:
    """What may and may not be said of each suite and stratum, in sentences, over all languages."""
    found: list[view.Line] = []
    for row in rows:
        if row["system"] == BASE and row["of_language"] is None and row["tuned_minus"] is not None:
            found.append(_concluded(row, rows))
        elif row["measure"] == REWARD and row["system"] == CHANCE and row["of_language"] is None:
            found.append((*_named(row), ": ", _against(row, "a coin"), "."))
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
    return moved(row["measure"], other, *(row[name] for name in _MINUS))


def moved(measure: str, other: str, value: float, low: float | None, high: float | None) -> str:
    """How far a system lies from another one by a measure, as far as the interval says, in words."""
    figure, unit = signed_of(measure)
    unit = " nats a token" if measure == NATS else f" {unit}" if unit else ""
    if low is None or high is None:
        return f"{figure(value)}{unit} from {other}, of too few pages to say how sure that is"
    if low > 0 or high < 0:
        better = (low > 0) != (measure == NATS)
        word = "" if measure == EXPECTED else ", better" if better else ", worse"
        return f"{figure(value)}{unit} from {other}{word} (95 %: {figure(low)} to {figure(high)})"
    return f"no difference from {other} can be told (95 %: {figure(low)} to {figure(high)}{unit})"


def _named(row: Row) -> tuple[view.Span, ...]:
    return (view.Code(row["suite"]), *((", ", view.Code(row["stratum"])) if row["stratum"] else ()))


def _measures(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row["suite"], row["measure"]) for row in rows))


def _headline(rows: Sequence[Row]) -> view.Figures:
    """By suite and measure what tuned got, and base beside it."""
    whole = [row for row in rows if row["stratum"] is None and row["of_language"] is None]
    found = []
    for row in whole:
        if row["system"] == TUNED and row["value"] is not None:
            base = next((one for one in whole if one["system"] == BASE and one["suite"] == row["suite"]
                         and one["measure"] == row["measure"] and one["value"] is not None), None)  # fmt: skip
            figure = figure_of(row["measure"])
            note = f"base {figure(base['value'])}" if base else TITLES[row["measure"]]
            found.append((one_line(row["suite"], 30), figure(row["value"]), note))
    return view.Figures(found)


def _legend(rows: Sequence[Row]) -> view.Legend:
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
    heads += view.right("not readable", "no answer")
    drawn: list[list[view.Cell]] = []
    for row, before in zip(ordered, [None, *ordered], strict=False):
        cells: list[view.Cell] = [*_where(row, before), (KINDS.get(row["system"]) or view.Code(row["system"]),)]
        cells += [figure(row["value"]), span(row["low"], row["high"], figure), f"{row['items']:,}"]
        cells += [f"{row['families']:,}", f"{row['seeds']}" if row["seeds"] else ""]
        asked = row["system"] in (BASE, TUNED)
        cells += [
            f"{row['unreadable'] + row['timed_out']:,}" if asked else "",
            f"{row['unanswered']:,}" if asked else "",
        ]
        ends = [row["value"] if row[name] is None else row[name] for name in ("low", "high")]
        at, low, high = ((value - top[0]) / (top[1] - top[0]) for value in (row["value"], *ends))
        drawn.append([*cells, view.Interval(at, low, high, KINDS.get(row["system"], view.PLAIN))])
    return view.Table([*heads, *view.whole(f"{figure(top[0])} to {figure(top[1])}")], drawn)


def _top(rows: Sequence[Row]) -> tuple[float, float]:
    """The ends of the axis: all there is of shares, else what the rows reach, from 0 where none is below."""
    if not rows or rows[0]["measure"] in SHARES:
        return 0.0, 1.0
    reached = [row[name] for row in rows for name in ("value", "low", "high") if row[name] is not None]
    low, high = min(0.0, *reached), max(reached)
    return (low, high) if high > low else (low, low + 1)


def _apart(rows: Sequence[Row]) -> list[view.Block]:
    """How far tuned lies above each other system, drawn around 0."""
    ordered = [row for row in _cells(rows) if row["tuned_minus"] is not None]
    if not ordered:
        return []
    end = max(abs(row[name]) for row in ordered for name in _MINUS if row[name] is not None) or 1.0
    figure, unit = signed_of(ordered[0]["measure"])
    tested = any(row["p"] is not None for row in ordered)
    heads = [*view.whole("stratum", "language", "tuned minus"), *view.right(unit or "difference", "95 %")]
    heads += view.right("gained", "lost", "McNemar's p") if tested else []
    drawn: list[list[view.Cell]] = []
    for row, before in zip(ordered, [None, *ordered], strict=False):
        cells: list[view.Cell] = [*_where(row, before), (KINDS.get(row["system"]) or view.Code(row["system"]),)]
        ends = [row["tuned_minus"] if row[name] is None else row[name] for name in _MINUS[1:]]
        cells += [figure(row["tuned_minus"]), span(row[_MINUS[1]], row[_MINUS[2]], figure)]
        if tested:
            known = row["p"] is not None
            cells += [f"{row['gained']:,}", f"{row['lost']:,}", _p(row["p"])] if known else ["", "", ""]
        at, low, high = ((1 + value / end) / 2 for value in (row["tuned_minus"], *ends))
        drawn.append([*cells, view.Interval(at, low, high, KINDS.get(row["system"], view.PLAIN))])
    return [view.Table([*heads, *view.whole(f"{figure(-end)} to {figure(end)}")], drawn)]


_MINUS = ("tuned_minus", "tuned_minus_low", "tuned_minus_high")


def _quoted(one: Change) -> view.Quotes:
    moved = "wrong to right" if one.gained else "right to wrong"
    where: view.Line = (view.Code(one.suite), *((", ", view.Code(one.stratum)) if one.stratum else ()), f": {moved}")
    quotes = [view.Quote("asked", [(_cut(one.asked), False)])]
    quotes += [view.Quote("right answer", [(_cut(one.gold), False)])] if one.gold else []
    quotes += [view.Quote("base", [(_cut(one.before), False)], kept=not one.gained)]
    return view.Quotes(where, [*quotes, view.Quote("tuned", [(_cut(one.after), False)], kept=one.gained)])


def _cut(text: str) -> str:
    return one_line(text, SHOWN) or "(nothing)"


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
