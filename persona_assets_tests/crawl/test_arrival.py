import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from persona_assets.crawl.arrival import Arrival, look, plan_shards
from persona_assets.crawl.shards import Shard, registered_shards, shard_files
from persona_assets.lake import Lake
from persona_assets.lake.schemas import SHARD_FILES
from persona_assets.lake.skipped import let_in, skip_shard, skipped_shards
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
        registered = self.lake.keys(SHARD_FILES)
        closed = {dump: [shard for shard in registered if dump_of(shard) == dump] for dump in sealed}
        return plan_shards(self.lake, settings, NOW, closed)

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


def test_partial_and_hidden_files_are_left_alone(place: Place) -> None:
    place.put(
        "cc/a.warc.tmp", "cc/b.part", "cc/.hidden", "cc/_SUCCESS", "cc/.git/x", "cc/_temporary/y", "cc/c~", ".dump/x"
    )
    assert place.plan() == Arrival()


def test_an_empty_file_and_an_empty_folder_are_told(place: Place) -> None:
    place.put("cc/empty.warc", data=b"")
    place.put("cc/full.warc", "bare/a.warc")
    (place.dumps / "bare" / "a.warc").unlink()
    os.utime(place.dumps / "bare", (0, 0))
    arrival = place.plan()
    assert place.files("cc.0000") == ["full.warc"]
    assert [warning.partition(":")[0] for warning in sorted(arrival.warnings)] == [
        "bare holds no crawl file",
        "cc/empty.warc is empty, and is left out",
    ]


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


# Files that change after they were registered


def _grow(place: Place, name: str, data: bytes = b"more data", age: float = 1800) -> None:
    place.put(name, data=data, age=age)


def test_a_file_that_grew_is_told_and_its_shard_is_registered_anew(place: Place) -> None:
    place.put("cc/a.warc", "cc/b.warc")
    place.plan()
    before = place.lake.require(SHARD_FILES, "cc.0000")
    _grow(place, "cc/a.warc")
    arrival = place.plan()
    assert (_keys(arrival), [shard.shard for shard in arrival.again]) == ([], ["cc.0000"])
    assert arrival.warnings == [
        "cc/a.warc changed after shard cc.0000 was registered (4 bytes then, 9 now): the shard is read again"
    ]
    after = place.lake.require(SHARD_FILES, "cc.0000")
    assert (after.generation, after.rows.content != before.rows.content) == (2, True)
    assert place.files("cc.0000") == ["a.warc", "b.warc"]
    assert place.plan() == Arrival()


def test_a_file_of_the_same_size_is_told_by_its_fingerprint(place: Place) -> None:
    place.put("cc/a.warc")
    place.plan()
    _grow(place, "cc/a.warc", b"atad")
    assert [shard.shard for shard in place.plan().again] == ["cc.0000"]


def test_a_file_that_was_only_touched_is_as_it_was(place: Place) -> None:
    place.put("cc/a.warc")
    place.plan()
    place.put("cc/a.warc", age=1800)
    assert place.plan() == Arrival()


def test_a_file_that_still_grows_is_left_until_it_has_settled(place: Place) -> None:
    place.put("cc/a.warc")
    place.plan()
    _grow(place, "cc/a.warc", age=10)
    assert place.plan() == Arrival()


def test_a_changed_file_of_a_sealed_dump_goes_to_a_late_dump(place: Place) -> None:
    place.put("cc/a.warc", "cc/b.warc")
    place.plan()
    _grow(place, "cc/a.warc")
    arrival = place.plan(sealed=("cc",))
    assert _keys(arrival) == ["cc_late1.0000"]
    assert "its dump is sealed, so the file as it is now goes to cc_late1" in arrival.warnings[0]
    assert (place.files("cc_late1.0000"), place.files("cc.0000")) == (["a.warc"], ["a.warc", "b.warc"])
    assert place.plan(sealed=("cc",)) == Arrival()


def test_a_changed_file_of_a_shard_that_is_left_out_changes_nothing(place: Place) -> None:
    place.put("cc/a.warc")
    place.plan()
    skip_shard(place.lake, "cc.0000", "junk")
    _grow(place, "cc/a.warc")
    assert place.plan() == Arrival()


def test_a_manifest_of_an_earlier_version_is_judged_by_size(place: Place) -> None:
    place.put("cc/a.warc")
    place.plan()
    old = place.lake.read(SHARD_FILES, "cc.0000").with_columns(
        mtime_ns=pl.lit(None, pl.Int64), fingerprint=pl.lit(None, pl.String)
    )
    place.lake.write(SHARD_FILES, "cc.0000", old, "run")
    _grow(place, "cc/a.warc", b"atad")
    assert place.plan() == Arrival()
    _grow(place, "cc/a.warc")
    assert [shard.shard for shard in place.plan().again] == ["cc.0000"]


def test_manifests_of_the_same_files_have_the_same_content(tmp_path: Path) -> None:
    contents = set()
    for name, age in (("one", 3600), ("two", 1800)):
        (tmp_path / name).mkdir()
        place = Place(tmp_path / name)
        place.put("cc/a.warc", age=age)
        place.plan()
        contents.add(place.lake.require(SHARD_FILES, "cc.0000").rows.content)
    assert len(contents) == 1


def test_looking_writes_nothing(place: Place) -> None:
    place.put("cc/a.warc")
    settings = Settings(dumps=str(place.dumps), settle_s=0)
    assert [planned.shard for planned in look(place.lake, settings, NOW).planned] == ["cc.0000"]
    assert place.lake.keys(SHARD_FILES) == []


# Shards that came after the seal, and damaged manifests


def test_a_shard_that_was_registered_while_its_dump_was_sealed_goes_to_a_late_dump(place: Place) -> None:
    place.put("cc/a.warc", "cc/b.warc", "cc/c.warc")
    place.plan()
    settings = Settings(dumps=str(place.dumps), files_per_shard=2, settle_s=0)
    sealed = {"cc": ["cc.0000"]}
    assert _keys(plan_shards(place.lake, settings, NOW, sealed)) == ["cc_late1.0000"]
    assert place.files("cc_late1.0000") == ["c.warc"]
    assert skipped_shards(place.lake)["cc.0001"].reason == (
        "its dump was sealed without it: its files are in shard cc_late1.0000"
    )
    assert plan_shards(place.lake, settings, NOW, sealed) == Arrival()


def test_a_move_that_was_cut_short_is_ended_without_a_second_shard(place: Place) -> None:
    place.put("cc/a.warc", "cc/b.warc", "cc/c.warc")
    place.plan()
    settings = Settings(dumps=str(place.dumps), files_per_shard=2, settle_s=0)
    sealed = {"cc": ["cc.0000"]}
    plan_shards(place.lake, settings, NOW, sealed)
    let_in(place.lake, "cc.0001")  # as if the run had ended before it was left out
    assert _keys(plan_shards(place.lake, settings, NOW, sealed)) == []
    assert "cc.0001" in skipped_shards(place.lake)


def test_with_a_damaged_manifest_nothing_of_its_folder_is_registered(place: Place) -> None:
    place.put("cc/a.warc", "other/a.warc")
    place.plan()
    Path(place.lake.path(SHARD_FILES, "cc.0000")).unlink()
    place.put("cc/b.warc", "other/b.warc")
    arrival = place.plan()
    assert _keys(arrival) == ["other.0001"]
    assert "the manifest of shard cc.0000 is damaged" in arrival.warnings[0]
    skip_shard(place.lake, "cc.0000", "its manifest is gone")
    assert _keys(place.plan()) == ["cc.0001"]
    assert place.files("cc.0001") == ["a.warc", "b.warc"]


# Two runs at once

ROUNDS = 12
RACER = """
import sys
from persona_assets.crawl.arrival import plan_shards
from persona_assets.lake import Lake
from persona_assets.settings import Settings

root, rounds, own = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for number in range(rounds):
    print("ready", flush=True)
    sys.stdin.readline()
    settings = Settings(dumps=f"{root}/{number}/dumps", files_per_shard=own, settle_s=0)
    plan_shards(Lake(f"{root}/{number}/lake"), settings, 4e9)
print("ready", flush=True)
"""


def test_two_processes_that_register_at_once_put_every_file_into_one_shard(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        for name in range(9):
            path = tmp_path / str(number) / "dumps" / "cc" / f"{name}.warc"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"data")
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), str(ROUNDS), str(own)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for own in (2, 3)
    ]
    for _ in range(ROUNDS):
        for racer in racers:
            assert racer.stdout and racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin
            racer.stdin.write("go\n")
            racer.stdin.flush()
    assert [racer.wait(120) for racer in racers] == [0, 0]
    for number in range(ROUNDS):
        files = Lake(tmp_path / str(number) / "lake").scan(SHARD_FILES).select("file").collect()["file"].sort()
        assert files.to_list() == [f"{name}.warc" for name in range(9)]
