"""Several rows in one question, rows that are looked up, and answers that name rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.errors import UsageError
from persona_assets.lake import Lake
from persona_assets.lake.catalog import query
from persona_assets.lake.schemas import DEDUPED_PERSONAS, RAW_DOCUMENTS
from persona_assets.lineage.audit import audit
from persona_assets.lineage.model import Status
from persona_assets.prompts.template import Group
from persona_assets.settings import Settings
from persona_assets.tasks.groups import groups
from persona_assets.tasks.load import datasets
from persona_assets.tasks.rows import Reading
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.rows import SHARD, document, persona, put
from persona_assets_tests.tasks.own import Run, answer_of, listed, steps, task, without_run, write

NUMBERED = "{% for row in rows %}{{ loop.index }}. {{ row.text }}\n{% endfor %}"
RATED = answer_of(ratings={"type": "array", "items": answer_of(number="integer", score="integer")})
JUDGE = task(
    "ratings", NUMBERED, RATED, many="ratings", group={"by": ["language"], "take": 2, "item": "number"},
)  # fmt: skip
NAMES = ("Ada", "Ben", "Cem", "Dan", "Eve")


def shown(prompt: str) -> list[str]:
    """The texts of a numbered list."""
    return [line.partition(". ")[2] for line in prompt.splitlines()]


def rating(score: Callable[[str], int | None]) -> Callable[[str], str]:
    """An answer that rates each text that it is shown; None: it leaves it out."""

    def answer(prompt: str) -> str:
        rated = [(number, score(text)) for number, text in enumerate(shown(prompt), 1)]
        return json.dumps({"ratings": [{"number": n, "score": s} for n, s in rated if s is not None]})

    return answer


def own(lake: Lake, tmp_path: Path, *tasks: dict[str, Any]) -> list[TaskStep]:
    return steps(tmp_path / "tasks", *tasks)


def folder(tmp_path: Path, lake: Lake) -> Settings:
    return Settings(tasks=str(tmp_path / "tasks"), lake=lake.root)


def astray(lake: Lake, settings: Settings) -> int:
    """Rows that are not in exactly one place."""
    tables = [step.table for step in datasets(settings).values()]
    return query(lake, "SELECT * FROM fate WHERE kept + rejected != 1", tables).height


def people(lake: Lake, *names: str, **languages: str) -> None:
    """Published personas whose texts are their names."""
    put(lake, RAW_DOCUMENTS, *map(document, names))
    rows = (persona(name, name, text=name, language=languages.get(name, "en")) for name in names)
    put(lake, DEDUPED_PERSONAS, *rows)


def test_each_row_of_a_group_gets_an_answer_of_its_own(lake: Lake, tmp_path: Path) -> None:
    [step] = own(lake, tmp_path, JUDGE)
    people(lake, *NAMES)
    run = Run(lake, step, rating(lambda text: len(text)))
    assert [len(shown(prompt)) for prompt in run.prompts] == [2, 2, 1]
    assert {row["parent_ids"][0] if "parent_ids" in row else row["persona_ids"][0] for row in run.rows} == {
        f"per_{name}" for name in NAMES
    }
    assert all(len(row["persona_ids"]) == 1 and row["persona_ids"][0] in row["shown_ids"] for row in run.rows)
    assert {name: gate.failing for name, gate in run.gates(folder(tmp_path, lake)).items() if gate.failing} == {}
    assert astray(lake, folder(tmp_path, lake)) == 0


def test_a_missing_item_rejects_that_row_alone(lake: Lake, tmp_path: Path) -> None:
    [step] = own(lake, tmp_path, JUDGE)
    people(lake, *NAMES)
    run = Run(lake, step, rating(lambda text: None if text == "Ben" else 1))
    assert [(one["row_id"], one["parent_id"], one["reason"]) for one in run.rejects] == [
        ("per_Ben", "per_Ben", "missing_item")
    ]
    assert len(run.rows) == len(NAMES) - 1
    assert astray(lake, folder(tmp_path, lake)) == 0


def test_numbers_of_no_row_and_numbers_twice_are_told(lake: Lake, tmp_path: Path) -> None:
    [step] = own(lake, tmp_path, JUDGE | {"group": {"by": ["language"], "take": 9, "item": "number"}})
    people(lake, "Ada", "Ben")
    items = [{"number": 1, "score": 1}, {"number": 1, "score": 2}, {"number": 3, "score": 1}, {"number": 2, "score": 1}]
    run = Run(lake, step, lambda _: json.dumps({"ratings": items}))
    assert [(row["persona_ids"], row["score"]) for row in run.rows] == [(["per_Ada"], 1), (["per_Ben"], 1)]
    assert sorted(one["reason"] for one in run.rejects) == ["repeated", "unknown_number"]
    assert astray(lake, folder(tmp_path, lake)) == 0


def test_an_answer_that_cannot_be_read_sets_every_row_of_the_group_aside(lake: Lake, tmp_path: Path) -> None:
    [step] = own(lake, tmp_path, JUDGE)
    people(lake, *NAMES)
    run = Run(
        lake,
        step,
        lambda prompt: (
            rating(lambda _: 1)(prompt) if prompt.startswith("1. Cem") or prompt.startswith("1. Eve") else "no"
        ),
    )
    lost = [(one["row_id"], one["parent_id"], one["reason"]) for one in run.rejects]
    assert lost == [(f"per_{name}", f"per_{name}", "parse_failure") for name in ("Ada", "Ben")]
    assert len(run.rows) == 3
    assert astray(lake, folder(tmp_path, lake)) == 0


def test_a_rule_sets_the_row_aside_that_an_item_is_about(lake: Lake, tmp_path: Path) -> None:
    rated = answer_of(ratings={"type": "array", "items": answer_of(number="integer", why="string")})
    rules = [{"rule": "min_words", "args": {"field": "why", "words": 2}}]
    [step] = own(lake, tmp_path, JUDGE | {"response_schema": rated, "validity": rules})
    people(lake, "Ada", "Ben")
    run = Run(
        lake, step, lambda _: json.dumps({"ratings": [{"number": 1, "why": "so"}, {"number": 2, "why": "as is"}]})
    )
    assert [(one["row_id"], one["reason"]) for one in run.rejects] == [("per_Ada", "min_words")]
    assert [row["why"] for row in run.rows] == ["as is"]


def test_values_and_attempts_multiply_the_questions_about_each_row(lake: Lake, tmp_path: Path) -> None:
    judge = JUDGE | {"over": {"side": ["good", "bad"]}, "attempts": 2}
    judge |= {"messages": [{"role": "user", "content": "{{ side }}\n" + NUMBERED}]}
    [step] = own(lake, tmp_path, judge)
    people(lake, "Ada", "Ben", "Cem")
    run = Run(lake, step, lambda prompt: rating(lambda _: 1)(prompt.partition("\n")[2]))
    assert len(run.prompts) == 2 * 2 * 2
    assert len({row["question_id"] for row in run.rows}) == len(run.rows) == 3 * 2 * 2
    assert astray(lake, folder(tmp_path, lake)) == 0


def test_each_attempt_of_a_shuffled_group_shows_the_same_rows_in_another_order(lake: Lake, tmp_path: Path) -> None:
    group = {"by": ["language"], "take": 5, "item": "number", "order": "shuffle"}
    [step] = own(lake, tmp_path, JUDGE | {"group": group, "attempts": 4})
    people(lake, *NAMES)
    run = Run(lake, step, rating(lambda text: len(text)))
    orders = [tuple(shown(prompt)) for prompt in run.prompts]
    assert {frozenset(order) for order in orders} == {frozenset(NAMES)}
    assert len(set(orders)) > 1
    again = Run(lake, step, rating(lambda text: len(text)))
    assert again.prompts == []


def test_without_an_item_a_row_is_made_from_all_rows_of_its_group(lake: Lake, tmp_path: Path) -> None:
    digest = task("digests", NUMBERED, answer_of(text="string"), group={"by": ["language"], "take": 3})
    [step] = own(lake, tmp_path, digest)
    people(lake, *NAMES)
    run = Run(lake, step, lambda prompt: json.dumps({"text": prompt}))
    assert sorted(len(row["persona_ids"]) for row in run.rows) == [2, 3]
    assert {one for row in run.rows for one in row["persona_ids"]} == {f"per_{name}" for name in NAMES}
    assert run.gates(folder(tmp_path, lake))["accounted"].failing == 0
    assert astray(lake, folder(tmp_path, lake)) == 0


def test_groups_are_of_rows_that_are_alike_and_rows_that_are_not_asked_about_are_set_aside(
    lake: Lake, tmp_path: Path
) -> None:
    [step] = own(lake, tmp_path, JUDGE | {"keep_if": "text != 'Ada'"})
    people(lake, *NAMES, Ben="zh", Dan="zh")
    run = Run(lake, step, rating(lambda text: len(text)))
    assert sorted(sorted(shown(prompt)) for prompt in run.prompts) == [["Ben", "Dan"], ["Cem", "Eve"]]
    assert {row["persona_ids"][0]: row["language"] for row in run.rows}["per_Ben"] == "zh"
    assert [(one["row_id"], one["reason"]) for one in run.rejects] == [("per_Ada", "not_selected")]
    assert astray(lake, folder(tmp_path, lake)) == 0


@settings(max_examples=25)
@given(
    kinds=st.lists(st.sampled_from(["en", "zh", "ru"]), min_size=1, max_size=30),
    take=st.integers(1, 7),
    order=st.sampled_from(["", "shuffle", "text"]),
)
def test_every_row_is_in_exactly_one_group_of_its_kind(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], take: int, order: str
) -> None:
    lake = Lake(tmp_path_factory.mktemp("groups"))
    put(lake, DEDUPED_PERSONAS, *(persona(str(n), str(n)) | {"language": one} for n, one in enumerate(kinds)))
    reading = Reading(DEDUPED_PERSONAS, ("persona_id", "language", "text"))
    found = list(groups(lake, reading, SHARD, Group(by=("language",), take=take, order=order), None))
    assert sorted(row["persona_id"] for rows in found for row in rows) == sorted(f"per_{n}" for n in range(len(kinds)))
    assert all(len({row["language"] for row in rows}) == 1 for rows in found)
    sizes = {kind: sorted(len(rows) for rows in found if rows[0]["language"] == kind) for kind in set(kinds)}
    assert sizes == {kind: sorted(_sizes(kinds.count(kind), take)) for kind in set(kinds)}


def _sizes(count: int, take: int) -> list[int]:
    return [take] * (count // take) + ([count % take] if count % take else [])


# Rows beside, and rows that are named

NOTES = task("notes", "{{ text }}", answer_of(notes=listed(note="string")), many="notes")
STORY = task(
    "stories", "{{ persona }}:\n{% for one in notes %}{{ loop.index }} {{ one.note }}\n{% endfor %}",
    answer_of(story="string", used={"type": "array", "items": {"type": "integer"}}),
    **{"with": {"notes": {"from": "notes", "on": {"persona_id": "persona_ids"}}}, "cites": {"used": "notes"}},
)  # fmt: skip


def noted(lake: Lake, notes: TaskStep) -> None:
    """Three notes about each of two people."""
    people(lake, "Ada", "Ben")
    texts = {"notes": [{"note": "one"}, {"note": "two"}, {"note": "three"}]}
    Run(lake, notes, lambda prompt: json.dumps(texts if prompt == "Ada" else {"notes": [{"note": "four"}]}))


def test_rows_of_another_table_are_shown_beside_a_row(lake: Lake, tmp_path: Path) -> None:
    notes, story = own(lake, tmp_path, NOTES, STORY)
    noted(lake, notes)
    run = Run(lake, story, lambda _: json.dumps({"story": "x", "used": []}))
    assert sorted(len(prompt.splitlines()) for prompt in run.prompts) == [2, 4]
    ids = {row["persona_ids"][0]: row["notes_ids"] for row in run.rows}
    assert (len(ids["per_Ada"]), len(ids["per_Ben"])) == (3, 1)
    assert ids["per_Ada"] == sorted(ids["per_Ada"])
    assert story.tables_read == ("deduped_personas", "notes")
    assert run.gates(folder(tmp_path, lake))["parents_exist"].failing == 0


def test_the_key_may_be_written_plainly_though_yaml_takes_it_for_true(tmp_path: Path) -> None:
    chosen = write(tmp_path / "tasks", NOTES, STORY)
    file = tmp_path / "tasks" / "stories.yaml"
    text = file.read_text(encoding="utf-8")
    assert "'on':" in text
    file.write_text(text.replace("'on':", "on:"), encoding="utf-8")
    assert datasets(chosen)["stories"].table.name == "stories"


def test_numbers_of_shown_rows_become_their_ids(lake: Lake, tmp_path: Path) -> None:
    notes, story = own(lake, tmp_path, NOTES, STORY)
    noted(lake, notes)
    run = Run(lake, story, lambda prompt: json.dumps({"story": prompt, "used": [2, 1, 2] if "Ada" in prompt else [1]}))
    row = next(row for row in run.rows if row["persona_ids"] == ["per_Ada"])
    assert row["used"] == [row["notes_ids"][1], row["notes_ids"][0]]
    assert [parent.column for parent in story.table.origins] == ["persona_ids", "notes_ids", "used"]


@pytest.mark.parametrize("numbers", [[0], [4], [1, 9], [-1]])
def test_a_number_of_no_shown_row_sets_the_answer_aside(lake: Lake, tmp_path: Path, numbers: list[int]) -> None:
    notes, story = own(lake, tmp_path, NOTES, STORY)
    noted(lake, notes)
    run = Run(lake, story, lambda prompt: json.dumps({"story": "x", "used": numbers if "Ada" in prompt else [1]}))
    assert [(one["row_id"], one["reason"]) for one in run.rejects] == [("per_Ada", "unknown_used")]
    assert "3 rows were shown" in run.rejects[0]["detail"]


def test_a_task_comes_after_what_it_looks_up_whatever_it_is_called(tmp_path: Path) -> None:
    up = {"with": {"notes": {"from": "z_notes", "on": {"persona_id": "persona_ids"}}}}
    found = list(datasets(write(tmp_path / "tasks", STORY | up, NOTES | {"name": "z_notes"})))
    assert found.index("z_notes") < found.index("stories")


def test_no_more_rows_are_looked_up_than_are_to_be_taken(lake: Lake, tmp_path: Path) -> None:
    up = {"notes": {"from": "notes", "on": {"persona_id": "persona_ids"}, "take": 2}}
    notes, story = own(lake, tmp_path, NOTES, STORY | {"with": up})
    noted(lake, notes)
    run = Run(lake, story, lambda _: json.dumps({"story": "x", "used": [1]}))
    assert sorted(len(row["notes_ids"]) for row in run.rows) == [1, 2]


def test_rows_are_shown_in_the_order_of_a_column_and_numbers_are_of_that_order(lake: Lake, tmp_path: Path) -> None:
    up = {"notes": {"from": "notes", "on": {"persona_id": "persona_ids"}, "order": "note", "take": 2}}
    notes, story = own(lake, tmp_path, NOTES, STORY | {"with": up})
    noted(lake, notes)
    run = Run(lake, story, lambda _: json.dumps({"story": "x", "used": [1]}))
    [prompt] = [one for one in run.prompts if one.startswith("Ada")]
    assert prompt.splitlines()[1:] == ["1 one", "2 three"]
    texts = dict(lake.read(notes.table, SHARD).select("sample_id", "note").iter_rows())
    row = next(row for row in run.rows if row["persona_ids"] == ["per_Ada"])
    assert [texts[one] for one in row["notes_ids"]] == ["one", "three"]
    assert [texts[one] for one in row["used"]] == ["one"]


def test_an_audit_follows_what_was_shown_and_asks_again_as_it_was_asked(lake: Lake, tmp_path: Path) -> None:
    judge = JUDGE | {"reads": "notes", "messages": [{"role": "user", "content": NUMBERED.replace("text", "note")}]}
    judge |= {"group": {"by": ["language"], "take": 3, "item": "number", "order": "shuffle"}, "attempts": 2}
    notes, story, rated = own(lake, tmp_path, NOTES, STORY, judge)
    noted(lake, notes)
    stories = Run(lake, story, lambda _: json.dumps({"story": "x", "used": [1]}))
    ratings = Run(lake, rated, rating(lambda text: None if text == "two" else 1))
    chosen = folder(tmp_path, lake)
    for row in (stories.rows[0], *ratings.rows):
        result = audit(lake, chosen, row["sample_id"])
        own_checks = {check.name: check.status for check in result.root.verifications}
        assert own_checks["row_parses_again"] is own_checks["parent_exists"] is Status.OK
        assert {check.status for check in result.root.call.all_verifications()} <= {Status.OK, Status.UNVERIFIED}
        assert "call_key_recomputes" in {
            check.name for check in result.root.call.verifications if check.status is Status.OK
        }
    row = stories.rows[0]
    above = {parent.id for parent in audit(lake, chosen, row["sample_id"]).root.parents}
    assert above == {*row["persona_ids"], *row["notes_ids"]}
    for one in ratings.rejects:
        checks = {check.name: check.status for check in audit(lake, chosen, one["row_id"]).root.verifications}
        assert checks["row_parses_again"] in (Status.OK, Status.UNVERIFIED)


def test_a_rule_of_the_answer_as_a_whole_sets_the_question_aside(lake: Lake, tmp_path: Path) -> None:
    notes = answer_of(title="string", notes=listed(note="string"))
    rules = [{"rule": "min_words", "args": {"field": "title", "words": 2}, "of": "answer"}]
    [step] = own(lake, tmp_path, NOTES | {"response_schema": notes, "validity": rules})
    people(lake, "Ada", "Ben")
    two = {"title": "One", "notes": [{"note": "x"}, {"note": "y"}]}
    run = Run(lake, step, lambda prompt: json.dumps(two if prompt == "Ada" else two | {"title": "One two"}))
    assert [(one["row_id"], one["reason"]) for one in run.rejects] == [("per_Ada", "min_words")]
    assert [row["persona_ids"] for row in run.rows] == [["per_Ben"]] * 2


def test_the_same_rows_come_of_a_second_run(lake: Lake, tmp_path: Path) -> None:
    [step] = own(lake, tmp_path, JUDGE)
    people(lake, *NAMES)
    Run(lake, step, rating(len))
    first = without_run(lake.read(step.table, SHARD), step)
    again = Run(lake, step, rating(lambda text: len(text)))
    assert (again.prompts, without_run(lake.read(step.table, SHARD), step)) == ([], first)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"group": {"take": 2, "item": "number"}}, "group.by: rows of several languages may stand together"),
        ({"group": {"by": ["languages"], "take": 2}}, "group.by: deduped_personas has no column 'languages'"),
        ({"group": {"by": ["language"], "take": 2, "order": "age"}}, "group.order: deduped_personas has no column"),
        ({"group": {"by": ["language"], "take": 2, "item": "id"}}, "group.item: 'id' is no whole number of the items"),
        ({"group": {"by": ["language"], "take": 0}}, "group.take: Input should be greater than or equal to 1"),
        ({"group": {"by": ["language"], "takes": 1}}, "group.takes: unknown key; did you mean take?"),
        ({"group": {"by": ["language"], "take": 2}, "target": 5}, "with `group` there is no `target`"),
        ({"group": {"by": ["language"], "take": 2, "item": "number"}, "many": ""}, "name their list"),
        ({"messages": [{"role": "user", "content": "{{ text }}"}]}, "a row's columns are those of each of `rows`"),
        ({"messages": [{"role": "user", "content": "{{ persona }}"}]}, "`persona` is not there, as there are several"),
        ({"messages": [{"role": "user", "content": "{% for row in rows %}{{ row.txt }}{% endfor %}"}]}, "'txt'"),
        ({"keep_if": "side == 'x'", "over": {"side": ["x"]}}, "side is not there: groups are the same for all values"),
        ({"with": {"notes": {"from": "note", "on": "persona_id"}}}, "with.notes.from: note is not an asset"),
        ({"with": {"notes": {"from": "math_problems", "on": "id"}}}, "with.notes.on: deduped_personas has no column"),
        ({"with": {"text": {"from": "math_problems", "on": "document_id"}, "rows": {"from": "math_problems",
          "on": "document_id"}}}, "stands for something else in prompts already"),
        ({"with": {"notes": {"from": "persona_survivors", "on": "persona_id"}}}, "partitioned by dumps"),
        ({"with": {"notes": {"from": "math_problems", "on": {"document_id": "document_id"}, "order": "age"}}},
          "with.notes.order: math_problems has no column 'age' to order by"),
        ({"with": {"notes": {"from": "math_problems", "draw": 2, "order": "problem"}}}, "rows that are drawn have no"),
        ({"with": {"notes": {"from": "math_problems"}}}, "with.notes: says neither what the rows are found by"),
        ({"cites": {"number": "row"}}, "cites.number: no rows are shown as row; did you mean rows?"),
        ({"cites": {"text": "rows"}}, "cites.text: text is no property of whole numbers"),
        ({"validity": [{"rule": "min_words", "args": {"field": "why", "words": 1}, "of": "answers"}]}, "validity.0.of"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_file_line_and_key(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    chosen = write(tmp_path / "tasks", JUDGE | change)
    with pytest.raises(UsageError) as error:
        datasets(chosen)
    assert f"{tmp_path}/tasks/ratings.yaml:" in str(error.value)
    assert said in str(error.value)


def test_the_call_of_a_task_without_these_keys_keeps_its_digest(tmp_path: Path) -> None:
    [step] = steps(tmp_path / "tasks", task("plain", "{{ text }}", answer_of(text="string")))
    part = step.template.prompt_part()
    assert set(part) == {"name", "version", "messages", "params", "response_schema"}
    assert yaml.safe_load(yaml.safe_dump(part)) == part
