"""Puts a plan together: which partitions are to be made, what their questions are, what that takes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.graph import Asset, stages
from persona_assets.lake import Parent, Table
from persona_assets.lake.schemas import DEDUPED_PERSONAS, RAW_DOCUMENTS
from persona_assets.lake.store import dump_of
from persona_assets.plan.figures import Amount, AssetPlan, Basis, PartitionPlan, Plan, total
from persona_assets.plan.funnel import Funnel
from persona_assets.plan.needs import Needs
from persona_assets.plan.price import Prices
from persona_assets.plan.shard import Flow, Walks
from persona_assets.plan.sources import DocumentRate, Source, find_sources
from persona_assets.state import LakeState, State
from persona_assets.steps.runner import Context
from persona_assets.tasks.derived import DerivedStep


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
    state = LakeState(context.lake, context.settings, also=scope.assets)
    _check("asset", scope.assets, list(state.assets))
    made = {name for name in state.assets if name in state.chosen or context.lake.records.all(name)}
    chosen = [name for name in state.assets if name in (scope.assets or made)]
    sources, notes = find_sources(context.lake, context.settings)
    if not (sources or state.own_sets or state.needs_no_crawl):
        raise PersonaAssetsError(f"no crawl files under {context.settings.dumps}: put them in <dump>/ below it")
    planner = _Planner(context, state, sources, scope, chosen)
    planner.walk()
    prices = Prices(context, planner.walks, state.tables, tokens_per_second, gpus)
    assets = [prices.priced(asset) for asset in planner.assets() if asset.asset in chosen]
    held = planner.needs.priced([held for held in planner.held if held.asset in chosen])
    plan = Plan(assets, len(planner.shards), held, unknown=planner.unknown, notes=notes + planner.notes(chosen))
    plan.caps.extend(prices.caps(plan))
    plan.notes.extend(prices.notes(plan))
    return plan


def _check(what: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            some = ", ".join(sorted(known)[:20]) + (", ..." if len(known) > 20 else "")
            raise UsageError(f"{what} {name} is unknown (known: {some or 'none'})")


class _Planner:
    """Walks the partitions of a scope stage by stage, in the order of a run."""

    def __init__(
        self, context: Context, state: LakeState, sources: Sequence[Source], scope: Scope, chosen: Collection[str]
    ) -> None:
        _check("dump", scope.dumps, {source.dump for source in sources})
        _check("shard", scope.shards, {source.shard for source in sources})
        self.context, self.lake, self.scope, self.state = context, context.lake, scope, state
        self.needed = _with_what_they_read(chosen, state.assets)
        self.funnel = Funnel(self.lake, context.settings, context.ledger)
        self.needs = Needs(context, self.state)
        self.walks = Walks(context, self.needs.walks.steps, self.funnel, self.needs.walks.derived)
        self.held: list[PartitionPlan] = []  # stale, and kept as they are
        self.rate = DocumentRate(self.lake, list(sources), context.settings)
        self.unknown: list[str] = []
        whole = not (scope.dumps or scope.shards)
        self.shards = [
            source
            for source in sources
            if source.shard not in self.state.skipped
            and (whole or source.dump in scope.dumps or source.shard in scope.shards)
        ]
        self.sources = {source.shard: source for source in self.shards}
        keys = {
            "shard": list(self.sources),
            "dump": list(dict.fromkeys(source.dump for source in self.shards)),
            **({name: list(looked.sources) for name, looked in self.state.sets.items()} if whole else {}),
        }
        self.flows = {kind: {key: Flow(key) for key in found} for kind, found in keys.items()}

    def walk(self) -> None:
        """Look at every partition."""
        for members in stages(self.state.assets).values():
            kind = self.state.assets[members[0]].table.partition
            for flow in self.flows.get(kind, {}).values():
                for name in members:
                    if name in self.needed and (above := self._above(name, flow)) is not None:
                        self._partition(self.state.assets[name], flow, above)
                flow.seeds = None

    def assets(self) -> list[AssetPlan]:
        """The figures by asset, in the order of the graph."""
        found = []
        for name, asset in self.state.assets.items():
            if name in self.needed:
                flows = self.flows.get(asset.table.partition, {}).values()
                plans = [flow.plans[name] for flow in flows if name in flow.plans]
                found.append(AssetPlan(name, self.walks.of(name).model if asset.step else "", plans))
        return found

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
        if standing.state is not State.LEFT_OUT and (
            self.scope.everything or not all(parent.done for parent in parents)
        ):
            return plan
        plan.done = not standing.to_do
        if standing.state is State.STALE and (held := self.needs.held_back(standing)):
            held.why = standing.why
            self.held.append(held)
            plan.done = True
        return plan

    def _above(self, name: str, flow: Flow) -> list[PartitionPlan] | None:
        """The partitions in the plan that one is made from; None where one that it needs cannot be told.

        Of a dump those of its shards that are in the plan, one at least; of what is partitioned otherwise all.
        """
        graph, found = self.state.assets, []
        kind = graph[name].table.partition
        for parent in graph[name].reads:
            other = graph[parent].table.partition
            flows = self.flows.get(other, {})
            if other == kind:
                wanted, least = [flow.shard], 1
            elif only := graph[name].looks_into.get(parent):
                wanted, least = [only], 0
            elif (kind, other) == ("shard", "dump"):
                wanted, least = [dump_of(flow.shard)], 1
            elif (kind, other) == ("dump", "shard"):
                wanted, least = [key for key in flows if dump_of(key) == flow.shard], 1
            else:
                wanted, least = list(flows), 0
            plans = [flows[key].plans[parent] for key in wanted if key in flows and parent in flows[key].plans]
            if len(plans) < least:
                return None
            found += plans
        return found

    def _partition(self, asset: Asset, flow: Flow, above: list[PartitionPlan]) -> None:
        """A partition as it stands, or what making it would take."""
        plan = self._plan(asset.table, flow.shard, *above)
        if asset.table is RAW_DOCUMENTS:
            if not self.lake.exists(RAW_DOCUMENTS, flow.shard):
                expected = self.rate.documents(self.sources[flow.shard])
                if expected is None:
                    self.unknown.append(flow.shard)
                    return
                plan.rows, flow.given = expected.pages + expected.given, expected.given
        elif asset.step:
            if plan.done:
                self.walks.stands(plan)
            else:
                plan.rows = Amount()
                self.walks.ask(flow, plan)
        elif not plan.done:
            self._rows(asset, flow, plan)
        flow.plans[asset.name] = plan
        if asset.derived and asset.derived.declared.expected:
            self._note_selected(asset.derived, plan)

    def _rows(self, asset: Asset, flow: Flow, plan: PartitionPlan) -> None:
        """The rows of an asset that asks nobody."""
        if asset.data:
            plan.rows = Amount(sum(isinstance(row, dict) for row in asset.data.rows(flow.shard)))
        elif asset.derived and (expected := asset.derived.declared.expected):
            rows = self._in_all(asset.derived.declared.reads[1])
            plan.rows = Amount(expected(rows.value), max(rows.basis, Basis.FUNNEL))
        elif asset.derived:
            read, told = asset.derived.read, asset.derived.per_row(self.state.settings)
            if told is None:
                plan.rows = flow.rows(read) * self.funnel.per_row(asset.table, read)
            else:
                plan.rows = total(flow.plans[name].rows * Amount(each) for name, each in told.items())
        else:
            [passed, *_] = (origin for origin in asset.table.origins if origin.column == asset.table.key)
            self.walks.passed_on(asset.table, self._given(asset, passed, flow), plan)

    def _note_selected(self, view: DerivedStep, plan: PartitionPlan) -> None:
        """Note for what selects by a view which share of the personas, and of the dataset's rows, it takes."""
        for name in (DEDUPED_PERSONAS.name, view.declared.reads[1]):
            rows = self._in_all(name)
            share = Amount(min(1.0, plan.rows.value / rows.value) if rows.value else 1.0, Basis.FUNNEL)
            self.walks.selected.setdefault(plan.asset, {})[name] = share

    def _in_all(self, name: str) -> Amount:
        """The rows that a table would have: of partitions in the plan as planned, of others those that stand."""
        flows = self.flows.get(self.state.assets[name].table.partition, {})
        rows = total(flow.plans[name].rows for flow in flows.values() if name in flow.plans)
        stored = self.funnel.rows(self.state.assets[name].table)
        return rows + Amount(sum(count for key, count in stored.items() if key not in flows))

    def _given(self, asset: Asset, passed: Parent, flow: Flow) -> Amount:
        """The rows that an asset passes on or judges; of a dump those of shards outside the scope as they stand."""
        given = Amount()
        for name in passed.tables:
            if asset.table.partition != "dump":
                given += flow.plans[name].rows
                continue
            shards = {key: one for key, one in self.flows["shard"].items() if dump_of(key) == flow.shard}
            for one in shards.values():
                if name in one.plans:
                    given += one.plans[name].rows
            stored = self.funnel.rows(self.state.assets[name].table)
            others = (rows for key, rows in stored.items() if dump_of(key) == flow.shard and key not in shards)
            given += Amount(sum(others))
        return given


def _with_what_they_read(chosen: Collection[str], graph: Mapping[str, Asset]) -> set[str]:
    """Some assets with what they read, which tells how many rows there will be, and all before the datasets."""
    needed = {name for name in graph if name in chosen or graph[name].group != "datasets"}
    for name in reversed(list(graph)):
        needed |= set(graph[name].reads) if name in needed else set()
    return needed
