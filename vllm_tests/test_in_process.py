"""The engine vllm against vLLM itself. The tests share one process, which takes a minute to start."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import torch

from persona_assets.engines.base import Completion, Failure, Request
from persona_assets.engines.transformers_engine.engine import TransformersEngine
from persona_assets.engines.vllm.engine import VllmEngine
from persona_assets.lake import Lake
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.prompts import load_templates
from persona_assets.prompts.template import PROMPTS
from persona_assets.settings import Settings
from persona_assets.steps.runner import Context
from persona_assets.tasks.load import load_tasks
from persona_assets_tests.engines.tiny import SHARD, run_step
from persona_assets_tests.engines.tiny_model import make_model
from vllm_tests.questions import SAMPLING, SLOTS, TEMPLATE, answers, ask, asks, core, score, settings

TOO_LONG = "bees and honey " * 2000


def test_each_of_many_requests_gets_an_answer_that_fits_its_schema(engine: VllmEngine) -> None:
    results = answers(engine, asks(200))
    assert sorted(results) == sorted(f"call_{number}" for number in range(200))
    completions = [result for result in results.values() if isinstance(result, Completion)]
    assert len(completions) == 200
    whole = [result for result in completions if result.finish_reason == "stop"]
    assert len(whole) > 150  # weights are random: a few run into the limit
    for result in whole:
        assert not list(TEMPLATE.validator.iter_errors(orjson.loads(result.text)))
    assert all(result.tokens_in > 20 and 0 < result.tokens_out <= 120 for result in completions)
    assert all(result.latency_s > 0 for result in completions)


def test_the_same_seed_gives_the_same_answer_and_another_one_another(engine: VllmEngine) -> None:
    other = replace(ask(2), sampling=replace(SAMPLING, seed=4))
    first, second = (answers(engine, iter([ask(1), other])) for _ in range(2))
    assert [first[key].text for key in sorted(first)] == [second[key].text for key in sorted(second)]  # type: ignore[union-attr]
    assert first["call_1"].text != first["call_2"].text  # type: ignore[union-attr]


def test_a_prompt_beyond_the_context_and_a_bad_schema_fail_their_rows_only(engine: VllmEngine) -> None:
    bad = [ask(1, TOO_LONG), ask(3, schema={"type": "no such type"})]
    results = answers(engine, iter([ask(0), *bad, ask(2)]))
    assert {key: isinstance(result, Completion) for key, result in results.items()} == {
        "call_0": True,
        "call_1": False,
        "call_2": True,
        "call_3": False,
    }
    assert {result.reason for result in results.values() if isinstance(result, Failure)} == {"bad_request"}
    assert "1024" in results["call_1"].detail  # type: ignore[union-attr]


def test_more_prompts_at_once_than_fit_into_one_step_are_answered(engine: VllmEngine) -> None:
    pages = (ask(number, f"Page {number} " + "bees and honey " * 200) for number in range(100))
    assert all(isinstance(result, Completion) for result in answers(engine, pages).values())


def test_every_bundled_schema_is_taken(engine: VllmEngine) -> None:
    templates = [*load_templates(PROMPTS).values(), *load_tasks(engine.settings).values()]
    schemas = [template.response_schema for template in templates if template.response_schema]
    results = answers(engine, (ask(number, schema=schema) for number, schema in enumerate(schemas)))
    assert len(schemas) > 5
    assert [result for result in results.values() if isinstance(result, Failure)] == []


def test_scores_are_those_of_the_engine_transformers(tmp_path: Path) -> None:
    """In float32, where both compute the same."""
    folder = make_model(tmp_path, dtype=torch.float32)
    asked = [score(number, said) for number, said in enumerate(["a keeper of bees", " old", "", "мёд 城市"] * 3)]
    asked += [score(12, "bees " * 2000), replace(ask(13), sampling=replace(SAMPLING, max_tokens=3))]
    vllm = VllmEngine(settings(folder, vllm_options='{"enforce_eager": true, "dtype": "float32"}'))
    try:
        found = answers(vllm, iter(asked))
    finally:
        vllm.close()
    expected = answers(TransformersEngine(Settings(engine="transformers", model=str(folder))), iter(asked))
    for number in range(12):
        one, other = (results[f"call_{number}"] for results in (found, expected))
        assert isinstance(one, Completion), one
        assert isinstance(other, Completion)
        assert (one.finish_reason, one.tokens_in, one.tokens_out) == ("score", other.tokens_in, 0)
        told, wanted = orjson.loads(one.text), orjson.loads(other.text)
        assert told == {"logprob": pytest.approx(wanted["logprob"], rel=1e-3), "tokens": wanted["tokens"]}
    assert found["call_12"].reason == expected["call_12"].reason == "bad_request"  # type: ignore[union-attr]
    assert found["call_13"].finish_reason == "length"  # type: ignore[union-attr]


def test_requests_are_pulled_as_they_are_needed_and_answers_come_meanwhile(engine: VllmEngine) -> None:
    pulled = 0

    def counted() -> Iterator[Request]:
        nonlocal pulled
        for request in asks(400):
            pulled += 1
            yield request

    done, ahead = 0, []
    for results in engine.stream(counted()):
        done += len(results)
        ahead.append(pulled - done)
    assert done == 400
    assert max(ahead) <= 6 * SLOTS


def test_a_stream_that_is_left_early_leaves_the_engine_usable(engine: VllmEngine) -> None:
    stream = engine.stream(asks(400))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(answers(engine, asks(20))) == 20


def test_a_hop_stores_every_answer_and_a_second_run_makes_no_call(engine: VllmEngine, lake: Lake) -> None:
    first = run_step(Context(lake, engine.settings, engine, "one"), 60)
    assert first.calls_made >= 60
    assert first.inputs == 60
    assert lake.read(EXTRACTED_PERSONAS, SHARD).height == first.kept > 0
    second = run_step(Context(lake, engine.settings, engine, "two"), 60)
    assert (second.calls_made, second.kept) == (0, first.kept)


def test_a_process_that_dies_fails_what_is_in_flight_and_is_started_again(engine: VllmEngine) -> None:
    answers(engine, asks(1))
    threading.Timer(0.3, core().kill).start()
    results = answers(engine, asks(300))
    failures = [result for result in results.values() if isinstance(result, Failure)]
    assert len(results) == 300
    assert isinstance(results["call_299"], Completion)
    assert 0 < len(failures) <= 2 * SLOTS
    assert {failure.reason for failure in failures} == {"stalled"}
    assert all("EngineDeadError" in failure.detail for failure in failures)
