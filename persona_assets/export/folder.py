"""Writes a dataset, or what a view selects of it, as a folder of Parquet files with a card."""

import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from persona_assets.errors import UsageError
from persona_assets.export.card import ABOUT, Written, card
from persona_assets.export.croissant import FILE as CROISSANT
from persona_assets.export.croissant import croissant
from persona_assets.export.origin import origin
from persona_assets.export.rows import COUNTED, FAULT, Export, Rows
from persona_assets.graph import Asset
from persona_assets.lake import Lake

_SPLIT = re.compile(r"[a-z0-9_]+")
ROW_GROUP = 10_000  # rows that a reader, and the writer, hold at once


def export(lake: Lake, graph: Mapping[str, Asset], job: Export) -> Written:
    """Write the folder; returns what was written. It is written beside and renamed, so it is whole or not there.

    Raises:
        UsageError: no such dataset or format, a column is missing, there is no row, or the folder is not empty.
    """
    rows = Rows(lake, graph, job)
    if job.out.exists() and (not job.out.is_dir() or any(job.out.iterdir())):
        raise UsageError(f"{job.out} is there already and not empty: name another folder, or remove it")
    job.out.parent.mkdir(parents=True, exist_ok=True)
    aside = job.out.with_name(f".{job.out.name}.{uuid.uuid4().hex}")
    try:
        written = _write(rows, aside)
        text = card(rows, written, origin(lake, graph, rows.dataset))
        (aside / "README.md").write_text(text, encoding="utf-8")
        about = croissant(aside, job.source, ABOUT, job.licence, written.languages, rows.digest)
        (aside / CROISSANT).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        os.replace(aside, job.out)  # noqa: PTH105 - atomic on one file system; an empty folder is replaced
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return written


def _write(rows: Rows, folder: Path) -> Written:
    """Parquet files by split, each of some partitions, streamed."""
    written, read = Written(), 0
    (folder / "data").mkdir(parents=True)
    for number, group in enumerate(rows.groups()):
        about = group.group_by(*COUNTED, FAULT).len().collect(engine="streaming")
        read += int(about["len"].sum())
        for *values, fault, count in about.iter_rows():
            if fault is None:
                written.rows[tuple(values)] += count
            else:
                written.left_out[fault] += count
        kept = about.filter(pl.col(FAULT).is_null())
        for split in sorted(set(kept["_split"])):
            if not _SPLIT.fullmatch(split):
                raise UsageError(f"the split {split!r} of {rows.dataset.name} cannot name a file: use a-z, 0-9 and _")
            whole = int(kept.filter(_split=split)["len"].sum()) == int(about["len"].sum())
            part = group if whole else group.filter(pl.col(FAULT).is_null(), _split=split)
            file = folder / "data" / f"{split}-{number:05}.parquet"
            part.select(pl.exclude(FAULT, *(name for name in COUNTED if name.startswith("_")))).sink_parquet(
                file, row_group_size=ROW_GROUP, engine="streaming"
            )
    _check(rows, written, read)
    return written


def _check(rows: Rows, written: Written, read: int) -> None:
    """Raise UsageError where rows that a view selects are gone, or none is left."""
    source = rows.job.source
    if rows.selected is not None and read != rows.selected:
        said = f"of {rows.selected:,} rows of {source} {read:,} are in {rows.dataset.name} now"
        raise UsageError(f"{said}: make the view again")
    if not read:
        raise UsageError(f"{source} has no rows: make it first")
    if not written.rows:
        why = ", ".join(f"{reason} {count:,}" for reason, count in sorted(written.left_out.items()))
        raise UsageError(f"{rows.job.form} has no place for any row of {source} ({why}): choose another format")
