"""Small interview logs in the two published layouts, of a character that nobody knows."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.characters.logs import TEXTS, interviews_of

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "character_llm"  # where somebody has put it
OWN, OTHER = "Ilse", "Man"


def entry(text: str, speaker: str = OWN, action: str = "(speaking)") -> dict[str, str]:
    return {"role": speaker, "action": action, "content": text}


def single(reply: Any, question: str = "Where do you live?") -> dict[str, Any]:
    return {"topic_id": "topic-1", "question": question, "reply": reply}


def turn(number: int, role: str, *entries: Any) -> dict[str, Any]:
    return {"turn_id": number, "turn_role": role, "turn_content": list(entries)}


def multi(*turns: Any, **values: Any) -> dict[str, Any]:
    told = {"character": "Ilse Brandt", "model": "tuned-1", "topic": "How did you learn to bind books?", "qid": 3}
    return {**told, "max_turns": 2, "finished": True, "content": list(turns), **values}


def asked(number: int) -> dict[str, Any]:
    return turn(number, "interviewer", entry(f"Question {number}?", OTHER))


def answered(number: int, *entries: Any) -> dict[str, Any]:
    return turn(number, "character", *(entries or [entry(f"Answer {number}.")]))


WHOLE = (asked(0), answered(0), asked(1), answered(1))
FOLDER = "Ilse_tuned_result"


def read(*rows: Any, folder: str = FOLDER) -> pl.DataFrame:
    """What is made of rows as a log file holds them."""
    told = [
        {"row_id": f"row_{place}", "file": f"interview_logs/{folder}/now.json", "place": place, **_texts(row)}
        for place, row in enumerate(rows)
    ]
    return interviews_of(pl.DataFrame(told, infer_schema_length=None))


def _texts(row: dict[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name in TEXTS else value for name, value in row.items()}


def write(folder: Path, singles: Sequence[Any] = (), multis: Sequence[Any] = ()) -> Path:
    """Log files in a folder of task files."""
    for name, text in (
        (f"{FOLDER}/now.json", json.dumps(singles, ensure_ascii=False)),
        (f"multiturn_{FOLDER}/now.jsonl", "\n".join(json.dumps(one, ensure_ascii=False) for one in multis)),
    ):
        path = folder / "interview_logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
