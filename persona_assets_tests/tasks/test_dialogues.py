"""Dialogues: conversations in the form that training takes them in."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.lake import Lake
from persona_assets.lineage.audit import audit
from persona_assets.lineage.model import Status
from persona_assets.settings import Settings
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import datasets
from persona_assets_tests.tasks.people import LANGUAGES
from persona_assets_tests.tasks.talking import make, people, rejects_of, rows_of

SPEAKERS = {"a": "assistant", "u": "user", "x": "narrator"}
TALK = pl.List(pl.Struct({"speaker": pl.String, "text": pl.String, "beside": pl.String}))
SCHEMA: dict[str, Any] = {"sample_id": pl.String, "parent_ids": pl.List(pl.String), "talk": TALK}


def given_for(*talks: list[tuple[str, str | None]] | None, asked: str | None = "Why?") -> list[dict[str, Any]]:
    """What the function gives for talks of speakers (`a`, `u`) and texts, each about an instruction of its own."""
    step = datasets(Settings())["dialogues"]
    assert isinstance(step, DerivedStep)
    told = [
        {
            "sample_id": f"smp_talk{number}",
            "parent_ids": [f"smp_{number}"],
            "talk": None if talk is None else [{"speaker": SPEAKERS[who], "text": text} for who, text in talk],
        }
        for number, talk in enumerate(talks)
    ]
    instructions = [{"sample_id": f"smp_{number}", "instruction": asked} for number in range(len(talks))]
    frames = (
        pl.LazyFrame(told, schema=SCHEMA),
        pl.LazyFrame(instructions, schema={"sample_id": pl.String, "instruction": pl.String}),
    )
    frame = step.declared.function(*frames)
    assert isinstance(frame, pl.LazyFrame)
    return frame.collect().to_dicts()


def said(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in row["messages"]]


def test_a_dialogue_begins_with_the_instruction_and_goes_on_in_turn() -> None:
    [row] = given_for([("a", "Because."), ("u", "And then?"), ("a", "Then not.")])
    assert said(row) == [("user", "Why?"), ("assistant", "Because."), ("user", "And then?"), ("assistant", "Then not.")]
    assert (row["turns"], row["reason"], row["parent_ids"]) == (4, None, ["smp_talk0"])


def test_what_the_user_closes_with_is_cut_away() -> None:
    [row] = given_for([("a", "Because."), ("u", "And?"), ("a", "So."), ("u", "Thanks.")])
    assert said(row)[-1] == ("assistant", "So.")
    assert row["turns"] == 4


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        ([("u", "Thanks.")], "no_answer"),
        ([], "no_answer"),
        (None, "no_answer"),
        ([("a", "One."), ("a", "Two.")], "roles_out_of_turn"),
        ([("u", "And?"), ("a", "So.")], "roles_out_of_turn"),
        ([("a", "One."), ("x", "He left."), ("a", "Two.")], "roles_out_of_turn"),
        ([("a", " \n")], "empty_message"),
        ([("a", None)], "empty_message"),
        ([("a", "One."), ("u", ""), ("a", "Two.")], "empty_message"),
    ],
)
def test_what_cannot_be_such_a_list_is_set_aside(talk: Any, reason: str) -> None:
    [row] = given_for(talk)
    assert row["reason"] == reason
    assert row["detail"].startswith("user")


def test_a_talk_whose_instruction_is_gone_is_set_aside() -> None:
    [row] = given_for([("a", "Because.")], asked=None)
    assert row["reason"] == "no_instruction"


TURN = st.tuples(st.sampled_from("aux"), st.one_of(st.none(), st.text(max_size=20)))


@given(st.lists(st.lists(TURN, max_size=6), max_size=4))
def test_whatever_is_kept_alternates_and_ends_with_the_assistant(talks: list[list[tuple[str, str | None]]]) -> None:
    found = given_for(*talks)
    assert [row["parent_ids"] for row in found] == [[f"smp_talk{number}"] for number in range(len(talks))]
    for row, talk in zip(found, talks, strict=True):
        if row["reason"] is None:
            assert [role for role, _ in said(row)] == ["user", "assistant"] * (row["turns"] // 2)
            assert [text for _, text in said(row)[1:]] == [text for _, text in talk][: row["turns"] - 1]
            assert all(text.strip() for _, text in said(row))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Dialogues of six people in three languages."""
    made = Lake(tmp_path_factory.mktemp("dialogues") / "lake")
    people(made)
    assert make(made, "instructions", "conversations", "dialogues") == {"kept": 6}
    return made


def test_every_conversation_becomes_a_dialogue_in_its_language(lake: Lake) -> None:
    talks = {row["sample_id"]: row for row in rows_of(lake, "conversations")}
    found = rows_of(lake, "dialogues")
    assert rejects_of(lake, "dialogues") == []
    assert {row["parent_ids"][0] for row in found} == set(talks)
    assert {row["language"] for row in found} == set(LANGUAGES)
    for row in found:
        above = talks[row["parent_ids"][0]]
        assert (row["persona_ids"], row["document_id"]) == (above["persona_ids"], above["document_id"])
        assert [text for _, text in said(row)[1:]] == [turn["text"] for turn in above["talk"]][: row["turns"] - 1]


def test_an_audit_of_a_dialogue_computes_it_again(lake: Lake) -> None:
    for row in rows_of(lake, "dialogues"):
        result = audit(lake, Settings(lake=lake.root), row["sample_id"])
        own = {check.name: check.status for check in result.root.verifications}
        assert (own["row_computes_again"], own["id_recomputes"]) == (Status.OK, Status.OK)
        assert Status.FAILED not in own.values()
