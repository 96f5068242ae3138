"""TRL's trainers, made quick for small models. Of the child process only.

Three things differ. The loss is computed at the labelled positions alone (TRL's is at all positions without a GPU, with
entropies and accuracies beside it); rows come as tokens, and without a mask; DPO's reference is asked once, beforehand.
The numbers are TRL's own: a test compares them.
"""

import os
import shutil
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from datasets import Dataset as TableOfRows
from numpy.typing import NDArray
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset
from transformers import PrinterCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer
from trl.trainer.utils import FusedCausalLMOutput

from persona_assets.training.tokens import Rows

IGNORED = -100  # a label that does not count
WHOLE = "whole"  # a file in a checkpoint that says that all of it is there
LOGITS = 1 << 25  # numbers that logits may hold at a time, 128 MB
# Where a model's config names one of these its head is no mere product, and TRL's own is used.
_BENT_HEADS = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")
Batch = dict[str, torch.Tensor]


class Ordered(Dataset[int]):
    """The numbers of the rows, or pairs, in the order in which they are trained on."""

    def __init__(self, order: NDArray[np.int64]) -> None:
        """Keep the order."""
        self.order = order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, place: int) -> int:
        return int(self.order[place])


class Collate:
    """Numbers of rows to a batch, padded on the right: what is causal never looks there, so no mask is needed."""

    def __init__(self, rows: Rows, pad: int, reference: NDArray[np.float32] | None = None) -> None:
        """`reference`, shape (2 * pairs,), has the log-probabilities of DPO's answers."""
        self.rows, self.pad, self.reference = rows, pad, reference

    def __call__(self, numbers: Sequence[int]) -> Batch:
        """`input_ids` and `labels` of shape (rows, longest), `read`, the number of tokens, and `reference`."""
        ids, labels, count = padded(self.rows, numbers, self.pad)
        batch = {"input_ids": ids, "labels": labels, "read": torch.tensor([count])}
        if self.reference is not None:
            batch["reference"] = torch.from_numpy(self.reference[list(numbers)])
        return batch


class CollatePairs(Collate):
    """Numbers of pairs: all chosen answers, then all rejected ones, as TRL has them."""

    def __call__(self, numbers: Sequence[int]) -> Batch:
        """The same of twice as many rows."""
        return super().__call__([*(2 * number for number in numbers), *(2 * number + 1 for number in numbers)])


def padded(rows: Rows, numbers: Sequence[int], pad: int) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Ids and labels, each of shape (rows, longest), and the number of tokens that are no padding."""
    some = [rows.row(number) for number in numbers]
    longest = max(len(ids) for ids, _ in some)
    ids = np.full((len(some), longest), pad, np.int64)
    labels = np.full((len(some), longest), IGNORED, np.int64)
    for place, (number, (row, start)) in enumerate(zip(numbers, some, strict=True)):
        ids[place, : len(row)] = row
        labels[place, start : len(row)] = row[start:]
        for first, end in rows.gaps_of(number):
            labels[place, first:end] = IGNORED
    return torch.from_numpy(ids), torch.from_numpy(labels), sum(len(row) for row, _ in some)


def add_labelled_head(model: Any) -> None:  # noqa: ANN401 - of transformers
    """Let `model(labels=..., fused_lm_head=True)` give log-probabilities at labelled positions, and 0 elsewhere.

    It takes the place of TRL's head of that name, and like it is part of the model's own forward pass, so that what
    wraps a model (PEFT, several GPUs) sees it.
    """
    config = model.config.get_text_config()
    if any(getattr(config, name, None) is not None for name in _BENT_HEADS):
        return
    whole = model.forward

    def forward(self: Any, *args: Any, labels: Any = None, fused_lm_head: bool = False, **kwargs: Any) -> Any:  # noqa: ANN401
        if not fused_lm_head:
            return whole(*args, **kwargs) if labels is None else whole(*args, labels=labels, **kwargs)
        hidden = self.base_model(*args, **{**kwargs, "use_cache": False}).last_hidden_state[:, :-1]
        wanted = labels[:, 1:]
        mask = wanted != IGNORED
        places = mask.reshape(-1).nonzero().squeeze(-1)
        found = _log_probabilities(
            hidden.reshape(-1, hidden.shape[-1]).index_select(0, places),
            wanted.reshape(-1).index_select(0, places),
            self.get_output_embeddings(),
            config.vocab_size,
        )
        spread = found.new_zeros(mask.numel()).index_copy(0, places, found)
        return FusedCausalLMOutput(log_probs=spread.view(mask.shape), label_mask=mask)

    model.forward = types.MethodType(forward, model)


def _log_probabilities(
    hidden: torch.Tensor, wanted: torch.Tensor, head: Callable[[torch.Tensor], torch.Tensor], vocabulary: int
) -> torch.Tensor:
    """Of each wanted token, shape (positions,), float32; in parts whose logits the backward pass computes again."""

    def part(states: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        return -F.cross_entropy(head(states).float(), tokens, reduction="none")

    most = max(1, LOGITS // vocabulary)
    if len(wanted) <= most:
        return part(hidden, wanted)
    parts = zip(torch.split(hidden, most), torch.split(wanted, most), strict=True)
    return torch.cat([checkpoint(part, *one, use_reentrant=False) for one in parts])


class _Quick:
    """What both trainers have in common; goes before TRL's class."""

    order: NDArray[np.int64]
    collate: Collate

    def take(self, order: NDArray[np.int64], collate: Collate, read: int) -> None:
        """What is trained on, and how many tokens were read before."""
        self.order, self.collate = order, collate
        self.read = torch.tensor(read)
        self.figures: dict[str, list[torch.Tensor]] = {}
        model: Any = self.model  # type: ignore[attr-defined]
        if "ref" in getattr(model, "peft_config", {}):  # TRL's copy of the adapter, to be a reference
            model.delete_adapter("ref")
        add_labelled_head(model.get_base_model() if hasattr(model, "get_base_model") else model)
        self.remove_callback(PrinterCallback)  # type: ignore[attr-defined]

    def get_train_dataloader(self) -> Any:  # noqa: ANN401 - of accelerate
        loader = DataLoader(Ordered(self.order), self._train_batch_size, collate_fn=self.collate)  # type: ignore[attr-defined]
        return self.accelerator.prepare(loader)  # type: ignore[attr-defined]

    def per_token(self, model: Any, inputs: Batch) -> torch.Tensor:  # noqa: ANN401 - of transformers
        """Log-probabilities of the labels that count, 0 elsewhere: shape (rows, longest - 1)."""
        self.read += inputs.pop("read").sum().cpu()
        out = model(input_ids=inputs["input_ids"], labels=inputs["labels"], fused_lm_head=True)
        found: torch.Tensor = out.log_probs
        return found

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the figures since the last time."""
        logs |= {name: float(torch.stack(values).mean()) for name, values in self.figures.items()}
        logs["tokens"] = int(self.read) * self.accelerator.num_processes  # type: ignore[attr-defined]
        self.figures.clear()
        super().log(logs, start_time)  # type: ignore[misc]

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Nothing: who asked for the training writes the card."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:  # noqa: ANN401
        """Write one, mark it as whole, and only then remove those before it."""
        super()._save_checkpoint(model, trial)  # type: ignore[misc]
        accelerator: Any = self.accelerator  # type: ignore[attr-defined]
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            folder = Path(self.args.output_dir)  # type: ignore[attr-defined]
            mine = folder / f"checkpoint-{self.state.global_step}"  # type: ignore[attr-defined]
            for path in mine.iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            (mine / WHOLE).touch()
            for other in folder.glob("checkpoint-*"):
                if other != mine:
                    shutil.rmtree(other)


class Sft(_Quick, SFTTrainer):
    """Supervised training on answers, or on whole texts."""

    def compute_loss(
        self,
        model: Any,  # noqa: ANN401 - of transformers
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ANN401 - a number, or a tensor of one
    ) -> torch.Tensor:
        """Nats per labelled token, over all that a step has."""
        assert not return_outputs
        found = self.per_token(model, inputs)
        count = (inputs["labels"][:, 1:] != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
        loss = -found.sum() / torch.as_tensor(count).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return loss


class Dpo(_Quick, DPOTrainer):
    """Direct preference optimisation (arXiv 2305.18290) with its sigmoid loss; the reference is asked beforehand."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:  # noqa: ANN401
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *_: Any) -> Any:  # noqa: ANN401
        return dataset

    def compute_loss(
        self,
        model: Any,  # noqa: ANN401 - of transformers
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ANN401 - a number, or a tensor of one
    ) -> torch.Tensor:
        """The mean over pairs; `accuracy` is the share whose chosen answer has gained more than the rejected one."""
        assert not return_outputs
        gained = self.per_token(model, inputs).sum(1) - inputs["reference"]
        chosen, rejected = gained.chunk(2)
        self.figures.setdefault("accuracy", []).append((chosen > rejected).float().mean().detach())
        return -F.logsigmoid(self.beta * (chosen - rejected)).mean()


@torch.no_grad()
def reference_log_probabilities(model: Any, rows: Rows, pad: int, batch: int) -> NDArray[np.float32]:  # noqa: ANN401
    """The log-probability of each row's answer, shape (rows,), as the model gives it now; `batch` rows at a time."""
    found = np.zeros(len(rows.ends), np.float32)
    order = np.argsort(rows.lengths, kind="stable")
    for begin in range(0, len(order), batch):
        numbers = order[begin : begin + batch].tolist()
        ids, labels, _ = padded(rows, numbers, pad)
        out = model(input_ids=ids.to(model.device), labels=labels.to(model.device), fused_lm_head=True)
        found[numbers] = out.log_probs.sum(1).float().cpu().numpy()
    return found


def placeholder(kind: str) -> TableOfRows:
    """A table of one row, as TRL's constructors look at one; rows come by `take`."""
    if kind == "dpo":
        return TableOfRows.from_dict({"prompt": [""], "chosen": [""], "rejected": [""]})
    return TableOfRows.from_dict({"input_ids": [[0]], "labels": [[0]]})


def make_config(kind: str, **settings: Any) -> SFTConfig | DPOConfig:  # noqa: ANN401
    """TRL's settings of a kind: nothing is reported to anyone, and NaN is shown as NaN."""
    common: dict[str, Any] = {
        "report_to": [], "disable_tqdm": True, "save_strategy": "no", "logging_nan_inf_filter": False,
        "remove_unused_columns": False, "num_train_epochs": 1, "max_length": None,
        "train_sampling_strategy": "sequential", **settings,
    }  # fmt: skip
    if kind == "dpo":
        return DPOConfig(precompute_ref_log_probs=True, **common)
    return SFTConfig(packing=False, dataset_kwargs={"skip_prepare_dataset": True}, **common)
