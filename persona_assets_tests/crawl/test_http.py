import gzip
import random
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.crawl.http import Response, read_response

LIMIT = 1_000_000
PAGE = b"<html><body>" + b"<p>Beef ribs, 1000 of them, and naive cooks.</p>\r\n" * 60 + b"</body></html>"
CHUNKED = "Transfer-Encoding: chunked"


def _packed_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", _packed_deflate),
    ("br", brotli.compress),
    ("zstd", zstandard.ZstdCompressor().compress),
]
CODING_IDS = ["gzip", "zlib", "deflate", "br", "zstd"]


def _block(body: bytes, *headers: str, status: str = "HTTP/1.1 200 OK", newline: str = "\r\n") -> bytes:
    return newline.join([status, *headers, "", ""]).encode() + body


def _read(body: bytes, *headers: str) -> Response:
    response = read_response(_block(body, *headers), LIMIT)
    assert isinstance(response, Response)
    return response


def _chunks(body: bytes, size: int = 300, newline: bytes = b"\r\n", extension: bytes = b"") -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    written = [b"%x%s%s%s%s" % (len(part), extension, newline, part, newline) for part in parts]
    return b"".join(written) + b"0" + newline + newline


@pytest.mark.parametrize("extension", [b"", b";ieof", b"; name=value", b"   "])
@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_chunks_are_joined_without_their_sizes(extension: bytes, newline: bytes) -> None:
    response = _read(_chunks(PAGE, newline=newline, extension=extension), CHUNKED)
    assert (response.body, response.cut) == (PAGE, False)


def test_fields_after_the_last_chunk_are_left_out() -> None:
    response = _read(_chunks(PAGE)[:-2] + b"Checksum: 1\r\nServer: b\r\n\r\n", CHUNKED)
    assert (response.body, response.cut) == (PAGE, False)


def test_chunks_that_nothing_declares_are_joined_where_all_fit() -> None:
    assert _read(_chunks(PAGE)).body == PAGE


def test_a_text_that_begins_with_a_number_is_not_in_chunks() -> None:
    text = b"12\r\nmonths have a year, and the year is long.\r\n"
    assert _read(text).body == text


@pytest.mark.parametrize(
    "body", [PAGE, b"beef\r\n1000 ribs", b"1984\r\nIt was a bright cold day.", b"0\r\nresults found"]
)
def test_a_body_that_is_stored_without_its_chunks_is_taken_as_it_is(body: bytes) -> None:
    response = _read(body, CHUNKED)
    assert (response.body, response.cut) == (body, False)


@pytest.mark.parametrize("wrong", [b"130", b"100", b"1"])
def test_wrong_sizes_of_chunks_do_not_get_into_the_text(wrong: bytes) -> None:
    assert _read(_chunks(PAGE).replace(b"12c\r\n", wrong + b"\r\n"), CHUNKED).body == PAGE


@given(st.integers(5, len(_chunks(PAGE)) - 1))
def test_a_body_cut_within_its_chunks_is_read_up_to_there_and_marked(size: int) -> None:
    response = _read(_chunks(PAGE)[:size], CHUNKED)
    whole = size >= len(_chunks(PAGE)) - len(b"\r\n")
    assert PAGE.startswith(response.body)
    assert len(response.body) >= size - 8 * (size // 300 + 2)
    assert response.cut is not whole


@given(st.binary(max_size=400), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_chunks_of_any_bytes_and_sizes_are_joined(body: bytes, sizes: list[int]) -> None:
    written, at = b"", 0
    for size in sizes:
        part = body[at : at + size]
        at += size
        written += b"%x\r\n%s\r\n" % (len(part), part) if part else b""
    if written:
        assert _read(written + b"0\r\n\r\n", CHUNKED).body == body[:at]


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "zstd", "br, gzip"]), st.booleans())
def test_no_bytes_raise(body: bytes, coding: str, chunked: bool) -> None:
    headers = [f"Content-Encoding: {coding}", *([CHUNKED] if chunked else [])]
    assert isinstance(_read(body, *headers).body, bytes)


@pytest.mark.parametrize(("coding", "pack"), CODINGS, ids=CODING_IDS)
def test_packed_bodies_are_unpacked(coding: str, pack: Callable[[bytes], bytes]) -> None:
    response = _read(pack(PAGE), f"Content-Encoding: {coding}")
    assert (response.body, response.cut) == (PAGE, False)


@pytest.mark.parametrize(("coding", "pack"), CODINGS, ids=CODING_IDS)
def test_a_cut_packed_body_is_read_as_far_as_it_goes_and_marked(coding: str, pack: Callable[[bytes], bytes]) -> None:
    text = bytes(random.Random(1).choices(b"abcdefghij klmnop", k=600_000))
    packed = pack(text)
    response = _read(packed[: len(packed) * 3 // 4], f"Content-Encoding: {coding}")
    assert response.cut
    assert text.startswith(response.body)
    assert len(response.body) > 250_000


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, br", "sdch"])
def test_a_body_that_is_stored_unpacked_is_taken_as_it_is(coding: str) -> None:
    response = _read(PAGE, f"Content-Encoding: {coding}", "Content-Length: 999999")
    assert (response.body, response.cut) == (PAGE, False)


def test_all_members_of_a_gzip_body_are_read() -> None:
    response = _read(gzip.compress(PAGE[:900]) + gzip.compress(PAGE[900:]), "Content-Encoding: gzip")
    assert (response.body, response.cut) == (PAGE, False)


def test_what_follows_the_last_member_is_left_out() -> None:
    response = _read(gzip.compress(PAGE) + b"\0\0\0junk", "Content-Encoding: gzip")
    assert (response.body, response.cut) == (PAGE, False)


def test_several_encodings_come_off_in_turn() -> None:
    packed = brotli.compress(gzip.compress(PAGE))
    assert _read(_chunks(packed, 50), CHUNKED, "Content-Encoding: gzip, br").body == PAGE


def test_a_gzip_body_is_unpacked_though_nothing_declares_it() -> None:
    assert _read(gzip.compress(PAGE), "Content-Type: text/html").body == PAGE


@pytest.mark.parametrize(("coding", "pack"), CODINGS, ids=CODING_IDS)
def test_a_body_that_expands_beyond_the_limit_is_refused(coding: str, pack: Callable[[bytes], bytes]) -> None:
    response = read_response(_block(pack(b"a" * 20_000_000), f"Content-Encoding: {coding}"), LIMIT)
    assert response == ("too_large", f"the body expands to more than {LIMIT} bytes")


def test_a_body_shorter_than_its_length_is_cut() -> None:
    assert _read(PAGE, f"Content-Length: {len(PAGE) + 1}").cut


@pytest.mark.parametrize("length", [str(len(PAGE)), "10", "many", ""])
def test_a_body_of_its_length_or_longer_is_whole(length: str) -> None:
    response = _read(PAGE, f"Content-Length: {length}")
    assert (response.body, response.cut) == (PAGE, False)


@pytest.mark.parametrize(
    "status", ["HTTP/1.0 200 OK", "HTTP/2 200", "HTTP/1.1 200", "http/1.1 200 ok", "HTTP/1.1 203 X"]
)
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_status_lines_of_all_kinds_are_read(status: str, newline: str) -> None:
    response = read_response(_block(PAGE, "Content-Type: text/html", status=status, newline=newline), LIMIT)
    assert response == Response({"content-type": "text/html"}, PAGE, cut=False)


def test_a_part_of_a_page_is_marked_as_cut() -> None:
    response = read_response(_block(PAGE, status="HTTP/1.1 206 Partial Content"), LIMIT)
    assert isinstance(response, Response)
    assert response.cut


@pytest.mark.parametrize("code", [202, 204, 301, 404, 500])
def test_a_status_without_a_page_is_refused(code: int) -> None:
    assert read_response(_block(PAGE, status=f"HTTP/1.1 {code} X"), LIMIT) == ("http_status", f"HTTP status {code}")


def test_headers_above_128_kb_are_read() -> None:
    assert _read(PAGE, "Set-Cookie: " + "a" * 300_000).body == PAGE


def test_headers_without_a_blank_line_end_at_the_first_tag() -> None:
    block = b"HTTP/1.0 200 OK\nContent-Type: text/html\n" + PAGE
    assert read_response(block, LIMIT) == Response({"content-type": "text/html"}, PAGE, cut=False)


def test_headers_that_are_cut_off_are_refused() -> None:
    reason = read_response(b"HTTP/1.1 200 OK\r\nContent-Ty", LIMIT)
    assert reason == ("bad_http_header", "the headers are cut off after 27 bytes")
