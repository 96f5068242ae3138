import json
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from persona_assets.crawl.columns import ColumnReader
from persona_assets.crawl.given import DAMAGE
from persona_assets.ids import digest, make_id
from persona_assets.rules.registry import rules
from persona_assets.settings import Settings
from persona_assets_tests.crawl.conftest import EN, ReadBytes

HIKER = "A casual hitchhiker"
NURSE = "A night nurse at a small island hospital who keeps bees and writes letters to the editor about flight noise"


def _lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _parquet(table: dict[str, list[object]]) -> bytes:
    sink = BytesIO()
    pq.write_table(pa.table(table), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"persona": NURSE}, id="persona hub"),
        pytest.param({"input persona": NURSE, "synthesized text": EN, "description": "tools"}, id="its samples"),
        pytest.param({"id": "p-7", "persona": NURSE, "labels": '["Health"]'}, id="finepersonas"),
        pytest.param({"uuid": "p-7", "persona": NURSE, "occupation": "nurse"}, id="with a uuid"),
        pytest.param({"persona": NURSE, "text": None, "url": "http://a.example/"}, id="a text that is null"),
    ],
)
@pytest.mark.parametrize("as_parquet", [False, True])
def test_a_persona_enters_as_a_document_without_an_address(
    read: ReadBytes, row: dict[str, object], as_parquet: bool
) -> None:
    data = _parquet({name: [value] for name, value in row.items()}) if as_parquet else _lines(row)
    found = read(data).documents.row(0, named=True)
    assert (found["kind"], found["text"], found["url"], found["language"]) == ("persona", NURSE, "", "en")
    assert found["content_digest"] == digest(NURSE.encode())
    assert found["document_id"] == make_id("doc", "d", "", digest(NURSE.encode()))
    assert found["record_id"] == ("p-7" if {"id", "uuid"} & {*row} else None)


@pytest.mark.parametrize("row", [{"persona": NURSE, "text": EN}, {"text": EN, "input persona": NURSE}])
def test_a_row_with_a_text_is_a_page_unless_the_map_names_the_persona(read: ReadBytes, row: dict[str, object]) -> None:
    page = read(_lines(row)).documents.row(0, named=True)
    assert (page["kind"], page["text"]) == ("page", EN)
    named = read(_lines(row), Settings(columns=f"persona={'persona' if 'persona' in row else 'input persona'}"))
    assert named.documents["kind"].to_list() == ["persona"]
    assert named.documents["text"].to_list() == [NURSE]


def test_the_map_leads_to_a_persona_under_another_key_and_leaves_pages_alone(read: ReadBytes) -> None:
    rows = _lines({"who": {"said": NURSE}}, {"text": EN})
    found = read(rows, Settings(columns="persona=who.said")).documents
    assert found.select("kind", "text").rows() == [("persona", NURSE), ("page", EN)]


@pytest.mark.parametrize(
    ("row", "licence"),
    [
        ({"license": "cc-by-nc-sa-4.0"}, "cc-by-nc-sa-4.0"),
        ({"licence": " odc-by "}, "odc-by"),
        ({"metadata": {"license": ["mit", "cc0-1.0"]}}, "mit, cc0-1.0"),
        ({"license": {"name": "mit"}}, None),
        ({"license": ""}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("content", [{"persona": NURSE}, {"text": EN}])
def test_a_licence_is_kept_as_it_stands(
    read: ReadBytes, row: dict[str, object], licence: str | None, content: dict[str, object]
) -> None:
    assert read(_lines(content | row)).documents["licence"].to_list() == [licence]


@pytest.mark.parametrize(
    ("persona", "reason", "detail"),
    [
        (None, "no_text", "the persona is null"),
        (["a nurse"], "no_text", "the persona is list"),
        ({"name": "Ann"}, "no_text", "the persona is dict"),
        (" \n ", "empty", "only white space"),
        ("A nurse \ufffd\ufffd who", "undecodable", "2 of 14 characters are replacement or control characters"),
        (
            "Un enfermero de noche que cría abejas en una isla pequeña",
            "language",
            "es with confidence 1.00, asked for are en, zh, ru",
        ),
    ],
)
def test_what_is_no_persona_is_a_reject_that_says_why(
    read: ReadBytes, persona: object, reason: str, detail: str
) -> None:
    found = read(_lines({"persona": NURSE}, {"persona": persona}))
    assert found.documents.height == 1
    assert found.rejects.select("reason", "detail").rows() == [(reason, detail)]


def test_one_larger_than_the_limit_is_refused(read: ReadBytes) -> None:
    found = read(_parquet({"persona": [NURSE, "a" * 1001]}), Settings(max_document_bytes=1000))
    assert found.reasons == ["too_large"]


@pytest.mark.parametrize("persona", [HIKER, "A die-hard fan of Kiefer Sutherland.", "PHP programmer", "退休書店老闆"])
def test_rules_and_doubts_about_pages_lose_no_short_persona(read: ReadBytes, persona: str) -> None:
    assert read(_lines({"persona": persona})).documents["text"].to_list() == [persona]


def test_the_same_persona_again_names_the_one_that_stands(read: ReadBytes) -> None:
    again = NURSE.replace(" ", "\n ", 1)
    found = read(_lines({"persona": NURSE, "id": "1"}, {"persona": HIKER}, {"persona": again, "id": "2"}))
    assert found.documents["record_id"].to_list() == ["1", None]
    assert found.rejects.select("reason", "detail").rows() == [("duplicate_content", found.documents["document_id"][0])]


def test_the_rules_of_damage_are_rules_of_documents() -> None:
    assert {*DAMAGE} <= {*rules("document")}


def test_columns_of_a_table_of_personas_are_read_and_no_others() -> None:
    names = ["uuid", "input persona", "license", "synthesized text", "labels"]
    assert ColumnReader({}).top_level(names) == ["uuid", "input persona", "license"]
