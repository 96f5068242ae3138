"""`persona-assets status` and `persona-assets skip`, on a lake of records and empty tables."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.finished_lake import NOW, build
from persona_assets.cli.skip import leave_out, let_in_again
from persona_assets.cli.status import (
    GROUPS_SHOWN,
    Group,
    Status,
    as_dict,
    group_lines,
    read_status,
    shares,
    show_status,
)
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Lake
from persona_assets.lake.records import record_path
from persona_assets.lake.schemas import EXTRACTED_PERSONAS, FILTERED_PERSONAS, RAW_DOCUMENTS, SHARD_FILES
from persona_assets.lake.skipped import skipped_shards
from persona_assets.settings import Settings
from persona_assets.state import LakeState, State


class Place:
    """A finished lake of the dumps `a` (four shards) and `b` (one), to break."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(
            lake=str(root / "lake"), dumps=str(root / "dumps"), tasks=None, models=None, settle_s=0, files_per_shard=1
        )
        self.lake = build(self.settings, {"a": 4, "b": 1})

    def status(self, *dumps: str, cost: bool = False, **settings: object) -> Status:
        return read_status(Lake(self.settings.lake), self.settings.model_copy(update=settings), dumps, cost=cost)

    def groups(self, **settings: object) -> list[tuple[str, str, str, str]]:
        return [(one.state, one.asset, one.named, one.why) for one in self.status(**settings).groups]

    def unseal(self, number: int) -> None:
        Path(self.settings.lake, "seals", f"{number:08d}.json").unlink()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_finished_lake_is_done(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    status = place.status()
    assert (status.is_done, status.groups, status.next) == (True, [], [])
    show_status(place.settings, (), (), cost=False, as_json=False, html=None)
    assert "everything is done" in capsys.readouterr().out


def test_partitions_are_counted_by_dump_and_asset(place: Place) -> None:
    counts = place.status().counts
    assert counts["a"]["raw_documents"] == {State.DONE: 4}
    assert counts["b"]["persona_survivors"] == {State.DONE: 1}
    assert list(place.status("b").counts) == ["b"]


def test_a_missing_partition_and_what_waits_for_it_are_named_in_groups(place: Place) -> None:
    for shard in ("a.0001", "a.0002"):
        Path(record_path(place.lake.root, RAW_DOCUMENTS.name, shard, 1)).unlink()
    groups = place.groups()
    assert groups[0] == (State.MISSING, "raw_documents", "a.0001, a.0002", "")
    assert (State.WAITING, "extracted_personas", "a.0001, a.0002", "raw_documents is missing") in groups
    assert place.status().next == ["persona-assets run: makes 2 partitions, and what waits for them"]


def test_stale_partitions_say_why_once(place: Place) -> None:
    groups = place.groups(temperature=0.1)
    assert (
        State.STALE,
        "extracted_personas",
        "a.0000, a.0001, a.0002 and 2 more",
        "temperature: 0.7, now 0.1",
    ) in groups
    assert [line for line in place.status(temperature=0.1).next if "--cost" in line]


def test_what_stale_partitions_cost_is_told_where_it_is_asked_for(place: Place) -> None:
    status = place.status(cost=True, temperature=0.1)
    assert status.costs is not None
    assert "stale: extracted_personas: 5 partitions need no call" in status.costs  # there is no document in them


def test_a_damaged_file_and_a_damaged_record_are_told(place: Place) -> None:
    Path(place.lake.path(FILTERED_PERSONAS, "b.0000")).write_bytes(b"")
    Path(record_path(place.lake.root, EXTRACTED_PERSONAS.name, "a.0000", 1)).write_bytes(b"{")
    found = {(asset, why[:60]) for state, asset, _, why in place.groups() if state is State.DAMAGED}
    assert {asset for asset, _ in found} == {"filtered_personas", "extracted_personas"}


def test_damaged_files_of_one_asset_are_one_group(place: Place) -> None:
    for shard in ("a.0000", "a.0003"):
        Path(place.lake.path(FILTERED_PERSONAS, shard)).write_bytes(b"")
    damaged = [group for group in place.groups() if group[0] is State.DAMAGED]
    assert damaged == [(State.DAMAGED, "filtered_personas", "a.0000, a.0003", "its file has another size")]


def test_what_is_left_out_is_told_with_its_reason(place: Place) -> None:
    place.unseal(2)
    leave_out(place.settings, ["b.0000"], "spam only")
    assert (State.LEFT_OUT, "raw_documents", "b.0000", "spam only") in place.groups()


def test_new_and_changed_files_are_told(place: Place) -> None:
    folder = Path(place.settings.dumps)
    (folder / "b" / "new.wet").write_bytes(b"data")
    os.utime(folder / "b" / "new.wet", (NOW, NOW))
    (folder / "a" / "000000.wet").write_bytes(b"other data")
    status = place.status()
    assert status.arrived == 2
    assert "a/000000.wet changed after shard a.0000 was registered" in status.warnings[0]
    assert "registers and reads what has arrived" in status.next[0]


def test_looking_writes_nothing(place: Place) -> None:
    files = sorted(Path(place.settings.lake).rglob("*"))
    place.status(cost=True, temperature=0.1)
    assert sorted(Path(place.settings.lake).rglob("*")) == files


def test_an_unknown_dump_is_wrong_use(place: Place) -> None:
    with pytest.raises(UsageError, match="dump c is unknown"):
        place.status("c")


def test_json_holds_counts_groups_and_what_to_do(place: Place) -> None:
    Path(record_path(place.lake.root, RAW_DOCUMENTS.name, "b.0000", 1)).unlink()
    value = json.loads(json.dumps(as_dict(place.status())))
    assert value["dumps"]["b"]["raw_documents"] == {"missing": 1}
    assert value["groups"][0]["keys"] == ["b.0000"]
    assert (value["done"], len(value["next"])) == (False, 1)


def test_the_page_escapes_what_people_wrote(place: Place, tmp_path: Path) -> None:
    place.unseal(2)
    leave_out(place.settings, ["b.0000"], "<script>")
    show_status(place.settings, (), (), cost=False, as_json=False, html=tmp_path / "status.html")
    page = (tmp_path / "status.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_many_groups_are_cut() -> None:
    groups = [Group("asset", State.MISSING, str(number), ["k"]) for number in range(GROUPS_SHOWN + 5)]
    lines = group_lines(Status(groups=groups))
    assert (len(lines), lines[-1]) == (GROUPS_SHOWN + 1, "and 5 more groups; --dump, --asset or --json names them")


@pytest.mark.parametrize(
    ("states", "drawn"),
    [
        ({State.DONE: 5}, "█" * 10),
        ({State.DONE: 999, State.STALE: 1}, "█" * 9 + "▓"),
        ({State.DONE: 1, State.MISSING: 1}, "█" * 5 + "░" * 5),
        ({}, ""),
    ],
)
def test_a_bar_shows_every_state_that_there_is(states: dict[State, int], drawn: str) -> None:
    assert shares(Counter(states)).drawn(10) == drawn


# Skip


def test_a_shard_is_left_out_with_its_reason(place: Place) -> None:
    place.unseal(2)
    leave_out(place.settings, ["b.0000"], "spam only")
    assert skipped_shards(place.lake)["b.0000"].reason == "spam only"
    let_in_again(place.settings, ["b.0000"])
    assert skipped_shards(place.lake) == {}


def test_a_shard_of_a_sealed_dump_is_not_left_out(place: Place) -> None:
    with pytest.raises(PersonaAssetsError, match=r"its dump b is sealed with it, and what was published stays"):
        leave_out(place.settings, ["b.0000"], "spam only")
    assert skipped_shards(place.lake) == {}


def test_an_unknown_shard_is_wrong_use(place: Place) -> None:
    with pytest.raises(UsageError, match=r"shard c.0000 is unknown"):
        leave_out(place.settings, ["c.0000"], "spam only")


def test_a_shard_that_is_let_in_after_the_seal_goes_to_a_late_dump(place: Place) -> None:
    root = Path(place.settings.dumps)
    (root / "c").mkdir()
    for name in ("good.wet", "spam.wet"):
        (root / "c" / name).write_bytes(b"data")
        os.utime(root / "c" / name, (NOW, NOW))
    build(place.settings, {})  # registers them
    leave_out(place.settings, ["c.0001"], "spam only")
    build(place.settings, {"c": 0})  # seals c without it
    let_in_again(place.settings, ["c.0001"])
    state = LakeState(Lake(place.settings.lake), place.settings)
    assert state.shards_of("c") == ["c.0000"]
    assert state.shards_of("c_late1") == ["c_late1.0000"]
    assert place.lake.read(SHARD_FILES, "c_late1.0000")["file"].to_list() == ["spam.wet"]
    with pytest.raises(PersonaAssetsError, match=r"stays left out: its files are in shard c_late1.0000"):
        let_in_again(place.settings, ["c.0001"])


def test_a_shard_that_is_not_left_out_cannot_be_let_in(place: Place) -> None:
    with pytest.raises(PersonaAssetsError, match="is not left out"):
        let_in_again(place.settings, ["a.0000"])
