"""What an evaluation came to, as blocks: figures with intervals, what may be concluded, examples, what is not shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from persona_assets.evaluation.changes import Change, quoted
from persona_assets.evaluation.conclusions import LIMITS, conclusions
from persona_assets.evaluation.figures import KINDS, TITLES, Row, apart, figure_of, legend, values
from persona_assets.evaluation.grades import VERDICT_NAMES
from persona_assets.evaluation.tables import BASE, TUNED
from persona_assets.view import blocks as view
from persona_assets.view.safe import one_line

_TONES: tuple[tuple[Any, str], ...] = (("green", "█"), ("red", "░"), ("amber", "▒"), ("grey", "▓"), ("none", "·"))
VERDICTS = {name: view.Kind(name.replace("_", " "), *tone) for name, tone in zip(VERDICT_NAMES, _TONES, strict=True)}


@dataclass(frozen=True)
class Evaluation:
    """What a recipe's evaluation came to.

    `rows` are rows of `results.RESULTS`; `facts` are names and values of what was evaluated and against what, such as
    base, rows trained on and seeds; `changes` are examples, `charts` drawings with titles, such as losses by step.
    """

    recipe: str
    rows: Sequence[Row]
    facts: Sequence[tuple[view.Line, view.Line]] = ()
    changes: Sequence[Change] = ()
    charts: Sequence[tuple[view.Line, view.Chart]] = ()

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
        found.append(view.Section(title, [legend(rows), values(rows), *apart(rows)]))
    found += [view.Section(title, [chart]) for title, chart in evaluation.charts]
    if evaluation.changes:
        found.append(view.Section("Answers that changed", [quoted(one) for one in evaluation.changes]))
    return [*found, view.Section("What this can't show", [view.Lines(LIMITS)])]


def results_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at in rows of results: the figures of each suite, and how far tuned lies above."""
    told = rows.to_dicts()
    found: list[view.Block] = []
    for suite, measure in _measures(told):
        own = [row for row in told if (row["suite"], row["measure"]) == (suite, measure)]
        found.append(view.Section((view.Code(suite), f", {TITLES[measure]}"), [values(own), *apart(own)]))
    return [*found, view.Section("What may be concluded", [view.Lines(conclusions(told))])]


def grades_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at in rows of grades: verdicts by suite, stratum, system and seed, where there are some."""
    of = ("suite", "stratum", "system", "seed")
    counts = (
        rows.drop_nulls("verdict")
        .group_by(*of)
        .agg(pl.len(), *(pl.col("verdict").eq(name).sum().alias(name) for name in VERDICTS))
        .sort(of, nulls_last=True)
    )
    if not counts.height:
        return []
    drawn: list[list[view.Cell]] = []
    for row in counts.iter_rows(named=True):
        cells: list[view.Cell] = [view.Code(row["suite"]), view.Code(row["stratum"] or "")]
        cells += [
            (KINDS.get(row["system"]) or view.Code(row["system"]),),
            "" if row["seed"] is None else f"{row['seed']}",
        ]
        cells += [f"{row[name]:,}" for name in VERDICTS]
        drawn.append([*cells, view.bar(row["len"], *((kind, row[name]) for name, kind in VERDICTS.items()))])
    heads = [*view.whole("suite", "stratum", "system"), *view.right("seed", *(kind.name for kind in VERDICTS.values()))]
    return [view.Legend([*VERDICTS.values()]), view.Table([*heads, *view.whole("")], drawn)]


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
