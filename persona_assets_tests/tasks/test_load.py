from pathlib import Path

import pytest

from persona_assets.errors import UsageError
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets, load_tasks
from persona_assets.tasks.step import TaskStep
from persona_assets.tasks.trial import try_out

TASK = """
name: haiku
version: 1
title: Haiku
description: A short poem.
messages:
  - {role: user, content: "<language>{{ language_name }}</language><persona>{{ persona }}</persona>"}
response_schema:
  type: object
  required: [poem]
  properties: {poem: {type: string}}
validity:
  - {rule: min_words, args: {field: poem, words: 3}}
"""


def put(folder: Path, text: str, name: str = "haiku.yaml") -> Settings:
    (folder / name).write_text(text, encoding="utf-8")
    return Settings(tasks=str(folder))


def test_a_yaml_file_in_the_folder_becomes_a_task(tmp_path: Path) -> None:
    tasks = load_tasks(put(tmp_path, TASK))
    assert tasks.keys() - load_tasks(Settings()).keys() == {"haiku"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: haiku", "name: math_problems", "math_problems.yaml"),
        ("name: haiku", "name: raw_documents", "belongs to the project"),
        ("name: haiku", "name: text_to_persona", "belongs to the project"),
        ("version: 1", "version: 1\nkind: step", "kind: task"),
        ("rule: min_words", "rule: min_wrods", "did you mean min_words"),
        ("field: poem", "field: poen", "'poen'"),
        ("{poem: {type: string}}", "{shard: {type: string}}", "lineage column"),
        ("title: Haiku", "titel: Haiku", "title|titel"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in TASK
    with pytest.raises(UsageError, match=said) as caught:
        load_tasks(put(tmp_path, TASK.replace(old, new)))
    assert str(tmp_path / "haiku.yaml") in str(caught.value)


def test_two_files_with_one_name_are_both_named(tmp_path: Path) -> None:
    put(tmp_path, TASK, "a.yaml")
    with pytest.raises(UsageError, match="haiku") as caught:
        load_tasks(put(tmp_path, TASK, "b.yml"))
    assert str(tmp_path / "a.yaml") in str(caught.value)
    assert str(tmp_path / "b.yml") in str(caught.value)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="PERSONA_TASKS"):
        load_tasks(Settings(tasks=str(tmp_path / "none")))


def test_every_bundled_task_can_be_asked() -> None:
    for step in datasets(Settings()).values():
        if isinstance(step, TaskStep):
            try_out(step)


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    settings = put(tmp_path, TASK)
    assert load_tasks(settings)["haiku"] is load_tasks(settings)["haiku"]
    put(tmp_path, TASK.replace("A short poem.", "A poem of three lines."))
    assert load_tasks(settings)["haiku"].description == "A poem of three lines."


def test_a_bundled_task_is_tried_on_the_data_that_takes_the_place_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "skills").mkdir()
    (tmp_path / "skills" / "own.yaml").write_text("- {id: sewing}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"persona_skills\.yaml"):
        datasets(Settings(tasks=str(tmp_path)))
