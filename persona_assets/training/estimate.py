"""What a training will take, told before it runs: memory and time of each stage, and advice where memory is too small.

Of a transformer as Llama is one; others differ by some tens of per cent. Nothing is loaded: sizes come from configs and
from the headers of weight files.
"""

import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from persona_assets.training.faults import TrainingFailed
from persona_assets.training.job import Job, JobStage, Scratch, Train

FLOAT = 4  # bytes
GIB = 1 << 30
SPANS = ((3600, "h"), (60, "min"), (1, "s"))
PROCESS = 900 << 20  # bytes of a child that has imported torch, transformers and TRL, and of allocators' slack
LOGITS = 1 << 25  # numbers that logits hold at a time, as `trainers` has it
# What a layer keeps for the backward pass, in numbers per token: of width `hidden` its inputs, norms, queries, keys,
# values and outputs, with their copies for rotation; of width `feed_forward` gate, up, their activation and product.
KEPT_HIDDEN, KEPT_FORWARD = 16, 4
USED = {"cpu": 0.7, "cuda": 0.4}  # of a device's speed at large products, what those of a training come to
# Seconds that a number which a layer keeps takes in all that is no product (norms, rotation, activation), both ways:
# measured on a CPU of 2024; a GPU is bound by its memory.
NUMBER_S = {"cpu": 4.4e-9, "cuda": 1e-11}
STEP_S = 0.008  # of a step, whatever the size of the model
# bfloat16 products in 10^12 a second, of a name's part; others are taken as the slowest of these.
GPUS = {"B200": 2250, "H200": 990, "H100": 990, "A100": 312, "L40": 181, "A10": 125, "4090": 165, "3090": 71, "T4": 65}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a model."""

    parameters: int
    embeddings: int  # of these, those of tables of tokens
    hidden: int
    layers: int
    feed_forward: int
    vocabulary: int


@dataclass(frozen=True, slots=True)
class Extent:
    """Of a stage's rows: how many, tokens in all, and in the longest; of DPO each answer counts with its prompt."""

    rows: int
    tokens: int
    longest: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What trains: `memory` in bytes, of each device; `speed` in products and sums a second, of all."""

    device: str  # cpu or cuda
    name: str
    devices: int
    memory: int
    speed: float


@dataclass(frozen=True, slots=True)
class Needed:
    """Of a stage: bytes on each device, and seconds."""

    stage: str
    memory: int
    seconds: float

    def told(self) -> str:
        """In words."""
        size, unit = next((size, unit) for size, unit in SPANS if self.seconds >= 2 * size or size == 1)
        return f"stage {self.stage}: about {self.memory / GIB:.1f} GiB and {self.seconds / size:.0f} {unit}"


def sizes(base: Scratch | Path) -> Sizes:
    """Of a model from scratch, or of a folder with a config and safetensors.

    Raises:
        TrainingFailed: `bad_base`, where the folder's config names no sizes.
    """
    if isinstance(base, Scratch):
        heads = base.key_value_heads or base.heads
        attention = 2 * base.hidden**2 + 2 * base.hidden * (base.hidden // base.heads) * heads
        layer = attention + 3 * base.hidden * base.feed_forward_size + 2 * base.hidden
        table = base.vocabulary * base.hidden
        whole = table + base.layers * layer + base.hidden
        return Sizes(whole, table, base.hidden, base.layers, base.feed_forward_size, base.vocabulary)
    try:
        said = json.loads((base / "config.json").read_bytes())
        said = said.get("text_config", said)
        hidden, layers, vocabulary = (int(said[name]) for name in ("hidden_size", "num_hidden_layers", "vocab_size"))
        forward = int(said.get("intermediate_size") or 4 * hidden)
        whole = sum(_parameters(path) for path in base.glob("*.safetensors"))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise TrainingFailed(
            "bad_base", f"base {base}: its config.json or weights cannot be read ({error!r})"
        ) from error
    tables = 1 if said.get("tie_word_embeddings", True) else 2
    return Sizes(whole, tables * vocabulary * hidden, hidden, layers, forward, vocabulary)


def _parameters(path: Path) -> int:
    """How many numbers a file of weights holds, by its header."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(int(np.prod(one["shape"], dtype=np.int64)) for name, one in header.items() if name != "__metadata__")


def this_machine() -> Machine:
    """The GPUs of this machine, else its CPU, whose speed is measured."""
    gpus = _gpus()
    if gpus:
        name = gpus[0][0]
        speed = next((speed for part, speed in GPUS.items() if part in name), min(GPUS.values()))
        return Machine("cuda", name, len(gpus), min(memory for _, memory in gpus), speed * 1e12 * len(gpus))
    return Machine("cpu", "CPU", 1, _free_memory(), _cpu_speed())


def _gpus() -> list[tuple[str, int]]:
    """Name and bytes of each GPU that may be used, by the driver's own tool."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    command = ["nvidia-smi", "--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    if done.returncode:
        return []
    rows = [[part.strip() for part in line.split(",")] for line in done.stdout.splitlines()]
    used = [row for row in rows if seen is None or row[0] in seen.split(",")]
    return [(name, int(memory) << 20) for _, name, memory in used]


def _free_memory() -> int:
    """Bytes that are free, or can be made so."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))


def _cpu_speed() -> float:
    """The best of some measurements: others may use the cores too."""
    one = np.ones((512, 512), np.float32)
    spans = []
    for _ in range(12):
        began = time.perf_counter()
        one @ one
        spans.append(time.perf_counter() - began)
    return 2.0 * 512**3 / min(spans)


def estimate(job: Job, extents: Mapping[str, Extent], machine: Machine) -> list[Needed]:
    """What each stage will take; `extents` by the stages' ids."""
    model = sizes(job.base if isinstance(job.base, Scratch) else job.base.folder)
    return [_needed(stage, extents[stage.id], model, machine) for stage in job.stages]


def check(job: Job, extents: Mapping[str, Extent], machine: Machine) -> list[Needed]:
    """The same, where the machine's memory holds it.

    Raises:
        TrainingFailed: `out_of_memory`, with what would fit.
    """
    found = estimate(job, extents, machine)
    model = sizes(job.base if isinstance(job.base, Scratch) else job.base.folder)
    for stage, needed in zip(job.stages, found, strict=True):
        if needed.memory > machine.memory:
            raise TrainingFailed(
                "out_of_memory",
                f"{needed.told()}, and {machine.name} has {machine.memory / GIB:.1f} GiB: "
                + _advice(stage, extents[stage.id], model, machine),
            )
    return found


def _needed(stage: JobStage, extent: Extent, model: Sizes, machine: Machine) -> Needed:
    train = stage.train
    trained = lora_parameters(train, model) if train.lora else model.parameters
    half = machine.device == "cuda" and train.lora is not None
    weights = model.parameters * (2 if half else FLOAT) + (trained * FLOAT if train.lora else 0)
    fixed = weights + trained * FLOAT + _states(train, model, trained)
    rows = train.batch * (2 if stage.kind == "dpo" else 1) / machine.devices
    longest = min(extent.longest, train.length or extent.longest)
    width = FLOAT // 2 if machine.device == "cuda" else FLOAT
    kept = (KEPT_HIDDEN * model.hidden + KEPT_FORWARD * model.feed_forward) * model.layers  # numbers per token
    logits = 3 * FLOAT * min(LOGITS, rows * longest * model.vocabulary)
    memory = PROCESS + fixed + rows * longest * kept * width + logits
    passes = 4 if train.lora else 6  # of the backward pass's two halves, frozen weights need one
    body = model.parameters - model.embeddings
    attention = 2 * extent.tokens / max(extent.rows, 1) * model.hidden * model.layers
    work = passes * (body + model.vocabulary * model.hidden / 2 + attention) * extent.tokens * train.epochs
    if stage.kind == "dpo":
        work += 2 * model.parameters * extent.tokens
    batches = train.epochs * extent.rows / train.batch
    rest = kept * extent.tokens * train.epochs * NUMBER_S[machine.device] / machine.devices
    seconds = work / (machine.speed * USED[machine.device]) + rest + STEP_S * batches
    return Needed(stage.id, int(memory), seconds)


def _states(train: Train, model: Sizes, trained: int) -> int:
    """Bytes of the optimizer: AdamW has two numbers for each one that is trained, Muon one."""
    if train.optimizer == "adamw":
        return 2 * FLOAT * trained
    return FLOAT * (trained - model.embeddings) + 2 * FLOAT * model.embeddings


def lora_parameters(train: Train, model: Sizes) -> int:
    """Numbers that adapters at all linear layers have, about."""
    assert train.lora is not None
    return train.lora.rank * model.layers * (4 * 2 * model.hidden + 3 * (model.hidden + model.feed_forward))


def _advice(stage: JobStage, extent: Extent, model: Sizes, machine: Machine) -> str:
    """The largest batch that fits, with or without adapters; else a shorter length, or a smaller base."""
    for lora in (False, True) if stage.train.lora is None else (True,):
        settings = {"lora": {}, "optimizer": "adamw"} if lora and stage.train.lora is None else {}
        batch = stage.train.batch
        while batch:
            given = stage.train.model_dump() | settings | {"batch": batch}
            changed = stage.model_copy(update={"train": Train.model_validate(given)})
            if _needed(changed, extent, model, machine).memory <= machine.memory:
                more = f"batch: {batch}, accumulate: {stage.train.accumulate * -(-stage.train.batch // batch)}"
                return ("take lora: {}" if settings else "take") + ("" if batch == stage.train.batch else f" {more}")
            batch //= 2
    short = replace(extent, longest=max(64, extent.longest // 4))
    if _needed(stage, short, model, machine).memory <= machine.memory:
        return f"take rows of {short.longest} tokens at most (length)"
    return "take a smaller base, or a machine with more memory"
