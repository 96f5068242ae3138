"""What the audit says of a lake that nobody touched."""

from pathlib import Path

import polars as pl
import pytest

from persona_assets.crawl.arrival import plan_shards
from persona_assets.crawl.ingest import ingest_shard
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake.schemas import (
    CALLS,
    DEDUPED_PERSONAS,
    EXPANDED_PERSONAS,
    EXTRACTED_PERSONAS,
    PERSONA_SURVIVORS,
    RAW_DOCUMENTS,
)
from persona_assets.ledger.ledger import Ledger
from persona_assets.lineage import Status, audit
from persona_assets.personas.extract import extract_personas
from persona_assets.state import LakeState
from persona_assets.steps.runner import Context
from persona_assets.tasks.load import load_tasks
from persona_assets.tasks.table import task_table
from persona_assets_tests.lineage.small_lake import (
    PAGES,
    SHARD,
    TASKS,
    ScriptedEngine,
    Small,
    ids,
    only,
    seed,
    value,
    wet_file,
)


def statuses(small: Small, row_id: str) -> set[Status]:
    return {found.status for found in audit(small.lake, small.settings, row_id).verifications}


def test_a_document_is_traced_to_its_crawl_record(built: Small) -> None:
    for document_id in ids(built.lake, RAW_DOCUMENTS):
        found = audit(built.lake, built.settings, document_id)
        assert [node.kind for node in found.nodes()] == ["crawl_record", "document"]
        assert {one.status for one in found.verifications} == {Status.OK}


def test_a_document_names_the_checks_of_its_partition(built: Small) -> None:
    checks = audit(built.lake, built.settings, only(ids(built.lake, RAW_DOCUMENTS))).root.checks
    assert "ids_unique" in {check.check for check in checks}
    assert all(check.passed for check in checks)


def test_every_persona_of_hop_0_passes(built: Small) -> None:
    for persona_id in ids(built.lake, EXTRACTED_PERSONAS):
        assert statuses(built, persona_id) == {Status.OK}


def test_a_persona_of_hop_2_is_traced_through_both_parents(built: Small) -> None:
    persona_id = only(ids(built.lake, EXPANDED_PERSONAS, pl.col("hop") == 2))
    found = audit(built.lake, built.settings, persona_id)
    assert [node.kind for node in found.nodes()] == ["crawl_record", "document", "persona", "persona", "persona"]
    assert [node.row["hop"] for node in found.nodes()[2:]] == [0, 1, 2]
    assert {one.status for one in found.verifications} == {Status.OK}


@pytest.mark.parametrize("task", TASKS)
def test_a_sample_of_each_task_is_traced_to_its_page(built: Small, task: str) -> None:
    table = task_table(load_tasks(built.settings)[task])
    sample_id = only(ids(built.lake, table))
    found = audit(built.lake, built.settings, sample_id)
    assert found.root.kind == "sample"
    assert found.root.text
    assert [node.kind for node in found.nodes()[:2]] == ["crawl_record", "document"]
    assert {one.status for one in found.verifications} == {Status.OK}


def test_a_row_shows_prompt_answer_and_sampling_of_its_call(built: Small) -> None:
    persona_id = seed(built.lake)
    call = audit(built.lake, built.settings, persona_id).root.call
    assert call
    text = value(built.lake, EXTRACTED_PERSONAS, persona_id, "text")
    assert text in call.row["answer"]
    assert [message["role"] for message in call.messages] == ["system", "user"]
    assert "temperature" in call.row["sampling"]


def test_a_repaired_answer_carries_the_answer_that_it_repaired(built: Small) -> None:
    bread = pl.col("document_id") == only(ids(built.lake, RAW_DOCUMENTS, pl.col("url").str.contains("rye")))
    found = audit(built.lake, built.settings, only(ids(built.lake, EXTRACTED_PERSONAS, bread)))
    assert found.ok
    call = found.root.call
    assert call and call.repair_of
    assert call.repair_of.row["answer"] == "Gladly! A baker."
    assert call.messages[-2]["content"] == "Gladly! A baker."


@pytest.mark.parametrize("template", ["text_to_persona", "persona_to_persona", "repair", *TASKS])
def test_a_call_of_each_template_passes(built: Small, template: str) -> None:
    calls = Ledger(built.lake).scan().filter(pl.col("template") == template).select("call_id").collect()
    assert calls.height
    for call_id in calls.to_series().sort()[:4]:
        assert statuses(built, call_id) == {Status.OK}


def test_a_call_names_the_rows_that_it_gave(built: Small) -> None:
    persona_id = seed(built.lake)
    found = audit(built.lake, built.settings, value(built.lake, EXTRACTED_PERSONAS, persona_id, "call_id"))
    assert persona_id in {fate.detail for fate in found.root.fate if fate.outcome == "gave"}


def test_a_removed_duplicate_names_survivor_similarity_and_method(built: Small) -> None:
    removed = only(ids(built.lake, PERSONA_SURVIVORS, ~pl.col("kept")))
    found = audit(built.lake, built.settings, removed)
    assert found.ok
    fate = next(fate for fate in found.root.fate if fate.outcome == "removed")
    survivor = value(built.lake, PERSONA_SURVIVORS, removed, "survivor_id")
    assert fate.detail == f"exact, similarity 1.000, survivor {survivor}"


def test_a_kept_persona_tells_what_became_of_it(built: Small) -> None:
    found = audit(built.lake, built.settings, seed(built.lake))
    hops = {fate.asset for fate in found.root.fate}
    assert hops >= {"expanded_personas", "filtered_personas", "persona_survivors", "deduped_personas", *TASKS}


def test_a_rejected_record_is_found_with_its_reason_and_read_again(built: Small) -> None:
    row_id = built.lake.rejects(RAW_DOCUMENTS, SHARD).collect()["row_id"][0]
    found = audit(built.lake, built.settings, row_id)
    assert found.root.kind == "rejected"
    assert found.root.text.startswith("too_short: ")
    assert {one.status for one in found.verifications} == {Status.OK}


def test_a_persona_refused_on_parsing_is_refused_again_for_the_same_reason(built: Small) -> None:
    rejects = built.lake.rejects(EXTRACTED_PERSONAS, SHARD).filter(pl.col("reason") == "relation_not_asked").collect()
    found = audit(built.lake, built.settings, rejects["row_id"][0])
    assert found.root.kind == "rejected"
    assert "row_parses_again" in {one.name for one in found.verifications}
    assert {one.status for one in found.verifications} == {Status.OK}


def test_samples_of_a_task_whose_file_changed_since_are_verified_as_they_were_asked(small: Small) -> None:
    folder = Path(small.settings.tasks or "")
    changed = (folder / "own_problems.yaml").read_text(encoding="utf-8")
    changed = changed.replace("    answer: {type", "    unit: {type: string}\n    answer: {type")
    changed = changed.replace("\nversion: ", "\nversion: 9")
    (folder / "own_problems.yaml").write_text(changed, encoding="utf-8")
    table = task_table(load_tasks(small.settings)["own_problems"])
    assert "unit" in table.polars
    for sample_id in ids(small.lake, table):
        assert statuses(small, sample_id) == {Status.OK}


def test_answers_refused_by_a_task_whose_file_changed_since_are_unverified(small: Small) -> None:
    folder = Path(small.settings.tasks or "")
    changed = (folder / "own_problems.yaml").read_text(encoding="utf-8").replace("\nversion: ", "\nversion: 9")
    (folder / "own_problems.yaml").write_text(changed, encoding="utf-8")
    rejects = small.lake.rejects(task_table(load_tasks(small.settings)["own_problems"])).collect()
    found = audit(small.lake, small.settings, rejects["call_id"][0])
    assert found.ok
    assert ("row_parses_again", Status.UNVERIFIED) in {(one.name, one.status) for one in found.verifications}


def test_a_deleted_crawl_file_leaves_its_record_unverified_and_the_audit_ok(small: Small) -> None:
    (Path(small.settings.dumps) / "d" / "pages.wet").unlink()
    found = audit(small.lake, small.settings, only(ids(small.lake, RAW_DOCUMENTS)))
    assert found.ok
    crawled = found.root.parents[0]
    assert ("crawl_record", Status.UNVERIFIED) in {(one.name, one.status) for one in crawled.verifications}


def test_rows_that_share_a_call_are_each_verified_with_their_own_document(small: Small) -> None:
    later = Path(small.settings.dumps) / "e"
    later.mkdir()
    (later / "again.wet").write_bytes(wet_file({"https://again.example/": PAGES["https://bees.example/spring"]}))
    shard = plan_shards(small.lake, small.settings, 2e10).shards[0].shard
    engine, keeper = ScriptedEngine(small.settings), LakeState(small.lake, small.settings)
    run = Context(small.lake, small.settings, engine, "run-2", keeper=keeper)
    ingest_shard(run, shard)
    report = extract_personas(run, shard)
    assert report.calls_made == 0
    for persona_id in ids(small.lake, EXTRACTED_PERSONAS, pl.col("shard") == shard):
        assert statuses(small, persona_id) == {Status.OK}


def test_an_id_that_is_nowhere_is_said_to_be_nowhere(built: Small) -> None:
    with pytest.raises(PersonaAssetsError, match="in no table, no ledger part and no rejects"):
        audit(built.lake, built.settings, "per_" + "0" * 32)


@pytest.mark.parametrize("row_id", ["", "per_12", "doc_" + "g" * 32, "per_" + "0" * 32 + "\n", "' OR 1=1"])
def test_a_malformed_id_is_wrong_use_that_names_the_forms(built: Small, row_id: str) -> None:
    with pytest.raises(UsageError, match=r"doc_.*per_.*smp_.*call_"):
        audit(built.lake, built.settings, row_id)


def test_an_audit_writes_nothing(small: Small) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in Path(small.settings.lake).rglob("*"))
    audit(small.lake, small.settings, only(ids(small.lake, DEDUPED_PERSONAS)))
    assert sorted((path, path.stat().st_mtime_ns) for path in Path(small.settings.lake).rglob("*")) == before
    assert CALLS.name in {path.name for path, _ in before}
