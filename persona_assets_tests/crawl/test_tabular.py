import gzip
import json
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from persona_assets.crawl.items import CrawlFile
from persona_assets.errors import UsageError
from persona_assets.settings import Settings
from persona_assets_tests.crawl.conftest import EN, RU, ZH, Read, ReadBytes

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
WHEN = datetime(2023, 1, 27, 21, 38, 46, tzinfo=UTC)


def _lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(
            {"text": EN, "meta": {"url": "http://a.example/", "timestamp": "2023-01-27T21:38:46Z"}}, id="redpajama"
        ),
        pytest.param(
            {"raw_content": EN, "url": "http://a.example/", "date_download": "2023-01-27T21:38:46Z"}, id="redpajama2"
        ),
        pytest.param(
            {"raw_content": EN, "meta": '{"url": "http://a.example/", "date_download": "2023-01-27T21:38:46Z"}'},
            id="redpajama2-meta",
        ),
        pytest.param(
            {
                "id": "1",
                "text": EN,
                "added": "2024-01-01",
                "created": WHEN.isoformat(),
                "metadata": {"url": "http://a.example/"},
            },
            id="dolma",
        ),
        pytest.param({"id": "http://a.example/", "text": EN, "created": WHEN.isoformat()}, id="dolma-url-as-id"),
        pytest.param(
            {"text": EN, "url": "http://a.example/", "date": "2023-01-27T21:38:46Z", "dump": "x"}, id="fineweb"
        ),
        pytest.param({"text": EN, "url": "http://a.example/", "timestamp": WHEN.timestamp()}, id="epoch"),
    ],
)
def test_known_corpora_are_recognised(read: ReadBytes, row: dict[str, object]) -> None:
    document = read(_lines(row)).documents.row(0, named=True)
    assert (document["text"], document["url"], document["fetched_at"]) == (EN, "http://a.example/", WHEN)
    assert document["format"] == "jsonl"


@pytest.mark.parametrize("row", [{"段落": [{"内容": ZH}, {"内容": ZH[::-1]}]}, {"问": ZH, "答": ZH[::-1]}])
def test_mnbvc_paragraphs_and_answers_are_joined(read: ReadBytes, row: dict[str, object]) -> None:
    assert read(_lines(row)).documents["text"][0] == f"{ZH}\n{ZH[::-1]}"


def test_a_column_map_names_dotted_paths(read: ReadBytes) -> None:
    settings = Settings(columns="text=page.body,url=link")
    document = read(_lines({"page": {"body": EN}, "text": "no", "link": "http://b.example/"}), settings).documents
    assert (document["text"][0], document["url"][0]) == (EN, "http://b.example/")


def test_a_column_map_of_unknown_columns_is_wrong_use(read: ReadBytes) -> None:
    with pytest.raises(UsageError, match=r"title.*known are text, url"):
        read(_lines({"text": EN}), Settings(columns="title=name"))


def test_a_file_without_a_text_column_is_refused_once_and_names_its_columns(read: ReadBytes) -> None:
    result = read(_lines(*({"question": "q", "answer": {"body": str(n)}} for n in range(50))))
    assert result.reasons == ["no_text_column"]
    assert "answer.body, question" in result.rejects["detail"][0]
    assert "PERSONA_COLUMNS" in result.rejects["detail"][0]
    assert result.rejects["record_offset"][0] is None


def test_an_odd_row_among_others_is_refused_by_itself(read: ReadBytes) -> None:
    result = read(_lines({"header": 1}, {"text": EN}, {"text": None}, {"other": 2}))
    assert result.documents.height == 1
    assert result.reasons == ["no_text_column", "no_text", "no_text_column"]


def test_a_broken_line_is_refused_with_its_byte(read: ReadBytes) -> None:
    first, last = _lines({"text": EN}), _lines({"text": RU})
    result = read(first + b'{"text": "cut\n' + b"[1, 2]\n\n" + last)
    assert result.documents["language"].to_list() == ["en", "ru"]
    assert result.reasons == ["bad_json", "bad_json"]
    assert result.rejects["record_offset"].to_list() == [len(first), len(first) + 14]


def test_a_broken_first_line_does_not_hide_the_rest(read: ReadBytes) -> None:
    result = read(b'text: "cut\n' + _lines({"text": EN}))
    assert (result.documents.height, result.reasons) == (1, ["bad_json"])


def test_a_json_array_named_jsonl_is_read_element_by_element(read: ReadBytes) -> None:
    rows = [{"text": EN, "tags": ["a]", '"}'], "n": {"x": []}}, {"text": RU}, 5, {"text": ZH}]
    data = json.dumps(rows, indent=2, ensure_ascii=False).encode()
    result = read(data)
    assert result.documents["language"].to_list() == ["en", "ru", "zh"]
    assert result.reasons == ["bad_json"]
    assert all(data[offset : offset + 1] == b"{" for offset in result.documents["record_offset"])


@pytest.mark.parametrize("indent", [None, 2])
def test_one_json_document_is_one_record(read: ReadBytes, indent: int | None) -> None:
    assert read(json.dumps({"url": "u", "text": EN}, indent=indent).encode()).documents.height == 1


def test_an_array_that_is_cut_off_keeps_its_whole_elements(read: ReadBytes) -> None:
    data = json.dumps([{"text": EN}, {"text": RU}], indent=1, ensure_ascii=False).encode()[:-40]
    result = read(data)
    assert (result.documents.height, result.reasons) == (1, ["bad_json"])


def test_a_clipped_gz_of_lines_keeps_whole_lines(read: ReadBytes) -> None:
    rows = [{"text": EN.format(n), "pad": str(n) * 3000} for n in range(20)]
    data = gzip.compress(_lines(*rows))
    result = read(data[: len(data) * 2 // 3])
    assert 0 < result.documents.height < 20
    assert result.reasons == ["truncated_stream"]


def test_a_line_above_the_limit_is_refused_and_the_next_is_read(read: ReadBytes) -> None:
    result = read(_lines({"text": "x" * 400_000}, {"text": EN}), Settings(max_document_bytes=3000))
    assert (result.documents.height, result.reasons) == (1, ["too_large"])


def test_a_byte_order_mark_is_passed_over(read: ReadBytes) -> None:
    assert read(b"\xef\xbb\xbf" + _lines({"text": EN})).documents.height == 1


def _parquet(table: pa.Table, **options: object) -> bytes:
    buffer = BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def test_parquet_rows_are_read_with_nested_columns_dates_and_row_numbers(read: ReadBytes) -> None:
    rows = [
        {
            "text": text.format(4),
            "metadata": {"url": f"http://{n}.example/"},
            "date": date(2023, 5, n + 1),
            "noise": b"\xff",
        }
        for n, text in enumerate((EN, RU, ZH))
    ]
    result = read(_parquet(pa.Table.from_pylist(rows), row_group_size=2))
    assert result.documents["record_offset"].to_list() == [0, 1, 2]
    assert result.urls == [f"http://{n}.example/" for n in range(3)]
    assert result.documents["fetched_at"][2] == datetime(2023, 5, 3, tzinfo=UTC)
    assert result.documents["format"].unique().to_list() == ["parquet"]


def test_parquet_without_a_text_column_is_refused_once(read: ReadBytes) -> None:
    result = read(_parquet(pa.table({"label": [1, 2, 3], "id": ["a", "b", "c"]})))
    assert result.reasons == ["no_text_column"]
    assert "id, label" in result.rejects["detail"][0]


def test_a_parquet_row_that_is_not_utf8_costs_only_itself(read: ReadBytes) -> None:
    texts = pa.array([EN.encode(), b"\xff\xfe" * 200, RU.encode()], pa.binary()).cast(pa.string(), safe=False)
    bad = pa.StringArray.from_buffers(3, texts.buffers()[1], texts.buffers()[2])
    result = read(_parquet(pa.table({"text": bad})))
    assert (result.documents.height, result.reasons) == (2, ["undecodable"])


def test_a_damaged_row_group_is_told_and_the_others_are_read(read: ReadBytes) -> None:
    table = pa.table({"text": [EN.format(n) for n in range(40)]})
    data = bytearray(
        _parquet(table, row_group_size=10, compression="gzip", use_dictionary=False, write_statistics=False)
    )
    where = pq.ParquetFile(BytesIO(bytes(data))).metadata.row_group(1).column(0).data_page_offset
    data[where + 60 : where + 90] = bytes(30)
    result = read(bytes(data))
    assert result.documents.height == 30
    assert result.reasons == ["corrupt_stream"]


def test_damage_in_a_name_of_a_column_is_told(read: ReadBytes) -> None:
    data = _parquet(pa.table({"text": [EN], "titel": ["a"]})).replace(b"titel", b"t\xfftel")
    result = read(data)
    assert (result.documents.height, result.reasons) == (0, ["corrupt_stream"])


def test_a_date_that_no_calendar_has_costs_no_row_its_text(read: ReadBytes) -> None:
    dates = pa.array([2**62, 0, -(2**62)], pa.timestamp("us"))
    result = read(_parquet(pa.table({"text": [f"{EN} {n}" for n in range(3)], "date": dates})))
    assert result.reasons == []
    assert [date and date.year for date in result.documents["fetched_at"]] == [None, 1970, None]


def test_a_truncated_parquet_file_is_refused(read: ReadBytes) -> None:
    assert read(_parquet(pa.table({"text": [EN]}))[:-9]).reasons == ["corrupt_stream"]


@pytest.mark.parametrize("data", [b"", b"[Adblock Plus 2.0]\n! x\n", b"PK\x03\x04zip", b"\x1f\x8b\x08\x00"])
def test_a_file_of_another_kind_is_one_reject(read: ReadBytes, data: bytes) -> None:
    result = read(data)
    assert len(result.reasons) == 1
    assert result.reasons[0] in {"empty", "unknown_format", "truncated_stream"}


@pytest.mark.parametrize(
    ("name", "documents", "rejects"),
    [
        ("mnbvc_zh/LLM/LLMsTrainer/data/shuffled_data/pretrain/MNBVC_news.jsonl", 99, 1),
        ("rpj_datajuicer/demos/data_mixture/data/redpajama-cc-2023-06-refined.jsonl", 10, 0),
        ("rpj_datajuicer/demos/data_visualization_diversity/data/demo-dataset.jsonl", 0, 29),
        ("dolma_tests/tests/data/multiple_files/cc_en_head-0091.jsonl.gz", 10, 0),
    ],
)
def test_public_files_read_as_expected(name: str, documents: int, rejects: int) -> None:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not here: it belongs to the shared data")
    result = Read([CrawlFile(path, path.name)], Settings())
    assert (result.documents.height, result.rejects.height) == (documents, rejects)
