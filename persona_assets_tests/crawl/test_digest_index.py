import logging
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.crawl import digest_index
from persona_assets.crawl.digest_index import DigestIndex, _aligned
from persona_assets.crawl.shards import earlier_shards
from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import digest, make_id
from persona_assets.lake import Lake
from persona_assets.lake.schemas import CONTENT_DIGESTS, SHARD_FILES
from persona_assets.lake.store import as_declared
from persona_assets.ledger import sorted_keys
from persona_assets_tests.dedup.lakes import register


def _text(number: int) -> str:
    return digest(str(number).encode())


def _document(shard: int, number: int) -> str:
    return make_id("doc", shard, number)


def _put(lake: Lake, shard: int, numbers: list[int]) -> str:
    """The digest table of a shard with these texts."""
    key = f"d.{shard:04d}"
    rows = {"content_digest": [_text(n) for n in numbers], "document_id": [_document(shard, n) for n in numbers]}
    if not lake.exists(SHARD_FILES, key):
        register(lake, key)
    _write(lake, key, rows)
    return key


def _write(lake: Lake, key: str, rows: dict[str, list[str]]) -> None:
    table = as_declared(pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String())), CONTENT_DIGESTS)
    lake.write(CONTENT_DIGESTS, key, table, "run")


def _found(lake: Lake, earlier: list[str], numbers: list[int]) -> dict[str, str]:
    asked = pl.Series([_text(n) for n in numbers], dtype=pl.String)
    with closing(DigestIndex(lake, "d", earlier)) as index:
        return dict(index.survivors(asked).iter_rows())


def _expected(shards: dict[int, list[int]], below: int, numbers: list[int]) -> dict[str, str]:
    holders = {n: [s for s in sorted(shards) if s < below and n in shards[s]] for n in numbers}
    return {_text(n): _document(held[0], n) for n, held in holders.items() if held}


def _files(lake: Lake) -> list[Path]:
    return sorted(Path(lake.root).glob("_index/content_digests/*/*.run"))


@given(st.data())
@settings(max_examples=25)
def test_the_lowest_shard_wins_in_any_order_and_with_any_gaps(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    texts = st.lists(st.integers(0, 12), unique=True, max_size=8)
    shards = data.draw(st.dictionaries(st.integers(0, 20), texts, min_size=1, max_size=10))
    keys = {shard: _put(lake, shard, numbers) for shard, numbers in shards.items()}
    for shard in data.draw(st.permutations(sorted(shards))):
        earlier = [keys[one] for one in sorted(shards) if one < shard]
        assert _found(lake, earlier, shards[shard]) == _expected(shards, shard, shards[shard])


def test_tables_of_more_texts_than_are_merged_at_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_keys, "MERGE_ROWS", 50)
    shards = {shard: [*range(shard, 600, shard + 1)] for shard in range(4)}
    keys = [_put(lake, shard, numbers) for shard, numbers in shards.items()]
    assert _found(lake, keys, [*range(700)]) == _expected(shards, 4, [*range(700)])


def test_texts_that_share_half_a_digest_are_kept_apart(lake: Lake) -> None:
    digests = [f"{'7' * 16}{low:016x}" for low in (3, 1, 2, 3, 2, 5)]
    keys = []
    for shard, held in enumerate((digests[:3], digests[3:])):
        rows = {"content_digest": held, "document_id": [make_id("doc", shard, text) for text in held]}
        keys.append(f"d.{shard:04d}")
        register(lake, keys[-1])
        _write(lake, keys[-1], rows)
    found = dict(DigestIndex(lake, "d", keys).survivors(pl.Series(digests)).iter_rows())
    assert found == {text: make_id("doc", int(text == digests[5]), text) for text in digests}


def test_there_are_few_tables_however_many_shards(lake: Lake) -> None:
    keys = []
    for shard in range(20):
        _found(lake, keys, [0, shard])
        keys.append(_put(lake, shard, [0, shard]))
    assert [path.name.rsplit("-", 1)[0] for path in _files(lake)] == [
        "00000000-00000016", "00000016-00000002", "00000018-00000001"
    ]  # fmt: skip


def test_every_range_is_made_of_aligned_ones() -> None:
    assert list(_aligned(0)) == []
    assert list(_aligned(22)) == [(0, 16), (16, 4), (20, 2)]
    assert all(start % length == 0 for end in range(200) for start, length in _aligned(end))


def test_a_shard_is_read_once_for_all_that_follow(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = Lake.scan
    monkeypatch.setattr(Lake, "scan", lambda self, table, keys: read.extend(keys) or real(self, table, keys))
    keys: list[str] = []
    for shard in range(16):
        _found(lake, keys, [shard])
        keys.append(_put(lake, shard, [shard]))
    assert sorted(read) == keys[:-1]


def test_a_digest_table_that_was_written_anew_counts(lake: Lake) -> None:
    keys = [_put(lake, shard, [shard]) for shard in range(5)]
    assert set(_found(lake, keys, [1, 9])) == {_text(1)}
    _put(lake, 1, [9])
    assert _found(lake, keys, [1, 9]) == {_text(9): _document(1, 9)}


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def _changed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [_cut, _changed, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("shards", [4, 5])  # looked up in the damaged table; merged into a longer one
def test_a_damaged_table_is_named_and_made_again(
    lake: Lake, damage: Any, shards: int, caplog: pytest.LogCaptureFixture
) -> None:
    texts = {shard: [shard, 7] for shard in range(2 * shards)}
    keys = [_put(lake, shard, numbers) for shard, numbers in texts.items()]
    _found(lake, keys[:4], [0])
    [path] = _files(lake)
    damage(path)
    with caplog.at_level(logging.WARNING):
        assert _found(lake, keys[: shards if shards == 4 else 8], [3, 7]) == _expected(texts, 8, [3, 7])
    assert f"{path} was removed" in caplog.text


def test_a_disk_that_keeps_nothing_is_told(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    real = digest_index.write_run
    monkeypatch.setattr(digest_index, "write_run", lambda file, *rest: real(file, *rest) and file.truncate(5))
    with pytest.raises(PersonaAssetsError, match="check the disk"):
        _found(lake, [_put(lake, 0, [1])], [1])


def test_a_shard_without_its_digest_table_is_told(lake: Lake) -> None:
    with pytest.raises(PersonaAssetsError, match=r"content_digests has no partition d\.0003"):
        DigestIndex(lake, "d", ["d.0003"])


def test_shards_are_listed_once_for_many(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for shard in range(12):
        register(lake, f"d.{shard:04d}")
    listings: list[str] = []
    real = Lake.keys
    monkeypatch.setattr(Lake, "keys", lambda self, table: listings.append(table.name) or real(self, table))
    assert [len(earlier_shards(lake, f"d.{shard:04d}")) for shard in range(12)] == [*range(12)]
    assert listings == [SHARD_FILES.name]
    register(lake, "d.0012")
    assert earlier_shards(lake, "d.0012") == [f"d.{shard:04d}" for shard in range(12)]
    assert len(listings) == 2
