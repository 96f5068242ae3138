"""Which step wrote a table, and whether this installation still asks what the ledger says was asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from persona_assets.chat import CHAT, ChatStep
from persona_assets.errors import UsageError
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import ASSET_TABLES, EXPANDED_PERSONAS, EXTRACTED_PERSONAS
from persona_assets.lineage.find import Finder, Found
from persona_assets.personas.expand import ExpandStep
from persona_assets.personas.extract import ExtractStep, question_of
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.steps.model import refs_of
from persona_assets.steps.runner import Ask, Step
from persona_assets.tasks.data_files import DataStep
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import datasets
from persona_assets.tasks.rows import partition_as_it_is
from persona_assets.tasks.step import TaskStep

_PERSONA_STEPS: dict[str, Step] = {EXTRACTED_PERSONAS.name: ExtractStep(), EXPANDED_PERSONAS.name: ExpandStep()}


@dataclass(frozen=True)
class Steps:
    """The generating steps of this installation by the table they write."""

    tasks: dict[str, TaskStep] = field(default_factory=dict)
    derived: dict[str, DerivedStep] = field(default_factory=dict)
    data: dict[str, DataStep] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> "Steps":
        """With the task files of the package and of the folder that the settings name."""
        found = datasets(settings)
        return cls(
            {name: one for name, one in found.items() if isinstance(one, TaskStep)},
            {name: one for name, one in found.items() if isinstance(one, DerivedStep)},
            {name: one for name, one in found.items() if isinstance(one, DataStep)},
        )

    @property
    def task_tables(self) -> list[Table]:
        """The tables of the assets that tasks, functions and data files give."""
        return [step.table for steps in (self.tasks, self.derived, self.data) for step in steps.values()]

    @property
    def tables(self) -> dict[str, Table]:
        """Every table of an asset, by name."""
        return {**ASSET_TABLES, **{table.name: table for table in self.task_tables}}

    def step_for(self, table: str, asked: Template) -> Step:
        """The step that writes this table, for a template as the ledger keeps it.

        Raises:
            UsageError: no step of this installation does.
        """
        if table in _PERSONA_STEPS:
            return _PERSONA_STEPS[table]
        if table == CHAT:
            return ChatStep(asked)
        if table not in self.tasks:
            raise UsageError(f"no step writes {table}: its task file is not in the folder that PERSONA_TASKS names")
        return TaskStep(asked.whole, self.tables) if self.changed_since(table, asked) else self.tasks[table]

    def changed_since(self, table: str, asked: Template) -> str:
        """Why answers cannot be refused as they were; "" where they can.

        The ledger keeps a task's prompt and response schema, from which its rows follow, but not its validity rules. A
        persona step's rules do not stand in its template.
        """
        if table not in self.tasks or self.tasks[table].template.digest == asked.whole.digest:
            return ""
        now = self.tasks[table].template.version
        return f"the task file of {table} has changed since: version {asked.version} then, {now} now"


def asked_row(step: Step, lake: Lake, found: Found) -> dict[str, Any]:
    """The columns of a row that a step's prompts use, with those of its ancestors and of what was looked up."""
    if not isinstance(step, TaskStep) or found.table.name != step.read.name:
        return found.row
    if not (step.reading.ancestors or step.reading.looked_up):
        return found.row
    frame = pl.DataFrame([found.row], schema=found.table.polars)
    return {**found.row, **step.reading.rows(partition_as_it_is(lake, found.table, found.partition), frame)[0]}


def asked_together(
    step: TaskStep, finder: Finder, partition: str, asked: "Asked", fill: Mapping[str, Any]
) -> Ask | None:
    """A question about several rows as it was asked; None where a row, or which they were, is not known any more.

    Which rows these were, and in which order, the row that the answer gave knows; else the call, unless it was made for
    others that look the same.
    """
    known = [row_id for table, row_id in refs_of(fill) if table == step.read.name]
    ids = list(asked.shown) or (known if asked.row_id in known else [])
    key = pl.col(step.read.key)
    rows = (
        {found.row[step.read.key]: found for found in finder.near(step.read, key.is_in(ids), partition)} if ids else {}
    )
    if not ids or set(ids) != set(rows):
        return None
    ordered = [asked_row(step, finder.lake, rows[row_id]) for row_id in ids]
    return step.asked_together(ordered, fill.get("over", {}), asked.attempt)


def ask_again(step: Step, row: Mapping[str, Any], fill: Mapping[str, Any], attempt: int, asked: "Asked") -> Ask:
    """A question as it was asked about a row.

    Rows that ask the same share a call, whose fill names the first of them: what hangs on the row is taken from it.
    """
    values = {name: value for name, value in fill.items() if name not in _NOT_VALUES}
    about = ((asked.table, asked.row_id),)
    if not isinstance(step, TaskStep):
        if "hop" in values:
            values["hop"] = row["hop"] + 1
        question = question_of(asked.row_id, values) if isinstance(step, ExtractStep) else ""
        return Ask(row, values, attempt, about, question)
    known = [ask for ask in step.asks_of(dict(row)) if ask.attempt == attempt] if step.template.several else []
    same = [ask for ask in known if ask.question_id == asked.question_id]
    same = same or [ask for ask in known if ask.fill.get("over", {}) == values.get("over", {})]
    return same[0] if same else Ask(row, values, attempt, about)


def asked_alike(step: Step, ask: Ask) -> list[Ask]:
    """A question, and those about the same row that may share its call, as a part of an answer names no question."""
    single = isinstance(step, TaskStep) and step.template.several and not step.template.group
    others = step.asks_of(dict(ask.row)) if isinstance(step, TaskStep) and single else []
    return [ask, *(other for other in others if other.attempt == ask.attempt)]


@dataclass(frozen=True)
class Asked:
    """What a question was about: the table and id of the row, and the question's id where it is known."""

    table: str
    row_id: str
    question_id: str = ""
    shown: tuple[str, ...] = ()  # all rows that it was about, in order, where these are several
    attempt: int = 0


_NOT_VALUES = frozenset({"about", "turn", "after", "persona_id", "document_id"})
