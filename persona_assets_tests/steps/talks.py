"""A talk of four turns, its questions, and the answers that a loopback server gives; also a program to be killed."""

import re
import sys
from collections.abc import Iterator
from typing import Any

import orjson

from persona_assets.engines.base import Sampling, call_key
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.lake import Lake
from persona_assets.prompts import Template
from persona_assets.steps.runner import Ask, Context, Report, StepRunner, write_outcomes
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.engines.server import Body
from persona_assets_tests.engines.tiny import SHARD, settings
from persona_assets_tests.tasks.own import answer_of, task, turn

JUDGE = "You judge talks."
TEMPLATE = Template.model_validate(
    task(
        "talks",
        "<persona>{{ persona }}</persona> Who are you?",
        answer_of(name={"type": "string", "minLength": 3}),
        turns=[
            turn("What do you do, {{ turn1.name }}?", answer_of(work="string")),
            turn("Since when?", answer_of(since="string"), name="third"),
            turn(
                "<since>{{ third.since }}</since>",
                answer_of(score="integer"),
                history=False,
                messages=[
                    {"role": "system", "content": JUDGE},
                    {"role": "user", "content": "{{ turn2.work }}, {{ third.since }}: how good is that?"},
                ],
            ),
        ],
    )
)
STEP = TaskStep(TEMPLATE)
TURNS = STEP.turns


def asks(count: int, start: int = 0) -> Iterator[Ask]:
    """Questions about numbered people."""
    for number in range(start, start + count):
        row = {"persona_id": f"per_{number}", "document_id": "doc_1", "text": f"Person {number}", "language": "en"}
        yield Ask(row, {}, 0, (("deduped_personas", f"per_{number}"),))


def run_talks(context: Context, count: int, start: int = 0, shard: str = SHARD) -> Report:
    """All talks with some people."""
    runner = StepRunner(STEP, context, shard)
    return write_outcomes(runner, runner.run(lambda: asks(count, start)))


def is_repair(body: Body) -> bool:
    """Whether a request is a repair attempt."""
    return "cannot be used" in body["messages"][-1]["content"]


def turn_of(body: Body) -> int:
    """The turn that a request is of, from 0."""
    messages = body["messages"]
    if messages[0]["content"] == JUDGE:
        return 3
    return sum(message["role"] == "user" for message in messages) - is_repair(body) - 1


def number_of(body: Body) -> int:
    """The number of the person that a request is about."""
    user = next(message["content"] for message in body["messages"] if message["role"] == "user")
    found = re.search(r"Person (\d+)", user)
    assert found
    return int(found[1])


def talker(body: Body) -> str:
    """A right answer."""
    number, said = number_of(body), ("name", "work", "since", "score")[turn_of(body)]
    answers = {
        "name": f"Name of {number}",
        "work": f"Person {number} works",
        "since": f"{number} years",
        "score": number,
    }
    return orjson.dumps({said: answers[said]}).decode()


def mixed_talker(body: Body) -> str:
    """Right answers; some of every turn are wrong at first and mended, those of the second to every 7th stay wrong."""
    number, turn = number_of(body), turn_of(body)
    stays = number % 7 == 0 and turn == 1
    return '{"wrong": 1}' if stays or ((number + turn) % 5 == 0 and not is_repair(body)) else talker(body)


def key_of(body: Body, **values: Any) -> str:
    """The ledger id of a request that the server saw."""
    template, engine = TURNS[turn_of(body)], OpenAIEngine(settings("http://127.0.0.1/v1", **values))
    sampling = Sampling.of(engine.settings, template)
    return call_key(body["messages"], template.response_schema, engine.identity(template), sampling, 0)


def table_of(lake: Lake) -> tuple[list[Any], list[Any]]:
    """Rows and rejects without what two runs may differ in, sorted."""
    volatile = STEP.table.volatile
    rows = lake.read(STEP.table, SHARD).drop(volatile).sort("sample_id").rows()
    return rows, lake.rejects(STEP.table).drop(volatile).sort("row_id", "reason").collect().rows()


if __name__ == "__main__":
    chosen = settings(sys.argv[2])
    run_talks(Context(Lake(sys.argv[1]), chosen, OpenAIEngine(chosen), "killed"), int(sys.argv[3]))
