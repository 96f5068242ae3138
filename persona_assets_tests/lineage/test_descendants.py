import polars as pl
import pytest

from persona_assets.errors import PersonaAssetsError
from persona_assets.lake.schemas import EXPANDED_PERSONAS, EXTRACTED_PERSONAS, RAW_DOCUMENTS
from persona_assets.lineage import descendants
from persona_assets.tasks.load import load_tasks
from persona_assets.tasks.table import task_table
from persona_assets_tests.lineage.small_lake import TASKS, Small, ids, only, seed, value


def test_a_document_gives_its_personas_of_every_hop_and_their_samples(built: Small) -> None:
    lake = built.lake
    document_id = value(lake, EXTRACTED_PERSONAS, seed(lake), "document_id")
    found = {(row.table, row.id) for row in descendants(lake, built.settings, document_id)}
    its = pl.col("document_id") == document_id
    tables = [EXTRACTED_PERSONAS, EXPANDED_PERSONAS, *(task_table(load_tasks(built.settings)[task]) for task in TASKS)]
    for table in tables:
        rows = {(table.name, row_id) for row_id in ids(lake, table, its)}
        assert rows
        assert {pair for pair in found if pair[0] == table.name} == rows


def test_each_descendant_names_the_row_it_came_from(built: Small) -> None:
    persona_id = seed(built.lake)
    children = ids(built.lake, EXPANDED_PERSONAS, pl.col("parent_persona_id") == persona_id)
    found = descendants(built.lake, built.settings, persona_id)
    assert {row.id for row in found if row.table == "expanded_personas" and row.parent == persona_id} == set(children)
    assert ("deduped_personas", persona_id, persona_id) in found


def test_the_calls_made_for_a_document_are_among_its_descendants(built: Small) -> None:
    persona_id = seed(built.lake)
    document_id = value(built.lake, EXTRACTED_PERSONAS, persona_id, "document_id")
    call_id = value(built.lake, EXTRACTED_PERSONAS, persona_id, "call_id")
    assert ("calls", call_id, document_id) in descendants(built.lake, built.settings, document_id)


def test_a_call_gives_the_rows_parsed_out_of_it(built: Small) -> None:
    persona_id = seed(built.lake)
    call_id = value(built.lake, EXTRACTED_PERSONAS, persona_id, "call_id")
    assert ("extracted_personas", persona_id, call_id) in descendants(built.lake, built.settings, call_id)


def test_a_document_that_was_rejected_gave_nothing(built: Small) -> None:
    row_id = built.lake.rejects(RAW_DOCUMENTS).collect()["row_id"][0]
    assert descendants(built.lake, built.settings, row_id) == []


def test_the_descendants_of_an_unknown_id_are_an_error(built: Small) -> None:
    with pytest.raises(PersonaAssetsError, match="in no table"):
        descendants(built.lake, built.settings, "doc_" + "0" * 32)


def test_a_sample_gives_nothing_but_its_call(built: Small) -> None:
    sample_id = only(ids(built.lake, task_table(load_tasks(built.settings)[TASKS[0]])))
    assert descendants(built.lake, built.settings, sample_id) == []
