import os
from pathlib import Path

import pytest

from persona_assets.crawl.arrival import Arrival, plan_shards
from persona_assets.crawl.shards import Shard, registered_shards, shard_files
from persona_assets.lake import Lake
from persona_assets.lake.store import dump_of
from persona_assets.settings import Settings

NOW = 1_700_000_000.0


class Place:
    """A dumps folder and a lake; files settle unless told otherwise."""

    def __init__(self, root: Path) -> None:
        self.dumps = root / "dumps"
        self.dumps.mkdir()
        self.lake = Lake(root / "lake")

    def put(self, *names: str, age: float = 3600, data: bytes = b"data") -> None:
        for name in names:
            path = self.dumps / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            os.utime(path, (NOW - age, NOW - age))

    def plan(self, sealed: tuple[str, ...] = (), **values: object) -> Arrival:
        settings = Settings(dumps=str(self.dumps), **{"files_per_shard": 2, "settle_s": 60, **values})
        return plan_shards(self.lake, settings, NOW, sealed)

    def files(self, shard: str) -> list[str]:
        return [file.name for file in shard_files(self.lake, self.dumps, shard)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def _keys(arrival: Arrival) -> list[str]:
    return [shard.shard for shard in arrival.shards]


def test_files_are_grouped_in_order_and_the_last_group_does_not_wait(place: Place) -> None:
    place.put("cc/c.warc", "cc/a.warc", "cc/sub/b.warc", "other/x.wet")
    assert _keys(place.plan()) == ["cc.0000", "cc.0001", "other.0000"]
    assert place.files("cc.0000") == ["a.warc", "c.warc"]
    assert place.files("cc.0001") == ["sub/b.warc"]


def test_a_file_is_registered_once_and_numbers_go_on(place: Place) -> None:
    place.put("cc/m.warc")
    place.plan()
    assert _keys(place.plan()) == []
    place.put("cc/a.warc", "cc/z.warc", "cc/y.warc")
    assert _keys(place.plan()) == ["cc.0001", "cc.0002"]
    assert place.files("cc.0001") == ["a.warc", "y.warc"]


def test_a_file_that_still_changes_waits(place: Place) -> None:
    place.put("cc/done.warc")
    place.put("cc/growing.warc", age=10)
    place.plan()
    assert place.files("cc.0000") == ["done.warc"]


def test_partial_hidden_and_empty_files_are_left_alone(place: Place) -> None:
    place.put(
        "cc/a.warc.tmp", "cc/b.part", "cc/.hidden", "cc/_SUCCESS", "cc/.git/x", "cc/_temporary/y", "cc/c~", ".dump/x"
    )
    place.put("cc/empty.warc", data=b"")
    assert place.plan() == Arrival()


def test_a_tick_adds_no_more_than_the_cap_and_the_next_goes_on(place: Place) -> None:
    place.put(*(f"cc/{number}.warc" for number in range(10)))
    assert _keys(place.plan(max_shards_per_tick=3)) == ["cc.0000", "cc.0001", "cc.0002"]
    assert _keys(place.plan(max_shards_per_tick=3)) == ["cc.0003", "cc.0004"]


def test_links_out_of_the_dumps_folder_are_left_alone(place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.warc").write_bytes(b"data")
    place.put("cc/a.warc")
    (place.dumps / "cc" / "link.warc").symlink_to(outside / "secret.warc")
    (place.dumps / "cc" / "loop").symlink_to(place.dumps / "cc" / "loop")
    (place.dumps / "cc" / "folder").symlink_to(outside)
    (place.dumps / "linked").symlink_to(outside)
    arrival = place.plan()
    assert place.files("cc.0000") == ["a.warc"]
    assert [warning for warning in arrival.warnings if "outside the dumps folder" in warning]


@pytest.mark.parametrize("name", ["CC-MAIN.2024", "with space", "ünïcode", "-dash", "x" * 190])
def test_a_folder_that_cannot_be_a_dump_is_told_and_the_others_go_on(place: Place, name: str) -> None:
    place.put(f"{name}/a.warc", "ok/a.warc")
    arrival = place.plan()
    assert _keys(arrival) == ["ok.0000"]
    assert len(arrival.warnings) == 1 and "rename the folder" in arrival.warnings[0]


def test_a_file_outside_a_dump_is_told(place: Place) -> None:
    place.put("lost.warc")
    assert "move it into a folder" in place.plan().warnings[0]


def test_a_missing_dumps_folder_is_told(tmp_path: Path) -> None:
    arrival = plan_shards(Lake(tmp_path / "lake"), Settings(dumps=str(tmp_path / "none")), NOW)
    assert (arrival.shards, len(arrival.warnings)) == ([], 1)


def test_late_files_of_a_sealed_dump_go_to_the_next_open_late_dump(place: Place) -> None:
    place.put("cc/a.warc")
    place.plan()
    place.put("cc/b.warc")
    assert _keys(place.plan(sealed=("cc",))) == ["cc_late1.0000"]
    place.put("cc/c.warc")
    assert _keys(place.plan(sealed=("cc",))) == ["cc_late1.0001"]
    place.put("cc/d.warc")
    assert _keys(place.plan(sealed=("cc", "cc_late1"))) == ["cc_late2.0000"]
    assert place.files("cc_late2.0000") == ["d.warc"]
    assert shard_files(place.lake, place.dumps, "cc_late2.0000")[0].path == place.dumps / "cc" / "d.warc"


def test_a_late_dump_does_not_mix_with_a_folder_of_that_name(place: Place) -> None:
    place.put("cc/a.warc", "cc_late1/a.warc")
    assert _keys(place.plan(sealed=("cc",))) == ["cc_late2.0000", "cc_late1.0000"]


def test_registered_shards_are_listed_by_dump_and_number(place: Place) -> None:
    place.put("b/1.warc", "b/2.warc", "b/3.warc", "a/1.warc")
    place.plan()
    assert registered_shards(place.lake) == [
        Shard("a", "a.0000", 1, 4),
        Shard("b", "b.0000", 2, 8),
        Shard("b", "b.0001", 1, 4),
    ]
    assert dump_of("cc_late1.0012") == "cc_late1"
