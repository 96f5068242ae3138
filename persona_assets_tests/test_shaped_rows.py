"""What settings declare is true: given the same rows upstream, those assets' rows differ whose rows they shape.

Assets are run from the last to the first, so that each reads what the lake held before.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from persona_assets.crawl.arrival import plan_shards
from persona_assets.engines.base import Engine, ModelIdentity
from persona_assets.engines.offline import OfflineEngine
from persona_assets.engines.select import Engines, identity_of
from persona_assets.graph import Asset, assets
from persona_assets.ids import digest
from persona_assets.lake import Lake
from persona_assets.lake.schemas import ASSET_TABLES
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.steps.model import Context
from persona_assets.text import encoder
from persona_assets_tests.shaping import OTHERS, SHAPING, another, changes_of_settings, declared

SHARD, DUMP = "d.0000", "d"
# Of the bundled ones: one function runs them all. Those that further functions read are among them.
TASKS = ("math_problems", "logic_problems", "logic_solutions", "logic_verdicts", "topic_problems")
BASE: dict[str, Any] = {"settle_s": 0, "hops": 1, "fanout": (1,)}
_CHINESE = (
    "春天养蜂需要耐心。越冬之后的蜂群很弱，需要喂糖水，直到柳树开花为止。养蜂人如果过早打开蜂箱，幼虫就会受凉。"
    "第一个温暖的日子要给每个蜂箱称重，并把重量记下来。雄蜂出房之前要清理巢门，检查有没有螨虫。老养蜂人常说，宁可晚开箱一天。"
)
_BEES = (
    "Keeping bees through a cold spring asks for patience. A colony that comes out of winter light needs sugar syrup "
    "until the willows bloom, and the keeper who opens the hive too early chills the brood. Weigh each hive on the "
    "first mild day and write the weight down. Clean the entrance boards and look for mites before the drones hatch."
)
_LOCKS = (
    "The old canal locks are opened by hand on weekends. Volunteers grease the gears, check the gates for rot and show "
    "visitors how a boat climbs nine metres without an engine. Water levels are read from a painted board every hour. "
    "Anyone who can turn a crank and likes company may join the crew on Saturday morning."
)
_TRAIN = (
    "A night train crosses four countries while its passengers sleep. The conductor keeps the passports, wakes those "
    "who leave before dawn, and knows which compartment has the broken heater. In the dining car a cook fries eggs on "
    "a coal stove, and the windows show snow, then vineyards, then the sea. Tickets sell out weeks ahead in summer."
)
LINES = [
    {"text": _BEES, "body": _TRAIN, "url": "https://bees.example/"},
    {"text": f"{_LOCKS} {_TRAIN} {_LOCKS.lower()} {_BEES}", "body": _LOCKS, "url": "https://long.example/"},
    {"text": _CHINESE, "body": _CHINESE, "url": "https://zh.example/"},
]
Rows = dict[str, tuple[pl.DataFrame, pl.DataFrame]]  # by asset, rows and rejects without what runs add


class Named(OfflineEngine):
    """Answers as the offline engine does, under the name of the model that the settings ask for."""

    def identity(self, template: Template) -> ModelIdentity:
        return identity_of(self._settings, template)


class NamedEngines(Engines):
    def of(self, settings: Settings) -> Engine:
        return Named(settings)


class Scattered:
    """Another encoder, to which all texts are far apart."""

    name, revision, dimension = "another", "0" * 16, 8

    def encode(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Any:
        vectors = np.array([list(bytes.fromhex(digest(text.encode()))[:8]) for text in texts], dtype=np.float32) - 127.5
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def unknown_share(self, texts: Sequence[str]) -> Any:
        return np.zeros(len(texts), dtype=np.float32)


@pytest.fixture(autouse=True)
def encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    known = encoder.load_encoder

    def load(name: str = "") -> Any:
        return Scattered() if name == "another" else known(name)

    for module in ("text.encoder", "personas.filter", "dedup.strands"):
        monkeypatch.setattr(f"persona_assets.{module}.load_encoder", load)


@dataclass
class Place:
    """A lake in which every asset has been made, to be copied."""

    folder: Path
    rows: Rows

    def rows_under(self, copy: Path, values: dict[str, Any]) -> Rows:
        """Each asset's rows under these settings, made of what the lake holds."""
        shutil.copytree(self.folder / "lake", copy)
        settings = settings_of(self.folder, copy, values)
        return made(settings, reversed(those_tried(settings)))


def settings_of(folder: Path, lake: Path, values: dict[str, Any]) -> Settings:
    return Settings(**BASE | values | {"lake": str(lake), "dumps": str(folder / "dumps")})


def those_tried(settings: Settings) -> list[Asset]:
    found: dict[str, Asset] = {}
    for asset in assets(settings).values():
        of_tried = asset.derived and {*asset.reads} <= {*found}
        if asset.name in ASSET_TABLES or asset.name in TASKS or of_tried:
            found[asset.name] = asset
    return list(found.values())


def made(settings: Settings, order: Iterator[Asset] | list[Asset]) -> Rows:
    lake = Lake(settings.lake)
    context = Context(lake, settings, NamedEngines(), "run")
    found: Rows = {}
    for asset in order:
        key = DUMP if asset.table.partition == "dump" else SHARD
        assert [written for written, _ in asset.run(context, key)] == [key]
        rows = lake.read(asset.table, key).drop(asset.table.volatile)
        aside = lake.rejects(asset.table, key).drop("run_id", "created_at").collect()
        found[asset.name] = (rows.sort(rows.columns), aside.sort(aside.columns))
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("shaped")
    dump = folder / "dumps" / DUMP
    dump.mkdir(parents=True)
    (dump / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    menu = f"Home\nAbout us\nContact\nLog in\n{LINES[0]['text']}\n".encode()  # what the JSON line holds, otherwise
    head = f"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: {len(menu)}\r\n\r\n".encode()
    (dump / "b.wet").write_bytes(head + menu + b"\r\n\r\n")
    settings = settings_of(folder, folder / "lake", {})
    plan_shards(Lake(settings.lake), settings, time.time() + 10)
    return Place(folder, made(settings, those_tried(settings)))


def differing(old: Rows, new: Rows) -> set[str]:
    return {name for name in old if not old[name][0].equals(new[name][0])}


def with_other_rejects(old: Rows, new: Rows) -> set[str]:
    return {name for name in old if not old[name][1].equals(new[name][1])}


def test_the_same_settings_make_the_same_rows(place: Place, tmp_path: Path) -> None:
    again = place.rows_under(tmp_path / "lake", {})
    assert not differing(place.rows, again) | with_other_rejects(place.rows, again)
    assert all(rows.height for rows, _ in again.values())


@pytest.mark.parametrize("name", SHAPING)
def test_a_setting_shapes_the_rows_of_the_assets_that_it_declares(name: str, place: Place, tmp_path: Path) -> None:
    change = changes_of_settings(tmp_path)[name]
    old = place.rows_under(tmp_path / "old", change.under) if change.under else place.rows
    new = place.rows_under(tmp_path / "new", change.under | {name: change.value})
    expected = declared(name, {asset.name: asset for asset in those_tried(Settings())})
    assert differing(old, new) == expected
    assert with_other_rejects(old, new) <= expected


def test_no_other_setting_shapes_rows(place: Place, tmp_path: Path) -> None:
    others = {name: another(name) for name in OTHERS if name not in ("lake", "dumps", "tasks", "views", "profiles")}
    new = place.rows_under(tmp_path / "lake", others)
    assert not differing(place.rows, new) | with_other_rejects(place.rows, new)
