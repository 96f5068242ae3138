"""Named sets on a real webserver and daemon: their files become partitions, which flow to what is made of them.

The tests share servers and lake, and stand in order.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from persona_assets.state import LakeState, State
from persona_assets_tests.defs.servers import SENSORS, Servers, running
from persona_assets_tests.tasks.own import answer_of, task

SETS = "new_data_files"
FUNCTION = """
import polars as pl
from persona_assets.tasks.derived import data_files, derived

@derived(reads=(data_files("surveys/*.yaml"), "deduped_personas"), columns={"persona_ids": pl.List(pl.String)},
         cites={"persona_ids": "deduped_personas"}, description="Everybody is asked everything.")
def asked(surveys: pl.LazyFrame, people: pl.LazyFrame) -> pl.LazyFrame:
    return people.join(surveys, how="cross").select(
        parent_ids=pl.concat_list("row_id"), persona_ids=pl.concat_list("persona_id")
    )
"""
ANSWERS = task(
    "answers",
    "<persona>\n{{ persona }}\n</persona>\n{{ surveys.question }}",
    answer_of(answer={"type": "string", "minLength": 1}),
    reads="asked",
    over={"language": ["en"]},
    offline={
        "variants": {"en": [{"let": {"a": [1, 9]}, "answer": {"answer": "{{ person.indef | cap }} says {{ a }}."}}]}
    },
)
DATASETS = ("surveys", "asked", "answers")


def survey(folder: Path, name: str, question: str) -> None:
    (folder / "surveys").mkdir(exist_ok=True)
    (folder / "surveys" / f"{name}.yaml").write_text(yaml.safe_dump({"question": question}), encoding="utf-8")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    place = tmp_path_factory.mktemp("sets")
    tasks = place / "tasks"
    tasks.mkdir()
    survey(tasks, "tea", "Tea or coffee?")
    (tasks / "asked.py").write_text(FUNCTION, encoding="utf-8")
    (tasks / "answers.yaml").write_text(yaml.safe_dump(ANSWERS), encoding="utf-8")
    with running(place, tasks=tasks, stale="calls") as servers:
        yield servers


def folder(servers: Servers) -> Path:
    return Path(str(servers.settings.tasks))


def standing(servers: Servers, key: str) -> set[State]:
    """How the partitions of this key stand."""
    state = LakeState(servers.lake, servers.settings)
    return {state.of(name, key).state for name in DATASETS}


def rows(servers: Servers, name: str, key: str) -> int:
    return servers.lake.row_count(LakeState(servers.lake, servers.settings).assets[name].table, key)


def test_a_survey_waits_for_what_it_asks_about_and_flows_to_its_answers(servers: Servers) -> None:
    servers.drop("c", "a.jsonl", 1)
    servers.start(*SENSORS, SETS)
    servers.wait(lambda: standing(servers, "tea") == {State.DONE}, "the survey flows")
    runs = servers.settled()
    assert {run.status for run in runs} == {"SUCCESS"}, servers.told()
    made = [run for run in runs if "answers" in run.assets]
    assert [(run.at, run.assets) for run in made] in ([("tea", {"asked", "answers"})], [("tea", {"answers"})])
    assert rows(servers, "answers", "tea") == rows(servers, "deduped_personas", "c.0000") > 0


def test_a_new_file_is_asked_alone(servers: Servers) -> None:
    known = {run.run_id for run in servers.runs()}
    survey(folder(servers), "bus", "Should buses be free?")
    servers.wait(lambda: standing(servers, "bus") == {State.DONE}, "the new survey flows")
    runs = [run for run in servers.settled() if run.run_id not in known]
    assert {run.at for run in runs} == {"bus"}, servers.told()
    assert {run.status for run in runs} == {"SUCCESS"}


def test_other_content_of_a_file_flows_and_a_new_shard_does_too(servers: Servers) -> None:
    survey(folder(servers), "tea", "Tea or milk?")
    servers.drop("d", "a.jsonl", 7)
    servers.wait(lambda: servers.done(), "all flows")
    assert {run.status for run in servers.settled()} == {"SUCCESS"}, servers.told()
    published = sum(rows(servers, "deduped_personas", key) for key in ("c.0000", "d.0000"))
    assert rows(servers, "answers", "tea") == rows(servers, "answers", "bus") == published


def test_a_backfill_by_hand_over_all_partitions_makes_each_of_them(servers: Servers) -> None:
    ended = servers.backfilled(servers.backfill(["surveys", "asked", "answers"]))
    assert (ended.status, ended.error) == ("COMPLETED_SUCCESS", "")
    assert ended.materialised == dict.fromkeys(DATASETS, 2)
    assert servers.done()


def test_a_file_that_is_gone_leaves_its_partition_out(servers: Servers) -> None:
    (folder(servers) / "surveys" / "bus.yaml").unlink()
    before = len(servers.settled())
    assert standing(servers, "bus") == {State.LEFT_OUT}
    assert servers.launch(["answers"], "bus").status == "SUCCESS"
    assert standing(servers, "tea") == {State.DONE}
    assert len(servers.settled()) == before + 1
