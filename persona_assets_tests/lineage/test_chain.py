"""Lineage of samples of samples: the audit of talks in turns, what came of a page, and the views of the catalogue."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from persona_assets.lake import Lake
from persona_assets.lake.catalog import query
from persona_assets.lineage import Status, audit, descendants
from persona_assets.lineage.model import Audit, CallRecord
from persona_assets.lineage.steps import Steps
from persona_assets_tests.lineage.chain import NAMES, call, chained, rejects, rows, table
from persona_assets_tests.lineage.small_lake import SHARD, Small, setting, settings_for, tamper, tamper_calls


def copy(built: Small, folder: Path) -> Small:
    shutil.copytree(Path(built.settings.lake).parent, folder)
    settings = settings_for(folder)
    return Small(Lake(settings.lake), settings)


@pytest.fixture(scope="module")
def whole(built: Small, tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The lake with the further assets, for tests that only read it."""
    return chained(copy(built, tmp_path_factory.mktemp("chain") / "copy"))


@pytest.fixture
def own(whole: Small, tmp_path: Path) -> Small:
    """A copy of it, to tamper with."""
    return copy(whole, tmp_path / "own")


def audited(small: Small, row_id: str) -> Audit:
    return audit(small.lake, small.settings, row_id)


def failed(small: Small, row_id: str) -> set[str]:
    return {found.name for found in audited(small, row_id).failures}


def turns_of(found: Audit) -> list[CallRecord]:
    """The calls of the row asked about, the last one first."""
    calls, here = [], found.root.call
    while here:
        calls.append(here)
        here = (here.repair_of or here).after
    return calls


def all_failures(small: Small, name: str) -> list[str]:
    """What the audits of some rows, of every tenth and the first ones, say."""
    row_ids = [row["sample_id"] for at, row in enumerate(rows(small, name)) if at < 5 or at % 10 == 0]
    return [f"{found.name}: {found.detail}" for row_id in row_ids for found in audited(small, row_id).failures]


# The audit of a talk


def test_the_audit_of_a_row_verifies_every_call_of_its_talk(whole: Small) -> None:
    row = rows(whole, "talks")[0]
    found = audited(whole, row["sample_id"])
    assert [one.call_id for one in turns_of(found)] == list(reversed(row["call_ids"]))
    for one in turns_of(found):
        names = {check.name for check in one.verifications if check.status is Status.OK}
        assert names >= {"file_untouched", "prompt_renders", "call_key_recomputes"}
    assert found.failures == []


def test_the_audit_shows_the_answer_that_a_turn_had_repaired(whole: Small) -> None:
    found = audited(whole, rows(whole, "talks")[0]["sample_id"])
    second = turns_of(found)[2]
    assert second.repair_of
    assert second.repair_of.row["answer"] == "Because."
    assert second.repair_of.after


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_a_chain_passes_its_audit(whole: Small, name: str) -> None:
    assert rows(whole, name)
    assert all_failures(whole, name) == []


def test_the_audit_of_a_sample_of_a_sample_of_a_sample_goes_up_to_the_page(whole: Small) -> None:
    found = audited(whole, rows(whole, "remarks")[0]["sample_id"])
    assert [node.table for node in found.nodes()][-4:] == ["own_problems", *NAMES]
    assert {node.kind for node in found.nodes()} == {"crawl_record", "document", "persona", "sample"}
    assert found.ok


@pytest.mark.parametrize("turn", range(4))
def test_the_changed_answer_of_any_turn_is_told(own: Small, turn: int) -> None:
    row = rows(own, "talks")[0]
    answers = ['{"first": "x"}', '{"reason": "x"}', '{"sure": "x"}', '{"score": 1}']
    tamper_calls(own.lake, "talks", setting("answer", answers[turn], "call_id", row["call_ids"][turn]))
    assert failed(own, row["sample_id"]) & {"call_key_recomputes", "row_parses_again"}


def test_the_changed_answer_that_was_repaired_is_told(own: Small) -> None:
    row = rows(own, "talks")[0]
    before = json.loads(call(own, row["call_ids"][1])["fill"])["repair_of"]
    tamper_calls(own.lake, "talks", setting("answer", "Perhaps.", "call_id", before))
    assert "call_key_recomputes" in failed(own, row["sample_id"])


def pointing(small: Small, call_id: str, **values: Any) -> None:
    fill = json.loads(call(small, call_id)["fill"]) | values
    tamper_calls(small.lake, "talks", setting("fill", json.dumps(fill), "call_id", call_id))


def test_a_call_that_names_that_of_another_talk_before_it_is_told(own: Small) -> None:
    first, other = rows(own, "talks")[:2]
    pointing(own, first["call_ids"][3], after=other["call_ids"][2])
    assert failed(own, first["sample_id"]) & {"call_key_recomputes", "prompt_renders"}


@pytest.mark.parametrize("place", [3, 2, 0])
def test_a_call_that_names_the_wrong_turn_before_it_is_told(own: Small, place: int) -> None:
    row = rows(own, "talks")[0]
    pointing(own, row["call_ids"][2], after=row["call_ids"][place])
    assert failed(own, row["sample_id"]) & {"call_key_recomputes", "prompt_renders"}


@pytest.mark.parametrize(
    "values",
    [{"after": "call_" + "0" * 32}, {"after": 7}, {"after": None}, {"turn": 1}, {"turn": "x"}, {"turn": 9}],
    ids=str,
)
def test_a_fill_that_was_changed_is_told_and_ends_no_audit(own: Small, values: dict[str, Any]) -> None:
    row = rows(own, "talks")[0]
    pointing(own, row["call_ids"][3], **values)
    assert failed(own, row["sample_id"]) & {"call_key_recomputes", "prompt_renders", "row_parses_again"}


def test_a_turn_that_is_gone_from_the_ledger_is_told(own: Small) -> None:
    row = rows(own, "talks")[0]
    tamper_calls(own.lake, "talks", lambda frame: frame.filter(pl.col("call_id") != row["call_ids"][0]))
    assert failed(own, row["sample_id"]) & {"prompt_renders", "call_exists"}


def test_changed_call_ids_are_told(own: Small) -> None:
    first, other = rows(own, "talks")[:2]
    path = own.lake.path(table(own, "talks"), SHARD)
    tamper(
        own.lake, path, setting("call_ids", [*other["call_ids"][:3], first["call_id"]], "sample_id", first["sample_id"])
    )
    assert "call_key_recomputes" in failed(own, first["sample_id"])


@pytest.mark.parametrize(("column", "new"), [("level", "strict"), ("attempt", 1), ("question_id", "qst_" + "0" * 32)])
def test_a_changed_value_that_was_asked_with_is_told(own: Small, column: str, new: object) -> None:
    row = next(row for row in rows(own, "grades") if row["level"] == "mild" and row["attempt"] == 0)
    path = own.lake.path(table(own, "grades"), SHARD)
    tamper(own.lake, path, setting(column, new, "sample_id", row["sample_id"]))
    assert "row_parses_again" in failed(own, row["sample_id"])


# Rejects, and calls


def test_a_rejected_question_is_audited_by_its_id(whole: Small) -> None:
    reject = next(row for row in rejects(whole, "grades") if row["row_id"].startswith("qst_"))
    found = audited(whole, reject["row_id"])
    assert found.failures == []
    assert found.root.kind == "rejected"
    assert [node.table for node in found.root.parents] == ["talks"]


def test_a_repeated_item_is_audited(whole: Small) -> None:
    reject = next(row for row in rejects(whole, "remarks") if row["reason"] == "repeated")
    found = audited(whole, reject["row_id"])
    assert found.failures == []
    assert "row_parses_again" in {check.name for check in found.verifications if check.status is Status.OK}


@pytest.mark.parametrize("turn", range(4))
def test_the_call_of_any_turn_is_audited(whole: Small, turn: int) -> None:
    row = rows(whole, "talks")[0]
    found = audited(whole, row["call_ids"][turn])
    assert found.failures == []
    assert ("talks", "gave", row["sample_id"]) in [(one.asset, one.outcome, one.detail) for one in found.root.fate]


def test_the_call_that_was_repaired_within_a_talk_is_audited(whole: Small) -> None:
    row = rows(whole, "talks")[0]
    before = json.loads(call(whole, row["call_ids"][1])["fill"])["repair_of"]
    assert audited(whole, before).failures == []


def test_a_call_that_answers_several_questions_about_one_row_is_audited(whole: Small) -> None:
    """`unseen` stands in no prompt, so both its values share a call."""
    found = rows(whole, "remarks")
    assert len({row["call_id"] for row in found}) < len({row["question_id"] for row in found})
    for call_id in {row["call_id"] for row in found}:
        assert audited(whole, call_id).failures == []


# Descendants and the catalogue


def test_a_page_leads_to_what_came_of_it_at_the_third_level(whole: Small) -> None:
    row = rows(whole, "remarks")[0]
    found = {(one.table, one.id) for one in descendants(whole.lake, whole.settings, row["document_id"])}
    its = [one for one in rows(whole, "remarks") if one["document_id"] == row["document_id"]]
    assert {one_id for name, one_id in found if name == "remarks"} == {one["sample_id"] for one in its}
    assert {name for name, _ in found} >= {"own_problems", *NAMES, "calls"}


def test_the_calls_of_all_turns_came_from_the_row_asked_about(whole: Small) -> None:
    row = rows(whole, "talks")[0]
    found = descendants(whole.lake, whole.settings, row["parent_ids"][0])
    assert {one.id for one in found if one.table == "calls" and one.parent == row["parent_ids"][0]} == {
        *row["call_ids"]
    }


@pytest.mark.parametrize("turn", range(4))
def test_the_call_of_any_turn_leads_to_what_came_of_it(whole: Small, turn: int) -> None:
    row = rows(whole, "talks")[0]
    found = descendants(whole.lake, whole.settings, row["call_ids"][turn])
    assert ("talks", row["sample_id"], row["call_ids"][turn]) in found
    assert {one.table for one in found} >= {"talks", "grades", "remarks"}


def sql(small: Small, text: str) -> pl.DataFrame:
    return query(small.lake, text, Steps.of(small.settings).task_tables)


def test_each_link_stands_once_in_lineage_links(whole: Small) -> None:
    found = sql(whole, "SELECT id, parent_id FROM lineage_links WHERE asset = 'talks'")
    wanted = [(row["sample_id"], row["parent_ids"][0]) for row in rows(whole, "talks")]
    assert sorted(found.rows()) == sorted(wanted)


@pytest.mark.parametrize("name", NAMES)
def test_fate_has_each_question_in_one_place(whole: Small, name: str) -> None:
    found = sql(whole, f"SELECT row_id, kept + rejected AS places FROM fate WHERE asset = '{name}'")
    asked = Steps.of(whole.settings).tasks[name].question_ids(whole.lake, SHARD)
    assert sorted(found.rows()) == sorted((one, 1) for ids in asked for one in ids)
