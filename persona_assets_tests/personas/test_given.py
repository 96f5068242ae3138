"""Personas that come as such give one persona each, and nobody is asked about them."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.checks.gates import run_gates
from persona_assets.ids import make_id
from persona_assets.lake.schemas import EXPANDED_PERSONAS, EXTRACTED_PERSONAS, FILTERED_PERSONAS, RAW_DOCUMENTS
from persona_assets.personas.expand import expand_personas
from persona_assets.personas.extract import extract_personas, given_row, normalise
from persona_assets.personas.filter import filter_personas
from persona_assets_tests.personas.scripted import content, context, from_document, from_persona, put_documents
from persona_assets_tests.rows import SHARD, document, draft, put

NURSE = "A night nurse at a small island hospital who keeps bees"
POTTER = "A retired potter who teaches evening classes by the sea"
SHORT = "a poet"


def persona_document(name: str, text: str) -> dict[str, object]:
    return document(name, kind="persona", url="", text=text)


def test_one_persona_without_a_call_for_each_and_pages_are_asked_about(tmp_path: Path) -> None:
    here, engine = context(tmp_path, from_document)
    put(
        here.lake,
        RAW_DOCUMENTS,
        persona_document("n", NURSE),
        document("page"),
        persona_document("p", POTTER),
    )
    report = extract_personas(here, SHARD)
    rows = here.lake.read(EXTRACTED_PERSONAS, SHARD)
    assert (report.inputs, report.kept, report.calls_made, len(engine.asked)) == (3, 4, 1, 1)
    assert report.extra["given"] == 2
    given_rows = rows.filter(pl.col("relation") == "given")
    assert given_rows["document_id"].to_list() == ["doc_n", "doc_p"]
    assert given_rows["text"].to_list() == [NURSE, POTTER]
    assert given_rows["persona_id"][0] == make_id("per", "doc_n", "", "given", NURSE)
    assert given_rows.select("hop", "granularity", "parent_persona_id", "window").unique().rows() == [
        (0, "given", None, 0)
    ]
    for name in ("call_id", "template", "template_version", "model"):
        assert given_rows[name].null_count() == 2
        assert rows.filter(pl.col("relation") != "given")[name].null_count() == 0
    assert all(gate.passed for gate in run_gates(here.lake, draft(here.lake, EXTRACTED_PERSONAS), here.settings))


def test_a_shard_of_personas_alone_asks_nobody(tmp_path: Path) -> None:
    here, engine = context(tmp_path, from_document, windows=3)
    put(here.lake, RAW_DOCUMENTS, *(persona_document(str(n), f"{NURSE} and {n} goats") for n in range(5000)))
    report = extract_personas(here, SHARD)
    assert (report.inputs, report.kept, report.calls_made, engine.asked) == (5000, 5000, 0, [])


def test_a_partition_without_them_is_as_it_was(tmp_path: Path) -> None:
    here, _ = context(tmp_path, from_document)
    put_documents(here.lake, 3)
    assert "given" not in extract_personas(here, SHARD).extra
    assert set(content(here.lake, EXTRACTED_PERSONAS)["relation"]) == {"read", "write"}


def test_they_are_parents_of_hop_one_and_judged_by_the_rules_of_personas(tmp_path: Path) -> None:
    here, _ = context(tmp_path, from_persona, hops=1)
    put(here.lake, RAW_DOCUMENTS, persona_document("n", NURSE), persona_document("s", SHORT))
    extract_personas(here, SHARD)
    expand_personas(here, SHARD)
    children = content(here.lake, EXPANDED_PERSONAS)
    assert set(children["document_id"]) == {"doc_n"}
    assert set(children["granularity"]) == {"given"}
    assert "given" not in set(children["relation"])
    assert children["call_id"].null_count() == 0
    filter_personas(here, SHARD)
    kept = content(here.lake, FILTERED_PERSONAS)
    assert NURSE in kept["text"].to_list()
    assert kept.filter(pl.col("text") == NURSE)["call_id"].to_list() == [None]
    aside = here.lake.rejects(FILTERED_PERSONAS, SHARD).select("reason", "parent_id", "call_id").collect().rows()
    assert ("too_short", "doc_s", None) in aside


@pytest.mark.parametrize("values", [{"text": "Somebody else"}, {"relation": "read"}, {"model": "m"}, {"hop": 1}])
def test_a_gate_finds_one_that_is_not_its_document(tmp_path: Path, values: dict[str, object]) -> None:
    here, _ = context(tmp_path, from_document)
    put(here.lake, RAW_DOCUMENTS, persona_document("n", NURSE), persona_document("p", POTTER))
    extract_personas(here, SHARD)
    rows = here.lake.read(EXTRACTED_PERSONAS, SHARD).to_dicts()
    put(here.lake, EXTRACTED_PERSONAS, rows[0] | values, rows[1])
    gates = run_gates(here.lake, draft(here.lake, EXTRACTED_PERSONAS), here.settings)
    assert [gate.name for gate in gates if not gate.passed] == ["hops_valid" if "hop" in values else "given_as_read"]


def test_a_gate_finds_a_persona_of_a_page_that_names_no_call(tmp_path: Path) -> None:
    here, _ = context(tmp_path, from_document)
    page = document("page", text=NURSE)
    put(here.lake, RAW_DOCUMENTS, page)
    run = {"shard": SHARD, "run_id": "run", "created_at": page["created_at"]}
    put(here.lake, EXTRACTED_PERSONAS, given_row(page) | run)
    gates = run_gates(here.lake, draft(here.lake, EXTRACTED_PERSONAS), here.settings)
    assert [gate.name for gate in gates if not gate.passed] == ["given_as_read"]


@given(st.text(max_size=80))
def test_the_persona_is_the_text_and_its_id_follows_from_it(text: str) -> None:
    row = given_row({"document_id": "doc_a", "text": text, "language": "en"})
    assert row["text"] == normalise(text)
    assert row == given_row({"document_id": "doc_a", "text": row["text"], "language": "en"})
