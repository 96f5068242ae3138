"""A trial of a task on a row that holds nothing, so that what cannot be asked is told before the first call."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl

from persona_assets.errors import Collected, UsageError, WrongKey
from persona_assets.lake import Table
from persona_assets.steps.model import Ask
from persona_assets.tasks.step import TaskStep


def try_out(step: TaskStep) -> None:
    """Make the table and the rules of a task, and render its prompts, once with each value of `over`.

    Raises:
        UsageError: something is missing or does not fit; mostly a `WrongKey`, `Faults` where several do not.
    """
    task = step.template
    found = Collected()
    with found.part():
        _ = step.table, step.reading
    with found.part():
        _ = step.checks
    found.check()
    language = task.over["language"].values[0] if "language" in task.over else "en"
    row: dict[str, Any] = _nothing(step.read, step.reading.columns) | {"language": language}
    row |= {name: _nothing(links[-1][1], columns) for name, (links, columns) in step.reading.ancestors.items()}
    for name, looking in step.reading.looked_up.items():
        above = {one: _nothing(links[-1][1], columns) for one, (links, columns) in looking.ancestors.items()}
        row[name] = [{**_nothing(looking.table, looking.columns), **above}]
    for over in _each_once(step):
        ask = Ask(row, {"over": over} if over else {}, 0, ((task.reads.name, ""),))
        ask = step.asked_together([row], over, 0) if task.group else ask
        for number, turn in enumerate(step.turns):
            before = [_like(earlier.response_schema) for earlier in step.turns[:number]]
            variables = step.variables(ask, before)
            for at, message in enumerate(turn.messages):
                try:
                    turn.model_copy(update={"messages": (message,)}).render(variables)
                except UsageError as error:
                    place = (*turn.place, "messages", at)
                    with_values = "".join(f", with the {name} {label}" for name, label in over.items())
                    said = str(error.__cause__ or error)
                    raise WrongKey(f"task {task.name}", place, f"{said}{with_values}") from error


def _nothing(table: Table, columns: Iterable[str]) -> dict[str, Any]:
    """Columns of a table without a value; of a struct each field is there."""
    return {name: _empty(table.polars[name]) for name in columns}


def _empty(dtype: pl.DataType) -> Any:  # noqa: ANN401 - by the type
    return {part.name: "" for part in dtype.fields} if isinstance(dtype, pl.Struct) else ""


def _each_once(step: TaskStep) -> Iterator[dict[str, str | int]]:
    """Combinations in which each value of `over` is there at least once."""
    labels = {name: list(over.by_label) for name, over in step.template.over.items()}
    for at in range(max(map(len, labels.values()), default=1)):
        yield {name: found[min(at, len(found) - 1)] for name, found in labels.items()}


def _like(schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Something of the form that a schema gives, for a trial rendering."""
    kind = schema.get("type")
    kind = next(iter(kind), None) if isinstance(kind, list) else kind
    if kind == "object":
        return {name: _like(part) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [_like(schema.get("items", {}))]
    return {"integer": 1, "number": 1.0, "boolean": True}.get(str(kind), "")
