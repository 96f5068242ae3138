"""What characters are asked in interviews: questions of files in the published layout, and those that a model wrote.

A file holds a list of `topic_id`, `topic` and `question`. It is of the character whose name stands in the name of the
file, such as `generated_agent_interview_Ada.json`; with `multiturn` in it, its questions open interviews in turns.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import polars as pl

from persona_assets.characters.logs import MULTI, SINGLE
from persona_assets.characters.profile import profile_of
from persona_assets.characters.training import meta_prompt
from persona_assets.errors import UsageError
from persona_assets.text.sentences import sentence_spans

TRAPS = "traps"  # the topic of what a character cannot know
EITHER = "either"  # a question for a single interview and for one in turns
COLUMNS: dict[str, Any] = {
    "character_id": pl.String,
    "name": pl.String,
    "kind": pl.String,
    "topic_id": pl.String,
    "topic": pl.String,
    "question": pl.String,
    "prompt": pl.String,
    "about": pl.String,
    "hidden_question": pl.String,
    "hidden_prompt": pl.String,
    "hidden_about": pl.String,
    "file_row_id": pl.String,
    "written_id": pl.String,
}
NULLABLE = ("topic_id", "topic", "file_row_id", "written_id")

_MOST_ABOUT = 600  # characters of a profile that say who somebody is
_HAN = re.compile("[\u4e00-\u9fff]")  # which parts no words by spaces
_WORD = re.compile(r"[^\W_]+")
_HIDDEN = {"en": "the person described", "zh": "此人", "ru": "этот человек"}
_WHERE = {
    "en": ("A quiet room, in the afternoon", "{name} has agreed to answer the questions of a visitor."),
    "zh": ("下午，一间安静的屋子里", "{name}答应回答一位来访者的问题。"),
    "ru": ("Тихая комната, после полудня", "{name} соглашается ответить на вопросы посетителя."),
}


def questions_of(characters: pl.DataFrame, files: pl.DataFrame, written: pl.DataFrame) -> pl.DataFrame:
    """The questions of each character, each once, with the prompts under which they are asked.

    `characters` has `sample_id`, `character_id`, `name`, `names`, `language` and `profile`; `files` the rows of
    question files, with what these have; `written` has `sample_id`, `character_id`, `topic` and `question`. The frame
    has `parent_ids`, `COLUMNS`, and `reason` and `detail` of characters whom nobody asks anything (`no_question`). In
    the hidden texts the name is replaced, as a famous one is remembered and not played.

    Raises:
        UsageError: a row of a file has no question; the message names file and row.
    """
    told = _in_files(files)
    own = written.sort("topic", "sample_id").partition_by("character_id", as_dict=True)
    rows = []
    for row in characters.sort("sample_id").iter_rows(named=True):
        of_files = [one for words, some in told.items() if _is_of(row["names"], words) for one in some]
        asked = dict[tuple[str, str], dict[str, Any]]()
        for one in [*of_files, *_written(own.get((row["character_id"],), written.clear()))]:
            asked.setdefault((one["kind"], one["question"]), one)
        who, somebody = _who(row), _HIDDEN.get(row["language"], _HIDDEN["en"])
        for one in asked.values():
            hidden = without_names(one["question"], row["names"], somebody)
            rows.append({**who, **one, "hidden_question": hidden})
        if not asked:
            said = "no file names the character, and no question was written of the profile"
            rows.append({"parent_ids": [row["sample_id"]], "reason": "no_question", "detail": said})
    schema = {"parent_ids": pl.List(pl.String), **COLUMNS, "reason": pl.String, "detail": pl.String}
    return pl.DataFrame(rows, schema=schema)


def _in_files(files: pl.DataFrame) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """The questions of files, in their order, by the words of the files' names."""
    found = dict[tuple[str, ...], list[dict[str, Any]]]()
    for row in files.sort("file", "place").iter_rows(named=True):
        question = row.get("question")
        if not (isinstance(question, str) and question.strip()):
            raise UsageError(f"{row['file']}, row {row['place'] + 1}: it has no text in `question`; write one")
        words = _words(PurePosixPath(row["file"]).stem)
        told = {name: None if row.get(name) is None else str(row[name]) for name in ("topic_id", "topic")}
        kind = MULTI if "multiturn" in words else SINGLE
        found.setdefault(words, []).append({**told, "question": question, "kind": kind, "file_row_id": row["row_id"]})
    return found


def _written(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The questions that a model wrote; the first of each topic but traps may open a talk too."""
    opens = set(rows.filter(pl.col("topic") != TRAPS).unique("topic", keep="first", maintain_order=True)["sample_id"])
    for row in rows.iter_rows(named=True):
        kind = EITHER if row["sample_id"] in opens else SINGLE
        yield {**{name: row[name] for name in ("topic", "question")}, "kind": kind, "written_id": row["sample_id"]}


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))


def _is_of(names: Sequence[str], words: Sequence[str]) -> bool:
    """Whether one of the names stands among the words, whole."""
    found = (
        (own := _words(name)) and any(words[at : at + len(own)] == own for at in range(len(words))) for name in names
    )
    return any(found)


# Who is asked


def _who(row: Mapping[str, Any]) -> dict[str, Any]:
    """Who is asked, with the prompts; `hidden` ones have no name in them."""
    told = about(row["profile"])
    somebody = _HIDDEN.get(row["language"], _HIDDEN["en"])
    return {
        "parent_ids": [row["sample_id"]],
        "character_id": row["character_id"],
        "name": row["name"],
        "prompt": _prompt(row["name"], row["language"]),
        "about": told,
        "hidden_prompt": _prompt(somebody, row["language"]),
        "hidden_about": without_names(told, row["names"], somebody),
    }


def _prompt(name: str, language: str) -> str:
    place, status = _WHERE.get(language, _WHERE["en"])
    return meta_prompt(name, place, status.format(name=name), language)


def about(profile: str) -> str:
    """Who somebody is: the first sentences of a profile."""
    text = profile_of(profile).paragraphs[0].text
    end = 0
    for _, stop in sentence_spans(text):
        if stop > _MOST_ABOUT and end:
            break
        end = stop
    return " ".join(text[: min(end or _MOST_ABOUT, 2 * _MOST_ABOUT)].split())


def without_names(text: str, names: Sequence[str], somebody: str) -> str:
    """A text in which each name is replaced by words for somebody, the longest names first."""
    longest = sorted((name for name in names if name), key=lambda name: (-len(name), name))
    told = "|".join(
        re.escape(one) if _HAN.search(one) else rf"(?<![^\W_]){re.escape(one)}(?![^\W_])" for one in longest
    )
    return re.sub(told, lambda _: somebody, text) if told else text
