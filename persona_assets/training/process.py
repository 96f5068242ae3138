"""A training seen from our side: it is started, watched, ended with us, and gone on with where it was interrupted."""

import importlib.util
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from persona_assets.errors import UsageError
from persona_assets.progress import Progress
from persona_assets.training.faults import REASONS, TrainingFailed
from persona_assets.training.job import Job, job_digest

NEEDED = ("trl", "peft", "accelerate", "datasets")
# Nothing is reported to anyone and nothing fetched: what is needed lies on this machine.
PRIVATE = {
    "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1",
    "TRANSFORMERS_VERBOSITY": "error", "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}  # fmt: skip
# Threads that wait sleep: where they spin and cores are shared, two of them are slower than one.
DEFAULTS = {"GOMP_SPINCOUNT": "0"}
OWN = ("base", "adapter", "model", "work", "log.jsonl", "result.json", "job.json", "job.digest", "worker.log")
CLOSE_S = 10.0  # a child that is told to end may take this long before it is killed
LOG_BYTES = 4000  # of the end of the child's log that are looked through for what went wrong
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training left in its folder."""

    folder: Path
    result: dict[
        str, Any
    ]  # figures per stage: `{"stages": {id: {"steps", "tokens", "parameters", ...}}, "threads", "device"}`

    @classmethod
    def at(cls, folder: Path) -> Self:
        """What a training left that is done."""
        return cls(folder, json.loads((folder / "result.json").read_bytes()))

    @property
    def model(self) -> Path:
        """The trained weights with their tokenizer."""
        return self.folder / "model"

    @property
    def base(self) -> Path | None:
        """The weights that it started from, where they were made here."""
        return self.folder / "base" if (self.folder / "base").exists() else None

    @property
    def log(self) -> Path:
        """A line of JSON per step: `worker.LOGGED`."""
        return self.folder / "log.jsonl"


def missing_to_train() -> list[str]:
    """The packages that training needs and that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def train(job: Job, folder: Path, told: Progress | None = None) -> Trained:
    """Train a job in a folder, or go on with what an earlier try at the same job left there.

    Another job's remains in the folder are removed first; a job that is done is not done again. Whoever calls holds the
    folder alone.

    Args:
        job: What is to be trained.
        folder: Where everything is written; `model/` is there once it is whole.
        told: Is told the steps of each stage as they are done.

    Raises:
        UsageError: what trains models is not installed, or a file of rows cannot be read.
        TrainingFailed: it cannot be trained; its `reason` says why.
    """
    if missing := missing_to_train():
        raise UsageError(f'training needs {", ".join(missing)}: pip install "persona-assets[train]"')
    folder.mkdir(parents=True, exist_ok=True)
    set_up(job, folder)
    if not (folder / "result.json").exists():
        _run(folder, told)
    return Trained.at(folder)


def set_up(job: Job, folder: Path) -> None:
    """Write the job into its folder; what is there of another one is removed."""
    try:
        digest = job_digest(job)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}: a file that the training reads") from error
    marked = folder / "job.digest"
    if not marked.exists() or marked.read_text() != digest:
        for name in OWN:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    (folder / "job.json").write_text(job.model_dump_json(indent=1))
    marked.write_text(digest)


def _run(folder: Path, told: Progress | None) -> None:
    fault: dict[str, Any] = {}
    with (folder / "worker.log").open("wb") as log, _child(folder, log) as child:
        assert child.stdout is not None
        for line in child.stdout:
            message = json.loads(line)
            if "fault" in message:
                fault = message
            elif told:
                told(message["done"], message.get("total"), message.get("note", ""))
        status = child.wait()
    if fault:
        assert fault["fault"] in REASONS
        raise TrainingFailed(fault["fault"], fault["message"])
    if status:
        raise TrainingFailed("crashed", _crash(status, folder / "worker.log"))


@contextmanager
def _child(folder: Path, log: Any) -> Iterator[subprocess.Popen[bytes]]:  # noqa: ANN401 - an open file
    """The child process, in a session of its own; it is gone when this ends, and ends by itself when we are killed."""
    child = subprocess.Popen(
        [sys.executable, "-m", "persona_assets.training.worker", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={**DEFAULTS, **os.environ, **PRIVATE},
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        child.wait(CLOSE_S)
        for pipe in (child.stdin, child.stdout):
            with suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]


def _crash(status: int, log: Path) -> str:
    """Why a child ended, as far as its log says."""
    lines = log.read_bytes()[-LOG_BYTES:].decode(errors="replace").strip().splitlines()
    said = lines[-1] if lines else ""
    if status == -signal.SIGKILL:
        return (
            "the training was killed (signal 9), as happens where memory runs out: take a smaller batch or lora, or "
            "start again to go on"
        )
    ended = f"signal {-status}" if status < 0 else f"status {status}"
    return f"the training ended with {ended}" + (f": {said}" if said else "") + f"; {log} says more"
