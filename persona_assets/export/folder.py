"""Writes a dataset, or what a view selects of it, as a folder of Parquet files with a card."""

import html
import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import yaml

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.export.croissant import FILE as CROISSANT
from persona_assets.export.croissant import croissant
from persona_assets.export.formats import FORMATS
from persona_assets.graph import Asset
from persona_assets.lake import Lake, Table

_ABOUT = "Synthetic data: models wrote these rows, from personas found in web text."
_SPLIT = re.compile(r"[a-z0-9_]+")
ROWS = 100_000  # of a partition's rows that are brought into one file, about; a partition is not parted
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


@dataclass(frozen=True)
class Export:
    """What to write: `source` is a dataset or a view; `prompt` and `response` are columns, or `<parent>.<column>`."""

    source: str
    out: Path
    form: str = "plain"
    prompt: str = ""
    response: str = ""
    licence: str = "other"


def export(lake: Lake, graph: Mapping[str, Asset], job: Export) -> dict[str, int]:
    """Write the folder; returns the rows of each split. It is written beside and renamed, so it is whole or not there.

    Raises:
        UsageError: no such dataset or format, a column is missing, there is no row, or the folder is not empty.
    """
    if job.form not in FORMATS:
        raise UsageError(f"there is no format {job.form}; {did_you_mean(job.form, FORMATS)}")
    if job.out.exists() and (not job.out.is_dir() or any(job.out.iterdir())):
        raise UsageError(f"{job.out} is there already and not empty: name another folder, or remove it")
    samples = {name: asset.table for name, asset in graph.items() if asset.table.key == "sample_id"}
    if job.source not in samples:
        raise UsageError(f"there is no dataset {job.source}; {did_you_mean(job.source, samples)}")
    dataset, ids = samples[job.source], None
    if "selected_id" in dataset.polars:
        ids = lake.scan(dataset).select(sample_id="selected_id")
        dataset = next(samples[name] for one in dataset.parents if one.column == "selected_id" for name in one.tables)
    job.out.parent.mkdir(parents=True, exist_ok=True)
    aside = job.out.with_name(f".{job.out.name}.{uuid.uuid4().hex}")
    try:
        counts, languages = _write(lake, graph, dataset, ids, job, aside)
        (aside / "README.md").write_text(card(job, dataset.name, counts, languages), encoding="utf-8")
        about = croissant(aside, job.source, _ABOUT, job.licence, languages)
        (aside / CROISSANT).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        os.replace(aside, job.out)  # noqa: PTH105 - atomic on one file system; an empty folder is replaced
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return counts


def _write(
    lake: Lake, graph: Mapping[str, Asset], dataset: Table, ids: pl.LazyFrame | None, job: Export, folder: Path
) -> tuple[dict[str, int], list[str]]:
    """Parquet files by split, each of some partitions, streamed; the rows of each split, and the languages."""
    told = {name: value for name, value in (("prompt", job.prompt), ("response", job.response)) if value}
    columns = {**dataset.polars, **dict.fromkeys(told, pl.String())}
    wanted = {"id": pl.col("sample_id"), "language": pl.col("language"), **FORMATS[job.form](columns)}
    split = pl.col("split").fill_null("train") if "split" in dataset.polars else pl.lit("train")
    counts, languages = dict[str, int](), set[str]()
    (folder / "data").mkdir(parents=True)
    for number, paths in enumerate(_grouped(lake, dataset)):
        rows = lake.scan_paths(paths, dataset)
        if ids is not None:
            rows = rows.join(ids, on="sample_id", how="semi")
        for name, source in told.items():
            rows = _with(lake, graph, dataset, rows, name, source)
        about = rows.group_by(split=split, language="language").len().collect()
        languages |= set(about["language"].drop_nulls())
        for key in sorted(set(about["split"])):
            if not _SPLIT.fullmatch(key):
                raise UsageError(f"the split {key!r} of {dataset.name} cannot name a file: use a-z, 0-9 and _")
            file = folder / "data" / f"{key}-{number:05}.parquet"
            rows.filter(split == key).select(**wanted).sink_parquet(file)
            counts[key] = counts.get(key, 0) + int(about.filter(split=key)["len"].sum())
    wanted_rows = None if ids is None else int(ids.select(pl.len()).collect().item())
    if wanted_rows is not None and sum(counts.values()) != wanted_rows:
        said = f"of {wanted_rows:,} rows of {job.source} {sum(counts.values()):,} are in {dataset.name} now"
        raise UsageError(f"{said}: make the view again")
    if not counts:
        raise UsageError(f"{job.source} has no rows: make it first")
    return counts, sorted(languages)


def _grouped(lake: Lake, table: Table) -> list[list[str]]:
    """The files of a table, some together."""
    found, held = list[list[str]](), ROWS
    for path in lake.paths(table):
        rows = int(pl.scan_parquet(lake.url(path), glob=False).select(pl.len()).collect().item())
        if held + rows > ROWS:
            found.append([])
            held = 0
        found[-1].append(path)
        held += rows
    return found


def _with(
    lake: Lake, graph: Mapping[str, Asset], dataset: Table, rows: pl.LazyFrame, name: str, source: str
) -> pl.LazyFrame:
    """The rows with a column, of their own or of the first row that each was made from."""
    above, _, column = source.rpartition(".")
    table = dataset
    link = next((one for one in dataset.parents if one.direct and above in one.tables), None)
    if above:
        if link is None:
            known = [table for one in dataset.parents if one.direct for table in one.tables]
            raise UsageError(f"{dataset.name} is not made from {above}; {did_you_mean(above, known)}")
        table = graph[above].table
    if table.polars.get(column) != pl.String():
        raise UsageError(f"{table.name} has no column of texts {column}; {did_you_mean(column, table.polars)}")
    if not above or link is None:
        return rows.with_columns(pl.col(column).alias(name))
    first = pl.col(link.column)
    first = first.list.first() if isinstance(dataset.polars[link.column], pl.List) else first
    parents = lake.scan(table).select(pl.col(table.key).alias("_parent"), pl.col(column).alias(name))
    plain = rows.drop(name) if name in dataset.polars else rows
    return plain.with_columns(_parent=first).join(parents, on="_parent", how="left").drop("_parent")


def card(job: Export, dataset: str, counts: Mapping[str, int], languages: list[str]) -> str:
    """The card of the folder: what is in it and how to trace a row. Names and licences are escaped."""
    total = sum(counts.values())
    size = next((name for most, name in _SIZES if total < most), "n>10M")
    files = [{"split": name, "path": f"data/{name}-*.parquet"} for name in sorted(counts)]
    head = {
        "license": job.licence,
        "language": languages,
        "size_categories": [size],
        "tags": ["synthetic"],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    lines = [f"| {_safe(name)} | {rows:,} |" for name, rows in sorted(counts.items())]
    return "\n".join(
        [
            f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n",
            f"# {_safe(job.source)}\n",
            f"{_ABOUT} Dataset {_safe(dataset)}, format {_safe(job.form)}, licence {_safe(job.licence)}.\n",
            "| split | rows |\n| --- | --- |",
            *lines,
            "\n## Trace a row\n",
            "`persona-assets audit ID`, with the `id` of a row and the lake that it came from, shows and verifies what "
            "it was made from, down to the web page.\n",
            "## Limits\n",
            "Models err: answers may be wrong, and texts may repeat what the web says. The licence of the pages is "
            "that of their owners.\n",
        ]
    )


def _safe(text: str) -> str:
    """A text in which nothing is markup."""
    return re.sub(r"([\\`*_\[\]|#~!])", r"\\\1", html.escape(json.dumps(text, ensure_ascii=False)[1:-1]))
