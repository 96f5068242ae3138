from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.ids import make_id
from persona_assets.lake import Lake
from persona_assets.lake.schemas import CALLS
from persona_assets.ledger import index as call_index
from persona_assets.ledger.index import CallIndex, call_keys
from persona_assets_tests.rows import call


def ids(*numbers: int) -> pl.Series:
    return pl.Series("call_id", [make_id("call", number) for number in numbers], pl.String())


def put_part(lake: Lake, name: str, *numbers: int, shard: str = "d.0000") -> Path:
    path = Path(lake.root) / f"calls/template=t/shard={shard}/part-{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [call("x") | {"call_id": call_id} for call_id in ids(*numbers)]
    aside = path.with_name(f".{name}")
    pl.DataFrame(rows, schema=CALLS.polars).write_parquet(aside)
    return aside.rename(path)


def levels(lake: Lake) -> list[Path]:
    return sorted(Path(lake.root).glob("_index/calls/template=t/*.run"))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A level is written for every four calls."""
    monkeypatch.setattr(call_index, "TAIL_ROWS", 3)


@pytest.fixture
def filled(lake: Lake, few: None) -> Lake:
    """A lake of ten parts with four calls each, all of them in levels."""
    for part in range(10):
        put_part(lake, str(part), *range(4 * part, 4 * part + 4))
    assert CallIndex(lake, "t").held(ids(*range(50))).tolist() == [True] * 40 + [False] * 10
    assert levels(lake)
    return lake


def unread(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parts whose ids are read from now on."""
    read: list[str] = []
    real = call_index.read_ids

    def noting(lake: Lake, path: str) -> pl.Series:
        read.append(Path(path).name)
        return real(lake, path)

    monkeypatch.setattr(call_index, "read_ids", noting)
    return read


# Keys


@given(st.lists(st.text(max_size=40) | st.from_regex(r"call_[0-9a-f]{32}", fullmatch=True)))
def test_ids_and_keys_are_one_to_one(call_ids: list[str]) -> None:
    keys = list(zip(*(half.tolist() for half in call_keys(pl.Series(call_ids, dtype=pl.String()))), strict=True))
    assert [(a == b) for a in keys for b in keys] == [(a == b) for a in call_ids for b in call_ids]


def test_the_key_of_an_id_does_not_hang_on_those_beside_it() -> None:
    call_id = ids(1)
    (alone,), _ = call_keys(call_id)
    (among, _), _ = call_keys(pl.concat([call_id, pl.Series("call_id", ["no id"])]))
    assert alone == among == int(call_id[0][5:21], 16)


# Levels


def test_a_fresh_index_reads_no_part_that_a_level_covers(filled: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    read = unread(monkeypatch)
    put_part(filled, "new", 99)
    assert CallIndex(filled, "t").held(ids(*range(40), 99)).all()
    assert read == ["part-new.parquet"]


def test_levels_stay_few(lake: Lake, few: None) -> None:
    index = CallIndex(lake, "t")
    for part in range(100):
        put_part(lake, str(part), *range(4 * part, 4 * part + 4))
        index.refresh()
    assert 1 <= len(levels(lake)) <= 6
    assert index.held(ids(*range(400))).all()


def test_a_part_that_is_gone_is_not_held_and_one_that_comes_back_is(filled: Lake) -> None:
    index = CallIndex(filled, "t")
    part = Path(filled.root) / "calls/template=t/shard=d.0000/part-3.parquet"
    away = part.rename(Path(filled.root) / "away")
    assert index.held(ids(*range(40))).tolist() == [not 12 <= number < 16 for number in range(40)]
    for number in range(20):  # enough for levels to be merged without it
        put_part(filled, f"more-{number}", *range(100 + 4 * number, 104 + 4 * number))
        index.refresh()
    away.rename(part)
    assert index.held(ids(*range(40))).all()


def test_a_part_of_another_size_than_was_indexed_is_read_again(filled: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    read = unread(monkeypatch)
    put_part(filled, "3", *range(200, 230))
    index = CallIndex(filled, "t")
    assert index.held(ids(12, 16, 200, 229)).tolist() == [False, True, True, True]
    assert read == ["part-3.parquet"]


def damage_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def damage_flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [Path.unlink, damage_cut, damage_flip])
@pytest.mark.parametrize("fresh", [True, False])
def test_the_index_may_be_deleted_or_damaged_at_any_time(
    filled: Lake, damage: Callable[[Path], None], fresh: bool
) -> None:
    index = CallIndex(filled, "t")
    index.refresh()
    for path in levels(filled):
        damage(path)
    if fresh:
        index = CallIndex(filled, "t")
    assert index.held(ids(*range(50))).tolist() == [True] * 40 + [False] * 10
    assert CallIndex(filled, "t").held(ids(*range(40))).all()


def test_without_room_for_the_index_it_is_held_in_memory(
    lake: Lake, few: None, caplog: pytest.LogCaptureFixture
) -> None:
    for part in range(5):
        put_part(lake, str(part), *range(4 * part, 4 * part + 4))
    (Path(lake.root) / "_index").write_text("in the way")
    assert CallIndex(lake, "t").held(ids(*range(20))).all()
    assert "held in memory" in caplog.text


def test_a_level_that_another_index_merged_away_goes_on_to_answer(filled: Lake) -> None:
    reader = CallIndex(filled, "t")
    reader.refresh()
    writer = CallIndex(filled, "t")
    before = levels(filled)
    for number in range(30):
        put_part(filled, f"more-{number}", *range(100 + 4 * number, 104 + 4 * number))
        writer.refresh()
    assert not set(before) & set(levels(filled))
    assert reader.held(ids(*range(40), *range(100, 220))).all()


def test_a_part_that_is_indexed_anew_stays_held(filled: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    index = CallIndex(filled, "t")
    assert index.held(ids(12)).all()
    read = unread(monkeypatch)
    index.forget(f"{filled.root}/calls/template=t/shard=d.0000/part-3.parquet")
    assert index.held(ids(*range(40))).all()
    assert "part-3.parquet" in read


def test_a_damaged_part_is_named_and_left_out(lake: Lake) -> None:
    put_part(lake, "1", 1)
    damage_cut(put_part(lake, "2", 2))
    told: list[str] = []
    index = CallIndex(lake, "t", lambda path, why: told.append(path))
    assert index.held(ids(1, 2)).tolist() == [True, False]
    assert [Path(path).name for path in told] == ["part-2.parquet"]


def test_the_index_of_a_lake_elsewhere_is_kept_on_this_machine(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here, elsewhere = Lake(tmp_path / "lake"), Lake("memory://lake-of-the-index-test")
    for part in range(5):
        path = put_part(here, str(part), *range(4 * part, 4 * part + 4))
        elsewhere.write_bytes(f"{elsewhere.root}{str(path).removeprefix(here.root)}", path.read_bytes())
    assert CallIndex(elsewhere, "t").held(ids(*range(20), 77)).tolist() == [True] * 20 + [False]
    assert list((tmp_path / "cache").rglob("*.run"))
    assert not elsewhere.fs.glob(f"{elsewhere.root}/_index/**")
    read = unread(monkeypatch)
    assert CallIndex(elsewhere, "t").held(ids(*range(20))).all()
    assert read == []
