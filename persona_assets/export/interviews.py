"""Interviews with characters, and what these are trained on, as the files of Character-LLM.

`interview_single/<Character>_<system>_result/*.json` is a list of `topic_id`, `question` and `reply`, and
`interview_turns/multiturn_<Character>_<system>_result/*.jsonl` has an interview a line, in turns. What was read from
such files is written as it was read. `prompted/prompted_agent_dialogue_<Character>.jsonl` has a training row a line,
with `prompt`, `output` and `source`, the row that it came from.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from persona_assets.characters.logs import SINGLE
from persona_assets.errors import UsageError
from persona_assets.export.listed import LINES, write_listed
from persona_assets.graph import Asset
from persona_assets.ids import Json
from persona_assets.lake import Lake

CHARACTER = "character"
ANSWERED = "interview_answers"
LOGS, LOGGED = "interview_logs", "logged_interviews"
TRAINING = "character_training"
_UNKNOWN = {"topic_id": None, "listed": True}  # of answers, whose replies are lists
_STRAY = re.compile(r"(?:[^\w-]|_)+")  # what no part of a folder's name may hold


def export_interviews(lake: Lake, graph: Mapping[str, Asset], source: str, out: Path) -> dict[str, int]:
    """Write the files of one of `_ROWS` into a new or empty folder; by file its rows.

    The folder is whole or not there. One partition is held at once.

    Raises:
        UsageError: the source is another, it has no row, or the folder is not empty.
    """
    if source not in _ROWS:
        *some, last = _ROWS
        named = f"{', '.join(some)} and {last}"
        raise UsageError(f"--format {CHARACTER} is for {named}, not for {source}: choose another format")
    return write_listed(out, source, _ROWS[source](lake, graph))


def _logged(lake: Lake, graph: Mapping[str, Asset]) -> Iterator[tuple[str, Json]]:
    """Interviews that others logged, in the order of their files."""
    table, logs = graph[LOGGED].table, graph[LOGS].table
    for key in sorted(lake.keys(table)):
        there = lake.read(logs, key).select("row_id", "file", "place")
        rows = lake.read(table, key).with_columns(row_id=pl.col("parent_ids").list.first())
        for row in rows.join(there, on="row_id", how="left").sort("place").iter_rows(named=True):
            yield _file(row, PurePosixPath(row["file"]).stem), _single(row) if row["kind"] == SINGLE else _multi(row)


def _answered(lake: Lake, graph: Mapping[str, Asset]) -> Iterator[tuple[str, Json]]:
    """What systems answered in this lake, and what others logged of the same characters."""
    table = graph[ANSWERED].table
    for key in sorted(lake.keys(table)):
        for row in lake.read(table, key).sort("system", "kind", "sample_id").iter_rows(named=True):
            yield _file(row, key), _single({**row, **_UNKNOWN}) if row["kind"] == SINGLE else _multi(_in_turns(row))


def _in_turns(row: Mapping[str, Any]) -> dict[str, Any]:
    """An interview with what the layout says of its turns."""
    told = {"character": row["name"], "model": row["model"] or row["system"], "number": None}
    return {**row, **told, "most_turns": len(row["talk"]), "finished": "unfinished" not in row["flags"]}


def _file(row: Mapping[str, Any], stem: str) -> str:
    """The file that an interview goes into."""
    name = "_".join(_STRAY.sub("-", row[part]).strip("-") or "nobody" for part in ("speaker", "system"))
    if row["kind"] == SINGLE:
        return f"interview_single/{name}_result/{stem}.json"
    return f"interview_turns/multiturn_{name}_result/{stem}{LINES}"


def _single(row: Mapping[str, Any]) -> Json:
    entries = [_entry(turn) for turn in row["turns"]]
    reply: Json = entries if row["listed"] or len(entries) != 1 else entries[0]
    return _known({"topic_id": row["topic_id"], "question": row["question"], "reply": reply})


def _multi(row: Mapping[str, Any]) -> Json:
    by_turn = groupby(row["turns"], key=lambda turn: (turn["number"], turn["role"]))
    content = [
        {"turn_id": number, "turn_role": role, "turn_content": [_entry(turn) for turn in turns]}
        for (number, role), turns in by_turn
    ]
    told = {"character": row["character"], "model": row["model"], "topic": row["question"], "qid": row["number"]}
    return _known({**told, "max_turns": row["most_turns"], "finished": row["finished"], "content": content})


def _entry(turn: Mapping[str, Any]) -> dict[str, str]:
    return {"role": turn["speaker"], "action": f"({turn['action']})", "content": turn["text"]}


def _known(told: Mapping[str, Json]) -> Json:
    return {name: value for name, value in told.items() if value is not None}


def _trained(lake: Lake, graph: Mapping[str, Asset]) -> Iterator[tuple[str, Json]]:
    """What characters are trained on, those held out in files of their own."""
    table = graph[TRAINING].table
    for key in sorted(lake.keys(table)):
        for row in lake.read(table, key).sort("name", "sample_id").iter_rows(named=True):
            name = _STRAY.sub("-", row["name"]).strip("-") or "nobody"
            held = "" if row["split"] == "train" else f"_{row['split']}"
            told = {"prompt": row["prompt"], "output": row["output"], "source": row["source_id"]}
            yield f"prompted/prompted_agent_dialogue_{name}{held}{LINES}", told


_ROWS: Mapping[str, Callable[[Lake, Mapping[str, Asset]], Iterator[tuple[str, Json]]]] = {
    LOGGED: _logged,
    ANSWERED: _answered,
    TRAINING: _trained,
}
