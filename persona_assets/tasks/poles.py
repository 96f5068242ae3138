"""Poles of dimensions of personality, and the types that they make: what the files of `mindset/` hold."""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import polars as pl

from persona_assets.errors import UsageError
from persona_assets.lake import Table
from persona_assets.tasks.derived import DataRows, data_files

POLES = data_files("mindset/*.yaml", rows="poles", table="poles")
COLUMNS = ("id", "set", "dimension", "opposite", "manner")
TYPES = {"dimension_set": pl.String(), "type": pl.String(), "poles": pl.List(pl.String())}


def check_poles(tables: Mapping[str, Table], rows: DataRows) -> None:
    """That poles are told by the keys that are looked at, and that opposites name one another.

    Raises:
        UsageError: no pole has one of the keys, or an opposite is none; the message names file and pole.
    """
    poles = list(rows(POLES.name))
    if missing := [name for name in COLUMNS if name not in tables[POLES.name].polars]:
        file = poles[0]["file"] if poles else POLES.file
        raise UsageError(f"{file}: no pole has `{missing[0]}`; each needs {', '.join(COLUMNS)}")
    for pole in poles:
        if missing := [name for name in COLUMNS if name != "opposite" and name not in pole]:
            raise UsageError(f"{pole['file']}: pole {pole.get('id')} has no `{missing[0]}`: give it one")
    known: dict[Any, Mapping[str, Any]] = {pole.get("id"): pole for pole in poles}
    for pole in poles:
        opposite = pole.get("opposite")
        other = known.get(opposite, {})
        alike = all(pole.get(name) == other.get(name) for name in ("file", "set", "dimension"))
        if opposite is not None and not (alike and other.get("opposite") == pole["id"] != opposite):
            said = f"its opposite {opposite} is no pole of its dimension whose opposite it is"
            raise UsageError(f"{pole['file']}: pole {pole['id']}: {said}; name both by one another")


def types_in(poles: pl.DataFrame) -> pl.DataFrame:
    """The types that poles make, with the columns of `TYPES`: of each set one pole of each dimension, in file order.

    `poles` has `file`, `place`, `id`, `set`, `dimension` and `opposite`. A set in which a pole has no opposite makes no
    types. A type is named by its poles' ids, joined.
    """
    found = []
    for part in poles.sort("file", "place").partition_by("file", "set", maintain_order=True):
        if part["opposite"].null_count():
            continue
        sides = [one["id"].to_list() for one in part.partition_by("dimension", maintain_order=True)]
        found += [(part["set"][0], "".join(chosen), list(chosen)) for chosen in product(*sides)]
    return pl.DataFrame(found, schema=TYPES, orient="row")


def types_of(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """The same, of rows as data files have them."""
    columns = ("file", "place", "id", "set", "dimension", "opposite")
    told = [{name: row.get(name) for name in columns} for row in rows]
    schema = {name: pl.Int64() if name == "place" else pl.String() for name in columns}
    return types_in(pl.DataFrame(told, schema=schema))


def check_types(wanted: Iterable[str], known: Iterable[str], where: str) -> None:
    """That types are ones that there are.

    Raises:
        UsageError: one is not; the message names `where` it stands, and those that there are.
    """
    there = list(known)
    for one in wanted:
        if one not in there:
            said = f"the types are {', '.join(there)}" if there else "no set of poles makes types"
            raise UsageError(f"{where}: there is no type {one}; {said}")
