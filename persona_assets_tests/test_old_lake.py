import json
from pathlib import Path

import polars as pl
import pytest

from persona_assets.crawl.documents import read_documents
from persona_assets.crawl.items import CrawlFile
from persona_assets.settings import Settings
from persona_assets_tests.old_lake import SETTINGS, SHARDS, unpack


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read by the tests, never changed."""
    return unpack(tmp_path_factory.mktemp("old"))


def _rejects(old: Path) -> pl.DataFrame:
    return pl.read_parquet(old / "lake" / "rejected" / "hop=*" / "*" / "data.parquet", hive_partitioning=False)


def test_it_holds_a_reject_of_each_kind(old: Path) -> None:
    reasons = set(_rejects(old).select("hop", "reason").iter_rows())
    assert {
        ("raw_documents", "too_short"),
        ("raw_documents", "duplicate_content"),
        ("filtered_personas", "unrelated_to_parent"),
        ("deduped_personas", "duplicate_exact"),
    } <= reasons
    assert any(asset == "own_problems" for asset, _ in reasons)


def test_it_holds_all_kinds_of_files(old: Path) -> None:
    lake = old / "lake"
    for part in ("seals/*.json", "segments/*/*/*/complete.json", "embeddings/*/*/part-*.parquet", "templates/*"):
        assert list(lake.glob(part)), part
    for table in ("check_results", "content_digests", "shard_files", "calls", "persona_survivors", "_commits/rejected"):
        assert list((lake / table).rglob("data.*")) or list((lake / table).rglob("part-*")), table


def test_commit_records_stand_beside_every_partition(old: Path) -> None:
    lake = old / "lake"
    for path in lake.glob("raw_documents/*/data.parquet"):
        record = lake / "_commits" / path.relative_to(lake).with_suffix(".json")
        assert json.loads(record.read_text())["rows"] == pl.read_parquet(path, hive_partitioning=False).height


@pytest.mark.parametrize("shard", SHARDS)
def test_todays_code_reads_the_same_documents_out_of_its_crawl_files(old: Path, shard: str) -> None:
    dump, index = shard[:11], int(shard[-1])
    path = sorted((old / "dumps" / dump).iterdir())[index]
    batches = list(read_documents([CrawlFile(path, path.name)], dump, Settings(**SETTINGS, wet_lines=False)))
    ids = {*(row for batch in batches for row in batch.documents["document_id"])}
    stored = pl.read_parquet(old / "lake" / "raw_documents" / f"shard={shard}" / "data.parquet")
    refused = _rejects(old).filter(pl.col("shard") == shard, hop="raw_documents", reason="duplicate_content")
    assert ids == {*stored["document_id"], *refused["row_id"]}
