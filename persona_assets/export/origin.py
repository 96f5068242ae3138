"""Where a dataset comes from, by the records of the lake: pages, prompts, models, and what was set aside on the way."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from persona_assets.graph import Asset
from persona_assets.ids import Json
from persona_assets.lake import Lake, Table
from persona_assets.lake.records import Record
from persona_assets.lake.schemas import RAW_DOCUMENTS
from persona_assets.lake.store import dump_of

UNKNOWN = "unknown"  # of partitions that were made before records said it


@dataclass(frozen=True)
class Asked:
    """A model that an asset asked, by which prompt. `voice` names a turn, or one of several systems."""

    asset: str
    template: str
    version: str
    digest: str
    voice: str
    model: str
    revision: str


@dataclass
class Origin:
    """A dataset's own origin and that of all that it was made from; each asset after those that it reads."""

    pages: Counter[str] = field(default_factory=Counter)  # kept pages by dump
    files: Counter[tuple[str, str]] = field(default_factory=Counter)  # rows of data files by table and partition
    asked: Counter[Asked] = field(default_factory=Counter)  # rows of the asset
    kept: dict[str, int] = field(default_factory=dict)  # rows by asset
    aside: dict[str, Counter[str]] = field(default_factory=dict)  # by asset and reason
    benchmarks: dict[str, set[str]] = field(default_factory=dict)  # names of those that an asset's rows were held to
    given: Counter[str] = field(default_factory=Counter)  # kept personas that came as such, by dump
    licences: dict[str, set[str]] = field(default_factory=dict)  # those that the source names, by dump

    @property
    def models(self) -> set[str]:
        """The names of all models that were asked."""
        return {one.model for one in self.asked}


def origin(lake: Lake, graph: Mapping[str, Asset], dataset: Table) -> Origin:
    """What the records say; of rows it reads kinds and licences of documents, and one for each prompt's version."""
    found, versions = Origin(), dict[tuple[str, str], str]()
    for name in _lineage(graph, dataset.name):
        asset = graph[name]
        for key, record in lake.sound(asset.table).items():
            found.kept[name] = found.kept.get(name, 0) + record.rows.rows
            found.aside.setdefault(name, Counter()).update(record.reasons)
            if name == RAW_DOCUMENTS.name:
                _add_documents(found, lake, key, record)
            if asset.data is not None:
                found.files[name, key] += record.rows.rows
            if asset.step is not None and (rows := _asked_for(lake, asset.table, key, record)):
                prompt = str(record.recipe.get("prompt", UNKNOWN))
                if (name, prompt) not in versions:
                    versions[name, prompt] = _version(lake, asset.table, key, record)
                for voice, model, revision in _answered(record):
                    template = asset.step.template.name
                    found.asked[Asked(name, template, versions[name, prompt], prompt, voice, model, revision)] += rows
            held = record.recipe.get("benchmarks")
            if isinstance(held, Mapping) and held.get("files"):
                found.benchmarks.setdefault(name, set()).update(held["files"])
    return found


def _lineage(graph: Mapping[str, Asset], name: str) -> list[str]:
    """An asset and all that it was made from, each after those that it reads."""
    wanted, waiting = {name}, [name]
    while waiting:
        above = set(graph[waiting.pop()].reads) - wanted
        wanted |= above
        waiting += above
    return [one for one in graph if one in wanted]


def _add_documents(found: Origin, lake: Lake, key: str, record: Record) -> None:
    """Count the pages and personas of a partition, and note the licences that the source names."""
    documents, dump = _rows(lake, RAW_DOCUMENTS, key, record), dump_of(key)
    if not record.rows.rows:
        found.pages[dump] += 0
    for kind, licence, count in documents.group_by("kind", "licence").len().collect(engine="streaming").iter_rows():
        (found.given if kind == "persona" else found.pages)[dump] += count
        if licence is not None:
            found.licences.setdefault(dump, set()).add(licence)


def _asked_for(lake: Lake, table: Table, key: str, record: Record) -> int:
    """The rows of a partition that a model was asked for: all, but for personas that came as such."""
    if "call_id" in table.required or not record.rows.rows:
        return record.rows.rows
    return int(_rows(lake, table, key, record).select(pl.col("call_id").count()).collect(engine="streaming").item())


def _version(lake: Lake, table: Table, key: str, record: Record) -> str:
    """The version of the prompt that a partition's rows were asked by, as its first row of these says."""
    versions = _rows(lake, table, key, record).select(pl.col("template_version").drop_nulls())
    return str(versions.head(1).collect().item())


def _rows(lake: Lake, table: Table, key: str, record: Record) -> pl.LazyFrame:
    return lake.scan_paths([f"{lake.folder(table, key)}/{record.rows.name}"], table)


def _answered(record: Record) -> Iterator[tuple[str, str, str]]:
    """Who answered what is in a partition, by its recipe: turn or system, model and revision."""
    voices: dict[str, Json] = {"": record.recipe.get("model")}
    if isinstance(systems := record.recipe.get("systems"), Mapping):
        voices = {f"{system} {turn}".strip(): one for system, turns in systems.items() for turn, one in turns.items()}
    elif isinstance(turns := record.recipe.get("turns"), Mapping):
        voices |= turns
    for voice, told in voices.items():
        who = told if isinstance(told, Mapping) else {}
        model, revision = (str(who.get(name) or UNKNOWN) for name in ("model", "revision"))
        yield voice, model, revision
