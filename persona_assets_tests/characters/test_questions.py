"""What characters are asked: questions of files that carry their name, and those that were written of profiles."""

from typing import Any

import polars as pl
import pytest

from persona_assets.characters.questions import COLUMNS, about, questions_of, without_names
from persona_assets.errors import UsageError

PROFILE = "# Ilse Brandt\n\nIlse Brandt binds books in Ulm. Her father printed them.\n\nShe never married.\n"
PEOPLE = [
    ("Ilse Brandt", ["Ilse Brandt", "Ilse", "Brandt"], "en", PROFILE),
    ("沈砚秋", ["沈砚秋", "砚秋"], "zh", "# 沈砚秋\n\n沈砚秋是制墨匠人。\n"),
]
CHARACTERS = pl.DataFrame(
    [
        {
            "sample_id": f"smp_{n}",
            "character_id": f"chr_{n}",
            "name": name,
            "names": names,
            "language": of,
            "profile": text,
        }
        for n, (name, names, of, text) in enumerate(PEOPLE)
    ]
)
WRITTEN = pl.DataFrame(
    [
        {"sample_id": f"smp_w{n}", "character_id": "chr_0", "topic": topic, "question": f"{topic} {n}?"}
        for n, topic in enumerate(("past", "past", "traps", "values"))
    ]
)
NOTHING = WRITTEN.clear()


def files(**questions: list[Any]) -> pl.DataFrame:
    """Rows of question files, by the names of these."""
    rows = [
        {"row_id": f"row_{name}{place}", "file": f"interview_questions/{name}.json", "place": place, "topic": "past"}
        | {"topic_id": "topic-1", "question": question}
        for name, told in questions.items()
        for place, question in enumerate(told)
    ]
    schema = dict.fromkeys(("row_id", "file", "topic", "topic_id", "question"), pl.String) | {"place": pl.Int64}
    return pl.DataFrame(rows, schema=schema)


def asked(found: pl.DataFrame, character: str = "chr_0") -> list[tuple[str, str]]:
    return found.filter(character_id=character).select("kind", "question").rows()


@pytest.mark.parametrize("stem", ["generated_agent_interview_Ilse", "ilse-brandt", "Brandt", "questions_for_BRANDT_2"])
def test_a_file_is_of_the_character_whose_name_stands_in_its_own(stem: str) -> None:
    found = questions_of(CHARACTERS, files(**{stem: ["Where do you live?"]}), NOTHING)
    assert asked(found) == [("single", "Where do you live?")]
    assert asked(found, "chr_1") == []


def test_a_part_of_a_word_is_no_name() -> None:
    found = questions_of(CHARACTERS, files(Ilsebill=["Where?"], Brandtner=["Where?"]), NOTHING)
    assert asked(found) == []


def test_a_file_for_interviews_in_turns_says_so_in_its_name() -> None:
    found = questions_of(CHARACTERS, files(interview_for_multiturn_Ilse=["Why?"], Ilse=["Why?"]), NOTHING)
    assert sorted(asked(found)) == [("multi", "Why?"), ("single", "Why?")]
    assert set(found.filter(character_id="chr_0")["topic_id"]) == {"topic-1"}


def test_questions_stand_in_the_order_of_their_files_and_each_once() -> None:
    found = questions_of(CHARACTERS, files(Ilse=["B?", "A?", "B?"]), WRITTEN.head(1))
    assert asked(found) == [("single", "B?"), ("single", "A?"), ("either", "past 0?")]
    assert found["file_row_id"].to_list()[:3] == ["row_Ilse0", "row_Ilse1", None]
    assert found["written_id"].to_list()[:3] == [None, None, "smp_w0"]


def test_the_first_written_question_of_a_topic_may_open_a_talk_and_no_trap() -> None:
    found = questions_of(CHARACTERS, files(), WRITTEN)
    assert sorted(asked(found)) == [
        ("either", "past 0?"), ("either", "values 3?"), ("single", "past 1?"), ("single", "traps 2?")
    ]  # fmt: skip


def test_whom_nobody_asks_anything_is_set_aside() -> None:
    found = questions_of(CHARACTERS, files(Ilse=["Where?"]), NOTHING)
    assert found.select("parent_ids", "reason").rows() == [(["smp_0"], None), (["smp_1"], "no_question")]


@pytest.mark.parametrize("question", [None, "", "  "])
def test_a_row_without_a_question_is_told_with_file_and_row(question: str | None) -> None:
    with pytest.raises(UsageError, match=r"interview_questions/Ilse.json, row 2: it has no text in `question`"):
        questions_of(CHARACTERS, files(Ilse=["Where?", question]), NOTHING)


def test_a_hidden_name_stands_in_no_prompt_and_no_question() -> None:
    found = questions_of(CHARACTERS, files(Ilse=["Ilse, why did Brandt & Sons close?"]), NOTHING)
    [row] = found.filter(character_id="chr_0").to_dicts()
    assert row["hidden_question"] == "the person described, why did the person described & Sons close?"
    assert row["hidden_about"].startswith("the person described binds books")
    assert not any(word in row[name] for name in row if name.startswith("hidden") for word in ("Ilse", "Brandt"))
    assert "Ilse Brandt" in row["prompt"]
    assert "Ilse" in row["question"]


@pytest.mark.parametrize(
    ("text", "names", "somebody", "told"),
    [
        ("沈砚秋说砚秋的墨", ["沈砚秋", "砚秋"], "此人", "此人说此人的墨"),
        ("Анна и Аннабель", ["Анна"], "этот человек", "этот человек и Аннабель"),
        ("Brandtner and Brandt's", ["Brandt"], "she", "Brandtner and she's"),
        ("a.b and axb", ["a.b"], r"\1", r"\1 and axb"),
        ("nobody", [], "she", "nobody"),
    ],
)
def test_names_are_replaced_whole(text: str, names: list[str], somebody: str, told: str) -> None:
    assert without_names(text, names, somebody) == told


def test_who_somebody_is_are_whole_sentences_of_the_first_paragraph() -> None:
    assert about(PROFILE) == "Ilse Brandt binds books in Ulm. Her father printed them."
    told = about("# A\n\n" + " ".join(f"This is sentence {n}." for n in range(200)))
    assert len(told) <= 600
    assert told.endswith(".")
    assert len(about("# A\n\n" + "word " * 2000)) <= 1200


def test_the_frame_has_the_columns_of_the_table() -> None:
    assert questions_of(CHARACTERS, files(), NOTHING).columns == ["parent_ids", *COLUMNS, "reason", "detail"]
