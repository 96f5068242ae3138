"""Scores of the engine transformers beside a plain computation, and where a continuation's tokens begin."""

from pathlib import Path

import pytest
import torch

from persona_assets.engines.base import Completion, Failure
from persona_assets.engines.scores import chat_tokens, continuation_tokens, score_fault
from persona_assets.engines.transformers_engine.engine import TransformersEngine
from persona_assets.prompts import Message
from persona_assets_tests.engines.tiny_model import CONTEXT, make_tokenizer
from persona_assets_tests.engines.transformers_engine.asking import ask, results, score, scored, texts

CONTINUATIONS = ["a keeper of bees", "nurse", " old soil", "城市 and мёд", "a bee <hive>\n", "the garden " * 20]


def reference(model: Path, prompt: str, continuation: str) -> tuple[float, int]:
    """The sum of the log-probabilities of a continuation's tokens after a prompt, one token at a time."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, loaded = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False
    )
    before = len(tokenizer(text)["input_ids"])
    ids = tokenizer(text + continuation)["input_ids"]
    total = 0.0
    with torch.no_grad():
        for at in range(before, len(ids)):
            logits = loaded(torch.tensor([ids[:at]])).logits[0, -1]
            total += float(logits.log_softmax(-1)[ids[at]])
    return total, len(ids) - before


def test_scores_are_those_of_a_plain_computation_alone_and_in_a_batch(engine: TransformersEngine, model: Path) -> None:
    requests = [score(number, continuation) for number, continuation in enumerate(CONTINUATIONS)]
    together = results(engine, requests)
    for request in requests:
        logprob, tokens = reference(model, *(message["content"] for message in request.messages))
        assert tokens > 0
        for found in (together[request.call_id], results(engine, [request])[request.call_id]):
            assert isinstance(found, Completion)
            assert scored(found.text) == (pytest.approx(logprob, rel=1e-5), tokens)
            assert (found.finish_reason, found.tokens_out) == ("score", 0)
            assert found.tokens_in > tokens


def test_options_of_one_token_are_read_once_and_scored_as_each_alone(engine: TransformersEngine) -> None:
    options = [score(number, digit, text="How far, from 1 to 5?") for number, digit in enumerate("12345")]
    others = [score(number + 5, digit, text="And how far here?") for number, digit in enumerate("12345")]
    alone = {key: found for one in (*options, *others) for key, found in texts(results(engine, [one])).items()}
    model = engine._loaded()
    read: list[int] = []
    hook = model.model.register_forward_pre_hook(
        lambda _, __, given: read.append(given["input_ids"].shape[0]), with_kwargs=True
    )
    try:
        together = texts(results(engine, [*options, *others]))
    finally:
        hook.remove()
    assert read == [2]
    assert together.keys() == alone.keys()
    for key, text in alone.items():
        assert scored(text)[1] == 1
        assert scored(together[key]) == (pytest.approx(scored(text)[0], rel=1e-5), 1)


def test_the_answer_that_the_model_gives_itself_is_more_probable_than_others(engine: TransformersEngine) -> None:
    [own] = texts(results(engine, [ask(3)])).values()
    found = texts(results(engine, [score(3, own), score(3, "the old city", text="")]))
    assert scored(found["call_3"])[0] < 0
    best = scored(texts(results(engine, [score(3, own)]))["call_3"])
    other = scored(texts(results(engine, [score(3, "xyzzy and plugh")]))["call_3"])
    assert best[0] / best[1] > other[0] / other[1]


def test_answers_and_scores_may_be_asked_for_in_one_stream(engine: TransformersEngine) -> None:
    found = results(engine, [ask(0), score(1, "bees"), ask(2), score(3, "bees")])
    assert [found[f"call_{number}"].finish_reason == "score" for number in range(4)] == [False, True, False, True]  # type: ignore[union-attr]


def test_an_empty_continuation_has_no_tokens_and_is_certain(engine: TransformersEngine) -> None:
    found = results(engine, [score(1, ""), score(2, "bees")])
    assert found["call_1"].text == '{"logprob":0.0,"tokens":0}'  # type: ignore[union-attr]
    assert scored(texts(found)["call_2"])[1] > 0


def test_a_continuation_fills_the_context_and_not_more(engine: TransformersEngine) -> None:
    room = CONTEXT - texts_length(engine, "bees")
    found = results(engine, [score(0, "~" * room, "bees"), score(1, "~" * (room + 1), "bees")])
    assert scored(found["call_0"].text)[1] == room  # type: ignore[union-attr]
    beyond = found["call_1"]
    assert isinstance(beyond, Failure)
    assert (beyond.reason, f"context of {CONTEXT}" in beyond.detail) == ("bad_request", True)


def texts_length(engine: TransformersEngine, prompt: str) -> int:
    """Tokens of a prompt."""
    [found] = results(engine, [ask(0, text=prompt)]).values()
    assert isinstance(found, Completion)
    return found.tokens_in


def test_the_continuation_is_what_follows_the_prompts_own_tokens() -> None:
    tokenizer = make_tokenizer()
    asked, said = Message(role="user", content="A keeper?"), Message(role="assistant", content="A keeper of bees")
    prompt, continuation = continuation_tokens(tokenizer, [asked, said])
    assert prompt == chat_tokens(tokenizer, [asked])
    assert tokenizer.decode(prompt + continuation).endswith("<|start|>assistant\nA keeper of bees")


def test_where_the_border_merges_the_continuation_is_tokenised_by_itself() -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{{ messages[0].content }}"
    messages = [Message(role="user", content="a kee"), Message(role="assistant", content="per of bees")]
    prompt, continuation = continuation_tokens(tokenizer, messages)
    whole = tokenizer("a keeper of bees")["input_ids"]
    assert whole[: len(prompt)] != prompt  # the border is within a token
    assert prompt == tokenizer("a kee")["input_ids"]
    assert continuation == tokenizer("per of bees")["input_ids"]


def test_a_score_that_is_no_number_is_a_failure() -> None:
    assert score_fault(-3.5) is None
    assert score_fault(0.0) is None
    assert score_fault(float("nan")) == ("server_error", "the model gives NaN")
    assert score_fault(float("-inf")) == ("bad_request", "the model gives the continuation no probability at all")
