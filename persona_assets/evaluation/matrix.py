"""Several recipes on the same items: how far each lies from one of them, and how accuracy goes with their size.

Recipes are compared on the items that both answered, families resampled together. Their seeds are not the same chance,
so they are not paired; one variance of seeds is taken for all recipes, which gives three recipes of three seeds six
degrees of freedom, and a recipe with one seed an honest interval. Where no recipe has two seeds, nothing is known of
it, and the intervals are of the items alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.evaluation import statistics
from persona_assets.evaluation.measured import Measured
from persona_assets.evaluation.results import DIGITS, MEASURES, SHARES, Sheet, cells, sheet_of
from persona_assets.evaluation.seeds import pooled
from persona_assets.evaluation.tables import TUNED

MATRIX: dict[str, Any] = {
    "suite": pl.String,
    "measure": pl.String,
    "stratum": pl.String,  # null: all
    "of_language": pl.String,  # null: all
    "recipe": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "minus_reference": pl.Float64,
    "minus_reference_low": pl.Float64,
    "minus_reference_high": pl.Float64,
    "items": pl.Int64,
    "families": pl.Int64,
    "seeds": pl.Int64,
    "seed_values": pl.List(pl.Float64),  # of each seed, in their order
    "seed_freedom": pl.Float64,  # degrees of freedom of the variance by seed; 0: unknown
}
NULLABLE = (
    *("stratum", "of_language", "value", "low", "high"),
    *("minus_reference", "minus_reference_low", "minus_reference_high"),
)


def matrix(grades: Mapping[str, pl.DataFrame], reference: str) -> pl.DataFrame:
    """The figures of tuned models by recipe, with the columns of `MATRIX`, ordered by suite, cell and recipe.

    `grades` are those of each recipe, by its name, with the columns of `tables.GRADES`; those of `base` are left out. A
    suite that the reference was not asked has no rows.

    Raises:
        UsageError: there is no such reference, or a recipe has no item in common with it.
    """
    if reference not in grades:
        raise UsageError(f"no recipe {reference!r} among those compared: {did_you_mean(reference, grades)}")
    rows: list[dict[str, Any]] = []
    for suite, kind in _suites(grades.values()):
        found = {name: _tuned(own, suite, kind) for name, own in sorted(grades.items())}
        sheets = {name: sheet for name, sheet in found.items() if sheet is not None}
        if reference not in sheets:
            continue
        items = _items(sheets)
        systems = {name: _on(sheet, items) for name, sheet in sheets.items()}
        for name, system in systems.items():
            if not (system.there & systems[reference].there).any():
                raise UsageError(
                    f"suite {suite!r}: recipes {name} and {reference} have no item in common: evaluate alike"
                )
        for stratum, language, kept in cells(items):
            cell = {name: system.where(kept) for name, system in systems.items()}
            about = {"suite": suite, "measure": MEASURES[kind], "stratum": stratum, "of_language": language}
            rows += [{**about, **row} for row in _compared(cell, reference, shares=MEASURES[kind] in SHARES)]
    each = pl.col("seed_values").list.eval(pl.element().round(DIGITS))
    return pl.DataFrame(rows, schema=MATRIX).with_columns(pl.col(pl.Float64).round(DIGITS), each)


def _suites(grades: Iterable[pl.DataFrame]) -> list[tuple[str, str]]:
    found = {row for own in grades for row in own.select("suite", "kind").unique().rows()}
    return sorted(found)


def _tuned(grades: pl.DataFrame, suite: str, kind: str) -> Sheet | None:
    """The grades of tuned models; None where there are none."""
    own = grades.filter(pl.col("suite") == suite, pl.col("kind") == kind)
    tuned = own.filter(pl.col("system") == TUNED)
    return sheet_of(tuned) if tuned.height else None


def _items(sheets: Mapping[str, Sheet]) -> pl.DataFrame:
    """All items that some recipe was asked, once each, in order."""
    every = pl.concat([sheet.items for sheet in sheets.values()]).unique("item_id", keep="first", maintain_order=True)
    return every.sort("family", "item_id")


def _on(sheet: Sheet, items: pl.DataFrame) -> Measured:
    """What a recipe's models got for these items; NaN for those that it was not asked."""
    place = items.select("item_id").with_row_index("place")
    at = sheet.items.select("item_id").join(place, on="item_id", how="left", maintain_order="left")["place"].to_numpy()
    values = np.full((items.height, sheet.values[TUNED].shape[1]), np.nan)
    weights = values.copy()
    values[at], weights[at] = sheet.values[TUNED], sheet.weights[TUNED]
    families = items["family"].rank("dense").cast(pl.Int64).to_numpy() - 1
    return Measured.of(values, families, weights)


def _compared(cell: Mapping[str, Measured], reference: str, *, shares: bool) -> Iterator[dict[str, Any]]:
    means = {name: system.seed_means for name, system in cell.items()}
    every = list(means.values())
    for name, system in cell.items():
        there = system.there
        if not there.any():
            continue
        seeds = pooled(every, means[name])
        found = statistics.share(system, seeds) if shares else statistics.mean(system, seeds)
        row = {"recipe": name, "value": found.value, "low": found.low, "high": found.high}
        row |= {"items": int(there.sum()), "families": len(np.unique(system.families[there]))}
        row |= {"seeds": system.values.shape[1], "seed_values": means[name][~np.isnan(means[name])].tolist()}
        row |= {"seed_freedom": seeds.freedom}
        if name != reference and (there & cell[reference].there).any():
            both = pooled(every, means[name], means[reference])
            apart = statistics.difference(system, cell[reference], shares=shares, seeds=both)
            row |= {"minus_reference": apart.value}
            row |= {"minus_reference_low": apart.low, "minus_reference_high": apart.high}
        yield row
