"""A small deterministic engine whose answers a test writes, and rows to ask about."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.engines.base import Completion, Failure, ModelIdentity, Request, Result
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import EXTRACTED_PERSONAS, RAW_DOCUMENTS
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.steps.runner import Context
from persona_assets_tests.rows import SHARD, document, put

TRADES = "potter baker nurse miller tailor diver weaver cooper farrier glazier".split()  # noqa: SIM905
PLACES = "harbour mountain city desert island valley forest village river border".split()  # noqa: SIM905
HABITS = "sings counts birds", "collects old maps", "writes long letters", "repairs clocks", "keeps three goats"

Answer = Callable[[dict[str, str]], Any]


def sections(request: Request) -> dict[str, str]:
    """What stands between the tags of the first user message; a repair's own message comes after it."""
    question = next(message["content"] for message in request.messages if message["role"] == "user")
    return dict(re.findall(r"<([a-z_]+)>\s*(.*?)\s*</\1>", question, flags=re.DOTALL))


def invented(seed: str) -> str:
    """A persona of its own for every seed; English, and fit for every rule."""
    number = int.from_bytes(seed.encode()[-40:], "big") % 999_983
    trade, place = TRADES[number % 10], PLACES[number // 10 % 10]
    habit = HABITS[number // 100 % 5]
    return f"A {trade} in the {place} who {habit} and remembers the winter of {1000 + number % 977} with a smile"


def from_document(asked: dict[str, str]) -> Any:
    """As many personas as asked for."""
    relations, count = asked["relations"].split(", "), int(asked["personas_per_relation"])
    return {
        "personas": [
            {"relation": relation, "persona": invented(f"{asked['document'][:60]}{relation}{index}")}
            for relation in relations
            for index in range(count)
        ]
    }


def from_persona(asked: dict[str, str]) -> Any:
    """One persona that depends on the parent and the relation."""
    return {"relation": asked["relation"], "persona": invented(asked["relation"] + asked["persona"][-30:])}


class ScriptedEngine:
    """Answers by a function of the prompt's sections; None is a failure, a string is sent as it is."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Request] = []

    def identity(self, template: Template) -> ModelIdentity:
        return ModelIdentity("scripted", "1")

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        for request in requests:
            self.asked.append(request)
            answer = self.answer(sections(request))
            if answer is None:
                yield [Failure(request.call_id, "timeout", "no answer in time")]
            else:
                text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
                yield [Completion(request.call_id, text, "stop", 10, 5, 0.1)]

    def close(self) -> None:
        pass


def context(folder: Path, answer: Answer, **settings: Any) -> tuple[Context, ScriptedEngine]:
    """A context over a lake in `folder`."""
    engine = ScriptedEngine(answer)
    return Context(Lake(folder), Settings(**settings), engine, "run"), engine


def put_documents(lake: Lake, count: int, shard: str = SHARD) -> list[dict[str, Any]]:
    rows = [
        document(f"{i}", text=f"Page {i} tells how to fire a kiln of {i} bricks. It takes a night.")
        for i in range(count)
    ]
    put(lake, RAW_DOCUMENTS, *rows, shard=shard)
    return rows


def seed(name: str, **values: Any) -> dict[str, Any]:
    """An extracted persona."""
    row = {
        "persona_id": f"per_{name}",
        "document_id": f"doc_{name}",
        "parent_persona_id": None,
        "relation": "read",
        "hop": 0,
        "text": invented(f"seed {name}"),
        "language": "en",
        "granularity": "fine",
        "call_id": f"call_{name}",
        "template": "text_to_persona",
        "template_version": 1,
        "model": "scripted",
        "shard": SHARD,
        "run_id": "run",
        "created_at": document("x")["created_at"],
    }
    return row | values


def put_seeds(lake: Lake, *names: str | dict[str, Any]) -> None:
    put(lake, EXTRACTED_PERSONAS, *(seed(name) if isinstance(name, str) else name for name in names))


def content(lake: Lake, table: Table, shard: str = SHARD) -> pl.DataFrame:
    """A partition without what may differ between runs, in id order."""
    return lake.read(table, shard).drop(table.volatile).sort(table.key)


def rejects(lake: Lake, table: Table, columns: Sequence[str] = ("row_id", "reason", "detail")) -> pl.DataFrame:
    """What a partition set aside."""
    return lake.rejects(table, SHARD).select(*columns).sort(columns).collect()
