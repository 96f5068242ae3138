"""The extraction hop over one shard, in a process of its own. python -m benchmarks.engines_ours LAKE [--url URL | --none]

Answers come from a server, from an engine in the process that answers at once, or (--none) from the ledger alone.
Prints what it did as JSON; the clock runs from documents in the lake to personas and ledger in the lake. --check looks
at what stands there afterwards, in a process of its own again, as it needs memory too.
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import polars as pl

from benchmarks.engines_input import SHARD
from benchmarks.engines_server import NUMBER, answer
from persona_assets.engines.base import Completion, Engine, EngineUnavailable, ModelIdentity, Request, Result
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.lake import Lake
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.personas.extract import extract_personas
from persona_assets.prompts import Template
from persona_assets.settings import Settings, load_settings
from persona_assets.steps.runner import Context

LIST = 2048  # answers handed over at once, about as many as a pump hands over at such a speed
BEFORE, BETWEEN, AFTER = answer(0).split("page 0")


def number_of(request: Request) -> int:
    found = NUMBER.search(request.messages[1]["content"].encode())
    assert found
    return int(found[1])


class InstantEngine:
    """Answers at once what the server of `engines_server` would."""

    def identity(self, template: Template) -> ModelIdentity:
        return ModelIdentity("m", "")

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        iterator = iter(requests)
        while batch := list(islice(iterator, LIST)):
            yield [self.answer(request) for request in batch]

    def answer(self, request: Request) -> Result:
        page = f"page {number_of(request)}"
        return Completion(request.call_id, f"{BEFORE}{page}{BETWEEN}{page}{AFTER}", "stop", 60, 40, 0.0)

    def close(self) -> None:
        pass


class NoEngine(InstantEngine):
    """The same model, with nobody there."""

    def answer(self, request: Request) -> Result:
        raise EngineUnavailable("a call was asked for, though every answer is in the ledger")


class Listener(InstantEngine):
    """Keeps the prompts that the hop asks, by document number."""

    def __init__(self) -> None:
        self.prompts: list[dict[str, object]] = []

    def answer(self, request: Request) -> Result:
        system, user = (message["content"] for message in request.messages)
        self.prompts.append({"number": number_of(request), "system": system, "user": user})
        return super().answer(request)


def hop(folder: str, engine: Engine, settings: Settings) -> dict[str, object]:
    context = Context(Lake(folder), settings, engine, "bench")
    began = time.monotonic()
    report = extract_personas(context, SHARD)
    seconds = time.monotonic() - began
    engine.close()
    counts = {"inputs": report.inputs, "calls_made": report.calls_made, "calls_reused": report.calls_reused}
    return {"seconds": seconds, **counts, "rejected": dict(report.rejected)}


def places(lake: Lake) -> dict[str, int]:
    """Documents by where they ended, from the files: with both personas that they should have, rejected, in both."""
    right = (
        lake.scan(EXTRACTED_PERSONAS, [SHARD])
        .select("document_id", number=pl.col("document_id").str.tail(32).cast(pl.Int64), text="text")
        .filter(pl.col("text").str.extract(r"page (\d+) ").cast(pl.Int64) == pl.col("number"))
        .group_by("document_id")
        .agg(texts=pl.col("text").n_unique())
        .filter(pl.col("texts") == 2)
    )
    rejected = lake.rejects(EXTRACTED_PERSONAS, SHARD).select(document_id="parent_id").unique()
    both = right.join(rejected, on="document_id", how="semi")
    return {
        name: int(frame.select(pl.len()).collect(engine="streaming").item())
        for name, frame in {"right": right, "set_aside": rejected, "in_both": both}.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake")
    parser.add_argument("--url", help="ask this server")
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--none", action="store_true", help="no engine: every answer should be in the ledger")
    parser.add_argument("--check", action="store_true", help="run nothing, tell where every document ended")
    parser.add_argument("--prompts", type=Path, help="write the prompts here as JSON")
    arguments = parser.parse_args()
    if arguments.check:
        print(json.dumps(places(Lake(arguments.lake))))
        return
    settings = load_settings(
        engine="openai",
        model="m",
        base_url=arguments.url or "http://127.0.0.1:9/v1",
        concurrency=arguments.in_flight,
        lake=arguments.lake,
    )
    listener = Listener()
    engine: Engine = InstantEngine()
    if arguments.url:
        engine = OpenAIEngine(settings)
    elif arguments.none:
        engine = NoEngine()
    elif arguments.prompts:
        engine = listener
    figures = hop(arguments.lake, engine, settings)
    if arguments.prompts:
        arguments.prompts.write_text(json.dumps(listener.prompts))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
