import gzip

from persona_assets.files.records import Page, Refused
from persona_assets_tests.files.conftest import ReadFile


def test_a_file_of_text_is_one_page(read_file: ReadFile) -> None:
    assert read_file(b"A line.\n", "a.txt")[1] == [Page(0, b"A line.\n", "file", "text", "text/plain")]


def test_a_file_of_html_is_one_page(read_file: ReadFile) -> None:
    assert read_file(b"<html>x</html>")[1] == [Page(0, b"<html>x</html>", "file", "html", "text/html")]


def test_a_file_above_the_limit_is_refused(read_file: ReadFile) -> None:
    _, [found] = read_file(b"<html>" + b"x" * 5000, limit=1000)
    assert isinstance(found, Refused)
    assert (found.reason, found.detail) == ("too_large", "a file of 5006 bytes, the limit is 1000")


def test_what_stands_before_damage_is_a_cut_page(read_file: ReadFile) -> None:
    data = gzip.compress(b"<html>" + bytes(range(32, 127)) * 50)[:-20]
    _, [page, refused] = read_file(data)
    assert isinstance(page, Page)
    assert (page.cut, page.body[:6]) == ("body", b"<html>")
    assert isinstance(refused, Refused)
    assert refused.reason == "truncated_stream"
