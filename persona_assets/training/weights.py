"""Weights of models: loaded, given adapters, and in which type they are kept. Of the child process only."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from persona_assets.training.faults import TrainingFailed
from persona_assets.training.job import Base, Lora, Scratch

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What loading raises of files that are missing, damaged or of no model that is known.
CANNOT_LOAD = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError, SafetensorError)


def load(folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """Model and tokenizer of a folder.

    Raises:
        TrainingFailed: `bad_base`, where they cannot be loaded or lack weights.
    """
    options: dict[str, Any] = {"local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        loaded: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, output_loading_info=True, **options)
    except CANNOT_LOAD as error:
        if is_out_of_memory(error):
            raise
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise TrainingFailed(
            "bad_base", f"the base in {folder} cannot be loaded: {said}; check config, weights and tokenizer there"
        ) from error
    model, report = loaded
    if missing := sorted(report["missing_keys"]):
        raise TrainingFailed(
            "bad_base", f"the base in {folder} lacks {len(missing)} weights, such as {missing[0]}: fetch it again"
        )
    if any(not bool(weight.isfinite().all()) for weight in model.parameters()):
        raise TrainingFailed("bad_base", f"the base in {folder} has weights that are no numbers: fetch it again")
    return model, tokenizer


def base_type(base: Scratch | Base) -> torch.dtype | None:
    """The type in which the base keeps its weights, and the trained model its own; None where it is float32."""
    if isinstance(base, Scratch):
        return None
    said = json.loads((base.folder / "config.json").read_bytes())
    name = said.get("dtype") or said.get("torch_dtype")
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(name)


def with_lora(model: Any, lora: Lora) -> Any:  # noqa: ANN401 - of PEFT
    """The model with adapters, which alone are trained."""
    from peft import LoraConfig, get_peft_model

    known = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    if lora.targets != "all-linear" and (unknown := sorted(set(lora.targets) - known)):
        raise TrainingFailed(
            "bad_base", f"lora: the base has no module {', '.join(unknown)} (known: {', '.join(sorted(known))})"
        )
    return get_peft_model(
        model,
        LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=lora.targets,
            task_type="CAUSAL_LM",
        ),
    )


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:  # noqa: ANN401
    """The tokens that end an answer."""
    named = model.generation_config.eos_token_id if model.generation_config is not None else None
    ends = named if isinstance(named, list | tuple) else [named]
    return frozenset(int(token) for token in (*ends, tokenizer.eos_token_id) if token is not None)


def is_finite(model: torch.nn.Module) -> bool:
    """Whether all weights that were trained are numbers: the last step is seen by no loss."""
    return all(bool(weight.isfinite().all()) for weight in model.parameters() if weight.requires_grad)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on the GPU or the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(
        words in str(error) for words in ("can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")
    )


def is_full(error: BaseException) -> bool:
    """Whether an error says that the disk is full; torch and safetensors say it in words of their own."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    said = str(error)
    if any(os.strerror(number) in said for number in FULL):
        return True
    return "PytorchStreamWriter" in said or "inline_container" in said
