"""A record is found again by file and offset, in every format and in damaged files."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from persona_assets.crawl.items import CrawlFile, Found
from persona_assets.lineage.crawl_record import records_at
from persona_assets.settings import Settings
from persona_assets_tests.crawl.conftest import items_of
from persona_assets_tests.lineage.small_lake import PAGES, wet_file

ROWS = [{"url": url, "text": text} for url, text in PAGES.items()]


def warc(path: Path) -> None:
    records = []
    for url, text in PAGES.items():
        body = f"<html><body><article><p>{text}</p></article></body></html>"
        block = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{body}".encode()
        head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nContent-Length: {len(block)}\r\n\r\n"
        records.append(head.encode() + block + b"\r\n\r\n")
    path.write_bytes(b"".join(records))


def wet_gz(path: Path) -> None:
    path.write_bytes(b"".join(gzip.compress(wet_file({url: text})) for url, text in PAGES.items()))


def wet_gz_with_a_broken_member(path: Path) -> None:
    members = [gzip.compress(wet_file({url: text})) for url, text in PAGES.items()]
    members[1] = members[1][:40] + b"\xff" * 40 + members[1][80:]
    path.write_bytes(b"".join(members))


def wet_with_a_wrong_length(path: Path) -> None:
    path.write_bytes(wet_file(PAGES).replace(b"Content-Length: 3", b"Content-Length: 9", 1))


def jsonl(path: Path) -> None:
    path.write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")


def json_array(path: Path) -> None:
    path.write_text(json.dumps(ROWS, indent=1), encoding="utf-8")


def parquet(path: Path) -> None:
    pl.DataFrame(ROWS).write_parquet(path)


FORMATS: list[tuple[Callable[[Path], None], int]] = [
    (warc, 4),
    (wet_gz, 5),
    (wet_gz_with_a_broken_member, 4),
    (wet_with_a_wrong_length, 5),
    (jsonl, 5),
    (json_array, 5),
    (parquet, 5),
]


@pytest.mark.parametrize(("write", "least"), FORMATS)
def test_every_document_of_a_file_is_found_again_at_its_offset(
    write: Callable[[Path], None], least: int, tmp_path: Path
) -> None:
    path, settings = tmp_path / "file", Settings()
    write(path)
    documents = [item for item in items_of(CrawlFile(path, "file"), settings) if isinstance(item, Found)]
    assert len(documents) >= least
    for document in documents:
        assert document in records_at(path, document.offset, settings)


def test_an_offset_beyond_the_file_holds_nothing(tmp_path: Path) -> None:
    wet_gz(tmp_path / "file")
    assert records_at(tmp_path / "file", 10**9, Settings()) == []


def test_an_offset_within_a_record_holds_no_document(tmp_path: Path) -> None:
    wet_gz(tmp_path / "file")
    assert not [item for item in records_at(tmp_path / "file", 7, Settings()) if isinstance(item, Found)]
