import json
from itertools import permutations
from pathlib import Path

import polars as pl
import pytest

from persona_assets.crawl.arrival import plan_shards
from persona_assets.crawl.ingest import ingest_shard
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import CONTENT_DIGESTS, RAW_DOCUMENTS, REJECTED
from persona_assets.lake.skipped import skip_shard
from persona_assets.settings import Settings
from persona_assets_tests.crawl.conftest import RU, english
from persona_assets_tests.rows import context

DUMP = "cc"
SHARDS = ["cc.0000", "cc.0001", "cc.0002"]


def _row(number: int, url: str) -> dict[str, str]:
    return {"text": english(number), "url": url}


# One file a shard; texts 1 and 2 stand in several, text 1 also twice at one address and across shards at one address.
FILES = {
    "a.jsonl": [_row(1, "http://1/"), _row(2, "http://2/"), {"text": "short", "url": ""}],
    "b.jsonl": [_row(1, "http://1b/"), _row(1, "http://1/"), _row(3, "http://3/"), _row(3, "http://3/")],
    "c.jsonl": [_row(3, "http://3/"), _row(2, "http://2/"), _row(4, "http://4/"), {"text": RU, "url": ""}, {"no": 1}],
}


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    folder = tmp_path / "dumps" / DUMP
    folder.mkdir(parents=True)
    for name, rows in FILES.items():
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder.parent


def _lake(tmp_path: Path, dumps: Path, name: str = "lake") -> tuple[Lake, Settings]:
    settings = Settings(lake=str(tmp_path / name), dumps=str(dumps), files_per_shard=1, settle_s=0)
    lake = Lake(settings.lake)
    plan_shards(lake, settings, now=4e9)
    return lake, settings


def _tables(lake: Lake) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    volatile = ["run_id", "created_at"]
    return (
        lake.scan(RAW_DOCUMENTS).drop(volatile).collect(),
        lake.rejects(RAW_DOCUMENTS).drop(volatile).collect(),
        lake.scan(CONTENT_DIGESTS).collect(),
    )


def test_shards_in_any_order_give_the_same_tables(tmp_path: Path, dumps: Path) -> None:
    outcomes = []
    for number, order in enumerate(permutations(SHARDS)):
        lake, settings = _lake(tmp_path, dumps, f"lake{number}")
        for shard in order:
            ingest_shard(context(lake, settings, "run"), shard)
        outcomes.append(_tables(lake))
    first = outcomes[0]
    for other in outcomes[1:]:
        assert all(one.equals(two) for one, two in zip(first, other, strict=True))
    assert first[0]["content_digest"].n_unique() == first[0].height == 5


def test_a_duplicate_names_the_document_of_the_lowest_shard(tmp_path: Path, dumps: Path) -> None:
    lake, settings = _lake(tmp_path, dumps)
    for shard in reversed(SHARDS):
        ingest_shard(context(lake, settings, "run"), shard)
    documents = {url: id_ for url, id_ in lake.scan(RAW_DOCUMENTS).select("url", "document_id").collect().iter_rows()}
    second = lake.rejects(RAW_DOCUMENTS, SHARDS[1]).collect()
    assert second["reason"].to_list() == ["duplicate_content"] * 3
    assert sorted(second["detail"]) == sorted([documents["http://1/"], documents["http://1/"], documents["http://3/"]])
    # The record whose document is kept elsewhere goes by the id of its place.
    kept = set(lake.scan(RAW_DOCUMENTS).collect()["document_id"])
    assert kept.isdisjoint(lake.rejects(RAW_DOCUMENTS).collect()["row_id"])


def test_every_record_is_kept_or_rejected_and_the_report_says_so(tmp_path: Path, dumps: Path) -> None:
    lake, settings = _lake(tmp_path, dumps)
    for shard, rows in zip(SHARDS, FILES.values(), strict=True):
        report = ingest_shard(context(lake, settings, "run"), shard)
        kept, rejects = lake.read(RAW_DOCUMENTS, shard), lake.rejects(RAW_DOCUMENTS, shard).collect()
        assert report.inputs == len(rows) == kept.height + rejects.height
        assert (report.kept, report.rejected.total()) == (kept.height, rejects.height)
        assert rejects["row_id"].n_unique() == rejects.height
    assert report.extra["languages"] == {"ru": 1, "en": 1}
    assert report.extra["bytes_read"] == (dumps / DUMP / "c.jsonl").stat().st_size
    assert rejects.schema == REJECTED.polars


def test_shards_of_other_dumps_are_not_compared(tmp_path: Path, dumps: Path) -> None:
    other = dumps / "other"
    other.mkdir()
    (other / "a.jsonl").write_bytes((dumps / DUMP / "a.jsonl").read_bytes())
    lake, settings = _lake(tmp_path, dumps)
    reports = [ingest_shard(context(lake, settings, "run"), shard) for shard in ("cc.0000", "other.0000")]
    assert [report.kept for report in reports] == [2, 2]


def test_ingesting_again_replaces_the_partition_with_the_same_rows(tmp_path: Path, dumps: Path) -> None:
    lake, settings = _lake(tmp_path, dumps)
    for shard in SHARDS:
        ingest_shard(context(lake, settings, "run"), shard)
    before = _tables(lake)
    ingest_shard(context(lake, settings, "again"), SHARDS[1])
    assert all(one.equals(two) for one, two in zip(before, _tables(lake), strict=True))


def test_a_file_that_has_gone_is_named_with_the_remedy(tmp_path: Path, dumps: Path) -> None:
    lake, settings = _lake(tmp_path, dumps)
    (dumps / DUMP / "a.jsonl").unlink()
    with pytest.raises(PersonaAssetsError, match=r"cc/a.jsonl of shard cc.0000 cannot be found: restore it.* skip cc"):
        ingest_shard(context(lake, settings, "run"), "cc.0000")
    assert not lake.exists(RAW_DOCUMENTS, "cc.0000")


def test_a_file_that_changed_since_it_was_registered_is_not_read(tmp_path: Path, dumps: Path) -> None:
    lake, settings = _lake(tmp_path, dumps)
    (dumps / DUMP / "a.jsonl").write_text("{}\n")
    with pytest.raises(PersonaAssetsError, match=r"a.jsonl changed after shard cc.0000 was registered"):
        ingest_shard(context(lake, settings, "run"), "cc.0000")


def test_a_changed_file_is_registered_anew_and_its_digests_are_made_again(tmp_path: Path, dumps: Path) -> None:
    lake, settings = _lake(tmp_path, dumps)
    for shard in SHARDS:
        ingest_shard(context(lake, settings, "run"), shard)
    (dumps / DUMP / "a.jsonl").write_text(json.dumps(_row(4, "http://4/")) + "\n")
    plan_shards(lake, settings, now=4e9)
    report = ingest_shard(context(lake, settings, "run"), "cc.0002")  # before the shard itself is read again
    assert report.extra["digests_read_ahead"] == ["cc.0000"]
    assert "http://4/" not in lake.read(RAW_DOCUMENTS, "cc.0002")["url"].to_list()


def test_texts_of_a_shard_that_is_left_out_are_kept_elsewhere(tmp_path: Path, dumps: Path) -> None:
    lake, settings = _lake(tmp_path, dumps)
    skip_shard(lake, "cc.0000", "junk")
    ingest_shard(context(lake, settings, "run"), "cc.0001")
    assert "http://1b/" in lake.read(RAW_DOCUMENTS, "cc.0001")["url"].to_list()


def test_progress_is_told_the_bytes_read(tmp_path: Path, dumps: Path) -> None:
    lake, settings = _lake(tmp_path, dumps)
    told: list[int] = []
    ingest_shard(context(lake, settings, "run", told.append), SHARDS[0])
    assert sum(told) == (dumps / DUMP / "a.jsonl").stat().st_size


def test_a_shard_that_is_not_registered_is_told(tmp_path: Path, dumps: Path) -> None:
    lake, settings = _lake(tmp_path, dumps)
    with pytest.raises(PersonaAssetsError, match=r"shard_files has no partition cc\.0009"):
        ingest_shard(context(lake, settings, "run"), "cc.0009")
