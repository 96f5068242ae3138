"""The small lake with talks about its problems, grades of the talks, and remarks on the grades."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.engines.base import Request
from persona_assets.lake import Table
from persona_assets.lineage.steps import Steps
from persona_assets.state import LakeState
from persona_assets.steps.runner import Context
from persona_assets.tasks.load import datasets
from persona_assets.tasks.run import run_task
from persona_assets_tests.engines.doubles import Scripted
from persona_assets_tests.lineage.small_lake import SHARD, Small
from persona_assets_tests.tasks.own import answer_of, listed, task, turn, write

# What each reads stands before it.
CHAIN = (
    task(
        "talks",
        "<persona>{{ persona }}</persona> {{ problem }}",
        answer_of(first="string"),
        reads="own_problems",
        turns=[
            turn("Why {{ turn1.first }}?", answer_of(reason="string")),
            turn("Sure?", answer_of(sure="string"), name="third"),
            turn("Judge {{ turn1.first }} and {{ third.sure }}.", answer_of(score="integer"), history=False),
        ],
    ),
    task(
        "grades",
        "Grade {{ score }} by {{ level }} as {{ raw_documents.url }}",
        answer_of(grade="string"),
        reads="talks",
        over={"level": ["mild", "strict"]},
        attempts=2,
        validity=[{"rule": "min_words", "args": {"field": "grade", "words": 2}}],
    ),
    task(
        "remarks", "Remark on {{ grade }}", answer_of(remarks=listed(remark="string")), reads="grades", many="remarks",
        over={"unseen": [1, 2]},
    ),
)  # fmt: skip
NAMES = tuple(one["name"] for one in CHAIN)


def answer(request: Request) -> str:
    """One whose second turn is wrong at first, and of which strict second grades are refused."""
    said = request.messages[-1]["content"]
    if request.template.name == "talks":
        if request.template.turn == 1 and "cannot be used" not in said:
            return "Because."
        of = re.sub(r"\W+", " ", request.messages[0]["content"])[-20:]
        return json.dumps([{"first": of}, {"reason": of}, {"sure": of}, {"score": len(said)}][request.template.turn])
    if request.template.name == "grades":
        refused = "strict" in said and request.sampling.seed % 2
        return json.dumps({"grade": "none" if refused else f"B {said[-30:]}"})
    return json.dumps({"remarks": [{"remark": "Good"}, {"remark": "Bad"}, {"remark": "Good"}]})


def chained(small: Small) -> Small:
    """Make the further assets of a copy of the small lake."""
    write(Path(small.settings.tasks or ""), *CHAIN)
    context = Context(
        small.lake, small.settings, Scripted(answer), "run-2", keeper=LakeState(small.lake, small.settings)
    )
    for name in NAMES:
        run_task(context, datasets(small.settings)[name], SHARD)
    return small


def table(small: Small, name: str) -> Table:
    """The table of one of them."""
    return Steps.of(small.settings).tables[name]


def rows(small: Small, name: str) -> list[dict[str, Any]]:
    """Its rows."""
    return small.lake.read(table(small, name), SHARD).to_dicts()


def rejects(small: Small, name: str) -> list[dict[str, Any]]:
    """What was set aside of it."""
    return small.lake.rejects(table(small, name)).sort("row_id", "reason").collect().to_dicts()


def call(small: Small, call_id: str) -> dict[str, Any]:
    """A call as the ledger has it."""
    calls = pl.concat([pl.read_parquet(path) for path in small.lake.fs.glob(f"{small.lake.root}/calls/*/*/*.parquet")])
    return calls.row(by_predicate=pl.col("call_id") == call_id, named=True)
