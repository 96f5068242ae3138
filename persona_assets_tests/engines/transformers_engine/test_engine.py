"""The engine transformers with a tiny model of random weights: answers, failures and what is loaded when."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from persona_assets.engines.base import Completion, EngineUnavailable, Failure, Request, Result
from persona_assets.engines.select import make_engine
from persona_assets.engines.transformers_engine.engine import BATCHES, TransformersEngine
from persona_assets.engines.transformers_engine.model import LocalModel
from persona_assets.engines.weights import folder_digest
from persona_assets.errors import UsageError
from persona_assets.settings import Settings
from persona_assets_tests.engines.tiny import TEMPLATE
from persona_assets_tests.engines.tiny_model import CONTEXT, make_model
from persona_assets_tests.engines.transformers_engine.asking import GREEDY, SAMPLED, alone, ask, results, score, texts


def copy_of(model: Path, folder: Path) -> Path:
    folder.mkdir()
    for file in model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def of(folder: Path, **values: Any) -> TransformersEngine:
    engine = make_engine(Settings(engine="transformers", model=str(folder), **values))
    assert isinstance(engine, TransformersEngine)
    return engine


def failure(result: Result) -> tuple[str, str]:
    assert isinstance(result, Failure)
    return result.reason, result.detail


# Answers


def test_greedy_answers_are_those_of_the_library_itself(engine: TransformersEngine, model: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, loaded = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    request = ask(3)
    given = tokenizer.apply_chat_template(request.messages, add_generation_prompt=True, return_tensors="pt")
    made = loaded.generate(**given, do_sample=False, max_new_tokens=GREEDY.max_tokens)[0]
    expected = tokenizer.decode(made[given["input_ids"].shape[1] :], skip_special_tokens=True)
    assert texts(results(engine, [request])) == {"call_3": expected}


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_an_answer_does_not_hang_on_what_else_is_in_its_batch(engine: TransformersEngine, sampling: Any) -> None:
    requests = [ask(number, sampling) for number in range(11)]
    together = texts(results(engine, requests))
    assert together == alone(engine, requests)
    assert len(set(together.values())) > 8


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_answers_that_have_ended_leave_the_batch_and_the_others_stay_as_they_are(
    model: Path, sampling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = of(model, transformers_batch=8)
    limits = (1, 2, 2, 5, 12, 3, 1, 12)
    requests = [
        ask(number, replace(sampling, max_tokens=limit), f"Page {number} on bees")
        for number, limit in enumerate(limits)
    ]
    expected = alone(engine, requests)
    sizes, forward = [], LocalModel._forward

    def told(self: LocalModel, ids: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        sizes.append(len(ids))
        return forward(self, ids, *args, **kwargs)

    monkeypatch.setattr(LocalModel, "_forward", told)
    assert texts(results(engine, requests)) == expected
    assert sizes[0] == len(limits)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] <= 2
    engine.close()


def test_a_small_model_computes_by_one_thread_and_leaves_as_many_as_there_were(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, forward = set(), LocalModel._forward

    def told(self: LocalModel, *args: Any, **kwargs: Any) -> Any:
        seen.add(torch.get_num_threads())
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(LocalModel, "_forward", told)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        results(engine, [ask(1), score(2, "bees")])
        assert seen == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_batch_may_mix_samplings(engine: TransformersEngine) -> None:
    requests = [
        ask(1),
        ask(2, replace(SAMPLED, max_tokens=3)),
        ask(3, replace(SAMPLED, temperature=1.5, top_p=1.0)),
        ask(4, replace(GREEDY, max_tokens=5)),
    ]
    found = results(engine, requests)
    assert texts(found) == alone(engine, requests)
    assert [found[f"call_{number}"].tokens_out for number in (2, 4)] == [3, 5]  # type: ignore[union-attr]


def test_sampling_repeats_by_call_and_seed_and_differs_otherwise(engine: TransformersEngine) -> None:
    request = ask(5, SAMPLED)
    first, again = (texts(results(engine, [request])) for _ in range(2))
    assert first == again
    other = replace(request, call_id="call_other")
    further = replace(request, sampling=replace(SAMPLED, seed=4))  # as the runner asks for a further attempt
    assert first["call_5"] not in {*alone(engine, [other]).values(), *alone(engine, [further]).values()}


def test_a_top_p_that_only_the_most_probable_token_reaches_is_greedy(engine: TransformersEngine) -> None:
    nearly = replace(SAMPLED, top_p=1e-9)
    assert texts(results(engine, [ask(2, nearly)])) == texts(results(engine, [ask(2)]))
    cold = replace(SAMPLED, temperature=1e-300)
    assert texts(results(engine, [ask(2, cold)])) == texts(results(engine, [ask(2)]))


def test_an_answer_ends_with_an_end_token_or_at_its_length(engine: TransformersEngine) -> None:
    long = replace(SAMPLED, temperature=2.0, top_p=1.0, max_tokens=100)
    found = [result for result in results(engine, (ask(n, long) for n in range(12))).values()]
    assert {result.finish_reason for result in found if isinstance(result, Completion)} == {"stop", "length"}
    for result in found:
        assert isinstance(result, Completion)
        assert result.tokens_in > 20
        assert result.latency_s > 0
        assert (result.tokens_out == 100) == (result.finish_reason == "length")
        assert "<|end|>" not in result.text


def test_an_answer_ends_at_the_models_context(model: Path, tmp_path: Path) -> None:
    """Where others of its batch go on, too."""
    engine = of(make_model(tmp_path, dtype=torch.float32, context=48))
    found = results(engine, [ask(number, replace(GREEDY, max_tokens=100)) for number in (0, 4, 8)])
    assert texts(found) == alone(engine, [ask(number, replace(GREEDY, max_tokens=100)) for number in (0, 4, 8)])
    for result in found.values():
        assert isinstance(result, Completion)
        assert (result.finish_reason, result.tokens_in + result.tokens_out) == ("length", 48)


# Failures


def test_a_prompt_beyond_the_context_fails_alone(engine: TransformersEngine) -> None:
    found = results(engine, [ask(0), ask(1, text="bees and honey " * CONTEXT), ask(2)])
    reason, detail = failure(found.pop("call_1"))
    assert reason == "bad_request"
    assert detail.endswith(f"tokens do not fit into the context of {CONTEXT}")
    assert sorted(texts(found)) == ["call_0", "call_2"]


def test_the_context_can_be_set_lower(model: Path) -> None:
    engine = of(model, max_model_len=32)
    found = results(engine, [ask(0), ask(9)])
    assert failure(found["call_9"])[0] == "bad_request"
    assert found["call_0"].finish_reason == "length"  # type: ignore[union-attr]


def test_what_the_chat_template_refuses_fails_alone(model: Path, tmp_path: Path) -> None:
    folder = copy_of(model, tmp_path / "model")
    template = (folder / "chat_template.jinja").read_text()
    refusal = "{% if '5' in messages[0].content %}{{ raise_exception('no fives') }}{% endif %}"
    (folder / "chat_template.jinja").write_text(refusal + template)
    found = results(of(folder), [ask(4), ask(5), score(15, "bees")])
    assert failure(found["call_5"]) == failure(found["call_15"]) == ("bad_request", "no fives")
    assert isinstance(found["call_4"], Completion)


def test_a_model_that_gives_no_numbers_gives_no_answers(model: Path, tmp_path: Path) -> None:
    folder = copy_of(model, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    found = results(of(folder), [ask(0), ask(1, SAMPLED), score(2, "bees")])
    assert {call_id: failure(result)[0] for call_id, result in found.items()} == dict.fromkeys(
        ("call_0", "call_1", "call_2"), "server_error"
    )
    assert "NaN" in failure(found["call_0"])[1]
    assert "NaN" in failure(found["call_2"])[1]


def test_a_model_without_a_chat_template_is_refused_with_the_remedy(model: Path, tmp_path: Path) -> None:
    folder = copy_of(model, tmp_path / "model")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(UsageError, match=r"has no chat template: .*chat_template\.jinja"):
        results(of(folder), [ask(0)])


def test_a_model_that_is_not_there_or_damaged_is_named(model: Path, tmp_path: Path) -> None:
    for engine in (of(tmp_path), of(Path("no/such-model"))):
        with pytest.raises(EngineUnavailable, match=r"cannot load .*check PERSONA_MODEL"):
            results(engine, [ask(0)])
    folder = copy_of(model, tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(EngineUnavailable, match=r"cannot load .*check PERSONA_MODEL"):
        results(of(folder), [ask(0)])


def test_a_model_with_missing_weights_is_refused(model: Path, tmp_path: Path) -> None:
    """Transformers would fill in random ones."""
    folder = copy_of(model, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(EngineUnavailable, match=r"lacks 1 of the model's weights, such as model\.layers\.1\.mlp"):
        results(of(folder), [ask(0)])


def test_weights_that_are_tied_are_not_missing(tmp_path: Path) -> None:
    folder = make_model(tmp_path, dtype=torch.float32, tied=True)
    assert "lm_head.weight" not in load_file(folder / "model.safetensors")
    assert texts(results(of(folder), [ask(0)]))


OUT_OF_MEMORY = """
import resource, sys, torch
from pathlib import Path
from persona_assets.engines.select import make_engine
from persona_assets.settings import Settings
from persona_assets_tests.engines.tiny_model import make_model
from persona_assets_tests.engines.transformers_engine.asking import ask, results, score
torch.set_num_threads(1)  # each thread has memory of its own
folder = make_model(Path(sys.argv[1]), dtype=torch.float32, context=20_000)
engine = make_engine(Settings(engine="transformers", model=str(folder)))
results(engine, [ask(0), ask(1)])
[used] = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")]
resource.setrlimit(resource.RLIMIT_AS, (used * 1024 + (16 << 20), resource.RLIM_INFINITY))
asked = [score(number, "bees " * count) for number, count in enumerate((1200, 1201, 1202, 1203, 15_000, 1))]
for call_id, result in sorted(results(engine, asked).items()):
    print(call_id, type(result).__name__, getattr(result, "reason", ""), getattr(result, "detail", "")[:14])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
def test_where_memory_runs_out_batches_are_halved_and_what_is_too_large_alone_fails(tmp_path: Path) -> None:
    """With the real allocator: 16 MB, of which a batch of four needs more for its mask alone."""
    program = [sys.executable, "-c", OUT_OF_MEMORY, str(tmp_path)]
    # What is freed goes back to the system, and is not there to be had beyond the limit.
    own = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(program, capture_output=True, text=True, check=True, env=own)
    expected = [f"call_{number} Completion" for number in range(6)]
    expected[4] = "call_4 Failure server_error out of memory:"
    assert [line.strip() for line in done.stdout.splitlines() if line.startswith("call")] == expected


# The stream


def test_one_bucket_is_read_ahead_and_answers_come_by_batch(engine: TransformersEngine) -> None:
    pulled = 0

    def counted() -> Iterator[Request]:
        nonlocal pulled
        for number in range(60):
            pulled += 1
            yield ask(number % 3, replace(GREEDY, max_tokens=1), call_id=f"call_{number}")

    done, ahead, sizes = 0, [], set()
    for found in engine.stream(counted()):
        ahead.append(pulled - done)
        sizes.add(len(found))
        done += len(found)
    assert done == 60
    assert sizes <= {4, 60 % 4 or 4}
    assert max(ahead) == 4 * BATCHES


def test_no_request_loads_nothing(tmp_path: Path) -> None:
    assert list(of(tmp_path).stream(iter(()))) == []


def test_close_ends_an_open_stream_and_the_engine_can_be_asked_again(model: Path) -> None:
    engine = of(model, transformers_batch=1)
    stream = engine.stream(ask(number) for number in range(100))
    next(stream)
    engine.close()
    assert list(stream) == []
    assert texts(results(engine, [ask(1)]))
    engine.close()


def test_a_stream_that_is_left_early_leaves_the_engine_usable(engine: TransformersEngine) -> None:
    stream = engine.stream(ask(number) for number in range(100))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert texts(results(engine, [ask(1)]))


# Settings and identity


def test_a_model_must_be_named() -> None:
    with pytest.raises(UsageError, match="PERSONA_MODEL"):
        make_engine(Settings(engine="transformers", model=" "))


def test_the_revision_is_the_digest_of_the_folder(engine: TransformersEngine, model: Path) -> None:
    identity = engine.identity(TEMPLATE)
    assert (identity.model, identity.revision) == (str(model), folder_digest(model))


def test_torch_is_imported_by_the_first_request_alone() -> None:
    program = """
import sys
from persona_assets.engines.select import Engines, identity_of
from persona_assets.settings import Settings
from persona_assets_tests.engines.tiny import TEMPLATE
engine = Engines().of(Settings(engine="transformers", model="m"))
engine.identity(TEMPLATE)
list(engine.stream(iter(())))
engine.close()
sys.stdout.write(", ".join(name for name in ("torch", "transformers", "safetensors") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
