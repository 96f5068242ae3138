"""Interview logs: both layouts are read without loss, and what is no word of the character is flagged."""

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.characters.logs import COLUMNS, FLAGS, interviews_of
from persona_assets.prompts.template import Reads
from persona_assets.settings import Settings
from persona_assets.tasks.data_files import DataStep
from persona_assets.tasks.load import datasets
from persona_assets_tests.characters.logs import (
    OTHER,
    OWN,
    PUBLISHED,
    WHOLE,
    answered,
    asked,
    entry,
    multi,
    read,
    single,
    turn,
)

REAL = PUBLISHED / "interviews"


def flags(*rows: Any) -> list[str]:
    found: list[str] = read(*rows)["flags"][0].to_list()
    return found


def test_a_reply_that_is_an_entry_or_a_list_gives_the_same_words() -> None:
    found = read(single(entry("In Ulm.")), single([entry("In Ulm.")]))
    assert found["words"].to_list() == ["In Ulm."] * 2
    assert found["listed"].to_list() == [False, True]
    [one, _] = found.select("character", "system", "kind", "question", "topic_id", "flags").to_dicts()
    assert one == {
        "character": "Ilse", "system": "tuned", "kind": "single", "question": "Where do you live?",
        "topic_id": "topic-1", "flags": [],
    }  # fmt: skip


def test_an_interview_in_turns_has_all_of_them_and_what_is_asked() -> None:
    [row] = read(multi(*WHOLE)).to_dicts()
    assert [(one["number"], one["role"], one["speaker"], one["text"]) for one in row["turns"]] == [
        (number, role, speaker, f"{said} {number}{sign}")
        for number in (0, 1)
        for role, speaker, said, sign in (("interviewer", OTHER, "Question", "?"), ("character", OWN, "Answer", "."))
    ]
    assert (row["words"], row["flags"], row["character"], row["speaker"]) == (
        "Answer 0.\nAnswer 1.",
        [],
        "Ilse Brandt",
        OWN,
    )
    assert (row["number"], row["most_turns"], row["finished"], row["model"], row["system"]) == (
        3,
        2,
        True,
        "tuned-1",
        "tuned",
    )
    assert row["question"] == "How did you learn to bind books?"


def test_what_a_character_turn_says_for_the_interviewer_is_flagged_and_no_word_of_the_character() -> None:
    [row] = read(
        multi(asked(0), answered(0, entry("Mine."), entry("And you?", OTHER)), asked(1), answered(1))
    ).to_dicts()
    assert (row["flags"], row["words"]) == (["speaks_for_interviewer"], "Mine.\nAnswer 1.")
    assert [one["text"] for one in row["turns"]] == ["Question 0?", "Mine.", "And you?", "Question 1?", "Answer 1."]


def test_what_somebody_else_says_in_a_reply_is_flagged_and_no_word_of_the_character() -> None:
    found = read(single([entry("Mine."), entry("I am her brother.", "Otto")]), single(entry("Mine too.")))
    assert found["words"].to_list() == ["Mine.", "Mine too."]
    assert found["flags"].to_list() == [["speaks_for_others"], []]


def test_a_turn_of_thoughts_alone_is_flagged_and_they_are_no_words() -> None:
    [row] = read(multi(asked(0), answered(0, entry("Hm.", action="(thinking)")), asked(1), answered(1))).to_dicts()
    assert (row["flags"], row["words"]) == (["only_thinking"], "Answer 1.")


def test_a_flag_stands_there_as_often_as_there_are_such_turns() -> None:
    silent = [entry("Hm.", action="(thinking)")]
    assert flags(multi(asked(0), answered(0, *silent), asked(1), answered(1, *silent))) == ["only_thinking"] * 2


@pytest.mark.parametrize(
    ("text", "flags", "words"),
    [
        ("Mine.\n\nMan (speaking): And?\n\nIlse (speaking): More.", ["script_inside"], "Mine."),
        ("Ilse (speaking): Mine.\n Man (thinking) : Hm.", ["script_inside"], "Mine."),
        ("Man (speaking): Not mine.", ["script_inside"], ""),
        ("Mine, and then<|NONSTOP|>", ["cut_off"], "Mine, and then"),
        ("Mine.\nMan (speaking): I<|NONSTOP|>\n", ["script_inside", "cut_off"], "Mine."),
        (" Mine (speaking of it): whole.\n", [], " Mine (speaking of it): whole.\n"),
    ],
)
def test_words_end_where_a_text_goes_on_as_a_script_or_was_cut(text: str, flags: list[str], words: str) -> None:
    found = read(single(entry(text)), single(entry("In Ulm.")))
    assert (found["flags"][0].to_list(), found["words"][0]) == (flags, words)
    assert found["turns"][0][0]["text"] == text


@pytest.mark.parametrize(
    "turns",
    [
        WHOLE[1:],
        WHOLE[:3],
        WHOLE[:2],
        (*WHOLE[:2], answered(1), asked(1)),
        (*WHOLE[:3], turn(1, "character")),
        (),
    ],
    ids=["the first", "the last", "two", "order", "empty", "all"],
)
def test_a_missing_turn_is_flagged_and_the_others_are_kept(turns: tuple[Any, ...]) -> None:
    [row] = read(multi(*turns)).to_dicts()
    assert row["flags"] == ["missing_turn"]
    assert len(row["turns"]) == sum(len(one["turn_content"]) for one in turns)


def test_an_interview_that_was_not_finished_says_so() -> None:
    assert flags(multi(*WHOLE[:2], finished=False)) == ["unfinished"]


@pytest.mark.parametrize(
    ("reply", "flag"),
    [
        ([], "no_reply"),
        (entry(" \n"), "empty_text"),
        (entry("In Ulm.", action="(dancing)"), "unknown_action"),
        (entry("In Ulm.", action=""), "unknown_action"),
    ],
)
def test_a_reply_without_words_is_kept_and_flagged(reply: Any, flag: str) -> None:
    assert flags(single(reply), single(entry("In Ulm."))) == [flag]


@pytest.mark.parametrize(
    ("row", "reason", "said"),
    [
        (single("In Ulm."), "wrong_reply", "`reply` is neither an entry nor a list of entries"),
        (single(7), "wrong_reply", "`reply` is neither"),
        (single(entry("x"), question=" "), "no_question", "it has no text in `question`"),
        (single([entry("x"), "y"]), "wrong_turn", "reply 2: it needs texts in `role`, `action` and `content`"),
        (single({"role": OWN, "content": "x"}), "wrong_turn", "reply 1: it needs texts"),
        (single(entry("x")) | {"content": []}, "not_an_interview", "it has both `reply` and `content`: leave one out"),
        ({"question": "Where?"}, "not_an_interview", "it has neither `reply` nor `content`"),
        (multi(asked(0), {"turn_id": 0, "turn_role": "character"}), "wrong_turn", "turn 2: it has no `turn_content`"),
        (multi(asked(0), turn(0, "host", entry("x"))), "wrong_turn", "turn 2: it needs a number, a role and a list"),
        (multi(asked(0), answered(0, entry("x"), {"role": OWN})), "wrong_turn", "turn 2, entry 2: it needs texts"),
        (multi(content={"a": 1}), "wrong_turn", "`content` is no list of turns"),
    ],
)  # fmt: skip
def test_what_is_no_interview_is_set_aside_with_file_place_and_reason(row: Any, reason: str, said: str) -> None:
    found = read(single(entry("In Ulm.")), row)
    assert found["reason"].to_list() == [None, reason]
    assert found["detail"][1].startswith(f"interview_logs/Ilse_tuned_result/now.json, row 2: {said}")


def test_a_plain_text_where_entries_belong_is_told_so() -> None:
    given = {"row_id": "row_0", "file": "interview_logs/a.json", "place": 0, "question": "Where?", "reply": "In Ulm."}
    found = interviews_of(pl.DataFrame([given]))
    assert found["detail"][0].endswith("`reply` is a plain text; give entries with role, action and content")


def test_the_character_speaks_by_the_name_that_is_most_like_its_own() -> None:
    found = read(*(multi(asked(0), answered(0, entry("x", OTHER)), asked(1), answered(1)) for _ in range(3)))
    assert found["speaker"].unique().to_list() == [OWN]
    folder = read(single(entry("x", "Hermina")), single(entry("y", "Hermina")), folder="Hermnia_tuned_result")
    assert folder["character"].unique().to_list() == ["Hermina"]
    other = read(single(entry("x", "Assistant")))
    assert other.select("character", "speaker", "words").row(0) == ("Ilse", "Assistant", "x")


@pytest.mark.parametrize(
    ("folder", "system"),
    [("Ilse_gpt_4_result", "gpt_4"), ("multiturn_Ilse_vicuna-7b_result", "vicuna-7b"), ("some", "now")],
)
def test_the_folder_says_which_system_answered_else_the_file(folder: str, system: str) -> None:
    assert read(single(entry("x")), folder=folder)["system"][0] == system


_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
_ENTRY = st.builds(entry, _TEXT, st.sampled_from((OWN, OTHER, "")), st.sampled_from(("(speaking)", "(thinking)", "x")))


@given(turns=st.lists(st.lists(_ENTRY, max_size=3), max_size=4))
def test_no_entry_is_lost_and_words_are_those_of_one_speaker_alone(turns: list[list[dict[str, str]]]) -> None:
    told = [turn(place // 2, ("interviewer", "character")[place % 2], *entries) for place, entries in enumerate(turns)]
    [row] = read(multi(*told)).to_dicts()
    entries = [one for entries in turns for one in entries]
    assert [(one["speaker"], one["text"]) for one in row["turns"]] == [(one["role"], one["content"]) for one in entries]
    own = [one for place, entries in enumerate(turns) for one in entries if place % 2 and one["role"] == row["speaker"]]
    assert row["words"] == "\n".join(one["content"] for one in own if one["action"] == "(speaking)")


def test_the_frame_has_the_columns_of_the_table() -> None:
    assert read(multi(*WHOLE)).columns == ["parent_ids", *COLUMNS, "reason", "detail"]
    assert set(COLUMNS) <= set(datasets(Settings())["logged_interviews"].table.polars)


@pytest.mark.skipif(not REAL.is_dir(), reason="the published logs are not here")
def test_the_published_logs_are_read_without_loss(tmp_path: Path) -> None:
    (tmp_path / "interview_logs").symlink_to(REAL)
    reads = Reads(file="interview_logs/**/*", table="interview_logs", texts=("reply", "content"))
    step = DataStep(reads, tmp_path / "some.py")
    counts: Counter[str] = Counter()
    for key in step.look().sources:
        rows = list(step.rows(key))
        found = interviews_of(pl.DataFrame(rows, infer_schema_length=None))
        assert found["reason"].drop_nulls().is_empty()
        counts[found["kind"][0]] += found.height
        counts.update(found["flags"].explode(empty_as_null=True, keep_nulls=True).drop_nulls().to_list())
    turns = {"speaks_for_interviewer": 18, "only_thinking": 3, "script_inside": 14, "cut_off": 28}
    assert counts == {"single": 328, "multi": 200, **turns}
    assert set(counts) - {"single", "multi"} <= set(FLAGS)
