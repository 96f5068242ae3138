"""Small jobs, and trainings of them in this process, which has imported what takes seconds to import."""

import io
import json
from pathlib import Path
from typing import Any

import polars as pl
from safetensors.torch import load_file

from persona_assets.training.job import Base, Job, JobStage, Scratch, Train
from persona_assets.training.process import set_up

SIZES = Scratch(hidden=32, layers=2, heads=2, vocabulary=400, length=96)
ROWS = 40


def rows_file(path: Path, kind: str, rows: int = ROWS) -> Path:
    """Sums of two numbers: `a + b = c`; the wrong answer of a pair is one more."""
    numbers = [(number % 7, number % 11) for number in range(rows)]
    frame = {"id": [f"r{number}" for number in range(rows)]}
    if kind == "text":
        frame["response"] = [f"The sum {a} + {b} = {a + b} is known." for a, b in numbers]
    else:
        frame["prompt"] = [f"How much is {a} and {b}?" for a, b in numbers]
        frame["response"] = [f"{a} + {b} = {a + b}#{a + b}" for a, b in numbers]
    if kind == "dpo":
        frame["rejected"] = [f"{a} + {b} = {a + b + 1}#{a + b + 1}" for a, b in numbers]
    pl.DataFrame(frame).write_parquet(path)
    return path


def stage(folder: Path, kind: Any, **train: Any) -> JobStage:
    """A stage of that kind, whose rows lie in the folder."""
    given = Train.model_validate({"epochs": 1, "batch": 8, "rate": 1e-3, **train})
    return JobStage(id=kind, kind=kind, train=given, rows=rows_file(folder / f"{kind}.parquet", kind))


def job(stages: list[JobStage], base: Scratch | Path = SIZES, **settings: Any) -> Job:
    """A job whose checkpoints are written after each step."""
    given = Base(folder=base) if isinstance(base, Path) else base
    return Job(base=given, stages=stages, checkpoint_seconds=0, **settings)


def trained_here(job: Job, folder: Path) -> dict[str, Any]:
    """Train in this process, as the child does; the figures.

    Raises:
        TrainingFailed: as the child says it.
    """
    from persona_assets.training.worker import Worker

    folder.mkdir(parents=True, exist_ok=True)
    set_up(job, folder)
    Worker(folder, io.BytesIO()).run()
    result: dict[str, Any] = json.loads((folder / "result.json").read_bytes())
    return result


def weights(folder: Path) -> dict[str, Any]:
    """The tensors of a model's folder."""
    found: dict[str, Any] = load_file(folder / "model.safetensors")
    return found


def same_weights(one: Path, other: Path) -> bool:
    """Whether two folders hold the same tensors, bit for bit."""
    ours, theirs = weights(one), weights(other)
    return ours.keys() == theirs.keys() and all(bool((ours[name] == theirs[name]).all()) for name in ours)


def lines(folder: Path) -> list[dict[str, Any]]:
    """The log of a training without its times."""
    read = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in read]
