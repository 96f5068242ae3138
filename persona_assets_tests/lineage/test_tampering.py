"""Every kind of tampering is found. Commit records and part names are forged too, except where they are the subject."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from persona_assets.errors import PersonaAssetsError
from persona_assets.lake.records import record_folder, record_path
from persona_assets.lake.schemas import (
    DEDUPED_PERSONAS,
    EXPANDED_PERSONAS,
    EXTRACTED_PERSONAS,
    FILTERED_PERSONAS,
    PERSONA_SURVIVORS,
    RAW_DOCUMENTS,
    SHARD_FILES,
)
from persona_assets.ledger.ledger import Ledger
from persona_assets.lineage import Status, audit
from persona_assets.tasks.load import load_tasks
from persona_assets.tasks.table import task_table
from persona_assets_tests.lineage.small_lake import (
    PAGES,
    SHARD,
    TASKS,
    Small,
    ids,
    only,
    seed,
    setting,
    tamper,
    tamper_calls,
    value,
    wet_file,
)


def failed(small: Small, row_id: str) -> set[str]:
    return {found.name for found in audit(small.lake, small.settings, row_id).failures}


def test_a_changed_persona_text(small: Small) -> None:
    persona_id = seed(small.lake)
    path = small.lake.path(EXTRACTED_PERSONAS, SHARD)
    tamper(small.lake, path, setting("text", "Someone else", "persona_id", persona_id))
    assert failed(small, persona_id) == {"id_recomputes", "row_parses_again", "copy_agrees", "made_from_holds"}


def test_a_changed_persona_text_in_the_deduped_copy(small: Small) -> None:
    persona_id = seed(small.lake)
    path = small.lake.path(DEDUPED_PERSONAS, SHARD)
    tamper(small.lake, path, setting("text", "Someone else", "persona_id", persona_id))
    assert failed(small, persona_id) == {"copy_agrees"}


def test_a_changed_document_text(small: Small) -> None:
    persona_id = seed(small.lake)
    document_id = value(small.lake, EXTRACTED_PERSONAS, persona_id, "document_id")
    tamper(small.lake, small.lake.path(RAW_DOCUMENTS, SHARD), setting("text", "Other.", "document_id", document_id))
    assert failed(small, document_id) == {"id_recomputes"}
    assert failed(small, persona_id) == {"id_recomputes", "call_key_recomputes", "made_from_holds"}


def test_a_changed_url(small: Small) -> None:
    document_id = only(ids(small.lake, RAW_DOCUMENTS))
    tamper(small.lake, small.lake.path(RAW_DOCUMENTS, SHARD), setting("url", "https://x/", "document_id", document_id))
    assert failed(small, document_id) == {"id_recomputes", "crawl_record"}


@pytest.mark.parametrize("task", TASKS)
def test_a_changed_sample(small: Small, task: str) -> None:
    template = load_tasks(small.settings)[task]
    table = task_table(template)
    sample_id = only(ids(small.lake, table))
    column = next(iter(template.response_schema["properties"]))
    tamper(small.lake, small.lake.path(table, SHARD), setting(column, "changed", "sample_id", sample_id))
    assert failed(small, sample_id) == {"row_parses_again"}


def test_a_changed_sample_id(small: Small) -> None:
    table = task_table(load_tasks(small.settings)[TASKS[0]])
    sample_id, other = only(ids(small.lake, table)), "smp_" + "0" * 32
    tamper(small.lake, small.lake.path(table, SHARD), setting("sample_id", other, "sample_id", sample_id))
    assert failed(small, other) == {"id_recomputes", "row_parses_again"}


def test_a_sample_given_to_another_persona(small: Small) -> None:
    table = task_table(load_tasks(small.settings)[TASKS[0]])
    sample_id = only(ids(small.lake, table))
    asked = value(small.lake, table, sample_id, "persona_ids").to_list()
    other = only([found for found in ids(small.lake, DEDUPED_PERSONAS) if found not in asked])
    tamper(small.lake, small.lake.path(table, SHARD), setting("persona_ids", [other], "sample_id", sample_id))
    assert failed(small, sample_id) == {"call_key_recomputes", "id_recomputes", "row_parses_again"}


def test_a_changed_answer(small: Small) -> None:
    persona_id = seed(small.lake)
    call_id = value(small.lake, EXTRACTED_PERSONAS, persona_id, "call_id")
    answer = json.dumps({"personas": [{"relation": "read", "persona": "Someone else"}]})
    tamper_calls(small.lake, "text_to_persona", setting("answer", answer, "call_id", call_id))
    assert failed(small, persona_id) == {"row_parses_again"}
    assert failed(small, call_id) == {"row_parses_again"}


def test_an_answer_made_unreadable(small: Small) -> None:
    persona_id = seed(small.lake)
    call_id = value(small.lake, EXTRACTED_PERSONAS, persona_id, "call_id")
    tamper_calls(small.lake, "text_to_persona", setting("answer", "{", "call_id", call_id))
    assert failed(small, persona_id) == {"row_parses_again"}


@pytest.mark.parametrize(
    ("column", "new"),
    [
        ("model", "another"),
        ("model_revision", "2"),
        ("attempt", 1),
        ("sampling", '{"temperature": 0.1, "top_p": 0.95, "max_tokens": 2048, "seed": 0}'),
        ("sampling", "{}"),
    ],
)
def test_a_changed_call_parameter(small: Small, column: str, new: object) -> None:
    persona_id = only(ids(small.lake, EXPANDED_PERSONAS, pl.col("hop") == 1))
    call_id = value(small.lake, EXPANDED_PERSONAS, persona_id, "call_id")
    tamper_calls(small.lake, "persona_to_persona", setting(column, new, "call_id", call_id))
    assert "call_key_recomputes" in failed(small, persona_id)


def test_a_model_changed_in_the_row_only(small: Small) -> None:
    persona_id = seed(small.lake)
    tamper(
        small.lake,
        small.lake.path(EXTRACTED_PERSONAS, SHARD),
        setting("model", "a better one", "persona_id", persona_id),
    )
    assert failed(small, persona_id) == {"row_parses_again", "copy_agrees", "made_from_holds"}


def test_a_call_that_says_it_repairs_itself_ends_the_audit_with_a_failure(small: Small) -> None:
    call_id = value(small.lake, EXTRACTED_PERSONAS, seed(small.lake), "call_id")
    fill = json.dumps({"repair_of": call_id, "problem": "not JSON"})
    tamper_calls(small.lake, "text_to_persona", setting("fill", fill, "call_id", call_id))
    found = audit(small.lake, small.settings, call_id)
    assert {"parent_exists", "prompt_renders"} <= {one.name for one in found.failures}


def test_a_changed_fill(small: Small) -> None:
    persona_id = seed(small.lake)
    call_id = value(small.lake, EXTRACTED_PERSONAS, persona_id, "call_id")
    tamper_calls(small.lake, "text_to_persona", setting("fill", '{"document_id": 3}', "call_id", call_id))
    assert failed(small, persona_id) == {"prompt_renders"}
    assert "parent_exists" in failed(small, call_id)


def test_a_changed_parent_id(small: Small) -> None:
    child = only(ids(small.lake, EXPANDED_PERSONAS, pl.col("parent_persona_id") == seed(small.lake)))
    other = only(ids(small.lake, EXTRACTED_PERSONAS, pl.col("text").str.contains("rye")))
    path = small.lake.path(EXPANDED_PERSONAS, SHARD)
    tamper(small.lake, path, setting("parent_persona_id", other, "persona_id", child))
    assert failed(small, child) == {
        "id_recomputes",
        "call_key_recomputes",
        "row_parses_again",
        "copy_agrees",
        "made_from_holds",
    }


def test_personas_that_name_each_other_as_parents(small: Small) -> None:
    persona_id = only(ids(small.lake, EXPANDED_PERSONAS, pl.col("hop") == 2))
    parent = value(small.lake, EXPANDED_PERSONAS, persona_id, "parent_persona_id")
    path = small.lake.path(EXPANDED_PERSONAS, SHARD)
    tamper(small.lake, path, setting("parent_persona_id", persona_id, "persona_id", parent))
    assert "id_recomputes" in failed(small, persona_id)


def test_a_deleted_parent(small: Small) -> None:
    persona_id = seed(small.lake)
    document_id = value(small.lake, EXTRACTED_PERSONAS, persona_id, "document_id")
    path = small.lake.path(RAW_DOCUMENTS, SHARD)
    tamper(small.lake, path, lambda frame: frame.filter(pl.col("document_id") != document_id))
    found = audit(small.lake, small.settings, persona_id)
    assert {one.name for one in found.failures} == {"parent_exists", "made_from_holds"}
    assert {one.name for one in found.verifications if one.status is Status.UNVERIFIED} == {
        "prompt_renders",
        "call_key_recomputes",
        "row_parses_again",
        "gates_hold",
    }


def test_a_persona_deleted_where_it_was_made(small: Small) -> None:
    persona_id = seed(small.lake)
    path = small.lake.path(EXTRACTED_PERSONAS, SHARD)
    tamper(small.lake, path, lambda frame: frame.filter(pl.col("persona_id") != persona_id))
    assert failed(small, persona_id) == {"copy_agrees", "made_from_holds"}


def test_a_changed_template_file(small: Small) -> None:
    persona_id = seed(small.lake)
    for path in Path(small.settings.lake, "templates").iterdir():
        path.write_bytes(path.read_bytes().replace(b"persona", b"person"))
    assert failed(small, persona_id) == {"prompt_renders"}


def test_a_changed_timestamp(small: Small) -> None:
    persona_id = seed(small.lake)
    path = small.lake.path(EXTRACTED_PERSONAS, SHARD)
    later = pl.col("created_at").dt.offset_by("1d")
    tamper(small.lake, path, lambda frame: frame.with_columns(later), reseal=False)
    assert failed(small, persona_id) == {"file_untouched"}


def test_a_changed_timestamp_in_the_ledger(small: Small) -> None:
    persona_id = seed(small.lake)
    path = Ledger(small.lake).paths("text_to_persona")[0]
    frame = pl.read_parquet(path, hive_partitioning=False)
    frame.with_columns(pl.col("created_at").dt.offset_by("1d")).write_parquet(path)
    assert failed(small, persona_id) == {"file_untouched"}


def test_a_partition_whose_record_is_lost_is_not_there(small: Small) -> None:
    persona_id = seed(small.lake)
    small.lake.fs.rm(record_folder(small.lake.root, RAW_DOCUMENTS.name, SHARD), recursive=True)
    assert failed(small, persona_id) == {"parent_exists"}


def test_a_deleted_ledger_part(small: Small) -> None:
    persona_id = seed(small.lake)
    for path in Ledger(small.lake).paths("text_to_persona"):
        small.lake.fs.rm(path)
    assert failed(small, persona_id) == {"call_exists", "gates_hold"}


def test_a_repair_whose_first_call_is_gone(small: Small) -> None:
    bread = pl.col("document_id") == only(ids(small.lake, RAW_DOCUMENTS, pl.col("url").str.contains("rye")))
    persona_id = only(ids(small.lake, EXTRACTED_PERSONAS, bread))
    tamper_calls(small.lake, "text_to_persona", lambda frame: frame.filter(pl.col("answer") != "Gladly! A baker."))
    assert failed(small, persona_id) == {"prompt_renders"}


def test_a_removed_duplicate_marked_kept(small: Small) -> None:
    removed = only(ids(small.lake, PERSONA_SURVIVORS, ~pl.col("kept")))
    path = small.lake.path(PERSONA_SURVIVORS, "d")
    tamper(small.lake, path, setting("kept", True, "persona_id", removed))
    assert failed(small, removed) == {"survivor", "gates_hold"}


def test_a_survivor_that_was_itself_removed(small: Small) -> None:
    removed = only(ids(small.lake, PERSONA_SURVIVORS, ~pl.col("kept")))
    survivor = value(small.lake, PERSONA_SURVIVORS, removed, "survivor_id")
    path = small.lake.path(PERSONA_SURVIVORS, "d")
    tamper(small.lake, path, setting("kept", False, "persona_id", survivor))
    assert failed(small, removed) == {"survivor", "gates_hold"}
    assert failed(small, survivor) == {"survivor", "gates_hold", "made_from_holds"}


def test_a_persona_smuggled_past_dedup(small: Small) -> None:
    removed = only(ids(small.lake, PERSONA_SURVIVORS, ~pl.col("kept")))
    row = small.lake.read(FILTERED_PERSONAS, SHARD).filter(pl.col("persona_id") == removed)
    tamper(small.lake, small.lake.path(DEDUPED_PERSONAS, SHARD), lambda frame: pl.concat([frame, row]))
    assert failed(small, removed) == {"survivor", "gates_hold"}


def test_a_kept_persona_deleted_from_the_deduped_table(small: Small) -> None:
    persona_id = seed(small.lake)
    path = small.lake.path(DEDUPED_PERSONAS, SHARD)
    tamper(small.lake, path, lambda frame: frame.filter(pl.col("persona_id") != persona_id))
    assert failed(small, persona_id) == {"survivor"}


def test_a_persona_unknown_to_the_survivors_of_its_dump(small: Small) -> None:
    persona_id = seed(small.lake)
    path = small.lake.path(PERSONA_SURVIVORS, "d")
    tamper(small.lake, path, lambda frame: frame.filter(pl.col("persona_id") != persona_id))
    assert failed(small, persona_id) == {"survivor", "made_from_holds"}


def test_a_changed_manifest(small: Small) -> None:
    document_id = only(ids(small.lake, RAW_DOCUMENTS))
    path = small.lake.path(SHARD_FILES, SHARD)
    tamper(small.lake, path, lambda frame: frame.with_columns(bytes=pl.lit(1, pl.Int64)), reseal=False)
    assert failed(small, document_id) == {"file_untouched"}


def test_a_changed_reject_reason(small: Small) -> None:
    path = small.lake.rejects_path(EXTRACTED_PERSONAS, SHARD)
    asked = pl.col("reason") == "relation_not_asked"
    row_id = pl.read_parquet(path, hive_partitioning=False).filter(asked)["row_id"][0]
    tamper(small.lake, path, setting("reason", "too_many", "row_id", row_id))
    assert failed(small, row_id) == {"row_parses_again"}


def test_a_crawl_file_that_holds_another_page_now(small: Small) -> None:
    pages = {url: text.replace("bees", "wasp") for url, text in PAGES.items()}
    (Path(small.settings.dumps) / "d" / "pages.wet").write_bytes(wet_file(pages))
    bees = only(ids(small.lake, RAW_DOCUMENTS, pl.col("url") == "https://bees.example/spring"))
    assert failed(small, bees) == {"crawl_record"}


def test_a_document_that_names_a_file_outside_the_dumps(small: Small) -> None:
    document_id = only(ids(small.lake, RAW_DOCUMENTS))
    change = setting("file", "../../lake/secret", "document_id", document_id)
    tamper(small.lake, small.lake.path(RAW_DOCUMENTS, SHARD), change)
    manifest = small.lake.path(SHARD_FILES, SHARD)
    tamper(small.lake, manifest, lambda frame: frame.with_columns(file=pl.lit("../../lake/secret")))
    assert failed(small, document_id) == {"crawl_record", "content_recomputes"}


# What records say


def changed_record(small: Small, asset: str, key: str, **values: Any) -> None:
    """Forge a partition's record."""
    record = small.lake.records.latest(asset, key)
    assert record
    path = record_path(small.lake.root, asset, key, record.generation)
    small.lake.write_bytes(path, replace(record, **values).as_json())


def found(small: Small, row_id: str, name: str) -> set[tuple[str, Status, str]]:
    """The verifications of a name: what of, how they ended, and why."""
    every = audit(small.lake, small.settings, row_id).verifications
    return {(one.subject, one.status, one.detail) for one in every if one.name == name and one.status is not Status.OK}


def test_rows_changed_with_forged_name_and_size_but_not_their_digest(small: Small) -> None:
    document_id = only(ids(small.lake, RAW_DOCUMENTS))
    content = small.lake.require(RAW_DOCUMENTS, SHARD).rows.content
    path = small.lake.path(RAW_DOCUMENTS, SHARD)
    tamper(small.lake, path, setting("language", "ru", "document_id", document_id))
    record = small.lake.require(RAW_DOCUMENTS, SHARD)
    changed_record(small, RAW_DOCUMENTS.name, SHARD, rows=replace(record.rows, content=content))
    assert failed(small, document_id) == {"content_recomputes"}


def test_gates_that_are_said_to_have_passed(small: Small) -> None:
    document_id = only(ids(small.lake, RAW_DOCUMENTS))
    gates = small.lake.require(RAW_DOCUMENTS, SHARD).gates
    tamper(small.lake, small.lake.path(RAW_DOCUMENTS, SHARD), lambda frame: pl.concat([frame, frame]))
    changed_record(small, RAW_DOCUMENTS.name, SHARD, gates=gates)
    (one,) = found(small, document_id, "gates_hold")
    assert one[:2] == ("raw_documents/d.0000", Status.FAILED)
    assert "ids_unique: passed in the record" in one[2]


def test_a_gate_that_is_missing_from_a_record(small: Small) -> None:
    gates = small.lake.require(RAW_DOCUMENTS, SHARD).gates
    changed_record(small, RAW_DOCUMENTS.name, SHARD, gates=gates[1:])
    assert failed(small, only(ids(small.lake, RAW_DOCUMENTS))) == {"gates_hold"}


def test_gates_of_other_thresholds_are_unverified_where_they_differ(small: Small) -> None:
    strict = replace(small, settings=small.settings.model_copy(update={"max_reject_rate": 0.0}))
    (one,) = found(strict, only(ids(small.lake, RAW_DOCUMENTS)), "gates_hold")
    assert one[1:] == (Status.UNVERIFIED, "the gates, or their thresholds, have changed since")


def test_an_input_that_was_made_anew_since_is_named(small: Small) -> None:
    persona_id = seed(small.lake)
    changed = small.lake.read(RAW_DOCUMENTS, SHARD).with_columns(language_confidence=pl.lit(0.5, pl.Float32))
    small.lake.write(RAW_DOCUMENTS, SHARD, changed, "again")
    assert (
        "extracted_personas/d.0000",
        Status.UNVERIFIED,
        "made from an earlier version of raw_documents/d.0000",
    ) in found(small, persona_id, "made_from_holds")


def test_an_input_that_never_was_what_the_record_says(small: Small) -> None:
    changed_record(small, EXTRACTED_PERSONAS.name, SHARD, made_from={f"raw_documents/{SHARD}": "0" * 32})
    assert failed(small, seed(small.lake)) == {"made_from_holds"}


def test_records_of_an_earlier_version_are_unverified_and_say_so(small: Small) -> None:
    record = small.lake.require(EXTRACTED_PERSONAS, SHARD)
    rows = replace(record.rows, content="")
    changed_record(small, EXTRACTED_PERSONAS.name, SHARD, rows=rows, gates=(), made_from={})
    persona_id = seed(small.lake)
    for name in ("content_recomputes", "gates_hold", "made_from_holds"):
        details = {detail for subject, _, detail in found(small, persona_id, name) if "extracted" in subject}
        assert len(details) == 1
        assert "of an earlier version" in details.pop()


# Damaged files


def test_a_file_that_is_no_parquet_any_more_is_named(small: Small) -> None:
    path = Path(small.lake.path(EXTRACTED_PERSONAS, SHARD))
    persona_id = seed(small.lake)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(PersonaAssetsError, match=r"extracted_personas/shard=d\.0000/[0-9a-f]+\.parquet cannot be read"):
        audit(small.lake, small.settings, persona_id)


def test_a_file_that_lost_a_column_is_named(small: Small) -> None:
    persona_id = seed(small.lake)
    tamper(small.lake, small.lake.path(EXTRACTED_PERSONAS, SHARD), lambda frame: frame.drop("text"))
    with pytest.raises(PersonaAssetsError, match=r"extracted_personas/.*column text is missing"):
        audit(small.lake, small.settings, persona_id)
