"""Answers of interviews of ours and of logged ones stand in one form, with the character's own words alone."""

from typing import Any

import polars as pl
import pytest

from persona_assets.characters.answers import COLUMNS, answers_of
from persona_assets_tests.characters.logs import OTHER, WHOLE, answered, asked, entry, multi, read, single

WHO = pl.DataFrame(
    [{"sample_id": "smp_c", "shard": "ilse", "language": "en", "character_id": "chr_0", "name": "Ilse Brandt"}
     | {"names": ["Ilse Brandt", "Ilse", "Brandt"], "about": "A binder of books."}]
)  # fmt: skip
QUESTIONS = pl.DataFrame(
    [{"sample_id": "smp_q", "character_id": "chr_0", "topic": "past", "question": "Where do you live?"}]
)
_ANSWERS: dict[str, Any] = {
    "sample_id": pl.String,
    "parent_ids": pl.List(pl.String),
    "model": pl.String,
    "named": pl.String,
}
_ENTRY = pl.Struct({"speaker": pl.String, "text": pl.String, "beside": pl.String})
NO_INTERVIEWS = pl.DataFrame(schema=_ANSWERS | {"answer": pl.String})
NO_TALKS = pl.DataFrame(schema=_ANSWERS | {"talk": pl.List(_ENTRY)})


def logged(*rows: Any) -> pl.DataFrame:
    found = read(*rows)
    ids = pl.Series([f"smp_l{n}" for n in range(found.height)])
    return found.drop("reason", "detail").with_columns(
        sample_id=ids, shard=pl.lit("log"), language=pl.lit(None, pl.String)
    )


NO_LOGS = logged(single(entry("x"))).clear()


def interviews(*texts: str, **values: Any) -> pl.DataFrame:
    told = {"parent_ids": ["smp_q"], "model": "m", "named": "shown"} | values
    return pl.DataFrame([{"sample_id": f"smp_i{n}", "answer": text} | told for n, text in enumerate(texts)])


def of_interview(text: str, **values: Any) -> dict[str, Any]:
    [row] = answers_of(WHO, QUESTIONS, interviews(text, **values), NO_TALKS, NO_LOGS).to_dicts()
    return row


def of_logs(*rows: Any, who: pl.DataFrame = WHO) -> list[dict[str, Any]]:
    return answers_of(who, QUESTIONS, NO_INTERVIEWS, NO_TALKS, logged(*rows)).to_dicts()


def test_an_answer_is_what_the_character_says() -> None:
    row = of_interview("In Ulm, 茶馆 above.")
    assert (row["words"], row["length"], row["flags"]) == ("In Ulm, 茶馆 above.", 5, [])
    assert (row["kind"], row["system"], row["named"], row["topic"]) == ("single", "m", "shown", "past")
    assert row["talk"] == [{"asked": "Where do you live?", "said": "In Ulm, 茶馆 above."}]
    assert (row["answer_id"], row["question_id"], row["parent"]) == ("smp_i0", "smp_q", "smp_c")


def test_systems_side_by_side_are_called_as_the_settings_call_them() -> None:
    assert of_interview("In Ulm.", system="tuned")["system"] == "tuned"


@pytest.mark.parametrize(
    ("text", "words", "flags"),
    [
        ("Ilse (thinking): Again.\nIlse Brandt (speaking): In Ulm.<|eot|>", "In Ulm.", []),
        ("Ilse (thinking): Again.", "", ["only_thinking"]),
        ("Ilse (speaking): In Ulm.\nOtto (speaking): And I in Bonn.", "In Ulm.", ["speaks_for_others"]),
        ("Ilse (speaking): In Ulm.\nVisitor (speaking): Why?", "In Ulm.", ["speaks_for_interviewer"]),
        ("In Ulm.\n\nVisitor (speaking): Why?", "In Ulm.", ["script_inside"]),
    ],
)
def test_an_answer_as_a_script_is_read_as_one(text: str, words: str, flags: list[str]) -> None:
    row = of_interview(text)
    assert (row["words"], row["flags"]) == (words, flags)


def test_of_a_talk_each_turn_has_what_was_asked_and_what_the_character_said() -> None:
    talk = [
        ("interviewer", "Where?"),
        ("character", "In Ulm."),
        ("interviewer", "Why?"),
        ("character", "Otto (speaking): No."),
    ]
    entries = [{"speaker": who, "text": text, "beside": "{}"} for who, text in talk]
    told = {"sample_id": "smp_t", "parent_ids": ["smp_q"], "model": "m", "named": "hidden", "talk": entries}
    [row] = answers_of(WHO, QUESTIONS, NO_INTERVIEWS, pl.DataFrame([told]), NO_LOGS).to_dicts()
    assert row["talk"] == [{"asked": "Where?", "said": "In Ulm."}, {"asked": "Why?", "said": ""}]
    assert (row["words"], row["kind"], row["named"]) == ("In Ulm.", "multi", "hidden")
    assert row["flags"] == ["speaks_for_others"]


def test_a_logged_interview_is_matched_by_any_of_the_names_once() -> None:
    found = of_logs(single(entry("In Ulm.")), multi(*WHOLE))
    assert [(row["kind"], row["system"], row["words"]) for row in found] == [
        ("single", "tuned", "In Ulm."), ("multi", "tuned", "Answer 0.\nAnswer 1.")
    ]  # fmt: skip
    assert [(row["topic"], row["question_id"]) for row in found] == [("past", "smp_q"), (None, None)]
    assert found[0]["talk"] == [{"asked": "Where do you live?", "said": "In Ulm."}]
    assert [one["asked"] for one in found[1]["talk"]] == ["Question 0?", "Question 1?"]


def test_a_logged_interview_of_somebody_else_is_none_of_the_character() -> None:
    assert of_logs(single(entry("x", "Otto")), who=WHO) != []  # the folder says whose it is
    stranger = WHO.with_columns(names=pl.lit(["Otto Maier"]), name=pl.lit("Otto Maier"))
    assert of_logs(single(entry("In Ulm.")), who=stranger) == []


def test_what_was_logged_for_the_interviewer_is_no_word_of_the_character() -> None:
    [row] = of_logs(multi(asked(0), answered(0, entry("Mine."), entry("And?", OTHER)), asked(1), answered(1)))
    assert (row["words"], row["flags"]) == ("Mine.\nAnswer 1.", ["speaks_for_interviewer"])
    assert [one["said"] for one in row["talk"]] == ["Mine.", "Answer 1."]


def test_where_nobody_answered_there_are_no_rows_and_all_columns() -> None:
    found = answers_of(WHO, QUESTIONS, NO_INTERVIEWS, NO_TALKS, NO_LOGS)
    assert found.is_empty()
    assert set(COLUMNS) <= set(found.columns)
