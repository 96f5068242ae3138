"""Folders that datasets are exported to."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from persona_assets.cli.app import run_cli
from persona_assets.errors import UsageError
from persona_assets.export.folder import Export, card, export
from persona_assets.export.formats import FORMATS
from persona_assets.graph import assets
from persona_assets.lineage import Status, audit
from persona_assets_tests.lineage.small_lake import Small, build
from persona_assets_tests.tasks.test_views import made, view

TASK = "own_problems"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return build(tmp_path_factory.mktemp("export"))


def written(small: Small, out: Path, form: str, **told: str) -> pl.DataFrame:
    export(small.lake, assets(small.settings), Export(TASK, out, form, **told))
    return pl.read_parquet(f"{out}/data/train-*.parquet")


def test_an_exported_id_audits_down_to_the_crawl(small: Small, tmp_path: Path) -> None:
    rows = written(small, tmp_path / "out", "plain")
    assert {"id", "problem", "language"} <= set(rows.columns)
    found = audit(small.lake, small.settings, rows["id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}


def test_messages_are_of_the_columns_that_are_named(small: Small, tmp_path: Path) -> None:
    rows = written(small, tmp_path / "out", "chatml", prompt="deduped_personas.text", response="problem")
    first = rows["messages"][0].to_list()
    assert [one["role"] for one in first] == ["user", "assistant"]
    assert all(one["content"] for one in first)


def test_a_folder_that_is_not_empty_is_left_alone(small: Small, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(UsageError, match="not empty: name another folder"):
        written(small, tmp_path, "plain")


def test_a_missing_column_leaves_nothing_behind(small: Small, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs the column prompt, which is not there: name columns"):
        written(small, tmp_path / "out", "alpaca")
    assert list(tmp_path.iterdir()) == []


def test_a_view_is_exported_as_the_rows_that_it_selects(small: Small, tmp_path: Path) -> None:
    settings = view(tmp_path, small.settings, "two", size=2)
    ids = made(small.lake, settings, "two")["selected_id"]
    export(small.lake, assets(settings), Export("two", tmp_path / "out"))
    assert sorted(pl.read_parquet(f"{tmp_path}/out/data/*.parquet")["id"]) == sorted(ids)


def test_the_command_writes_the_folder(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERSONA_TASKS", str(small.settings.tasks))
    told = ["export", TASK, "--out", str(tmp_path / "out"), "--lake", small.settings.lake, "--json"]
    monkeypatch.setattr("sys.argv", ["persona-assets", *told])
    assert run_cli() == 0
    told_rows = json.loads(capsys.readouterr().out)["rows"]["train"]
    assert told_rows == pl.read_parquet(f"{tmp_path}/out/data/*.parquet").height
    assert "synthetic" in (tmp_path / "out" / "README.md").read_text()


LOAD = """
import json, sys
from datasets import load_dataset
rows = load_dataset(sys.argv[1], cache_dir=sys.argv[2])["train"]
print(json.dumps([rows.column_names, rows.num_rows, rows[0]]))
"""


@pytest.mark.parametrize("form", ["chatml", "alpaca", "sharegpt", "plain"])
def test_the_library_datasets_loads_the_folder_offline(small: Small, tmp_path: Path, form: str) -> None:
    rows = written(small, tmp_path / "out", form, prompt="deduped_personas.text", response="problem")
    command = [sys.executable, "-c", LOAD, str(tmp_path / "out"), str(tmp_path / "cache")]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    told = subprocess.run(command, env=os.environ | offline, capture_output=True, text=True, check=True).stdout
    names, count, first = json.loads(told)
    assert (names, count) == (rows.columns, rows.height)
    assert first == rows.row(0, named=True)


def test_the_metadata_is_croissant_whose_records_are_the_rows(small: Small, tmp_path: Path) -> None:
    from mlcroissant import Dataset

    rows = written(small, tmp_path / "out", "plain")
    found = Dataset(jsonld=tmp_path / "out" / "croissant.json")
    [name] = [one.name for one in found.metadata.record_sets]
    ids = [record[f"{name}/id"].decode() for record in found.records(name)]
    assert ids == rows["id"].to_list()


def test_sharegpt_renames_roles() -> None:
    frame = pl.DataFrame({"prompt": ["Hi"], "response": ["Yes"]})
    row = frame.select(**FORMATS["sharegpt"](frame.schema))["conversations"][0].to_list()
    assert row == [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yes"}]


def test_the_card_holds_no_markup_of_names_and_its_header_is_yaml() -> None:
    hostile = "<script>|x\n---\n# no"
    text = card(Export("t", Path("o"), licence=hostile), "d", {"train": 3}, ["en"])
    head, body = text[4:].split("\n---\n", 1)[0], text.rsplit("\n---\n", 1)[1]
    assert yaml.safe_load(head)["license"] == hostile
    assert yaml.safe_load(head)["tags"] == ["synthetic"]
    assert "<script>" not in body
