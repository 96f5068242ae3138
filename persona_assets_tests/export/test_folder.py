"""Folders that datasets are exported to."""

import json
from pathlib import Path

import polars as pl
import pytest

from persona_assets.cli.app import run_cli
from persona_assets.errors import UsageError
from persona_assets.export.folder import export
from persona_assets.export.rows import Export
from persona_assets.graph import assets
from persona_assets.lake.store import DamagedPartition
from persona_assets.lineage import Status, audit
from persona_assets_tests.export.stored import store
from persona_assets_tests.export.test_round_trip import TEXT, lake_in
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
    told += ["--source-license", "d = cc0"]
    monkeypatch.setattr("sys.argv", ["persona-assets", *told])
    assert run_cli() == 0
    told_rows = json.loads(capsys.readouterr().out)["rows"]["train"]
    assert told_rows == pl.read_parquet(f"{tmp_path}/out/data/*.parquet").height
    card = (tmp_path / "out" / "README.md").read_text()
    assert "synthetic" in card and "| `cc0` |" in card


def test_a_licence_of_pages_without_a_release_is_told(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["export", TASK, "--out", str(tmp_path / "out"), "--lake", small.settings.lake, "--source-license", "cc0"]
    monkeypatch.setattr("sys.argv", ["persona-assets", *told])
    assert run_cli() == 2
    assert "--source-license cc0: give it as name=value" in " ".join(capsys.readouterr().err.split())


def test_the_metadata_is_croissant_whose_records_are_the_rows(small: Small, tmp_path: Path) -> None:
    from mlcroissant import Dataset

    rows = written(small, tmp_path / "out", "plain")
    found = Dataset(jsonld=tmp_path / "out" / "croissant.json")
    [name] = [one.name for one in found.metadata.record_sets]
    ids = [record[f"{name}/id"].decode() for record in found.records(name)]
    assert ids == rows["id"].to_list()


def test_a_damaged_partition_is_refused(tmp_path: Path) -> None:
    lake, settings = lake_in(tmp_path)
    table = assets(settings)["instruction_answers"].table
    [path] = lake.paths(table)
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 2] ^= 1
    Path(path).write_bytes(data)
    with pytest.raises(DamagedPartition):
        export(lake, assets(settings), Export("instruction_answers", tmp_path / "out"))


def test_rows_of_several_partitions_take_texts_from_those_that_they_were_made_from(tmp_path: Path) -> None:
    lake, settings = lake_in(tmp_path)
    graph = assets(settings)
    rows = [{"sample_id": f"smp_{number}", "instruction": f"Ask {number}"} for number in range(40)]
    own = [{"sample_id": f"own_{n}", "parent_ids": [f"smp_{39 - n}"], "answer": f"Say {39 - n}"} for n in range(40)]
    store(lake, graph["instructions"].table, rows, "d.0001")
    store(lake, graph["instruction_answers"].table, own, "d.0001")
    export(lake, graph, Export("instruction_answers", tmp_path / "out", "alpaca"))
    found = pl.read_parquet(tmp_path / "out/data/*.parquet").filter(pl.col("id").str.starts_with("own_"))
    assert found["id"].to_list() == [one["sample_id"] for one in own]
    assert found.select(pl.col("instruction").str.replace("Ask", "Say") == pl.col("output")).to_series().all()


def test_no_row_with_a_place_in_the_format_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    lake, settings = lake_in(tmp_path)
    graph = assets(settings)
    store(lake, graph["instruction_answers"].table, [{"answer": ""}])
    with pytest.raises(
        UsageError, match=r"chatml has no place for any row of instruction_answers \(missing_prompt 1\)"
    ):
        export(lake, graph, Export("instruction_answers", tmp_path / "out", "chatml"))
    assert not [one for one in tmp_path.iterdir() if one.name != "lake"]


def test_columns_that_are_named_may_be_called_as_those_of_a_format(tmp_path: Path) -> None:
    lake, settings = lake_in(tmp_path)
    job = Export("preference_pairs", tmp_path / "out", "alpaca", prompt="chosen", response="prompt")
    export(lake, assets(settings), job)
    rows = pl.read_parquet(tmp_path / "out/data/*.parquet")
    assert rows["instruction"].to_list() == ["good", "good", "same"]
    assert set(rows["output"]) == {TEXT}


def test_named_columns_take_nothing_from_plain_rows(tmp_path: Path) -> None:
    lake, settings = lake_in(tmp_path)
    export(lake, assets(settings), Export("tool_dialogues", tmp_path / "out", prompt="function_name"))
    assert {"messages", "tools", "prompt"} <= set(pl.read_parquet(tmp_path / "out/data/*.parquet").columns)
