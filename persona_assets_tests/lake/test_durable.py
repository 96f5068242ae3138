from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake, durable
from persona_assets.lake.durable import clear, create_once, create_own, names, read, remove, sizes, write_durably


@pytest.fixture(params=["local", "memory"])
def any_lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    if request.param == "local":
        yield Lake(tmp_path / "lake")
        return
    lake = Lake("memory://durable")
    yield lake
    lake.fs.store.clear()


def test_a_file_is_created_once_and_never_changed_by_a_second_try(any_lake: Lake) -> None:
    path = f"{any_lake.root}/_records/a/k@1.json"
    create_once(any_lake, path, b"first")
    with pytest.raises(FileExistsError):
        create_once(any_lake, path, b"second")
    assert read(any_lake, path) == b"first"
    assert create_own(any_lake, path, b"first")  # a repeated request
    assert not create_own(any_lake, path, b"second")


def test_of_many_who_create_a_file_at_one_time_one_succeeds(any_lake: Lake) -> None:
    def create(number: int) -> bool:
        try:
            create_once(any_lake, f"{any_lake.root}/f{number // 8}", str(number).encode())
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(create, range(160)))
    assert [sum(won[at : at + 8]) for at in range(0, 160, 8)] == [1] * 20
    winners = {number // 8: str(number).encode() for number, is_first in enumerate(won) if is_first}
    assert {number: read(any_lake, f"{any_lake.root}/f{number}") for number in winners} == winners


@pytest.mark.parametrize("sync", [True, False])
def test_a_file_is_replaced_whole_listed_and_removed(any_lake: Lake, sync: bool) -> None:
    path = f"{any_lake.root}/_leases/a/k@1.json"
    assert names(any_lake, f"{any_lake.root}/_leases/a") == []
    write_durably(any_lake, path, b"1", sync=sync)
    write_durably(any_lake, path, b"22", sync=sync)
    assert names(any_lake, f"{any_lake.root}/_leases/a") == ["k@1.json"]
    assert sizes(any_lake, f"{any_lake.root}/_leases/a") == {"k@1.json": 2}
    clear(any_lake, path)
    assert read(any_lake, path) == b""
    remove(any_lake, path)
    remove(any_lake, path)
    assert read(any_lake, path) is None


def test_nothing_is_left_aside(lake: Lake) -> None:
    create_once(lake, f"{lake.root}/a/b", b"1")
    with pytest.raises(FileExistsError):
        create_once(lake, f"{lake.root}/a/b", b"2")
    write_durably(lake, f"{lake.root}/a/c", b"3")
    assert list(Path(lake.root, "_tmp").iterdir()) == []


def test_file_and_folders_are_synced(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(durable, "sync_path", synced.append)
    create_once(lake, f"{lake.root}/_records/a/k@1.json", b"1")
    assert synced == [lake.root, f"{lake.root}/_records", f"{lake.root}/_records/a"]
    create_once(lake, f"{lake.root}/_records/a/k@2.json", b"1", sync=False)
    assert len(synced) == 3


def test_a_folder_without_hard_links_is_an_error_with_a_remedy(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    with pytest.raises(PersonaAssetsError, match=r"a/b cannot be created as a hard link .*put the lake on"):
        create_once(lake, f"{lake.root}/a/b", b"1")
