"""What systems answered as characters, of interviews of our own and of those that others logged, in one form."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import polars as pl

from persona_assets.characters.logs import (
    CHARACTER,
    FLAGS,
    INTERVIEWER,
    LINE,
    MULTI,
    SINGLE,
    SPEAKING,
    TURN,
    flags_of,
    words_of,
)
from persona_assets.prompts.scripts import BACKGROUND, script

SHOWN = "shown"  # of the name, which may be hidden
PAIR = pl.Struct({"asked": pl.String, "said": pl.String})
VISITOR = "Visitor"
COLUMNS: dict[str, Any] = {
    "character_id": pl.String,
    "name": pl.String,
    "about": pl.String,
    "system": pl.String,
    "kind": pl.String,
    "named": pl.String,
    "topic": pl.String,
    "question": pl.String,
    "turns": pl.List(TURN),
    "talk": pl.List(PAIR),
    "words": pl.String,
    "length": pl.Int64,
    "flags": pl.List(pl.String),
    "answer_id": pl.String,
    "question_id": pl.String,
}
NULLABLE = ("topic", "question_id")
_GIVEN = {**COLUMNS, "id": pl.String, "shard": pl.String, "language": pl.String, "parent": pl.String}
TurnsOf = Callable[[Mapping[str, Any]], tuple[str, list[dict[str, Any]]]]
_WORDS = r"\p{Han}|[^\W\p{Han}]+"  # of Chinese each character counts


def answers_of(
    characters: pl.DataFrame,
    questions: pl.DataFrame,
    interviews: pl.DataFrame,
    talks: pl.DataFrame,
    logged: pl.DataFrame,
) -> pl.DataFrame:
    """One row for each system and question, with `COLUMNS`, `id`, `shard`, `language` and, of the character, `parent`.

    `characters` has `sample_id`, `shard`, `language`, `character_id`, `name`, `names` and `about`; `questions` are rows
    of `interview_questions`; `interviews` and `talks` what systems answered to them, `logged` rows of
    `logged_interviews`, which are matched by the names of the character. `length` counts words, of Chinese characters.
    """
    who = characters.select("character_id", "name", "names", "about", "shard", "language", parent="sample_id")
    asked = questions.select("character_id", "topic", "question", question_id="sample_id")
    rows = [
        *_own(who, asked, interviews, _of_interview),
        *_own(who, asked, talks, _of_talk),
        *_logged(who, asked, logged),
    ]
    found = pl.DataFrame([{name: row.get(name) for name in _GIVEN} for row in rows], schema=_GIVEN)
    return found.with_columns(length=pl.col("words").str.count_matches(_WORDS).cast(pl.Int64)).sort("id")


def _own(who: pl.DataFrame, asked: pl.DataFrame, answers: pl.DataFrame, turns_of: TurnsOf) -> Iterator[dict[str, Any]]:
    """Answers to questions of ours."""
    told = answers.with_columns(
        question_id=pl.col("parent_ids").list.first(),
        system="system" if "system" in answers.columns else "model",
        named="named" if "named" in answers.columns else pl.lit(SHOWN),
    ).select(pl.exclude("language", "shard", "name"))
    for row in told.join(asked, on="question_id").join(who, on="character_id").iter_rows(named=True):
        kind, turns = turns_of(row)
        yield _row(row, row["sample_id"], kind, row["named"], turns, [])


def _of_interview(row: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The entries of an answer, which may be told as a script."""
    text = row["answer"]
    said = script(text) if LINE.match(text) else [{"speaker": row["name"], "action": SPEAKING, "text": text}]
    own = {one.casefold() for one in row["names"]}
    return SINGLE, [
        {
            **one,
            "number": 0,
            "role": CHARACTER,
            "speaker": row["name"] if one["speaker"].casefold() in own else one["speaker"],
        }
        for one in said
        if one["action"] != BACKGROUND
    ]


def _of_talk(row: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The entries of a talk, of which every second one is the character's."""
    found = list[dict[str, Any]]()
    for place, one in enumerate(row["talk"]):
        if place % 2:
            _, entries = _of_interview({**row, "answer": one["text"]})
            found += [{**entry, "number": place // 2} for entry in entries]
        else:
            told = {"speaker": VISITOR, "action": SPEAKING, "text": one["text"]}
            found.append({**told, "number": place // 2, "role": INTERVIEWER})
    return MULTI, found


def _logged(who: pl.DataFrame, asked: pl.DataFrame, logged: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Interviews that others logged, of the characters that have such a name."""
    named = who.explode("names", empty_as_null=True, keep_nulls=True).with_columns(
        called=pl.col("names").str.to_lowercase()
    )
    called = (
        logged.with_columns(called=pl.concat_list("character", "speaker"))
        .explode("called", empty_as_null=True, keep_nulls=True)
        .with_columns(pl.col("called").str.to_lowercase())
        .select("called", logged_id="sample_id")
    )
    pairs = (
        called.join(named.select("called", "character_id"), on="called").select("logged_id", "character_id").unique()
    )
    rows = (
        pairs.join(logged.rename({"sample_id": "logged_id"}).drop("shard", "language", strict=False), on="logged_id")
        .join(who, on="character_id")
        .join(
            asked.unique(["character_id", "question"], keep="first", maintain_order=True),
            on=("character_id", "question"),
            how="left",
        )
        .sort("logged_id", "character_id")
    )
    for row in rows.iter_rows(named=True):
        yield _row(row, row["logged_id"], row["kind"], SHOWN, row["turns"], row["flags"], row["speaker"])


def _row(
    row: Mapping[str, Any],
    answer_id: str,
    kind: str,
    named: str,
    turns: Sequence[Mapping[str, Any]],
    flags: Sequence[str],
    speaker: str = "",
) -> dict[str, Any]:
    speaker = speaker or row["name"]
    by_turn = groupby(turns, key=lambda turn: (turn["number"], turn["role"]))
    own = flags or sorted(
        (flag for _, entries in by_turn for flag in flags_of([*entries], speaker, frozenset({VISITOR}))),
        key=[*FLAGS].index,
    )
    talk = _talk(turns, speaker)
    return {
        **{name: row[name] for name in ("character_id", "name", "about", "system", "topic", "question", "question_id")},
        **{name: row[name] for name in ("shard", "language", "parent")},
        "id": f"{row['character_id']}:{answer_id}",
        "kind": kind,
        "named": named,
        "turns": [*turns],
        "talk": talk if kind == MULTI else [{"asked": row["question"], "said": words_of(turns, speaker)}],
        "words": words_of(turns, speaker),
        "flags": [*own],
        "answer_id": answer_id,
    }


def _talk(turns: Sequence[Mapping[str, Any]], speaker: str) -> list[dict[str, str]]:
    """What was asked and what the character said, turn by turn; nobody else's words are the character's."""
    found = []
    for _, told in groupby(turns, key=lambda turn: turn["number"]):
        entries = [*told]
        asked = "\n".join(one["text"] for one in entries if one["role"] == INTERVIEWER and one["action"] == SPEAKING)
        found.append({"asked": asked, "said": words_of(entries, speaker)})
    return found
