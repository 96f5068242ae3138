"""Rows that were made elsewhere, for recipes: what stands in files of published or own training data."""

import json
from typing import Any

import polars as pl

from persona_assets.tasks.derived import data_files, derived
from persona_assets.text.language import told_language
from persona_assets.text.near import form

PROMPTS, INPUT = ("prompt", "instruction", "question", "problem"), "input"
RESPONSES = ("response", "output", "completion", "chosen", "answer", "solution")
CHATS = ("messages", "conversations")
ABOUT = ("language", "lang", "kind", "license", "licence")
_TEXTS = (*PROMPTS, INPUT, *RESPONSES, "rejected", "text", *CHATS, *ABOUT)
_ROLES = {"system": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}
_MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
_PAIR = ("_asked", "_said")
_WRONG_FORM = "it has neither a `text`, nor `prompt` and `response`, nor `messages` with an answer of the assistant"


@derived(
    reads=data_files("external/*", table="external_files", texts=_TEXTS),
    columns={
        "prompt": pl.String,
        "response": pl.String,
        "rejected": pl.String,
        "messages": _MESSAGES,
        "text": pl.String,
        "language": pl.String,
        "source": pl.String,
        "kind": pl.String,
        "license": pl.String,
    },
    description="Rows of training data that was made elsewhere, which recipes mix with their own.",
    nullable=("prompt", "response", "rejected", "messages", "text", "kind", "license"),
    modules=("text.language", "text.near", "text.tokens"),
)
def external_rows(files: pl.LazyFrame) -> pl.DataFrame:
    """One row for each of a file, in whichever usual layout it stands there.

    | layout | keys |
    | --- | --- |
    | answers | `prompt`, `instruction` (with an `input` or none), `question`, `problem`; `response`, `output`, ... |
    | preferences | the same with `chosen` and `rejected`, or `output: [chosen, rejected]` in every row of the file |
    | chats | `messages` (`role`, `content`) or `conversations` (`from`, `value`) |
    | texts | `text` |

    A chat of a question and its answer is `prompt` and `response`, any other one `messages`. `source` is the name of
    its file, `kind` and `license` are what the row says. Set aside: `wrong_form`, `empty`, `repeated` (what an earlier
    row says).
    """
    there = files.collect_schema().names()
    columns = [pl.col(name) if name in there else pl.lit(None, pl.String()).alias(name) for name in _TEXTS]
    rows = files.select("row_id", "place", "file", "shard", *columns).sort("place").collect()
    rows = _with_pairs(_with_chats(rows)).with_columns(
        prompt=_asked(),
        response=pl.coalesce(RESPONSES),
        language=pl.coalesce("language", "lang"),
        license=pl.coalesce("license", "licence"),
    )
    texts = ("prompt", "response", "rejected", "text")
    answered = pl.col("prompt").is_not_null() & pl.col("response").is_not_null()
    said = pl.col("messages").list.eval(pl.element().struct.field("content"))
    whole = pl.concat_str(*texts, said.list.join("\n"), separator="\n", ignore_nulls=True)
    is_empty = [(pl.col(name).str.strip_chars() == "").fill_null(value=False) for name in texts]
    rows = rows.with_columns(_same=form(whole)).with_columns(
        reason=pl.when(~answered & pl.all_horizontal(pl.col("text", "messages").is_null()))
        .then(pl.lit("wrong_form"))
        .when(pl.any_horizontal(*is_empty, (said.list.eval(pl.element().str.strip_chars() == "").list.any())))
        .then(pl.lit("empty"))
        .when(~pl.col("_same").is_first_distinct())
        .then(pl.lit("repeated")),
        _first=pl.col("place").first().over("_same"),
    )
    why = {
        "wrong_form": pl.lit(_WRONG_FORM),
        "empty": pl.lit("one of its texts is empty"),
        "repeated": pl.format("it says what row {} says", pl.col("_first") + 1),
    }
    detail = pl.coalesce(pl.when(pl.col("reason") == name).then(text) for name, text in why.items())
    told = told_language(rows.select(whole.fill_null("")).to_series().to_list())
    return rows.select(
        *(*texts, "messages", "kind", "license", "reason"),
        source="shard",
        parent_ids=pl.concat_list("row_id"),
        language=pl.coalesce("language", pl.Series(told, dtype=pl.String)),
        detail=pl.format("{}, row {}: {}", "file", pl.col("place") + 1, detail),
    )


def _asked() -> pl.Expr:
    has_input = pl.col(INPUT).str.contains(r"\S").fill_null(value=False)
    asked = pl.coalesce(PROMPTS)
    return pl.when(has_input).then(pl.format("{}\n\n{}", asked, INPUT)).otherwise(asked)


def _with_chats(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `messages` as a list, or null; those of one question and its answer as these."""
    chats = [_messages(chat) for chat in rows.select(pl.coalesce(CHATS)).to_series()]
    pairs = [_pair_of(chat) for chat in chats]
    told = {name: pl.Series([pair and pair[at] for pair in pairs], dtype=pl.String) for at, name in enumerate(_PAIR)}
    talks = [None if pair else chat for chat, pair in zip(chats, pairs, strict=True)]
    return rows.with_columns(**told, messages=pl.Series(talks, dtype=_MESSAGES)).with_columns(
        prompt=pl.coalesce("prompt", _PAIR[0]), response=pl.coalesce("response", _PAIR[1])
    )


def _pair_of(chat: list[dict[str, str]] | None) -> list[str] | None:
    """The texts of a chat of one question and its answer."""
    is_pair = [one["role"] for one in chat or ()] == ["user", "assistant"]
    return [one["content"] for one in chat or ()] if is_pair else None


def _messages(chat: str | None) -> list[dict[str, str]] | None:
    """The messages of a chat in which the assistant answers; null of anything else."""
    try:
        turns: Any = json.loads(chat or "null")
    except ValueError:
        return None
    if not (isinstance(turns, list) and all(isinstance(one, dict) for one in turns)):
        return None
    roles = [_ROLES.get(str(one.get("role", one.get("from")))) for one in turns]
    texts = [one.get("content", one.get("value")) for one in turns]
    if "assistant" not in roles or None in roles or not all(isinstance(text, str) for text in texts):
        return None
    return [{"role": str(role), "content": text} for role, text in zip(roles, texts, strict=True)]


def _with_pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of a file with two texts as each `output`: the chosen one, and the rejected one."""
    said = rows["output"].drop_nulls()
    pairs = [_pair(text) for text in said]
    if not pairs or None in pairs:  # an answer may be a list by itself; that every one has two texts is no chance
        return rows
    chosen, rejected = ({text: pair[at] for text, pair in zip(said, pairs, strict=True) if pair} for at in (0, 1))
    return rows.with_columns(
        output=pl.col("output").replace(chosen),
        rejected=pl.coalesce("rejected", pl.col("output").replace_strict(rejected, return_dtype=pl.String)),
    )


def _pair(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        found: Any = json.loads(text)
    except ValueError:
        return None
    fits = isinstance(found, list) and len(found) == 2 and all(isinstance(one, str) for one in found)
    return found if fits else None
