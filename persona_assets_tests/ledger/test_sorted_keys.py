from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.ledger.sorted_keys import (
    BLOCK,
    DamagedRun,
    Entries,
    Run,
    RunFile,
    Words,
    ranges,
    similar,
    write_run,
)


def entries(count: int, seed: int = 0) -> Entries:
    random = np.random.default_rng(seed)
    high, low = (random.integers(0, 1 << 64, count, np.uint64) for _ in range(2))
    return Entries(high, low, np.arange(count, dtype=np.uint64))


def stored(path: Path, given: Entries) -> Run:
    with path.open("wb") as file:
        write_run(file, [given.sorted()], {"parts": []})
    return RunFile(str(path)).run


def found(run: Run, high: Words, low: Words) -> list[tuple[int, int]]:
    return sorted(zip(*(column.tolist() for column in run.find(high, low)), strict=True))


@pytest.mark.parametrize("count", [1, BLOCK - 1, BLOCK, BLOCK + 1, 10 * BLOCK + 3])
@pytest.mark.parametrize("on_disk", [False, True])
def test_every_entry_is_found_and_nothing_else(tmp_path: Path, count: int, on_disk: bool) -> None:
    given, others = entries(count), entries(100, seed=1)
    run = stored(tmp_path / "run", given) if on_disk else Run.of(given)
    assert len(run) == count
    assert found(run, given.high, given.low) == [(row, row) for row in range(count)]
    assert found(run, others.high, others.low) == []
    assert found(run, given.high, given.low + np.uint64(1)) == []


def test_an_empty_run_has_nothing(tmp_path: Path) -> None:
    asked = entries(3)
    assert found(stored(tmp_path / "run", entries(0)), asked.high, asked.low) == []
    assert found(Run.of(entries(0)), asked.high, asked.low) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=5 * BLOCK))
def test_keys_that_stand_many_times_are_all_found(pairs: list[tuple[int, int]]) -> None:
    high, low = (np.array([pair[half] for pair in pairs], np.uint64) for half in range(2))
    high = high * np.uint64((1 << 64) // 4 - 1)
    run = Run.of(Entries(high, low, np.arange(len(pairs), dtype=np.uint64)))
    same = [(a, b) for a in range(len(pairs)) for b in range(len(pairs)) if pairs[a] == pairs[b]][:5000]
    assert found(run, high, low)[: len(same)] == same


def test_ranges_give_each_entry_once_in_order(tmp_path: Path) -> None:
    given = entries(3000)
    run = stored(tmp_path / "run", given)
    pieces = [run.between(start, stop) for start, stop in ranges(5 << 20)]
    assert len(pieces) == 5
    assert np.array_equal(Entries.concat(pieces).high, np.sort(given.high))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 255), st.booleans())
def test_a_file_that_was_changed_or_cut_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, where: int, flip: int, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("run") / "run"
    given = entries(300)
    stored(path, given)
    data = bytearray(path.read_bytes())
    where %= len(data)
    data[where] ^= flip
    path.write_bytes(data[:where] if cut else data)
    with pytest.raises(DamagedRun):
        RunFile(str(path)).run.find(given.high, given.low)


def test_a_file_cut_while_it_is_open_is_noticed(tmp_path: Path) -> None:
    given = entries(1000)
    run = stored(tmp_path / "run", given)
    (tmp_path / "run").write_bytes(b"")
    with pytest.raises(DamagedRun):
        run.find(given.high, given.low)


@given(st.lists(st.integers(1, 10**6), max_size=60))
def test_what_is_left_unmerged_is_over_twice_all_that_is_smaller(sizes: list[int]) -> None:
    ascending = sorted(sizes)
    few = similar(ascending)
    assert few != 1
    left = [sum(ascending[:few]), *ascending[few:]] if few else ascending
    assert all(left[place] > 2 * sum(left[:place]) for place in range(1, len(left)))


def test_few_small_ones_do_not_draw_in_a_large_one() -> None:
    assert similar([1000, 1_000_000]) == 0
    assert similar([1000, 1000, 1000, 1_000_000]) == 3
    assert similar([10, 1000], floor=1000) == 2
