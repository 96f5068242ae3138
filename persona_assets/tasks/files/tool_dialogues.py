"""Conversations in which a tool is called, in the form that chat models are trained on."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson
import polars as pl

from persona_assets.contained import MODULES
from persona_assets.contained.pool import Contained
from persona_assets.contained.programs import Program
from persona_assets.ids import Json, canonical_json
from persona_assets.rules.tool_schemas import UnusableSchema, arguments_in, faults
from persona_assets.tasks.derived import derived
from persona_assets.tasks.tool_calls import bare, call_of, contained, reason_of, same

BATCH = 1024  # conversations that are held as Python's values
SHOWN = 120  # characters that a detail quotes
_MESSAGE = pl.Struct({"role": pl.String, "content": pl.String, "tool_calls": pl.String, "tool_call_id": pl.String})
_COLUMNS: dict[str, Any] = {"function_name": pl.String, "tools": pl.String, "messages": pl.List(_MESSAGE)}
_SCHEMA = {"parent_ids": pl.List(pl.String), **_COLUMNS, "reason": pl.String, "detail": pl.String}
_CALL_ID = "call_1"  # there is one call in each


class Verdict(NamedTuple):
    """Why a conversation is set aside, or what is to be run to know it; neither where its call is the recorded one."""

    reason: str = ""
    detail: str = ""
    program: Program | None = None


@derived(
    reads=("tool_conversations", "tool_runs"),
    columns=_COLUMNS,
    description="Talks of a persona with an assistant whose call of a tool is the recorded one, or gives the same.",
    modules=(*MODULES, "rules.tool_schemas", "tasks.tool_calls"),
)
def tool_dialogues(conversations: pl.LazyFrame, runs: pl.LazyFrame) -> pl.DataFrame:
    """A row for each conversation, with a `reason` where it is set aside.

    The assistant's arguments are those of the recorded call, or give the recorded result when they are run contained:
    the answer was written from that result. `tools` is a JSON list; `tool_calls` of a message is one too.
    """
    tools = runs.select("function_name", "definition", "code", "result", recorded="arguments", sample_id="sample_id")
    talks = conversations.select(
        "request", "arguments", "answer", talk="sample_id", sample_id=pl.col("parent_ids").list.first()
    )
    rows = talks.join(tools, on="sample_id", how="left").sort("talk").collect()
    found = []
    with contained() as runner:
        for some in rows.iter_slices(BATCH):
            found.append(pl.DataFrame(list(_judged(some.to_dicts(), runner)), schema=_SCHEMA))
    return pl.concat(found) if found else pl.DataFrame(schema=_SCHEMA)


def _judged(rows: list[dict[str, Any]], runner: Contained) -> Iterator[dict[str, Any]]:
    verdicts = [_looked_at(row) for row in rows]
    runs = runner.run_many(one.program for one in verdicts if one.program)
    for row, verdict in zip(rows, verdicts, strict=True):
        if verdict.program:
            run = next(runs)
            if run.outcome != "ok":
                verdict = Verdict(reason_of(run.outcome), f"{_shown(row['arguments'])}: {bare(run.detail)}")
            elif not same(run.results[0], orjson.loads(row["result"])):
                said = f"{_shown(row['arguments'])} gives something else than {_shown(row['recorded'])}"
                verdict = Verdict("another_call", said)
            else:
                verdict = Verdict()
        told = dict.fromkeys(_COLUMNS) if verdict.reason else _told(row)
        reason = {"reason": verdict.reason or None, "detail": verdict.detail or None}
        yield {"parent_ids": [row["talk"]], **told, **reason}


def _looked_at(row: Mapping[str, Any]) -> Verdict:
    """What the arguments alone tell."""
    if row["recorded"] is None:
        return Verdict("no_run", "the run that it is of is not there")
    arguments = arguments_in(row["arguments"])
    if arguments is None:
        return Verdict("wrong_arguments", f"{_shown(row['arguments'])} is not the JSON text of an object")
    if same(arguments, orjson.loads(row["recorded"])):
        return Verdict()
    try:
        said = faults(orjson.loads(row["definition"])["function"]["parameters"])(arguments)
    except UnusableSchema as error:
        said = str(error)
    if said:
        return Verdict("wrong_arguments", f"{_shown(row['arguments'])}: {said}")
    return Verdict(program=Program(row["code"], (call_of(row["function_name"], arguments),)))


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a conversation that is kept."""
    function = {"name": row["function_name"], "arguments": _text(arguments_in(row["arguments"]))}
    calls = [{"id": _CALL_ID, "type": "function", "function": function}]
    return {
        "function_name": row["function_name"],
        "tools": _text([orjson.loads(row["definition"])]),
        "messages": [
            _message("user", row["request"]),
            _message("assistant", "", tool_calls=_text(calls)),
            _message("tool", row["result"], tool_call_id=_CALL_ID),
            _message("assistant", row["answer"]),
        ],
    }


def _message(role: str, content: str, **more: str) -> dict[str, str | None]:
    return {"role": role, "content": content, "tool_calls": None, "tool_call_id": None, **more}


def _text(value: Json) -> str:
    return canonical_json(value).decode()


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
