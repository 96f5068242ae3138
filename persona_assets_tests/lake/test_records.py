"""Records as they are written and read."""

import pytest

from persona_assets.lake.records import DamagedRecord, GateOutcome, Record, Shared, StoredFile


def record(partition: str = "d.0000", head: list[dict[str, object]] | None = None) -> Record:
    return Record(
        asset="math_problems",
        column="shard",
        partition=partition,
        generation=1,
        rows=StoredFile("a.parquet", 10, 2, "content"),
        rejects=None,
        reasons={"too_short": 1},
        made_from={"deduped_personas/d.0000": "content"},
        recipe={"schema": {"run_id": "String", "recipe": "String"}, "code": 1},
        judged_by="gates",
        gates=(GateOutcome("no_nulls", len(head or []), head or []),),
        run_id="run",
        committed_at="2026-11-01T00:00:00+00:00",
    )


HEADS = [None, [{"row_id": "smp_1", "recipe": "Beat two eggs", "run_id": "run"}], [{"x": 1, "recipe": {"run_id": 1}}]]


@pytest.mark.parametrize("head", HEADS)
def test_a_record_reads_as_it_was_written(head: list[dict[str, object]] | None) -> None:
    written = record(head=head)
    shared: Shared = {}
    assert Record.parse("path", written.as_json(), shared) == Record.parse("path", written.as_json()) == written
    assert Record.parse("path", written.as_json(), shared) == written


def test_what_records_have_in_common_is_held_once() -> None:
    shared: Shared = {}
    first, second = (Record.parse("path", record(key).as_json(), shared) for key in ("d.0000", "d.0001"))
    assert first and second
    assert first.recipe is second.recipe
    assert (first.partition, second.partition) == ("d.0000", "d.0001")


@pytest.mark.parametrize("size", [0, 1, 40, 300, -5])
def test_a_cut_record_is_damaged(size: int) -> None:
    with pytest.raises(DamagedRecord, match="path is damaged"):
        Record.parse("path", record().as_json()[:size], {})
