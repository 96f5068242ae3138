import json
from pathlib import Path

import pytest

from persona_assets.cli.app import run_cli
from persona_assets_tests.contrast.test_files import LOUD, QUIET, rows, written


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["persona-assets", "check-pairs", *arguments])
    return run_cli()


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    preferences = [{"instruction": "Rest.", "output": [QUIET[0], LOUD[0]]}]
    return (
        str(written(tmp_path / "loud.json", rows(LOUD))),
        str(written(tmp_path / "quiet.json", rows(QUIET))),
        str(written(tmp_path / "dpo.json", preferences)),
    )


def test_tables_and_a_page_are_shown(
    files: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "pairs.html"
    assert run(monkeypatch, *files[:2], "--html", str(page)) == 0
    shown = capsys.readouterr().out
    assert "numbers_differ" in shown
    assert "not measured" in shown
    assert "Pairs of answers" in page.read_text(encoding="utf-8")


def test_json_has_a_report_for_each_thing_to_check(
    files: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, files[0], files[1], "--dpo", files[2], "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["pairs"] for one in found] == [3, 1]


def test_wrong_use_is_told(
    files: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loud, quiet, _ = files
    for arguments, said in (
        ((), "nothing to check"),
        ((loud,), "name two, one for each pole"),
        ((loud, str(tmp_path / "none.json")), "none.json: no such file"),
        ((loud, quiet, "--html", "pairs.txt"), "end the name in .html"),
        ((loud, quiet, "--language", "English"), "--language English"),
    ):
        assert run(monkeypatch, *arguments) == 2
        assert said in capsys.readouterr().err
