from pathlib import Path

import polars as pl
import pytest

from persona_assets.checks.gates import description, gate_names, gates_of, run_drift, run_gates
from persona_assets.lake import Lake, Table
from persona_assets.lake.catalog import query
from persona_assets.lake.schemas import (
    ASSET_TABLES,
    DEDUPED_PERSONAS,
    EXTRACTED_PERSONAS,
    FILTERED_PERSONAS,
    PERSONA_SURVIVORS,
    RAW_DOCUMENTS,
)
from persona_assets.lake.sqlfiles import SQL
from persona_assets.lake.store import Making
from persona_assets.prompts import Template
from persona_assets.settings import Settings, load_settings
from persona_assets.tasks.load import datasets, load_tasks
from persona_assets.tasks.table import task_table
from persona_assets_tests.rows import SHARD, document, draft, persona, put, put_calls, put_rejects, reject, verdict


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    put(lake, RAW_DOCUMENTS, document("a"), document("b"))
    put(lake, EXTRACTED_PERSONAS, persona("1", "a"), persona("2", "b"))
    put_calls(lake, "1", "2")
    return lake


def failing(lake: Lake, table: Table) -> dict[str, int]:
    return {o.name: o.failing for o in run_gates(lake, draft(lake, table), load_settings()) if not o.passed}


def test_a_sound_partition_passes_every_gate(lake: Lake) -> None:
    assert failing(lake, RAW_DOCUMENTS) == {}
    assert failing(lake, EXTRACTED_PERSONAS) == {}


def test_a_repeated_id_fails(lake: Lake) -> None:
    put(lake, EXTRACTED_PERSONAS, persona("1", "a"), persona("1", "a"), persona("2", "b"))
    assert failing(lake, EXTRACTED_PERSONAS) == {"ids_unique": 1}


def test_a_null_fails_and_is_shown(lake: Lake) -> None:
    put(lake, EXTRACTED_PERSONAS, persona("1", "a", granularity=None), persona("2", "b"))
    [outcome] = [o for o in run_gates(lake, draft(lake, EXTRACTED_PERSONAS), load_settings()) if not o.passed]
    assert outcome.name == "no_nulls"
    assert outcome.head[0]["row_id"] == "per_1"


def test_a_missing_document_fails(lake: Lake) -> None:
    put(lake, EXTRACTED_PERSONAS, persona("1", "a"), persona("2", "b"), persona("3", "gone", call_id="call_1"))
    assert failing(lake, EXTRACTED_PERSONAS) == {"parents_exist": 1}


def test_a_missing_call_fails(lake: Lake) -> None:
    put(lake, EXTRACTED_PERSONAS, persona("1", "a"), persona("2", "b", call_id="call_gone"))
    assert failing(lake, EXTRACTED_PERSONAS) == {"calls_exist": 1}


def test_a_document_that_is_nowhere_fails(lake: Lake) -> None:
    put(lake, EXTRACTED_PERSONAS, persona("1", "a"))
    assert failing(lake, EXTRACTED_PERSONAS) == {"accounted": 1}


def test_a_document_that_is_in_both_places_fails(lake: Lake) -> None:
    put_rejects(lake, EXTRACTED_PERSONAS, reject(EXTRACTED_PERSONAS, "doc_a", "nothing_left"))
    assert failing(lake, EXTRACTED_PERSONAS) == {"accounted": 1}


def test_too_many_unreadable_answers_fail(lake: Lake) -> None:
    put(lake, EXTRACTED_PERSONAS, persona("1", "a"))
    put_rejects(lake, EXTRACTED_PERSONAS, reject(EXTRACTED_PERSONAS, "doc_b", "parse_failure"))
    assert failing(lake, EXTRACTED_PERSONAS) == {"parse_failure_rate": 1}


def test_too_many_rejects_fail(lake: Lake) -> None:
    put(lake, FILTERED_PERSONAS, persona("1", "a"))
    rejects = [reject(FILTERED_PERSONAS, f"per_{name}", "too_short") for name in "23456"]
    put_rejects(lake, FILTERED_PERSONAS, *rejects)
    assert "reject_rate" in failing(lake, FILTERED_PERSONAS)


def test_too_few_documents_in_the_wanted_languages_fail(lake: Lake) -> None:
    put_rejects(lake, RAW_DOCUMENTS, *(reject(RAW_DOCUMENTS, f"doc_{name}", "language") for name in "cde"))
    assert failing(lake, RAW_DOCUMENTS) == {"language_share": 1}


def test_a_persona_too_far_away_fails(lake: Lake) -> None:
    put(lake, EXTRACTED_PERSONAS, persona("1", "a", hop=7), persona("2", "b"))
    assert failing(lake, EXTRACTED_PERSONAS) == {"hops_valid": 1}


def test_duplicates_left_after_dedup_fail(lake: Lake) -> None:
    rows = [persona("1", "a", text="A baker of rye"), persona("2", "b", text="a baker of rye  ")]
    put(lake, FILTERED_PERSONAS, *rows)
    put(lake, DEDUPED_PERSONAS, *rows)
    assert failing(lake, DEDUPED_PERSONAS) == {"no_exact_duplicates": 2, "no_near_duplicates": 2}


@pytest.fixture
def deduped(lake: Lake) -> Lake:
    """Two personas, of which the second was removed in favour of the first."""
    put(lake, FILTERED_PERSONAS, persona("1", "a"), persona("2", "b"))
    put(lake, PERSONA_SURVIVORS, verdict("1"), verdict("2", of="1"), shard="d")
    put(lake, DEDUPED_PERSONAS, persona("1", "a"))
    removed = reject(DEDUPED_PERSONAS, "per_2", "duplicate_lexical")
    put_rejects(lake, DEDUPED_PERSONAS, removed | {"detail": "lexical of per_1 in dump d, similarity 0.95"})
    return lake


def failing_verdicts(lake: Lake) -> dict[str, int]:
    return {
        o.name: o.failing for o in run_gates(lake, draft(lake, PERSONA_SURVIVORS, "d"), load_settings()) if not o.passed
    }


def test_what_was_published_follows_the_verdicts(deduped: Lake) -> None:
    assert failing_verdicts(deduped) == {}
    assert failing(deduped, DEDUPED_PERSONAS) == {}


def test_a_verdict_that_was_not_followed_fails(deduped: Lake) -> None:
    put(deduped, PERSONA_SURVIVORS, verdict("1", of="2"), verdict("2"), shard="d")
    assert failing(deduped, DEDUPED_PERSONAS) == {"verdicts_followed": 2}


def test_a_reject_that_names_another_survivor_fails(deduped: Lake) -> None:
    put(deduped, PERSONA_SURVIVORS, verdict("1"), verdict("2", of="7"), shard="d")
    assert failing(deduped, DEDUPED_PERSONAS) == {"verdicts_followed": 1}


def test_a_survivor_may_be_in_an_earlier_dump_and_has_to_be_kept_in_the_one_that_is_named(deduped: Lake) -> None:
    put(deduped, FILTERED_PERSONAS, persona("9", "z", shard="c.0000"), shard="c.0000")
    put(deduped, PERSONA_SURVIVORS, verdict("9", "c"), shard="c")
    put(deduped, PERSONA_SURVIVORS, verdict("1"), verdict("2", of="9", survivor_dump="c"), shard="d")
    assert failing_verdicts(deduped) == {}
    put(deduped, PERSONA_SURVIVORS, verdict("9", "c", of="8"), shard="c")
    assert failing_verdicts(deduped) == {"survivors_named": 1}
    put(deduped, PERSONA_SURVIVORS, verdict("1"), verdict("2", of="9", survivor_dump="d"), shard="d")
    assert failing_verdicts(deduped) == {"parents_exist": 1, "survivors_named": 1}


def test_the_gates_stand_in_the_record_where_the_catalogue_shows_them(lake: Lake) -> None:
    making = Making(judge=gates_of(lake, load_settings()))
    with lake.partition(EXTRACTED_PERSONAS, SHARD, "run-7", making) as part:
        part.rows.append(pl.DataFrame([persona("1", "a", window=0)], schema=EXTRACTED_PERSONAS.polars))
    assert part.record is not None
    assert part.record.failed == ["accounted"]
    shown = query(lake, "SELECT asset, partition, gate, failing, run_id FROM gates WHERE NOT passed")
    assert shown.rows() == [("extracted_personas", SHARD, "accounted", 1, "run-7")]


def test_gates_see_what_is_about_to_be_committed_and_not_what_stands(lake: Lake) -> None:
    put(lake, EXTRACTED_PERSONAS, persona("1", "a"), persona("1", "a"), persona("2", "b"))
    with lake.partition(EXTRACTED_PERSONAS, SHARD, "run", Making(judge=gates_of(lake, load_settings()))) as part:
        part.rows.append(
            pl.DataFrame([persona("1", "a", window=0), persona("2", "b", window=0)], schema=EXTRACTED_PERSONAS.polars)
        )
    assert part.record is not None
    assert part.record.failed == []


def shard_of(lake: Lake, index: int, rows: int, characters: int) -> None:
    key = f"d.{index:04d}"
    texts = [document(f"{index}-{row}", text="x" * characters, shard=key) for row in range(rows)]
    put(lake, RAW_DOCUMENTS, *texts, shard=key)


@pytest.mark.parametrize(
    ("rows", "characters", "drifted"),
    [(4, 50, []), (40, 50, ["volume_drift"]), (4, 500, ["length_drift"]), (1, 10, ["volume_drift", "length_drift"])],
)
def test_a_shard_unlike_the_ones_before_it_drifts(lake: Lake, rows: int, characters: int, drifted: list[str]) -> None:
    for index in range(4):
        shard_of(lake, index, rows=4, characters=50)
    shard_of(lake, 4, rows, characters)
    outcomes = {outcome.name: outcome for outcome in run_drift(lake, RAW_DOCUMENTS)}
    assert [name for name, outcome in outcomes.items() if not outcome.passed] == drifted
    assert all(outcome.head[0]["partition_key"] == "d.0004" for outcome in outcomes.values() if not outcome.passed)


def test_every_check_file_describes_itself_and_is_used() -> None:
    turn = {
        "messages": [{"role": "user", "content": "And why?"}],
        "response_schema": {"type": "object", "properties": {"reason": {"type": "string"}}},
    }
    in_turns = Template(**{**load_tasks(Settings())["instructions"].model_dump(), "name": "talks", "turns": [turn]})
    every = [{"check": name, "args": {"of": "tone"}} for name in ("every_value", "balanced")]
    every.append({"check": "at_most", "args": {"of": "tone", "rows": 9}})
    checked = {
        "over": {"tone": ["a", "b"]},
        "set_checks": [*every, {"check": "no_two_alike", "args": {"field": "task"}}],
    }
    tables = [*ASSET_TABLES.values(), task_table(in_turns), task_table(Template(**in_turns.model_dump() | checked))]
    tables.append(datasets(Settings())["math_answers"].table)
    used = {name for table in tables for name in gate_names(table)} | {"volume_drift", "length_drift"}
    on_disk = {path.stem for path in (SQL / "checks").glob("*.sql")}
    assert on_disk == used
    assert all(description(name).endswith(".") for name in on_disk)


def test_an_empty_shard_drifts(lake: Lake) -> None:
    for index in range(4):
        shard_of(lake, index, rows=4, characters=50)
    shard_of(lake, 4, rows=0, characters=0)
    volume, _ = run_drift(lake, RAW_DOCUMENTS)
    assert [row["partition_key"] for row in volume.head] == ["d.0004"]


def test_a_comparison_of_partitions_looks_again_where_another_run_replaces_one(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing names a file that is gone by the time it is read, as it was replaced in between."""
    for number in range(3):
        put(lake, RAW_DOCUMENTS, document(f"a{number}"), shard=f"d.{number:04d}")
    listing, replaced = lake.paths, iter([True])

    def paths(table: Table, keys: list[str] | None = None) -> list[str]:
        found = listing(table, keys)
        if next(replaced, False):
            put(lake, RAW_DOCUMENTS, document("other"), shard="d.0001")
        return found

    monkeypatch.setattr(lake, "paths", paths)
    assert [outcome.name for outcome in run_drift(lake, RAW_DOCUMENTS)] == ["volume_drift", "length_drift"]
