"""The report as a page: tables of measures, the paper's figure, and what each hop adds."""

import polars as pl

from persona_assets.quality.report import LEVELS, SAMPLE, Curve, Group, Novelty, Quality, Report
from persona_assets.view import blocks as view
from persona_assets.view.numbers import percent

NEAR = 10  # near-duplicates of a dataset that the page names
_SAID = [
    "near-duplicates: rows that a row before them stands for, by the rules of dedup, within a dataset.",
    f"distinct-2, self-BLEU: of a sample of {SAMPLE:,} rows at most; more distinct pairs of words, and less overlap "
    "with the other rows, are more diverse. Compare groups whose samples are of one size.",
    "Vendi score: how many entirely different texts the rows amount to; coverage: share of the regions of meaning, of "
    "all datasets in the language, that the sample reaches.",
]


def measures_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at in the rows of `<dataset>_quality`: each measure by group, beside its limits."""
    heads = [
        *view.whole("measure", "language", "mode"),
        *view.right("hop", "at", "rows", "value", "limits"),
        *view.whole(""),
    ]
    drawn = []
    for row in rows.sort("measure", "language", "mode", "of_hop", "level").iter_rows(named=True):
        bounds = [f"≥ {row['least']:g}" if row["least"] is not None else ""]
        bounds += [f"≤ {row['most']:g}" if row["most"] is not None else ""]
        cells: list[view.Cell] = [view.Code(row["measure"]), row["language"] or "", row["mode"] or ""]
        cells += ["" if row[name] is None else f"{row[name]:g}" for name in ("of_hop", "level")]
        cells += [f"{row['rows']:,}", f"{row['value']:,.3f}", " ".join(one for one in bounds if one)]
        drawn.append([*cells, view.bar(1, (view.PLAIN, row["value"] if 0 <= row["value"] <= 1 else 0.0))])
    return [view.Table(heads, drawn)]


def report_page(report: Report, lake: str) -> view.Page:
    """The report of a lake."""
    return view.Page(
        ("Quality of the datasets in ", view.Code(lake)), "Measured now; nothing was asked.", blocks(report)
    )


def blocks(report: Report) -> list[view.Block]:
    """What there is to see; an empty lake says so."""
    if not report.datasets:
        return [view.Lines(["No dataset has rows yet."])]
    rows = sum(one.rows for one in report.datasets)
    twins = sum(one.duplicates for one in report.datasets)
    figures = view.Figures(
        [
            ("datasets", f"{len(report.datasets):,}", ""),
            ("rows", f"{rows:,}", ""),
            ("near-duplicates", f"{twins:,}", percent(twins, rows)),
        ]
    )
    found: list[view.Block] = [figures, view.Lines(_SAID), measures(report.datasets)]
    if curves := _curves(report.datasets):
        said = (
            f"Mean cosine of what two personas gave, where the personas themselves have a cosine of {LEVELS[0]:g} to "
        )
        said += f"{LEVELS[-1]:g}, by mode and hop; in brackets the pairs."
        found.append(view.Section("Similar personas, similar products?", [view.Lines([said]), curves]))
    if report.novelty:
        found.append(view.Section("What each hop adds", [_novelty(report.novelty)]))
    near = [_near(one) for one in report.datasets if one.near]
    return [*found, view.Section("Most alike rows", near)] if near else found


def measures(datasets: list[Quality]) -> view.Table:
    """Figures of datasets by mode and language."""
    heads = [
        *view.whole("dataset", "mode", "language"),
        *view.right("rows", "near-duplicates", "sample", "distinct-2", "self-BLEU", "Vendi", "coverage"),
        *view.whole(""),
    ]
    rows = [_measured(one.dataset, group) for one in datasets for group in one.groups]
    return view.Table(heads, rows)


def _measured(dataset: str, group: Group) -> list[view.Cell]:
    return [
        view.Code(dataset),
        group.mode or "",
        group.language,
        f"{group.rows:,}",
        percent(group.duplicates, group.rows),
        f"{group.sampled:,}",
        _figure(group.distinct_2),
        _figure(group.self_bleu),
        "" if group.vendi is None else f"{group.vendi:,.1f}",
        "" if group.coverage is None else f"{group.coverage:.0%}",
        view.bar(1, (view.PLAIN, group.coverage or 0.0)),
    ]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _curves(datasets: list[Quality]) -> view.Table | None:
    rows = [
        _curve(one.dataset, curve)
        for one in datasets
        for curve in one.curves
        if any(pairs for _, pairs, _ in curve.points)
    ]
    heads = [*view.whole("dataset", "mode"), *view.right("hop", *(f"at {level:g}" for level in LEVELS))]
    return view.Table(heads, rows) if rows else None


def _curve(dataset: str, curve: Curve) -> list[view.Cell]:
    found = ("" if mean is None else f"{mean:.2f} ({pairs:,})" for _, pairs, mean in curve.points)
    return [view.Code(dataset), curve.mode or "", f"{curve.hop}", *found]


def _novelty(hops: list[Novelty]) -> view.Table:
    rows = [
        (f"hop {one.hop}", f"{one.personas:,}", f"{one.kept:,}", percent(one.kept, one.personas), _share(one))
        for one in hops
    ]
    return view.Table([*view.whole(""), *view.right("personas", "survive", "share"), *view.whole("")], rows)


def _share(one: Novelty) -> view.Bar:
    return view.bar(1, (view.PLAIN, one.share))


def _near(one: Quality) -> view.Table:
    heads = [*view.whole(one.dataset, "stands for it"), *view.right("similarity"), *view.left("by")]
    rows = [
        (view.Code(row["id"]), view.Code(row["survivor_id"]), f"{row['similarity']:.4f}", row["method"])
        for row in one.near[:NEAR]
    ]
    return view.Table(heads, rows)
