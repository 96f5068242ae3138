import gzip
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from persona_assets.crawl.items import CrawlFile, Skipped
from persona_assets.files.bytestream import ByteStream
from persona_assets.files.formats.warc import read_warc
from persona_assets.settings import Settings
from persona_assets_tests.crawl.conftest import EN, RU, ZH, Read, ReadBytes, WarcMaker, gz_members, html

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
URLS = [f"http://{number}.example/" for number in range(5)]


def _five(*, gz: bool = False) -> WarcMaker:
    maker = WarcMaker(gz=gz).other("warcinfo")
    for number, url in enumerate(URLS):
        maker.conversion(url, EN.format(number + 2))
    return maker


def _relabelled(data: bytes, nth: int, change: int) -> bytes:
    """The file with the Content-Length of its nth record off by `change`."""
    found = list(re.finditer(rb"Content-Length: (\d+)", data))[nth]
    return data[: found.start(1)] + str(int(found[1]) + change).encode() + data[found.end(1) :]


def test_a_wet_file_gives_its_conversions_with_all_that_is_known(read: ReadBytes, wet: bytes) -> None:
    result = read(wet)
    assert result.documents["language"].to_list() == ["en", "ru", "zh"]
    assert result.documents["format"].unique().to_list() == ["wet"]
    assert result.documents["fetched_at"][0] == datetime(2024, 5, 18, 1, 58, 10, tzinfo=UTC)
    assert result.documents["record_id"][0].startswith("<urn:uuid:")
    assert result.documents["text"][0] == EN.format(7)
    assert result.documents["characters"][0] == len(EN.format(7))
    assert (result.rejects.height, result.skipped) == (0, 1)


@pytest.mark.parametrize(
    "compress", [gzip.compress, lz4.frame.compress, zstandard.ZstdCompressor().compress], ids=["gz", "lz4", "zst"]
)
def test_offsets_are_those_of_the_decompressed_stream(read: ReadBytes, compress: object) -> None:
    plain = _five()
    result = read(compress(plain.bytes))
    assert result.documents["record_offset"].to_list() == plain.offsets[1:]


def test_a_warc_file_gives_the_main_text_of_its_pages(read: ReadBytes) -> None:
    maker = WarcMaker(gz=True).other("warcinfo").response("http://a.example/", html(EN.format(9)))
    maker.other("request").other("metadata")
    result = read(maker.bytes)
    assert result.urls == ["http://a.example/"]
    assert EN.format(9) in result.documents["text"][0]
    assert "Home About" not in result.documents["text"][0]
    assert (result.documents["format"][0], result.skipped, result.reasons) == ("warc", 3, [])


@pytest.mark.parametrize("change", [-40, -1, 1, 37, 100_000, 10**12])
def test_a_wrong_content_length_loses_no_record(read: ReadBytes, change: int) -> None:
    result = read(_relabelled(_five().bytes, 2, change))
    assert result.urls == URLS
    assert result.documents["text"].to_list() == [EN.format(number + 2) for number in range(5)]


@pytest.mark.parametrize("change", [-40, 37, 10**12])
def test_a_wrong_content_length_in_the_last_record_is_mended(read: ReadBytes, change: int) -> None:
    assert read(_relabelled(_five().bytes, 5, change)).documents["text"][-1] == EN.format(6)


def test_a_missing_content_length_is_mended(read: ReadBytes) -> None:
    data = re.sub(rb"Content-Length: \d+\r\n", b"", _five().bytes)
    assert read(data).urls == URLS


@pytest.mark.parametrize("date", ["2008-10-294T05:21:46-0700", "", "yesterday", "0001-01-01T00:00:00+14:00"])
def test_a_bad_date_keeps_the_document_without_one(read: ReadBytes, date: str) -> None:
    data = _five().bytes.replace(b"2024-05-18T01:58:10Z", date.encode())
    result = read(data)
    assert result.urls == URLS
    assert result.documents["fetched_at"].null_count() == 5


def test_a_clipped_gz_keeps_whole_records_and_refuses_the_clipped_one(read: ReadBytes) -> None:
    maker = _five(gz=True)
    result = read(maker.bytes[:-100])
    assert result.urls == URLS[:-1]
    assert result.reasons == ["truncated_stream"]
    assert result.rejects["record_offset"].to_list() == [_five().offsets[-1]]


def test_a_file_cut_off_without_compression_says_so(read: ReadBytes) -> None:
    result = read(_five().bytes[:-100])
    assert (result.urls, result.reasons) == (URLS[:-1], ["truncated_record"])


def test_a_corrupt_member_costs_only_its_record(read: ReadBytes) -> None:
    plain = _five()
    bounds = [*plain.offsets, len(plain.bytes)]
    parts = [plain.bytes[start:end] for start, end in pairwise(bounds)]
    members = [bytearray(gz_members(part)) for part in parts]
    members[3][60:64] = b"\xff\xff\xff\xff"
    result = read(b"".join(members))
    assert result.urls == [url for url in URLS if url != URLS[2]]
    assert result.reasons == ["corrupt_stream"]


def test_garbage_between_records_is_one_reject(read: ReadBytes) -> None:
    maker = _five()
    cut = maker.offsets[3]
    result = read(maker.bytes[:cut] + b"\x00junk\njunk WARC/ junk\r\n\r\n" * 50 + maker.bytes[cut:])
    assert (result.urls, result.reasons) == (URLS, ["not_a_record"])
    assert result.rejects["record_offset"].to_list() == [cut]


def test_a_header_without_its_blank_line_costs_only_its_record(read: ReadBytes) -> None:
    maker = _five()
    broken = (
        maker.bytes[: maker.offsets[2]] + b"WARC/1.0\r\nWARC-Type: conversion\r\n" + maker.bytes[maker.offsets[2] :]
    )
    result = read(broken)
    assert (result.urls, result.reasons) == (URLS, ["bad_record_header"])


def test_a_record_above_the_limit_is_refused_and_the_next_is_read(read: ReadBytes) -> None:
    maker = WarcMaker().conversion(URLS[0], "a" * 50_000).conversion(URLS[1], EN.format(3))
    result = read(maker.bytes, Settings(max_document_bytes=5000))
    assert (result.urls, result.reasons) == ([URLS[1]], ["too_large"])


def test_a_png_in_a_warc_is_not_text(read: ReadBytes) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
    result = read(WarcMaker().response(URLS[0], png).response(URLS[1], png, "image/png").bytes)
    assert result.reasons == ["not_text", "not_text"]


def test_a_png_decoded_as_text_in_a_wet_is_not_text(read: ReadBytes) -> None:
    png = (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8).decode("utf-8", "replace")
    assert read(WarcMaker().conversion(URLS[0], png).bytes).reasons == ["not_text"]


def test_other_statuses_media_types_and_empty_pages_have_their_reasons(read: ReadBytes) -> None:
    maker = WarcMaker().response(URLS[0], html(EN), status="404 Not Found")
    maker.response(URLS[1], b'{"a": 1}', "application/json")
    maker.response(URLS[2], b"<html><body></body></html>")
    result = read(maker.bytes)
    assert result.reasons == ["http_status", "not_text", "no_main_text"]
    assert result.rejects["detail"][0] == "HTTP status 404"


@pytest.mark.parametrize(
    ("text", "charset"),
    [(ZH, "gb18030"), (RU, "cp1251"), (RU, "koi8-r"), (EN + " Café à l’été, où naît l’œuvre.", "cp1252")],
)
def test_a_page_without_a_declared_charset_is_decoded(read: ReadBytes, text: str, charset: str) -> None:
    page = f"<html><body><article><p>{text.format(5)}</p></article></body></html>".encode(charset)
    result = read(WarcMaker().response(URLS[0], page).bytes)
    assert text.format(5) in result.documents["text"][0]


@pytest.mark.parametrize(
    ("declared", "actual"), [("text/html; charset=windows-1251", "cp1251"), ("text/html; charset=iso-8859-1", "utf-8")]
)
def test_the_header_charset_is_used_unless_the_bytes_are_utf8(read: ReadBytes, declared: str, actual: str) -> None:
    page = f"<html><body><article><p>{RU}</p></article></body></html>".encode(actual)
    assert RU in read(WarcMaker().response(URLS[0], page, declared).bytes).documents["text"][0]


def test_plain_text_pages_are_taken_as_they_are(read: ReadBytes) -> None:
    assert read(WarcMaker().response(URLS[0], EN.encode(), "text/plain").bytes).documents["text"][0] == EN


@pytest.mark.parametrize(("coding", "body"), [("gzip", gzip.compress(html(EN))), ("gzip", html(EN)), ("br", html(EN))])
def test_encoded_bodies_are_read_also_where_they_were_stored_decoded(read: ReadBytes, coding: str, body: bytes) -> None:
    result = read(WarcMaker().response(URLS[0], body, Content_Encoding=coding).bytes)
    assert EN in result.documents["text"][0]


def test_chunked_bodies_are_joined(read: ReadBytes) -> None:
    page = html(EN)
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (page[:90], page[90:])) + b"0\r\n\r\n"
    result = read(WarcMaker().response(URLS[0], chunked, Transfer_Encoding="chunked").bytes)
    assert EN in result.documents["text"][0]


def _shared(name: str) -> Read:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not here: it belongs to the shared data")
    return Read([CrawlFile(path, path.name)], Settings())


def test_the_clipped_file_of_resiliparse_is_told() -> None:
    result = _shared("warc_resiliparse/tests/data/clipped.warc.gz")
    assert (result.documents.height, result.reasons) == (0, ["truncated_stream"])


@pytest.mark.parametrize(
    ("name", "records", "skipped"),
    [
        ("warc_resiliparse/tests/data/warcfile.warc", 16, 34),
        ("warc_resiliparse/tests/data/warcfile.warc.gz", 16, 34),
        ("warc_resiliparse/tests/data/warcfile.warc.lz4", 16, 34),
        ("warc_resiliparse/tests/data/clueweb-quirk.warc.gz", 29, 1),
        ("warc_resiliparse/tests/data/block-sized-records.warc.lz4", 0, 3),
        ("cc_whirlwind/whirlwind.warc.wet.gz", 1, 1),
        ("cc_whirlwind/whirlwind.warc.gz", 1, 3),
    ],
)
def test_every_record_of_the_public_files_is_accounted_for(name: str, records: int, skipped: int) -> None:
    result = _shared(name)
    assert (result.documents.height + result.rejects.height, result.skipped) == (records, skipped)


def _warc(kind: str, block: bytes, **fields: str) -> bytes:
    """A record written by hand; what WARC writers do not write can stand in it."""
    given = {"WARC-Type": kind, "WARC-Target-URI": URLS[0], "WARC-Date": "2024-05-18T01:58:10Z"}
    given |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**given, "Content-Length": str(len(block))}.items())
    return b"WARC/1.0\r\n" + lines.encode() + b"\r\n" + block + b"\r\n\r\n"


RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + html(EN)


def _segment(number: int, block: bytes, total: int | None = None) -> bytes:
    more = {} if total is None else {"WARC_Segment_Total_Length": str(total)}
    if number > 1:
        more |= {"WARC_Segment_Origin_ID": "<urn:a>"}
    kind = "response" if number == 1 else "continuation"
    return _warc(kind, block, WARC_Record_ID=f"<urn:{'abcd'[number - 1]}>", WARC_Segment_Number=str(number), **more)


THIRDS = (RESPONSE[:150], RESPONSE[150:300], RESPONSE[300:])


def test_segments_that_follow_each_other_are_one_document(read: ReadBytes) -> None:
    data = _segment(1, THIRDS[0]) + _segment(2, THIRDS[1]) + _segment(3, THIRDS[2], len(RESPONSE))
    result = read(data + _warc("response", RESPONSE.replace(b"jars", b"pots"), WARC_Target_URI=URLS[1]))
    assert (result.urls, result.documents["cut"].to_list(), result.skipped) == (URLS[:2], [None, None], 2)
    assert EN in result.documents["text"][0]


def test_a_document_whose_last_segment_is_missing_is_marked(read: ReadBytes) -> None:
    half = len(RESPONSE) - 60
    result = read(_segment(1, RESPONSE[:150]) + _segment(2, RESPONSE[150:half]) + _warc("metadata", b"a: b"))
    assert (result.documents["cut"].to_list(), result.skipped) == (["missing_continuation"], 2)


def test_a_segment_without_those_before_it_is_refused(read: ReadBytes) -> None:
    result = read(_segment(2, THIRDS[1]) + _segment(1, RESPONSE) + _segment(3, THIRDS[2]))
    assert result.reasons == ["lone_continuation", "lone_continuation"]
    assert result.documents["cut"].to_list() == ["missing_continuation"]


def test_a_record_that_the_crawler_cut_is_kept_and_marked(read: ReadBytes) -> None:
    result = read(_warc("response", RESPONSE, WARC_Truncated="length"))
    assert result.documents["cut"].to_list() == ["warc_truncated"]


def test_a_cut_body_is_kept_and_marked(read: ReadBytes) -> None:
    result = read(WarcMaker().response(URLS[0], gzip.compress(html(EN))[:-12], Content_Encoding="gzip").bytes)
    assert result.documents["cut"].to_list() == ["body"]


@pytest.mark.parametrize("media", ["text/html", "text/plain"])
def test_html_in_a_conversion_record_is_extracted(read: ReadBytes, media: str) -> None:
    result = read(_warc("conversion", html(EN), Content_Type=media))
    assert EN in result.documents["text"][0]
    assert "<" not in result.documents["text"][0]


def test_skipped_records_have_their_kind() -> None:
    data = WarcMaker().other("warcinfo").other("request").other("metadata").bytes
    data += _warc("revisit", b"") + _warc("response", b"20240518\n", WARC_Target_URI="dns:a.example")
    items = list(read_warc(ByteStream(iter([data])), 1000))
    assert [item.kind for item in items if isinstance(item, Skipped)] == [
        "warcinfo",
        "request",
        "metadata",
        "revisit",
        "dns",
    ]
