"""What there is to look at in trained models: how their losses went, by stage."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from persona_assets.view import blocks as view

_TONES: tuple[view.Tone, ...] = ("blue", "green", "amber", "red", "grey")
LOSSES = ("first_loss", "last_loss")
PLOTTED = (("loss", "loss"), ("gradient_norm", "gradient norm"), ("learning_rate", "learning rate"))


def models_shown(rows: pl.DataFrame) -> list[view.Block]:
    """The figures of a partition's models, and plots of loss, gradient norm and learning rate by step."""
    if rows.is_empty():
        return []
    first = rows.row(0, named=True)
    figures = [
        ("parameters", f"{first['parameters']:,}", f"{first['trained']:,} trained"),
        ("rows", f"{first['rows']:,}", ""),
        ("tokens", f"{first['tokens']:,}", f"{first['steps']:,} steps"),
        ("loss", " to ".join(f"{sum(rows[name]) / rows.height:.3f}" for name in LOSSES), f"{rows.height} seeds"),
    ]
    return [view.Figures(figures), *curves({str(row["seed"]): row["curve"] for row in rows.iter_rows(named=True)})]


def curves(of: dict[str, Sequence[dict[str, Any]]]) -> Iterator[view.Block]:
    """Plots of the points of trainings, by their seeds; steps of later stages come after those of earlier ones."""
    kinds = {name: view.Kind(f"seed {name}", _TONES[at % len(_TONES)]) for at, name in enumerate(of)}
    for column, said in PLOTTED:
        lines = [(kinds[name], _points(points, column)) for name, points in of.items()]
        yield view.Chart("step", said, [(kind, line) for kind, line in lines if line])


def _points(points: Sequence[dict[str, Any]], column: str) -> list[view.Point]:
    found, before, last, stage = list[view.Point](), 0, 0, None
    for point in points:
        if point["stage"] != stage:
            before, stage = last, point["stage"]
        last = before + point["step"]
        found.append(view.Point(float(last), float(point[column])))
    return found
