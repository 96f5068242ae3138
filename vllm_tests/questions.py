"""Requests to a tiny model, its settings, and the processes that answer."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from persona_assets.engines.base import Engine, Request, Result, Sampling
from persona_assets.prompts import Message, Template
from persona_assets.settings import Settings

SAMPLING = Sampling(0.7, 0.95, 120, 3)
SLOTS = 16
TEMPLATE = Template.model_validate(
    {
        "name": "tiny",
        "version": 1,
        "title": "Tiny",
        "description": "Asks who would read a text.",
        "messages": [
            {"role": "system", "content": "You name one reader of the text, as JSON."},
            {"role": "user", "content": "<document>{{ text }}</document>"},
        ],
        "response_schema": {
            "type": "object",
            "properties": {
                "persona": {"type": "string", "minLength": 3, "maxLength": 40},
                "age": {"type": "integer", "minimum": 18, "maximum": 99},
                "tone": {"enum": ["plain", "warm"]},
            },
            "required": ["persona", "age", "tone"],
            "additionalProperties": False,
        },
    }
)


def settings(model: Path, **values: Any) -> Settings:
    """Settings of the engine vllm that fit any machine."""
    options = json.dumps({"enforce_eager": True, "max_num_seqs": SLOTS})
    defaults: dict[str, Any] = {"engine": "vllm", "model": str(model), "gpu_memory": 0.2, "stall_s": 120}
    return Settings(**defaults | {"max_tokens": 120, "vllm_options": options} | values)


def ask(number: int, text: str = "", schema: dict[str, Any] | None = None) -> Request:
    """One question about a numbered page."""
    messages = TEMPLATE.render({"text": text or f"Page {number} on bees"})
    return Request(f"call_{number}", messages, schema or TEMPLATE.response_schema, SAMPLING, TEMPLATE)


def score(number: int, continuation: str) -> Request:
    """A continuation to be scored after that question."""
    asked = ask(number)
    said = Message(role="assistant", content=continuation)
    return replace(asked, messages=[*asked.messages, said], scores=True)


def asks(count: int) -> Iterator[Request]:
    """Questions about numbered pages."""
    return (ask(number) for number in range(count))


def answers(engine: Engine, requests: Iterator[Request]) -> dict[str, Result]:
    """All results by call."""
    return {result.call_id: result for results in engine.stream(requests) for result in results}


def started() -> list[psutil.Process]:
    """All living processes that this one started, and those that they started."""
    return [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]


def core() -> psutil.Process:
    """VLLM's own process with the scheduler, which our worker started."""
    (found,) = (child for child in started() if "EngineCore" in child.name() + " ".join(child.cmdline()))
    return found
