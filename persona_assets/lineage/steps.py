"""Which step wrote a table, and whether this installation still asks what the ledger says was asked."""

from dataclasses import dataclass, field

from persona_assets.errors import UsageError
from persona_assets.lake import Table
from persona_assets.lake.schemas import EXPANDED_PERSONAS, EXTRACTED_PERSONAS
from persona_assets.personas.expand import ExpandStep
from persona_assets.personas.extract import ExtractStep
from persona_assets.prompts import Template
from persona_assets.settings import Settings
from persona_assets.steps.runner import Step
from persona_assets.tasks.step import TaskStep, load_tasks, task_table

_PERSONA_STEPS: dict[str, Step] = {EXTRACTED_PERSONAS.name: ExtractStep(), EXPANDED_PERSONAS.name: ExpandStep()}


@dataclass(frozen=True)
class Steps:
    """The generating steps of this installation by the table they write."""

    tasks: dict[str, Template] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> "Steps":
        """With the task files of the package and of the folder that the settings name."""
        return cls(dict(load_tasks(settings)))

    @property
    def task_tables(self) -> list[Table]:
        """The tables of the task assets."""
        return [task_table(template) for template in self.tasks.values()]

    def step_for(self, table: str, asked: Template) -> Step:
        """The step that writes this table, for a template as the ledger keeps it.

        Raises:
            UsageError: no step of this installation does.
        """
        if table in _PERSONA_STEPS:
            return _PERSONA_STEPS[table]
        if table not in self.tasks:
            raise UsageError(f"no step writes {table}: its task file is not in the folder that PERSONA_TASKS names")
        return TaskStep(asked if self.changed_since(table, asked) else self.tasks[table])

    def changed_since(self, table: str, asked: Template) -> str:
        """Why answers cannot be refused as they were; "" where they can.

        The ledger keeps a task's prompt and response schema, from which its rows follow, but not its validity rules. A
        persona step's rules do not stand in its template.
        """
        if table not in self.tasks or self.tasks[table].digest == asked.digest:
            return ""
        return (
            f"the task file of {table} has changed since: version {asked.version} then, {self.tasks[table].version} now"
        )
