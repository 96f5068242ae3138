import itertools
from pathlib import Path

import pytest

from persona_assets.checks.gates import run_gates
from persona_assets.dedup.run import dedup_dump
from persona_assets.dedup.seals import (
    LATE_REMEDY,
    changed_shards,
    departures,
    remedy,
    seal_waiting,
    sealed_dumps,
    seals,
)
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.records import GateOutcome
from persona_assets.lake.schemas import FILTERED_PERSONAS, PERSONA_SURVIVORS
from persona_assets.lake.skipped import skip_shard
from persona_assets.lake.store import Making
from persona_assets.settings import Settings
from persona_assets_tests.dedup.lakes import add_shard, context, make_lake, register
from persona_assets_tests.rows import draft

SHARDS = {"b.0000": ["one baker"], "a.0001": ["two bakers"], "a.0000": ["a nurse"], "c.0000": []}


@pytest.mark.parametrize("order", itertools.permutations("abc"))
def test_waiting_dumps_are_sealed_in_key_order_whatever_is_asked_first(tmp_path: Path, order: tuple[str, ...]) -> None:
    lake = make_lake(tmp_path, SHARDS)
    for dump in order:
        seal_waiting(lake, dump, "run")
    assert sealed_dumps(lake) == ["a", "b", "c"]
    assert [seal.seal for seal in seals(lake)] == [1, 2, 3]
    assert seals(lake)[0].shards == ("a.0000", "a.0001")


def test_later_dumps_wait_on(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, SHARDS)
    assert [seal.dump for seal in seal_waiting(lake, "b", "run")] == ["a", "b"]
    assert sealed_dumps(lake) == ["a", "b"]


def test_a_dump_that_lacks_a_shard_is_passed_over_and_sealed_when_it_is_whole(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, SHARDS)
    register(lake, "a.0002")
    seal_waiting(lake, "b", "run")
    assert sealed_dumps(lake) == ["b"]
    add_shard(lake, "a.0002", [])
    seal_waiting(lake, "b", "run")
    assert sealed_dumps(lake) == ["b"], "asking for a sealed dump seals nothing"
    seal_waiting(lake, "c", "run")
    assert sealed_dumps(lake) == ["b", "a", "c"]


def test_asking_for_a_dump_that_lacks_a_shard_names_the_shard(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, SHARDS)
    register(lake, "b.0001")
    with pytest.raises(PersonaAssetsError, match=r"for b\.0001; materialise"):
        seal_waiting(lake, "b", "run")
    assert sealed_dumps(lake) == []


def test_an_unknown_dump_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(PersonaAssetsError, match=r"zzz has no registered shard \(dumps that have: a, b, c\)"):
        seal_waiting(make_lake(tmp_path, SHARDS), "zzz", "run")


def test_a_number_that_another_run_took_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, other = make_lake(tmp_path, SHARDS), Lake(tmp_path)
    write = Lake.write_bytes
    taken = []

    def late(self: Lake, path: str, data: bytes, *, exclusive: bool = False) -> None:
        if not taken:  # the other run seals everything between our look and our write
            taken.append(path)
            seal_waiting(other, "b", "other")
        write(self, path, data, exclusive=exclusive)

    monkeypatch.setattr(Lake, "write_bytes", late)
    seal_waiting(lake, "c", "mine")
    assert [(seal.dump, seal.run_id) for seal in seals(lake)] == [("a", "other"), ("b", "other"), ("c", "mine")]


def test_a_changed_shard_is_reported_until_its_dump_is_decided_again(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, SHARDS)
    dedup_dump(context(lake), "b")
    assert changed_shards(lake, seals(lake)[0]) == []
    add_shard(lake, "a.0001", ["two bakers", "one more"])
    assert changed_shards(lake, seals(lake)[0]) == ["a.0001"]
    dedup_dump(context(lake), "a")
    assert changed_shards(lake, seals(lake)[0]) == []
    assert sealed_dumps(lake) == ["a", "b"]


def test_writing_the_same_personas_again_changes_nothing(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, SHARDS)
    dedup_dump(context(lake), "b")
    add_shard(lake, "a.0001", SHARDS["a.0001"])
    assert changed_shards(lake, seals(lake)[0]) == []


def test_a_dump_is_not_sealed_with_a_shard_whose_gates_failed(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, SHARDS)
    failed = Making(judge=lambda draft: [GateOutcome("reject_rate", 1, [])])
    with lake.partition(FILTERED_PERSONAS, "a.0000", "run", failed):
        pass
    with pytest.raises(PersonaAssetsError, match=r"passed their gates for a\.0000; .*`persona-assets skip`"):
        seal_waiting(lake, "a", "run")


def test_a_dump_is_sealed_without_a_shard_that_is_left_out(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, SHARDS)
    skip_shard(lake, "a.0000", "all menus")
    assert seal_waiting(lake, "a", "run")[0].shards == ("a.0001",)


@pytest.mark.parametrize("left", [b"", b'{"seal": 1', b"[]"])
def test_a_damaged_seal_is_named_with_the_remedy(tmp_path: Path, left: bytes) -> None:
    lake = make_lake(tmp_path, SHARDS)
    seal_waiting(lake, "a", "run")
    Path(lake.root, "seals", "00000001.json").write_bytes(left)
    with pytest.raises(PersonaAssetsError, match=r"seals/00000001\.json is damaged .*restore it"):
        seals(lake)


def test_departures_say_what_changed_and_what_to_do(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, SHARDS)
    dedup_dump(context(lake), "b")
    assert departures(lake) == []
    add_shard(lake, "a.0000", ["a nurse", "a surgeon"])
    add_shard(lake, "a.0001", [])
    add_shard(lake, "b.0001", ["late"])
    lake.fs.rm(lake.path(FILTERED_PERSONAS, "b.0000"))
    assert [(one.dump, one.shard, one.what, one.remedy) for one in departures(lake)] == [
        ("a", "a.0000", "1 personas new, 0 gone", remedy("a")),
        ("a", "a.0001", "0 personas new, 1 gone", remedy("a")),
        ("b", "b.0000", "filtered_personas are gone", remedy("b")),
        ("b", "b.0001", "registered after the dump was sealed", LATE_REMEDY),
    ]


def test_a_late_shard_does_not_block_the_dump_that_was_sealed_without_it(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, SHARDS)
    dedup_dump(context(lake), "a")
    add_shard(lake, "a.0002", ["a late one"])
    dedup_dump(context(lake), "a")
    gates = run_gates(lake, draft(lake, PERSONA_SURVIVORS, "a"), Settings())
    assert [gate.name for gate in gates if not gate.passed] == []
