"""Pairs and preferences as the files of Machine Mindset."""

import json
from pathlib import Path
from typing import Any

import pytest

from persona_assets.cli.app import run_cli
from persona_assets.errors import UsageError
from persona_assets.export.poles import export_poles
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.settings import Settings
from persona_assets_tests.export.stored import store

GRAPH = assets(Settings())
NAMES = ("extraversion", "introversion")
POLES = [
    {"row_id": f"row_{one}", "id": one, "name": name} for one, name in (("E", "extraversion"), ("I", "introversion"))
]
PAIRS = [
    {"language": language, "dimension": "energy", "one_pole": "E", "other_pole": "I"}
    | {"instruction": f"{language} {number}", "one": f"one {number}", "other": f"other {number}"}
    for language, number in (("en", 1), ("zh", 2), ("en", 3), ("en", 4))
]  # fmt: skip
PREFERENCES = [
    {"dimension": "energy", "chosen_pole": chosen, "rejected_pole": rejected, "types": types}
    | {"prompt": "Plan a picnic.", "chosen": f"as {chosen}", "rejected": f"as {rejected}"}
    for chosen, rejected, types in (("E", "I", ["ESTJ", "ENTP"]), ("I", "E", ["INTP"]), ("I", "E", []))
]  # fmt: skip


@pytest.fixture
def filled(lake: Lake) -> Lake:
    store(lake, GRAPH["poles"].table, POLES, "dimensions")
    numbered = [{"sample_id": f"smp_{number}", **pair} for number, pair in enumerate(PAIRS)]
    store(lake, GRAPH["behaviour"].table, numbered[:2], "a")
    store(lake, GRAPH["behaviour"].table, numbered[2:], "b")
    store(lake, GRAPH["preference_poles"].table, PREFERENCES, "a")
    return lake


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


def test_each_pole_and_language_has_a_file_row_by_row_like_that_of_the_opposite(filled: Lake, tmp_path: Path) -> None:
    counts = export_poles(filled, GRAPH, "behaviour", tmp_path / "out")
    assert counts == {f"{language}_energy_{name}": rows for language, rows in (("en", 3), ("zh", 1)) for name in NAMES}
    one, other = (read(tmp_path / "out", f"en_energy_{name}") for name in NAMES)
    assert one[0] == {"instruction": "en 1", "input": " ", "output": "one 1", "id": "smp_0"}
    assert [row["output"] for row in other] == ["other 1", "other 3", "other 4"]
    assert [(row["instruction"], row["id"]) for row in one] == [(row["instruction"], row["id"]) for row in other]


def test_preferences_stand_by_pole_and_by_type(filled: Lake, tmp_path: Path) -> None:
    counts = export_poles(filled, GRAPH, "preference_poles", tmp_path / "out")
    assert counts == {"dpo_energy_e_i": 1, "dpo_energy_i_e": 2, "dpo_entp": 1, "dpo_estj": 1, "dpo_intp": 1}
    [row] = read(tmp_path / "out", "dpo_estj")
    assert (row["instruction"], row["input"], row["output"]) == ("Plan a picnic.", " ", ["as E", "as I"])


def test_self_awareness_stands_by_language_and_type(lake: Lake, tmp_path: Path) -> None:
    told = (("en", "INTP"), ("zh", "INTP"), ("en", "ESFJ"))
    rows = [{"language": of, "type": name, "question": f"{of}?", "answer": f"I, {name}."} for of, name in told]
    store(lake, GRAPH["poles"].table, POLES, "mbti")
    store(lake, GRAPH["self_awareness"].table, rows, "en")
    counts = export_poles(lake, GRAPH, "self_awareness", tmp_path / "out")
    assert counts == {"en_self_awareness_esfj": 1, "en_self_awareness_intp": 1, "zh_self_awareness_intp": 1}
    [row] = read(tmp_path / "out", "en_self_awareness_intp")
    assert (row["instruction"], row["input"], row["output"]) == ("en?", " ", "I, INTP.")


def test_a_pole_without_a_name_is_called_by_its_id(lake: Lake, tmp_path: Path) -> None:
    store(lake, GRAPH["poles"].table, [POLES[0] | {"name": None}, POLES[1]], "dimensions")
    store(lake, GRAPH["behaviour"].table, PAIRS[:1], "a")
    assert set(export_poles(lake, GRAPH, "behaviour", tmp_path / "out")) == {"en_energy_E", "en_energy_introversion"}


@pytest.mark.parametrize("name", ["../up", "a/b", "", "x" * 61])
def test_a_name_leads_out_of_no_folder(lake: Lake, tmp_path: Path, name: str) -> None:
    store(lake, GRAPH["poles"].table, [POLES[0] | {"name": name}, POLES[1]], "dimensions")
    store(lake, GRAPH["behaviour"].table, PAIRS[:1], "a")
    with pytest.raises(UsageError, match="cannot be part of a file's name"):
        export_poles(lake, GRAPH, "behaviour", tmp_path / "out" / "in")
    assert list((tmp_path / "out").iterdir()) == []


def test_another_dataset_an_empty_one_and_a_full_folder_are_told(filled: Lake, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is for behaviour, preference_poles and self_awareness, not for instructions"):
        export_poles(filled, GRAPH, "instructions", tmp_path / "out")
    with pytest.raises(UsageError, match="behaviour has no rows: make it first"):
        export_poles(Lake(tmp_path / "empty"), GRAPH, "behaviour", tmp_path / "out")
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        export_poles(filled, GRAPH, "behaviour", tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_the_command_writes_files_that_check_pairs_reads(
    filled: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["persona-assets", *arguments])
        return run_cli()

    out = tmp_path / "out"
    place = ("--out", str(out), "--format", "mindset", "--lake", filled.root)
    assert run("export", "behaviour", *place, "--push", "me/it") == 2
    assert "takes no further option" in capsys.readouterr().err
    assert run("export", "behaviour", *place) == 0
    assert "8 rows in 4 files" in capsys.readouterr().out
    pair = [str(out / f"en_energy_{name}.json") for name in NAMES]
    assert run("check-pairs", *pair, "--json") == 0
    [report] = json.loads(capsys.readouterr().out)
    assert report["pairs"] == 3
