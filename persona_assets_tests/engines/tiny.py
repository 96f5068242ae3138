"""A tiny hop, its questions, and the answers that a loopback server gives; also run as a program to be killed."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from persona_assets.engines.base import Sampling, call_key
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.ids import make_id
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.steps.runner import Ask, Context, Parsed, Reject, Report, StepRunner, write_outcomes
from persona_assets_tests.engines.server import Body

SHARD = "d.0000"
MODEL = "m"
TEMPLATE = Template.model_validate(
    {
        "name": "tiny",
        "version": 3,
        "title": "Tiny",
        "description": "Asks who would read a text.",
        "messages": [
            {"role": "system", "content": "You name one reader of the text, as JSON."},
            {"role": "user", "content": "<document>{{ text }}</document>"},
        ],
        "response_schema": {
            "type": "object",
            "properties": {"persona": {"type": "string", "minLength": 3}},
            "required": ["persona"],
            "additionalProperties": False,
        },
    }
)


class TinyStep:
    """One persona per document."""

    table: Table = EXTRACTED_PERSONAS
    template: Template = TEMPLATE

    turns: tuple[Template, ...] = (TEMPLATE,)
    mends = False

    def variables(self, ask: Ask, before: Sequence[Any] = ()) -> dict[str, Any]:
        return {"text": ask.row["text"]}

    def parse(self, ask: Ask, answer: Any, before: Sequence[Any] = ()) -> Parsed:
        text = answer["persona"]
        persona_id = make_id("per", ask.parent_id, text)
        if "nobody" in text:
            return Parsed(rejects=[Reject("nobody", text, persona_id)])
        row = {
            "persona_id": persona_id,
            "document_id": ask.parent_id,
            "parent_persona_id": None,
            "relation": "read",
            "hop": 0,
            "text": text,
            "language": "en",
            "granularity": "fine",
            "window": 0,
        }
        return Parsed(rows=[row])


def asks(count: int, start: int = 0) -> Iterator[Ask]:
    """Questions about numbered documents."""
    for number in range(start, start + count):
        yield Ask({"text": f"Page {number} on bees"}, {}, 0, (("raw_documents", f"doc_{number}"),))


def run_step(context: Context, count: int, shard: str = SHARD) -> Report:
    """The whole hop over `count` documents."""
    runner = StepRunner(TinyStep(), context, shard)
    return write_outcomes(runner, runner.run(lambda: asks(count)))


def page(body: Body) -> int:
    """The number of the document that a request is about."""
    user = next(message["content"] for message in body["messages"] if message["role"] == "user")
    return int(user.split()[1])


def is_repair(body: Body) -> bool:
    """Whether a request is a repair attempt."""
    return "cannot be used" in body["messages"][-1]["content"]


def reader(body: Body) -> str:
    """A right answer."""
    return f'{{"persona": "A beekeeper who reads page {page(body)}"}}'


def mixed_reader(body: Body) -> str:
    """Right answers; every 5th is wrong at first and mended, every 7th stays wrong."""
    if page(body) % 7 == 0 or (page(body) % 5 == 0 and not is_repair(body)):
        return f'{{"people": {page(body)}}}'
    return reader(body)


def settings(url: str, **values: Any) -> Settings:
    """Settings of the openai engine for a loopback server."""
    return Settings(
        **{"engine": "openai", "model": MODEL, "base_url": url, "concurrency": 8, "max_retries": 4} | values
    )


def key_of(body: Body) -> str:
    """The ledger id of a request that the server saw, for the default settings."""
    engine = OpenAIEngine(settings("http://127.0.0.1/v1"))
    sampling = Sampling.of(engine.settings, TEMPLATE)
    return call_key(body["messages"], TEMPLATE.response_schema, engine.identity(TEMPLATE), sampling, 0)


def table_of(lake: Lake) -> tuple[list[Any], list[Any]]:
    """Rows and rejects of the hop without what two runs may differ in, sorted."""
    volatile = EXTRACTED_PERSONAS.volatile
    rows = lake.read(EXTRACTED_PERSONAS, SHARD).drop(volatile).sort("persona_id").rows()
    rejects = lake.rejects(EXTRACTED_PERSONAS).drop(volatile).sort("row_id", "reason").collect().rows()
    return rows, rejects


def stored_ids(lake: Lake) -> list[str]:
    """Every id that the ledger holds, as often as it holds it."""
    paths = lake.fs.glob(f"{lake.root}/calls/*/*/*.parquet")
    return (
        pl.concat([pl.read_parquet(path, columns=["call_id"]) for path in paths])["call_id"].to_list() if paths else []
    )


if __name__ == "__main__":
    values = settings(sys.argv[2])
    run_step(Context(Lake(sys.argv[1]), values, OpenAIEngine(values), "killed"), int(sys.argv[3]))
