"""Trains the job of a folder: `python -m persona_assets.training.worker FOLDER`, started by `process` only.

JSON lines go out: `{"done", "total", "note"}` as it goes on, and `{"fault", "message"}` where it cannot. The end of the
input is the order to end. Each stage starts from a folder with whole weights and ends in one, so that whatever was
interrupted goes on from the last stage, and in it from the last whole checkpoint. What is in the folder:

    job.json                    the job
    base/                       the untrained weights, where it starts from scratch
    log.jsonl                   a line per step, or per some steps: what `log.LOGGED` names
    work/                       checkpoints, and the weights after each stage but the last
    adapter/<stage>/            what LoRA trained
    model/                      the trained weights with their tokenizer: whole or not there
    result.json                 figures; it is written last
"""

import json
import math
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from accelerate import PartialState
from safetensors import SafetensorError

from persona_assets.training import trainers
from persona_assets.training.faults import TrainingFailed
from persona_assets.training.job import BEFORE, COLUMNS, Base, Job, JobStage
from persona_assets.training.log import LINES, Clock, Log, nan
from persona_assets.training.optimizers import make_optimizer
from persona_assets.training.scratch import make_model, make_tokenizer
from persona_assets.training.tokens import Rows, check_chat, read_rows, row_order
from persona_assets.training.weights import base_type, end_tokens, is_finite, is_full, is_out_of_memory, load, with_lora
from persona_assets.training.whole import whole_folder, write_whole

UNBOUNDED = 1 << 30  # the context of a model that names none
SMALL = 3_000_000  # parameters below which a second thread gains a fifth, and loses much where cores are shared
THREADS = torch.get_num_threads()
LARGE = 1_000_000_000  # parameters from which activations are computed again rather than kept, on a GPU


class Worker:
    """The training of one folder."""

    def __init__(self, folder: Path, out: IO[bytes]) -> None:
        """Read the job; `out` is where messages go."""
        self.folder, self.out = folder, out
        self.job = Job.model_validate_json((folder / "job.json").read_bytes())
        self.work = folder / "work"
        self.cuda = torch.cuda.is_available()
        self.processes = PartialState(cpu=not self.cuda)
        self.leads = self.processes.is_main_process
        self.log = Log(folder / "log.jsonl", self.leads)
        self.done: dict[str, dict[str, Any]] = {}

    def say(self, **message: Any) -> None:  # noqa: ANN401 - JSON
        """Write one message."""
        if self.leads:
            self.out.write(json.dumps(message).encode() + b"\n")
            self.out.flush()

    def run(self) -> None:
        """Train what is not trained yet.

        Raises:
            TrainingFailed: with its reason.
        """
        self.work.mkdir(exist_ok=True)
        folder = self.start()
        for number, stage in enumerate(self.job.stages):
            last = number == len(self.job.stages) - 1
            after = self.folder / "model" if last else self.work / f"{number}-{stage.id}-model"
            figures = self.work / f"{number}-{stage.id}.json"
            if not (figures.exists() and after.exists()):
                found = self.train(number, stage, folder, after)
                if self.leads:
                    write_whole(figures, found)
                self.processes.wait_for_everyone()
            self.done[stage.id] = json.loads(figures.read_bytes())
            folder = after
        if self.leads:
            write_whole(
                self.folder / "result.json",
                {"stages": self.done, "threads": torch.get_num_threads(), "device": self.device()},
            )
            shutil.rmtree(self.work)

    def device(self) -> str:
        """Where it is trained, in words."""
        return f"{self.processes.num_processes} x {torch.cuda.get_device_name()}" if self.cuda else "cpu"

    # Where it starts from

    def start(self) -> Path:
        """The folder whose weights are trained first; made here where there is none yet."""
        base, made = self.job.base, self.folder / "base"
        if isinstance(base, Base):
            return base.folder
        if not made.exists() and self.leads:
            tokenizer = make_tokenizer(self.texts(), base)
            with whole_folder(made) as aside:
                make_model(base, tokenizer, self.job.seed).save_pretrained(aside)
                tokenizer.save_pretrained(aside)
        self.processes.wait_for_everyone()
        return made

    def texts(self) -> Iterator[str]:
        """All texts of all stages, in their order."""
        for stage in self.job.stages:
            file = pq.ParquetFile(stage.rows)
            names = [name for name in (*COLUMNS[stage.kind], BEFORE) if name in file.schema_arrow.names]
            for batch in file.iter_batches(columns=names):
                for name, column in zip(names, batch.columns, strict=True):
                    said = pc.struct_field(pc.list_flatten(column), "content") if name == BEFORE else column
                    yield from (text for text in said.to_pylist() if text)

    # A stage

    def train(self, number: int, stage: JobStage, base: Path, after: Path) -> dict[str, Any]:
        """Train a stage from the weights in `base` to those in `after`; its figures."""
        train, pairs = stage.train, stage.kind == "dpo"
        torch.manual_seed(self.job.seed)
        model, tokenizer = load(base, torch.bfloat16 if self.cuda and train.lora else torch.float32)
        torch.set_num_threads(1 if sum(map(torch.Tensor.numel, model.parameters())) < SMALL else THREADS)
        check_chat(tokenizer, stage)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        rows = self.rows(number, stage, model, tokenizer)
        count = len(rows.ends) // (2 if pairs else 1)
        order = row_order(count, train.epochs, (self.job.seed, number))
        steps = math.ceil(len(order) / (train.batch * train.accumulate))
        collate = self.collate(stage, model, rows, int(tokenizer.pad_token_id))
        if train.lora:
            model = with_lora(model, train.lora)
        every = max(1, -(-steps // LINES))
        config = self.config(
            stage, self.work / f"{number}-{stage.id}", every, sum(map(torch.Tensor.numel, model.parameters()))
        )
        checkpoint = last_checkpoint(Path(config.output_dir))
        before = self.log.resume(stage.id, int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0)
        extent = (len(order) / count, steps, every)
        clock = Clock(self.log, self.say, stage, extent, before, self.job.checkpoint_seconds)
        trainer: Any = (trainers.Dpo if pairs else trainers.Sft)(
            model=model,
            args=config,
            train_dataset=trainers.placeholder(stage.kind),
            processing_class=tokenizer,
            callbacks=[clock],
            optimizers=(make_optimizer(model, train), None),
        )
        trainer.take(order, collate, int(before.get("tokens", 0)))
        self.say(done=int(before.get("step", 0)), total=steps, note=stage.id)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if not is_finite(trainer.model):
            raise nan(stage, steps)
        weights = [(weight.numel(), weight.requires_grad) for weight in trainer.model.parameters()]
        if self.leads:
            self.keep(trainer, stage, after)
        self.processes.wait_for_everyone()
        lines = self.log.of(stage.id)
        return {
            "kind": stage.kind, "rows": rows.given, "too_long": rows.too_long, "steps": steps,
            "parameters": sum(size for size, _ in weights),
            "trained": sum(size for size, is_trained in weights if is_trained),
            "tokens": lines[-1]["tokens"], "first_loss": lines[0]["loss"], "last_loss": lines[-1]["loss"],
            "seconds": lines[-1]["seconds"],
        }  # fmt: skip

    def rows(self, number: int, stage: JobStage, model: Any, tokenizer: Any) -> Rows:  # noqa: ANN401 - of transformers
        """The rows of a stage as tokens; each process has a file of its own."""
        file = self.work / f"{number}-{stage.id}-{self.processes.process_index}.tokens"
        context = int(getattr(model.config.get_text_config(), "max_position_embeddings", 0) or UNBOUNDED)
        return read_rows(stage, tokenizer, context, end_tokens(model, tokenizer), file)

    def collate(self, stage: JobStage, model: Any, rows: Rows, pad: int) -> trainers.Collate:  # noqa: ANN401 - of transformers
        """What makes batches; for DPO the model, as it is before the stage, is its reference, and asked here."""
        if stage.kind != "dpo":
            return trainers.Collate(rows, pad)
        trainers.add_labelled_head(model)
        if self.cuda:
            model.to(torch.device("cuda", self.processes.local_process_index))
        reference = trainers.reference_log_probabilities(model.eval(), rows, pad, 2 * stage.train.batch)
        return trainers.CollatePairs(rows, pad, reference)

    def config(self, stage: JobStage, folder: Path, every: int, parameters: int) -> Any:  # noqa: ANN401 - of TRL
        """TRL's settings of a stage, whose checkpoints lie in `folder`.

        Raises:
            TrainingFailed: a batch cannot be shared by all GPUs.
        """
        train, world = stage.train, self.processes.num_processes
        if train.batch % world:
            said = f"batch {train.batch} cannot be shared by {world} GPUs alike: take a multiple of {world}"
            raise TrainingFailed("bad_batch", f"stage {stage.id}: {said}")
        return trainers.make_config(
            stage.kind,
            output_dir=str(folder),
            per_device_train_batch_size=train.batch // world,
            gradient_accumulation_steps=train.accumulate,
            learning_rate=train.rate,
            lr_scheduler_type=train.schedule if train.schedule != "constant" else "constant_with_warmup",
            warmup_steps=train.warmup,
            max_grad_norm=train.clip,
            logging_steps=every,
            seed=self.job.seed,
            use_cpu=not self.cuda,
            bf16=self.cuda,
            activation_checkpointing=self.cuda and parameters > LARGE,
            dataloader_pin_memory=self.cuda,
            ddp_find_unused_parameters=False,
            **({"beta": train.beta} if stage.kind == "dpo" else {}),
        )

    def keep(self, trainer: Any, stage: JobStage, after: Path) -> None:  # noqa: ANN401 - of TRL
        """Write what a stage has trained: the adapter, where it is one, and the whole weights."""
        model = trainer.accelerator.unwrap_model(trainer.model)
        if stage.train.lora:
            with whole_folder(self.folder / "adapter" / stage.id) as aside:
                model.save_pretrained(aside)
            model = model.merge_and_unload()
        model.__dict__.pop("forward", None)  # the quick head is of the training alone
        model.config.use_cache = True
        kept = base_type(self.job.base)
        if after == self.folder / "model" and kept is not None:
            model = model.to(kept)
        with whole_folder(after) as aside:
            model.save_pretrained(aside)
            trainer.processing_class.save_pretrained(aside)


def last_checkpoint(folder: Path) -> Path | None:
    """The latest checkpoint that was written to its end."""
    found = [path for path in folder.glob("checkpoint-*") if (path / trainers.WHOLE).exists()]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def watch_input() -> None:
    """End this process, and those of its group, when whoever started it closes the input, or is gone."""
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Train the folder that the command line names."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no message
    if os.environ.get("LOCAL_RANK", "0") == "0":
        threading.Thread(target=watch_input, daemon=True).start()
    if torch.cuda.device_count() > 1 and "LOCAL_RANK" not in os.environ:
        os.dup2(out.fileno(), 1)
        number = str(torch.cuda.device_count())
        launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", number, "-m"]
        os.execv(sys.executable, [*launch, "persona_assets.training.worker", sys.argv[1]])
    folder = Path(sys.argv[1])
    worker = Worker(folder, out)
    try:
        worker.run()
    except TrainingFailed as failed:
        worker.say(fault=failed.reason, message=str(failed))
        sys.exit(3)
    except (OSError, RuntimeError, MemoryError, SafetensorError) as error:
        if is_full(error):
            worker.say(
                fault="disk_full",
                message=f"the disk of {folder} is full ({error}): make room, and start again to go on",
            )
        elif is_out_of_memory(error):
            worker.say(
                fault="out_of_memory",
                message="memory ran out: take a smaller batch (and accumulate), shorter rows, or lora",
            )
        else:
            raise
        sys.exit(3)


if __name__ == "__main__":
    main()
