import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.prompts.scripts import BACKGROUND, SPEAKING, THINKING, script


def turns(*told: tuple[str, str, str]) -> list[dict[str, str]]:
    return [{"speaker": speaker, "action": action, "text": text} for speaker, action, text in told]


WANTED = turns(
    ("Background", BACKGROUND, "It rains. Ada waits."),
    ("Ada", THINKING, "He is late: again."),
    ("Ada", SPEAKING, "You are late.\nAnd wet."),
    ("Tom", SPEAKING, "Sorry, the road: it was flooded."),
)


ANSWERS = (
    """Background: It rains. Ada waits.

Ada (thinking): He is late: again.
Ada (speaking): You are late.
And wet.
Tom (speaking): Sorry, the road: it was flooded.""",
    """**Background:** It rains. Ada waits.

**Ada (thinking):** He is late: again.
**Ada** (speaking): You are late.
  And wet.

Tom: Sorry, the road: it was flooded.
""",
    """Here is the script.

1. Setting: It rains. Ada waits.
2. Ada [thinks]: He is late: again.
3. Ada (says): You are late.
And wet.
4. Tom (Speaking) : Sorry, the road: it was flooded.""",
    """```
Scene: It rains. Ada waits.
Ada (thinking): He is late: again.<|eot|>
Ada (speaking): You are late.
Ada (speaking): And wet.<|eot|>
Tom (speaking): Sorry, the road: it was flooded.<|eot|>
```""",
)


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_script_is_read_whatever_a_model_puts_around_names(answer: str) -> None:
    found = script(answer)
    found[0]["speaker"] = "Background"
    assert found == WANTED


@pytest.mark.parametrize("key", ["turns", "script", "dialogue"])
def test_the_same_is_read_of_json(key: str) -> None:
    told = [
        {"role": "Ada", "action": "(thinking)", "content": "He is late: again."},
        {"speaker": "Ada", "action": "speaking", "text": "You are late.\nAnd wet."},
        {"speaker": "Tom", "text": "Sorry, the road: it was flooded."},
    ]
    assert script(json.dumps({"background": "It rains. Ada waits.", key: told})) == WANTED
    assert script(json.dumps(told)) == WANTED[1:]


def test_actions_are_told_in_chinese_and_russian() -> None:
    chinese = "背景：下雨了。\n林秋月（心想）：他又迟到了。\n林秋月（说）：你来了。\n老王：路上堵。"
    assert script(chinese) == turns(
        ("背景", BACKGROUND, "下雨了。"),
        ("林秋月", THINKING, "他又迟到了。"),
        ("林秋月", SPEAKING, "你来了。"),
        ("老王", SPEAKING, "路上堵。"),
    )
    russian = "Обстановка: Дождь.\nИван (думает): Опять.\nИван (говорит): Здравствуй."
    assert [one["action"] for one in script(russian)] == [BACKGROUND, THINKING, SPEAKING]


def test_an_action_of_another_kind_stays_as_it_stands() -> None:
    assert script("Ada (sighing): Well.") == turns(("Ada", "sighing", "Well."))


def test_a_sentence_with_a_colon_is_no_speaker() -> None:
    found = script("Ada (speaking): Listen.\nThe truth is simple: he never comes.\nTom (speaking): Oh.")
    assert found == turns(("Ada", SPEAKING, "Listen.\nThe truth is simple: he never comes."), ("Tom", SPEAKING, "Oh."))


def test_a_script_that_breaks_off_keeps_what_is_there() -> None:
    found = script("Ada (speaking): Listen.\nTom (speaking): I was on the bri")
    assert found[-1] == {"speaker": "Tom", "action": SPEAKING, "text": "I was on the bri"}
    assert script("Ada (speaking): Listen.\nTom (spea")[-1]["text"] == "Listen.\nTom (spea"


@pytest.mark.parametrize(
    "answer", ["", "   ", "I cannot do that.", "[]", "{}", '{"a": 1}', "[1, 2]", "Ada (speaking):"]
)
def test_where_nobody_says_anything_there_are_no_turns(answer: str) -> None:
    assert script(answer) == []


_TEXT = st.text(st.characters(categories=["L", "N"], include_characters=" .,!?"), min_size=1).map(str.strip)
_TURN = st.tuples(
    st.sampled_from(["Ada Quill", "Tom", "An old man", "林秋月", "Иван"]),
    st.sampled_from([SPEAKING, THINKING]),
    _TEXT.filter(bool),
)


@given(st.lists(_TURN, min_size=1))
def test_what_is_written_as_a_script_is_read_again(told: list[tuple[str, str, str]]) -> None:
    written = "\n".join(f"{speaker} ({action}): {text}" for speaker, action, text in told)
    wanted: list[dict[str, str]] = []
    for one in turns(*told):
        if wanted and (wanted[-1]["speaker"], wanted[-1]["action"]) == (one["speaker"], one["action"]):
            wanted[-1]["text"] += "\n" + one["text"]
        else:
            wanted.append(one)
    assert script(written) == wanted


@given(st.text())
def test_no_answer_makes_it_fail(answer: str) -> None:
    for one in script(answer):
        assert set(one) == {"speaker", "action", "text"}
        assert one["text"]
