import gzip
import json
import random
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import lz4.frame
import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persona_assets.crawl.documents import BATCH_ROWS, DOCUMENT_SCHEMA, REJECT_SCHEMA
from persona_assets.crawl.items import CrawlFile
from persona_assets.ids import digest, make_id
from persona_assets.settings import Settings
from persona_assets_tests.crawl.conftest import EN, RU, ZH, Read, ReadBytes, WarcMaker, html, items_of


def _lines(*rows: tuple[str, str]) -> bytes:
    return b"".join(json.dumps({"text": text, "url": url}).encode() + b"\n" for text, url in rows)


def test_ids_follow_from_dump_url_and_content_alone(read: ReadBytes) -> None:
    document = read(_lines((EN, "http://a.example/"))).documents.row(0, named=True)
    content = digest(EN.encode())
    assert document["content_digest"] == content
    assert document["document_id"] == make_id("doc", "d", "http://a.example/", content)


def test_the_same_text_at_another_address_is_a_duplicate_under_its_own_id(read: ReadBytes) -> None:
    result = read(_lines((EN, "http://a.example/"), (EN + "  ", "http://b.example/")))
    reject = result.rejects.row(0, named=True)
    assert (reject["reason"], reject["detail"]) == ("duplicate_content", result.documents["document_id"][0])
    assert reject["row_id"] == make_id("doc", "d", "http://b.example/", digest(EN.encode()))


def test_the_same_document_again_is_a_duplicate_under_the_id_of_its_place(read: ReadBytes) -> None:
    first = _lines((EN, "http://a.example/"))
    result = read(first * 3)
    assert result.reasons == ["duplicate_content"] * 2
    assert result.rejects["row_id"].to_list() == [make_id("rec", "d", "file", len(first) * n) for n in (1, 2)]


def test_a_text_that_is_refused_twice_has_two_ids(read: ReadBytes) -> None:
    result = read(_lines(("short", "http://a.example/")) * 2)
    assert result.reasons == ["too_short", "too_short"]
    assert [row_id[:4] for row_id in result.rejects["row_id"]] == ["doc_", "rec_"]


def test_batches_are_bounded_and_of_the_declared_schema(read: ReadBytes) -> None:
    result = read(_lines(*((f"text {n}", "") for n in range(BATCH_ROWS * 2 + 5))))
    assert [batch.rejects.height for batch in result.batches] == [BATCH_ROWS, BATCH_ROWS, 5]
    assert all(batch.documents.schema == DOCUMENT_SCHEMA for batch in result.batches)
    assert all(batch.rejects.schema == REJECT_SCHEMA for batch in result.batches)


def test_the_bytes_of_the_batches_add_up_to_the_file(read: ReadBytes, tmp_path: Path) -> None:
    result = read(gzip.compress(_lines(*((EN.format(n), "") for n in range(2000)))))
    assert sum(batch.bytes_read for batch in result.batches) == (tmp_path / "file").stat().st_size


def test_a_missing_file_is_one_reject_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(_lines((EN, "")))
    names = ("gone", "there")
    result = Read([CrawlFile(tmp_path / name, name) for name in names], Settings())
    assert (result.reasons, result.documents.height) == (["file_missing"], 1)


def test_a_folder_in_place_of_a_file_is_one_reject(tmp_path: Path) -> None:
    assert Read([CrawlFile(tmp_path, "folder")], Settings()).reasons == ["unreadable_file"]


def _account(data: bytes, folder: Path, config: Settings) -> None:
    """Every item of the readers is in exactly one place, and no two rows share an id."""
    path = folder / "file"
    path.write_bytes(data)
    file = CrawlFile(path, "file")
    fates = Counter(type(item).__name__ for item in items_of(file, config))
    result = Read([file], config)
    assert result.skipped == fates["Skipped"]
    assert result.documents.height + result.rejects.height == fates["Found"] + fates["Refused"]
    if result.batches:
        ids = pl.concat([result.documents["document_id"], result.rejects["row_id"]])
        assert ids.n_unique() == len(ids)


WARC = (
    WarcMaker()
    .other("warcinfo")
    .response("http://a.example/", html(EN))
    .conversion("http://b.example/", RU)
    .conversion("http://c.example/", ZH)
    .bytes
)
SEEDS = [
    WARC,
    b"".join(gzip.compress(WARC[start : start + 700], mtime=0) for start in range(0, len(WARC), 700)),
    zstandard.ZstdCompressor().compress(WARC),
    lz4.frame.compress(WARC),
    _lines((EN, "http://a.example/"), ("x", ""), (RU, ""), (RU, "")),
    json.dumps([{"text": EN}, {"text": RU}, {"no": 1}], indent=1).encode(),
]


@given(
    data=st.binary(max_size=400),
    prefix=st.sampled_from([b"", b"WARC/1.0\r\n", b"\x1f\x8b\x08\x00", b"[{", b'{"a"', b"PAR1"]),
)
@settings(max_examples=60, deadline=None)
def test_arbitrary_bytes_never_raise_and_every_record_is_accounted_for(data: bytes, prefix: bytes) -> None:
    with TemporaryDirectory() as folder:
        _account(prefix + data, Path(folder), Settings())


@given(seed=st.sampled_from(range(len(SEEDS))), chance=st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_files_never_raise_and_every_record_is_accounted_for(seed: int, chance: random.Random) -> None:
    data = bytearray(SEEDS[seed])
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(data))
        change = chance.choice(["flip", "cut", "insert", "repeat"])
        if change == "flip":
            data[start] ^= 1 << chance.randrange(8)
        elif change == "cut":
            del data[start : start + chance.randint(1, 200)]
            data = data or bytearray(b"{")
        elif change == "insert":
            data[start:start] = chance.randbytes(chance.randint(1, 50))
        else:
            data += data[start : start + 500]
    with TemporaryDirectory() as folder:
        _account(bytes(data), Path(folder), Settings(max_document_bytes=chance.choice([1000, 20_000_000])))


@pytest.mark.parametrize("kinds", [1, 3])
def test_reading_twice_gives_the_same_rows(read: ReadBytes, wet: bytes, kinds: int) -> None:
    first, second = read(wet * kinds), read(wet * kinds)
    assert first.documents.equals(second.documents)
    assert first.rejects.equals(second.rejects)
