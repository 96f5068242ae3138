"""Interviews with characters as others logged them (Character-LLM, arXiv 2310.10158), read without loss.

A single interview is a mapping of `topic_id`, `question` and `reply`, an entry or a list of entries. An interview in
turns has `character`, `model`, `topic` (what is asked), `qid`, `max_turns`, `finished`, and `content`: a list of
`turn_id`, `turn_role` and `turn_content`, a list of entries. An entry is `role` (who speaks), `action` and `content`.
The folder `<Character>_<system>_result`, or `multiturn_...`, says which system answered; a file may be called so too.

What a system wrote for others, or only thought, stays in `turns` and is flagged; `words` is what the character says.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any, TypeVar

import polars as pl

from persona_assets.ids import Json

TEXTS = ("reply", "content")  # columns whose values have several shapes, kept as JSON text
SINGLE, MULTI = "single", "multi"
INTERVIEWER, CHARACTER = "interviewer", "character"
SPEAKING, THINKING = "speaking", "thinking"
TURN = pl.Struct({"number": pl.Int64, "role": pl.String, "speaker": pl.String, "action": pl.String, "text": pl.String})

FLAGS: Mapping[str, str] = {
    "speaks_for_interviewer": "the character's turn holds words of the interviewer",
    "speaks_for_others": "the character's turn holds words of somebody else",
    "script_inside": "an entry of the character goes on as a script, with words of others",
    "cut_off": "an entry of the character was cut off, as a marker at its end says",
    "only_thinking": "the character thinks in its turn and says nothing",
    "no_reply": "there is no reply at all",
    "empty_text": "an entry of the character holds no text",
    "unknown_action": "an entry neither speaks nor thinks",
    "missing_turn": "turns are missing, or stand in another order",
    "unfinished": "the log says that the interview was not finished",
}

COLUMNS: dict[str, Any] = {
    "character": pl.String,
    "speaker": pl.String,
    "system": pl.String,
    "model": pl.String,
    "kind": pl.String,
    "topic_id": pl.String,
    "question": pl.String,
    "number": pl.Int64,
    "most_turns": pl.Int64,
    "finished": pl.Boolean,
    "listed": pl.Boolean,
    "turns": pl.List(TURN),
    "words": pl.String,
    "flags": pl.List(pl.String),
}
NULLABLE = ("model", "topic_id", "number", "most_turns", "finished", "listed")

V = TypeVar("V", str, int, bool)
_FOLDER = re.compile(r"(multiturn_)?(?P<character>[^_]+)_(?P<system>.+)_result")
# A line of a script inside a text, `Name (speaking):`, and the marker that a model leaves where it was stopped.
LINE = re.compile(r"^[^\S\n]*(?P<name>[^\n:()]{1,60}?)[^\S\n]*\((?:speaking|thinking)\)[^\S\n]*:", re.MULTILINE)
_MARKER = re.compile(r"<\|[^|<>\n]{1,40}\|>\s*\Z")
_MISSPELLED = 0.75  # from which likeness on two names are one
_ENTRY = ("role", "action", "content")
_NAMES = re.compile(r"\w+")


class _Wrong(ValueError):
    """Why a row is no interview: a reason code and what is wrong."""

    def __init__(self, reason: str, said: str) -> None:
        super().__init__(said)
        self.reason = reason


@dataclass(frozen=True)
class _Logged:
    """A row of a log as it is read, before anybody knows by which name the character speaks."""

    row_id: str
    character: str | None
    turns: Sequence[Mapping[str, Any]]
    columns: Mapping[str, Any]
    flags: Sequence[str]


def interviews_of(rows: pl.DataFrame) -> pl.DataFrame:
    """The interviews that rows of log files hold.

    `rows` has `row_id`, `file` and `place`, and what the files have; `reply` and `content` are JSON text. The frame has
    `parent_ids`, `COLUMNS`, and `reason` and `detail` of rows that are none: `not_an_interview`, `no_question`,
    `wrong_reply`, `wrong_turn`. `words` are those that the character speaks aloud, turns apart by a line.
    `flags` are of `FLAGS`, each as often as there are such turns.
    """
    read, aside = list[_Logged](), list[dict[str, Any]]()
    for row in rows.iter_rows(named=True):
        try:
            read.append(_read(row))
        except _Wrong as error:
            detail = f"{row['file']}, row {row['place'] + 1}: {error}"
            aside.append({"parent_ids": [row["row_id"]], "reason": error.reason, "detail": detail})
    found = [_told(one, speaker, others) for one, speaker, others in _speakers(read)]
    schema = {"parent_ids": pl.List(pl.String), **COLUMNS, "reason": pl.String, "detail": pl.String}
    return pl.DataFrame([*found, *aside], schema=schema)


def words_of(turns: Iterable[Mapping[str, Any]], speaker: str) -> str:
    """What the character says aloud, entries apart by a line; `speaker` is the name under which it does.

    Of a text that goes on as a script nothing from its first line on, and no marker of a cut.
    """
    return "\n".join(_said(one["text"], speaker) for one in turns if _own(one, speaker) and one["action"] == SPEAKING)


def _said(text: str, speaker: str) -> str:
    """What is said in a text before anybody else speaks in it; a text of one speaker stays as it is."""
    own = _marked(text, speaker)
    line = LINE.search(own)
    cut = own[: line.start()] if line else own
    told = _MARKER.sub("", cut)
    return text if told == text else told.strip()


def _marked(text: str, speaker: str) -> str:
    """A text without the name of its own speaker at its beginning."""
    line = LINE.match(text)
    return text[line.end() :] if line and line["name"] == speaker else text


def _own(turn: Mapping[str, Any], speaker: str) -> bool:
    return bool(turn["role"] == CHARACTER and turn["speaker"] == speaker)


# A row


def _read(row: Mapping[str, Any]) -> _Logged:
    """A row of a log.

    Raises:
        _Wrong: it holds no interview.
    """
    reply, content = (_json(name, row.get(name)) for name in TEXTS)
    if (reply is None) == (content is None):
        said = "neither `reply` nor `content`" if reply is None else "both `reply` and `content`: leave one out"
        raise _Wrong("not_an_interview", f"it has {said}")
    asked = row.get("question" if content is None else "topic")
    if not (isinstance(asked, str) and asked.strip()):
        raise _Wrong("no_question", f"it has no text in `{'question' if content is None else 'topic'}`")
    folder, stem = _named(row["file"])
    model = _told_as(str, row, "model")
    turns, flags = _single(reply) if content is None else _multi(content, row)
    columns = {
        "system": folder["system"] if folder else model or stem,
        "model": model,
        "kind": SINGLE if content is None else MULTI,
        "topic_id": _told_as(str, row, "topic_id"),
        "question": asked,
        "number": _told_as(int, row, "qid"),
        "most_turns": _told_as(int, row, "max_turns"),
        "finished": _told_as(bool, row, "finished"),
        "listed": isinstance(reply, list) if content is None else None,
    }
    character = _told_as(str, row, "character") or (folder["character"] if folder else None)
    return _Logged(row["row_id"], character, turns, columns, flags)


def _told_as(kind: type[V], row: Mapping[str, Any], name: str) -> V | None:
    """A value of a row, where it is of this kind."""
    value = row.get(name)
    return value if type(value) is kind else None


def _named(file: str) -> tuple[re.Match[str] | None, str]:
    """What the folder of a file says, else its own name; and its name without kind."""
    path = PurePosixPath(file)
    return _FOLDER.fullmatch(path.parent.name) or _FOLDER.fullmatch(path.stem), path.stem


def _json(name: str, text: str | None) -> Json:
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise _Wrong("wrong_reply", f"`{name}` is a plain text; give entries with role, action and content") from error


def _single(reply: Json) -> tuple[list[dict[str, Any]], list[str]]:
    if not isinstance(reply, list | dict):
        raise _Wrong("wrong_reply", "`reply` is neither an entry nor a list of entries")
    entries = reply if isinstance(reply, list) else [reply]
    turns = [_entry(one, 0, CHARACTER, f"reply {place + 1}") for place, one in enumerate(entries)]
    return turns, [] if turns else ["no_reply"]


def _multi(content: Json, row: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    if not isinstance(content, list):
        raise _Wrong("wrong_turn", "`content` is no list of turns")
    turns, there = list[dict[str, Any]](), list[tuple[int, str]]()
    for place, turn in enumerate(content):
        where = f"turn {place + 1}"
        number, role, entries = (_of(turn, f"turn_{name}", where) for name in ("id", "role", "content"))
        if not isinstance(number, int) or role not in (INTERVIEWER, CHARACTER) or not isinstance(entries, list):
            raise _Wrong("wrong_turn", f"{where}: it needs a number, a role and a list of entries")
        there += [(number, role)] if entries else []
        turns += [_entry(one, number, role, f"{where}, entry {at + 1}") for at, one in enumerate(entries)]
    expected = [(number, role) for number in range(len(there) // 2) for role in (INTERVIEWER, CHARACTER)]
    finished = _told_as(bool, row, "finished")
    cut = finished and len(there) < 2 * (_told_as(int, row, "max_turns") or 0)
    missing = there != expected or not there or cut
    unfinished = finished is False
    return turns, [name for name, so in (("missing_turn", missing), ("unfinished", unfinished)) if so]


def _of(turn: Json, name: str, where: str) -> Json:
    if not isinstance(turn, dict) or name not in turn:
        raise _Wrong("wrong_turn", f"{where}: it has no `{name}`")
    return turn[name]


def _entry(entry: Json, number: int, role: str, where: str) -> dict[str, Any]:
    """What somebody says or thinks; `(speaking)` is `speaking`."""
    told = [entry.get(name) for name in _ENTRY] if isinstance(entry, dict) else []
    texts = [one for one in told if isinstance(one, str)]
    if len(texts) < len(_ENTRY):
        raise _Wrong("wrong_turn", f"{where}: it needs texts in `role`, `action` and `content`")
    speaker, action, text = texts
    return {
        "number": number,
        "role": role,
        "speaker": speaker,
        "action": action.removeprefix("(").removesuffix(")"),
        "text": text,
    }


# Who speaks


def _speakers(read: Sequence[_Logged]) -> Iterator[tuple[_Logged, str, frozenset[str]]]:
    """Each row with the name by which its character speaks, and the names of interviewers.

    The name is that of most entries in the turns of one character, of names that share a word with its own first.
    """
    counts, first = defaultdict[str | None, Counter[str]](Counter), dict[str, int]()
    others = defaultdict[str | None, set[str]](set)
    for one in read:
        for turn in one.turns:
            if turn["role"] == CHARACTER:
                counts[one.character][turn["speaker"]] += 1
                first.setdefault(turn["speaker"], len(first))
            else:
                others[one.character].add(turn["speaker"])
    names = {
        of: max(found, key=lambda name: (_alike(name, of), found[name], -first[name])) for of, found in counts.items()
    }
    for one in read:
        name = names.get(one.character, one.character or "")
        yield one, name, frozenset(others[one.character] - {name})


def _alike(name: str, character: str | None) -> bool:
    words, own = (set(_NAMES.findall(text.casefold())) for text in (name, character or ""))
    return bool(words & own)


def _told(one: _Logged, speaker: str, interviewers: frozenset[str]) -> dict[str, Any]:
    """The row of an interview."""
    by_turn = groupby(one.turns, key=lambda turn: (turn["number"], turn["role"]))
    found = [*one.flags, *(flag for _, turns in by_turn for flag in flags_of([*turns], speaker, interviewers))]
    # A folder may misspell the name that its replies have.
    misspelled = one.columns["kind"] == SINGLE and get_close_matches(
        speaker, [one.character or speaker], 1, _MISSPELLED
    )
    character = speaker if misspelled else one.character or speaker
    return {
        "parent_ids": [one.row_id],
        "character": character,
        "speaker": speaker,
        **one.columns,
        "turns": [*one.turns],
        "words": words_of(one.turns, speaker),
        "flags": sorted(found, key=[*FLAGS].index),
    }


def flags_of(turns: Sequence[Mapping[str, Any]], speaker: str, interviewers: frozenset[str]) -> Iterator[str]:
    """What is to be said of the entries of a turn."""
    own = [turn for turn in turns if _own(turn, speaker)]
    stray = {turn["speaker"] for turn in turns if turn["role"] == CHARACTER} - {speaker}
    if stray & interviewers:
        yield "speaks_for_interviewer"
    if stray - interviewers:
        yield "speaks_for_others"
    if own and all(turn["action"] == THINKING for turn in own):
        yield "only_thinking"
    if any(LINE.search(_marked(turn["text"], speaker)) for turn in own):
        yield "script_inside"
    if any(_MARKER.search(turn["text"]) for turn in own):
        yield "cut_off"
    if any(not turn["text"].strip() for turn in own):
        yield "empty_text"
    if any(turn["action"] not in (SPEAKING, THINKING) for turn in turns):
        yield "unknown_action"
