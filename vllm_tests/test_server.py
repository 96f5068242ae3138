"""The engine openai against vLLM's own server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from persona_assets.engines.base import Completion, EngineUnavailable, Failure
from persona_assets.engines.openai.engine import OpenAIEngine
from persona_assets.lake import Lake
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.settings import Settings
from persona_assets.steps.runner import Context
from persona_assets_tests.engines.tiny import SHARD, run_step
from vllm_tests.questions import SLOTS, TEMPLATE, ask, asks
from vllm_tests.serving import serve


@pytest.fixture(scope="module")
def url(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(model, SLOTS, tmp_path_factory.mktemp("server") / "log") as address:
        yield address


def over_http(url: str, model: Path, **values: Any) -> Settings:
    defaults: dict[str, Any] = {"engine": "openai", "base_url": url, "model": str(model), "max_tokens": 120}
    return Settings(**defaults | {"concurrency": 2 * SLOTS} | values)


def test_each_request_gets_an_answer_that_fits_its_schema_and_a_bad_one_fails_its_row(url: str, model: Path) -> None:
    engine = OpenAIEngine(over_http(url, model))
    requests = [*asks(100), ask(100, "bees and honey " * 2000)]
    results = {result.call_id: result for results in engine.stream(requests) for result in results}
    engine.close()
    failed = results.pop("call_100")
    assert isinstance(failed, Failure)
    assert failed.reason == "bad_request"
    assert len(results) == 100
    whole = 0
    for result in results.values():
        assert isinstance(result, Completion)
        assert result.tokens_in > 20
        assert result.tokens_out > 0
        if result.finish_reason == "stop":
            whole += 1
            assert not list(TEMPLATE.validator.iter_errors(orjson.loads(result.text)))
    assert whole > 75


def test_a_hop_stores_every_answer_and_a_second_run_makes_no_call(url: str, model: Path, lake: Lake) -> None:
    values = over_http(url, model)
    engine = OpenAIEngine(values)
    first = run_step(Context(lake, values, engine, "one"), 60)
    assert first.calls_made >= 60
    assert first.inputs == 60
    assert lake.read(EXTRACTED_PERSONAS, SHARD).height == first.kept > 0
    second = run_step(Context(lake, values, engine, "two"), 60)
    engine.close()
    assert (second.calls_made, second.kept) == (0, first.kept)


def test_an_unknown_model_stops_the_run(url: str) -> None:
    engine = OpenAIEngine(over_http(url, Path("another")))
    with pytest.raises(EngineUnavailable, match="PERSONA_MODEL"):
        list(engine.stream(asks(3)))
    engine.close()
