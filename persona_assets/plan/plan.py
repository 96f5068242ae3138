"""Puts a plan together: which partitions are to be made, what their questions are, what that takes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.lake import Table
from persona_assets.lake.schemas import (
    DEDUPED_PERSONAS,
    EXPANDED_PERSONAS,
    EXTRACTED_PERSONAS,
    FILTERED_PERSONAS,
    PERSONA_SURVIVORS,
    RAW_DOCUMENTS,
)
from persona_assets.lake.store import dump_of
from persona_assets.plan.figures import Amount, AssetPlan, PartitionPlan, Plan
from persona_assets.plan.funnel import Funnel
from persona_assets.plan.needs import Needs
from persona_assets.plan.price import Prices
from persona_assets.plan.shard import Flow, Walks
from persona_assets.plan.sources import DocumentRate, Source, find_sources
from persona_assets.state import LakeState, State
from persona_assets.steps.runner import Context
from persona_assets.tasks.data_files import DataStep
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import Dataset, datasets
from persona_assets.tasks.step import TaskStep

PERSONAS = (RAW_DOCUMENTS, EXTRACTED_PERSONAS, EXPANDED_PERSONAS, FILTERED_PERSONAS)


@dataclass(frozen=True)
class Scope:
    """What is to be planned: these dumps, shards and assets (none: all), and whether also what stands already."""

    dumps: tuple[str, ...] = ()
    shards: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    everything: bool = False


def make_plan(
    context: Context, scope: Scope, *, tokens_per_second: float | None = None, gpus: float | None = None
) -> Plan:
    """What a run over `scope` would take; asks no engine, registers and writes nothing.

    `tokens_per_second` is the throughput of answer tokens of all `gpus` together.

    Raises:
        PersonaAssetsError: there is no crawl file at all.
        UsageError: a dump, shard or asset is unknown, or settings of a model, task or tokenizer are wrong.
    """
    tasks = datasets(context.settings)
    chosen = _chosen_assets(scope.assets, tasks)
    sources, notes = find_sources(context.lake, context.settings)
    if not sources and not any(isinstance(step, DataStep) for step in tasks.values()):
        raise PersonaAssetsError(f"no crawl files under {context.settings.dumps}: put them in <dump>/ below it")
    planner = _Planner(context, tasks, sources, scope, chosen)
    planner.walk()
    prices = Prices(context, planner.walks, tokens_per_second, gpus)
    assets = [prices.priced(asset) for asset in planner.assets() if asset.asset in chosen]
    held = planner.needs.priced([held for held in planner.held if held.asset in chosen])
    plan = Plan(assets, len(planner.shards), held, unknown=planner.unknown, notes=notes + planner.notes(chosen))
    plan.caps.extend(prices.caps(plan))
    plan.notes.extend(prices.notes(plan))
    return plan


def _chosen_assets(names: Sequence[str], tasks: Collection[str]) -> list[str]:
    known = [table.name for table in (*PERSONAS, PERSONA_SURVIVORS, DEDUPED_PERSONAS)] + list(tasks)
    _check("asset", names, known)
    return [name for name in known if not names or name in names]


def _check(what: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            some = ", ".join(sorted(known)[:20]) + (", ..." if len(known) > 20 else "")
            raise UsageError(f"{what} {name} is unknown (known: {some or 'none'})")


class _Planner:
    """Walks the shards of a scope in the order of a run: to filtered personas, over the dumps, to the tasks."""

    def __init__(
        self,
        context: Context,
        tasks: Mapping[str, Dataset],
        sources: Sequence[Source],
        scope: Scope,
        chosen: Collection[str],
    ) -> None:
        _check("dump", scope.dumps, {source.dump for source in sources})
        _check("shard", scope.shards, {source.shard for source in sources})
        self.context, self.lake, self.scope = context, context.lake, scope
        # With what the chosen ones read, which tells how many rows there will be.
        needed = set(chosen)
        for name in reversed(list(tasks)):
            needed |= set(tasks[name].tables_read) if name in needed else set()
        self.tasks = {name: task for name, task in tasks.items() if name in needed}
        self.funnel = Funnel(self.lake, context.settings, context.ledger)
        asking = {name: step for name, step in tasks.items() if isinstance(step, TaskStep)}
        self.walks = Walks(context, asking, self.funnel)
        self.state = LakeState(context.lake, context.settings)
        self.needs = Needs(context, self.state)
        self.held: list[PartitionPlan] = []  # stale, and kept as they are
        self.rate = DocumentRate(self.lake, list(sources))
        self.unknown: list[str] = []
        self.flows: dict[str, Flow] = {}
        self.dumps: dict[str, PartitionPlan] = {}
        whole = not (scope.dumps or scope.shards)
        sets = self.state.sets if whole else {}
        self.sets = {(name, key): Flow(key) for name, looked in sets.items() for key in looked.sources}
        self.shards = [
            source
            for source in sources
            if source.shard not in self.state.skipped
            and (whole or source.dump in scope.dumps or source.shard in scope.shards)
        ]

    def walk(self) -> None:
        """Look at every partition."""
        for source in self.shards:
            flow = self.flows[source.shard] = Flow(source.shard)
            if self._documents(flow, source):
                self._personas(flow)
        for dump in dict.fromkeys(source.dump for source in self.shards):
            self._survivors(dump)
        for flow in self.flows.values():
            if FILTERED_PERSONAS.name in flow.plans:
                self._publish(flow)
        for name, step in self.tasks.items():
            for flow in self._flows_of(step.table):
                self._dataset(flow, name, step)

    def assets(self) -> list[AssetPlan]:
        """The figures by asset, in the order of the graph."""
        by_asset: dict[str, list[PartitionPlan]] = {}
        names = [table.name for table in PERSONAS]
        plans = [flow.plans[name] for flow in self.flows.values() for name in names if name in flow.plans]
        plans += self.dumps.values()
        later = [DEDUPED_PERSONAS.name, *self.tasks]
        flows = [*self.flows.values(), *self.sets.values()]
        plans += [flow.plans[name] for name in later for flow in flows if name in flow.plans]
        for name in (*names, PERSONA_SURVIVORS.name, *later):
            by_asset[name] = []
        for plan in plans:
            by_asset[plan.asset].append(plan)
        asking = {EXTRACTED_PERSONAS.name, EXPANDED_PERSONAS.name, *self.walks.tasks}
        return [
            AssetPlan(name, self.walks.of(name).model if name in asking else "", found)
            for name, found in by_asset.items()
        ]

    def notes(self, chosen: Collection[str]) -> list[str]:
        """What is needed first and not counted, and what cannot be told."""
        found = []
        if self.unknown:
            found.append(
                f"{len(self.unknown)} shards left out: no crawl file has been read yet, so nobody can tell how many "
                "documents theirs hold; `persona-assets inspect FILE...` does, or ingest one of them first"
            )
        if self.rate.guessed:
            kinds = ", ".join(sorted(self.rate.guessed))
            found.append(f"no {kinds} file has been read yet: taken to hold as many documents per byte as the others")
        first = [asset.asset for asset in self.assets() if asset.todo and asset.asset not in chosen]
        if first:
            found.append(f"not counted, but to be made first: {', '.join(first)}")
        return found

    # Partitions

    def _plan(self, table: Table, key: str, *parents: PartitionPlan) -> PartitionPlan:
        """A partition as it stands; done where nothing it is made of is to be made.

        One that is stale, and would take calls that nobody has allowed, is done as well: it stays as it is.
        """
        standing = self.state.of(table.name, key)
        stored = standing.record.rows.rows if standing.record else 0
        plan = PartitionPlan(table.name, key, rows=Amount(stored), stored=stored)
        if self.scope.everything or not all(parent.done for parent in parents):
            return plan
        plan.done = not standing.to_do
        if standing.state is State.STALE and (held := self.needs.held_back(standing)):
            held.why = standing.why
            self.held.append(held)
            plan.done = True
        return plan

    def _documents(self, flow: Flow, source: Source) -> bool:
        """Whether the documents of a shard are known, or can be told."""
        plan = self._plan(RAW_DOCUMENTS, flow.shard)
        if not self.lake.exists(RAW_DOCUMENTS, flow.shard):
            expected = self.rate.documents(source)
            if expected is None:
                self.unknown.append(flow.shard)
                return False
            plan.rows = expected
        flow.plans[RAW_DOCUMENTS.name] = plan
        return True

    def _personas(self, flow: Flow) -> None:
        plans, shard = flow.plans, flow.shard
        extracted = self._plan(EXTRACTED_PERSONAS, shard, plans[RAW_DOCUMENTS.name])
        plans[extracted.asset] = extracted
        if not extracted.done:
            self.walks.extract(flow, extracted)
        expanded = self._plan(EXPANDED_PERSONAS, shard, extracted)
        plans[expanded.asset] = expanded
        if not expanded.done:
            expanded.rows = Amount()
            self.walks.expand(flow, expanded)
        flow.seeds = None
        filtered = self._plan(FILTERED_PERSONAS, shard, extracted, expanded)
        plans[filtered.asset] = filtered
        if not filtered.done:
            self.walks.passed_on(FILTERED_PERSONAS, extracted.rows + expanded.rows, self.funnel.filtered, filtered)

    def _survivors(self, dump: str) -> None:
        """A verdict on every filtered persona of a dump, those of shards outside the scope as they stand."""
        flows = [flow for flow in self.flows.values() if dump_of(flow.shard) == dump]
        filtered = [flow.plans[FILTERED_PERSONAS.name] for flow in flows if FILTERED_PERSONAS.name in flow.plans]
        if not filtered:
            return
        plan = self._plan(PERSONA_SURVIVORS, dump, *filtered)
        if not plan.done:
            plan.rows = Amount()
            for part in filtered:
                plan.rows += part.rows
            stored = self.funnel.rows(FILTERED_PERSONAS)
            others = [key for key in stored if dump_of(key) == dump and key not in self.flows]
            plan.rows += Amount(sum(stored[key] for key in others))
        self.dumps[dump] = plan

    def _publish(self, flow: Flow) -> None:
        filtered = flow.plans[FILTERED_PERSONAS.name]
        survivors = self.dumps[dump_of(flow.shard)]
        deduped = self._plan(DEDUPED_PERSONAS, flow.shard, filtered, survivors)
        flow.plans[deduped.asset] = deduped
        if not deduped.done:
            self.walks.passed_on(DEDUPED_PERSONAS, filtered.rows, self.funnel.survivors, deduped)

    def _flows_of(self, table: Table) -> list[Flow]:
        """The shards that have published personas, or the keys of a named set."""
        if table.partition == "shard":
            return [flow for flow in self.flows.values() if DEDUPED_PERSONAS.name in flow.plans]
        return [flow for (kind, _), flow in self.sets.items() if kind == table.partition]

    def _dataset(self, flow: Flow, name: str, step: Dataset) -> None:
        plan = flow.plans[name] = self._plan(step.table, flow.shard, *self._above(name, flow))
        if isinstance(step, DataStep):
            if not plan.done:
                plan.rows = Amount(sum(isinstance(row, dict) for row in step.rows(flow.shard)))
        elif isinstance(step, DerivedStep):
            if not plan.done:
                plan.rows = flow.rows(step.read) * self.funnel.per_row(step.table, step.read)
        elif plan.done:
            self.walks.stands(plan)
        else:
            plan.rows = Amount()
            self.walks.task(flow, plan)

    def _above(self, name: str, flow: Flow) -> list[PartitionPlan]:
        """The partitions in the plan that one is made from; of a table that is partitioned otherwise all."""
        kind = self.state.assets[name].table.partition
        found = []
        for parent in self.state.assets[name].reads:
            above = self.state.assets[parent].table.partition
            if above == kind:
                found += [flow.plans[parent]] if parent in flow.plans else []
            else:
                flows = [*self.flows.values(), *self.sets.values()]
                found += [other.plans[parent] for other in flows if parent in other.plans]
        return found
