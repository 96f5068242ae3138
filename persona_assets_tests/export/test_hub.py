"""Exported folders pushed to a hub: a real HTTP server that keeps to the hub's API, and fails as it is told to."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from persona_assets.cli.app import run_cli
from persona_assets.errors import UsageError
from persona_assets.export import files
from persona_assets.export.folder import export
from persona_assets.export.hub import Hub, HubError, Pushed
from persona_assets.export.rows import Export
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.settings import Settings
from persona_assets_tests.export.hub_server import DROP, LOSE, OTHERS, TOKEN, HubServer, serving
from persona_assets_tests.export.stored import store

NAME, SOURCE = "us/answers", "knowledge_texts"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # before a request is tried again
    with serving(HubServer()) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def lake_of(folder: Path, rows: int) -> tuple[Lake, Settings]:
    settings = Settings(lake=str(folder / "lake"))
    lake = Lake(settings.lake)
    lake.declare()
    made = [{"title": f"Title {number}", "article": f"Text {number}"} for number in range(rows)]
    store(lake, assets(settings)["knowledge_texts"].table, made)
    return lake, settings


def written(folder: Path, rows: int = 9, out: str = "out") -> Path:
    """A folder of a file for every two rows."""
    lake, settings = lake_of(folder, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ROW_GROUP", 2)
        patch.setattr(files, "FILE_ROWS", 2)
        export(lake, assets(settings), Export(SOURCE, folder / out))
    return folder / out


def content(folder: Path) -> dict[str, bytes]:
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def push(folder: Path, name: str = NAME) -> Pushed:
    return Hub.of_environment(name).push(folder, name)


def test_the_repository_is_private_and_has_the_folders_files_in_one_commit(hub: HubServer, tmp_path: Path) -> None:
    folder = written(tmp_path)
    done = push(folder)
    assert done == Pushed(f"{hub.url}/datasets/{NAME}", 7, 0, 0)
    assert hub.content(NAME) == content(folder) | {".gitattributes": b"*.parquet filter=lfs\n"}
    assert hub.repositories[NAME].visibility == "private"
    assert len(hub.repositories[NAME].commits) == 2
    assert set(hub.sent.values()) == {1} and len(hub.sent) == 5


def test_nothing_is_sent_again_where_nothing_changed(hub: HubServer, tmp_path: Path) -> None:
    folder = written(tmp_path)
    push(folder)
    before = hub.seen["preupload"], hub.seen["commit"]
    done = push(folder)
    assert (done.sent, done.there, done.deleted) == (0, 7, 0)
    assert (hub.seen["preupload"], hub.seen["commit"]) == before
    assert set(hub.sent.values()) == {1}


def test_shards_that_the_folder_lacks_are_deleted_in_the_same_commit_and_other_files_stay(
    hub: HubServer, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    push(written(tmp_path / "one", 9))
    repository = hub.repositories[NAME]
    repository.commit(repository.files | {"data/notes.md": ("regular", b"mine"), "LICENSE": ("regular", b"x")})
    folder, commits = written(tmp_path / "two", 4), len(repository.commits)
    done = push(folder)
    assert (done.sent, done.there, done.deleted) == (2, 2, 3)  # the first two shards have the same rows
    kept = {".gitattributes": b"*.parquet filter=lfs\n", "data/notes.md": b"mine", "LICENSE": b"x"}
    assert hub.content(NAME) == content(folder) | kept
    assert len(repository.commits) == commits + 1


@pytest.mark.parametrize("how", [500, DROP])
def test_a_hub_that_fails_after_some_files_is_gone_on_with(hub: HubServer, tmp_path: Path, how: int) -> None:
    folder = written(tmp_path)
    hub.faults["put"] = dict.fromkeys(range(3, 100), how)
    with pytest.raises(
        HubError, match=r"was cut off: run the command again; what has arrived is not sent again"
    ) as told:
        push(folder)
    assert "/lfs/" not in str(told.value)
    assert len(hub.sent) == 2 and len(hub.repositories[NAME].commits) == 1
    hub.faults.clear()
    done = push(folder)
    assert done.sent == 7
    assert set(hub.sent.values()) == {1} and len(hub.sent) == 5
    assert hub.content(NAME) == content(folder) | {".gitattributes": b"*.parquet filter=lfs\n"}


@pytest.mark.parametrize("how", [500, DROP])
@pytest.mark.parametrize("kind", ["create", "info", "tree", "yaml", "preupload", "batch", "verify", "commit"])
def test_wherever_a_push_is_cut_off_the_next_one_ends_it(hub: HubServer, tmp_path: Path, kind: str, how: int) -> None:
    folder = written(tmp_path, 3)
    hub.faults[kind] = dict.fromkeys(range(1, 100), how)
    with pytest.raises(HubError, match="run the command again"):
        push(folder)
    hub.faults.clear()
    push(folder)
    assert hub.content(NAME) == content(folder) | {".gitattributes": b"*.parquet filter=lfs\n"}
    assert set(hub.sent.values()) == {1}


def test_a_fault_that_passes_is_waited_out(hub: HubServer, tmp_path: Path) -> None:
    hub.faults = {"put": {1: 500, 2: DROP}, "batch": {1: 503}}
    assert push(written(tmp_path)).sent == 7


def test_a_commit_whose_answer_is_lost_is_not_made_twice(hub: HubServer, tmp_path: Path) -> None:
    folder = written(tmp_path)
    hub.faults["commit"] = {1: LOSE}
    with pytest.raises(HubError):
        push(folder)
    assert push(folder).sent == 0
    assert len(hub.repositories[NAME].commits) == 2


def test_a_repository_that_is_changed_meanwhile_is_told(hub: HubServer, tmp_path: Path) -> None:
    folder = written(tmp_path)
    hub.meanwhile["batch"] = lambda: hub.repositories[NAME].commit({})
    with pytest.raises(HubError, match=f"{NAME} was changed by another while it was pushed: run the command again"):
        push(folder)
    hub.meanwhile.clear()
    assert push(folder).sent == 7


def test_a_store_beside_the_hub_whose_leave_has_run_out_is_no_fault_of_the_token(
    hub: HubServer, tmp_path: Path
) -> None:
    folder = written(tmp_path)
    with serving(HubServer(large=hub.large)) as store:
        hub.store = store.url
        store.faults["put"] = dict.fromkeys(range(1, 100), 403)
        with pytest.raises(HubError, match="was cut off: run the command again"):
            push(folder)
        store.faults.clear()
        assert push(folder).sent == 7


def test_a_token_is_in_no_text_of_the_hub(hub: HubServer) -> None:
    assert TOKEN not in repr(Hub.of_environment(NAME))


def test_without_a_token_nothing_is_asked(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UsageError, match="needs a token: make one with write access at the hub, and set HF_TOKEN"):
        Hub.of_environment(NAME)
    assert not hub.seen


def test_a_token_that_the_hub_does_not_know_is_told_without_it(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong_secret")
    with pytest.raises(UsageError, match="refuses the token of HF_TOKEN: make one with write access") as found:
        push(written(tmp_path))
    assert "hf_wrong_secret" not in str(found.value)


def test_an_owner_that_the_token_is_not_of_is_told(hub: HubServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"may not write to {OTHERS}/x at {hub.url}: give it write access"):
        push(written(tmp_path), f"{OTHERS}/x")


def test_an_owner_that_is_unknown_is_told(hub: HubServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="knows no owner nobody"):
        push(written(tmp_path), "nobody/x")


@pytest.mark.parametrize("name", ["x", "us/", "/x", "us/x/y", "us/..", "us/a b", "us/x?y=1", "us/a\nb", "-us/x", ""])
def test_what_is_no_name_of_a_repository_is_told(hub: HubServer, name: str) -> None:
    with pytest.raises(UsageError, match="give OWNER/NAME"):
        Hub.of_environment(name)


def test_a_hub_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: HubServer) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match=r"http://127\.0\.0\.1:9 was cut off: run the command again"):
        push(written(tmp_path))


def test_what_a_hub_says_is_shown_without_its_control_characters(hub: HubServer, tmp_path: Path) -> None:
    hub.faults["create"] = {1: 418}
    with pytest.raises(HubError) as found:
        push(written(tmp_path))
    assert "the hub fell over" in str(found.value)
    assert "\x1b" not in str(found.value) and "\n" not in str(found.value)


@pytest.mark.parametrize("change", ["changed", "gone", "one more"])
def test_data_that_is_not_as_it_was_written_is_not_pushed(hub: HubServer, tmp_path: Path, change: str) -> None:
    folder = written(tmp_path)
    file = folder / "data" / "train-00001.parquet"
    if change == "changed":
        pl.DataFrame({"id": ["x"]}).write_parquet(file)
    elif change == "gone":
        file.unlink()
    else:
        file.with_name("train-00009.parquet").write_bytes(b"")
    with pytest.raises(UsageError, match=r"is not as it was written: export into another folder"):
        push(folder)
    assert not hub.seen


def test_a_card_that_a_person_has_written_on_is_pushed_as_it_is(hub: HubServer, tmp_path: Path) -> None:
    folder = written(tmp_path)
    push(folder)
    with (folder / "README.md").open("a") as card:
        card.write("\nA note.\n")
    assert push(folder).sent == 1
    assert hub.content(NAME)["README.md"].endswith(b"A note.\n")


def test_the_hub_is_told_nothing_of_other_libraries(hub: HubServer, tmp_path: Path) -> None:
    push(written(tmp_path))
    assert not [agent for agent in hub.told if "torch" in agent or "agent/" in agent]


def command(settings: Settings, out: Path) -> list[str]:
    told = ["--out", str(out), "--lake", settings.lake, "--push", NAME, "--json"]
    return ["persona-assets", "export", SOURCE, *told]


def test_the_command_writes_and_pushes_and_run_again_ends_what_was_cut_off(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, settings = lake_of(tmp_path, 9)
    monkeypatch.setattr("sys.argv", command(settings, tmp_path / "out"))
    hub.faults["commit"] = {1: 500}
    assert run_cli() == 1
    assert "run the command again" in " ".join(capsys.readouterr().err.split())
    before = content(tmp_path / "out")
    assert run_cli() == 0
    assert json.loads(capsys.readouterr().out)["pushed"]["sent"] == 3
    assert content(tmp_path / "out") == before
    assert set(hub.sent.values()) == {1}


def test_a_folder_of_other_rows_is_neither_replaced_nor_pushed(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, settings = lake_of(tmp_path, 9)
    monkeypatch.setattr("sys.argv", command(settings, tmp_path / "out"))
    assert run_cli() == 0
    seen = hub.seen.copy()
    store(lake, assets(settings)["knowledge_texts"].table, [{"title": "Other", "article": "Rows"}])
    assert run_cli() == 2
    assert "not empty: name another folder" in " ".join(capsys.readouterr().err.split())
    assert hub.seen == seen


def test_what_was_pushed_is_what_the_library_datasets_reads(hub: HubServer, tmp_path: Path) -> None:
    push(written(tmp_path))
    copy = tmp_path / "copy"
    for path, data in hub.content(NAME).items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes(data)
    load = "import sys; from datasets import load_dataset; print(load_dataset(sys.argv[1], cache_dir=sys.argv[2]))"
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    run = [sys.executable, "-c", load, str(copy), str(tmp_path / "cache")]
    told = subprocess.run(run, env=os.environ | offline, capture_output=True, text=True, check=True).stdout
    assert "num_rows: 9" in told


def test_a_pushed_files_digest_is_that_of_the_metadata(hub: HubServer, tmp_path: Path) -> None:
    push(written(tmp_path))
    about = json.loads(hub.content(NAME)["croissant.json"])
    for one in about["distribution"]:
        assert hashlib.sha256(hub.content(NAME)[one["contentUrl"]]).hexdigest() == one["sha256"]
