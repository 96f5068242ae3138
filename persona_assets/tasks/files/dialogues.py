"""Conversations in the form that training takes them in: messages of user and assistant in turn."""

import polars as pl

from persona_assets.tasks.derived import derived

_MESSAGE = pl.Struct({"role": pl.String, "content": pl.String})
_ROLES = ("user", "assistant")  # what the speakers of a conversation are called there


@derived(
    reads=("conversations", "instructions"),
    columns={"messages": pl.List(_MESSAGE), "turns": pl.Int64},
    description="Conversations as lists of messages, from the instruction to the assistant's last answer.",
)
def dialogues(conversations: pl.LazyFrame, instructions: pl.LazyFrame) -> pl.LazyFrame:
    """A row for each conversation: `messages` of `role` and `content`, and their number as `turns`.

    It begins with the instruction and ends with the assistant: what the user says last, which closes a talk, is cut
    away, as nobody answers it. Set aside are conversations whose instruction is gone (`no_instruction`), in which the
    assistant never answers (`no_answer`), whose roles do not alternate (`roles_out_of_turn`), or that have a message
    without a word in it (`empty_message`).
    """
    asked = instructions.select(instruction_id="sample_id", instruction="instruction")
    told = conversations.select("talk", parent_ids=pl.concat_list("sample_id"), above=pl.col("parent_ids").list.first())
    joined = told.join(asked, left_on="above", right_on="instruction_id", how="left", maintain_order="left")
    first = pl.struct(role=pl.lit("user"), content=pl.col("instruction")).cast(_MESSAGE)
    said = pl.col("talk").list.eval(
        pl.struct(role=pl.element().struct.field("speaker"), content=pl.element().struct.field("text")).cast(_MESSAGE)
    )
    listed = joined.with_columns(messages=pl.concat_list(pl.concat_list(first), said.fill_null([])))
    cut = listed.with_columns(messages=_up_to_the_last_answer(pl.col("messages")))
    faults = cut.with_columns(reason=_fault())
    return faults.select(
        "parent_ids",
        "messages",
        "reason",
        turns=pl.col("messages").list.len().cast(pl.Int64),
        detail=pl.when(pl.col("reason").is_not_null()).then(_roles(pl.col("messages")).list.join(", ")),
    )


def _roles(messages: pl.Expr) -> pl.Expr:
    return messages.list.eval(pl.element().struct.field("role"))


def _up_to_the_last_answer(messages: pl.Expr) -> pl.Expr:
    """The messages without those of the user behind the assistant's last one."""
    backwards = _roles(messages).list.reverse()
    behind = backwards.list.eval((pl.element() == _ROLES[1]).arg_max()).list.first()
    return messages.list.head(messages.list.len() - behind.fill_null(0))


def _fault() -> pl.Expr:
    """Why a list of messages is none to train on; null where it is one."""
    messages = pl.col("messages")
    length = messages.list.len()
    even = _roles(messages.list.gather_every(2))
    odd = _roles(messages.list.gather_every(2, 1))
    in_turn = (even.list.eval(pl.element() == _ROLES[0]).list.all()) & (
        odd.list.eval(pl.element() == _ROLES[1]).list.all()
    )
    blank = messages.list.eval(pl.element().struct.field("content").str.strip_chars().fill_null("") == "").list.any()
    return (
        pl.when(pl.col("instruction").is_null())
        .then(pl.lit("no_instruction"))
        .when(~_roles(messages).list.contains(_ROLES[1]))
        .then(pl.lit("no_answer"))
        .when(~in_turn | (length % 2 == 1))
        .then(pl.lit("roles_out_of_turn"))
        .when(blank)
        .then(pl.lit("empty_message"))
    )
