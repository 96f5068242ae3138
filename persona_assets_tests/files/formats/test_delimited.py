import csv
import io

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
