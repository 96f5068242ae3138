"""Start, hang, death and end of the engine vllm: each test has processes of its own, and none may be left."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from persona_assets.engines.base import EngineUnavailable, Failure
from persona_assets.engines.vllm.engine import VllmEngine
from persona_assets.errors import UsageError
from vllm_tests.questions import TEMPLATE, answers, asks, core, settings, started


def test_a_process_that_hangs_is_noticed_and_one_that_hangs_again_stops_the_run(model: Path) -> None:
    engine = VllmEngine(settings(model, stall_s=3))
    try:
        answers(engine, asks(1))
        first = core()
        first.suspend()
        began, reasons, disturbed = time.monotonic(), set(), False
        with pytest.raises(EngineUnavailable, match="PERSONA_STALL_S"):
            for results in engine.stream(asks(10_000)):
                for result in results:
                    if isinstance(result, Failure):
                        reasons.add((result.reason, result.detail))
                    elif not disturbed:
                        disturbed = True
                        assert not first.is_running()
                        core().suspend()
        assert disturbed
        assert reasons == {("stalled", "vLLM gave no answer for 3 s")}
        assert time.monotonic() - began < 300
    finally:
        engine.close()
    assert started() == []


def test_after_close_nothing_is_left_and_another_model_can_start(model: Path, other_model: Path) -> None:
    texts = []
    for folder in (model, other_model):
        engine = VllmEngine(settings(folder))
        (result,) = answers(engine, asks(1)).values()
        running = started()
        assert len(running) >= 2
        engine.close()
        assert psutil.wait_procs(running, timeout=5)[1] == []
        texts.append((engine.identity(TEMPLATE).revision, result.text))  # type: ignore[union-attr]
    assert texts[0][0] != texts[1][0]
    assert texts[0][1] != texts[1][1]


def test_a_killed_run_takes_the_engine_along(model: Path) -> None:
    program = (
        "from pathlib import Path; from vllm_tests.questions import *;"
        f"engine = VllmEngine(settings(Path({str(model)!r}))); print(len(answers(engine, asks(1))), flush=True);"
        "answers(engine, asks(1_000_000))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=os.environ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"1\n"
        running = psutil.Process(run.pid).children(recursive=True)
        assert len(running) >= 2
        run.kill()
    assert psutil.wait_procs(running, timeout=40)[1] == []


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        ({"vllm_options": '{"no_such_option": 1}'}, UsageError, "PERSONA_VLLM_OPTIONS: .*no_such_option"),
        ({"model": Path("/no/such/folder")}, EngineUnavailable, "/no/such/folder.*PERSONA_MODEL"),
    ],
)
def test_what_does_not_start_says_why(model: Path, values: dict[str, Any], error: type[Exception], says: str) -> None:
    engine = VllmEngine(settings(values.pop("model", model), **values))
    with pytest.raises(error, match=says):
        answers(engine, asks(1))
    engine.close()
    assert started() == []
