"""A small workplace whose runs are real: pages in, every step, its gates; and plans of it by an engine that refuses."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from persona_assets.crawl.arrival import plan_shards
from persona_assets.crawl.ingest import ingest_shard
from persona_assets.crawl.shards import registered_shards
from persona_assets.dedup.run import dedup_dump, publish_shard
from persona_assets.dedup.seals import sealed_shards
from persona_assets.engines.base import Engine, ModelIdentity, Request, Result
from persona_assets.engines.offline import OfflineEngine
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.lake.schemas import (
    ASSET_TABLES,
    EXPANDED_PERSONAS,
    EXTRACTED_PERSONAS,
    FILTERED_PERSONAS,
    RAW_DOCUMENTS,
)
from persona_assets.personas.expand import expand_personas
from persona_assets.personas.extract import extract_personas
from persona_assets.personas.filter import filter_personas
from persona_assets.plan.figures import AssetPlan, Plan
from persona_assets.plan.plan import Scope, make_plan
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.runner import Context, Report

PAGES = [
    "Keeping bees through a cold spring asks for patience. A colony that comes out of winter light needs sugar syrup "
    "until the willows bloom, and the keeper who opens the hive too early chills the brood. Weigh each hive on the "
    "first mild day and write the weight down. Clean the entrance boards and look for mites before the drones hatch.",
    "The old canal locks are opened by hand on weekends. Volunteers grease the gears, check the gates for rot and show "
    "visitors how a boat climbs nine metres without an engine. Water levels are read from a painted board every hour. "
    "Anyone who can turn a crank and likes company may join the crew on Saturday morning.",
    "A rye loaf rises slowly because its flour holds little gluten. Feed the sourdough twice the day before and keep "
    "it near the stove. The dough stays sticky, so wet your hands instead of adding flour. Bake it hot for ten "
    "minutes, then let the oven fall and leave the bread until the crust sounds hollow. Slice it the next day.",
    "A night train crosses four countries while its passengers sleep. The conductor keeps the passports, wakes those "
    "who leave before dawn, and knows which compartment has the broken heater. In the dining car a cook fries eggs on "
    "a coal stove, and the windows show snow, then vineyards, then the sea. Tickets sell out weeks ahead in summer.",
    "The tide pools below the lighthouse empty twice a day. Children count starfish, limpets and shy green crabs, and "
    "a biologist writes down which weeds have moved up the rocks since last year. Boots are better than sandals, and "
    "the water returns faster than anyone expects. A bell on the pier rings when it is time to climb back up.",
]
SHARD_TABLES = (RAW_DOCUMENTS, EXTRACTED_PERSONAS, EXPANDED_PERSONAS, FILTERED_PERSONAS)


class Refuses(OfflineEngine):
    """Names its model, as a plan needs, and answers nothing."""

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        raise AssertionError("a plan asked a model")


class Other(Refuses):
    """Another model."""

    def identity(self, template: Template) -> ModelIdentity:
        return ModelIdentity("other", "1")


class Named(LakeState):
    """The state of a lake whose model is that of an engine which no settings name."""

    def __init__(self, lake: Lake, settings: Settings, engine: Engine) -> None:
        super().__init__(lake, settings)
        self.engine = engine

    def recipe(self, asset: str) -> dict[str, Any]:
        declared = self.assets[asset]
        return declared.recipe(self.settings, self.engine.identity(declared.step.template) if declared.step else None)


@dataclass
class Work:
    """A folder with dumps and a lake."""

    folder: Path
    settings: Settings

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake)

    def having(self, **values: Any) -> "Work":
        """The same place under other settings."""
        return replace(self, settings=Settings(**{**self.settings.model_dump(), **values}))

    def drop(self, dump: str, name: str, *pages: int) -> Path:
        """A JSONL crawl file of some pages."""
        path = self.folder / "dumps" / dump / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps({"text": PAGES[page], "url": f"https://p{page}.example/{dump}"}) for page in pages]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return path

    def shards(self) -> list[str]:
        """All shards, what has arrived among them."""
        plan_shards(self.lake, self.settings, time.time() + 10, sealed_shards(self.lake))
        return [shard.shard for shard in registered_shards(self.lake)]

    # Runs

    def run(self, *, until: str = "", engine: Engine | None = None) -> dict[str, Report]:
        """Make every partition, up to the asset `until`; returns what each asset did, its partitions together."""
        done: dict[str, Report] = {}
        shards = self.shards()
        keeper = Named(self.lake, self.settings, engine) if engine else LakeState(self.lake, self.settings)
        context = Context(self.lake, self.settings, engine or OfflineEngine(self.settings), "run", keeper=keeper)
        for shard in shards:
            ingest_shard(context, shard)
        if until == "raw_documents":
            return done
        for table, step in zip(SHARD_TABLES[1:], (extract_personas, expand_personas, filter_personas), strict=True):
            for shard in shards:
                _add(done, table.name, step(context, shard))
            if until == table.name:
                return done
        for dump in sorted({shard.rsplit(".", 1)[0] for shard in shards}):
            dedup_dump(context, dump)
        for shard in shards:
            publish_shard(context, shard)
        if until != "deduped_personas":
            self._datasets(context, done)
        return done

    def _datasets(self, context: Context, done: dict[str, Report]) -> None:
        """Make the datasets that a run makes of itself."""
        state = LakeState(self.lake, self.settings)
        for name, asset in state.assets.items():
            if name in state.chosen and name not in ASSET_TABLES:
                for key in state.keys(name):
                    for _, report in asset.run(context, key):
                        _add(done, name, report)

    # Plans

    def plan(self, *, engine: type[OfflineEngine] = Refuses, **scope: Any) -> Plan:
        """A plan by an engine that would fail the test if it were asked."""
        context = Context(self.lake, self.settings, engine(self.settings), "plan")
        figures = {name: scope.pop(name) for name in ("tokens_per_second", "gpus") if name in scope}
        return make_plan(context, Scope(**scope), **figures)


def _add(done: dict[str, Report], name: str, report: Report) -> None:
    total = done.setdefault(name, Report())
    total.calls_made += report.calls_made
    total.calls_reused += report.calls_reused
    total.kept += report.kept
    total.tokens_in += report.tokens_in
    total.tokens_out += report.tokens_out


def asset(plan: Plan, name: str) -> AssetPlan:
    """The figures of one asset."""
    return next(found for found in plan.assets if found.asset == name)


def below_functions() -> set[str]:
    """The bundled assets that functions compute, and those made from their rows."""
    found: set[str] = set()
    for name, one in assets(Settings()).items():  # each after what it reads
        if one.derived or found & set(one.reads):
            found.add(name)
    return found


def new_calls(plan: Plan) -> dict[str, float]:
    """Planned calls of every asset that asks."""
    return {found.asset: found.total("calls").value for found in plan.asking}
