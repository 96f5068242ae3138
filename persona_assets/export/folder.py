"""Writes a dataset, or what a view selects of it, as a folder of Parquet files with a card."""

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from persona_assets.errors import UsageError
from persona_assets.export.card import ABOUT, Written, card
from persona_assets.export.croissant import FILE as CROISSANT
from persona_assets.export.croissant import croissant, made_from
from persona_assets.export.files import SplitFiles
from persona_assets.export.origin import origin
from persona_assets.export.rows import COUNTED, FAULT, Export, Rows
from persona_assets.graph import Asset
from persona_assets.lake import Lake


def export(lake: Lake, graph: Mapping[str, Asset], job: Export, *, again: bool = False) -> Written | None:
    """Write the folder; returns what was written. It is written beside and renamed, so it is whole or not there.

    With `again` a folder that was written of the same is left as it is; None then.

    Raises:
        UsageError: no such dataset or format, a column is missing, there is no row, or the folder is not empty.
    """
    rows = Rows(lake, graph, job)
    if again and made_from(job.out) == rows.digest:
        return None
    with whole(job.out) as aside:
        written = _write(rows, aside / "data")
        text = card(rows, written, origin(lake, graph, rows.dataset))
        (aside / "README.md").write_text(text, encoding="utf-8")
        about = croissant(aside, job.source, ABOUT, job.licence, written.languages, rows.digest)
        (aside / CROISSANT).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return written


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A folder beside `out`, which takes its name at the end: what is written is whole or not there.

    Raises:
        UsageError: `out` is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already and not empty: name another folder, or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    try:
        yield aside
        os.replace(aside, out)  # noqa: PTH105 - atomic on one file system; an empty folder is replaced
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(rows: Rows, folder: Path) -> Written:
    """All rows, streamed: while some are written, the next ones are read."""
    written = Written()
    folder.mkdir(parents=True)
    files = SplitFiles(folder)
    with ThreadPoolExecutor(1) as writer:
        pending = writer.submit(lambda: None)
        for frame in rows.frames():
            for *values, fault, count in frame.group_by(*COUNTED, FAULT).len().iter_rows():
                if fault is None:
                    written.rows[tuple(values)] += count
                else:
                    written.left_out[fault] += count
            pending.result()
            pending = writer.submit(_append, files, frame)
        pending.result()
    files.close()
    _check(rows, written)
    return written


def _append(files: SplitFiles, frame: pl.DataFrame) -> None:
    """Write the rows that the format has a place for, without the columns that are for counting alone."""
    hidden = [name for name in COUNTED if name.startswith("_")]
    kept = frame.filter(pl.col(FAULT).is_null())
    for (split,), part in kept.partition_by("_split", as_dict=True, maintain_order=True).items():
        files.append(split, part.drop(FAULT, *hidden))


def _check(rows: Rows, written: Written) -> None:
    """Raise UsageError where rows that a view selects are gone, or none is left."""
    source, read = rows.job.source, written.rows.total() + written.left_out.total()
    if rows.selected is not None and read != rows.selected:
        said = f"of {rows.selected:,} rows of {source} {read:,} are in {rows.dataset.name} now"
        raise UsageError(f"{said}: make the view again")
    if not read:
        raise UsageError(f"{source} has no rows: make it first")
    if not written.rows:
        why = ", ".join(f"{reason} {count:,}" for reason, count in sorted(written.left_out.items()))
        raise UsageError(f"{rows.job.form} has no place for any row of {source} ({why}): choose another format")
