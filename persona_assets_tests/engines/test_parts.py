import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from persona_assets.engines import ledger as ledger_module
from persona_assets.engines import parts
from persona_assets.engines.ledger import Ledger
from persona_assets.ids import digest
from persona_assets.lake import Lake
from persona_assets_tests.engines.doubles import by_id, call, calls


@pytest.fixture
def ledger(lake: Lake) -> Ledger:
    return Ledger(lake)


def flip_a_byte(path: str) -> None:
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 3] ^= 0xFF
    Path(path).write_bytes(data)


# Compaction


def test_compaction_leaves_one_part_with_every_call_once(ledger: Ledger) -> None:
    for numbers in [(5, 6), (1, 2), (2, 3)]:
        ledger.store("tiny", "d.0000", calls(*numbers))
    ledger.compact("tiny", "d.0000")
    [path] = ledger.paths("tiny", "d.0000")
    assert path.endswith(f"part-{digest(Path(path).read_bytes())}.parquet")
    assert ledger.scan().collect()["call_id"].to_list() == list(by_id(calls(1, 2, 3, 5, 6)))  # in the order made


def test_compaction_leaves_other_shards_alone(ledger: Ledger) -> None:
    for number in range(4):
        ledger.store("tiny", f"d.000{number % 2}", calls(number))
    untouched = ledger.paths("tiny", "d.0001")
    ledger.compact("tiny", "d.0000")
    assert ledger.paths("tiny", "d.0001") == untouched


def test_compaction_of_one_part_or_none_does_nothing(ledger: Ledger) -> None:
    ledger.compact("tiny", "d.0000")
    ledger.store("tiny", "d.0000", calls(1))
    before = ledger.paths()
    ledger.compact("tiny", "d.0000")
    assert ledger.paths() == before


def test_the_merged_part_does_not_depend_on_the_order_of_storing(tmp_path: Path) -> None:
    merged = []
    for order in [(1, 2, 3), (3, 1, 2)]:
        ledger = Ledger(Lake(tmp_path / str(order[0])))
        for number in order:
            ledger.store("tiny", "d.0000", calls(number))
        ledger.compact("tiny", "d.0000")
        merged.append(Path(ledger.paths()[0]).name)
    assert merged[0] == merged[1]


def test_a_crash_between_the_merged_part_and_the_removal_of_the_old_ones_loses_nothing(
    lake: Lake, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        ledger.store("tiny", "d.0000", calls(number))

    def crash(path: str) -> None:
        raise KeyboardInterrupt(path)

    with monkeypatch.context() as patch:
        patch.setattr(lake.fs, "rm", crash)
        with pytest.raises(KeyboardInterrupt):
            ledger.compact("tiny", "d.0000")
    assert len(ledger.paths()) == 4
    assert Ledger(lake).lookup("tiny", list(by_id(calls(0, 1, 2)))) == by_id(calls(0, 1, 2))
    Ledger(lake).compact("tiny", "d.0000")
    assert Ledger(lake).scan().collect()["call_id"].to_list() == list(by_id(calls(0, 1, 2)))


def test_a_reader_finds_every_call_while_another_process_compacts(lake: Lake) -> None:
    wanted = by_id(calls(*range(60)))
    writer, reader, stop = Ledger(lake), Ledger(lake), threading.Event()
    writer.store("tiny", "d.0000", calls(*range(60)))

    def churn() -> None:
        number = 1000
        while not stop.is_set():
            writer.store("tiny", "d.0000", calls(number))
            writer.compact("tiny", "d.0000")
            number += 1

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(30):
            assert reader.lookup("tiny", list(wanted)) == wanted
    finally:
        stop.set()
        thread.join()


def test_a_long_run_merges_its_own_small_parts(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "SMALL_PARTS", 4)
    for number in range(10):
        ledger.store("tiny", "d.0000", calls(number))
    assert len(ledger.paths()) == 4  # two merged parts of four, two small ones
    assert ledger.lookup("tiny", list(by_id(calls(*range(10))))) == by_id(calls(*range(10)))


def test_merging_keeps_row_groups_small(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "ROW_GROUP_ROWS", 4)
    for start in range(0, 30, 3):
        ledger.store("tiny", "d.0000", calls(*range(start, start + 3)))
    ledger.compact("tiny", "d.0000")
    metadata = pq.ParquetFile(ledger.paths()[0]).metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [4] * 7 + [2]
    assert ledger.lookup("tiny", list(by_id(calls(0, 17, 29)))) == by_id(calls(0, 17, 29))


def test_keys_beyond_the_memory_bound_are_still_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "INDEX_ROWS", 3)
    for number in range(6):
        ledger.store("tiny", "d.0000", calls(number))
    for _ in range(2):
        assert ledger.lookup("tiny", list(by_id(calls(*range(6))))) == by_id(calls(*range(6)))


# Damage


def test_a_look_up_sets_an_unreadable_part_aside_and_goes_on(lake: Lake, ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", calls(1))
    [damaged] = ledger.paths()
    ledger.store("tiny", "d.0000", calls(2))
    Path(damaged).write_bytes(Path(damaged).read_bytes()[:-20])
    assert ledger.lookup("tiny", list(by_id(calls(1, 2)))) == by_id(calls(2))
    assert damaged not in ledger.paths()
    assert ledger.verify() == [damaged.replace("/calls/", "/calls_corrupt/")]


def test_a_look_up_never_returns_a_changed_answer(ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", [call(1, answer="x" * 5000)])
    [damaged] = ledger.paths()
    flip_a_byte(damaged)
    assert ledger.lookup("tiny", [call(1).call_id]) in ({}, by_id([call(1, answer="x" * 5000)]))


def test_verify_sets_aside_a_part_whose_bytes_do_not_fit_its_name(lake: Lake, ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", calls(1))
    ledger.store("tiny", "d.0000", calls(2))
    tampered, _ = ledger.paths()
    Path(tampered).write_bytes(parts.encode_calls([call(1, answer="forged")]))
    assert ledger.verify() == [tampered.replace("/calls/", "/calls_corrupt/")]
    assert tampered not in ledger.paths()
    assert len(ledger.paths()) == 1


def test_verify_of_a_sound_ledger_finds_nothing(ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", calls(1))
    assert ledger.verify() == []


def test_compaction_carries_no_damage_into_the_merged_part(ledger: Ledger) -> None:
    for number in range(3):
        ledger.store("tiny", "d.0000", calls(number))
    tampered = ledger.paths()[0]
    Path(tampered).write_bytes(parts.encode_calls([call(7, answer="forged")]))
    ledger.compact("tiny", "d.0000")
    assert len(ledger.paths()) == 1
    assert ledger.find(call(7).call_id) is None
    assert len(ledger.verify()) == 1


def test_a_file_that_may_not_be_read_is_not_taken_for_damaged(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.store("tiny", "d.0000", calls(1))

    def refuse(fs: object, path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(ledger_module, "read_index", refuse)
    with pytest.raises(PermissionError):
        ledger.lookup("tiny", [call(1).call_id])
    assert len(ledger.paths()) == 1
