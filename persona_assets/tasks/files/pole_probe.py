"""Whether the poles of all pairs can be told apart by what answers mean: the stance probe over `behaviour`."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from persona_assets.contrast.meaning import kept_vectors
from persona_assets.contrast.probe import LEAST, stance_probe
from persona_assets.lake import Lake
from persona_assets.tasks.derived import data_files, derived, set_check
from persona_assets.view import blocks as view
from persona_assets.view.numbers import percent

SAMPLE = 5000  # pairs of a dimension and language that are looked at, those whose ids come first
_COLUMNS = {
    "dimension_set": pl.String,
    "dimension": pl.String,
    "language": pl.String,
    "pairs": pl.Int64,
    "measured": pl.Int64,
    "accuracy": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "shuffled": pl.Float64,
    "least": pl.Float64,
    "taken_for_others": pl.List(pl.String),
}
_GROUP = ("dimension_set", "dimension", "language")


@set_check(
    description="The stance probe tells the poles apart as often as probe/limits.yaml wants, where it is measured."
)
def told_apart(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The dimensions and languages whose poles are told apart too seldom; what is not measured is no failure."""
    return rows.filter((pl.col("accuracy") < pl.col("least")).fill_null(value=False))


def probe_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at: how often poles are told apart, beside what chance gives."""
    heads = [*view.whole("dimension", "language"), *view.right("pairs", "told apart", "95 %", "by chance", "wanted")]
    drawn: list[list[view.Cell]] = []
    for row in rows.sort(_GROUP).iter_rows(named=True):
        names = [view.Code(f"{row['dimension_set']}.{row['dimension']}"), view.Code(row["language"])]
        if row["accuracy"] is None:
            said = f"not measured: {row['measured']:,} pairs with unlike answers, and {LEAST} instructions are needed"
            drawn.append([*names, f"{row['pairs']:,}", "", "", "", "", said])
            continue
        shares = (row["accuracy"], row["low"], row["high"], row["shuffled"], row["least"])
        told, low, high, chance, least = ("" if one is None else percent(one, 1) for one in shares)
        bar = view.bar(1, (view.PLAIN, row["accuracy"]))
        drawn.append([*names, f"{row['pairs']:,}", told, f"{low} to {high}", chance, least, bar])
    return [view.Table([*heads, *view.whole("")], drawn)]


@derived(
    reads=(data_files("probe/limits.yaml", table="probe_limits"), "behaviour"),
    columns=_COLUMNS,
    description="How often the poles of held-out pairs are told apart by what answers mean (stance probe), by "
    "dimension and language.",
    cites={"taken_for_others": "behaviour"},
    nullable=("accuracy", "low", "high", "shuffled", "least"),
    settings=("encoder", "max_unknown_share"),
    set_checks=(told_apart,),
    given=("lake",),
    shows=probe_shown,
    modules=(
        *("contrast.meaning", "contrast.probe", "lake.vectors", "surveys.shares"),
        *("text.bert", "text.encoder", "text.fast_encoder", "text.tokens", "text.universal"),
    ),
)
def pole_probe(
    limits: pl.LazyFrame, pairs: pl.LazyFrame, *, encoder: str, max_unknown_share: float, lake: Lake
) -> pl.DataFrame:
    """One row for each dimension and language, over all seed files; figures are null where it is not measured."""
    limit = limits.collect().row(0, named=True)
    columns = ("sample_id", "shard", *_GROUP, "instruction", "one", "other")
    sample = (
        pairs.select(*columns, "parent_ids")
        .with_columns(pairs=pl.len().over(_GROUP), rank=pl.col("sample_id").rank("ordinal").over(_GROUP))
        .filter(pl.col("rank") <= SAMPLE)
        .sort("sample_id")
        .collect()
    )
    rows = [
        {"parent_ids": [limit["row_id"]], "least": limit.get("least"), **row}
        for row in _probed(sample, encoder, max_unknown_share, lake)
    ]
    nothing = {"parent_ids": [limit["row_id"]], "reason": "nothing_to_measure", "detail": "there are no pairs"}
    schema: dict[str, Any] = {"parent_ids": pl.List(pl.String), **_COLUMNS, "reason": pl.String, "detail": pl.String}
    return pl.DataFrame(rows or [nothing], schema=schema)


def _probed(sample: pl.DataFrame, encoder: str, max_unknown: float, lake: Lake) -> Iterator[dict[str, Any]]:
    for group, part in sample.group_by(_GROUP, maintain_order=True):
        told: dict[str, Any] = dict(zip(_GROUP, group, strict=True))
        told |= {"pairs": part["pairs"][0], "measured": 0, "taken_for_others": []}
        named = part.with_columns(id=pl.col("parent_ids").list.first())  # whose vectors are those of `behaviour`
        for places, one, other in kept_vectors(lake, named, encoder, max_unknown):
            told["measured"] = int((one != other).any(axis=1).sum())
            probe = stance_probe(one - other, part["instruction"].gather(places).to_list())
            if probe:
                told |= {name: getattr(probe, name) for name in ("accuracy", "low", "high", "shuffled")}
                told["taken_for_others"] = part["sample_id"].gather(places[list(probe.taken)]).to_list()
        yield told
