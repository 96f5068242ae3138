"""Models that start from nothing: a tokenizer made of the texts that they are trained on, and random weights.

Of the child process only, as it imports transformers.
"""

from collections.abc import Iterable
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from persona_assets.training.job import Scratch
from persona_assets.training.pieces import END, PAD, ROLES, START, trained_tokenizer

# The same text in training and in answering: each turn opens with its role and ends with the end of the text.
CHAT = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def make_tokenizer(texts: Iterable[str], scratch: Scratch) -> PreTrainedTokenizerFast:
    """A tokenizer made of these texts, with a chat template; the same texts in the same order give the same."""
    make: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerFast = make(
        tokenizer_object=trained_tokenizer(texts, scratch.vocabulary),
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        additional_special_tokens=list(ROLES.values()),
        chat_template=CHAT,
        model_max_length=scratch.length,
        clean_up_tokenization_spaces=False,
    )
    return made


def make_model(scratch: Scratch, tokenizer: Any, seed: int) -> LlamaForCausalLM:  # noqa: ANN401 - of transformers
    """A Llama of these sizes with random float32 weights, which the seed decides."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=scratch.hidden,
        intermediate_size=scratch.feed_forward_size,
        num_hidden_layers=scratch.layers,
        num_attention_heads=scratch.heads,
        num_key_value_heads=scratch.key_value_heads or scratch.heads,
        max_position_embeddings=scratch.length,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        use_cache=True,
    )
    torch.manual_seed(seed)
    return LlamaForCausalLM(config)
