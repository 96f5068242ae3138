"""Files of personas through every step: each row of a dataset leads to the row of the file, which is read again."""

import json
from pathlib import Path
from shutil import copytree

import polars as pl
import pytest

from persona_assets.export.folder import export
from persona_assets.export.rows import Export
from persona_assets.graph import assets
from persona_assets.lake.catalog import query
from persona_assets.lake.schemas import DEDUPED_PERSONAS, EXTRACTED_PERSONAS, RAW_DOCUMENTS
from persona_assets.lineage import audit
from persona_assets.lineage.descendants import descendants
from persona_assets.lineage.steps import Steps
from persona_assets.plan.figures import Basis
from persona_assets.settings import Settings
from persona_assets.state import LakeState, State
from persona_assets_tests.lineage.small_lake import setting, tamper
from persona_assets_tests.plan.work import Work, asset, new_calls

PERSONAS = [
    "A night nurse at a small island hospital who keeps bees",
    "A retired potter who teaches evening classes by the sea",
    "A young cartographer who draws maps of abandoned canals",
    "A railway dispatcher from a mountain town who repairs accordions",
]
SHARD = "hub.0000"


def settings_for(folder: Path) -> Settings:
    return Settings(
        lake=str(folder / "lake"), dumps=str(folder / "dumps"), settle_s=0, hops=0, datasets=["instructions"]
    )


def drop_personas(work: Work, dump: str, name: str, texts: list[str]) -> Path:
    path = work.folder / "dumps" / dump / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"id": f"p{n}", "persona": text, "license": "cc-by-nc-sa-4.0"} for n, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    work = Work(folder, settings_for(folder))
    drop_personas(work, "hub", "persona.jsonl", [*PERSONAS, PERSONAS[0]])
    work.run()
    return folder


@pytest.fixture
def work(built: Path, tmp_path: Path) -> Work:
    copytree(built, tmp_path / "copy")
    (tmp_path / "copy" / "tasks").mkdir()  # what tampering looks for
    return Work(tmp_path / "copy", settings_for(tmp_path / "copy"))


def sql(work: Work, text: str) -> pl.DataFrame:
    return query(work.lake, text, Steps.of(work.settings).task_tables)


def ids(work: Work, table: str, column: str) -> list[str]:
    return sql(work, f"SELECT {column} FROM {table} ORDER BY 1")[column].to_list()


def failures(work: Work, row_id: str) -> set[str]:
    return {found.name for found in audit(work.lake, work.settings, row_id).failures}


def test_an_audit_of_a_sample_leads_to_the_row_of_the_file(work: Work) -> None:
    sample_id = ids(work, "instructions", "sample_id")[0]
    found = audit(work.lake, work.settings, sample_id)
    assert found.failures == []
    persona = found.root.parents[0]
    document = persona.parents[0]
    record = document.parents[0]
    assert (persona.kind, document.kind, record.kind) == ("persona", "document", "crawl_record")
    assert persona.call is None
    assert {check.name for check in persona.verifications} >= {"as_given", "id_recomputes", "copy_agrees", "survivor"}
    assert document.row["licence"] == "cc-by-nc-sa-4.0"
    assert record.verifications[0].name == "crawl_record"


def test_a_changed_row_of_the_file_is_found(work: Work) -> None:
    path = work.folder / "dumps" / "hub" / "persona.jsonl"
    path.write_text(path.read_text().replace("night nurse", "dawn nurse"))
    persona_id = next(
        row["persona_id"] for row in work.lake.read(EXTRACTED_PERSONAS, SHARD).to_dicts() if row["text"] == PERSONAS[0]
    )
    assert "crawl_record" in failures(work, persona_id)


@pytest.mark.parametrize(
    ("table", "column", "new", "found"),
    [
        (EXTRACTED_PERSONAS, "text", "Someone else", {"id_recomputes", "as_given", "copy_agrees"}),
        (EXTRACTED_PERSONAS, "language", "ru", {"as_given", "copy_agrees"}),
        (EXTRACTED_PERSONAS, "model", "large", {"as_given", "copy_agrees"}),
        (DEDUPED_PERSONAS, "text", "Someone else", {"copy_agrees"}),
        (RAW_DOCUMENTS, "kind", "page", {"as_given", "crawl_record"}),
        (RAW_DOCUMENTS, "licence", "mit", {"crawl_record"}),
    ],
)
def test_tampering_is_found(work: Work, table: object, column: str, new: str, found: set[str]) -> None:
    row = work.lake.read(EXTRACTED_PERSONAS, SHARD).row(0, named=True)
    key = "document_id" if table is RAW_DOCUMENTS else "persona_id"
    tamper(work.lake, work.lake.path(table, SHARD), setting(column, new, key, row[key]))  # type: ignore[arg-type]
    assert failures(work, row["persona_id"]) >= found


def test_every_row_is_in_one_place_and_a_copy_names_its_document(work: Work) -> None:
    assert sql(work, "SELECT * FROM fate WHERE kept + rejected != 1").is_empty()
    [reject] = work.lake.rejects(RAW_DOCUMENTS).collect().to_dicts()
    assert (reject["reason"], reject["detail"] in ids(work, "raw_documents", "document_id")) == (
        "duplicate_content",
        True,
    )
    assert failures(work, reject["row_id"]) == set()


def test_descendants_of_a_document_are_its_persona_and_samples(work: Work) -> None:
    document_id = ids(work, "raw_documents", "document_id")[0]
    found = descendants(work.lake, work.settings, document_id)
    assert {one.table for one in found} >= {"extracted_personas", "deduped_personas", "instructions"}


def test_no_call_was_made_for_them_and_all_is_done(work: Work) -> None:
    assert set(sql(work, "SELECT DISTINCT asset FROM calls")["asset"]) == {"instructions"}
    state = LakeState(work.lake, work.settings)
    assert {state.of(table.name, SHARD).state for table in (RAW_DOCUMENTS, EXTRACTED_PERSONAS)} == {State.DONE}


def test_the_card_counts_them_and_names_their_licence(work: Work, tmp_path: Path) -> None:
    export(work.lake, assets(work.settings), Export("instructions", tmp_path / "out"))
    card = (tmp_path / "out" / "README.md").read_text()
    line = next(line for line in card.splitlines() if line.startswith("| `hub`") and "cc-by" in line)
    assert [cell.strip() for cell in line.strip("|").split("|")] == ["`hub`", "0", "4", "`cc-by-nc-sa-4.0`"]
    assert "text_to_persona" not in card


# Plans


def test_a_plan_counts_no_call_for_those_that_are_read(tmp_path: Path) -> None:
    work = Work(tmp_path, settings_for(tmp_path))
    drop_personas(work, "hub", "persona.jsonl", PERSONAS)
    work.drop("d", "a.jsonl", 0, 1)
    work.run(until="raw_documents")
    plan = work.plan()
    assert new_calls(plan)["extracted_personas"] == 2
    assert asset(plan, "extracted_personas").total("new").basis is Basis.EXACT
    rows = {found.partition: found.rows.value for found in asset(plan, "extracted_personas").partitions}
    assert rows[SHARD] == len(PERSONAS)


def test_a_plan_looks_into_files_that_are_not_read_yet(tmp_path: Path) -> None:
    work = Work(tmp_path, settings_for(tmp_path))
    work.drop("d", "a.jsonl", 0, 1)
    work.run()
    drop_personas(work, "hub", "persona.jsonl", PERSONAS * 30)
    plan = work.plan()
    assert new_calls(plan)["extracted_personas"] == 0
    assert asset(plan, "extracted_personas").total("rows").value > 2
    assert new_calls(plan)["instructions"] > 0


def test_a_plan_of_pages_does_not_take_personas_for_them(tmp_path: Path) -> None:
    work = Work(tmp_path, settings_for(tmp_path))
    drop_personas(work, "hub", "persona.jsonl", PERSONAS)
    work.drop("d", "a.jsonl", 0, 1)
    work.run()
    work.drop("e", "b.jsonl", 2, 3)
    assert new_calls(work.plan())["extracted_personas"] == pytest.approx(2, abs=0.5)


def test_parquet_of_personas_goes_the_same_way(tmp_path: Path) -> None:
    work = Work(tmp_path, settings_for(tmp_path))
    folder = tmp_path / "dumps" / "hub"
    folder.mkdir(parents=True)
    pl.DataFrame({"input persona": PERSONAS, "synthesized text": ["tool"] * 4}).write_parquet(folder / "t.parquet")
    work.run()
    [sample_id, *_] = ids(work, "instructions", "sample_id")
    assert failures(work, sample_id) == set()
