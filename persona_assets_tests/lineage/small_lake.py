"""A small lake built by the real steps on five pages, and ways to tamper with a copy of it."""

import io
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.crawl.arrival import plan_shards
from persona_assets.crawl.ingest import ingest_shard
from persona_assets.dedup.run import dedup_dump, publish_shard
from persona_assets.engines.base import Completion, Request, Result
from persona_assets.engines.offline import OfflineEngine
from persona_assets.ids import digest
from persona_assets.lake import Lake, Table
from persona_assets.lake.content import content_of
from persona_assets.lake.records import StoredFile, record_path
from persona_assets.lake.schemas import DEDUPED_PERSONAS, EXPANDED_PERSONAS, EXTRACTED_PERSONAS, RAW_DOCUMENTS, REJECTED
from persona_assets.lake.verified import file_digest
from persona_assets.ledger.ledger import Ledger
from persona_assets.lineage.find import Finder
from persona_assets.lineage.steps import Steps
from persona_assets.personas.expand import expand_personas
from persona_assets.personas.extract import extract_personas
from persona_assets.personas.filter import filter_personas
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.runner import Context
from persona_assets.tasks.load import FILES, load_tasks
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep

SHARD = "d.0000"
TASKS = ("own_problems", "tool_definitions")  # one from a folder of further tasks, one with nested values
HOSTILE = "\x1b[31mred\x1b[0m \u202eesrever <script>alert(1)</script> [bold]not bold[/bold]"

_BEES = (
    "Keeping bees through a cold spring asks for patience. A colony that comes out of winter light needs sugar syrup "
    "until the willows bloom, and the keeper who opens the hive too early chills the brood. Weigh each hive on the "
    "first mild day and write the weight down. Clean the entrance boards and look for mites before the drones hatch."
)
_SHARED = (  # enough of its own not to be a near-duplicate
    " Shared by a reader whose neighbours bring their jars back in autumn, ask for more wax than there is, and tell "
    "the children that what hums behind the hedge is only the wind."
)
_LOCKS = (
    "The old canal locks are opened by hand on weekends. Volunteers grease the gears, check the gates for rot and show "
    "visitors how a boat climbs nine metres without an engine. Water levels are read from a painted board every hour. "
    "Anyone who can turn a crank and likes company may join the crew on Saturday morning."
)
_BREAD = (
    "A rye loaf rises slowly because its flour holds little gluten. Feed the sourdough twice the day before and keep "
    "it near the stove. The dough stays sticky, so wet your hands instead of adding flour. Bake it hot for ten "
    "minutes, then let the oven fall and leave the bread until the crust sounds hollow. Slice it the next day."
)
PAGES = {
    "https://bees.example/spring": _BEES,
    "https://copy.example/bees": _BEES + _SHARED,
    "https://locks.example/crew": HOSTILE + "\n" + _LOCKS,
    "https://bread.example/rye": _BREAD,
    "https://junk.example/": "Too short.",
}


def wet_file(pages: dict[str, str]) -> bytes:
    """A WET file of these pages."""
    records = []
    for url, text in pages.items():
        block = text.encode()
        head = (
            f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-10-05T12:00:00Z\r\n"
            f"Content-Length: {len(block)}\r\n\r\n"
        )
        records.append(head.encode() + block + b"\r\n\r\n")
    return b"".join(records)


_BEEKEEPER = "A patient beekeeper who weighs every hive in spring and learns when sugar syrup does more harm"


def _personas(**texts: str) -> str:
    return json.dumps({"personas": [{"relation": relation, "persona": text} for relation, text in texts.items()]})


class ScriptedEngine(OfflineEngine):
    """The offline engine, with the answers about pages given.

    Both pages on bees give one persona, so one is removed as a duplicate; one answer holds a relation that was not
    asked for; the first answer about bread is no JSON, so it is repaired.
    """

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        rest = []
        for request in requests:
            if request.template.name == "text_to_persona":
                yield [Completion(request.call_id, _answer_about(request), "stop", 300, 40, 0.01)]
            else:
                rest.append(request)
        yield from super().stream(rest)


def _answer_about(request: Request) -> str:
    page = request.messages[1]["content"]
    if "Shared by a reader" in page:
        return _personas(read=_BEEKEEPER, like="A baker who likes honey and the hum of bees behind the garden fence")
    if "Keeping bees" in page:
        return _personas(read=_BEEKEEPER, write="A teacher who shows beginners how to read a brood frame in spring")
    if "canal locks" in page:
        return _personas(read="A night guard who plans to spend his Saturdays at the gears of an old canal lock")
    if len(request.messages) == 2:
        return "Gladly! A baker."
    return _personas(read="A baker who feeds a rye sourdough twice a day and lets the oven fall after ten minutes")


@dataclass(frozen=True)
class Small:
    """A built lake and its settings."""

    lake: Lake
    settings: Settings


def build(folder: Path) -> Small:
    """Make every asset of the pages."""
    dump = folder / "dumps" / "d"
    dump.mkdir(parents=True)
    (dump / "pages.wet").write_bytes(wet_file(PAGES))
    settings = settings_for(folder)
    (folder / "tasks").mkdir()
    (folder / "tasks" / "own_problems.yaml").write_text(_own_task(), encoding="utf-8")
    lake, engine = Lake(settings.lake), ScriptedEngine(settings)
    plan_shards(lake, settings, time.time() + 10)
    context = Context(lake, settings, engine, "run-1", keeper=LakeState(lake, settings))
    for step in (ingest_shard, extract_personas, expand_personas, filter_personas):
        step(context, SHARD)
    dedup_dump(context, "d")
    publish_shard(context, SHARD)
    for name in TASKS:
        run_task(context, TaskStep(load_tasks(settings)[name]), SHARD)
    return Small(lake, settings)


def _own_task() -> str:
    """The bundled task of maths problems under another name, with a rule that some answers break."""
    text = (
        (FILES / "math_problems.yaml").read_text(encoding="utf-8").replace("name: math_problems", "name: own_problems")
    )
    return text.replace("args: {field: problem, words: 4}", "args: {field: problem, words: 40}")


def settings_for(folder: Path) -> Settings:
    """Settings of a lake in this folder."""
    return Settings(
        wet_lines=False,  # a page holds a line of signs, which is to stay
        tasks=str(folder / "tasks"),
        lake=str(folder / "lake"),
        dumps=str(folder / "dumps"),
        settle_s=0,
        hops=2,
        fanout=(1,),
        relations=("read", "write"),
    )


def ids(lake: Lake, table: Table, where: pl.Expr | None = None, column: str = "") -> list[str]:
    """Sorted ids of the rows of a table."""
    scan = lake.scan(table)
    scan = scan if where is None else scan.filter(where)
    return scan.select(pl.col(column or table.key).sort()).collect().to_series().to_list()


def only(found: list[str]) -> str:
    """The first of some ids, which must be there."""
    assert found
    return found[0]


def seed(lake: Lake) -> str:
    """A hop-0 persona that was kept and expanded, of the page on bees."""
    page = pl.col("document_id") == only(ids(lake, RAW_DOCUMENTS, pl.col("url") == "https://bees.example/spring"))
    kept = pl.col("persona_id").is_in(ids(lake, DEDUPED_PERSONAS))
    parents = pl.col("persona_id").is_in(ids(lake, EXPANDED_PERSONAS, column="parent_persona_id"))
    return only(ids(lake, EXTRACTED_PERSONAS, page & kept & parents))


def value(lake: Lake, table: Table, row_id: str, column: str) -> Any:
    """One cell."""
    return lake.scan(table).filter(pl.col(table.key) == row_id).select(column).collect().item()


def tamper(lake: Lake, path: str, change: Callable[[pl.DataFrame], pl.DataFrame], *, reseal: bool = True) -> None:
    """Change a partition's file; with `reseal` name and record are forged to fit, so that they give nothing away."""
    frame = change(pl.read_parquet(path, hive_partitioning=False))
    frame.write_parquet(path)
    if reseal:
        _forge(lake, path, frame)


def _forge(lake: Lake, path: str, frame: pl.DataFrame) -> None:
    parts = path.removeprefix(f"{lake.root}/").split("/")
    rejected = parts[0] == "rejected"
    asset, key = parts[1].removeprefix("asset=") if rejected else parts[0], parts[-2].split("=", 1)[1]
    record = lake.records.latest(asset, key)
    assert record
    forged = f"{path.rsplit('/', 1)[0]}/{file_digest(lake.fs, path)}.parquet"
    Path(path).rename(forged)
    table = (
        REJECTED if rejected else Finder(lake, Steps.of(settings_for(Path(lake.root).parent)).task_tables).table(asset)
    )
    whole = table is not None and set(table.polars) <= set(frame.columns)
    content = content_of(frame.select(table.polars.names()), table) if table and whole else record.rows.content
    file = StoredFile(Path(forged).name, Path(forged).stat().st_size, frame.height, content)
    changed = replace(record, rejects=file) if rejected else replace(record, rows=file)
    lake.write_bytes(record_path(lake.root, asset, key, record.generation), changed.as_json())


def tamper_calls(lake: Lake, template: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Change a template's ledger parts and forge their names to fit."""
    for path in Ledger(lake).paths(template):
        frame = change(pl.read_parquet(path, hive_partitioning=False))
        lake.fs.rm(path)
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        folder = path.rsplit("/", 1)[0]
        lake.write_bytes(f"{folder}/part-{digest(buffer.getvalue())}.parquet", buffer.getvalue())


def setting(column: str, new: Any, key: str, row_id: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A change of one column's value in one row."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        cell = pl.lit(new, frame.schema[column])
        return frame.with_columns(pl.when(pl.col(key) == row_id).then(cell).otherwise(pl.col(column)).alias(column))

    return change
