"""Our losses are TRL's: the same numbers from the same weights and rows, and the same gradients."""

from copy import copy, deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from datasets import Dataset
from torch.optim import Muon
from transformers import GPT2Config, GPT2LMHeadModel
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_trainer import SFTTrainer

from persona_assets.training import trainers
from persona_assets.training.job import Train
from persona_assets.training.optimizers import MuonWithAdamW, QuickMuon, make_optimizer
from persona_assets.training.recipe import CONVERSATION
from persona_assets.training.scratch import make_model, make_tokenizer
from persona_assets.training.tokens import Rows, read_rows
from persona_assets.training.trainers import add_labelled_head, padded
from persona_assets_tests.training.jobs import SIZES, stage

SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-3, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2,
    "use_cpu": True, "bf16": False, "activation_checkpointing": False, "logging_steps": 1, "seed": 0,
}  # fmt: skip


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def assistant(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    frame = pl.read_parquet(stage(tmp_path_factory.mktemp("texts"), "dpo").rows)
    return make_tokenizer((text for row in frame.drop("id").iter_rows() for text in row), SIZES)


def rows_of(kind: str, tokenizer: Any, folder: Path) -> tuple[Rows, pl.DataFrame]:
    given = stage(folder, kind)
    rows = read_rows(given, tokenizer, SIZES.length, frozenset([tokenizer.eos_token_id]), folder / "tokens")
    return rows, pl.read_parquet(given.rows)


def logged(trainer: Any) -> list[tuple[float, float]]:
    """Loss and gradient norm of each step."""
    trainer.train()
    return [(line["loss"], line["grad_norm"]) for line in trainer.state.log_history if "grad_norm" in line]


def ours(kind: str, tokenizer: Any, rows: Rows, folder: Path) -> list[tuple[float, float]]:
    model = make_model(SIZES, tokenizer, 0)
    config: Any = trainers.make_config(kind, output_dir=str(folder / "ours"), **SETTINGS)
    collate = trainers.Collate(rows, tokenizer.pad_token_id)
    if kind == "dpo":
        add_labelled_head(model)
        found = trainers.reference_log_probabilities(model, rows, tokenizer.pad_token_id, 8)
        collate = trainers.CollatePairs(rows, tokenizer.pad_token_id, found)
    make: Any = trainers.Dpo if kind == "dpo" else trainers.Sft
    trainer = make(model=model, args=config, train_dataset=trainers.placeholder(kind), processing_class=tokenizer)
    trainer.take(np.arange(len(rows.ends) // (2 if kind == "dpo" else 1)), collate, 0)
    return logged(trainer)


def trls(kind: str, tokenizer: Any, data: Dataset, folder: Path, **more: Any) -> list[tuple[float, float]]:
    config: Any = trainers.make_config(kind, output_dir=str(folder / "trl"), **SETTINGS, **more)
    config.dataset_kwargs = None
    reference: dict[str, Any] = {}
    if kind == "dpo":
        config.precompute_ref_log_probs = False
        reference = {"ref_model": make_model(SIZES, tokenizer, 0)}
    make: Any = DPOTrainer if kind == "dpo" else SFTTrainer
    model = make_model(SIZES, tokenizer, 0)
    return logged(make(model=model, args=config, train_dataset=data, processing_class=tokenizer, **reference))


def test_supervised_training_is_trls(tokenizer: Any, tmp_path: Path) -> None:
    rows, frame = rows_of("sft", tokenizer, tmp_path)
    data = [{"prompt": user(row["prompt"]), "completion": assistant(row["response"])} for row in frame.to_dicts()]
    theirs = trls("sft", tokenizer, Dataset.from_list(data), tmp_path)
    assert len(theirs) == 5
    assert np.allclose(ours("sft", tokenizer, rows, tmp_path), theirs, rtol=2e-4)


# The template of models from scratch, with what TRL needs to know what an assistant says.
MARKED = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}"
    "{% else %}{{ message['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def test_training_on_conversations_is_trls(tokenizer: Any, tmp_path: Path) -> None:
    given = stage(tmp_path, "sft")
    frame = pl.read_parquet(given.rows)
    turns = list(frame.select("prompt", "response").iter_rows())
    before = [
        [one for turn in turns[at : at + at % 3] for one in (*user(turn[0]), *assistant(turn[1]))]
        for at in range(frame.height)
    ]
    frame.with_columns(before=pl.Series(before, dtype=CONVERSATION)).write_parquet(given.rows)
    rows = read_rows(given, tokenizer, SIZES.length, frozenset([tokenizer.eos_token_id]), tmp_path / "tokens")
    marked = copy(tokenizer)
    marked.chat_template = MARKED
    data = [
        {"messages": [*some, *user(row["prompt"]), *assistant(row["response"])]}
        for some, row in zip(before, frame.to_dicts(), strict=True)
    ]
    seen = marked.apply_chat_template(
        [one["messages"] for one in data], return_dict=True, return_assistant_tokens_mask=True
    )
    assert rows.too_long == 0
    for number in range(len(data)):
        ids, labels, _ = padded(rows, [number], 0)
        assert ids[0].tolist() == seen["input_ids"][number]
        assert (labels[0] != trainers.IGNORED).int().tolist() == seen["assistant_masks"][number]
    theirs = trls("sft", marked, Dataset.from_list(data), tmp_path, assistant_only_loss=True)
    assert np.allclose(ours("sft", tokenizer, rows, tmp_path), theirs, rtol=2e-4)


def test_training_on_texts_is_trls(tokenizer: Any, tmp_path: Path) -> None:
    rows, frame = rows_of("text", tokenizer, tmp_path)
    theirs = trls("text", tokenizer, Dataset.from_dict({"text": frame["response"].to_list()}), tmp_path)
    assert np.allclose(ours("text", tokenizer, rows, tmp_path), theirs, rtol=2e-4)


def test_preferences_are_trained_as_trl_does(tokenizer: Any, tmp_path: Path) -> None:
    rows, frame = rows_of("dpo", tokenizer, tmp_path)
    data = [
        {
            "prompt": user(row["prompt"]),
            "chosen": assistant(row["response"]),
            "rejected": assistant(row["rejected"]),
        }
        for row in frame.to_dicts()
    ]
    theirs = trls("dpo", tokenizer, Dataset.from_list(data), tmp_path)
    assert np.allclose(ours("dpo", tokenizer, rows, tmp_path), theirs, rtol=2e-4)


def test_a_loss_in_parts_is_the_whole_one(tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = rows_of("sft", tokenizer, tmp_path)
    ids, labels, _ = padded(rows, range(8), 0)

    def gradients() -> torch.Tensor:
        model = make_model(SIZES, tokenizer, 0)
        add_labelled_head(model)
        model(input_ids=ids, labels=labels, fused_lm_head=True).log_probs.sum().backward()
        return torch.cat([weight.grad.ravel() for weight in model.parameters() if weight.grad is not None])

    whole = gradients()
    monkeypatch.setattr(trainers, "LOGITS", 7 * len(tokenizer))
    assert torch.allclose(gradients(), whole, atol=1e-5)


def test_padding_changes_nothing(tokenizer: Any, tmp_path: Path) -> None:
    """No mask is given: each row alone has the log-probabilities that it has among longer ones."""
    given, _ = rows_of("sft", tokenizer, tmp_path)
    (one, start), (other, _) = given.row(0), given.row(1)
    ends = np.array([len(one), 2 * len(one) + len(other)], np.int64)
    rows = Rows(np.concatenate([one, one, other]), ends, np.array([start, start], np.int32))
    assert rows.lengths[0] < rows.lengths[1]
    model = make_model(SIZES, tokenizer, 0)
    add_labelled_head(model)
    found = []
    for numbers in ([0], [0, 1]):
        ids, labels, _ = padded(rows, numbers, tokenizer.pad_token_id)
        with torch.no_grad():
            found.append(float(model(input_ids=ids, labels=labels, fused_lm_head=True).log_probs[0].sum()))
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_the_head_is_that_of_other_architectures_too(tokenizer: Any, tmp_path: Path) -> None:
    rows, _ = rows_of("sft", tokenizer, tmp_path)
    ids, labels, _ = padded(rows, range(4), 0)
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=96, n_embd=32, n_layer=2, n_head=2)
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        theirs = float(model(input_ids=ids, labels=labels).loss)
        add_labelled_head(model)
        out = model(input_ids=ids, labels=labels, fused_lm_head=True)
    assert float(-out.log_probs.sum() / out.label_mask.sum()) == pytest.approx(theirs, rel=1e-5)


def matrices() -> list[torch.nn.Parameter]:
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape) * 0.02) for shape in ((32, 32), (80, 32), (32, 80), (32, 32))]


def test_muon_is_torchs() -> None:
    """Up to its bfloat16."""
    mine, torchs = matrices(), matrices()
    settings = {"lr": 0.02, "weight_decay": 0.1}
    optimizers = [QuickMuon(mine, **settings), Muon(torchs, **settings)]
    for _ in range(5):
        for one, other in zip(mine, torchs, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for start, one, other in zip(matrices(), mine, torchs, strict=True):
        assert (one - other).detach().norm().item() < 0.02 * (other - start).detach().norm().item()


def test_muon_has_the_matrices_of_the_body_and_no_other(tokenizer: Any) -> None:
    model = make_model(SIZES, tokenizer, 0)
    optimizer = make_optimizer(model, Train(optimizer="muon", rate=0.005, muon_rate=0.03))
    assert isinstance(optimizer, MuonWithAdamW)
    rates = {id(weight): group["lr"] for group in optimizer.param_groups for weight in group["params"]}
    for name, weight in model.named_parameters():
        assert rates.pop(id(weight)) == (0.03 if ".layers." in name and weight.ndim == 2 else 0.005), name
    assert not rates


def test_the_state_of_both_optimizers_is_taken_up(tokenizer: Any) -> None:
    def stepped(optimizer: Any, model: Any, seed: int) -> None:
        torch.manual_seed(seed)
        for weight in model.parameters():
            weight.grad = torch.randn_like(weight)
        optimizer.step()

    train = Train(optimizer="muon", rate=0.005, muon_rate=0.03)
    one = make_model(SIZES, tokenizer, 0)
    first = make_optimizer(one, train)
    stepped(first, one, 1)
    other = make_model(SIZES, tokenizer, 0)
    other.load_state_dict(one.state_dict())
    second = make_optimizer(other, train)
    second.load_state_dict(deepcopy(first.state_dict()))  # as from a file
    stepped(first, one, 2)
    stepped(second, other, 2)
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_weight_decay_is_not_on_vectors(tokenizer: Any) -> None:
    model = make_model(SIZES, tokenizer, 0)
    optimizer = make_optimizer(model, Train(weight_decay=0.1))
    for group in optimizer.param_groups:
        assert {weight.ndim for weight in group["params"]} == ({1} if group["weight_decay"] == 0 else {2})
