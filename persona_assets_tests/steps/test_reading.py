"""What is read out of answers as models give them: each form of harm, and what only looks like one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.prompts import Template
from persona_assets.steps.answers import read_answer, repairable
from persona_assets_tests.tasks.own import answer_of, task

TEXT = Template.model_validate(task("said", "Say.", answer_of(text="string")))


def template(schema: dict[str, Any]) -> Template:
    return Template.model_validate(task("said", "Say.", schema))


def text(answer: str) -> str:
    """The one text of an answer."""
    value, problem = read_answer(answer, TEXT)
    assert problem == ""
    return str(value["text"])


@pytest.mark.parametrize(
    "answer",
    [
        '{"text": "so"}',
        '\ufeff{"text": "so"}',
        '```json\n{"text": "so"}\n```',
        'Here is the answer:\n```\n{"text": "so"}\n```\nI hope that helps!',
        'Sure! {"text": "so"} Let me know.',
        'Конечно: {"text": "so"} Готово.',
        '好的，答案如下：{"text": "so"}。',
        '<think>Is {"text": "no"} right? "Maybe</think>\n{"text": "so"}',
        'thinking without a start</think>{"text": "so"}',
        '<THINKING>a</THINKING> {"text": "so"}<|im_end|>',
        '{"text": "so"}</s>',
        'For example {"text": "no"}, but better: {"text": "so"}',
        'The set {1, 2} and [3]: {"text": "so"}',
        '[{"text": "so"}]',
        '{"text": "so",}',
        '{\n  "text": "so",\n}',
    ],
)
def test_the_value_is_found_in_what_stands_around_it(answer: str) -> None:
    assert text(answer) == "so"


@pytest.mark.parametrize(
    "answer, meant",
    [
        (r'{"text": "$\frac{1}{2}$"}', r"$\frac{1}{2}$"),
        (r'{"text": "so \frac{1}{2} it is"}', r"so \frac{1}{2} it is"),
        (r'{"text": "\beta and \boxed{4}"}', r"\beta and \boxed{4}"),
        (r'{"text": "\\frac{1}{2}"}', r"\frac{1}{2}"),
        (r'{"text": "\( x \) and \[ y \]"}', r"\( x \) and \[ y \]"),
        (r'{"text": "\sqrt{2}, 5\% and \$3"}', r"\sqrt{2}, 5\% and \$3"),
        (r'{"text": "\underline{so} \url"}', r"\underline{so} \url"),
        (r'{"text": "$3 \times 4$"}', r"$3 \times 4$"),
        (r'{"text": "\(\theta \neq \nu\)"}', r"\(\theta \neq \nu\)"),
        (r'{"text": "$\rho \to \text{a}$"}', r"$\rho \to \text{a}$"),
        (r'{"text": "\sqrt{2} \times 3"}', r"\sqrt{2} \times 3"),
        (r'{"text": "\text{east}"}', r"\text{east}"),
        (r'{"text": "\begin{pmatrix} 1 \\ 2 \end{pmatrix}"}', r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (r'{"text": "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"}', r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (
            '{"text": "设 \\theta 为 $\\frac{\\pi}{3}$，求 $\\tan\\theta$"}',
            r"设 \theta 为 $\frac{\pi}{3}$，求 $\tan\theta$",
        ),
    ],
)
def test_tex_arrives_as_it_was_meant(answer: str, meant: str) -> None:
    assert text(answer) == meant


@pytest.mark.parametrize(
    "answer, meant",
    [
        (r'{"text": "a\nb"}', "a\nb"),
        (r'{"text": "First.\nnext\n\nto be"}', "First.\nnext\n\nto be"),
        (r'{"text": "选项：\na. 物理\nb. 化学\ne. 生物"}', "选项：\na. 物理\nb. 化学\ne. 生物"),
        (r'{"text": "$5$ each\ne. bread\ni. milk \sqrt{2}"}', "$5$ each\ne. bread\ni. milk \\sqrt{2}"),
        (r'{"text": "a\ttan shoe\nto go"}', "a\ttan shoe\nto go"),
        (r'{"text": "C:\\temp\\new"}', r"C:\temp\new"),
        (r'{"text": "C:\temp\new"}', "C:\temp\new"),
        (r'{"text": "for i in x:\n\tprint(i)\n\treturn"}', "for i in x:\n\tprint(i)\n\treturn"),
        (r'{"text": "It costs $5.\nto be paid"}', "It costs $5.\nto be paid"),
        (r'{"text": "First $5,\nto be paid at once, then $6"}', "First $5,\nto be paid at once, then $6"),
        (r'{"text": "caf\u00e9 \ud83d\ude00"}', "café 😀"),
    ],
)
def test_what_is_no_tex_stays_as_json_has_it(answer: str, meant: str) -> None:
    assert text(answer) == meant


def test_no_control_character_but_newline_and_tab_is_kept_and_half_a_pair_is_replaced() -> None:
    assert text('{"text": "a\\u0000b\\u001bc\\r\\nd\\re\\tf\\bg\\fh\x7f"}') == "abc\nd\ne\tfgh"
    assert text('{"text": "a\\ud83d tail"}') == "a\ufffd tail"
    assert text('{"text": "raw\nbreak and\ttab"}') == "raw\nbreak and\ttab"


@pytest.mark.parametrize(
    "schema, answer, value",
    [
        (answer_of(n="integer"), '{"n": "6"}', {"n": 6}),
        (answer_of(n="number"), '{"n": " 2.5 "}', {"n": 2.5}),
        (answer_of(n="string"), '{"n": 6}', {"n": "6"}),
        (answer_of(n="string"), '{"n": true}', {"n": "true"}),
        (answer_of(n={"type": ["integer", "null"]}), '{"n": "7"}', {"n": 7}),
        (answer_of(n="integer") | {"additionalProperties": False}, '{"n": 1, "why": "so"}', {"n": 1}),
        (answer_of(of={"type": "array", "items": answer_of(n="integer")}), '{"of": [{"n": "3"}]}', {"of": [{"n": 3}]}),
    ],
)
def test_a_difference_that_changes_no_meaning_is_none(schema: dict[str, Any], answer: str, value: Any) -> None:
    assert read_answer(answer, template(schema)) == (value, "")


@pytest.mark.parametrize(
    "schema, answer, problem",
    [
        (answer_of(n="integer"), '{"n": "six"}', "$.n: is not of type integer"),
        (answer_of(n="integer"), '{"n": "6 m"}', "$.n: is not of type integer"),
        (answer_of(n="integer"), '{"n": true}', "$.n: is not of type integer"),
        (answer_of(n="string"), '{"n": {"a": 1}}', "$.n: is not of type string"),
        (answer_of(n="string"), '{"m": "x"}', "$: lacks n"),
        (answer_of(n="string"), '[{"n": "x"}, {"n": "y"}]', "$: is not of type object"),
        (answer_of(n="string"), "just words", "not JSON: there is no JSON value in it"),
        (answer_of(n="string"), '{"n": "cut', "not JSON: there is no JSON value in it"),
        (answer_of(n="number"), '{"n": NaN}', "not JSON: there is no JSON value in it"),
        (answer_of(n="string"), "  ", "not JSON: it is empty"),
        (answer_of(n="string"), '<think>so {"n": "x"}', "not JSON: it ends within a thought"),
    ],
)
def test_what_cannot_be_read_is_told_in_words_of_our_own(schema: dict[str, Any], answer: str, problem: str) -> None:
    assert read_answer(answer, template(schema)) == (None, problem)


@pytest.mark.parametrize("depth", [300, 5_000, 200_000])
def test_an_answer_that_nests_too_deeply_is_set_aside_and_not_asked_again(depth: int) -> None:
    for answer in ('{"text": "a", "x": ' + '{"x":' * depth + "1" + "}" * (depth + 1), "[" * depth):
        value, problem = read_answer(answer, TEXT)
        assert value is None
        assert problem
    value, problem = read_answer('{"text": "a", "x": ' + "[" * 300 + "]" * 300 + "}", TEXT)
    assert (value, repairable(TEXT, "stop", problem)) == (None, False)


def test_long_runs_of_one_character_take_no_more_than_their_length() -> None:
    for filling in (" ", "\n", "\\", ",", "<", "$", "{"):
        value, problem = read_answer('{"text": "a"' + filling * 200_000 + "}", TEXT)
        assert (value is None) == bool(problem)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=("Cs", "Cc"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(said=st.text(st.characters(exclude_categories=("Cs", "Cc"))), beside=_JSON)
def test_what_json_writes_is_read_as_it_was(said: str, beside: Any) -> None:
    value = {"text": said, "beside": beside}
    for answer in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=2), f"So: {json.dumps(value)}"):
        found, problem = read_answer(answer, TEXT)
        assert (found, problem) == (value, "")


@given(st.text('{}[]",:\\ntfub$ \n', max_size=200))
def test_no_text_raises(answer: str) -> None:
    value, problem = read_answer(answer, TEXT)
    assert (value is None) == bool(problem)
