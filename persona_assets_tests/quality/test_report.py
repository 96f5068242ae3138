"""The report over a lake that was made, and what the command says."""

import json
from pathlib import Path

import pytest

from persona_assets.cli.app import run_cli
from persona_assets.graph import assets
from persona_assets.quality.page import blocks, report_page
from persona_assets.quality.report import Report, measure
from persona_assets.quality.rows import datasets_of
from persona_assets.tasks.load import datasets
from persona_assets.view.html import render_page
from persona_assets_tests.lineage.small_lake import Small, build

TASK = "own_problems"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return build(tmp_path_factory.mktemp("quality"))


@pytest.fixture(scope="module")
def report(small: Small) -> Report:
    return measured(small)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["persona-assets", "quality", *arguments])
    return run_cli()


def measured(small: Small, *dumps: str) -> Report:
    return measure(small.lake, small.settings, datasets_of(datasets(small.settings)), dumps, lambda name, rows: None)


def test_every_row_of_a_dataset_is_in_one_group(small: Small, report: Report) -> None:
    [one] = [one for one in report.datasets if one.dataset == TASK]
    table = assets(small.settings)[TASK].table
    assert one.rows == sum(small.lake.row_count(table, key) for key in small.lake.keys(table)) > 0
    assert all(group.vendi is None or 1 <= group.vendi <= group.encoded + 1e-6 for group in one.groups)
    assert all(group.coverage is None or 0 < group.coverage <= 1 for group in one.groups)


def test_near_duplicates_are_named_with_what_stands_for_them(report: Report) -> None:
    for one in report.datasets:
        assert len(one.near) == min(one.duplicates, 100)
        assert all(row["id"] != row["survivor_id"] for row in one.near)


def test_measuring_again_says_the_same(small: Small, report: Report) -> None:
    assert measured(small).as_dict() == report.as_dict()


def test_hops_are_told_with_what_survives(report: Report) -> None:
    assert report.novelty[0].hop == 0
    assert all(0 < one.kept <= one.personas for one in report.novelty)


def test_a_dump_that_has_nothing_gives_an_empty_report(small: Small) -> None:
    assert measured(small, "1999-01").datasets == []
    assert len(blocks(measured(small, "1999-01"))) == 1


def test_the_page_names_the_datasets(report: Report) -> None:
    assert TASK in render_page(report_page(report, "lake"))


def test_the_command_writes_json_and_a_page(
    small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONA_TASKS", str(small.settings.tasks))
    page = tmp_path / "quality.html"
    assert run(monkeypatch, "--lake", small.lake.root, "--dataset", TASK, "--json", "--html", str(page)) == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["dataset"] for one in said["datasets"]] == [TASK]
    assert page.read_text("utf-8").startswith("<!doctype html>")


def test_an_unknown_dataset_is_told(
    small: Small, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "--lake", small.lake.root, "--dataset", "instruction") == 2
    assert "instructions" in capsys.readouterr().err
