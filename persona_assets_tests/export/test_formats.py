"""What each format makes of a row, and which rows it has no place for."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.errors import UsageError
from persona_assets.export.formats import FORMATS

MESSAGE = pl.Struct({"role": pl.String, "content": pl.String})
CALLING = pl.Struct({"role": pl.String, "content": pl.String, "tool_calls": pl.String, "tool_call_id": pl.String})
USER, ASSISTANT = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}
SYSTEM = {"role": "system", "content": "Be kind"}


def shaped(form: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in a format, with the reason why a row is left out."""
    columns, fault = FORMATS[form](frame.schema)
    return frame.select(**columns, fault=fault)


def talk(form: str, *messages: dict[str, Any], of: pl.DataType = MESSAGE) -> dict[str, Any]:
    frame = pl.DataFrame({"messages": [list(messages)]}, schema={"messages": pl.List(of)})
    return shaped(form, frame).row(0, named=True)


def pair(form: str, prompt: str | None, response: str | None) -> dict[str, Any]:
    schema = {"prompt": pl.String, "response": pl.String}
    return shaped(form, pl.DataFrame({"prompt": [prompt], "response": [response]}, schema=schema)).row(0, named=True)


def preference(prompt: str | None, chosen: str | None, rejected: str | None) -> Any:
    schema = dict.fromkeys(("prompt", "chosen", "rejected"), pl.String)
    return shaped("dpo", pl.DataFrame([(prompt, chosen, rejected)], schema=schema, orient="row"))["fault"].item()


def test_sharegpt_renames_roles() -> None:
    row = pair("sharegpt", "Hi", "Yes")["conversations"]
    assert row == [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yes"}]


def test_a_message_of_the_system_comes_first_in_sharegpt() -> None:
    row = talk("sharegpt", SYSTEM, USER, ASSISTANT)
    assert [one["from"] for one in row["conversations"]] == ["system", "human", "gpt"]
    assert row["fault"] is None


@pytest.mark.parametrize("form", ["chatml", "sharegpt", "alpaca"])
def test_an_empty_message_of_the_system_is_left_out_of_the_conversation(form: str) -> None:
    assert talk(form, {"role": "system", "content": " \n"}, USER, ASSISTANT) == talk(form, USER, ASSISTANT)
    assert talk(form, USER, ASSISTANT)["fault"] is None


def test_alpaca_takes_one_question_and_its_answer() -> None:
    row = talk("alpaca", USER, ASSISTANT)
    assert row == {"instruction": "Hi", "input": "", "output": "Yes", "fault": None}
    assert pair("alpaca", "Hi", "Yes") == row


@pytest.mark.parametrize(
    ("form", "messages", "reason"),
    [
        ("alpaca", [USER, ASSISTANT, USER, ASSISTANT], "several_turns"),
        ("alpaca", [SYSTEM, USER, ASSISTANT], "has_system"),
        ("alpaca", [ASSISTANT], "several_turns"),
        ("alpaca", [{"role": None, "content": "Hi"}, ASSISTANT], "several_turns"),
        ("chatml", [], "no_messages"),
        ("chatml", [USER], "no_answer"),
        ("chatml", [{"role": "user", "content": " "}, ASSISTANT], "empty_message"),
        ("chatml", [{"role": "user", "content": None}, ASSISTANT], "empty_message"),
        ("chatml", [USER, {"role": None, "content": "Yes"}], "no_answer"),
        ("sharegpt", [{"role": "critic", "content": "Hm"}, ASSISTANT], "unknown_role"),
    ],
)
def test_a_conversation_that_a_format_has_no_place_for_is_told_why(
    form: str, messages: list[dict[str, Any]], reason: str
) -> None:
    assert talk(form, *messages)["fault"] == reason


def test_a_row_without_messages_has_none() -> None:
    frame = pl.DataFrame({"messages": [None]}, schema={"messages": pl.List(MESSAGE)})
    assert shaped("chatml", frame)["fault"].item() == "no_messages"


@pytest.mark.parametrize("form", ["chatml", "sharegpt", "alpaca"])
@pytest.mark.parametrize(
    ("prompt", "response", "reason"),
    [("Hi", "", "missing_response"), (None, "Yes", "missing_prompt"), ("\n\t", None, "missing_prompt")],
)
def test_a_pair_without_one_of_its_texts_is_left_out(
    form: str, prompt: str | None, response: str | None, reason: str
) -> None:
    assert pair(form, prompt, response)["fault"] == reason


def test_a_call_of_a_tool_has_a_place_in_chatml_and_none_in_sharegpt() -> None:
    calls = {**ASSISTANT, "content": "", "tool_calls": "[{}]", "tool_call_id": None}
    gave = {"role": "tool", "content": "3", "tool_calls": None, "tool_call_id": "call_1"}
    rest = {"tool_calls": None, "tool_call_id": None}
    messages = [{**USER, **rest}, calls, gave, {**ASSISTANT, **rest}]
    assert talk("chatml", *messages, of=CALLING)["fault"] is None
    assert talk("sharegpt", *messages, of=CALLING)["fault"] == "calls_a_tool"


def test_the_tools_stand_beside_the_messages() -> None:
    frame = pl.DataFrame({"messages": [[USER, ASSISTANT]], "tools": ["[]"]})
    assert shaped("chatml", frame).columns == ["messages", "tools", "fault"]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (("p", "c", "r"), None),
        (("p", None, "r"), "missing_chosen"),
        (("p", "c", " "), "missing_rejected"),
        ((None, None, None), "missing_prompt"),
        (("p", "same", "same"), "answers_equal"),
    ],
)
def test_a_preference_has_a_prompt_and_two_answers_that_differ(
    texts: tuple[str | None, str | None, str | None], reason: str | None
) -> None:
    assert preference(*texts) == reason


def test_dpo_of_a_dataset_without_pairs_is_an_error() -> None:
    with pytest.raises(UsageError, match="dpo needs the column chosen, which is not there: use plain"):
        FORMATS["dpo"]({"prompt": pl.String()})


@given(prompt=st.text(), response=st.text())
def test_texts_stand_in_every_format_as_they_were(prompt: str, response: str) -> None:
    one, two = pair("chatml", prompt, response)["messages"]
    assert (one["content"], two["content"]) == (prompt, response)
    asked, told = pair("sharegpt", prompt, response)["conversations"]
    assert (asked["value"], told["value"]) == (prompt, response)
    row = pair("alpaca", prompt, response)
    assert (row["instruction"], row["output"]) == (prompt, response)
