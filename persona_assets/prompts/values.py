"""Values of `over` that follow from others: those that a parameter chooses, and those in another value's row.

```yaml
over:
  pole: {file: mindset/*.yaml, rows: poles, where: {set: sets}}   # of the sets that the parameter `sets` names
  facet: {of: pole.facets, draw: 1}                              # one of the list `facets` of the pole asked with
```
"""

from collections.abc import Mapping, Sequence
from typing import Any

from persona_assets.errors import UsageError, did_you_mean

NONE = ""  # the value of a name with `of` where the other value's row has no such list
Raw = Mapping[str, Any]  # `over` as a file has it, files read


def with_inner(over: Any) -> Any:  # noqa: ANN401 - any YAML
    """`over` where each name with `of` has its values: `NONE`, then what stands in the lists, each once.

    Raises:
        ValueError: `of` names no list of the rows of a name before it.
    """
    if not isinstance(over, Mapping):
        return over
    found: dict[str, Any] = {}
    for name, given in over.items():
        is_inner = isinstance(given, Mapping) and given.get("of") and "values" not in given
        found[name] = {**given, "values": _inner(name, str(given["of"]), found), "plain": NONE} if is_inner else given
    return found


def _inner(name: str, of: str, before: Raw) -> list[Any]:
    other, _, column = of.partition(".")
    if other not in before or not column:
        raise ValueError(f"{name}.of: {of!r} is not NAME.COLUMN of a name before it; {did_you_mean(other, before)}")
    rows = before[other].get("values", ()) if isinstance(before[other], Mapping) else before[other]
    found: list[Any] = [NONE]
    for row in rows if isinstance(rows, Sequence) else ():
        values = row.get(column) if isinstance(row, Mapping) else None
        if not isinstance(values, list | None):
            raise ValueError(f"{name}.of: {column} of {row.get('id')} is no list")
        found += [one for one in values or () if one not in found]
    return found


def chosen(over: Raw, params: Mapping[str, Any], given: Mapping[str, Any], task: str) -> dict[str, Any]:
    """`over` with the values that parameters choose by `where`: those whose column is among the parameter's names.

    Names are joined by "+". `given` are the parameters that the settings set; where a name of the task's file is
    nobody's, as the values were replaced, all are chosen.

    Raises:
        UsageError: a name that the settings give is nobody's.
    """
    found: dict[str, Any] = {}
    for name, one in over.items():
        rows = list(one["values"])
        for column, param in one.get("where", {}).items():
            known = list(dict.fromkeys(str(row[column]) for row in rows if isinstance(row, dict) and column in row))
            wanted = [part.strip() for part in str(params[param]).split("+")]
            stray = [part for part in wanted if part not in known]
            if stray and param in given:
                said = f"no {name} has the {column} {stray[0]}; {did_you_mean(stray[0], known)}"
                raise UsageError(f"PERSONA_PARAMS: {task}.{param}: {said}")
            if not stray:
                rows = [row for row in rows if str(row.get(column)) in wanted]
        found[name] = {key: part for key, part in one.items() if not (one.get("of") and key == "values")}
        if not one.get("of"):
            found[name]["values"] = rows
    told: dict[str, Any] = with_inner(found)
    return told
