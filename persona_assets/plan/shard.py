"""One shard on its way through the graph: what stands, what its questions are, and what would come of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil

import polars as pl

from persona_assets.ids import canonical_json
from persona_assets.lake import Table
from persona_assets.lake.schemas import (
    DEDUPED_PERSONAS,
    EXPANDED_PERSONAS,
    EXTRACTED_PERSONAS,
    FILTERED_PERSONAS,
    RAW_DOCUMENTS,
)
from persona_assets.personas.echo import without_echoes
from persona_assets.personas.expand import (
    FRONTIER,
    Children,
    eligible_parents,
    expansion_asks,
    plan_questions,
    seed_frontier,
    spend,
)
from persona_assets.personas.extract import ExtractStep, extraction_asks, given_outcomes
from persona_assets.plan.figures import Amount, Basis, PartitionPlan
from persona_assets.plan.funnel import Funnel
from persona_assets.plan.look_up import Walk
from persona_assets.prompts.template import ByColumn
from persona_assets.steps.runner import Ask, Context, Outcome, Step
from persona_assets.tasks.data_files import DataStep
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import datasets
from persona_assets.tasks.rows import Row, partition_of
from persona_assets.tasks.step import TaskStep, questions_of_a_row
from persona_assets.tasks.target import WAVE, Waves, place_of, target_of
from persona_assets.tasks.views import CHOSEN

_PERSONAS = DEDUPED_PERSONAS.name


@dataclass
class Flow:
    """What a shard has at each asset, by name, and the seeds of its expansion where they were walked.

    `given` are the documents that are personas already, of those that are not read yet.
    """

    shard: str
    plans: dict[str, PartitionPlan] = field(default_factory=dict)
    given: Amount = field(default_factory=Amount)
    seeds: pl.DataFrame | None = None

    def rows(self, table: Table) -> Amount:
        """Rows that a partition would have."""
        return self.plans[table.name].rows

    def beyond(self, table: Table) -> Amount:
        """Rows that a partition would have beyond those that stand in it."""
        plan = self.plans[table.name]
        return plan.rows.minus(plan.stored)


class Walks:
    """The walk of every asset that asks, each made when it is first needed."""

    def __init__(
        self,
        context: Context,
        steps: Mapping[str, Step],
        funnel: Funnel,
        derived: Mapping[str, DerivedStep] | None = None,
    ) -> None:
        """Bind to a lake and its settings; `steps` are those of the assets that ask, `derived` functions, by asset."""
        self.derived = derived or {}
        self.context, self.steps, self.funnel = context, steps, funnel
        self.lake, self.settings = context.lake, context.settings
        self._walks: dict[tuple[str, bytes], Walk] = {}
        self._accepted: dict[str, dict[str, float]] = {}  # rows by task and shard
        self.selected: dict[str, dict[str, Amount]] = {}  # by view, which share of a table's rows it selects

    def of(self, asset: str, asking: TaskStep | None = None) -> Walk:
        """The walk of an asset; where several systems answer, that of one of them, by default of the first."""
        step = self.steps[asset]
        one = asking or (step.by_system()[0] if isinstance(step, TaskStep) else step)
        key = (asset, canonical_json(dict(one.template.by)))
        if key not in self._walks:
            self._walks[key] = Walk(one, self.context)
        return self._walks[key]

    def ask(self, flow: Flow, plan: PartitionPlan) -> None:
        """The questions of a partition of any asset that asks."""
        step = self.steps[plan.asset]
        if isinstance(step, TaskStep):
            self.task(step, flow, plan)
        elif isinstance(step, ExtractStep):
            self._extract(flow, plan)
        else:
            self._expand(flow, plan)

    # Personas

    def _extract(self, flow: Flow, plan: PartitionPlan) -> None:
        """Questions about a shard's pages; who came as a persona is one already."""
        walk, shard = self.of(plan.asset), flow.shard
        open_questions, known = 0, Children()
        if self.lake.exists(RAW_DOCUMENTS, shard):
            for outcome in given_outcomes(self.lake, shard):
                known.add(outcome)
            for outcome in walk.outcomes(extraction_asks(self.context, shard), plan):
                known.add(outcome)
                open_questions += outcome.call is None
        beyond = flow.beyond(RAW_DOCUMENTS).minus(flow.given.value)
        parts = self.funnel.questions_per_document
        _project(plan, beyond * parts)
        flow.seeds = known.frame()
        unknown = Amount(open_questions / parts.value, parts.basis) + beyond
        plan.rows = Amount(flow.seeds.height) + unknown * self.funnel.personas_per_document + flow.given

    def _expand(self, flow: Flow, plan: PartitionPlan) -> None:
        """Questions about personas, hop by hop: those whose parents are known, and how many more there will be."""
        walk, settings, funnel = self.of(plan.asset), self.settings, self.funnel
        kept = funnel.kept_share(EXPANDED_PERSONAS)
        parents = flow.seeds if flow.seeds is not None else seed_frontier(self.lake, flow.shard)
        unknown = flow.rows(EXTRACTED_PERSONAS).minus(parents.height)
        cap = settings.max_expanded_per_seed
        left = parents.select("seed_id", left=pl.lit(cap, pl.Int64()))
        room = unknown.value * cap  # questions that the seeds that nobody knows yet may have
        for hop in range(1, settings.hops + 1):
            parents, _ = eligible_parents(parents.join(left.filter(pl.col("left") > 0), on="seed_id", how="semi"))
            questions, _ = plan_questions(parents, hop, settings, left)
            left = spend(left, questions)
            children, open_questions = Children(), 0
            for outcome in without_echoes(walk.outcomes(expansion_asks(questions, hop), plan)):
                children.add(outcome)
                open_questions += outcome.call is None
            parents = children.frame()
            fanout = Amount(settings.fanout[min(hop, len(settings.fanout)) - 1])
            wanted = unknown * funnel.eligible * fanout
            asked = Amount(min(wanted.value, room + float(left["left"].sum())), wanted.basis)
            room = max(0.0, room - asked.value)
            _project(plan, asked)
            unknown = (Amount(open_questions) + asked) * kept
            plan.rows += Amount(parents.height) + unknown

    # Rows that are passed on

    def passed_on(self, table: Table, given: Amount, plan: PartitionPlan) -> None:
        """Rows of a table that keeps a share of what it is given; those that it has judged already are known."""
        judged, share = 0, self.funnel.kept_share(table)
        if plan.stored or self.lake.exists(table, plan.partition):
            judged = plan.stored + self.lake.rejects(table, plan.partition).select(pl.len()).collect().item()
        plan.rows = Amount(plan.stored) + given.minus(judged) * share

    # Tasks

    def _attempts(self, step: TaskStep) -> float:
        """How often a row is asked about on average, where a column says it and the table is not made yet; else 1."""
        attempts, derived = step.template.attempts, self.derived.get(step.read.name)
        told = derived.mean(attempts.column, self.settings) if derived and isinstance(attempts, ByColumn) else None
        return 1.0 if told is None else told

    def task(self, step: TaskStep, flow: Flow, plan: PartitionPlan) -> None:
        """Questions about the rows that a task reads, as many as the task's target takes where it has one."""
        accepted, each = self.funnel.kept_share(step.table), questions_of_a_row(step.template, self._attempts(step))
        if step.template.many and not (step.template.group and step.template.group.item):
            accepted = self.funnel.per_answer(step.table, step.template.items_expected)
        there = self.lake.exists(step.read, flow.shard) and self._are_beside(step)
        rows = flow.beyond(step.read) if there else flow.rows(step.read)
        if (share := self._selected(step)) is not None:
            rows = rows * share
        beyond = rows * Amount(each) if each != 1 else rows
        target = target_of(self.settings, step.template)
        if target is None:
            known, open_questions, judged = 0, 0, self._judged(plan)
            for asking in step.answering(self.lake, flow.shard) if there else step.by_system():
                asks = asking.asks(self.lake, flow.shard) if there else iter(())
                found = _accepted(self.of(plan.asset, asking).outcomes(asks, plan, judged))
                known, open_questions = known + found[0], open_questions + found[1]
            expected = beyond
            plan.rows = Amount(known) + (Amount(open_questions) + expected) * accepted
        else:
            self._to_target(step, flow, plan, target, accepted, beyond)
            expected = Amount()
        _project(plan, expected, len(step.turns))
        self.stands(plan)

    def _selected(self, step: TaskStep) -> Amount | None:
        """The share of the rows that are not there yet which a task's view selects; None where it has none.

        Where the view is not in the plan, that of the personas that it selects now.
        """
        if not step.template.select:
            return None
        if shares := self.selected.get(step.template.select):
            return shares.get(step.read.name, shares[_PERSONAS])
        view = step.reading.looked_up[CHOSEN].table
        rows, personas = (sum(self.funnel.rows(table).values()) for table in (view, DEDUPED_PERSONAS))
        return Amount(min(1.0, rows / personas) if rows else 1.0, Basis.FUNNEL)

    def _are_beside(self, step: TaskStep) -> bool:
        """Whether the named sets that a task looks into are there, without which none of its questions can be told."""
        for looking in step.reading.looked_up.values():
            table = looking.table
            if table.partition != step.read.partition and not (
                self.lake.exists(table, looking.partition) if looking.partition else self.lake.keys(table)
            ):
                return False
        return True

    def stands(self, plan: PartitionPlan) -> None:
        """Note what rows a task's partition has or would have, for the target of the partitions after it."""
        self._rows(plan.asset)[plan.partition] = plan.rows.value

    def _judged(self, plan: PartitionPlan) -> dict[str, int]:
        """Rows by call of what a task's partition holds and set aside: its rules take too long to apply them anew."""
        table = self.steps[plan.asset].table
        kept = self.lake.scan(table, [plan.partition]).select("call_id", row=pl.lit(1))
        aside = self.lake.rejects(table, plan.partition).select("call_id", row=pl.lit(0)).drop_nulls()
        counts = pl.concat([kept, aside]).group_by("call_id").agg(pl.sum("row")).collect(engine="streaming")
        return dict(counts.iter_rows())

    def _rows(self, task: str) -> dict[str, float]:
        if task not in self._accepted:
            found = self.funnel.rows(self.steps[task].table)
            self._accepted[task] = {key: float(count) for key, count in found.items()}
        return self._accepted[task]

    def _to_target(
        self, step: TaskStep, flow: Flow, plan: PartitionPlan, target: int, accepted: Amount, beyond: Amount
    ) -> None:
        """As `tasks.target.outcomes_to_target`: waves of what is missing, in the order of the personas' ids."""
        walk = self.of(plan.asset)
        before = place_of(flow.shard)
        others = sum(rows for shard, rows in self._rows(plan.asset).items() if place_of(shard) < before)
        missing = Amount(max(0.0, target - others))
        share, judged = max(accepted.value, 1e-3), self._judged(plan)
        waves = Waves(step, self.lake, flow.shard) if self.lake.exists(step.read, flow.shard) else None
        while waves and missing.value > 0.5 and (asks := waves.next(min(ceil(missing.value / share - 1e-6), WAVE))):
            known, open_questions = _accepted(walk.outcomes(asks, plan, judged))
            plan.rows += Amount(known) + Amount(open_questions) * accepted
            missing = Amount(max(0.0, target - others - plan.rows.value))
        asked = Amount(min(beyond.value, missing.value / share), max(beyond.basis, accepted.basis))
        _project(plan, asked, len(step.turns))
        plan.rows += asked * accepted

    # Prompts that stand for those of rows that are not there yet

    def stand_in(self, asset: str) -> None:
        """Render prompts about rows elsewhere in the lake, where the plan itself could render none of an asset."""
        walk = self.of(asset)
        if walk.prompts.seen:
            return
        step = self.steps[asset]
        if isinstance(step, TaskStep):
            walk.stand_in(self._like(step))
        elif isinstance(step, ExtractStep):
            keys = self.lake.keys(RAW_DOCUMENTS)[-1:]
            walk.stand_in(ask for key in keys for ask in extraction_asks(self.context, key))
        else:
            parents = _frontier(self._personas())
            left = parents.select("seed_id", left=pl.lit(1, pl.Int64()))
            questions, _ = plan_questions(parents, 1, self.settings, left)
            walk.stand_in(expansion_asks(questions, 1))

    def _like(self, step: TaskStep) -> Iterator[Ask]:
        """Questions about some rows of what a task reads; about somebody where there are none."""
        for key in self.lake.keys(step.read)[-1:]:
            frame = self.lake.scan(step.read, [key]).bottom_k(200, by=step.read.key).collect().sort(step.read.key)
            if frame.height:
                rows = step.reading.rows(partition_of(self.lake, step.read, key), frame)
                for row in step.units([self._with_rows_beside(step, row) for row in rows]):
                    yield from step.asks_of(row)
                return
        if step.read is DEDUPED_PERSONAS:
            frame = self._personas()
            missing = {name: None for name in step.reading.columns if name not in frame.columns}
            for row in step.units([self._with_rows_beside(step, {**missing, **row}) for row in frame.to_dicts()]):
                yield from step.asks_of(row)

    def _with_rows_beside(self, step: TaskStep, row: Row) -> Row:
        """A row with others for those looked up that are not there yet: rows of data files, else empty ones."""
        found = dict(row)
        for name, looking in step.reading.looked_up.items():
            if found.get(name):
                continue
            like = {column: "" for column in looking.columns} | self._data_row(looking.table.name, looking.partition)
            above = {one: self._data_row(one, looking.partition) for one in looking.ancestors}
            found[name] = [like | above] * (looking.draw or looking.take or 1) if looking.draw or looking.take else []
        return found

    def _data_row(self, name: str, key: str) -> Row:
        """The longest row of a partition of data files, or of their first; {} where the table is another."""
        data = datasets(self.settings).get(name)
        if not isinstance(data, DataStep):
            return {}
        keys = [one for one in data.look().sources if key in ("", one)]
        rows = [one for one in data.rows(keys[0]) if isinstance(one, dict)] if keys else []
        return max(rows, key=lambda one: len(str(one)), default={})

    def _personas(self) -> pl.DataFrame:
        """Some personas, of the table nearest to the tasks that has any; else one of ordinary length."""
        for table in (DEDUPED_PERSONAS, FILTERED_PERSONAS, EXTRACTED_PERSONAS):
            for key in self.lake.keys(table)[-1:]:
                found = self.lake.scan(table, [key]).bottom_k(200, by="persona_id").collect()
                if found.height:
                    return found.sort("persona_id")
        return pl.DataFrame([_SOMEBODY])


_SOMEBODY = {
    "persona_id": "per_somebody",
    "document_id": "doc_somewhere",
    "text": "A chemistry teacher at a small coastal school who looks for safe experiments that fit into one lesson and "
    "need no costly equipment",
    "language": "en",
    "granularity": "fine",
}


def _frontier(personas: pl.DataFrame) -> pl.DataFrame:
    named = personas.with_columns(seed_id="persona_id", ancestors=pl.lit([], pl.List(pl.String())))
    return named.select(FRONTIER.names())


def _accepted(outcomes: Iterator[Outcome]) -> tuple[int, int]:
    """Rows of the answered questions, and how many questions are open."""
    rows = open_questions = 0
    for outcome in outcomes:
        rows += len(outcome.parsed.rows)
        open_questions += outcome.call is None
    return rows, open_questions


def _project(plan: PartitionPlan, questions: Amount, turns: int = 1) -> None:
    """Count questions about rows that are not there yet: as new, since nobody can look them up."""
    plan.questions += questions
    plan.new += questions * Amount(turns) if turns > 1 else questions
