import gzip
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from persona_assets.demo.build import describe, write_dumps
from persona_assets.demo.markup import to_text
from persona_assets.demo.pages import load_pages, parts_of

WET, WARC = "demo-2026-09", "demo-2026-10"


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_dumps(tmp_path_factory.mktemp("dumps"))


def unclipped(path: Path) -> bytes:
    """The file up to its last whole gzip member."""
    data = path.read_bytes()
    if path.suffix != ".gz":
        return data
    return b"".join(member for member, whole in members(data) if whole)


def members(data: bytes) -> Iterator[tuple[bytes, bool]]:
    while data:
        stream = zlib.decompressobj(wbits=31)
        stream.decompress(data)
        rest = stream.unused_data
        yield data[: len(data) - len(rest)], stream.eof
        data = rest


def responses(path: Path) -> list[tuple[str, bytes, str]]:
    """Address, payload and content type of the documents of a whole file, read by warcio."""
    found = []
    for record in WarcioIterator(BytesIO(unclipped(path))):
        if record.rec_type in ("response", "conversion"):
            headers = record.http_headers
            content_type = headers.get_header("Content-Type") if headers else "text/plain"
            url = record.rec_headers.get_header("WARC-Target-URI")
            found.append((url, record.content_stream().read(), content_type))
    return found


def test_two_dumps_of_three_files_are_written(dumps: list[Path]) -> None:
    assert [(path.parent.name, "".join(path.suffixes)) for path in dumps] == [
        (WET, ".warc.wet.gz"),
        (WET, ".warc.wet.gz"),
        (WET, ".warc.wet"),
        (WARC, ".warc.gz"),
        (WARC, ".warc.gz"),
        (WARC, ".warc.gz"),
    ]


def test_bytes_are_the_same_every_time(dumps: list[Path], tmp_path: Path) -> None:
    again = write_dumps(tmp_path)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in dumps]


def test_gzip_headers_carry_no_time(dumps: list[Path]) -> None:
    for path in (path for path in dumps if path.suffix == ".gz"):
        assert all(member[4:8] == bytes(4) for member, _ in members(path.read_bytes()))


def test_a_second_run_touches_nothing(tmp_path: Path) -> None:
    before = [(path, path.stat().st_mtime_ns, path.stat().st_ino) for path in write_dumps(tmp_path)]
    assert [(path, path.stat().st_mtime_ns, path.stat().st_ino) for path in write_dumps(tmp_path)] == before


def test_a_changed_file_is_restored_and_nothing_is_left_aside(tmp_path: Path) -> None:
    first, *_ = write_dumps(tmp_path)
    content = first.read_bytes()
    first.write_bytes(b"damaged")
    paths = write_dumps(tmp_path)
    assert first.read_bytes() == content
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)


def test_fastwarc_reads_every_record_of_the_whole_files(dumps: list[Path]) -> None:
    for path in dumps:
        part = int(path.name.split("-")[3][:5])
        expected = [page.url for page in parts_of(path.parent.name)[part] if page.trait != "truncated"]
        wanted = WarcRecordType.response | WarcRecordType.conversion
        records = ArchiveIterator(BytesIO(unclipped(path)), record_types=wanted, verify_digests=True)
        assert [record.headers["WARC-Target-URI"] for record in records] == expected


def test_warcio_reads_the_same_payloads_as_the_pages_hold(dumps: list[Path]) -> None:
    pages = {page.url: page for page in load_pages() if page.dump == WET and page.payload is None}
    payloads = {url: body for path in dumps if path.parent.name == WET for url, body, _ in responses(path)}
    assert set(pages) <= set(payloads)
    assert all(payloads[url].decode() == to_text(page) for url, page in pages.items())


def test_each_record_is_a_gzip_member_of_its_own(dumps: list[Path]) -> None:
    for path in (path for path in dumps if path.suffix == ".gz"):
        whole = [gzip.decompress(member) for member, complete in members(path.read_bytes()) if complete]
        assert all(record.startswith(b"WARC/1.0\r\n") and record.count(b"WARC/1.0\r\n") == 1 for record in whole)


def test_only_the_last_member_of_the_last_file_is_clipped(dumps: list[Path]) -> None:
    clipped = [
        (path, index == len(found) - 1)
        for path in dumps
        if path.suffix == ".gz"
        for found in [list(members(path.read_bytes()))]
        for index, (_, whole) in enumerate(found)
        if not whole
    ]
    assert clipped == [(dumps[-1], True)]


def test_record_ids_are_unique(dumps: list[Path]) -> None:
    ids = [
        record.rec_headers.get_header("WARC-Record-ID")
        for path in dumps
        for record in WarcioIterator(BytesIO(unclipped(path)))
    ]
    assert len(ids) == len(set(ids))


def test_html_has_the_parts_of_a_real_page(dumps: list[Path]) -> None:
    html = {url: body for path in dumps if path.parent.name == WARC for url, body, _ in responses(path)}
    page = html["https://upland-gazette.example/2026/10/barn-fire-hollin-farm"].decode()
    for mark in (
        "<head>",
        "<script",
        "cookie-banner",
        "<header",
        "<nav",
        "<article",
        'id="comments"',
        "<aside",
        "<footer",
    ):
        assert mark in page


def test_encodings_are_as_declared(dumps: list[Path]) -> None:
    found = {url: (body, kind) for path in dumps if path.parent.name == WARC for url, body, kind in responses(path)}
    russian, declared = found["https://nasledstvo-prosto.example/voprosy/shest-mesyacev"]
    assert declared == "text/html; charset=windows-1251"
    assert "Шесть месяцев" in russian.decode("windows-1251")
    chinese, declared = found["https://laoshouyi.example/renwu/kuitou"]
    assert declared == "text/html"
    assert b'<meta charset="gb18030">' in chinese
    assert "盔头" in chinese.decode("gb18030")


def test_the_bad_date_the_error_and_the_image_are_in_the_files(dumps: list[Path]) -> None:
    assert b"WARC-Date: 2026-13-45T99:61:00Z" in b"".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in dumps[:3]
    )
    raw = b"".join(gzip.decompress(unclipped(path)) for path in dumps[3:])
    assert b"HTTP/1.1 404 Not Found\r\n" in raw
    assert b"\r\n\r\n\x89PNG\r\n" in raw


def test_the_builder_also_describes_the_dumps(dumps: list[Path]) -> None:
    assert set(describe()["dumps"]) == {path.parent.name for path in dumps}


def test_fastwarc_gets_through_the_clipped_file_up_to_the_clipped_record(dumps: list[Path]) -> None:
    complete = [page.url for page in parts_of(WARC)[2] if page.trait != "truncated"]
    with dumps[-1].open("rb") as stream:
        records = ArchiveIterator(stream, record_types=WarcRecordType.response)
        found = [record.headers["WARC-Target-URI"] for record in records]
    assert found[: len(complete)] == complete
