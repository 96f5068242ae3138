"""The rules of conversations: an answer states what the tool gave, and nobody names the tool."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.rules.sample import Sample
from persona_assets.rules.tool_talk import names_no_tool, states_result


def seen(answer: str, result: Any, language: str = "en") -> str | None:
    return states_result(Sample({"answer": answer}, "", language, {"result": json.dumps(result)}), field="answer")


@pytest.mark.parametrize(
    ("answer", "result", "language"),
    [
        ("It costs $1,234.50 in all, 20% off.", {"total": 1234.5, "off": 0.2}, "en"),
        ("Three days.", 3, "en"),
        ("About 12.35 kg", {"mass": 12.3456}, "en"),
        ("You are 30 short.", -30, "en"),
        ("Some 1.2 million people", [1200000], "en"),
        ("Nothing is saved; you pay 40.", {"saved": 0, "total": 40.0}, "en"),
        ("Yes.", {"fits": True, "name": "a 7", "more": None}, "en"),
        ("It has 5, 6 and 7 among others.", list(range(1, 20)), "en"),
        ("Всего 1 234,5 рубля.", {"total": 1234.5}, "ru"),
        ("Получится двадцать пять штук.", 25, "ru"),
        ("一共三百二十元。", [320], "zh"),
        ("还能用12.5天。", {"days": 12.5}, "zh"),
        ("Whatever", "", "en"),
    ],
)
def test_figures_are_found_however_they_are_written(answer: str, result: Any, language: str) -> None:
    assert seen(answer, result, language) is None


@pytest.mark.parametrize(
    ("answer", "result", "said"),
    [
        ("It costs 1,234 in all.", {"total": 1243}, "does not state 1243"),
        ("About 12 kg", 12.3456, "does not state 12.3456"),
        ("Soon.", {"days": 3, "hours": 7}, "does not state 3, 7"),
        ("It is 1 and 2.", list(range(1, 20)), "does not state 3, 4, 5"),
    ],
)
def test_an_answer_without_the_figures_is_seen(answer: str, result: Any, said: str) -> None:
    assert said in str(seen(answer, result))


@given(st.text(max_size=80), st.text(max_size=40))
def test_no_text_and_no_result_end_the_rule(answer: str, result: str) -> None:
    states_result(Sample({"answer": answer}, "", "zh", {"result": result}), field="answer")
    seen(answer, result, "ru")


def test_who_names_the_tool_is_seen() -> None:
    about = {"function_name": "check_stock"}
    assert names_no_tool(Sample({"request": "Run check_stock for me"}, "", "en", about), field="request")
    assert names_no_tool(Sample({"request": "How long does my stock last?"}, "", "en", about), field="request") is None
    assert names_no_tool(Sample({"request": "x"}, "", "en"), field="request") is None
