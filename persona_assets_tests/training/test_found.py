"""A base in GGUF becomes safetensors with the same weights and the same tokenizer, once."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFWriter, TokenType
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from persona_assets.engines.weights import files_digest
from persona_assets.training.faults import TrainingFailed
from persona_assets.training.found import find_base, prepared
from persona_assets_tests.training.jobs import same_weights

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model of random weights, whose tokenizer reads each digit by itself."""
    folder = tmp_path_factory.mktemp("small")
    tokenizer: Any = Tokenizer(models.BPE())
    cuts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(cuts)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=["<|end|>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(["How much is 12 and 7? It is 19, much as before."] * 9, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|end|>")
    made.chat_template = "{% for message in messages %}{{ message.content }}<|end|>{% endfor %}"
    made.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "max_position_embeddings": 128}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(made), eos_token_id=0, **sizes, **heads))
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder


def in_gguf(folder: Path, file: Path) -> Path:
    """The model of a folder as one GGUF file, by the format's own writer."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    config: Any = model.config
    writer = GGUFWriter(file, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    tokens = tokenizer.convert_ids_to_tokens(range(config.vocab_size))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")  # each digit by itself
    writer.add_token_list(tokens)
    special = set(tokenizer.all_special_tokens)
    writer.add_token_types([TokenType.CONTROL if one in special else TokenType.NORMAL for one in tokens])
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_chat_template(tokenizer.chat_template)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":
            continue  # tied
        for ours, theirs in NAMES.items():
            name = name.replace(ours, theirs)
        name = name.replace("model.layers", "blk")
        if "attn_q" in name or "attn_k" in name:  # the format has rotary halves side by side
            heads = config.num_attention_heads if "attn_q" in name else config.num_key_value_heads
            tensor = tensor.reshape(heads, 2, -1, tensor.shape[1]).swapaxes(1, 2).reshape(tensor.shape)
        writer.add_tensor(name, tensor.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_weights_and_tokenizer_are_the_same_and_a_second_time_nothing_is_converted(small: Path, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    in_gguf(small, tmp_path / "base" / "small.gguf")
    found = find_base(str(tmp_path / "base"))
    made = prepared(found, tmp_path / "models").folder
    assert same_weights(made, small)
    text = "How much is 12 and 7? 12 + 7 = 19"
    before, after = (AutoTokenizer.from_pretrained(folder) for folder in (small, made))
    assert after(text)["input_ids"] == before(text)["input_ids"]
    assert after.chat_template == before.chat_template
    stamp = (made / "model.safetensors").stat().st_mtime_ns
    assert prepared(found, tmp_path / "models").folder == made
    assert (made / "model.safetensors").stat().st_mtime_ns == stamp


def test_what_was_converted_answers(small: Path, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    in_gguf(small, tmp_path / "base" / "small.gguf")
    made = prepared(find_base(str(tmp_path / "base")), tmp_path / "models").folder
    of_both = [AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32) for folder in (small, made)]
    tokens = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        before, after = (model(tokens).logits for model in of_both)
    assert torch.equal(before, after)


def test_a_file_that_is_no_gguf_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "small.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(TrainingFailed) as failed:
        prepared(find_base(str(tmp_path / "base")), tmp_path / "models")
    assert failed.value.reason == "bad_base"
    assert list(tmp_path.rglob("model")) == []


def test_another_file_of_the_same_name_and_size_is_another_base(tmp_path: Path) -> None:
    one, other = tmp_path / "a.gguf", tmp_path / "b" / "a.gguf"
    other.parent.mkdir()
    one.write_bytes(bytes(1000))
    other.write_bytes(bytes(999) + b"1")
    assert files_digest([one]) != files_digest([other])
