"""Formats of training data, one function each: from a row's columns to the columns that a format has.

A conversation is in the column `messages` (a list of `role` and `content`), or in two columns, `prompt` and `response`.
"""

from collections.abc import Callable, Mapping

import polars as pl

from persona_assets.errors import UsageError

Columns = Mapping[str, pl.DataType]
_FROM = {"user": "human", "assistant": "gpt", "system": "system"}


def _needs(columns: Columns, names: tuple[str, ...], of: str) -> None:
    """Raise UsageError where a column is missing."""
    if missing := [name for name in names if name not in columns]:
        remedy = "name columns by --prompt and --response" if missing[0] in ("prompt", "response") else "use plain"
        raise UsageError(f"{of} needs the column {missing[0]}, which is not there: {remedy}")


def _message(role: str, column: str) -> pl.Expr:
    return pl.struct(role=pl.lit(role), content=pl.col(column))


def _messages(columns: Columns, of: str) -> pl.Expr:
    if "messages" in columns:
        return pl.col("messages")
    _needs(columns, ("prompt", "response"), of)
    return pl.concat_list(_message("user", "prompt"), _message("assistant", "response"))


def chatml(columns: Columns) -> dict[str, pl.Expr]:
    """`messages`: a list of `role` and `content`."""
    return {"messages": _messages(columns, "chatml")}


def sharegpt(columns: Columns) -> dict[str, pl.Expr]:
    """`conversations`: a list of `from` (human, gpt, system) and `value`."""
    role = pl.element().struct.field("role").replace(_FROM).alias("from")
    turns = pl.struct(role, pl.element().struct.field("content").alias("value"))
    return {"conversations": _messages(columns, "sharegpt").list.eval(turns)}


def alpaca(columns: Columns) -> dict[str, pl.Expr]:
    """`instruction`, an empty `input`, and `output`."""
    _needs(columns, ("prompt", "response"), "alpaca")
    return {"instruction": pl.col("prompt"), "input": pl.lit(""), "output": pl.col("response")}


def dpo(columns: Columns) -> dict[str, pl.Expr]:
    """`prompt`, `chosen` and `rejected`, texts."""
    _needs(columns, ("prompt", "chosen", "rejected"), "dpo")
    return {name: pl.col(name) for name in ("prompt", "chosen", "rejected")}


_OURS = ("sample_id", "shard", "run_id", "created_at", "call_id", "id", "language")


def plain(columns: Columns) -> dict[str, pl.Expr]:
    """The dataset's own columns, without those of the run."""
    return {name: pl.col(name) for name in columns if name not in _OURS}


FORMATS: Mapping[str, Callable[[Columns], dict[str, pl.Expr]]] = {
    one.__name__: one for one in (chatml, alpaca, sharegpt, dpo, plain)
}
