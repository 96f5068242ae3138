"""The log of a training, and what happens as its steps are done. Of the child process only."""

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import TrainerCallback

from persona_assets.training.faults import TrainingFailed
from persona_assets.training.job import JobStage

LOGGED = ("stage", "step", "steps", "epoch", "loss", "gradient_norm", "learning_rate", "tokens", "seconds")
LINES = 500  # that a stage has at most: as many as a plot can show


class Log:
    """The file of a line per step, written line by line."""

    def __init__(self, path: Path, leads: bool) -> None:
        """One process writes it."""
        self.path, self.leads = path, leads

    def read(self) -> list[dict[str, Any]]:
        """Its lines; one that was being written when the process was killed is none."""
        lines = []
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            for line in file:
                with suppress(ValueError):
                    lines.append(json.loads(line))
        return lines

    def of(self, stage: str) -> list[dict[str, Any]]:
        """The lines of a stage."""
        return [line for line in self.read() if line["stage"] == stage]

    def resume(self, stage: str, step: int) -> dict[str, Any]:
        """Drop the lines of a stage after a step, which are written again; the last one of it that stays."""
        kept = [line for line in self.read() if line["stage"] != stage or line["step"] <= step]
        if self.leads:
            self.path.write_text("".join(json.dumps(line) + "\n" for line in kept))
        mine = [line for line in kept if line["stage"] == stage]
        return mine[-1] if mine else {}

    def add(self, line: dict[str, Any]) -> None:
        """Write one line."""
        if self.leads:
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")


class Clock(TrainerCallback):
    """Writes the log, tells how far it is, asks for checkpoints in time, and ends a training that gives no numbers."""

    def __init__(
        self,
        log: Log,
        say: Callable[..., None],
        stage: JobStage,
        extent: tuple[float, int, int],
        before: dict[str, Any],
        checkpoint_seconds: float,
    ) -> None:
        """`extent` has epochs, steps, and the steps of a line; `before` is the line that the training goes on from."""
        self.log, self.say, self.stage, self.checkpoint_seconds = log, say, stage, checkpoint_seconds
        self.epochs, self.steps, self.every = extent
        self.step, self.seconds = int(before.get("step", 0)), float(before.get("seconds", 0.0))
        self.saved = self.logged = time.monotonic()
        self.tokens = int(before.get("tokens", 0))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ANN401 - of transformers
        """Ask for a checkpoint; only where a line is logged, so that the lines are the same whatever is interrupted."""
        due = time.monotonic() - self.saved >= self.checkpoint_seconds
        if state.global_step % self.every == 0 and state.global_step < self.steps:
            control.should_save = agreed(due)
        if state.global_step == self.steps:
            control.should_log = True

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ANN401 - of transformers
        """Write a line."""
        logs = given["logs"]
        if "loss" not in logs:  # the summary at the end
            return
        now, step = time.monotonic(), state.global_step
        self.seconds += now - self.logged
        speed = (logs["tokens"] - self.tokens) / max(now - self.logged, 1e-9)
        line = {
            "stage": self.stage.id, "step": step, "steps": self.steps,
            "epoch": round(self.epochs * step / self.steps, 6),
            "loss": float(logs["loss"]), "gradient_norm": float(logs.get("grad_norm", 0.0)),
            "learning_rate": float(logs["learning_rate"]), "tokens": logs["tokens"], "seconds": round(self.seconds, 3),
        }  # fmt: skip
        if "accuracy" in logs:
            line["accuracy"] = round(logs["accuracy"], 6)
        if not (math.isfinite(line["loss"]) and math.isfinite(line["gradient_norm"])):
            raise nan(self.stage, step)
        self.log.add(line)
        self.say(done=step - self.step, note=f"{self.stage.id}: loss {line['loss']:.3f}, {speed:,.0f} tokens/s")
        self.step, self.logged, self.tokens = step, now, logs["tokens"]

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ANN401
        """Count from here; a checkpoint that takes long is written seldom."""
        self.saved = time.monotonic()


def agreed(due: bool) -> bool:
    """What the first process says, for all: clocks differ."""
    if PartialState().num_processes == 1:
        return due
    from accelerate.utils import broadcast_object_list

    return bool(broadcast_object_list([due])[0])


def nan(stage: JobStage, step: int) -> TrainingFailed:
    """The loss, the gradients or the weights are no numbers any more."""
    return TrainingFailed(
        "nan",
        f"stage {stage.id}: loss, gradient or weights are no number at step {step}: lower rate or muon_rate, or clip "
        "gradients at 1.0",
    )
