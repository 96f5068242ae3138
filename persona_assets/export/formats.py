"""Formats of training data, one function each: from a row's columns to the columns that a format has.

A conversation is in the column `messages` (a list of `role` and `content`), or in two columns, `prompt` and `response`.
A row that a format has no place for is told by a reason, and left out.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import polars as pl

from persona_assets.errors import UsageError

Columns = Mapping[str, pl.DataType]
_FROM = {"user": "human", "assistant": "gpt", "system": "system"}
_ASKED = ["user", "assistant"]  # the roles of one question and its answer


class Shaped(NamedTuple):
    """What a format makes of a row: its columns, and why the row has no place in it, null where it has."""

    columns: dict[str, pl.Expr]
    fault: pl.Expr


def _needs(columns: Columns, names: tuple[str, ...], of: str) -> None:
    """Raise UsageError where a column is missing."""
    if missing := [name for name in names if name not in columns]:
        remedy = "name columns by --prompt and --response" if missing[0] in ("prompt", "response") else "use plain"
        raise UsageError(f"{of} needs the column {missing[0]}, which is not there: {remedy}")


def _blank(text: pl.Expr) -> pl.Expr:
    """Whether there is no text, or none but white space."""
    return ~text.str.contains(r"\S").fill_null(value=False)


def _first(faults: Mapping[str, pl.Expr]) -> pl.Expr:
    """The first reason that holds, by name; null where none does."""
    told = [pl.when(holds).then(pl.lit(reason)) for reason, holds in faults.items()]
    return pl.coalesce(*told, pl.lit(None, pl.String()))


def _missing(*names: str) -> dict[str, pl.Expr]:
    return {f"missing_{name}": _blank(pl.col(name)) for name in names}


def _message(role: str, column: str) -> pl.Expr:
    return pl.struct(role=pl.lit(role), content=pl.col(column))


def _field(messages: pl.Expr, name: str) -> pl.Expr:
    return messages.list.eval(pl.element().struct.field(name))


class _Talk(NamedTuple):
    """The messages of a row, what is wrong with them, and which of them call a tool or tell what one gave."""

    messages: pl.Expr
    faults: dict[str, pl.Expr]
    tools: pl.Expr


def _talk(columns: Columns, of: str) -> _Talk:
    """The conversation of a row. A message of the system without a word is left out of it."""
    if "messages" not in columns:
        _needs(columns, ("prompt", "response"), of)
        both = pl.concat_list(_message("user", "prompt"), _message("assistant", "response"))
        return _Talk(both, _missing("prompt", "response"), pl.lit(value=False))
    role, blank = pl.element().struct.field("role"), _blank(pl.element().struct.field("content"))
    inner = columns["messages"].inner if isinstance(columns["messages"], pl.List) else None
    calls = isinstance(inner, pl.Struct) and "tool_calls" in inner.to_schema()
    called = pl.element().struct.field("tool_calls").is_not_null() if calls else pl.lit(value=False)
    messages = pl.col("messages").list.filter(~((role == "system").fill_null(value=False) & blank))
    faults = {
        "no_messages": messages.list.len().fill_null(0) == 0,
        "no_answer": (_field(messages, "role").list.last() != "assistant").fill_null(value=True),
        "empty_message": messages.list.eval(blank & ~called).list.any(),
    }
    return _Talk(messages, faults, messages.list.eval(called | (role == "tool")).list.any())


def chatml(columns: Columns) -> Shaped:
    """`messages`: a list of `role` and `content`; `tools` beside it where the dataset has it."""
    talk = _talk(columns, "chatml")
    tools = {"tools": pl.col("tools")} if "tools" in columns and "messages" in columns else {}
    return Shaped({"messages": talk.messages, **tools}, _first(talk.faults))


def sharegpt(columns: Columns) -> Shaped:
    """`conversations`: a list of `from` (human, gpt, system) and `value`; none in which a tool is called."""
    talk = _talk(columns, "sharegpt")
    role = pl.element().struct.field("role").replace(_FROM).alias("from")
    turns = talk.messages.list.eval(pl.struct(role, pl.element().struct.field("content").alias("value")))
    unknown = _field(talk.messages, "role").list.eval(~pl.element().is_in(list(_FROM))).list.any()
    return Shaped(
        {"conversations": turns}, _first({**talk.faults, "calls_a_tool": talk.tools, "unknown_role": unknown})
    )


def alpaca(columns: Columns) -> Shaped:
    """`instruction`, an empty `input`, and `output`; of conversations those of one question and its answer."""
    talk = _talk(columns, "alpaca")
    if "messages" not in columns:
        return Shaped(_one_answer(pl.col("prompt"), pl.col("response")), _first(talk.faults))
    roles, content = _field(talk.messages, "role"), _field(talk.messages, "content")
    faults = {
        **talk.faults,
        "has_system": roles.list.contains("system"),
        "several_turns": roles.list.join(" ", ignore_nulls=False).fill_null("") != " ".join(_ASKED),
    }
    return Shaped(_one_answer(content.list.first(), content.list.last()), _first(faults))


def _one_answer(instruction: pl.Expr, output: pl.Expr) -> dict[str, pl.Expr]:
    return {"instruction": instruction, "input": pl.lit(""), "output": output}


def dpo(columns: Columns) -> Shaped:
    """`prompt`, `chosen` and `rejected`, texts; of pairs whose answers differ."""
    names = ("prompt", "chosen", "rejected")
    _needs(columns, names, "dpo")
    faults = {**_missing(*names), "answers_equal": pl.col("chosen") == pl.col("rejected")}
    return Shaped({name: pl.col(name) for name in names}, _first(faults))


_OURS = ("sample_id", "shard", "run_id", "created_at", "call_id", "id", "language")


def plain(columns: Columns) -> Shaped:
    """The dataset's own columns, without those of the run."""
    return Shaped({name: pl.col(name) for name in columns if name not in _OURS}, pl.lit(None, pl.String()))


FORMATS: Mapping[str, Callable[[Columns], Shaped]] = {
    one.__name__: one for one in (chatml, alpaca, sharegpt, dpo, plain)
}
