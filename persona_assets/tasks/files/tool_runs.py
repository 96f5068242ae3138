"""What the implementations of tools give when they are called: each example call, run contained."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson
import polars as pl

from persona_assets.contained import MODULES
from persona_assets.contained.pool import Contained
from persona_assets.contained.programs import Program, Run
from persona_assets.ids import Json, canonical_json, digest
from persona_assets.rules.tool_schemas import Fault, UnusableSchema, arguments_in, faults_of
from persona_assets.tasks.derived import derived
from persona_assets.tasks.tool_calls import bare, call_of, contained, reason_of

BATCH = 256  # implementations whose results are held as Python's values
SHOWN = 120  # characters of arguments that a detail quotes
_CALL = pl.Struct({"arguments": pl.String, "result": pl.String, "outcome": pl.String, "detail": pl.String})
_COLUMNS: dict[str, Any] = {
    "function_name": pl.String,
    "definition": pl.String,
    "returns": pl.String,
    "code": pl.String,
    "calls": pl.List(_CALL),
    "arguments": pl.String,
    "result": pl.String,
}
_SCHEMA = {"parent_ids": pl.List(pl.String), **_COLUMNS, "reason": pl.String, "detail": pl.String}


class Refused(Exception):
    """Why an implementation is set aside."""

    def __init__(self, reason: str, detail: str) -> None:
        """The reason and the detail of the reject."""
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class Work(NamedTuple):
    """An implementation whose calls can be made, and how their results are checked."""

    row: Mapping[str, Any]
    calls: list[dict[str, Json]]
    fault: Fault

    def programs(self) -> tuple[Program, Program]:
        """Its calls in order, and once more the other way round: what hangs on the calls before it differs then."""
        calls = tuple(call_of(self.row["function_name"], arguments) for arguments in self.calls)
        return Program(self.row["code"], calls), Program(self.row["code"], calls[::-1])


@derived(
    reads=("tool_implementations", "tool_definitions"),
    columns=_COLUMNS,
    description="Tools whose example calls all ran contained and gave what their definition says, with the results.",
    modules=(*MODULES, "rules.tool_schemas", "tasks.tool_calls"),
)
def tool_runs(implementations: pl.LazyFrame, definitions: pl.LazyFrame) -> pl.DataFrame:
    """Run every example call, in batches; a row for each implementation, with a `reason` where it is set aside.

    `definition` is the JSON of function calling; `arguments` and `result` are those of the call that a conversation is
    about, which follows from the implementation's id.
    """
    tools = definitions.select("sample_id", "function_name", "description", "parameters", "returns")
    first = implementations.select(
        "code", "examples", implementation="sample_id", sample_id=pl.col("parent_ids").list.first()
    )
    rows = first.join(tools, on="sample_id", how="left").sort("implementation").collect()
    found = []
    with contained() as runner:
        for some in rows.iter_slices(BATCH):
            found.append(pl.DataFrame(list(_ran(some.to_dicts(), runner)), schema=_SCHEMA))
    return pl.concat(found) if found else pl.DataFrame(schema=_SCHEMA)


def _ran(rows: list[dict[str, Any]], runner: Contained) -> Iterator[dict[str, Any]]:
    """The row of each implementation, in order."""
    prepared = [_prepared(row) for row in rows]
    programs = (program for one in prepared if isinstance(one, Work) for program in one.programs())
    runs = runner.run_many(programs)
    for row, one in zip(rows, prepared, strict=True):
        empty = {"parent_ids": [row["implementation"]], "reason": None, "detail": None}
        try:
            if isinstance(one, Refused):
                raise one
            yield empty | _row(one, _results(one, next(runs), next(runs)))
        except Refused as why:
            yield empty | dict.fromkeys(_COLUMNS) | {"reason": why.reason, "detail": why.detail}


def _prepared(row: Mapping[str, Any]) -> Work | Refused:
    """What to run; or why nothing is."""
    if row["function_name"] is None:
        return Refused("no_definition", "the definition that it is of is not there")
    try:
        fits, fault = faults_of(row["parameters"]), faults_of(row["returns"])
    except UnusableSchema as error:
        return Refused("unusable_schema", str(error))
    calls = []
    for number, text in enumerate(_texts(row["examples"]), 1):
        arguments = arguments_in(text)
        if arguments is None or (said := fits(arguments)):
            said = "they are no JSON object" if arguments is None else said
            return Refused("wrong_arguments", f"call {number}: {said}")
        calls.append(arguments)
    return Work(row, calls, fault) if calls else Refused("wrong_arguments", "there is no example call")


def _texts(examples: str) -> list[Json]:
    """The arguments of the examples, as they stand there."""
    try:
        found = orjson.loads(examples)
    except orjson.JSONDecodeError:
        return []
    return [one.get("arguments") for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _results(work: Work, run: Run, again: Run) -> tuple[Json, ...]:
    """The result of each call.

    Raises:
        Refused: a call did not come to its end, gave what does not fit, or something else when it was made again.
    """
    if run.outcome != "ok":
        at = min(len(run.results), len(work.calls) - 1)
        raise Refused(reason_of(run.outcome), _quoted(work, at, run.detail))
    for at, result in enumerate(run.results):
        if said := work.fault(result):
            raise Refused("wrong_result", _quoted(work, at, said))
    if again.outcome != "ok":
        raise Refused(reason_of(again.outcome), f"when called again: {bare(again.detail)}")
    for at, (result, other) in enumerate(zip(run.results, again.results[::-1], strict=True)):
        if canonical_json(result) != canonical_json(other):
            raise Refused("differs_when_repeated", _quoted(work, at, "it gives something else when it is called again"))
    return run.results


def _quoted(work: Work, at: int, said: str) -> str:
    shown = canonical_json(work.calls[at]).decode()
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
    return f"call {at + 1}, {shown}: {bare(said)}"


def _row(work: Work, results: tuple[Json, ...]) -> dict[str, Any]:
    row = work.row
    told = {"name": row["function_name"], "description": row["description"]}
    told["parameters"] = orjson.loads(row["parameters"])
    calls = [
        {"arguments": _text(arguments), "result": _text(result), "outcome": "ok", "detail": ""}
        for arguments, result in zip(work.calls, results, strict=True)
    ]
    drawn = calls[int(digest(row["implementation"].encode()), 16) % len(calls)]
    return {
        "function_name": row["function_name"],
        "definition": _text({"type": "function", "function": told}),
        "returns": row["returns"],
        "code": row["code"],
        "calls": calls,
        "arguments": drawn["arguments"],
        "result": drawn["result"],
    }


def _text(value: Json) -> str:
    return canonical_json(value).decode()
