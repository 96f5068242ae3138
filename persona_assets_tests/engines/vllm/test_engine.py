"""What of the engine vllm is ours: settings, identity, the process and its watch. `make test-vllm` runs vLLM itself."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from persona_assets.engines.base import Completion, EngineUnavailable, Failure, ModelIdentity, Request, Result, Sampling
from persona_assets.engines.select import make_engine
from persona_assets.engines.vllm.engine import VllmEngine, engine_arguments
from persona_assets.engines.weights import BLOCK, BLOCKS
from persona_assets.errors import UsageError
from persona_assets.prompts import Message
from persona_assets.settings import Settings
from persona_assets_tests.engines.tiny import TEMPLATE
from persona_assets_tests.engines.vllm.script import SLOTS

SAMPLING = Sampling(0.7, 0.95, 100, 3)


def settings(**values: Any) -> Settings:
    return Settings(**{"engine": "vllm", "model": "m", "stall_s": 30} | values)


def scripted(mode: str = "answer", **values: Any) -> VllmEngine:
    """The engine with a program that follows rules in place of vLLM's process."""
    return VllmEngine(settings(**values), (sys.executable, "-m", "persona_assets_tests.engines.vllm.script", mode))


def requests(*words: str) -> Iterator[Request]:
    for number, word in enumerate(words):
        message = Message(role="user", content=f"{number} {word}")
        yield Request(f"call_{number}", [message], {}, SAMPLING, TEMPLATE)


def answers(engine: VllmEngine, *words: str) -> dict[str, Result]:
    return {result.call_id: result for results in engine.stream(requests(*words)) for result in results}


def children(parent: int = 0) -> list[int]:
    """Living processes in sessions that begin with a child of `parent`, by default this process."""
    fields = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, parent_id, _, session, *_ = file.read_text().rsplit(")", 1)[1].split()
            fields[int(file.parent.name)] = state, int(parent_id), int(session)
    first = {
        number
        for number, (_, above, session) in fields.items()
        if above == (parent or os.getpid()) and session == number
    }
    return sorted(number for number, (state, _, session) in fields.items() if session in first and state != "Z")


def is_alive(number: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


class TestSettings:
    def test_a_model_must_be_named(self) -> None:
        with pytest.raises(UsageError, match="PERSONA_MODEL"):
            make_engine(settings(model=" "))

    @pytest.mark.parametrize("options", ["{max_num_seqs: 3}", "[1]", "3"])
    def test_further_options_must_be_a_json_object(self, options: str) -> None:
        with pytest.raises(UsageError, match="PERSONA_VLLM_OPTIONS"):
            make_engine(settings(vllm_options=options))

    def test_become_the_arguments_of_vllm_and_further_options_win(self) -> None:
        options = '{"max_num_seqs": 8, "gpu_memory_utilization": 0.5}'
        arguments = engine_arguments(
            settings(model_revision="r2", tensor_parallel=2, data_parallel=3, max_model_len=99, vllm_options=options)
        )
        assert arguments.pop("structured_outputs_config")["disable_any_whitespace"]
        assert arguments == {
            "model": "m",
            "revision": "r2",
            "tensor_parallel_size": 2,
            "data_parallel_size": 3,
            "gpu_memory_utilization": 0.5,
            "max_model_len": 99,
            "max_num_seqs": 8,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
        }

    @pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
    def test_where_vllm_is_not_installed_the_first_request_says_how_to(self) -> None:
        engine = make_engine(settings())
        assert list(engine.stream(iter(()))) == []
        with pytest.raises(UsageError, match=r'pip install "persona-assets\[vllm\]"'):
            list(engine.stream(requests("word")))
        engine.close()


class TestIdentity:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "config.json").write_text('{"hidden_size": 64}')
        (folder / "model.safetensors").write_bytes(os.urandom(BLOCK) * (BLOCKS + 50))
        return folder

    def revision(self, folder: Path) -> str:
        identity = VllmEngine(settings(model=str(folder))).identity(TEMPLATE)
        assert identity.model == str(folder)
        return identity.revision

    def test_is_name_and_revision_of_the_settings(self) -> None:
        engine = make_engine(settings(model="org/large", model_revision="r2"))
        assert engine.identity(TEMPLATE) == ModelIdentity("org/large", "r2")

    def test_of_a_folder_has_a_revision_of_its_content_that_a_copy_shares(self, folder: Path) -> None:
        first = self.revision(folder)
        assert len(first) == 32
        copy = folder.parent / "copy"
        shutil.copytree(folder, copy, copy_function=shutil.copyfile)
        assert self.revision(copy) == first

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    def test_changes_with_the_content_even_where_the_size_stays(self, folder: Path, name: str) -> None:
        first = self.revision(folder)
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[::-1])
        assert self.revision(folder) != first

    def test_of_a_folder_with_a_revision_set_is_that(self, folder: Path) -> None:
        engine = VllmEngine(settings(model=str(folder), model_revision="r3"))
        assert engine.identity(TEMPLATE).revision == "r3"


class TestProcess:
    """With the scripted program, through the same pipes."""

    def test_answers_come_with_their_usage_and_a_bad_request_fails_its_row(self) -> None:
        engine = scripted()
        results = answers(engine, "bee", "bad", *["hive"] * 200)
        engine.close()
        assert len(results) == 202
        one = results["call_0"]
        assert isinstance(one, Completion)
        assert (one.text, one.finish_reason, one.tokens_in, one.tokens_out, one.retries) == ("bee", "stop", 5, 2, 0)
        assert one.latency_s > 0
        assert results["call_1"] == Failure("call_1", "bad_request", "the prompt is too long")

    def test_is_told_which_requests_are_to_be_scored(self) -> None:
        engine = scripted()
        asked = [replace(request, scores=request.call_id == "call_1") for request in requests("bee", "hive")]
        results = {result.call_id: result for found in engine.stream(iter(asked)) for result in found}
        engine.close()
        finished = {key: (found.text, found.finish_reason) for key, found in results.items()}  # type: ignore[union-attr]
        assert finished == {"call_0": ("bee", "stop"), "call_1": ('{"logprob":-1.0,"tokens":2}', "score")}

    def test_no_process_is_started_for_no_request(self) -> None:
        engine = scripted()
        assert list(engine.stream(iter(()))) == []
        assert children() == []
        engine.close()

    def test_is_kept_from_stream_to_stream_and_gone_after_close(self) -> None:
        engine = scripted()
        answers(engine, "one")
        first = children()
        answers(engine, "two")
        assert children() == first
        assert len(first) == 2  # with the process that it started
        engine.close()
        assert children() == []
        assert isinstance(answers(engine, "three")["call_0"], Completion)
        engine.close()

    def test_that_dies_fails_what_is_in_flight_and_is_started_again(self) -> None:
        engine = scripted()
        results = answers(engine, "bee", "die", *["hive"] * 50)
        engine.close()
        failures = {key: result for key, result in results.items() if isinstance(result, Failure)}
        assert len(results) == 52
        assert 0 < len(failures) <= 2 * SLOTS
        assert failures["call_1"] == Failure(
            "call_1", "stalled", "vLLM ended with status -9: ValueError: no more memory"
        )
        assert isinstance(results["call_51"], Completion)
        assert children() == []

    def test_that_hangs_is_killed_and_started_again(self) -> None:
        engine = scripted(stall_s=0.5)
        results = answers(engine, "bee", "hang", *["hive"] * 50)
        engine.close()
        assert results["call_1"] == Failure("call_1", "stalled", "vLLM gave no answer for 0.5 s")
        assert isinstance(results["call_51"], Completion)

    def test_that_fails_twice_in_a_stream_stops_the_run(self) -> None:
        engine = scripted()
        got: list[Result] = []
        with pytest.raises(EngineUnavailable, match=r"no more memory.*PERSONA_STALL_S"):
            for results in engine.stream(requests("bee", "die", *["hive"] * 50, "die", *["hive"] * 50)):
                got.extend(results)
        assert isinstance(got[0], Completion)
        assert children() == []
        assert isinstance(answers(engine, "bee")["call_0"], Completion)  # another stream has another restart
        engine.close()

    def test_is_not_taken_for_hung_while_it_answers_or_has_nothing_to_do(self) -> None:
        engine = scripted(stall_s=0.5)
        assert len(answers(engine, *["late"] * 4)) == 4
        first = children()
        time.sleep(1)
        results = answers(engine, *["late"] * 4)
        assert all(isinstance(result, Completion) for result in results.values())
        assert children() == first
        engine.close()

    def test_that_does_not_start_says_why(self) -> None:
        with pytest.raises(EngineUnavailable, match="RuntimeError: cannot load m; check PERSONA_MODEL"):
            answers(scripted("broken"), "bee")

    @pytest.mark.parametrize(("mode", "says"), [("missing", "pip install"), ("arguments", "PERSONA_VLLM_OPTIONS: ")])
    def test_that_refuses_is_a_wrong_setting(self, mode: str, says: str) -> None:
        engine = scripted(mode)
        with pytest.raises(UsageError, match=says):
            answers(engine, "bee")
        engine.close()

    def test_a_consumer_that_stops_early_leaves_it_usable(self) -> None:
        engine = scripted()
        stream = engine.stream(requests(*["late"] * 1000))
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert isinstance(answers(engine, "bee")["call_0"], Completion)
        engine.close()
        assert children() == []

    def test_close_ends_an_open_stream(self) -> None:
        engine = scripted()
        stream = engine.stream(requests(*["late"] * 1000))
        next(stream)
        engine.close()
        list(stream)
        assert children() == []
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("vllm")] == []

    def test_of_a_run_that_is_killed_ends_too(self) -> None:
        program = (
            "from persona_assets_tests.engines.vllm.test_engine import *; engine = scripted();"
            "print(len(answers(engine, 'bee')), flush=True); answers(engine, *['late'] * 1000)"
        )
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as run:
            assert run.stdout is not None
            assert run.stdout.readline() == b"1\n"
            left = children(run.pid)
            assert len(left) == 2
            run.kill()
        until = time.monotonic() + 20
        while any(is_alive(number) for number in left) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(is_alive(number) for number in left)
