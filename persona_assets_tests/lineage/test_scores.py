"""Tasks whose answers are scores, from the task file to the audit, with a tiny model of the engine transformers."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson
import polars as pl
import pytest
import torch

from persona_assets.engines.base import Engine
from persona_assets.engines.offline import OfflineEngine
from persona_assets.engines.select import make_engine
from persona_assets.lake import Lake
from persona_assets.ledger.ledger import Ledger
from persona_assets.lineage import audit
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.runner import Context, Report
from persona_assets.tasks.load import datasets
from persona_assets.tasks.run import run_task
from persona_assets_tests.engines.tiny_model import make_model
from persona_assets_tests.lineage.chain import rejects, rows, table
from persona_assets_tests.lineage.small_lake import SHARD, Small, setting, settings_for, tamper_calls
from persona_assets_tests.tasks.own import answer_of, task, write

SCORE = answer_of(logprob="number", tokens="integer")
OPTIONS = ("a keeper of bees", "an old teacher")
CHOICES = task(
    "choices",
    "",
    SCORE,
    answer={"parser": "score"},
    over={"option": list(OPTIONS)},
    messages=[
        {"role": "user", "content": "<persona>{{ persona }}</persona> Who are you?"},
        {"role": "assistant", "content": "{{ option }}"},
    ],
)
TALKS = task(
    "avowals",
    "<persona>{{ persona }}</persona> Who are you?",
    answer_of(said="string"),
    answer={"parser": "text"},
    turns=[
        {
            "messages": [
                {"role": "user", "content": "Do you mean that?"},
                {"role": "assistant", "content": "Yes, {{ turn1.said }}"},
            ],
            "response_schema": SCORE,
            "answer": {"parser": "score"},
        }
    ],
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    torch.set_num_threads(1)  # threads that wait for one another take seconds where a machine is shared
    folder = make_model(tmp_path_factory.mktemp("model"), dtype=torch.float32)
    made = make_engine(Settings(engine="transformers", model=str(folder)))
    yield made
    made.close()


@pytest.fixture
def small(built: Small, tmp_path: Path) -> Small:
    """A copy of the small lake with the tasks."""
    shutil.copytree(Path(built.settings.lake).parent, tmp_path / "own")
    settings = settings_for(tmp_path / "own").model_copy(update={"max_tokens": 8})
    write(Path(settings.tasks or ""), CHOICES, TALKS)
    return Small(Lake(settings.lake), settings)


def run(small: Small, name: str, engine: Engine) -> Report:
    keeper = LakeState(small.lake, small.settings)
    context = Context(small.lake, small.settings, engine, "run-2", keeper=keeper)
    return run_task(context, datasets(small.settings)[name], SHARD)


def calls(small: Small, name: str) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in Ledger(small.lake).paths(name, SHARD)])


def test_options_are_scored_kept_in_the_ledger_and_audited(small: Small, engine: Engine) -> None:
    report = run(small, "choices", engine)
    found = rows(small, "choices")
    assert report.calls_made == len(found) == 2 * len({tuple(row["persona_ids"]) for row in found}) > 2
    types = table(small, "choices").polars
    assert (types["logprob"], types["tokens"]) == (pl.Float64(), pl.Int64())
    assert {row["option"] for row in found} == set(OPTIONS)
    assert all(row["logprob"] < 0 < row["tokens"] for row in found)
    by_call = {row["call_id"]: row for row in found}
    for call in calls(small, "choices").iter_rows(named=True):
        row = by_call[call["call_id"]]
        assert orjson.loads(call["answer"]) == {"logprob": row["logprob"], "tokens": row["tokens"]}
        assert (call["finish_reason"], call["tokens_out"]) == ("score", 0)
    for row in found[:3]:
        audited = audit(small.lake, small.settings, row["sample_id"])
        assert audited.ok, audited.failures


def test_a_second_run_makes_no_call_and_the_same_rows(small: Small, engine: Engine) -> None:
    first = run(small, "choices", engine)
    before = rows(small, "choices")
    second = run(small, "choices", engine)
    assert (second.calls_made, second.calls_reused) == (0, first.calls_made)
    assert [row["logprob"] for row in rows(small, "choices")] == [row["logprob"] for row in before]


def test_a_changed_score_fails_its_audit(small: Small, engine: Engine) -> None:
    run(small, "choices", engine)
    row = rows(small, "choices")[0]
    tamper_calls(small.lake, "choices", setting("answer", '{"logprob":-1.5,"tokens":1}', "call_id", row["call_id"]))
    failures = audit(small.lake, small.settings, row["sample_id"]).failures
    assert {failure.name for failure in failures} & {"row_parses_again", "id_recomputes"}


def test_a_turn_may_score_what_is_said_after_the_turns_before(small: Small, engine: Engine) -> None:
    report = run(small, "avowals", engine)
    found = rows(small, "avowals")
    assert report.calls_made == 2 * len(found) > 2
    assert all(row["said"] and row["logprob"] < 0 < row["tokens"] for row in found)
    for row in found[:3]:
        audited = audit(small.lake, small.settings, row["sample_id"])
        assert audited.ok, audited.failures
    assert run(small, "avowals", engine).calls_made == 0


def test_an_engine_that_cannot_score_sets_the_questions_aside_for_good(small: Small) -> None:
    report = run(small, "choices", OfflineEngine(small.settings))
    assert (report.calls_made, report.kept) == (0, 0)
    assert report.rejected["not_supported"] == report.inputs > 0
    assert {row["detail"] for row in rejects(small, "choices")} == {
        "the engine offline does not score: use transformers or vllm"
    }
