"""Models that start from nothing: a tokenizer made of the texts that they are trained on, and random weights.

Of the child process only, as it imports transformers.
"""

from collections.abc import Iterable
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from persona_assets.training.job import Scratch

PAD, START, END = "<|pad|>", "<|start|>", "<|end|>"
ROLES = {role: f"<|{role}|>" for role in ("system", "user", "assistant")}
# One digit is one piece, so that a number is read by its places; words take the space before them along, signs those
# around them (` + ` is one piece); line breaks and longer gaps stand alone.
PIECES = r"\p{N}| ?[\p{L}\p{M}]+| ?[^\s\p{L}\p{M}\p{N}]+ ?|\s+"
# The same text in training and in answering: each turn opens with its role and ends with the end of the text.
CHAT = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def make_tokenizer(texts: Iterable[str], scratch: Scratch) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of at most `scratch.vocabulary` pieces; the same texts give the same one."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=scratch.vocabulary,
        special_tokens=[PAD, START, END, *ROLES.values()],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    make: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerFast = make(
        tokenizer_object=tokenizer,
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
