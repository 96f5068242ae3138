from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.engines.base import ModelIdentity, Sampling, call_key, score_text
from persona_assets.errors import UsageError
from persona_assets.prompts import Template, load_template
from persona_assets.prompts.parsers import dialogue, lines, text
from persona_assets.prompts.template import Answering
from persona_assets.steps.answers import read_answer, repairable

TASK: dict[str, Any] = {
    "name": "stories",
    "version": 1,
    "title": "Stories",
    "description": "Stories in plain text.",
    "messages": [{"role": "user", "content": "Tell one"}],
}


def task(parser: str, part: object) -> Template:
    schema = {"type": "object", "required": ["story"], "properties": {"story": part}}
    return Template.model_validate(TASK | {"answer": {"parser": parser}, "response_schema": schema})


def test_a_text_is_the_whole_answer() -> None:
    assert read_answer("  Once, 从前, однажды.\n", task("text", {"type": "string"})) == (
        {"story": "Once, 从前, однажды."},
        "",
    )


@pytest.mark.parametrize("answer", ["", " \n", "  as it is\n", "<think>cut off in the middle of"])
def test_a_raw_answer_is_taken_as_it_is_even_an_empty_one(answer: str) -> None:
    assert read_answer(answer, task("raw", {"type": "string"})) == ({"story": answer}, "")
    assert read_answer(answer, task("text", {"type": "string"})) != ({"story": answer}, "")


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("1. one\n2) two\n\n- three", ["one", "two", "three"]),
        ("1、第一\n2、第二", ["第一", "第二"]),
        ("• первый\n• второй", ["первый", "второй"]),
        ("```\n3.5 litres of milk\n```", ["3.5 litres of milk"]),
    ],
)
def test_lines_are_read_without_what_numbers_them(answer: str, found: list[str]) -> None:
    assert lines(answer) == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("Ann: Hello.\nBob: Good day.\nHow are you?", [("Ann", "Hello."), ("Bob", "Good day.\nHow are you?")]),
        ("**王老师**：你好。\n学生：老师好！", [("王老师", "你好。"), ("学生", "老师好！")]),
        ("Here it is\nИван: Привет", [("Иван", "Привет")]),
    ],
)
def test_a_dialogue_is_read_by_speaker(answer: str, found: list[tuple[str, str]]) -> None:
    assert [(one["speaker"], one["text"]) for one in dialogue(answer)] == found


@given(st.text())
def test_no_answer_ends_in_an_error(answer: str) -> None:
    for parser, part in (
        ("text", {"type": "string"}),
        ("lines", {"type": "array", "items": {"type": "string"}}),
    ):
        value, problem = read_answer(answer, task(parser, part))
        assert (value is None) == bool(problem)
    assert all(set(one) == {"speaker", "text"} for one in dialogue(answer))
    assert text(answer) == answer.strip()


def test_an_answer_that_is_empty_says_so_and_is_not_repaired() -> None:
    template = task("text", {"type": "string"})
    assert read_answer(" \n", template) == (None, "nothing can be read out of it by the parser text")
    assert not repairable(template, "stop")


def test_the_model_is_given_no_schema_to_keep_to() -> None:
    assert task("text", {"type": "string"}).asked_schema == {}


SCORE = Template.model_validate(
    TASK
    | {
        "messages": [*TASK["messages"], {"role": "assistant", "content": "Once"}],
        "answer": {"parser": "score"},
        "response_schema": {
            "type": "object",
            "required": ["logprob", "tokens"],
            "properties": {"logprob": {"type": "number"}, "tokens": {"type": "integer"}},
        },
    }
)


@pytest.mark.parametrize(("logprob", "tokens"), [(-12.345678901234567, 4), (0.0, 0), (-1e-300, 1)])
def test_a_score_is_read_as_it_was_told(logprob: float, tokens: int) -> None:
    assert read_answer(score_text(logprob, tokens), SCORE) == ({"logprob": logprob, "tokens": tokens}, "")


@pytest.mark.parametrize("answer", ["", "-3.5", '{"logprob":null,"tokens":1}', '{"logprob":-3.5}', "{'logprob': -3.5}"])
def test_what_is_no_score_is_told_and_not_repaired(answer: str) -> None:
    value, problem = read_answer(answer, SCORE)
    assert value is None
    assert problem
    assert not repairable(SCORE, "score")


def test_a_score_has_another_key_than_a_text_after_the_same_messages() -> None:
    answer = {"type": "object", "properties": {"story": {"type": "string"}}}
    written = SCORE.model_copy(update={"answer": Answering(parser="text"), "response_schema": answer})
    assert (SCORE.scores, written.scores) == (True, False)
    assert SCORE.messages == written.messages
    keys = {
        call_key(one.render({}), one.asked_schema, ModelIdentity("m", ""), Sampling(0.7, 0.95, 9, 0), 0)
        for one in (SCORE, written)
    }
    assert len(keys) == 2


def test_a_template_kept_by_the_ledger_still_asks_for_a_score() -> None:
    kept = Template.of_prompt_part(SCORE.prompt_part())
    assert (kept.scores, kept.asked_schema, kept.digest) == (True, SCORE.asked_schema, SCORE.digest)


@pytest.mark.parametrize(
    ("parser", "part", "said"),
    [
        ("text", {"type": "integer"}, "gives a value of type string"),
        ("dialogue", {"type": "array", "items": {"type": "string"}}, "objects of speaker and text"),
        ("verse", {"type": "string"}, "answer.parser"),
    ],
)
def test_a_schema_that_a_parser_cannot_fill_is_told(parser: str, part: object, said: str, tmp_path: object) -> None:
    from pathlib import Path

    import yaml

    path = Path(str(tmp_path)) / "stories.yaml"
    schema = {"type": "object", "properties": {"story": part}}
    path.write_text(yaml.safe_dump(TASK | {"answer": {"parser": parser}, "response_schema": schema}))
    with pytest.raises(UsageError, match=said):
        load_template(path)
