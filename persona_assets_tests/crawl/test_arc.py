import gzip
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.crawl.columns import ColumnReader
from persona_assets.crawl.examine import item_of
from persona_assets.crawl.items import Found, Item, Refused, Skipped
from persona_assets.files.bytestream import ByteStream
from persona_assets.files.formats.arc import read_arc
from persona_assets.lineage.crawl_record import records_at
from persona_assets.settings import Settings
from persona_assets_tests.crawl.conftest import EN, ReadBytes, html

LIMIT = 1_000_000
URLS = [f"http://{number}.example/a" for number in range(4)]


def _response(text: str) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + html(text)


def _record(url: str, block: bytes, media: str = "text/html", version: int = 1, length: int | None = None) -> bytes:
    more = " 200 KVQ6 - 1234 t.arc" if version == 2 else ""
    line = f"{url} 192.0.2.7 20010203040506 {media}{more} {len(block) if length is None else length}\n"
    return line.encode() + block + b"\n"


def _front(version: int) -> bytes:
    fields = "URL IP-address Archive-date Content-type "
    more = "Result-code Checksum Location Offset Filename " if version == 2 else ""
    return _record(
        "filedesc://t.arc", f"{version} 0 Tests\n{fields}{more}Archive-length\n".encode(), "text/plain", version
    )


def _file(version: int = 1, broken: int | None = None, change: int = 0) -> bytes:
    """An ARC file of four pages, the length of one of them off by `change`."""
    parts = [
        _front(version),
        _record("dns:0.example", b"20010203\n0.example. 300 IN A 192.0.2.7\n", "text/dns", version),
    ]
    for number, url in enumerate(URLS):
        block = _response(EN.format(number + 2))
        length = max(len(block) + change, 0) if number == broken else None
        parts.append(_record(url, block, version=version, length=length))
    return b"".join(parts)


def _offsets(data: bytes) -> list[int]:
    return [found.start() for found in re.finditer(rb"^(?:filedesc|dns|http)[:][^\n]* \d{14} ", data, re.M)]


def _items(data: bytes, piece: int = 1 << 16, limit: int = LIMIT) -> list[Item]:
    pieces: Iterator[bytes] = (data[at : at + piece] for at in range(0, len(data), piece))
    columns, settings = ColumnReader({}), Settings(max_document_bytes=max(limit, 1000))
    return [item_of(page, "arc", columns, settings) for page in read_arc(ByteStream(pieces), limit)]


def _urls(items: list[Item]) -> list[str]:
    return [item.url for item in items if isinstance(item, Found)]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("piece", [1 << 16, 7])
def test_an_arc_file_gives_its_pages_with_all_that_is_known(version: int, piece: int) -> None:
    data = _file(version)
    items = _items(data, piece)
    assert [item.offset for item in items] == _offsets(data)
    assert [item.kind for item in items if isinstance(item, Skipped)] == ["filedesc", "dns"]
    found = [item for item in items if isinstance(item, Found)]
    assert [item.url for item in found] == URLS
    assert all(EN.format(number + 2) in item.text for number, item in enumerate(found))
    assert {(item.format, item.fetched_at) for item in found} == {("arc", datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC))}


@pytest.mark.parametrize("change", [-4000, -40, -1, 1, 2, 37, 500, 100_000, 10**12])
@pytest.mark.parametrize("broken", [0, 2])
def test_a_wrong_length_loses_no_record(broken: int, change: int) -> None:
    items = _items(_file(broken=broken, change=change))
    assert _urls(items) == URLS
    assert len(items) == 6


def test_an_arc_file_is_told_by_its_content(read: ReadBytes) -> None:
    result = read(_file())
    assert (result.urls, result.skipped, result.reasons) == (URLS, 2, [])


def test_offsets_in_members_are_those_of_the_unpacked_stream(read: ReadBytes) -> None:
    data = _file()
    bounds = [*_offsets(data), len(data)]
    packed = b"".join(gzip.compress(data[start:end]) for start, end in pairwise(bounds))
    assert read(packed).documents["record_offset"].to_list() == _offsets(data)[2:]


def test_a_record_is_found_again_by_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(_file(broken=1, change=40))
    offset = _offsets(_file())[4]
    assert [item.url for item in records_at(path, offset, Settings()) if isinstance(item, Found)] == [URLS[2]]


def test_a_file_without_its_first_record_is_read(read: ReadBytes) -> None:
    data = _file()
    assert read(data[_offsets(data)[2] :]).urls == URLS


def test_a_url_with_blanks_is_kept_whole() -> None:
    url = "http://a.example/one two three.html"
    assert _urls(_items(_front(1) + _record(url, _response(EN)))) == [url]


def test_a_media_type_with_a_charset_is_read() -> None:
    assert _urls(_items(_front(1) + _record(URLS[0], _response(EN), "text/html; charset=utf-8"))) == URLS[:1]


def test_a_record_that_is_no_http_response_is_read_by_its_media_type() -> None:
    items = _items(_front(1) + _record("ftp://a.example/b.txt", EN.encode(), "text/plain"))
    assert isinstance(items[1], Found)
    assert items[1].text == EN


def test_a_page_without_http_headers_is_read() -> None:
    assert _urls(_items(_front(1) + _record(URLS[0], html(EN)))) == URLS[:1]


def test_a_date_that_is_none_keeps_the_document() -> None:
    items = _items(_file().replace(b"20010203040506", b"20019903040506"))
    assert [item.fetched_at for item in items if isinstance(item, Found)] == [None] * 4


def test_junk_between_records_loses_none_of_them() -> None:
    data = _file()
    cut = _offsets(data)[3]
    assert _urls(_items(data[:cut] + b"junk: of all\nkinds http://x\n" * 20 + data[cut:])) == URLS


def test_junk_at_the_front_is_one_reject() -> None:
    items = _items(b"junk: of all\nkinds http://x\n" * 20 + _file())
    assert _urls(items) == URLS
    assert [(item.offset, item.reason) for item in items if isinstance(item, Refused)] == [(0, "not_a_record")]


def test_a_record_above_the_limit_is_refused_and_the_next_is_read() -> None:
    items = _items(_front(1) + _record(URLS[0], b"a" * 50_000) + _record(URLS[1], _response(EN)), limit=5000)
    assert _urls(items) == [URLS[1]]
    assert [item.reason for item in items if isinstance(item, Refused)] == ["too_large"]


def test_a_file_that_is_cut_off_says_so() -> None:
    items = _items(_file()[:-100])
    assert _urls(items) == URLS[:-1]
    assert isinstance(items[-1], Refused)
    assert (items[-1].reason, items[-1].offset) == ("truncated_record", _offsets(_file())[-1])


@given(st.integers(0, 3), st.integers(-2000, 2000), st.integers(1, 3000))
def test_no_length_and_no_piece_loses_a_record(broken: int, change: int, piece: int) -> None:
    items = _items(_file(broken=broken, change=change), piece)
    urls = _urls(items)
    refused = sum(isinstance(item, Refused) for item in items)
    assert len(urls) + refused >= len(URLS)
    assert set(urls) >= set(URLS) - {URLS[broken]}


@given(st.integers(0, len(_file())))
def test_wherever_a_file_is_cut_all_whole_records_are_read(size: int) -> None:
    data = _file()
    items = _items(data[:size])
    ends = [*_offsets(data)[1:], len(data)]
    whole = sum(end - 1 <= size for end in ends)
    assert len(_urls(items)) >= max(whole - 2, 0)
    assert len(items) >= sum(start < size for start in _offsets(data))


@given(st.binary(max_size=600))
def test_any_bytes_are_accounted_for(data: bytes) -> None:
    items = _items(data + b"\n" + _file())
    assert _urls(items)[-3:] == URLS[1:]
    assert all(isinstance(item, Found | Refused | Skipped) for item in items)
