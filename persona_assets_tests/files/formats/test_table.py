import gzip
import json
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.files import READING
from persona_assets.files.formats import Head, Sure, ending_of, own_endings, recognise, table
from persona_assets_tests.files.conftest import ReadFile


def _parquet() -> bytes:
    sink = BytesIO()
    pq.write_table(pa.table({"text": ["a"]}), sink)
    return sink.getvalue()


WARC = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 0\r\n\r\n\r\n\r\n"
CASES = [
    (WARC, "x", "warc"),
    (WARC.replace(b"response", b"conversion"), "x.csv", "wet"),
    (_parquet(), "x.jsonl", "parquet"),
    (b'{"text": "a"}\n', "x.csv", "jsonl"),
    (b'not json\n{"text": "a"}\n', "x", "jsonl"),
    (b'{"text": "cut off', "x", "jsonl"),
    (b'\xef\xbb\xbf[{"text": "a"}]', "x.jsonl", "json"),
    (b'{\n "text": "a"\n}\n', "x", "json"),
    (b"[]", "x", "json"),
    (b"id,text\n1,a\n", "x.csv", "csv"),
    (b"id\ttext\n1\ta\n", "x.TSV", "tsv"),
    (b"<!DOCTYPE html><html><body>a</body></html>", "x", "html"),
    (b"<?xml version='1.0'?>\n<!-- a -->\n<html xmlns='x'>", "x.txt", "html"),
    (b"<p>no root</p>", "x.htm", "html"),
    ("Ein Brief.".encode("utf-16"), "brief.txt", "text"),
    ("Dear Ann, the ferry leaves at nine.".encode("utf-16-le"), "brief.txt", "text"),
    ("id,text\n1,the ferry leaves at nine\n".encode("utf-16-be"), "x.csv", "csv"),
    (b'{"text": "a"}{"text": "b"}', "x.jsonl", "json"),
    (b'{"text": "a"}\r{"text": "b"}', "x.jsonl", "json"),
    (b'{"text": "a} {b"}\n{"text": "b"}', "x.json", "jsonl"),
    (b"# A heading\n\nA line.\n", "notes.md", "text"),
]


@pytest.mark.parametrize(("data", "name", "form"), CASES)
def test_a_file_is_told_by_its_content_or_else_its_name(read_file: ReadFile, data: bytes, name: str, form: str) -> None:
    assert read_file(data, name)[0] == form


@pytest.mark.parametrize(("data", "name", "form"), [case for case in CASES if case[2] != "parquet"])
def test_a_compressed_file_is_told_by_what_it_holds(read_file: ReadFile, data: bytes, name: str, form: str) -> None:
    assert read_file(gzip.compress(data), f"{name}.gz")[0] == form


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"PK\x03\x04 zip", "x.txt"),
        (b"\x89PNG\r\n", "x.csv"),
        (bytes(300), "x.html"),
        (b"[Adblock Plus 2.0]", "x"),
        (b"id,text\n1,a\n", "x"),
        (b"A text of no ending.", "README"),
        (b" \n", "x.txt"),
        (b"", "x.csv"),
    ],
)
def test_what_is_no_text_or_has_no_name_is_of_no_format(read_file: ReadFile, data: bytes, name: str) -> None:
    assert read_file(data, name) == ("", [])


def test_every_module_of_formats_is_in_the_table_and_in_recipes() -> None:
    folder = Path(__file__).parents[3] / "persona_assets/files/formats"
    modules = {path.stem for path in folder.glob("[!_]*.py")}
    assert {f"files.formats.{name}" for name in modules} <= set(READING)
    assert {ending for form in table().values() for ending in form.endings} < own_endings()


@given(st.binary(max_size=300), st.sampled_from(["", *sorted(own_endings())]))
def test_recognising_never_raises(data: bytes, ending: str) -> None:
    form = recognise(Head(data, ending))
    assert form is None or form.recognise(Head(data, ending)) > Sure.NO


@pytest.mark.parametrize(
    ("name", "ending"), [("a.mbox.gz", "mbox"), ("a.JSONL", "jsonl"), ("a", ""), ("a.gz", ""), ("v1.2.txt.zst", "txt")]
)
def test_the_ending_of_a_name_is_that_under_its_compression(name: str, ending: str) -> None:
    assert ending_of(name) == ending


@given(
    st.lists(
        st.dictionaries(
            st.text("abc", min_size=1, max_size=3),
            st.recursive(st.none() | st.integers(-(2**60), 2**60) | st.text(max_size=8), st.lists, max_leaves=4),
            max_size=3,
        ),
        max_size=6,
    ),
    st.sampled_from([None, 0, 2]),
)
def test_every_object_of_a_json_array_is_a_row(rows: list[dict[str, object]], indent: int | None) -> None:
    from persona_assets.files.bytestream import ByteStream
    from persona_assets.files.open import Opened
    from persona_assets.files.records import Row

    data = json.dumps(rows, indent=indent, ensure_ascii=False).encode(errors="replace")
    opened = Opened(ByteStream(iter([data])), "", BytesIO(data))
    found = list(table()["json"].read(opened, 1 << 20, None))
    assert [row.values for row in found if isinstance(row, Row)] == json.loads(data)
    assert all(data[row.offset : row.offset + 1] == b"{" for row in found)
