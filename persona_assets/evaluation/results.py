"""Grades as figures: for each suite, stratum, language and measure what each system got, and how far the tuned one is.

| system | is |
| --- | --- |
| `tuned` | the models of a recipe, a seed each; their figure is the mean over seeds |
| `base` | what they were trained from, on the same items |
| `commonest` | somebody who always gives the commonest answer of an item's kind, of the rows that were trained on |
| `chance` | somebody who tosses a coin |

Every row but that of `tuned` says how far `tuned` lies above it, over the items that both have.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.evaluation import statistics
from persona_assets.evaluation.measured import Measured
from persona_assets.evaluation.statistics import Estimate
from persona_assets.evaluation.tables import BASE, CONSTRAINTS, LOSS, MATHS, PREFERENCE, TUNED
from persona_assets.votes.plain import plain_answer

COMMONEST, CHANCE = "commonest", "chance"
ACCURACY, NATS, REWARD = "accuracy", "nats_per_token", "reward_accuracy"
MEASURES = {MATHS: ACCURACY, CONSTRAINTS: ACCURACY, PREFERENCE: ACCURACY, LOSS: NATS}
SHARES = (ACCURACY, REWARD)  # measures whose values are 0 or 1

RESULTS: dict[str, Any] = {
    "suite": pl.String,
    "kind": pl.String,
    "measure": pl.String,
    "stratum": pl.String,  # null: all
    "of_language": pl.String,  # null: all
    "system": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "tuned_minus": pl.Float64,
    "tuned_minus_low": pl.Float64,
    "tuned_minus_high": pl.Float64,
    "gained": pl.Int64,
    "lost": pl.Int64,
    "p": pl.Float64,
    "items": pl.Int64,
    "families": pl.Int64,
    "seeds": pl.Int64,
    "unanswered": pl.Int64,
    "unreadable": pl.Int64,
    "timed_out": pl.Int64,
}
NULLABLE = (
    *("stratum", "of_language", "value", "low", "high", "tuned_minus", "tuned_minus_low", "tuned_minus_high"),
    *("gained", "lost", "p"),
)
DIGITS = 9  # after the point: another machine adds up in other portions
_COUNTED = ("unanswered", "unreadable", "timed_out")


@dataclass(frozen=True, eq=False)
class Sheet:
    """The items (n,) of a suite, ordered, and what each system got: values (n, seeds), NaN where there is nothing.

    `items` has item_id, stratum, problem_kind, language, gold, rote, family; `counts` by system how many answers of
    each item (n, 3) had the verdicts of `_COUNTED`; `seeds` the seeds of each system's columns.
    """

    items: pl.DataFrame
    values: dict[str, NDArray[np.float64]]
    margins: dict[str, NDArray[np.float64]]
    weights: dict[str, NDArray[np.float64]]
    counts: dict[str, NDArray[np.int64]]
    seeds: dict[str, Sequence[int | None]]
    families: NDArray[np.int64]

    @property
    def paired(self) -> bool:
        """Whether base and tuned have the same seeds, so that each seed has a base of its own."""
        return len(self.seeds.get(BASE, ())) > 1 and self.seeds.get(BASE) == self.seeds.get(TUNED)

    def measured(self, values: NDArray[np.float64], system: str = "") -> Measured:
        """Values with the weights of a system, or of one weight."""
        return Measured.of(values, self.families, self.weights.get(system))


def sheet_of(grades: pl.DataFrame) -> Sheet:
    """The grades of one suite and kind by item and system."""
    ordered = grades.sort("family", "item_id", "system", "seed", nulls_last=True)
    items = ordered.select("item_id", "stratum", "problem_kind", "language", "gold", "rote", "family").unique(
        "item_id", keep="first", maintain_order=True
    )
    place = items.select("item_id").with_row_index("place")
    rows = ordered.join(place, on="item_id", how="left")
    values: dict[str, NDArray[np.float64]] = {}
    margins: dict[str, NDArray[np.float64]] = {}
    weights: dict[str, NDArray[np.float64]] = {}
    counts: dict[str, NDArray[np.int64]] = {}
    seeds: dict[str, Sequence[int | None]] = {}
    for (system,), own in sorted(rows.group_by("system"), key=lambda one: str(one[0][0])):
        known = own["seed"].unique(maintain_order=False).sort(nulls_last=True).to_list()
        column = own["seed"].replace_strict(known, range(len(known)), return_dtype=pl.Int64).to_numpy()
        at = own["place"].to_numpy(), column
        name = str(system)
        seeds[name] = known
        for table, of in ((values, "value"), (margins, "margin"), (weights, "weight")):
            table[name] = np.full((items.height, len(known)), np.nan)
            table[name][at] = own[of].cast(pl.Float64).fill_null(np.nan).to_numpy()
        counts[name] = np.zeros((items.height, len(_COUNTED)), np.int64)
        for number, verdict in enumerate(_COUNTED):
            np.add.at(counts[name][:, number], at[0], (own["verdict"] == verdict).fill_null(value=False).to_numpy())
    families = items["family"].rank("dense").cast(pl.Int64).to_numpy() - 1
    return Sheet(items, values, margins, weights, counts, seeds, families)


def results(grades: pl.DataFrame) -> pl.DataFrame:
    """The figures with the columns of `RESULTS`, in the order of suites, measures, strata, languages and systems.

    `grades` has the columns of `tables.GRADES`; where it has a `sample_id` too, `parent_ids` are those of the rows that
    a figure is of. `p` is McNemar's of `tuned` and `base`, where there is one seed. Of several seeds nothing is gained
    or lost item by item.
    """
    with_ids = "sample_id" in grades.columns
    schema = RESULTS | ({"parent_ids": pl.List(pl.String)} if with_ids else {})
    rows = []
    for (suite, kind), own in sorted(grades.group_by("suite", "kind"), key=lambda one: tuple(map(str, one[0]))):
        sheet = sheet_of(own)
        measured = list(_systems(sheet, str(kind)))
        for stratum, language, kept in cells(sheet.items):
            cell = {"suite": suite, "kind": kind, "stratum": stratum, "of_language": language}
            ids = _ids(own, stratum, language) if with_ids else {}
            for measure, systems in measured:
                rows += [{**cell, **row, **ids} for row in _rows(sheet, measure, systems, kept)]
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col(pl.Float64).round(DIGITS))


def cells(items: pl.DataFrame) -> Iterator[tuple[str | None, str | None, NDArray[np.bool_]]]:
    """All items, then those of each stratum, of each language, and of both; a single stratum or language is all."""
    strata, languages = (items[name].drop_nulls().unique().sort().to_list() for name in ("stratum", "language"))
    parted = items["stratum"].null_count() > 0 and len(strata) > 0
    whole: list[str | None] = [None]
    for stratum in [*whole, *(strata if len(strata) > 1 or parted else [])]:
        for language in [*whole, *(languages if len(languages) > 1 else [])]:
            kept = np.ones(items.height, bool)
            for name, wanted in (("stratum", stratum), ("language", language)):
                if wanted is not None:
                    kept &= (items[name] == wanted).fill_null(value=False).to_numpy()
            if kept.any():
                yield stratum, language, kept


def _ids(grades: pl.DataFrame, stratum: str | None, language: str | None) -> dict[str, list[str]]:
    wanted = {name: one for name, one in (("stratum", stratum), ("language", language)) if one is not None}
    found = grades.filter(**wanted) if wanted else grades
    return {"parent_ids": found["sample_id"].sort().to_list()}


def _systems(sheet: Sheet, kind: str) -> Iterator[tuple[str, dict[str, Measured]]]:
    """The measures of a kind of suite, with what each system got by it."""
    systems = {name: sheet.measured(values, name) for name, values in sorted(sheet.values.items())}
    if kind == MATHS:
        systems[COMMONEST] = sheet.measured(_commonest(sheet.items))
    if kind == PREFERENCE:
        systems[CHANCE] = sheet.measured(np.full(sheet.items.height, 0.5))
    yield MEASURES[kind], systems
    if kind == PREFERENCE and BASE in sheet.margins and TUNED in sheet.margins:
        yield REWARD, _rewards(sheet) | {CHANCE: systems[CHANCE]}


def _commonest(items: pl.DataFrame) -> NDArray[np.float64]:
    """Who gets an item right by its kind alone.

    Where nothing is known of the rows that were trained on, the commonest of these very items counts, by kind or else
    by stratum: of few items that is more than such a guess gets on others.
    """
    rote, told = items.select("rote", "language").rows(), items.select("gold", "language").rows()
    known = {one: plain_answer(one[0] or "", one[1] or "en") or one[0] for one in {*rote, *told}}
    golds = [known[one] for one in told]
    if items["rote"].is_not_null().any():
        return np.array([float(known[one] == gold) for one, gold in zip(rote, golds, strict=True)])
    groups = items.select(pl.coalesce("problem_kind", "stratum", pl.lit(""))).to_series().to_list()
    return statistics.commonest([gold or "" for gold in golds], groups)


def _rewards(sheet: Sheet) -> dict[str, Measured]:
    """Whether the training made the chosen text more probable, compared with the rejected one, than it was before.

    This is what DPO trains for, and calls the accuracy of its rewards: 1 where the margin has grown, else 0.
    """
    before, after = sheet.margins[BASE], sheet.margins[TUNED]
    start = before if sheet.paired else np.repeat(_row_means(before)[:, None], after.shape[1], axis=1)
    grown = np.where(np.isnan(after) | np.isnan(start), np.nan, (after > start).astype(np.float64))
    return {TUNED: sheet.measured(grown)}


def _row_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    there = ~np.isnan(values)
    total = np.where(there, values, 0.0).sum(axis=1)
    found: NDArray[np.float64] = np.divide(
        total, there.sum(axis=1), out=np.full(len(values), np.nan), where=there.any(axis=1)
    )
    return found


def _rows(
    sheet: Sheet, measure: str, systems: dict[str, Measured], kept: NDArray[np.bool_]
) -> Iterator[dict[str, Any]]:
    """The rows of one cell and measure, one of each system."""
    shares = measure in SHARES
    cell = {name: system.where(kept) for name, system in systems.items()}
    tuned = cell.get(TUNED)
    for name, system in cell.items():
        there, counted = system.there, sheet.counts.get(name)
        row: dict[str, Any] = {"measure": measure, "system": name}
        row |= _ends("", _estimated(system, name, shares=shares))
        row |= {"items": int(there.sum()), "families": len(np.unique(system.families[there]))}
        row |= {"seeds": sum(seed is not None for seed in sheet.seeds.get(name, ()))}
        totals = counted[kept].sum(axis=0).tolist() if counted is not None else [0] * len(_COUNTED)
        row |= dict(zip(_COUNTED, totals, strict=True))
        if tuned is not None and name != TUNED:
            row |= _ends("tuned_minus", _apart(tuned, system, name, shares=shares, paired=sheet.paired))
            row |= _changes(tuned, system) if shares and name == BASE else {}
        yield row


def _estimated(system: Measured, name: str, *, shares: bool) -> Estimate:
    if name == CHANCE:
        return Estimate(0.5)
    return statistics.share(system) if shares else statistics.mean(system)


def _apart(tuned: Measured, system: Measured, name: str, *, shares: bool, paired: bool) -> Estimate:
    if name == CHANCE:  # which varies with nothing
        found = statistics.share(tuned)
        low, high = (None if end is None else end - 0.5 for end in (found.low, found.high))
        return Estimate(found.value - 0.5, low, high)
    return statistics.difference(tuned, system, shares=shares, paired=paired and name == BASE)


def _changes(tuned: Measured, base: Measured) -> dict[str, Any]:
    """How many items went right and wrong, and McNemar's p; of a single seed alone."""
    if tuned.values.shape[1] != 1 or base.values.shape[1] != 1:
        return {}
    after, before = tuned.values[:, 0], base.values[:, 0]
    gained, lost = int(((before == 0) & (after == 1)).sum()), int(((before == 1) & (after == 0)).sum())
    return {"gained": gained, "lost": lost, "p": statistics.mcnemar(gained, lost)}


def _ends(name: str, found: Estimate) -> dict[str, float | None]:
    value = None if np.isnan(found.value) else found.value
    start = f"{name}_" if name else ""
    return {name or "value": value, f"{start}low": found.low, f"{start}high": found.high}
