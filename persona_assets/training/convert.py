"""A GGUF file to safetensors: `python -m persona_assets.training.convert FILE FOLDER`, started by `found` only."""

import sys
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from persona_assets.training.whole import whole_folder

# What a GGUF file calls the way in which text is cut before tokens are merged, where transformers does not look.
_CUTS = {"smollm": (pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False))}


def convert(file: Path, folder: Path) -> None:
    """Load model and tokenizer and save them; the weights as bfloat16, which holds what quantised ones say."""
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    cut = GGUFReader(file).get_field("tokenizer.ggml.pre")
    if cut is not None and cut.contents() in _CUTS:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*_CUTS[cut.contents()]])
    loaded: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.bfloat16)
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    make: Any = AutoModelForCausalLM.from_config  # a model that knows nothing of GGUF can be saved as any other
    plain = make(config, dtype=torch.bfloat16)
    plain.load_state_dict(loaded.state_dict())
    plain.tie_weights()
    plain.config.dtype = torch.bfloat16
    with whole_folder(folder) as aside:
        plain.save_pretrained(aside)
        tokenizer.save_pretrained(aside)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
