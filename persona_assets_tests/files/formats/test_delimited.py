import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.files.bytestream import ByteStream
from persona_assets.files.formats import table
from persona_assets.files.open import Opened
from persona_assets.files.records import Refused, Row
from persona_assets_tests.files.conftest import ReadFile


def test_rows_have_the_byte_they_start_at_and_the_names_of_the_first_line(read_file: ReadFile) -> None:
    data = '\ufeffid,text\r\n1,"two\r\nlines, ""quoted"""\r\n\r\n2,中文\r\n3\r\n'.encode()
    form, found = read_file(data, "a.csv")
    assert form == "csv"
    assert [row.values for row in found if isinstance(row, Row)] == [
        {"id": "1", "text": 'two\nlines, "quoted"'},
        {"id": "2", "text": "中文"},
        {"id": "3"},
    ]
    assert [data[row.offset :][:1] for row in found if row.offset is not None] == [b"1", b"2", b"3"]


def test_semicolons_of_programs_that_write_decimal_commas_are_seen(read_file: ReadFile) -> None:
    _, [row] = read_file("ид;текст\n1,5;мельница\n".encode(), "a.csv")
    assert isinstance(row, Row)
    assert row.values == {"ид": "1,5", "текст": "мельница"}


def test_quotes_stand_as_they_are_between_tabs(read_file: ReadFile) -> None:
    _, [row] = read_file(b'id\ttext\n1\t"a" and "b\n', "a.tsv")
    assert isinstance(row, Row)
    assert row.values == {"id": "1", "text": '"a" and "b'}


def test_a_row_with_too_many_fields_is_refused_by_itself(read_file: ReadFile) -> None:
    _, found = read_file(b"id,text\n1,a\n2,b,c\n3,d\n", "a.csv")
    assert [one.detail if isinstance(one, Refused) else one.values["id"] for one in found] == [
        "1",
        "3 fields where the first line names 2",
        "3",
    ]


def test_a_field_above_the_limit_is_refused_and_the_next_row_is_read(read_file: ReadFile) -> None:
    _, found = read_file(b"id,text\n1," + b"x" * 500 + b"\n2,b\n", "a.csv", limit=100)
    assert [one.reason if isinstance(one, Refused) else one.values["id"] for one in found] == ["too_large", "2"]


RUSSIAN = [
    ("1", "Старый мельник каждое утро спускался к реке ещё до восхода солнца"),
    ("2", 'Он сказал:\n"Пора", и ушёл'),
]
CHINESE = [("1", "老磨坊主每天早晨在太阳升起之前就走到河边，因为水车需要清理树枝和落叶"), ("2", "他说：\n“走吧”")]
ENGLISH = [("1", "The old miller walked down to the river"), ("2", 'He said:\n"Go", and left')]


def as_csv(rows: list[tuple[str, str]], delimiter: str = ",", end: str = "\r\n") -> str:
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, lineterminator=end).writerows([("id", "text"), *rows])
    return written.getvalue()


@pytest.mark.parametrize(
    ("rows", "charset", "bom"),
    [
        (RUSSIAN, "windows-1251", b""),
        (RUSSIAN, "koi8-r", b""),
        (RUSSIAN, "utf-16-le", b"\xff\xfe"),
        (RUSSIAN, "utf-16-be", b"\xfe\xff"),
        (RUSSIAN, "utf-8", b"\xef\xbb\xbf"),
        (CHINESE, "gbk", b""),
        (CHINESE, "utf-16-le", b"\xff\xfe"),
        (ENGLISH, "utf-16-le", b""),
        (ENGLISH, "utf-16-be", b""),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_in_its_own_letters(
    read_file: ReadFile, rows: list[tuple[str, str]], charset: str, bom: bytes, delimiter: str
) -> None:
    data = bom + as_csv(rows, delimiter).encode(charset)
    form, found = read_file(data, "a.csv")
    assert form == "csv"
    assert [tuple(row.values.values()) for row in found if isinstance(row, Row)] == rows
    assert [data[row.offset or 0 :].decode(charset)[0] for row in found] == ["1", "2"]


def test_letters_after_a_long_english_beginning_are_those_of_the_file(read_file: ReadFile) -> None:
    data = as_csv(ENGLISH * 2000 + RUSSIAN).encode("windows-1251")
    _, found = read_file(data, "a.csv")
    assert [row.values["text"] for row in found[-2:] if isinstance(row, Row)] == [text for _, text in RUSSIAN]


def test_a_letter_whose_bytes_hold_a_line_feed_ends_no_line(read_file: ReadFile) -> None:
    rows = [("Ċ\u0a0a", "\u0d0a and \u0a05\u0b00"), ("2", "x")]
    _, found = read_file(b"\xff\xfe" + as_csv(rows).encode("utf-16-le"), "a.csv")
    assert [tuple(row.values.values()) for row in found if isinstance(row, Row)] == rows


def test_carriage_returns_end_lines_where_nothing_else_does(read_file: ReadFile) -> None:
    data = as_csv([("1", "a"), ("2", "b, c")], end="\r").encode()
    _, found = read_file(data, "a.csv")
    assert [row.values["text"] for row in found if isinstance(row, Row)] == ["a", "b, c"]
    assert [data[row.offset or 0 :][:1] for row in found] == [b"1", b"2"]


def test_a_carriage_return_within_a_bare_field_is_said_in_words(read_file: ReadFile) -> None:
    _, found = read_file(b"id,text\n1,a\rb\n2,c\n", "a.csv")
    assert [one.detail if isinstance(one, Refused) else one.values["id"] for one in found] == [
        "a carriage return within a field that has no quotes: put the field in quotes",
        "2",
    ]


def test_columns_without_a_name_of_their_own_are_kept_apart(read_file: ReadFile) -> None:
    _, [row] = read_file(b"text,text,,text_2,\na,b,c,d,e\n", "a.csv")
    assert isinstance(row, Row)
    assert row.values == {"text": "a", "text_2": "b", "column_3": "c", "text_2_2": "d", "column_5": "e"}


def test_the_delimiter_that_a_spreadsheet_tells_is_taken(read_file: ReadFile) -> None:
    _, [row] = read_file(b"sep=;\nid;text, in full\n1;a, b\n", "a.csv")
    assert isinstance(row, Row)
    assert row.values == {"id": "1", "text, in full": "a, b"}


def test_blank_lines_before_the_names_hide_no_delimiter(read_file: ReadFile) -> None:
    _, [row] = read_file(b"\n\nid;text\n1;a\n", "a.csv")
    assert isinstance(row, Row)
    assert row.values == {"id": "1", "text": "a"}


def test_a_quote_that_is_never_closed_takes_no_rows_in_silence(read_file: ReadFile) -> None:
    _, found = read_file(b'id,text\n1,"a\nb"\n2,"c\n3,d\n4,e\n', "a.csv")
    assert [one.detail if isinstance(one, Refused) else one.values["text"] for one in found] == [
        "a\nb",
        "a quote that is never closed takes the 3 lines to the end of the file",
    ]


def test_a_stray_quote_behind_a_field_of_two_lines_costs_nothing(read_file: ReadFile) -> None:
    _, found = read_file(b'id,text,note\n1,"a\nb",5" pipe\n2,c,d\n', "a.csv")
    assert [row.values["note"] for row in found if isinstance(row, Row)] == ['5" pipe', "d"]


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9), min_size=2, max_size=2),
        max_size=8,
    )
)
def test_rows_read_back_as_they_were_written(rows: list[list[str]]) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([["a", "b"], *rows])
    data = written.getvalue().encode()
    opened = Opened(ByteStream(iter([data])), "", io.BytesIO(data))
    found = list(table()["csv"].read(opened, 1 << 20, None))
    assert [list(row.values.values()) for row in found if isinstance(row, Row)] == rows
