"""Checks over all rows of a finished partition that task files name: gates with arguments.

| check | arguments | holds |
| --- | --- | --- |
| `no_two_alike` | `field` | no two rows have the same text in a column |
| `every_value` | `of` | every value of a name of `over` has a row |
| `balanced` | `of`, `most` (default 1.5) | no value of a column has more than `most` times the rows of another |
| `at_most` | `of`, `rows` | no value of a column has more than that many rows |
| `no_family_parted` | | all rows from one page have the same value in the column `split`, in any partition |

A function names the last one too, by its name alone.

Others are functions in a Python file beside the task file, from a partition's rows to those that fail:

```python
@set_check(description="Both poles have a row for each question.")
def both_poles(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("parent_ids").agg(pl.col("pole").n_unique()).filter(pl.col("pole") < 2)
```
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.ids import digest
from persona_assets.lake import Column
from persona_assets.lake.schemas import FAMILIES, OwnGate
from persona_assets.prompts import Template
from persona_assets.prompts.template import SetCheck

Arguments = dict[str, Any]  # SQL variables of a check, by name
Frame = pl.LazyFrame | pl.DataFrame
MOST = 1.5


def _no_two_alike(template: Template, columns: set[str], args: Mapping[str, Any]) -> Arguments:
    return {"alike_field": _one_of("field", args, columns)}


def _every_value(template: Template, columns: set[str], args: Mapping[str, Any]) -> Arguments:
    name = _one_of("of", args, set(template.over))
    return {"expected_of": name, "expected_values": [str(label) for label in template.over[name].by_label]}


def _balanced(template: Template, columns: set[str], args: Mapping[str, Any]) -> Arguments:
    most = args.get("most", MOST)
    if not isinstance(most, int | float) or isinstance(most, bool) or most < 1:
        raise UsageError(f"most is {most!r}, not a number from 1 on")
    return {"balanced_of": _one_of("of", args, columns), "balanced_most": float(most)}


def _at_most(template: Template, columns: set[str], args: Mapping[str, Any]) -> Arguments:
    rows = args.get("rows")
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 1:
        raise UsageError(f"rows is {rows!r}, not a whole number from 1 on")
    return {"at_most_of": _one_of("of", args, columns), "at_most_rows": rows}


def _no_family_parted(template: Template, columns: set[str], args: Mapping[str, Any]) -> Arguments:
    for name in ("document_id", "split"):
        if name not in columns:
            raise UsageError(f"it looks at the column {name}, which is not there")
    return {}


SET_CHECKS: Mapping[str, tuple[Callable[[Template, set[str], Mapping[str, Any]], Arguments], frozenset[str]]] = {
    "no_two_alike": (_no_two_alike, frozenset({"field"})),
    "every_value": (_every_value, frozenset({"of"})),
    "balanced": (_balanced, frozenset({"of", "most"})),
    "at_most": (_at_most, frozenset({"of", "rows"})),
    FAMILIES: (_no_family_parted, frozenset()),
}


@dataclass(frozen=True, eq=False)
class OwnCheck:
    """A function declared as a check, by its name."""

    function: Callable[[pl.LazyFrame], Frame]
    description: str

    @property
    def name(self) -> str:
        """The check's name."""
        return self.function.__name__

    @property
    def file(self) -> Path:
        """The file that holds the function."""
        return Path(inspect.getsourcefile(self.function) or "")

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return self.function.__code__.co_firstlineno

    @property
    def gate(self) -> OwnGate:
        """The same as a gate of a table."""
        return OwnGate(self.name, self.description, digest(self.file.read_bytes()), self._failing)

    def _failing(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """The rows that fail.

        Raises:
            UsageError: the function fails, or gives something else; the message names file and line.
        """
        where = f"{self.file}:{self.line}: {self.name}"
        try:
            given = self.function(rows)
            if isinstance(given, pl.LazyFrame | pl.DataFrame):
                return given.lazy().collect()
        except Exception as error:
            raise UsageError(f"{where}: failed: {type(error).__name__}: {error}") from error
        raise UsageError(f"{where}: gives {type(given).__name__}, not a frame of Polars")


def set_check(*, description: str) -> Callable[[Callable[[pl.LazyFrame], Frame]], OwnCheck]:
    """Declare a function as a check: it is given a partition's rows, and gives those that fail."""
    return lambda function: OwnCheck(function, description)


def own_gates(template: Template, own: Mapping[str, OwnCheck]) -> tuple[OwnGate, ...]:
    """The set checks of a task that functions do."""
    return tuple(own[entry.check].gate for entry in template.set_checks if entry.check in own)


def set_checks(template: Template, columns: list[Column], own: Collection[str] = ()) -> dict[str, Arguments]:
    """The set checks of a task that are SQL, with its variables; `own` are names of functions.

    Raises:
        UsageError: a check, an argument or a column is unknown, or a check stands there twice.
    """
    names = {column.name for column in columns}
    found: dict[str, Arguments] = {}
    for entry in template.set_checks:
        where = f"task {template.name}: set_checks"
        if [one.check for one in template.set_checks].count(entry.check) > 1:
            raise UsageError(f"{where}: {entry.check} stands there twice")
        if entry.check in own:
            if entry.args:
                raise UsageError(f"{where}: {entry.check} is a function, which has no arguments")
            continue
        if entry.check not in SET_CHECKS:
            raise UsageError(f"{where}: unknown check {entry.check}; {did_you_mean(entry.check, [*SET_CHECKS, *own])}")
        make, known = SET_CHECKS[entry.check]
        for name in entry.args:
            if name not in known:
                raise UsageError(f"{where}: {entry.check} has no argument {name}; {did_you_mean(name, known)}")
        try:
            found[entry.check] = make(template, names, entry.args)
        except UsageError as error:
            raise UsageError(f"{where}: {entry.check}: {error}") from error
    return found


def _one_of(argument: str, args: Mapping[str, Any], known: set[str]) -> str:
    if argument not in args:
        raise UsageError(f"{argument} is missing")
    name = str(args[argument])
    if name not in known:
        raise UsageError(f"{argument} {name!r} is not there; {did_you_mean(name, known)}")
    return name


__all__ = ["SET_CHECKS", "Arguments", "OwnCheck", "SetCheck", "own_gates", "set_check", "set_checks"]
