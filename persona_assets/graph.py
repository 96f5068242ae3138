"""The graph: every asset declared once, as data, with what shapes its rows.

A recipe (`Asset.recipe`) holds all that shapes a partition beside the rows it reads; no server, model or GPU is needed
to know it. Thresholds of gates shape no row and stand apart (`Asset.gates_recipe`).
"""

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path

from persona_assets.checks.gates import sql_gates
from persona_assets.crawl import VERSION as READERS
from persona_assets.crawl.formats import sources
from persona_assets.crawl.ingest import ingest_shard
from persona_assets.crawl.lines import phrases_digest
from persona_assets.crawl.quality import check as check_quality
from persona_assets.dedup.publish import publish_shard
from persona_assets.dedup.run import dedup_dump
from persona_assets.engines.base import ModelIdentity, Sampling
from persona_assets.engines.select import identity_of
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.files import READING
from persona_assets.ids import Json, digest
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import (
    DEDUPED_PERSONAS,
    EXPANDED_PERSONAS,
    EXTRACTED_PERSONAS,
    FILTERED_PERSONAS,
    NO_ARGUMENTS,
    PERSONA_SURVIVORS,
    RAW_DOCUMENTS,
)
from persona_assets.lake.sqlfiles import sql_text
from persona_assets.personas.expand import ExpandStep, expand_personas
from persona_assets.personas.extract import ExtractStep, extract_personas
from persona_assets.personas.filter import filter_personas
from persona_assets.personas.given_names import names_digest
from persona_assets.personas.taxonomy import taxonomy_digest
from persona_assets.prompts import Template
from persona_assets.recipes import Recipe, changes, recipe_digest
from persona_assets.rules.registry import Kind, rules
from persona_assets.settings import Settings, shapes_of
from persona_assets.steps.answers import REPAIR, REPAIR_FORM, REPAIR_TURN
from persona_assets.steps.model import Context, Report, Step
from persona_assets.tasks.data_files import DataStep
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import FILES, Dataset, datasets
from persona_assets.tasks.run import run_task
from persona_assets.tasks.step import TaskStep
from persona_assets.tasks.table import row_schema
from persona_assets.tasks.target import ORDER, target_of
from persona_assets.training.recipe import RECIPES

__all__ = ["Asset", "Recipe", "Run", "assets", "changes", "identity_of", "recipe_digest"]

# Makes a partition; yields each that it wrote: its own, and for dumps those that were waiting before it.
Run = Callable[[Context, str], Iterable[tuple[str, Report]]]
Cell = tuple[str, str]  # a column: its asset and its name
_VARIABLE = re.compile(r"getvariable\('(\w+)'\)")


@dataclass(frozen=True, eq=False)
class Asset:
    """One asset.

    `reads` names the assets whose rows it is made from. `version` is that of the code that shapes its rows, which
    stands in `modules` (within this package); a test holds the two together. `packaged` gives digests of data files of
    the package, `added` the parts that installed packages have in its recipe.
    """

    table: Table
    run: Run
    group: str
    description: str
    modules: tuple[str, ...]
    reads: tuple[str, ...] = ()
    step: Step | None = None
    derived: DerivedStep | None = None  # where a function computes it
    data: DataStep | None = None  # where it reads data files, whose partitions are a named set
    questions: Callable[[Lake, str], Iterable[list[str]]] | None = None  # ids, where a row is asked about repeatedly
    version: int = 1
    packaged: Mapping[str, Callable[[], Json]] = field(default_factory=dict)
    added: Callable[[], Recipe] = dict
    kinds: frozenset[str] = frozenset({"parquet"})
    columns_from: Mapping[str, tuple[Cell, ...]] = field(default_factory=dict)  # beside what follows from references

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    def reads_of(self, key: str) -> tuple[str, ...]:
        """The assets that one partition is made from: of a function that looks at what data files say, these alone."""
        return self.derived.reads_of(key) if self.derived else self.reads

    @property
    def looks_into(self) -> Mapping[str, str]:
        """By asset, the one partition of it that every partition of this one is made from."""
        return self.step.looks_into if isinstance(self.step, TaskStep) else {}

    @property
    def is_bundled(self) -> bool:
        """Whether it comes with the package, and is no asset of the persona part."""
        return FILES in self.source[0].parents

    @property
    def is_task(self) -> bool:
        """Whether it comes from a task file."""
        return self.step is not None and self.step.template.kind == "task"

    @property
    def source(self) -> tuple[Path, int]:
        """The file that it is declared or computed in, and the line."""
        if isinstance(self.step, TaskStep) and self.step.file:
            return self.step.file, 1
        if self.data:
            return self.data.declared_in, 1
        if self.derived:
            return self.derived.declared.file, self.derived.declared.line
        function = inspect.unwrap(self.run)
        return Path(function.__code__.co_filename), function.__code__.co_firstlineno

    @property
    def column_lineage(self) -> dict[str, list[Cell]]:
        """For each column the columns of other assets that its values come from, as (asset, column)."""
        found: dict[str, list[Cell]] = {}
        for parent in self.table.parents:
            cells = [(name, parent.key) for name in parent.tables]
            if parent.direct and parent.column == self.table.key:  # the row is passed on
                own = [name for name in self.table.polars if name not in (*self.table.volatile, self.table.key)]
                found |= {name: [(table, name) for table in parent.tables] for name in own}
            found[parent.column] = [*found.get(parent.column, []), *cells]
        for name, further in self.columns_from.items():
            found[name] = [*found.get(name, []), *further]
        return found

    def identity(self, settings: Settings) -> ModelIdentity | None:
        """The model that these settings name for it; None where it asks nobody."""
        if self.step is None:
            return None
        template = self._steps[0].template
        return identity_of(self._settings(settings, template), template)

    @property
    def _steps(self) -> Sequence[Step]:
        """The step, or where systems answer one for each of them."""
        if isinstance(self.step, TaskStep):
            return self.step.by_system()
        return [self.step] if self.step else []

    def _settings(self, settings: Settings, turn: Template) -> Settings:
        """The settings under which a turn is asked."""
        return settings.for_asset(self.name, turn=turn.voice, by=turn.by, with_key=False)

    # Rows

    def recipe(self, settings: Settings, identity: ModelIdentity | None) -> Recipe:
        """What shapes its rows, beside the rows it reads; the parts are those of `recipes`.

        `identity` is that of the engine that would answer, None where the asset asks nobody.

        Raises:
            ValueError: it asks a model and none is given.
        """
        recipe: Recipe = {
            "schema": {name: str(dtype) for name, dtype in self.table.polars.items()},
            "code": self.version,
            "settings": settings.model_dump(mode="json", include=set(self.settings_names)),
            **{name: digest_of() for name, digest_of in self.packaged.items()},
            **self.added(),
        }
        if self.step is None:
            return recipe
        if identity is None:
            raise ValueError(f"{self.name} asks a model: its recipe needs the model's identity")
        asking = self._asking(self._steps[0], settings, identity)
        if isinstance(self.step, TaskStep) and self.step.template.systems:
            asking["systems"] = {
                str(one.template.system): {turn.voice: self._turn(turn, settings) for turn in one.turns}
                for one in self.step.by_system()
            }
        return recipe | asking

    @property
    def settings_names(self) -> tuple[str, ...]:
        """Settings whose values shape its rows; those of the model that it asks are parts of their own."""
        named = self.derived.declared.settings if self.derived else ()
        return tuple(name for name in Settings.model_fields if name in named or self.name in shapes_of(name))

    def _asking(self, step: Step, settings: Settings, identity: ModelIdentity) -> Recipe:
        template = step.template
        # Of rows that name who answers, that one's settings count.
        by_rows = settings.model_copy(update={"engine": "transformers"})
        own = by_rows if template.answered_by else self._settings(settings, template)
        asking: Recipe = {
            "prompt": template.digest,
            "repair": [REPAIR.digest, REPAIR_FORM.digest],
            **({} if template.answered_by else {"model": {"model": identity.model, "revision": identity.revision}}),
            "sampling": Sampling.of(own, template).as_dict(),
        }
        if len(step.turns) > 1:
            asking["repair"].append(REPAIR_TURN.digest)
            asking["turns"] = {turn.voice: self._turn(turn, settings) for turn in step.turns[1:]}
        if self.is_task and isinstance(step, TaskStep):
            asking["rules"] = [
                {"rule": entry.rule, "args": entry.args, "version": check.rule.recipe}
                | ({"of": entry.of} if entry.of == "answer" else {})
                | ({"repairs": True} if check.rule.repairs else {})
                for entry, check in zip(template.validity, step.checks, strict=True)
            ]
            asking["target"] = target_of(settings, template)
            if step.benchmarks:
                asking["benchmarks"] = step.benchmarks.recipe
            if asking["target"] is not None:
                asking["order"] = ORDER
        return asking

    def _turn(self, turn: Template, settings: Settings) -> Json:
        """Who answers a later turn, and how."""
        own = self._settings(settings, turn)
        identity = identity_of(own, turn)
        model = {"model": identity.model, "revision": identity.revision}
        return {**model, "sampling": Sampling.of(own, turn).as_dict()}

    # Gates

    @property
    def gate_settings(self) -> tuple[str, ...]:
        """Settings that are thresholds of its gates: the variables that their SQL uses."""
        used = {name for check in sql_gates(self.table) for name in _VARIABLE.findall(sql_text(f"checks/{check}"))}
        return tuple(name for name in Settings.model_fields if name in used)

    def gates_recipe(self, settings: Settings) -> dict[str, Json]:
        """What its gates hold a partition to: digests of the checks' SQL, and thresholds."""
        return {
            "checks": {check: digest(sql_text(f"checks/{check}").encode()) for check in sql_gates(self.table)}
            | {gate.name: gate.digest for gate in self.table.own_gates},
            "thresholds": settings.model_dump(mode="json", include=set(self.gate_settings)),
            **({"arguments": self.table.gate_arguments} if self.table.gate_arguments != NO_ARGUMENTS else {}),
        }


def assets(settings: Settings) -> dict[str, Asset]:
    """Every asset by name, each after those that it reads.

    Raises:
        UsageError: the folder PERSONA_TASKS is missing, or one of its files is not a usable task, or PERSONA_QUALITY
            names a rule or a threshold that there is not.
    """
    check_quality(settings)
    return {asset.name: asset for asset in (*_PERSONA_ASSETS, *map(_dataset, datasets(settings).values()))}


def chosen(graph: Mapping[str, Asset], datasets: Sequence[str], recipes: Collection[str] = ()) -> frozenset[str]:
    """What `run`, `plan` and automation make of themselves: these datasets, a user's own, and all that they read.

    `recipes` are the partitions of what is made by recipes that are made so: without one nothing is.

    Raises:
        UsageError: such a dataset is named, and no recipe is.
    """
    wanted = [name for name, one in graph.items() if not one.is_bundled or name in datasets or "all" in datasets]
    found: set[str] = set()
    while wanted:
        name = wanted.pop()
        asset = graph[name]
        if asset.table.partition == RECIPES and not recipes:
            if name in datasets:
                said = (
                    f"{name} is made by recipes: name some by PERSONA_RECIPES; {did_you_mean('', recipe_keys(graph))}"
                )
                raise UsageError(f"PERSONA_DATASETS: {said}")
        elif name not in found:
            found.add(name)
            by_key = asset.derived is not None and asset.derived.declared.looks is not None
            of = recipes if by_key and asset.table.partition == RECIPES else ()
            wanted += [read for key in of for read in asset.reads_of(key)] if of else asset.reads
    return frozenset(found)


def recipe_keys(graph: Mapping[str, Asset], names: Sequence[str] = ("all",)) -> tuple[str, ...]:
    """The partitions of the recipes that are named by their files, or one by one; of all where `all` is named.

    Raises:
        UsageError: there is no such recipe.
    """
    data = graph[RECIPES].data if RECIPES in graph else None
    sources = data.look().sources if data else {}
    known = {*sources, *(source.path.stem for source in sources.values())}
    for name in names:
        if name not in known and name != "all":
            raise UsageError(f"PERSONA_RECIPES: there is no recipe {name}; {did_you_mean(name, sorted(known))}")
    return tuple(key for key, source in sources.items() if {"all", key, source.path.stem} & {*names})


_STAGES = {(0, "shard"): "crawl_to_personas", (1, "dump"): "dedup_dump", (2, "shard"): "personas_to_datasets"}


def stages(graph: Mapping[str, Asset]) -> dict[str, list[str]]:
    """The stretches in the order in which they run, each with its assets in the order of the graph.

    An asset comes a stretch after what it reads of another partitioning, and not before what it reads of its own.
    """
    levels: dict[str, int] = {}
    found: dict[tuple[int, str], list[str]] = {}
    for name, asset in graph.items():
        kind = asset.table.partition
        above = [(levels[parent], graph[parent].table.partition) for parent in asset.reads]
        levels[name] = max((level + (other != kind) for level, other in above), default=0)
        found.setdefault((levels[name], kind), []).append(name)
    return {_stage_name(*stage): found[stage] for stage in sorted(found, key=lambda stage: stage[0])}


def _stage_name(level: int, kind: str) -> str:
    """Such as `dedup_dump`, and `set_surveys_3` for what follows from a set and from what is there after two stages."""
    if (level, kind) in _STAGES:
        return _STAGES[level, kind]
    return f"{'set_' if kind not in ('shard', 'dump') else ''}{kind}{f'_{level}' if level else ''}"


def _dataset(step: Dataset) -> Asset:
    if isinstance(step, TaskStep):
        return _task_asset(step)
    return _derived_asset(step) if isinstance(step, DerivedStep) else _data_asset(step)


def _one(run: Callable[[Context, str], Report]) -> Run:
    """A `Run` of a function that writes just the partition it is asked for."""

    @wraps(run)
    def runs(context: Context, key: str) -> Iterator[tuple[str, Report]]:
        yield key, run(context, key)

    return runs


def _added_rules(of: Kind) -> Recipe:
    """The rules of installed packages, which judge every row; ours are in the version."""
    found = [one for one in rules(of).values() if not one.is_ours]
    return {"rules": [{"rule": one.name, "args": {}, "version": one.recipe} for one in found]} if found else {}


def _added_formats() -> Recipe:
    """The readers of installed packages."""
    found = sources()
    return {"formats": {**found}} if found else {}


# Modules by what they do. The offline engine is not among them: its own version is in the revision of its model.
# Version 2 of what asks: answers are read as they were meant (steps.reading). Version 2 of persona_survivors: texts in
# other than Latin letters are compared by their meaning too.
_ASKING = (
    *("ids", "engines.base", "prompts.fields", "prompts.parsers", "prompts.renderer", "prompts.scripts"),
    *("prompts.template", "prompts.values"),
    *("steps.answers", "steps.model", "steps.outcomes", "steps.questions", "steps.reading", "steps.runner"),
)
_ENCODING = ("lake.vectors", "text.bert", "text.encoder", "text.fast_encoder", "text.universal")
_PERSONA_RULES = (
    *("personas.given_names", "rules.identifiers", "personas.names", "personas.names_en", "personas.names_ru"),
    *("personas.names_zh", "personas.rules", "rules.patterns", "rules.registry", "text.language", "text.tokens"),
)

_PERSONA_ASSETS = (
    Asset(
        RAW_DOCUMENTS,
        _one(ingest_shard),
        group="corpus",
        description="Main text of every page of a shard's crawl files, and personas that came as such, with the "
        "language; junk, unreadable records, copies and near-copies are in the rejects with a reason.",
        modules=(
            *("crawl.columns", "crawl.digest_index", "crawl.digests", "crawl.documents"),
            *("crawl.examine", "crawl.formats", "crawl.given", "crawl.html", "crawl.http", "crawl.ingest"),
            *("crawl.items", "crawl.lines", "crawl.near_pages", "crawl.normalise"),
            *("crawl.page", "crawl.readers"),
            *("crawl.quality", "crawl.quality.damage", "crawl.quality.function_words", "crawl.quality.look"),
            *("crawl.quality.machine", "crawl.quality.notices", "crawl.quality.phrases", "crawl.quality.prose"),
            *("crawl.quality.repetition", "crawl.quality.verdict", "crawl.quality.vocabulary"),
            *("crawl.shards", "crawl.tabular", "crawl.worker", "crawl.workers", *READING),
            *("ids", "ledger.index", "ledger.sorted_keys", "rules.registry", "text.language", "text.short"),
            *("text.minhash", "text.sets", "text.shingles", "text.sketches", "text.token_hashes", "text.tokens"),
        ),
        packaged={"boilerplate": phrases_digest},
        added=lambda: _added_rules("document") | _added_formats(),
        version=READERS,
        kinds=frozenset({"parquet", "python"}),
    ),
    Asset(
        EXTRACTED_PERSONAS,
        _one(extract_personas),
        group="personas",
        description="Text-to-persona: who is likely to read, write, like or dislike each page; a document that is a "
        "persona already gives that one, without a call.",
        reads=("raw_documents",),
        step=ExtractStep(),
        modules=("personas.extract", "personas.form", "text.language", "text.sentences", *_ASKING),
        version=2,
        kinds=frozenset({"parquet", "openai"}),
        columns_from={name: (("raw_documents", name),) for name in ("text", "language")},
    ),
    Asset(
        EXPANDED_PERSONAS,
        _one(expand_personas),
        group="personas",
        description="Persona-to-persona: people related to each persona, up to six hops away, among them those whom "
        "the web rarely shows.",
        reads=("extracted_personas",),
        step=ExpandStep(),
        packaged={"taxonomy": taxonomy_digest, "given_names": names_digest},
        modules=(
            *("personas.echo", "personas.expand", "personas.extract", "personas.form", "personas.novelty"),
            "personas.taxonomy",
            "text.sentences",
            *_PERSONA_RULES,
            *_ASKING,
        ),
        version=3,
        added=lambda: _added_rules("persona"),
        kinds=frozenset({"parquet", "openai"}),
        columns_from={
            name: (("extracted_personas", name), ("expanded_personas", name))
            for name in ("text", "language", "granularity")
        },
    ),
    Asset(
        FILTERED_PERSONAS,
        _one(filter_personas),
        group="personas",
        description="Extracted and expanded personas that pass every rule; the rest is in the rejects with the rule's "
        "name.",
        reads=("extracted_personas", "expanded_personas"),
        packaged={"given_names": names_digest},
        modules=("ids", "personas.filter", *_PERSONA_RULES, *_ENCODING),
        version=2,
        added=lambda: _added_rules("persona"),
        kinds=frozenset({"parquet", "polars"}),
    ),
    Asset(
        PERSONA_SURVIVORS,
        dedup_dump,
        group="personas",
        description="Which personas of a sealed dump survive, and for each removed one its survivor, similarity and "
        "method. Materialising a dump seals it and every waiting dump before it in key order. The recall in its "
        "metadata is 1 by construction where lexical keys are exact, an estimate from the similarities of the pairs "
        "found where they are MinHash bands, and for the semantic stage measured on a sample where an approximate "
        "index was used, else 1.",
        reads=("filtered_personas",),
        modules=(
            *("dedup.canonical_order", "dedup.compare", "dedup.deduper", "dedup.keys", "dedup.lexical"),
            *("text.minhash", "dedup.run", "dedup.seals", "dedup.segments", "dedup.semantic", "text.sets"),
            *("dedup.stored", "dedup.strands", "dedup.survivors", "ids"),
            *("text.scripts", "text.token_hashes", "text.tokens"),
            *_ENCODING,
        ),
        version=2,
        kinds=frozenset({"parquet", "numpy"}),
    ),
    Asset(
        DEDUPED_PERSONAS,
        _one(publish_shard),
        group="personas",
        description="The published personas: those of the shard that survive dedup.",
        reads=("filtered_personas", "persona_survivors"),
        modules=("dedup.publish", "dedup.seals", "ids"),
        kinds=frozenset({"parquet", "polars"}),
    ),
)


def _task_asset(step: TaskStep) -> Asset:
    def run(context: Context, shard: str) -> Report:
        return run_task(context, step, shard)

    return Asset(
        step.table,
        _one(run),
        group="datasets",
        description=step.template.description,
        reads=step.tables_read,
        step=step,
        questions=step.question_ids if step.template.several else None,
        modules=(
            *("tasks.answers", "tasks.groups", "tasks.modes", "tasks.rows", "tasks.step", "tasks.table"),
            *("rules.registry", "rules.sample", "tasks.target", "tasks.uses", "tasks.validity"),
            "text.language",
            *_ASKING,
        ),
        version=2,
        kinds=frozenset({"parquet", "openai"}),
        columns_from=_asked_with(step),
    )


def _asked_with(step: TaskStep) -> dict[str, tuple[Cell, ...]]:
    """What a task's own columns come from: all that its prompts use."""
    used = tuple((table, name) for table, names in step.columns_used.items() for name in names)
    own = dict.fromkeys(row_schema(step.template)["properties"], used)
    return own | ({"language": ((step.read.name, "language"),)} if "language" in step.read.polars else {})


def _data_asset(step: DataStep) -> Asset:
    return Asset(
        step.table,
        _one(step.run),
        group="datasets",
        description=step.description,
        modules=(
            "ids",
            "prompts.fields",
            "prompts.load",
            "prompts.parsers",
            "prompts.scripts",
            "prompts.template",
            "prompts.values",
            "tasks.data_files",
        ),
        data=step,
        kinds=frozenset({"parquet", "yaml"}),
    )


def _derived_asset(step: DerivedStep) -> Asset:
    return Asset(
        step.table,
        _one(step.run),
        group="datasets",
        description=step.declared.description,
        reads=step.tables_read,
        modules=("ids", "tasks.derived", "tasks.rows", *step.declared.modules),
        version=step.declared.version,
        packaged={"function": step.source_digest, **step.declared.packaged},
        derived=step,
        kinds=frozenset({"parquet", "python"}),
    )
