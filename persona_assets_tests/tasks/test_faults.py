"""What is wrong in a task file is told before the first call: with the file, the line, the key and what would do."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from persona_assets.errors import UsageError
from persona_assets.lake import Lake
from persona_assets.tasks.load import datasets
from persona_assets_tests.tasks.own import Run, answer_of, listed, people, steps, task, turn, write

OWN = task("own", "{{ persona }}", answer_of(said="string"))
WHY = turn("Why?", answer_of(why="string"))
SCORE: dict[str, Any] = {
    "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}],
    "response_schema": answer_of(logprob="number", tokens="integer"),
    "answer": {"parser": "score"},
}


def prompt(content: str) -> Any:
    return [{"role": "user", "content": content}]


def fault(folder: Path, *tasks: Any) -> str:
    """What is said of a folder with these task files, without the folder."""
    settings = write(folder, *tasks)
    with pytest.raises(UsageError) as caught:
        datasets(settings)
    return str(caught.value).replace(f"{folder}/", "")


# The line is that of the key in the file, where each of the keys of `OWN` comes before those that are given.
FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown key": ({"raeds": "x"}, "raeds", "unknown key; did you mean reads?"),
    "an unknown key of a turn": (
        {"turns": [WHY | {"histroy": False}]},
        "turns.0.histroy",
        "unknown key; did you mean history?",
    ),
    "an unknown key of a message": (
        {"messages": [{"role": "user", "contnt": "x"}]},
        "messages.0.contnt",
        "unknown key; did you mean content?",
    ),
    "an unknown key of over": ({"over": {"pole": {"values": ["a"], "drw": 1}}}, "over.pole.drw", "did you mean draw?"),
    "an unknown key of over and no values": ({"over": {"pole": {"fil": "x"}}}, "over.pole.fil", "did you mean file?"),
    "an unknown key beside a file": (
        {"over": {"pole": {"file": "x", "row": "y"}}},
        "over.pole.row",
        "unknown key; did you mean rows? (known: answers, draw, file, rows, where)",
    ),
    "items expected of no parameter": ({"expects": "cuont", "params": {"count": 2}}, "expects", "did you mean count?"),
    "a file that is not there": ({"over": {"pole": {"file": "none.yaml"}}}, "over.pole.file", "there is no file "),
    "no values": ({"over": {"pole": []}}, "over.pole.values", "at least 1 item"),
    "a value twice": ({"over": {"pole": ["a", "a"]}}, "over.pole", "the value a stands there twice"),
    "values of two types": ({"over": {"pole": ["a", 1]}}, "over.pole", "the values are of several types"),
    "a value that YAML takes for a truth": ({"over": {"pole": [True, False]}}, "over.pole", "not True; quote texts"),
    "a row of values without an id": ({"over": {"pole": [{"name": "x"}]}}, "over.pole", "a row of values needs an id"),
    "more drawn than there are": ({"over": {"pole": {"values": ["a"], "draw": 2}}}, "over.pole", "draw is 2, of 1"),
    "a name of over that is a column": ({"over": {"text": ["a"]}}, "over.text", "stands for something else"),
    "a name of over that no column can have": ({"over": {"Pole": ["a"]}}, "over.Pole", "cannot be a column"),
    "reads what is not there": ({"reads": "math_problem"}, "reads", "did you mean math_problems?"),
    "reads what has no shards": ({"reads": "persona_survivors"}, "reads", "is partitioned by dump"),
    "reads itself": ({"reads": "own"}, "reads", "they read one another: own reads own"),
    "attempts that are no number": ({"attempts": "x"}, "attempts", "valid integer"),
    "no attempts": ({"attempts": 0}, "attempts", "greater than or equal to 1"),
    "many that is no list": ({"many": "said"}, "many", "'said' is no list of the answer; (known: none)"),
    "many that is misspelt": (
        {"many": "habit", "response_schema": answer_of(habits=listed(one="string"))},
        "many",
        "'habit' is no list of the answer; did you mean habits?",
    ),
    "many that may be missing": (
        {"many": "a", "response_schema": {"type": "object", "properties": {"a": listed(one="string")}}},
        "many",
        "the list a must be required",
    ),
    "many of plain values": (
        {"many": "a", "response_schema": answer_of(a={"type": "array", "items": {"type": "string"}})},
        "many",
        "the items of a must be of type object",
    ),
    "a column that is not there": ({"messages": prompt("{{ txt }}")}, "messages.0.content", "did you mean text?"),
    "an ancestor's column that is not there": (
        {"messages": prompt("{{ raw_documents.ur }}")},
        "messages.0.content",
        "raw_documents has no column 'ur'; did you mean url?",
    ),
    "an ancestor's column in brackets": (
        {"messages": prompt("{{ raw_documents['ur'] }}")},
        "messages.0.content",
        "raw_documents has no column 'ur'; did you mean url?",
    ),
    "a column of no value": (
        {"messages": prompt("{{ pole.nmae }}"), "over": {"pole": [{"id": "a", "name": "x"}]}},
        "messages.0.content",
        "pole has no column 'nmae'; did you mean name?",
    ),
    "a column of some values": (
        {"messages": prompt("{{ pole.name }}"), "over": {"pole": [{"id": "a", "name": "x"}, {"id": "b"}]}},
        "messages.0",
        "has no attribute 'name', with the pole b",
    ),
    "a persona where there is none": (
        {"reads": "raw_documents"},
        "messages.0.content",
        "raw_documents came from no persona",
    ),
    "a prompt that is no template": ({"messages": prompt("\n{{ text ")}, "messages.0.content", "(line 2 of it)"),
    "an answer of a turn that comes later": (
        {"turns": [WHY | {"messages": prompt("{{ turn3.why }}")}, WHY]},
        "turns.0.messages.0.content",
        "'turn3' is not there to use; did you mean turn1?",
    ),
    "a property that a turn does not answer": (
        {"turns": [WHY | {"messages": prompt("{{ turn1.sad }}")}]},
        "turns.0.messages.0",
        "has no attribute 'sad'",
    ),
    "a turn named as a column": ({"turns": [WHY | {"name": "text"}]}, "turns.0.name", "stands for something else"),
    "another role within a talk": (
        {"turns": [WHY | {"messages": [{"role": "system", "content": "x"}]}]},
        "turns.0",
        "or set history: false",
    ),
    "a schema that is none": (
        {"response_schema": {"type": "objct"}},
        "response_schema",
        "is no JSON Schema: $.type: 'objct'",
    ),
    "a turn's schema that is none": (
        {"turns": [WHY | {"response_schema": {"type": "objct"}}]},
        "turns.0.response_schema",
        "is no JSON Schema: $.type: 'objct'",
    ),
    "an unknown parser": ({"answer": {"parser": "scores"}}, "answer.parser", "'dialogue', 'script' or 'score'"),
    "a schema that a parser cannot fill": (
        {"answer": {"parser": "lines"}},
        "answer",
        "the parser lines gives a value of type array: declare said so",
    ),
    "a score with another property": (
        SCORE | {"response_schema": answer_of(logprob="number", tokens="integer", why="string")},
        "answer",
        "gives logprob, a number, and tokens, an integer: declare just these two",
    ),
    "a score of another type": (
        SCORE | {"response_schema": answer_of(logprob="number", tokens="number")},
        "answer",
        "declare just these two",
    ),
    "a score that lacks a property": (
        SCORE | {"response_schema": answer_of(logprob="number")},
        "answer",
        "declare just these two",
    ),
    "a score of what the user says": (
        SCORE | {"messages": prompt("x")},
        "answer",
        "scores the last message: one of the role assistant, after others (it is the only one)",
    ),
    "a score of a last message that the user says": (
        SCORE | {"messages": [*SCORE["messages"], *prompt("z")]},
        "answer",
        "(its role is user)",
    ),
    "a turn's score of what the user says": (
        {"turns": [SCORE | {"messages": [*prompt("x"), *prompt("y")]}]},
        "turns.0.answer",
        "(its role is user)",
    ),
    "a turn's score with another message of the assistant": (
        {"turns": [SCORE | {"messages": [SCORE["messages"][1], *SCORE["messages"]]}]},
        "turns.0",
        "adds messages of the role user only",
    ),
    "a talk that goes on from a score": (
        SCORE | {"turns": [WHY]},
        "turns",
        "turn 2 follows one that is scored, which no talk goes on from: history: false",
    ),
    "a property that is a value of over": (
        {"over": {"said": ["a"]}},
        "response_schema.properties.said",
        "is a value of over",
    ),
    "an unknown key of a turn's sampling": (
        {"turns": [WHY | {"sampling": {"temprature": 1.0}}]},
        "turns.0.sampling",
        "unknown key temprature; did you mean temperature?",
    ),
    "an unknown rule": ({"validity": [{"rule": "min_word"}]}, "validity.0.rule", "did you mean min_words?"),
    "a rule on what is no property": (
        {"validity": [{"rule": "min_words", "args": {"field": "sad", "words": 1}}]},
        "validity.0.args.field",
        "did you mean said?",
    ),
    "keep_if that is no expression": ({"keep_if": "language =="}, "keep_if", "is no expression: unexpected"),
    "keep_if that is two": ({"keep_if": "text }} text"}, "keep_if", "is no expression: "),
    "keep_if on what is not there": (
        {"keep_if": "languge == 'en'"},
        "keep_if",
        "'languge' is not there to use; did you mean language?",
    ),
    "keep_if on an answer": ({"keep_if": "turn1.said", "turns": [WHY]}, "keep_if", "'turn1' is not there to use"),
    "keep_if on an ancestor's column that is not there": (
        {"keep_if": "raw_documents.ur"},
        "keep_if",
        "did you mean url?",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("keys", "place", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_file_line_and_key(tmp_path: Path, keys: dict[str, Any], place: str, said: str) -> None:
    found = fault(tmp_path, OWN | keys)
    file, line, key, rest = found.split(":", 3)
    assert (file, key.strip()) == ("own.yaml", place)
    assert said in rest
    wanted = next(part for part in reversed(place.split(".")) if not part.isdigit())
    written = (tmp_path / "own.yaml").read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert wanted in written or written.strip().startswith("-") or place in ("over.pole.values", "messages.0.content")


def test_the_line_is_that_of_the_key(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "name: own\nversion: 1\ntitle: Own\ndescription: Own.\n\n# Who is asked about.\nreads: math_problem\n"
        "messages: [{role: user, content: x}]\nresponse_schema: {type: object, properties: {a: {type: string}}}\n",
        encoding="utf-8",
    )
    assert fault(tmp_path).startswith("own.yaml:7: reads: math_problem is not an asset")


def test_tasks_that_read_one_another_are_told_in_their_order(tmp_path: Path) -> None:
    first, second, third = ({"name": name, "reads": reads} for name, reads in ("ab", "bc", "cb"))
    tasks = [
        OWN | one | {"name": f"own_{one['name']}", "reads": f"own_{one['reads']}"} for one in (first, second, third)
    ]
    assert fault(tmp_path, *tasks).startswith(
        "own_b.yaml:15: reads: they read one another: own_b reads own_c reads own_b"
    )


def test_keep_if_that_cannot_be_told_of_a_row_names_file_key_and_row(lake: Lake, tmp_path: Path) -> None:
    [own] = steps(tmp_path / "tasks", OWN | {"keep_if": "1 / hop > 1"})
    people(lake, "ann")
    with pytest.raises(UsageError, match=r"own\.yaml: task own: keep_if: it cannot be told of per_ann: ZeroDivision"):
        Run(lake, own, lambda prompt: "")


def test_a_value_may_have_columns_that_a_prompt_asks_for_first(tmp_path: Path) -> None:
    told = task("own", "{% if pole.name is defined %}{{ pole.name }}{% endif %}", answer_of(said="string"))
    assert steps(tmp_path, told | {"over": {"pole": [{"id": "a", "name": "x"}, {"id": "b"}]}})


def test_a_score_gives_columns_of_numbers_and_turns_that_show_no_history_may_follow(tmp_path: Path) -> None:
    [own] = steps(tmp_path, OWN | SCORE | {"turns": [WHY | {"history": False}]})
    types = own.table.polars
    assert (types["logprob"], types["tokens"], types["why"]) == (pl.Float64(), pl.Int64(), pl.String())


def test_a_function_and_a_task_that_read_one_another_are_told(tmp_path: Path) -> None:
    (tmp_path / "best.py").write_text(
        "import polars as pl\nfrom persona_assets.tasks.derived import derived\n\n\n"
        '@derived(reads="own", columns={"best": pl.String}, description="Best.")\n'
        "def a_best(own: pl.LazyFrame) -> pl.LazyFrame:\n    return own\n",
        encoding="utf-8",
    )
    assert (
        fault(tmp_path, OWN | {"reads": "a_best"}) == "best.py:5: they read one another: a_best reads own reads a_best"
    )
