"""Where a continuation begins among the tokens of a chat: what engines that score have in common."""

import math
from collections.abc import Sequence
from typing import Any

from persona_assets.prompts import Message


def chat_tokens(tokenizer: Any, messages: Sequence[Message]) -> list[int]:  # noqa: ANN401 - of transformers
    """The ids of the tokenizer's chat template, up to where the answer begins.

    Raises:
        TemplateError, ValueError, TypeError: the chat template refuses the messages.
    """
    ids: list[int] = tokenizer.apply_chat_template(
        list(messages), add_generation_prompt=True, tokenize=True, return_dict=False
    )
    return ids


def continuation_tokens(
    tokenizer: Any,  # noqa: ANN401 - of transformers
    messages: Sequence[Message],
) -> tuple[list[int], list[int]]:
    """The ids of the messages before the last one, as `chat_tokens`, and those of the last one as their answer.

    The continuation stands where an answer would begin; what closes a message is no part of it. Its tokens are those
    that follow the prompt's when both are tokenised as one text. Where the border merges (the prompt's last characters
    and the continuation's first ones would be one token) the continuation is tokenised by itself: it is scored after
    the very tokens that the model would answer to.

    Raises:
        TemplateError, ValueError, TypeError: the chat template refuses the messages.
    """
    *before, last = messages
    prompt = chat_tokens(tokenizer, before)
    text: str = tokenizer.apply_chat_template(before, add_generation_prompt=True, tokenize=False)
    whole = _ids(tokenizer, text + last["content"])
    if whole[: len(prompt)] == prompt:
        return prompt, whole[len(prompt) :]
    return prompt, _ids(tokenizer, last["content"])


def score_fault(logprob: float) -> tuple[str, str] | None:
    """Reason and detail of the failure of a score that is no number; None of one that is.

    NaN comes of weights or arithmetic that are broken: it passes where these are mended.
    """
    if math.isfinite(logprob):
        return None
    if math.isnan(logprob):
        return "server_error", "the model gives NaN"
    return "bad_request", "the model gives the continuation no probability at all"


def _ids(tokenizer: Any, text: str) -> list[int]:  # noqa: ANN401 - of transformers
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
