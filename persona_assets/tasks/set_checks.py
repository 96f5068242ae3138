"""Checks over all rows of a finished partition that task files name: gates with arguments.

| check | arguments | holds |
| --- | --- | --- |
| `no_two_alike` | `field` | no two rows have the same text in a column |
| `every_value` | `of` | every value of a name of `over` has a row |
| `balanced` | `of`, `most` (default 1.5) | no value of a column has more than `most` times the rows of another |
"""

from collections.abc import Callable, Mapping
from typing import Any

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.lake import Column
from persona_assets.prompts import Template
from persona_assets.prompts.template import SetCheck

Arguments = dict[str, Any]  # SQL variables of a check, by name
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


SET_CHECKS: Mapping[str, tuple[Callable[[Template, set[str], Mapping[str, Any]], Arguments], frozenset[str]]] = {
    "no_two_alike": (_no_two_alike, frozenset({"field"})),
    "every_value": (_every_value, frozenset({"of"})),
    "balanced": (_balanced, frozenset({"of", "most"})),
}


def set_checks(template: Template, columns: list[Column]) -> dict[str, Arguments]:
    """The set checks of a task, with the variables of their SQL.

    Raises:
        UsageError: a check, an argument or a column is unknown, or a check stands there twice.
    """
    names = {column.name for column in columns}
    found: dict[str, Arguments] = {}
    for entry in template.set_checks:
        where = f"task {template.name}: set_checks"
        if entry.check not in SET_CHECKS:
            raise UsageError(f"{where}: unknown check {entry.check}; {did_you_mean(entry.check, SET_CHECKS)}")
        if entry.check in found:
            raise UsageError(f"{where}: {entry.check} stands there twice")
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


__all__ = ["SET_CHECKS", "Arguments", "SetCheck", "set_checks"]
