import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from persona_assets.ids import digest
from persona_assets.lake import Lake
from persona_assets.ledger import index as call_index
from persona_assets.ledger import ledger as ledger_module
from persona_assets.ledger import part_files as parts
from persona_assets.ledger.ledger import Ledger
from persona_assets_tests.engines.doubles import NOW, by_id, call, calls


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


WRITER = """
import sys
from persona_assets.ledger import ledger
from persona_assets.lake import Lake
from persona_assets.ledger import index as call_index
from persona_assets_tests.engines.doubles import calls
call_index.TAIL_ROWS, ledger.SMALL_PARTS = 20, 4
first, held = int(sys.argv[2]), ledger.Ledger(Lake(sys.argv[1]))
for number in range(first, first + 240, 8):
    made = calls(*range(number, number + 8))
    held.store("tiny", "d.0000", made)
    assert held.held("tiny", [call.call_id for call in made]).all()
    if number % 3 == 0:
        held.compact("tiny", "d.0000")
    mine = calls(*range(first, number + 8))
    assert len(held.lookup("tiny", [call.call_id for call in mine])) == len(mine)
"""


def test_processes_that_store_merge_and_look_up_at_once_lose_nothing(lake: Lake) -> None:
    starts = (0, 120, 240)  # each one asks for half of what the one before asks for
    running = [subprocess.Popen([sys.executable, "-c", WRITER, lake.root, str(start)]) for start in starts]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    everything = by_id(calls(*range(480)))
    assert Ledger(lake).lookup("tiny", list(everything)) == everything
    assert list(Path(lake.root).glob("_index/calls/template=tiny/*.run"))
    assert Ledger(lake).verify() == []


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
    monkeypatch.setattr(call_index, "TAIL_ROWS", 3)
    for number in range(6):
        ledger.store("tiny", "d.0000", calls(number))
    for _ in range(2):
        assert ledger.lookup("tiny", list(by_id(calls(*range(6))))) == by_id(calls(*range(6)))


def rows_of(ledger: Ledger) -> list[int]:
    return sorted(pq.ParquetFile(path).metadata.num_rows for path in ledger.paths())


def test_few_new_calls_leave_a_large_part_as_it_is(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "SMALL_BYTES", 0)
    ledger.store("tiny", "d.0000", calls(*range(10_000)))
    [large] = ledger.paths()
    for number in range(10_000, 10_006):
        ledger.store("tiny", "d.0000", calls(number))
    ledger.compact("tiny", "d.0000")
    assert rows_of(ledger) == [6, 10_000]
    assert large in ledger.paths()


def test_a_full_part_is_not_written_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.store("tiny", "d.0000", calls(*range(5000)))
    [full] = ledger.paths()
    monkeypatch.setattr(ledger_module, "FULL_BYTES", Path(full).stat().st_size)
    for number in range(5000, 5004):
        ledger.store("tiny", "d.0000", calls(number))
    ledger.compact("tiny", "d.0000")
    assert rows_of(ledger) == [4, 5000]


def test_parts_stay_few_however_often_a_partition_runs(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "SMALL_BYTES", 0)
    for run in range(40):
        ledger.store("tiny", "d.0000", calls(*range(200 * run, 200 * run + 200)))
        ledger.compact("tiny", "d.0000")
    assert len(ledger.paths()) <= 6
    assert sum(rows_of(ledger)) == 8000


def test_of_a_raced_call_the_merged_part_has_the_earlier(ledger: Ledger) -> None:
    late = NOW + timedelta(days=1)
    ledger.store("tiny", "d.0000", [call(1, answer="late", created_at=late), call(2)])
    ledger.store("tiny", "d.0000", [call(0), call(1, answer="early")])
    ledger.store("tiny", "d.0000", [call(1, answer="latest", created_at=late + timedelta(days=1)), call(3)])
    ledger.compact("tiny", "d.0000")
    assert ledger.scan().collect()["answer"].to_list() == [call(0).answer, "early", call(2).answer, call(3).answer]


# Damage


def test_what_was_set_aside_is_counted_until_it_is_restored(ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", calls(1, 2, 3))
    ledger.store("tiny", "d.0001", calls(4))
    changed, cut = ledger.paths()
    whole = Path(changed).read_bytes()
    flip_a_byte(changed)
    Path(cut).write_bytes(Path(cut).read_bytes()[:50])
    ledger.verify()
    [first, second] = ledger.damaged()
    assert (first.calls, second.calls) == (3, None)
    assert first.home == changed.removeprefix(f"{ledger.lake.root}/")
    assert (Path(ledger.lake.root) / first.path).exists()
    Path(changed).write_bytes(whole)
    assert ledger.damaged() == [second]
    assert Ledger(ledger.lake).lookup("tiny", list(by_id(calls(1, 4)))) == by_id(calls(1))


def test_a_damaged_copy_of_a_call_does_not_hide_a_sound_one(ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", [call(1, answer="x" * 5000)])
    [damaged] = ledger.paths()
    ledger.store("tiny", "d.0001", [call(1, created_at=NOW + timedelta(days=1))])
    assert ledger.held("tiny", [call(1).call_id]).all()
    Path(damaged).write_bytes(b"PAR1" + Path(damaged).read_bytes()[4:-30])
    found = Ledger(ledger.lake).lookup("tiny", [call(1).call_id])
    assert found[call(1).call_id].shard == "d.0000"
    assert found[call(1).call_id].created_at == NOW + timedelta(days=1)


def test_a_part_whose_content_was_exchanged_is_set_aside_when_it_is_read(ledger: Ledger) -> None:
    ledger.store("tiny", "d.0000", calls(1))
    [path] = ledger.paths()
    other = parts.encode_frame(parts.calls_frame(calls(2)))
    assert len(other) == Path(path).stat().st_size, "of the same size, which the index goes by"
    Path(path).write_bytes(other)
    assert ledger.lookup("tiny", [call(1).call_id]) == {}
    assert ledger.paths() == []


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
    Path(tampered).write_bytes(parts.encode_frame(parts.calls_frame([call(1, answer="forged")])))
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
    Path(tampered).write_bytes(parts.encode_frame(parts.calls_frame([call(7, answer="forged")])))
    ledger.compact("tiny", "d.0000")
    assert len(ledger.paths()) == 1
    assert ledger.find(call(7).call_id) is None
    assert len(ledger.verify()) == 1


def test_a_file_that_may_not_be_read_is_not_taken_for_damaged(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.store("tiny", "d.0000", calls(1))

    def refuse(lake: object, path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(call_index, "read_ids", refuse)
    with pytest.raises(PermissionError):
        Ledger(ledger.lake).lookup("tiny", [call(1).call_id])
    assert len(ledger.paths()) == 1
