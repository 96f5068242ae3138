"""The program as a process: what it prints where, and how it exits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from persona_assets.lake import Lake
from persona_assets.lake.schemas import RAW_DOCUMENTS
from persona_assets_tests.old_lake import unpack
from persona_assets_tests.rows import document, put

RUN = [sys.executable, "-m", "persona_assets"]


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERSONA_")}
    environment |= {f"PERSONA_{name}": value for name, value in settings.items()}
    return subprocess.run([*RUN, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sql", "DROP VIEW fate"), "read-only"),
        (("audit", "per_123"), "is not an id"),
        (("inspect", "missing.wet"), "no such file: missing.wet"),
        (("run", "--dumps", "nowhere"), "no such folder of dumps"),
        (("run", "--dumps", __file__), "a file, not a folder of dumps"),
        (("inspect", "."), "a folder, not a file: .; name the files in it"),
        (("frobnicate",), "No such command"),
    ],
)
def test_wrong_use_exits_with_2_and_says_why(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_unknown_setting_exits_with_2(tmp_path: Path) -> None:
    done = run(tmp_path, "sql", "SELECT 1", LAEK="x")
    assert (done.returncode, "did you mean PERSONA_LAKE?" in done.stderr) == (2, True)


def test_an_id_that_is_nowhere_exits_with_1(tmp_path: Path) -> None:
    done = run(tmp_path, "audit", "per_" + "0" * 32)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_empty_folder_of_dumps_exits_with_1_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "dumps").mkdir()
    done = run(tmp_path, "run")
    assert done.returncode == 1
    assert "put them in dumps/<dump>/" in done.stderr


def test_sql_prints_nothing_but_json_with_json(tmp_path: Path) -> None:
    put(Lake(tmp_path / "lake"), RAW_DOCUMENTS, document("a"))
    done = run(tmp_path, "sql", "SELECT document_id, fetched_at FROM raw_documents", "--json")
    assert json.loads(done.stdout) == [{"document_id": "doc_a", "fetched_at": None}]
    assert done.stderr == ""


def test_inspect_counts_documents_and_rejects_as_json(tmp_path: Path) -> None:
    text = (
        "The ferry leaves at nine. It carries bicycles, goats and the post, and on Fridays a man who tunes pianos in "
        "the three villages across the water. When the wind is from the north he stays at the inn, tells the children "
        "what a hammer does to a string, and is paid in eggs. "
    )
    lines = [{"text": text, "url": "https://ferry.example/"}, {"text": "short"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "not json\n")
    [file] = json.loads(run(tmp_path, "inspect", "a.jsonl", "--json").stdout)["files"]
    assert file["documents"] == 1
    assert {reason for reason in file["rejects"]} == {"too_short", "bad_json"}


def test_text_from_the_web_prints_without_its_escape_sequences(tmp_path: Path) -> None:
    put(Lake(tmp_path / "lake"), RAW_DOCUMENTS, document("a", text="\x1b[31mred[/] [bold]x[/bold]"))
    done = run(tmp_path, "sql", "SELECT text FROM raw_documents")
    assert "\x1b" not in done.stdout
    assert "[31mred[/] [bold]x[/bold]" in done.stdout


def test_the_catalogue_is_written_where_it_is_said(tmp_path: Path) -> None:
    put(Lake(tmp_path / "lake"), RAW_DOCUMENTS, document("a"))
    done = run(tmp_path, "catalog", "c.duckdb")
    assert done.stdout.strip() == "c.duckdb"
    assert (tmp_path / "c.duckdb").is_file()


def test_help_names_every_command(tmp_path: Path) -> None:
    shown = run(tmp_path, "--help").stdout
    assert all(name in shown for name in ("demo", "run", "plan", "inspect", "dedup", "audit", "sql", "catalog"))


@pytest.mark.parametrize(
    "arguments",
    [("run", "--dumps", "."), ("plan", "--dumps", "."), ("audit", "per_" + "0" * 32), ("sql", "SELECT 1"), ("status",)],
)
def test_a_lake_of_version_0_1_is_named_with_the_command_that_brings_it_up(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "lake" / "_commits").mkdir(parents=True)
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.strip().splitlines()
    assert "was made by version 0.1; `persona-assets migrate` brings it up to date" in line


def test_migrate_says_what_it_did_and_what_dagster_was_told(tmp_path: Path) -> None:
    place = unpack(tmp_path)
    done = run(place, "migrate", "--json", TASKS="tasks")
    said = json.loads(done.stdout)
    assert (said["was_old"], said["calls"], said["not_done"], said["notes"]) == (True, 273, [], [])
    assert said["dagster"] == {"told": 50, "known": 0}
    assert (run(place, "migrate", "--lake", "nowhere").returncode, done.returncode) == (2, 0)
