"""The models of a lake: `<lake>/models/<id>/`, addressed by all that shapes them, so that none is trained twice.

What an id is made of: the texts of the mix in their order, the base, the settings of each stage, and the seed. A
training stands aside, in `models/.<id>/`, with its checkpoints, until it is whole; then its folder is renamed. One that
was cut short goes on from there.
"""

import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from persona_assets.engines.weights import LAKE, MODELS, folder_digest
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.ids import canonical_json, id_hasher, make_id
from persona_assets.lake import Lake
from persona_assets.progress import Progress
from persona_assets.tasks.split import TRAIN
from persona_assets.training.base import base_of, base_revision
from persona_assets.training.card import card
from persona_assets.training.estimate import Extent, check, this_machine
from persona_assets.training.faults import TrainingFailed
from persona_assets.training.job import BEFORE, COLUMNS, Job, JobStage
from persona_assets.training.mix import TAKEN
from persona_assets.training.page import curves
from persona_assets.training.process import train
from persona_assets.training.recipe import Recipe, Stage
from persona_assets.view import blocks as view
from persona_assets.view.html import render_page

FORM = 1  # of what is trained of a recipe; a higher one trains everything anew
ROWS = 8192  # rows whose texts are held at once
TEMPLATE = 32  # tokens that a chat template adds to a question and its answer, about
DRAW_S = 10.0  # between two drawings of a training that is going on
CURVE = 200  # points of a curve that is kept with a model
POINT = pl.Struct(
    {
        "stage": pl.String(),
        "step": pl.Int64(),
        "loss": pl.Float64(),
        "gradient_norm": pl.Float64(),
        "learning_rate": pl.Float64(),
    }
)
logger = logging.getLogger(__name__)


class NotTrained(PersonaAssetsError):
    """A model is not in the lake, and may not be trained here."""


@dataclass(frozen=True)
class Model:
    """A trained model of the lake."""

    model_id: str
    folder: Path

    @property
    def name(self) -> str:
        """What engines know it by."""
        return f"{LAKE}{self.model_id}"

    @property
    def result(self) -> dict[str, Any]:
        """What its training came to, by stage."""
        found: dict[str, Any] = orjson.loads((self.folder / "result.json").read_bytes())
        return found

    @property
    def weights(self) -> str:
        """The digest of its weights and tokenizer: the revision under which engines ask it."""
        return folder_digest(self.folder / "model")

    @property
    def base(self) -> str:
        """What engines know by the model that it was trained from, where that was made here; else ""."""
        return f"{self.name}/base" if (self.folder / "base").is_dir() else ""

    @property
    def curve(self) -> list[dict[str, Any]]:
        """Loss, gradient norm and learning rate by step, at most about `CURVE` points."""
        return points_of(self.folder / "log.jsonl")


def points_of(log: Path) -> list[dict[str, Any]]:
    """The points of a training's log, `POINT` each, at most about `CURVE`; a line that is being written is left out."""
    lines = []
    for line in log.read_bytes().splitlines() if log.exists() else ():
        with suppress(orjson.JSONDecodeError):
            lines.append(orjson.loads(line))
    every = max(1, len(lines) // CURVE)
    kept = [line for at, line in enumerate(lines) if at % every == 0 or at == len(lines) - 1]
    return [{name: line[name] for name in POINT.to_schema()} for line in kept]


class Watched:
    """Progress that draws a training's curves beside its log as it goes on, and says where."""

    def __init__(self, title: str, folder: Path, seed: int, told: Progress) -> None:
        """Nothing is drawn yet."""
        self.title, self.folder, self.seed, self.told = title, folder, seed, told
        self.page, self._drawn = folder / "training.html", 0.0

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Tell it, and draw from time to time."""
        if time.monotonic() - self._drawn > DRAW_S:
            self.draw()
            note = f"{note}; plots: {self.page}" if note else f"plots: {self.page}"
        self.told(done, total, note)

    def draw(self) -> None:
        """Write the page as the log is now."""
        blocks = [*curves({str(self.seed): points_of(self.folder / "log.jsonl")})]
        page = view.Page(
            self.title, "Loss, gradient norm and learning rate by step; load it again to see more.", blocks
        )
        aside = self.page.with_name(".training.html")
        aside.write_text(render_page(page), encoding="utf-8")
        os.replace(aside, self.page)  # noqa: PTH105 - atomic on one file system
        self._drawn = time.monotonic()


class Models:
    """Finds the models of a lake, and trains those that it lacks."""

    def __init__(self, lake: Lake) -> None:
        """Nothing is looked at yet."""
        self.lake = lake

    @property
    def folder(self) -> Path:
        """Where they lie.

        Raises:
            UsageError: the lake is not a folder of this machine, which weights need.
        """
        if not self.lake.is_local:
            raise UsageError(f"models are trained in a lake that is a folder of this machine, not in {self.lake.root}")
        return Path(self.lake.root) / MODELS

    def lacking(self, recipe: Recipe, mix: pl.LazyFrame) -> int:
        """How many models of a mix the lake lacks; all, where what they start from is not on this machine."""
        try:
            found = [self._model(recipe, seed, _Texts(recipe, mix)) for seed in recipe.seeds]
        except TrainingFailed:
            return len(recipe.seeds)
        return sum(not one.folder.is_dir() for one in found)

    def _model(self, recipe: Recipe, seed: int, texts: "_Texts") -> Model:
        base = base_revision(recipe.base, self.lake)
        model_id = make_id("mdl", FORM, base, _told(recipe), seed, texts.digest())
        return Model(model_id, self.folder / model_id)

    def trained(self, recipe: Recipe, seed: int, mix: pl.LazyFrame, told: Progress | None) -> Model:
        """The model of a mix and a seed; trained now, where the lake lacks it and `told` is given.

        Raises:
            NotTrained: it is not there, and nothing is to be trained.
            TrainingFailed: it cannot be trained, or not in the memory of this machine; the message says why.
        """
        texts = _Texts(recipe, mix)
        model = self._model(recipe, seed, texts)
        model_id = model.model_id
        if model.folder.is_dir():
            return model
        if told is None:
            raise NotTrained(f"the weights of {model_id} are not in {self.folder}: train it again")
        aside = self.folder / f".{model_id}"
        aside.mkdir(parents=True, exist_ok=True)
        stages = [
            JobStage(id=stage.id, kind=stage.kind, train=stage.train, rows=texts.written(stage, aside))
            for stage in recipe.stages
        ]
        job = Job.model_validate({"base": base_of(recipe.base, self.lake), "seed": seed, "stages": stages})
        for needed in check(job, {stage.id: texts.extent(stage) for stage in recipe.stages}, this_machine()):
            logger.info("%s: %s", model_id, needed.told())
        watched = Watched(f"{recipe.title}, seed {seed}", aside / "training", seed, told)
        done = train(job, aside / "training", watched)
        watched.draw()
        (done.model / "README.md").write_text(card(model_id, recipe, seed, mix, done.result), encoding="utf-8")
        for name in ("job.json", "job.digest", "worker.log"):
            (aside / "training" / name).unlink(missing_ok=True)
        os.replace(aside / "training", model.folder)  # noqa: PTH105 - atomic on one file system
        shutil.rmtree(aside)
        return model


def _told(recipe: Recipe) -> list[dict[str, Any]]:
    """What shapes the weights of each stage beside its rows."""
    return [{"kind": stage.kind, "train": stage.train.model_dump(mode="json")} for stage in recipe.stages]


class _Texts:
    """What a model is trained on, stage by stage."""

    def __init__(self, recipe: Recipe, mix: pl.LazyFrame) -> None:
        used = (pl.col("side") == TRAIN) & pl.col("left_out").is_null() & pl.col(TAKEN).is_not_null()
        self.recipe, self.rows = recipe, mix.filter(used)

    def of(self, stage: Stage) -> pl.LazyFrame:
        """The rows of a stage in their order."""
        names = (*COLUMNS[stage.kind], *([BEFORE] if stage.talks else []))
        return self.rows.filter(stage=stage.id).sort("place").select(pl.col("sample_id").alias("id"), *names)

    def digest(self) -> str:
        """A digest of the texts in their order."""
        hasher = id_hasher(b"mix")
        for stage in self.recipe.stages:
            for row in _slices(self.of(stage).drop("id")):
                hasher.update(canonical_json(row))
            hasher.update(b"\0")
        return hasher.hexdigest()

    def extent(self, stage: Stage) -> Extent:
        """How many rows and tokens a stage has; a pair's prompt is read with both answers."""
        times = 2 if stage.kind == "dpo" else 1
        around = TEMPLATE + pl.col(BEFORE).list.len().fill_null(0) * TEMPLATE // 2
        counts = self.rows.filter(stage=stage.id).select(
            pl.len().alias("rows"), pl.col("tokens").sum(), longest=(pl.col("tokens") + around).max()
        )
        [found] = counts.collect().to_dicts()
        return Extent(times * found["rows"], times * (found["tokens"] or 0), found["longest"] or TEMPLATE)

    def written(self, stage: Stage, folder: Path) -> Path:
        """A file of the rows of a stage."""
        path = folder / f"{stage.id}.parquet"
        self.of(stage).sink_parquet(path)
        return path


def _slices(rows: pl.LazyFrame) -> Iterator[list[Any]]:
    for some in rows.collect().iter_slices(ROWS):
        yield from (list(row) for row in some.iter_rows())
