"""Interview logs come out as they were read."""

import json
from pathlib import Path
from typing import Any

import pytest

from persona_assets.cli.app import run_cli
from persona_assets.errors import UsageError
from persona_assets.export.interviews import export_interviews
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.lineage import Status, audit
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets
from persona_assets_tests.characters.logs import OTHER, PUBLISHED, WHOLE, answered, asked, entry, multi, single, write
from persona_assets_tests.plan.work import Work
from persona_assets_tests.tasks.test_questionnaires import made

REAL = PUBLISHED / "interviews"
SINGLES = [
    single(entry("In Ulm.")),
    single([entry("Hm.", action="(thinking)"), entry("In Ulm, 茶.")], "And now?"),
    single([]),
]
MULTIS = [
    multi(*WHOLE),
    multi(asked(0), answered(0, entry("Mine."), entry("And you?", OTHER)), max_turns=5, finished=False, qid=7),
]


def imported(folder: Path, logs: Path) -> Work:
    """A small lake with the interviews of a folder of task files."""
    work = Work(folder, Settings(lake=str(folder / "lake"), dumps=str(folder / "dumps"), tasks=str(logs)))
    made(work, "interview_logs", "logged_interviews")
    return work


def rows(path: Path) -> list[Any]:
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [*json.loads(text)]


def test_both_layouts_come_out_as_they_were_read(tmp_path: Path) -> None:
    work = imported(tmp_path, write(tmp_path / "tasks", SINGLES, MULTIS))
    found = export_interviews(work.lake, assets(work.settings), "logged_interviews", tmp_path / "out")
    single_file, multi_file = (
        "interview_single/Ilse_tuned_result/now.json",
        "interview_turns/multiturn_Ilse_tuned_result/now.jsonl",
    )
    assert found == {single_file: 3, multi_file: 2}
    assert rows(tmp_path / "out" / single_file) == SINGLES
    assert rows(tmp_path / "out" / multi_file) == MULTIS


@pytest.mark.skipif(not REAL.is_dir(), reason="the published logs are not here")
def test_the_published_logs_come_out_as_they_were_read(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "interview_logs").symlink_to(REAL)
    work = imported(tmp_path, tmp_path / "tasks")
    export_interviews(work.lake, assets(work.settings), "logged_interviews", tmp_path / "out")
    there = {path.relative_to(REAL): path for path in REAL.rglob("*.json*")}
    written = {
        path.relative_to(tmp_path / "out").relative_to(kind): path
        for kind in ("interview_single", "interview_turns")
        for path in (tmp_path / "out" / kind).rglob("*.json*")
    }
    assert written.keys() == there.keys()
    for name, path in there.items():
        assert rows(written[name]) == rows(path)


def test_an_interview_is_audited_down_to_its_place_in_the_file(tmp_path: Path) -> None:
    work = imported(tmp_path, write(tmp_path / "tasks", SINGLES, MULTIS))
    table = datasets(work.settings)["logged_interviews"].table
    [key, _] = sorted(work.lake.keys(table))
    result = audit(work.lake, work.settings, work.lake.read(table, key)["sample_id"][0])
    assert {one.status for one in result.verifications} == {Status.OK}
    assert "data_file" in {node.kind for node in result.nodes()}


def test_a_name_leads_out_of_no_folder(tmp_path: Path) -> None:
    told = [single(entry("x", "../../up/_a"))]
    work = imported(tmp_path, write(tmp_path / "tasks", told, []))
    [name] = export_interviews(work.lake, assets(work.settings), "logged_interviews", tmp_path / "out")
    assert name == "interview_single/up-a_tuned_result/now.json"


def test_another_dataset_and_an_empty_one_are_told(lake: Lake, tmp_path: Path) -> None:
    graph = assets(Settings())
    with pytest.raises(
        UsageError, match="is for logged_interviews, interview_answers and character_training, not for instructions"
    ):
        export_interviews(lake, graph, "instructions", tmp_path / "out")
    with pytest.raises(UsageError, match="logged_interviews has no rows: make it first"):
        export_interviews(lake, graph, "logged_interviews", tmp_path / "out")


def test_the_command_writes_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = imported(tmp_path, write(tmp_path / "tasks", SINGLES, MULTIS))
    monkeypatch.setenv("PERSONA_TASKS", str(tmp_path / "tasks"))
    told = (
        "export",
        "logged_interviews",
        "--format",
        "character",
        "--out",
        str(tmp_path / "out"),
        "--lake",
        work.lake.root,
    )
    monkeypatch.setattr("sys.argv", ["persona-assets", *told])
    assert run_cli() == 0
    assert "5 rows in 2 files" in capsys.readouterr().out
