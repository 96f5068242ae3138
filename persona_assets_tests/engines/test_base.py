from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.engines.base import ModelIdentity, Sampling, call_key
from persona_assets.prompts import Message
from persona_assets_tests.engines.tiny import TEMPLATE
from persona_assets_tests.engines.tiny import settings as engine_settings

SAMPLING = Sampling(0.7, 0.95, 2048, 0)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
message = st.builds(
    lambda role, content: Message(role=role, content=content), st.sampled_from(["system", "user"]), text
)
parts = st.fixed_dictionaries(
    {
        "messages": st.lists(message, min_size=1, max_size=3),
        "response_schema": st.dictionaries(text, text, max_size=2),
        "identity": st.builds(ModelIdentity, text, text),
        "sampling": st.builds(
            Sampling, st.floats(0, 2), st.floats(0.01, 1), st.integers(1, 4096), st.integers(-(2**31), 2**31)
        ),
        "attempt": st.integers(0, 9),
    }
)


@settings(max_examples=100, deadline=None)
@given(one=parts, other=parts)
def test_two_keys_are_equal_exactly_where_all_that_shapes_the_answer_is(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert (call_key(**one) == call_key(**other)) == (one == other)
    assert call_key(**one) == call_key(**one)


@pytest.mark.parametrize(
    "changed",
    [
        {"messages": [Message(role="system", content="Other."), Message(role="user", content="Hi.")]},
        {"messages": [Message(role="user", content="Hi.")]},
        {"response_schema": {"type": "array"}},
        {"identity": ModelIdentity("m2", "r")},
        {"identity": ModelIdentity("m", "r2")},
        {"identity": ModelIdentity("mr", "")},
        {"sampling": replace(SAMPLING, temperature=0.71)},
        {"sampling": replace(SAMPLING, top_p=0.9)},
        {"sampling": replace(SAMPLING, max_tokens=2047)},
        {"sampling": replace(SAMPLING, seed=1)},
        {"attempt": 1},
    ],
    ids=str,
)
def test_each_thing_that_shapes_the_answer_changes_the_key(changed: dict[str, Any]) -> None:
    usual: dict[str, Any] = {
        "messages": [Message(role="system", content="Answer."), Message(role="user", content="Hi.")],
        "response_schema": {"type": "object"},
        "identity": ModelIdentity("m", "r"),
        "sampling": SAMPLING,
        "attempt": 0,
    }
    assert call_key(**usual | changed) != call_key(**usual)


def test_a_key_stays_the_same_between_versions_of_this_code() -> None:
    messages = [Message(role="system", content="Ответь."), Message(role="user", content="你好")]
    key = call_key(messages, {"type": "object"}, ModelIdentity("m", ""), SAMPLING, 0)
    assert key == "call_494aaa8f5d3ee583800cf4b181fd34cb"


def test_a_template_overrides_the_sampling_settings() -> None:
    values = engine_settings("http://127.0.0.1/v1", temperature=0.2, seed=9)
    cold = TEMPLATE.model_copy(update={"sampling": {"temperature": 0.0, "max_tokens": 10}})
    assert Sampling.of(values, TEMPLATE) == Sampling(0.2, 0.95, 2048, 9)
    assert Sampling.of(values, cold) == Sampling(0.0, 0.95, 10, 9)
