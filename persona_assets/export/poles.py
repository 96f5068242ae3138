"""Pairs of opposite poles as the files of Machine Mindset: one for each pole, language and dimension, row by row alike.

A row is in Alpaca form with a single space as its `input`. Preferences stand together by pole and by type, as
`output: [chosen, rejected]`, self-awareness by language and type. Each row keeps an id of its own beside what the
original has: that of the pair, the preference or the answer, which `persona-assets audit` takes.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import polars as pl

from persona_assets.errors import UsageError
from persona_assets.export.listed import write_listed
from persona_assets.graph import Asset
from persona_assets.ids import Json
from persona_assets.lake import Lake

MINDSET = "mindset"
POLES = "poles"
_NAME = re.compile(r"[\w-]{1,60}")
_Row = tuple[str, Json]  # name of the file, and what stands there


def export_poles(lake: Lake, graph: Mapping[str, Asset], source: str, out: Path) -> dict[str, int]:
    """Write the files of one of `_ROWS` into a new or empty folder; by file its rows.

    The folder is whole or not there. One partition is held at once.

    Raises:
        UsageError: the source is another, it has no row, a name cannot be that of a file, or the folder is not empty.
    """
    if source not in _ROWS:
        *some, last = _ROWS
        named = f"{', '.join(some)} and {last}"
        raise UsageError(f"--format {MINDSET} is for {named}, not for {source}: choose another format")
    names = _names(lake, graph)
    names, table = _names(lake, graph), graph[source].table
    told = (
        (f"{name}.json", row)
        for key in sorted(lake.keys(table))
        for name, row in _ROWS[source](lake.read(table, key).sort("sample_id"), names)
    )
    return {name.removesuffix(".json"): count for name, count in write_listed(out, source, told).items()}


def _names(lake: Lake, graph: Mapping[str, Asset]) -> dict[str, str]:
    """What poles are called in names of files: by `name` where their file has it, else by id."""
    rows = lake.scan(graph[POLES].table).collect()
    named = pl.col("name").fill_null(pl.col("id")) if "name" in rows.columns else pl.col("id")
    return dict(rows.select("id", name=named).iter_rows())


def _behaviour(rows: pl.DataFrame, names: Mapping[str, str]) -> Iterator[_Row]:
    for row in rows.iter_rows(named=True):
        for side in ("one", "other"):
            name = _file(row["language"], row["dimension"], names.get(row[f"{side}_pole"], row[f"{side}_pole"]))
            yield name, _alpaca(row["sample_id"], row["instruction"], row[side])


def _preferences(rows: pl.DataFrame, names: Mapping[str, str]) -> Iterator[_Row]:
    for row in rows.iter_rows(named=True):
        told = _alpaca(row["sample_id"], row["prompt"], [row["chosen"], row["rejected"]])
        yield _file("dpo", row["dimension"], row["chosen_pole"].lower(), row["rejected_pole"].lower()), told
        for one in row["types"]:
            yield _file("dpo", one.lower()), told


def _self_awareness(rows: pl.DataFrame, _names: Mapping[str, str]) -> Iterator[_Row]:
    for row in rows.iter_rows(named=True):
        name = _file(row["language"], "self_awareness", row["type"].lower())
        yield name, _alpaca(row["sample_id"], row["question"], row["answer"])


def _alpaca(row_id: str, instruction: str, output: Json) -> Json:
    return {"instruction": instruction, "input": " ", "output": output, "id": row_id}


def _file(*parts: str) -> str:
    """A name of its parts.

    Raises:
        UsageError: a part holds what no name of a file may.
    """
    for part in parts:
        if not _NAME.fullmatch(part):
            raise UsageError(f"{part!r} cannot be part of a file's name: use letters, digits, _ and - in {POLES}")
    return "_".join(parts)


_ROWS: Mapping[str, Callable[[pl.DataFrame, Mapping[str, str]], Iterator[_Row]]] = {
    "behaviour": _behaviour,
    "preference_poles": _preferences,
    "self_awareness": _self_awareness,
}
