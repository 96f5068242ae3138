"""Muon for the matrices of a model's body and AdamW for the rest, as one optimizer. Of the child process only."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import AdamW, Muon, Optimizer

from persona_assets.training.job import Train


class QuickMuon(Muon):
    """torch's Muon, with matrices of one shape taken together, on a CPU in float32: a third of the time.

    The matrices of a small model are so small that a call takes longer than what it computes.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step; a closure is not supported."""
        assert closure is None
        for group in self.param_groups:
            weights: list[torch.Tensor] = []
            grads: list[torch.Tensor] = []
            momenta: list[torch.Tensor] = []
            self._init_group(group, weights, grads, momenta)
            torch._foreach_lerp_(momenta, grads, 1 - group["momentum"])
            steps = torch._foreach_lerp(grads, momenta, group["momentum"]) if group["nesterov"] else momenta
            by_shape: dict[tuple[int, ...], list[int]] = {}
            for place, weight in enumerate(weights):
                by_shape.setdefault(tuple(sorted(weight.shape)), []).append(place)
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
            for places in by_shape.values():
                lying = [
                    steps[place].T if weights[place].shape[0] > weights[place].shape[1] else steps[place]
                    for place in places
                ]
                for place, change in zip(places, orthogonal(torch.stack(lying), group), strict=True):
                    rows, columns = weights[place].shape
                    rate = group["lr"] * math.sqrt(max(1.0, rows / columns))
                    weights[place].add_(change.T if rows > columns else change, alpha=-rate)


def orthogonal(matrices: torch.Tensor, group: dict[str, Any]) -> torch.Tensor:
    """About the nearest matrices with orthogonal rows, by Newton-Schulz steps.

    Shape (matrices, rows, columns), with no more rows than columns.
    """
    a, b, c = group["ns_coefficients"]
    found = matrices if matrices.device.type == "cpu" else matrices.bfloat16()
    found = found / found.flatten(1).norm(dim=1).clamp(min=group["eps"])[:, None, None]
    for _ in range(group["ns_steps"]):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found.to(matrices.dtype)


class MuonWithAdamW(Optimizer):
    """Steps AdamW and then Muon. `param_groups` are those of both, AdamW's first, so that a schedule moves both rates.

    The state is that of both, `{"adamw": ..., "muon": ...}`, and is saved and loaded as one.
    """

    def __init__(self, adamw: AdamW, muon: Muon) -> None:
        """Take both; their parameters must not overlap."""
        self._parts = {"adamw": adamw, "muon": muon}
        super().__init__([*adamw.param_groups, *muon.param_groups], {})
        self._gather()

    def _gather(self) -> None:
        """The groups of both parts themselves, not copies: what a schedule sets must reach them."""
        self.param_groups = [group for part in self._parts.values() for group in part.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of both; a closure is not supported."""
        assert closure is None
        for part in self._parts.values():
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of both parts."""
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state that `state_dict` gave."""
        for name, part in self._parts.items():
            part.load_state_dict(state_dict[name])
        self._gather()


def make_optimizer(model: torch.nn.Module, train: Train) -> Optimizer:
    """The optimizer of a stage, over the parameters that are trained.

    Weight decay is on matrices alone. Embeddings and the head are AdamW's, as one step of Muon moves all of a matrix
    and they see few of their rows (torch.optim.Muon says so too).
    """
    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    outer = {
        id(weight)
        for module in model.modules()
        if isinstance(module, torch.nn.Embedding)
        for weight in module.parameters()
    }
    outer |= {id(weight) for weight in _head(model)}
    body = [weight for _, weight in trained if weight.ndim == 2 and id(weight) not in outer]
    tables = [weight for _, weight in trained if weight.ndim >= 2 and id(weight) in outer]
    vectors = [weight for _, weight in trained if weight.ndim != 2 and id(weight) not in outer]
    by_muon = train.optimizer == "muon"
    groups = [
        {"params": tables if by_muon else [*tables, *body], "weight_decay": train.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    adamw = AdamW([group for group in groups if group["params"]], lr=train.rate, fused=True)
    if not by_muon:
        return adamw
    return MuonWithAdamW(adamw, QuickMuon(body, lr=train.muon_rate, weight_decay=train.weight_decay))


def _head(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    head = getattr(model, "get_output_embeddings", lambda: None)()
    return [] if head is None else list(head.parameters())
