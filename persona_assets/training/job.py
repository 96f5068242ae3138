"""What is to be trained: a base, stages with their rows, and settings. Plain data, read by our side and the child."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from persona_assets.engines.weights import folder_digest
from persona_assets.ids import canonical_json, digest

Kind = Literal["text", "sft", "dpo"]
# What a file of rows holds beside `id`, of each kind; all of it is plain text. Of `sft` it may hold `BEFORE` too: the
# messages of a conversation before its last question, a list of `role` and `content`.
COLUMNS: dict[Kind, tuple[str, ...]] = {
    "text": ("response",),
    "sft": ("prompt", "response"),
    "dpo": ("prompt", "response", "rejected"),
}
BEFORE = "before"
FORM = 2  # of what the child makes of a job; a higher one trains everything anew
_READ_BYTES = 1 << 20


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scratch(_Strict):
    """Sizes of a model (of Llama's architecture, embeddings tied) that starts from random weights."""

    hidden: int = Field(64, ge=8, le=16384, multiple_of=2)
    layers: int = Field(3, ge=1, le=256)
    heads: int = Field(4, ge=1, le=256)
    key_value_heads: int | None = Field(None, ge=1, le=256)  # as many as heads where not named
    feed_forward: int | None = Field(None, ge=8, le=131072)  # 2.5 times hidden where not named
    vocabulary: int = Field(2048, ge=300, le=262144)  # pieces of the tokenizer at most; few texts give fewer
    length: int = Field(384, ge=16, le=131072)  # tokens of a row at most

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.hidden % (2 * self.heads):
            raise ValueError(f"hidden ({self.hidden}) must be a multiple of twice heads ({self.heads})")
        if self.heads % (self.key_value_heads or self.heads):
            raise ValueError(f"heads ({self.heads}) must be a multiple of key_value_heads ({self.key_value_heads})")
        return self

    @property
    def feed_forward_size(self) -> int:
        """Width of the feed-forward layers."""
        return self.feed_forward or self.hidden * 5 // 2


class Lora(_Strict):
    """Low-rank adapters (arXiv 2106.09685) in place of training all weights."""

    rank: int = Field(16, ge=1, le=1024)
    alpha: int = Field(32, ge=1, le=4096)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: Literal["all-linear"] | Annotated[list[str], Field(min_length=1)] = "all-linear"  # or names of modules


class Train(_Strict):
    """How a stage is trained. A step is `batch * accumulate` rows, on however many devices."""

    epochs: float = Field(1.0, gt=0, le=1000)
    batch: int = Field(16, ge=1, le=65536)
    accumulate: int = Field(1, ge=1, le=65536)
    rate: float = Field(2e-4, gt=0, le=1)  # the highest of AdamW
    optimizer: Literal["adamw", "muon"] = "adamw"
    muon_rate: float = Field(0.02, gt=0, le=1)  # the highest of Muon, for the matrices of the body
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = Field(0.0, ge=0, lt=1)  # share of the steps in which the rate rises
    weight_decay: float = Field(0.0, ge=0, le=10)
    clip: float = Field(1.0, ge=0, le=1e6)  # gradients of a greater norm are scaled to it; 0: none are
    length: int | None = Field(None, ge=8, le=1 << 20)  # tokens of a row at most; the model's where not named
    beta: float = Field(0.1, gt=0, le=100)  # of DPO (arXiv 2305.18290): how far the model may go from its reference
    lora: Lora | None = None

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.lora and self.optimizer == "muon":
            raise ValueError("optimizer muon trains all weights: take adamw with lora")
        return self


class JobStage(_Strict):
    """One training after another; `rows` is a Parquet file with `id` and the columns of its kind (`COLUMNS`)."""

    id: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")
    kind: Kind
    train: Train = Field(default_factory=lambda: Train.model_validate({}))
    rows: Path


class Base(_Strict):
    """A folder with weights and tokenizer, and the file in it where it is GGUF, which `found.prepared` converts."""

    folder: Path
    gguf: str | None = None


class Job(_Strict):
    """All that shapes a model, and how often a checkpoint is written, which shapes nothing."""

    base: Scratch | Base
    seed: int = Field(0, ge=0, lt=1 << 32)
    stages: list[JobStage] = Field(min_length=1)
    checkpoint_seconds: float = Field(60.0, ge=0)

    @model_validator(mode="after")
    def _fit(self) -> Self:
        ids = [stage.id for stage in self.stages]
        if len(set(ids)) < len(ids):
            raise ValueError(f"two stages have one id: {', '.join(ids)}")
        if isinstance(self.base, Base) and self.base.gguf:
            raise ValueError(f"{self.base.gguf} is to be converted first (found.prepared)")
        if isinstance(self.base, Scratch) and any(stage.train.lora for stage in self.stages):
            raise ValueError("a model from scratch has nothing that adapters could be added to: leave lora out")
        return self


def job_digest(job: Job) -> str:
    """A digest of what shapes the model: settings, and the content of rows and base wherever they lie.

    Raises:
        OSError: a file cannot be read.
    """
    base = job.base.model_dump() if isinstance(job.base, Scratch) else {"weights": folder_digest(job.base.folder)}
    stages = [
        {"id": stage.id, "kind": stage.kind, "train": stage.train.model_dump(), "rows": _file_digest(stage.rows)}
        for stage in job.stages
    ]
    return digest(canonical_json({"form": FORM, "base": base, "seed": job.seed, "stages": stages}))


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
