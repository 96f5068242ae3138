"""What a task asks, about which rows, and the rows that its answers become."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.errors import UsageError
from persona_assets.ids import make_id
from persona_assets.lake import Lake
from persona_assets.lake.catalog import query
from persona_assets.lake.schemas import DEDUPED_PERSONAS
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets
from persona_assets.tasks.step import TaskStep, questions_of_a_row
from persona_assets_tests.rows import SHARD, put, put_rejects
from persona_assets_tests.tasks.own import Run, answer_of, listed, people, steps, task, without_run, write

PERSONA = "<persona>{{ persona }}</persona>"
POEMS = task("poems", PERSONA, answer_of(poem="string"))


def says(**answer: Any) -> Callable[[str], str]:
    """The same answer to everything."""
    return lambda prompt: json.dumps(answer)


def echoes(name: str) -> Callable[[str], str]:
    """An answer whose one property is what was asked."""
    return lambda prompt: json.dumps({name: prompt})


# Reading other tables


REVIEWS = task(
    "reviews",
    "{{ poem }} by {{ persona }} ({{ deduped_personas.granularity }}), after {{ raw_documents.url }}",
    answer_of(review="string"),
    reads="poems",
)


def test_a_prompt_has_the_columns_of_the_rows_of_another_task_and_of_what_they_came_from(
    lake: Lake, tmp_path: Path
) -> None:
    poems, reviews = steps(tmp_path / "tasks", POEMS, REVIEWS)
    people(lake, "ann", "bob")
    Run(lake, poems, says(poem="Roses"))
    prompts = Run(lake, reviews, says(review="Good")).prompts
    assert prompts[1] == "Roses by A person called bob of no importance (fine), after https://bob.example/"
    assert len(prompts) == 2


def test_a_row_of_a_task_of_a_task_says_what_it_came_from(lake: Lake, tmp_path: Path) -> None:
    poems, reviews = steps(tmp_path / "tasks", POEMS, REVIEWS)
    people(lake, "ann", language="ru")
    [poem] = Run(lake, poems, says(poem="Roses")).rows
    [review] = Run(lake, reviews, says(review="Good")).rows
    came_from = {name: review[name] for name in ("parent_ids", "persona_ids", "document_id", "language")}
    assert came_from == {
        "parent_ids": [poem["sample_id"]],
        "persona_ids": ["per_ann"],
        "document_id": "doc_ann",
        "language": "ru",
    }


def test_a_task_can_ask_about_documents(lake: Lake, tmp_path: Path) -> None:
    [summaries] = steps(
        tmp_path / "tasks", task("summaries", "{{ text }}", answer_of(summary="string"), reads="raw_documents")
    )
    people(lake, "ann")
    done = Run(lake, summaries, says(summary="Short"))
    assert done.prompts == ["Text of ann."]
    assert (done.rows[0]["document_id"], done.rows[0]["persona_ids"]) == ("doc_ann", [])


def test_a_prompt_may_take_one_column_of_an_ancestor_by_name_and_another_in_brackets(
    lake: Lake, tmp_path: Path
) -> None:
    prompt = "{{ raw_documents.url }} {{ raw_documents['language'] }}"
    [own] = steps(tmp_path / "tasks", task("own", prompt, answer_of(said="string")))
    people(lake, "ann")
    assert Run(lake, own, says(said="x")).prompts == ["https://ann.example/ en"]


def test_a_prompt_may_use_an_ancestor_as_a_whole_beside_one_column(lake: Lake, tmp_path: Path) -> None:
    prompt = "{{ raw_documents.url }} {% set page = raw_documents %}{{ page.language }}"
    [own] = steps(tmp_path / "tasks", task("own", prompt, answer_of(said="string")))
    people(lake, "ann")
    assert Run(lake, own, says(said="x")).prompts == ["https://ann.example/ en"]


def test_a_value_of_params_stands_before_a_column_of_the_same_name(lake: Lake, tmp_path: Path) -> None:
    """As it did when prompts knew no columns; a run and an audit agree on it."""
    [own] = steps(
        tmp_path / "tasks",
        task("own", "{{ relation }} {{ persona }}", answer_of(said="string"), params={"relation": "of"}),
    )
    people(lake, "ann")
    done = Run(lake, own, says(said="x"))
    assert done.prompts == ["of A person called ann of no importance"]
    [ask] = own.asks(lake, SHARD)
    assert own.template.render(own.variables(ask)) == done.engine.asked[0].messages


# Ids


def test_the_id_of_a_plain_row_is_that_of_task_row_and_content(lake: Lake, tmp_path: Path) -> None:
    [poems] = steps(tmp_path / "tasks", POEMS)
    people(lake, "ann")
    [row] = Run(lake, poems, says(poem="Roses")).rows
    assert row["sample_id"] == make_id("smp", "poems", ["per_ann"], {"poem": "Roses"})
    assert row["sample_id"] == "smp_9e036f65418da33ab34e6af19aba0738"


def test_one_attempt_changes_neither_rows_nor_calls(tmp_path: Path) -> None:
    found = []
    for name, keys in (("plain", {}), ("one", {"attempts": 1})):
        lake = Lake(tmp_path / name)
        [poems] = steps(tmp_path / f"{name}_tasks", POEMS | keys)
        people(lake, "ann", "bob")
        done = Run(lake, poems, echoes("poem"))
        found.append((poems.template.digest, done.call_ids, without_run(lake.read(poems.table, SHARD), poems)))
    assert found[0] == found[1]


def test_attempt_0_of_several_has_the_id_and_the_call_of_the_only_one(lake: Lake, tmp_path: Path) -> None:
    [plain] = steps(tmp_path / "plain", POEMS)
    [thrice] = steps(tmp_path / "thrice", POEMS | {"attempts": 3})
    people(lake, "ann", "bob")
    before = Run(lake, plain, echoes("poem")).rows
    done = Run(lake, thrice, echoes("poem"))
    first = [row for row in done.rows if row["attempt"] == 0]
    assert [(row["sample_id"], row["call_id"]) for row in first] == [
        (row["sample_id"], row["call_id"]) for row in before
    ]
    assert (done.report.calls_made, done.report.calls_reused) == (4, 2)


def test_the_attempts_at_one_question_are_told_apart(lake: Lake, tmp_path: Path) -> None:
    [poems] = steps(tmp_path / "tasks", POEMS | {"attempts": 3})
    people(lake, "ann", "bob")
    done = Run(lake, poems, says(poem="Roses"))
    assert [(row["persona_ids"], row["attempt"]) for row in done.rows] == [
        ([person], attempt) for person in ("per_ann", "per_bob") for attempt in range(3)
    ]
    assert len({row["sample_id"] for row in done.rows}) == len({row["question_id"] for row in done.rows}) == 6
    assert len({request.sampling.seed for request in done.engine.asked}) == 3


# Over


def test_the_values_of_several_names_are_crossed(lake: Lake, tmp_path: Path) -> None:
    [own] = steps(
        tmp_path / "tasks",
        task(
            "own",
            "{{ level }} {{ number + 1 }}",
            answer_of(said="string"),
            over={"level": ["a", "b"], "number": [1, 2]},
        ),
    )
    people(lake, "ann")
    done = Run(lake, own, says(said="x"))
    assert done.prompts == ["a 2", "a 3", "b 2", "b 3"]
    assert [(row["level"], row["number"]) for row in done.rows] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


def drawing(values: list[str], draw: int) -> TaskStep:
    told = task("own", "{{ word }}", answer_of(said="string"), over={"word": {"values": values, "draw": draw}})
    return TaskStep(Template.model_validate(told))


def drawn(step: TaskStep, row_id: str) -> list[Any]:
    row = {"persona_id": row_id, "document_id": "doc_1", "text": "Somebody", "language": "en"}
    return [ask.fill["over"]["word"] for ask in step.asks_of(row)]


WORDS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), min_size=2, max_size=8, unique=True)


@given(WORDS, st.integers(1, 7), st.text(st.characters(codec="utf-8"), max_size=9))
def test_a_further_value_takes_the_place_of_one_that_was_drawn_at_most(words: list[str], draw: int, row: str) -> None:
    draw = min(draw, len(words) - 1)
    before, after = drawn(drawing(words[:-1], draw), row), drawn(drawing(words, draw), row)
    assert len(after) == len(before) == draw
    assert set(after) <= {*before, words[-1]}


@given(WORDS, st.integers(1, 8), st.randoms())
def test_what_is_drawn_does_not_depend_on_the_order_of_the_values(words: list[str], draw: int, random: Any) -> None:
    shuffled = random.sample(words, len(words))
    draw = min(draw, len(words))
    assert set(drawn(drawing(words, draw), "per_1")) == set(drawn(drawing(shuffled, draw), "per_1"))


def test_draws_are_spread_over_the_values() -> None:
    step = drawing(["a", "b", "c", "d"], 1)
    counts = pl.Series([drawn(step, f"per_{number}")[0] for number in range(400)]).value_counts()["count"]
    assert counts.min() > 60


def test_over_language_sets_the_language_of_the_answer(lake: Lake, tmp_path: Path) -> None:
    [own] = steps(
        tmp_path / "tasks",
        task("own", "{{ language_name }} {{ language }}", answer_of(said="string"), over={"language": ["zh", "ru"]}),
    )
    people(lake, "ann")
    done = Run(lake, own, says(said="x"))
    assert done.prompts == ["Chinese zh", "Russian ru"]
    assert [row["language"] for row in done.rows] == ["zh", "ru"]


def test_a_rule_on_language_looks_at_the_one_asked_for(lake: Lake, tmp_path: Path) -> None:
    rule = {"rule": "language_matches", "args": {"field": "said"}}
    [own] = steps(
        tmp_path / "tasks",
        task("own", "{{ language }}", answer_of(said="string"), over={"language": ["en", "ru"]}, validity=[rule]),
    )
    people(lake, "ann")
    done = Run(lake, own, says(said="Это довольно длинное предложение, которое написано по-русски."))
    assert [row["language"] for row in done.rows] == ["ru"]


POLES = """
poles:
  - {id: E, manner: {en: outgoing, ru: открытый}}
  - {id: I, manner: {en: quiet, ru: тихий}}
"""


def test_values_may_be_rows_of_a_file_beside(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "poles.txt").write_text(POLES, encoding="utf-8")
    over = {"pole": {"file": "poles.txt", "rows": "poles"}}
    [own] = steps(tmp_path / "tasks", task("own", "{{ pole.manner[language] }}", answer_of(said="string"), over=over))
    people(lake, "ann", language="ru")
    done = Run(lake, own, says(said="x"))
    assert done.prompts == ["открытый", "тихий"]
    assert [row["pole"] for row in done.rows] == ["E", "I"]


def test_a_changed_file_of_values_is_read_anew(tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "poles.txt").write_text(POLES, encoding="utf-8")
    told = task("own", "{{ pole.id }}", answer_of(said="string"), over={"pole": {"file": "poles.txt", "rows": "poles"}})
    [before] = steps(folder, told)
    (folder / "poles.txt").write_text(POLES + "  - {id: X}\n", encoding="utf-8")
    after = datasets(write(folder))["own"]
    assert [list(step.template.over["pole"].by_label) for step in (before, after)] == [["E", "I"], ["E", "I", "X"]]
    assert before.template.digest != after.template.digest


def in_files(folder: Path, **files: list[dict[str, Any]]) -> None:
    (folder / "sets").mkdir(parents=True)
    for name, poles in files.items():
        (folder / "sets" / f"{name}.yaml").write_text(yaml.safe_dump({"poles": poles}), encoding="utf-8")


OF_TWO = {"pole": {"file": "sets/*.yaml", "rows": "poles", "where": {"set": "sets"}}}
FACETS = [{"id": "pace", "says": "How fast?"}, {"id": "cheer", "says": "How glad?"}]
LEVELS = [{"id": level, "set": "five", "facets": FACETS} for level in ("high", "low")]
LETTERS = [{"id": letter, "set": "four"} for letter in "EI"]
SET_TASK = task("own", "{{ pole.id }}", answer_of(said="string"), over=OF_TWO, params={"sets": "four"})


def test_values_may_be_the_rows_of_several_files_of_which_a_parameter_chooses(tmp_path: Path) -> None:
    in_files(tmp_path / "tasks", five=LEVELS, four=LETTERS)
    [own] = steps(tmp_path / "tasks", SET_TASK)
    assert list(own.template.over["pole"].by_label) == ["E", "I"]
    both = datasets(Settings(tasks=str(tmp_path / "tasks"), params={"own.sets": "four+five"}))["own"]
    assert list(both.template.over["pole"].by_label) == ["high", "low", "E", "I"]


def test_a_name_that_no_value_has_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    in_files(tmp_path / "tasks", five=LEVELS, four=LETTERS)
    steps(tmp_path / "tasks", SET_TASK)
    settings = Settings(tasks=str(tmp_path / "tasks"), params={"own.sets": "four+fife"})
    with pytest.raises(UsageError, match=r"own\.sets: no pole has the set fife; did you mean five"):
        datasets(settings)


def test_where_values_were_replaced_the_name_of_the_task_file_chooses_all(tmp_path: Path) -> None:
    in_files(tmp_path / "tasks", five=LEVELS)
    [own] = steps(tmp_path / "tasks", SET_TASK)
    assert list(own.template.over["pole"].by_label) == ["high", "low"]


def test_a_value_is_asked_with_what_a_list_in_its_own_row_holds(lake: Lake, tmp_path: Path) -> None:
    in_files(tmp_path / "tasks", five=LEVELS, four=LETTERS)
    over = {"pole": {"file": "sets/*.yaml", "rows": "poles"}, "facet": {"of": "pole.facets"}}
    prompt = "{{ pole.id }}{% if facet %} {{ facet.says }}{% endif %}"
    [own] = steps(tmp_path / "tasks", task("own", prompt, answer_of(said="string"), over=over))
    people(lake, "ann")
    done = Run(lake, own, says(said="x"))
    assert done.prompts == ["high How fast?", "high How glad?", "low How fast?", "low How glad?", "E", "I"]
    assert [row["facet"] for row in done.rows] == ["pace", "cheer", "pace", "cheer", "", ""]
    assert questions_of_a_row(own.template) == 6


def test_a_value_without_a_list_has_the_ids_that_it_has_without_such_values(lake: Lake, tmp_path: Path) -> None:
    in_files(tmp_path / "tasks", five=LEVELS, four=LETTERS)
    inner = {"facet": {"of": "pole.facets", "draw": 1}}
    people(lake, "ann")
    found = []
    for more in ({}, inner):
        over = {"pole": {"file": "sets/*.yaml", "rows": "poles"}, **more}
        [own] = steps(tmp_path / "tasks", task("own", "{{ pole.id }}", answer_of(said="string"), over=over))
        asks = list(own.asks(lake, SHARD))
        found.append([ask.question_id for ask in asks][2:])
    assert found[0] == found[1] != []


@given(st.text("abcdef", min_size=1))
def test_what_is_drawn_of_a_list_is_the_same_for_all_values_that_share_it(row_id: str) -> None:
    over = {"pole": {"values": LEVELS + LETTERS}, "facet": {"of": "pole.facets", "draw": 1}}
    template = Template.model_validate(task("own", "{{ pole.id }}", answer_of(said="string"), over=over))
    asked = [
        ask.fill["over"] for ask in TaskStep(template).asks_of({"persona_id": row_id, "text": "", "language": "en"})
    ]
    assert [one["pole"] for one in asked] == ["high", "low", "E", "I"]
    assert asked[0]["facet"] == asked[1]["facet"] in ("pace", "cheer")
    assert {asked[2]["facet"], asked[3]["facet"]} == {""}


@pytest.mark.parametrize(
    "over, said",
    [
        (
            {"facet": {"of": "pole.facets"}, "pole": ["a"]},
            "facet.of: 'pole.facets' is not NAME.COLUMN of a name before",
        ),
        ({"pole": LEVELS, "facet": {"of": "pole"}}, "facet.of: 'pole' is not NAME.COLUMN"),
        ({"pole": LEVELS, "facet": {"of": "pole.set"}}, "facet.of: set of high is no list"),
        ({"pole": {"values": LEVELS, "where": {"set": "stes"}}}, "over.pole.where: did you mean sets"),
    ],
)
def test_values_that_follow_from_no_others_are_told(tmp_path: Path, over: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        steps(tmp_path / "tasks", task("own", "x", answer_of(said="string"), over=over, params={"sets": "four"}))


# Many


HABITS = task(
    "habits",
    PERSONA,
    answer_of(habits=listed(habit="string"), topic="string"),
    many="habits",
    validity=[{"rule": "min_words", "args": {"field": "habit", "words": 2}}],
)


def habits(*texts: str) -> Callable[[str], str]:
    return says(habits=[{"habit": text} for text in texts], topic="tea")


def test_every_item_becomes_a_row_with_what_stands_beside_the_list(lake: Lake, tmp_path: Path) -> None:
    [own] = steps(tmp_path / "tasks", HABITS)
    people(lake, "ann")
    done = Run(lake, own, habits("Drinks tea", "Reads maps"))
    assert [(row["habit"], row["topic"]) for row in done.rows] == [("Drinks tea", "tea"), ("Reads maps", "tea")]
    assert done.report.calls_made == 1
    assert len({row["sample_id"] for row in done.rows}) == 2


def test_an_item_that_stands_there_twice_is_set_aside(lake: Lake, tmp_path: Path) -> None:
    [own] = steps(tmp_path / "tasks", HABITS)
    people(lake, "ann")
    done = Run(lake, own, habits("Drinks tea", "Reads maps", "Drinks tea", "Drinks tea"))
    assert len(done.rows) == 2
    assert [(row["reason"], row["detail"]) for row in done.rejects] == [
        ("repeated", "item 3 stands there before"),
        ("repeated", "item 4 stands there before"),
    ]
    assert len({row["row_id"] for row in done.rejects}) == 2


def test_rules_look_at_each_item(lake: Lake, tmp_path: Path) -> None:
    [own] = steps(tmp_path / "tasks", HABITS)
    people(lake, "ann")
    done = Run(lake, own, habits("Drinks tea", "Reads"))
    assert [row["habit"] for row in done.rows] == ["Drinks tea"]
    assert [(row["reason"], row["parent_id"]) for row in done.rejects] == [("min_words", "per_ann")]


@pytest.mark.parametrize(("texts", "refused"), [((), 0), (("Reads", "Sleeps"), 2)])
def test_a_question_of_which_no_item_is_kept_is_set_aside_itself(
    lake: Lake, tmp_path: Path, texts: tuple[str, ...], refused: int
) -> None:
    [own] = steps(tmp_path / "tasks", HABITS)
    people(lake, "ann")
    done = Run(lake, own, habits(*texts))
    assert [row["reason"] for row in done.rejects] == ["min_words"] * refused + ["nothing_left"]
    assert done.rejects[-1]["row_id"] == "per_ann"
    assert done.gates(write(tmp_path / "tasks"))["accounted"].passed


def test_what_an_answer_holds_beside_its_schema_gets_into_no_column(lake: Lake, tmp_path: Path) -> None:
    items = {"type": "array", "items": {"type": "object", "properties": {"age": {"type": "integer"}}}}
    [own] = steps(tmp_path / "tasks", task("own", PERSONA, answer_of(items=items, topic="string"), many="items"))
    people(lake, "ann")
    done = Run(lake, own, says(items=[{"age": 3, "topic": 7}, {}], topic="tea", age="old"))
    assert [(row["age"], row["topic"]) for row in done.rows] == [(3, "tea"), (None, "tea")]


# Keep_if


def test_nothing_is_asked_about_a_row_that_keep_if_leaves_out(lake: Lake, tmp_path: Path) -> None:
    [poems] = steps(tmp_path / "tasks", POEMS | {"keep_if": "'ann' in text and hop < 2"})
    people(lake, "ann", "bob")
    done = Run(lake, poems, says(poem="Roses"))
    assert [row["persona_ids"] for row in done.rows] == [["per_ann"]]
    [aside] = done.rejects
    assert (aside["row_id"], aside["reason"], aside["call_id"]) == ("per_bob", "not_selected", None)
    assert done.report.inputs == 2


def test_keep_if_chooses_among_the_values_too(lake: Lake, tmp_path: Path) -> None:
    over = {"pole": [{"id": "E", "of": ["ann"]}, {"id": "I", "of": ["ann", "bob"]}]}
    keep_if = "text.split()[3] in pole.of"
    told = task("own", "{{ pole.id }}", answer_of(said="string"), over=over, keep_if=keep_if)
    [own] = steps(tmp_path / "tasks", told)
    people(lake, "ann", "bob", "cid")
    done = Run(lake, own, says(said="x"))
    assert [(row["persona_ids"][0], row["pole"]) for row in done.rows] == [
        ("per_ann", "E"),
        ("per_ann", "I"),
        ("per_bob", "I"),
    ]
    assert [row["row_id"] for row in done.rejects] == ["per_cid"]


def test_keep_if_may_look_at_an_ancestor(lake: Lake, tmp_path: Path) -> None:
    [poems] = steps(tmp_path / "tasks", POEMS | {"keep_if": "raw_documents.url != 'https://ann.example/'"})
    people(lake, "ann", "bob")
    assert [row["persona_ids"] for row in Run(lake, poems, says(poem="x")).rows] == [["per_bob"]]


# Every question is in one place


QUESTIONS = task("own", "{{ persona }} {{ level }}", answer_of(said="string"), over={"level": ["a", "b"]}, attempts=2)


def test_the_gate_tells_a_question_that_was_lost(lake: Lake, tmp_path: Path) -> None:
    [own] = steps(tmp_path / "tasks", QUESTIONS)
    people(lake, "ann", "bob")
    done = Run(lake, own, says(said="x"))
    settings = write(tmp_path / "tasks")
    assert done.gates(settings)["accounted"].passed
    lost = done.rows[3]
    put(lake, own.table, *[row for row in done.rows if row != lost])
    gate = done.gates(settings)["accounted"]
    assert [row["row_id"] for row in gate.head] == [lost["question_id"]]


def test_the_gate_tells_a_question_that_is_kept_and_set_aside(lake: Lake, tmp_path: Path) -> None:
    [own] = steps(tmp_path / "tasks", QUESTIONS)
    people(lake, "ann")
    done = Run(lake, own, says(said="x"))
    aside = dict.fromkeys(lake.rejects().collect_schema()) | {
        "asset": "own", "row_id": done.rows[0]["question_id"], "parent_id": "per_ann", "reason": "r",
        "detail": "", "shard": SHARD, "run_id": "run", "created_at": done.rows[0]["created_at"],
    }  # fmt: skip
    put_rejects(lake, own.table, aside)
    assert not done.gates(write(tmp_path / "tasks"))["accounted"].passed


FATE = "SELECT row_id, kept, rejected FROM fate WHERE asset = 'own' ORDER BY row_id"


@pytest.mark.parametrize(
    "keys",
    [{}, {"attempts": 3}, {"over": {"level": ["a", "b"]}}, {"attempts": 2, "over": {"level": ["a", "b"]}}],
    ids=["plain", "attempts", "over", "both"],
)
def test_fate_has_each_question_once(lake: Lake, tmp_path: Path, keys: dict[str, Any]) -> None:
    told = task("own", PERSONA, answer_of(said="string"), keep_if="'cid' not in text", **keys)
    [own] = steps(tmp_path / "tasks", told)
    people(lake, "ann", "bob", "cid")
    done = Run(lake, own, lambda prompt: '{"said": "x"}' if "called ann" in prompt else "no")
    found = query(lake, FATE, [own.table])
    asked = [one for ids in own.question_ids(lake, SHARD) for one in ids]
    assert sorted(found["row_id"]) == sorted(asked)
    assert found.select(pl.sum("kept"), pl.sum("rejected")).row(0) == (len(done.rows), len(asked) - len(done.rows))
    assert found.filter(pl.col("kept") + pl.col("rejected") != 1).is_empty()


def test_fate_has_a_question_once_whose_first_attempt_alone_failed(lake: Lake, tmp_path: Path) -> None:
    [own] = steps(tmp_path / "tasks", task("own", PERSONA, answer_of(said="string"), attempts=2))
    people(lake, "ann")
    answers = iter(["no", "no", '{"said": "x"}'])
    Run(lake, own, lambda prompt: next(answers))
    found = query(lake, FATE, [own.table])
    assert found.select("kept", "rejected").rows() in ([(0, 1), (1, 0)], [(1, 0), (0, 1)])
    assert "per_ann" in found["row_id"].to_list()


# Targets


def test_a_target_counts_rows_of_attempts_in_the_order_drawn(tmp_path: Path) -> None:
    found = []
    for name, people_of in (("one", ["ann", "bob", "cid"]), ("two", ["cid", "ann", "bob"])):
        lake = Lake(tmp_path / name)
        [poems] = steps(tmp_path / f"{name}_tasks", POEMS | {"attempts": 2, "target": 3})
        people(lake, *people_of)
        found.append(without_run(lake.read(poems.table, SHARD), poems) if Run(lake, poems, echoes("poem")) else [])
    assert found[0] == found[1]
    assert [(row["persona_ids"], row["attempt"]) for row in found[0]] == [
        (["per_ann"], 0),
        (["per_ann"], 1),
        (["per_cid"], 0),
    ]


def test_questions_beyond_a_target_are_accounted_for(lake: Lake, tmp_path: Path) -> None:
    told = POEMS | {"attempts": 2, "target": 3, "keep_if": "'cid' not in text"}
    [poems] = steps(tmp_path / "tasks", told)
    people(lake, "ann", "bob", "cid")
    done = Run(lake, poems, echoes("poem"))
    assert sorted(row["reason"] for row in done.rejects) == ["not_selected", "target_reached"]
    assert done.gates(write(tmp_path / "tasks"))["accounted"].passed


def test_rows_of_many_count_for_a_target(lake: Lake, tmp_path: Path) -> None:
    [own] = steps(tmp_path / "tasks", HABITS | {"target": 3})
    people(lake, "ann", "bob", "cid", "dan")
    done = Run(lake, own, habits("Drinks tea", "Reads maps"))
    assert (len(done.rows), done.report.calls_made) == (3, 2)


def test_rows_are_those_of_personas_that_were_published_with_other_columns(lake: Lake, tmp_path: Path) -> None:
    """What a prompt does not use decides nothing about its calls."""
    [poems] = steps(tmp_path / "tasks", POEMS)
    people(lake, "ann")
    Run(lake, poems, echoes("poem"))
    put(lake, DEDUPED_PERSONAS, *[row | {"hop": 3} for row in lake.read(DEDUPED_PERSONAS, SHARD).to_dicts()])
    assert Run(lake, poems, echoes("poem")).report.calls_made == 0
