"""Task files whose fault would otherwise show only after calls were paid."""

from pathlib import Path

import pytest

from persona_assets.errors import UsageError
from persona_assets.settings import Settings
from persona_assets.tasks.load import load_tasks

TASK = """
name: {name}
version: 1
title: T
description: D.
messages:
  - {{role: user, content: "<persona>{{{{ {variable} }}}}</persona>"}}
response_schema: {{type: object, properties: {{poem: {{type: string}}}}, required: [poem]}}
"""


def load(folder: Path, name: str = "poems", variable: str = "persona") -> list[str]:
    (folder / "task.yaml").write_text(TASK.format(name=name, variable=variable))
    return list(load_tasks(Settings(tasks=str(folder))))


def test_a_sound_file_is_loaded(tmp_path: Path) -> None:
    assert "poems" in load(tmp_path)


@pytest.mark.parametrize("name", ["samples", "fate", "personas", "rows", "given", "seals", "embeddings", "calls"])
def test_a_name_that_the_catalogue_or_the_lake_uses_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=rf"task\.yaml: the name {name} belongs to the project"):
        load(tmp_path, name=name)


def test_a_variable_that_no_task_is_given_is_refused_at_load_time(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"task\.yaml:7: .*'person' is not there to use; did you mean persona\?"):
        load(tmp_path, variable="person")
