import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from persona_assets.engines.base import Completion, Request, Result
from persona_assets.engines.offline import OfflineEngine
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS, REJECTED
from persona_assets.tasks.load import datasets, load_tasks
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets.tasks.table import task_table
from persona_assets_tests.conftest import context
from persona_assets_tests.engines.asking import SETTINGS
from persona_assets_tests.rows import SHARD, persona, put
from persona_assets_tests.tasks.people import STEPS, TASKS, ask
from persona_assets_tests.tasks.test_load import TASK

PERSONAS = [
    persona("1", "a", text="A careful nurse who compares fever charts", language="en"),
    persona("2", "a", text="一名厨师，想了解“红烧豆腐”", language="zh"),
    persona("3", "b", text="Повар, который читает о теме «борщ»", language="ru"),
]


class Says(OfflineEngine):
    """Gives every question the same answer."""

    def __init__(self, answer: object) -> None:
        super().__init__(SETTINGS)
        self.answer = json.dumps(answer)

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        for request in requests:
            yield [Completion(request.call_id, self.answer, "stop", 1, 1, 0.0)]


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if not (task.several or task.many)])
def test_each_persona_gets_one_sample_with_its_lineage(lake: Lake, name: str) -> None:
    put(lake, DEDUPED_PERSONAS, *PERSONAS)
    if worlds := datasets(SETTINGS).get("worlds") if name == "game_npcs" else None:
        for key in worlds.look().sources:
            worlds.run(context(lake, SETTINGS), key)
    report = run_task(context(lake, OfflineEngine(SETTINGS)), STEPS[name], SHARD)
    rows = lake.read(STEPS[name].table, SHARD).to_dicts()
    assert (report.inputs, report.kept, report.calls_made) == (3, 3, 3)
    assert [row["persona_ids"] for row in rows] == [["per_1"], ["per_2"], ["per_3"]]
    assert [row["document_id"] for row in rows] == ["doc_a", "doc_a", "doc_b"]
    assert [row["language"] for row in rows] == ["en", "zh", "ru"]
    assert {(row["task"], row["template"], row["model"], row["shard"]) for row in rows} == {
        (name, name, "offline", SHARD)
    }


def test_a_second_run_makes_no_call_and_gives_the_same_rows(lake: Lake) -> None:
    put(lake, DEDUPED_PERSONAS, *PERSONAS)
    template = TASKS["math_problems"]
    table = task_table(template)
    run_task(context(lake, OfflineEngine(SETTINGS)), TaskStep(template), SHARD)
    first = lake.read(table, SHARD).drop(table.volatile)
    report = run_task(context(lake, OfflineEngine(SETTINGS), "again"), TaskStep(template), SHARD)
    assert (report.calls_made, report.kept) == (0, 3)
    assert lake.read(table, SHARD).drop(table.volatile).equals(first)


def test_a_users_file_gives_a_table_and_a_run(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "haiku.yaml").write_text(TASK, encoding="utf-8")
    own = context(lake, OfflineEngine(SETTINGS), tasks=str(tmp_path))
    put(lake, DEDUPED_PERSONAS, *PERSONAS)
    template = load_tasks(own.settings)["haiku"]
    assert run_task(own, TaskStep(template), SHARD).kept == 3
    poems = lake.read(task_table(template), SHARD)["poem"]
    assert poems.n_unique() == 3
    assert "红烧豆腐" in poems[1]


def test_a_sample_that_breaks_a_rule_is_set_aside_under_the_rules_name(lake: Lake) -> None:
    put(lake, DEDUPED_PERSONAS, PERSONAS[0])
    answer = {"problem": "A nurse has 12 charts and finds 3 more. How many are there? Answer: 15", "answer": "15"}
    report = run_task(context(lake, Says(answer)), TaskStep(TASKS["math_problems"]), SHARD)
    (row,) = lake.rejects().collect().to_dicts()
    assert report.rejected == {"no_solution": 1}
    assert (row["asset"], row["row_id"], row["parent_id"]) == ("math_problems", "per_1", "per_1")
    assert "Answer:" in row["detail"]
    assert set(row) == set(REJECTED.polars)


def test_a_number_that_no_column_holds_is_set_aside() -> None:
    schema = {"type": "object", "properties": {"whole": {"type": "integer"}}}
    template = TASKS["math_problems"].model_copy(update={"response_schema": schema, "validity": ()})
    parsed = TaskStep(template).parse(ask("A nurse", "en"), {"whole": 10**19})
    assert [reject.reason for reject in parsed.rejects] == ["out_of_range"]


def test_the_id_covers_task_persona_and_content_and_nothing_else() -> None:
    template = TASKS["instructions"].model_copy(update={"validity": ()})
    step, other = TaskStep(template), TaskStep(template.model_copy(update={"name": "other_task"}))
    ids = [
        step.parse(ask("A nurse", "en"), {"instruction": "One"}),
        step.parse(ask("A nurse who wrote more", "en"), {"instruction": "One"}),
        step.parse(ask("A nurse", "en"), {"instruction": "Two"}),
        step.parse(ask("A nurse", "en", "q"), {"instruction": "One"}),
        other.parse(ask("A nurse", "en"), {"instruction": "One"}),
    ]
    found = [parsed.rows[0]["sample_id"] for parsed in ids]
    assert found[0] == found[1]
    assert len(set(found)) == 4


def test_an_unmaterialised_shard_is_an_error_that_says_what_to_do(lake: Lake) -> None:
    with pytest.raises(PersonaAssetsError, match="materialise it first"):
        run_task(context(lake, OfflineEngine(SETTINGS)), TaskStep(TASKS["instructions"]), SHARD)
