import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.files.bytestream import ByteStream, Fault
from persona_assets.files.json_values import parse_json
from persona_assets.files.lines import lines
from persona_assets.files.records import Refused, Row
from persona_assets_tests.files.conftest import ReadFile


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": -Infinity}', {"a": float("-inf")}),
        (b'{"a": "x\ty\nz"}', {"a": "x\ty\nz"}),
        (b'{"a": "\\ud83d"}', {"a": "\ufffd"}),
        (b'{"a": "\\ud83d\\ude00", "b": NaN, "\\udc00": ["\\udfff!"]}', None),
        (b'{"a": 123456789012345678901234567890, "b": Infinity}', {"a": 1.2345678901234568e29, "b": float("inf")}),
    ],
)
def test_what_the_standard_does_not_allow_is_read(data: bytes, value: object) -> None:
    found = parse_json(data)
    if value is None:
        assert (found["a"], found["\ufffd"], found["b"] != found["b"]) == ("\U0001f600", ["\ufffd!"], True)
    else:
        assert found == value


@pytest.mark.parametrize("data", [b"{", b'{"a": "\xff"}', b"[" * 100_000, b'{"a": 1} x', b"", b'{"n": ' + b"9" * 5000])
def test_what_is_no_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(data)


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), st.lists, max_leaves=8))
def test_json_reads_back_as_python_wrote_it(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@given(
    st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=12),
    st.integers(1, 9),
    st.integers(5, 60),
)
def test_every_line_is_given_or_refused_with_its_byte(parts: list[bytes], cut: int, limit: int) -> None:
    data = b"\n".join(parts)
    found = list(lines(ByteStream(iter([data[at : at + cut] for at in range(0, len(data), cut)])), limit))
    expected, start = [], 0
    for line in data.split(b"\n"):
        if len(line) > limit:
            expected.append((start, "too_large"))
        elif line or start + len(line) < len(data):
            expected.append((start, line))
        start += len(line) + 1
    assert [(one.offset, one.reason) if isinstance(one, Refused) else one for one in found] == expected


def test_a_line_that_a_break_cuts_is_told_and_the_next_stretch_is_read() -> None:
    stream = ByteStream(iter([b"one\ntw", Fault(6, "corrupt_stream", "damaged"), b"o\nthree"]))
    found = list(lines(stream, 100))
    assert found == [(0, b"one"), Refused(4, "corrupt_stream", "damaged", 6), (6, b"o"), (8, b"three")]


@pytest.mark.parametrize("shape", ["one line", "lines", "indented"])
def test_an_element_that_is_too_large_costs_only_itself(read_file: ReadFile, shape: str) -> None:
    large = {"text": 'a "quoted" \\ {[ ' * 20_000, "more": [{"a": ["]"]}, {}] * 50}
    rows = [{"text": "one"}, large, {"text": "two"}, {"text": "three"}]
    if shape == "lines":
        data = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"
    else:
        data = json.dumps(rows, indent=1 if shape == "indented" else None)
    _, found = read_file(data.encode(), limit=3000)
    assert [row.values["text"] for row in found if isinstance(row, Row)] == ["one", "two", "three"]
    [refused] = [row for row in found if isinstance(row, Refused)]
    assert refused.reason == "too_large"
    assert data.encode()[refused.offset or 0 :].startswith(b"{")


def test_a_value_without_end_does_not_take_the_lines_behind_it(read_file: ReadFile) -> None:
    data = b'{\n"a": [' + b"[" * 5000 + b'\n{\n"text": "whole"}\n'
    _, found = read_file(data, limit=3000)
    assert [one.values if isinstance(one, Row) else one.reason for one in found] == ["too_large", {"text": "whole"}]


@pytest.mark.parametrize("between", ["", "\r", " "])
def test_objects_one_after_the_other_in_a_line_are_rows(read_file: ReadFile, between: str) -> None:
    data = between.join(f'{{"n": {n}, "text": "}} {{"}}' for n in range(3)).encode()
    _, found = read_file(data, "a.json")
    assert [row.values["n"] for row in found if isinstance(row, Row)] == [0, 1, 2]
    assert all(data[row.offset or 0 :].startswith(b'{"n"') for row in found)


def test_a_line_that_is_no_utf8_is_refused_with_what_can_be_done(read_file: ReadFile) -> None:
    data = b'{"text": "a"}\n' + '{"text": "мельник"}\n'.encode("windows-1251")
    _, [_, refused] = read_file(data, "a.jsonl")
    assert isinstance(refused, Refused)
    assert refused.detail.startswith("not JSON: byte 10 is no UTF-8, which JSON is in: convert the file: ")
